//! What other ACME clients say when they call: `rollover hook CLIENT`.
//!
//! Each client has a contract of its own: which arguments and variables its hooks get, when they are
//! called, and what their exit status does. A file for each says what a call means ([`Call`]), without
//! touching anything; [`recognise`] tells the clients apart. The rest is the same for all:
//!
//! ```text
//! arguments, environment ── recognise, certbot, dehydrated, lego, acme_sh, uacme ──> Call
//!                                                                                     |
//!    key and chain from the client's files ── material ──> Credential <── certificate ┤
//!                                    whose is it ── recipients ──> staging            |
//!               a TXT record through the host's provider ── proof <───────── challenge ┘
//! ```
//!
//! A hook never decides when a certificate goes live, and never waits for caches. It fails only where
//! what the client brought could not be kept: a client that is told of success does not call again.

mod acme_sh;
mod call;
mod certbot;
mod dehydrated;
mod httpreq;
mod lego;
mod material;
mod proof;
mod recipients;
mod recognise;
mod uacme;

pub use call::{Call, CallError, Challenge, Client, Obtained, Occasion, Operation, Surroundings};
pub use httpreq::{Visitor, requested};
pub use material::{MaterialError, read, read_key};
pub use proof::{ProofError, Prover};
pub use recipients::{Recipient, recipients};
pub use recognise::understand;
