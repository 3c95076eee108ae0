//! The DNS as the world sees it.

use async_trait::async_trait;

use crate::name::DnsName;
use crate::rollover::observation::OwnerSight;
use crate::tlsa::TlsaOwner;

/// Looks at the DNS as the world sees it: every address of every authoritative server.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Asks every address of every name server of the zone that holds `owner` (after aliases), but
    /// for those ignored on purpose (by server name or address), and validates each answer.
    ///
    /// Never fails: what cannot be found out is part of the sight. `at_primary` is left to others.
    async fn look(&self, owner: &TlsaOwner, ignored: &[String]) -> OwnerSight;

    /// Whether every authoritative server of the zone of `name` serves `value` among the TXT
    /// records there. Servers that do not answer count as not serving it.
    async fn txt_is_everywhere(&self, name: &DnsName, value: &str, ignored: &[String]) -> bool;

    /// The zone that `name` is in: its closest enclosing SOA, found through the resolver.
    ///
    /// # Errors
    ///
    /// What was asked, whom, and what came back.
    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError>;

    /// What a name is an alias of in the end, as the resolver has it; itself where it is none.
    ///
    /// # Errors
    ///
    /// What was asked, whom, and what came back.
    async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError>;

    /// The addresses of a host, A and AAAA, in order.
    ///
    /// # Errors
    ///
    /// What was asked, whom, and what came back.
    async fn addresses(&self, name: &DnsName) -> Result<Vec<std::net::IpAddr>, LookupError>;
}

/// A look-up through the resolver failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot look up {what}: {reason}")]
pub struct LookupError {
    /// Name and type.
    pub what: String,
    /// The server asked and what it said.
    pub reason: String,
}
