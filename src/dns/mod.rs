//! The DNS as the world sees it, and how it is changed. hickory is named in this room alone.
//!
//! [`Authority`] asks every address of every authoritative server and validates each answer:
//! [`transport`] carries a question, [`delegation`] names servers that the zone itself does not, [`anchor`]
//! and [`chain`] lead from a trust anchor to the keys of a zone through [`resolver`], [`signature`] and
//! [`denial`] judge what was answered with them. [`Survey`] looks around in it for audits, each question
//! asked once ([`memo`]); [`domain`] tells the mail servers of a domain.
//!
//! [`Rfc2136`] changes zones by dynamic updates that are signed with a key of [`tsig`], those of many
//! hosts in one message by [`Convoy`]; [`Plugin`] changes them through an executable, and `cloud` through
//! the APIs of providers.

#![allow(clippy::wildcard_enum_match_arm, reason = "the DNS has more types and codes than matter")]

mod anchor;
mod authority;
mod chain;
#[cfg(feature = "cloud")]
mod cloud;
mod convoy;
mod delegation;
mod denial;
mod domain;
#[doc(hidden)] // for `fuzz/` alone, which reaches only what is public
pub mod fuzzing;
pub(crate) mod memo;
mod plugin;
mod resolver;
mod rfc2136;
mod signature;
mod transport;
mod tsig;
mod wire;

pub use anchor::{AnchorError, Anchors};
pub use authority::Authority;
pub use authority::survey::{
    MxRecord, OwnerView, Resolved, ResolverStanding, Security, ServerView, Survey, ZoneView,
};
#[cfg(feature = "cloud")]
pub use cloud::Cloud;
pub use convoy::Convoy;
pub use domain::{MailServers, Provenance};
pub use plugin::{PROTOCOL, Plugin, PluginSettings};
pub use rfc2136::Rfc2136;
pub use tsig::{TsigError, TsigKey};

/// The resolvers of this machine, as resolv.conf(5) names them.
pub fn system_resolvers() -> Vec<std::net::SocketAddr> {
    resolver::Resolver::new(&[]).servers().to_vec()
}

/// What an operator should know of a provider that cannot compare and swap.
fn cannot_swap(server: &str) -> String {
    format!(
        "{server} cannot compare and swap: a change made by somebody else at the same moment can be \
         overwritten"
    )
}
