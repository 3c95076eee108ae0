//! Zones, changed at their primary; and what can go wrong.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Remedy, RrsetChange};
use crate::name::DnsName;
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::{Record, TlsaRrset};

/// What a primary holds at a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeldRrset {
    /// The records; none where it holds none.
    pub records: BTreeSet<Record>,
    /// Their TTL, where it says: many a provider's API does not.
    pub ttl: Option<Ttl>,
}

impl From<TlsaRrset> for HeldRrset {
    fn from(rrset: TlsaRrset) -> Self {
        Self { records: rrset.records, ttl: Some(rrset.ttl) }
    }
}

/// Changes zones at their primary.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// What the primary holds at `name` now, asked of it directly.
    ///
    /// # Errors
    ///
    /// Where the primary did not answer, or not in a way that can be relied on.
    async fn read(&self, zone: &DnsName, name: &DnsName) -> Result<HeldRrset, PublishError>;

    /// Makes all changes of one zone in one step, or none of them.
    ///
    /// `Ok` means that the primary took them, not that anybody serves them yet. Idempotent: an
    /// RRset that is as desired already is left as it is.
    ///
    /// # Errors
    ///
    /// After an error that is not [`PublishError::surely_without_effect`] the change may have been
    /// made, or may still be made until [`Publisher::longest_delay`] has passed.
    async fn replace(&self, zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError>;

    /// How long after `replace` was called its update may still be applied, whatever happened.
    fn longest_delay(&self) -> Span;

    /// Whether an update is applied only where the primary holds what was observed, in one step with
    /// looking: one that is under way elsewhere does nothing once that is gone.
    async fn compares(&self) -> bool {
        true
    }

    /// What an operator should know of it before he relies on it, if anything.
    async fn caveat(&self) -> Option<String> {
        None
    }

    /// Says that nothing more is asked of it for now: what was started for it may end.
    async fn leave(&self) {}

    /// Adds `value` to the TXT records at `name`, an ACME challenge; others there are left alone.
    ///
    /// # Errors
    ///
    /// As for `replace`.
    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        ttl: Ttl,
    ) -> Result<(), PublishError>;

    /// Removes `value` from the TXT records at `name`; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// As for `replace`.
    async fn remove_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError>;
}

/// Why a zone could not be changed, or its primary not be read.
///
/// Each message names the server and the record; [`PublishError::hint`] says what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Somebody else changed an RRset after it was observed (NXRRSET, YXRRSET, NXDOMAIN, YXDOMAIN).
    #[error("{server} says that {what} is no longer as it was observed")]
    Conflict {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
    },
    /// The server said no.
    #[error("{server} refused to change {what}: {rcode}")]
    Refused {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
        /// Its response code, by name.
        rcode: String,
    },
    /// There is an alias where records should be, and none that could be followed: a wildcard's, or
    /// one that the zone's name servers do not have yet.
    #[error(
        "{server} has an alias at {what} that is not followed: it comes from a wildcard, or not \
         every name server has it"
    )]
    Alias {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
    },
    /// The server does not know the TSIG key (BADKEY).
    #[error("{server} does not know the TSIG key `{key}`")]
    BadKey {
        /// The server asked.
        server: String,
        /// The key's name.
        key: String,
    },
    /// The server holds another secret under this key's name, or another algorithm (BADSIG).
    #[error("{server} does not accept the signature of the TSIG key `{key}`")]
    BadSignature {
        /// The server asked.
        server: String,
        /// The key's name.
        key: String,
    },
    /// The clocks are too far apart (BADTIME).
    #[error(
        "the clocks of {server} and of this machine are more than {fudge} apart: it says {}, this \
         machine {ours}",
        theirs.map_or_else(|| "no time".to_owned(), |time| time.to_string())
    )]
    BadTime {
        /// The server asked.
        server: String,
        /// What TSIG allows.
        fudge: Span,
        /// What the server's clock says, where it told.
        theirs: Option<Timestamp>,
        /// What this machine's says.
        ours: Timestamp,
    },
    /// An answer came that the key did not sign: it proves nothing.
    #[error("{server} answered about {what} without a valid signature: {reason}")]
    Unauthenticated {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
        /// What was wrong with it.
        reason: String,
    },
    /// No connection could be made: nothing was asked.
    #[error("{server} cannot be reached, and was not asked about {what}: {reason}")]
    Unreachable {
        /// The server.
        server: String,
        /// The records concerned.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// No answer came; the change may have been made.
    #[error("{server} did not answer about {what}: {reason}")]
    Unanswered {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
        /// What happened.
        reason: String,
    },
    /// A provider said no, in words of its own.
    #[error("{server} declined to change {what}: {reason}")]
    Declined {
        /// The provider.
        server: String,
        /// What was to be read or changed.
        what: String,
        /// What it said.
        reason: String,
    },
    /// The change cannot be expressed: a name outside the zone, a message too long.
    #[error("cannot ask {server} to change {what}: {reason}")]
    Inexpressible {
        /// The server that would have been asked.
        server: String,
        /// The records concerned.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl PublishError {
    /// What has to happen before another try can make sense.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Conflict { .. } => Remedy::LookAgain,
            Self::Unanswered { .. } | Self::Unreachable { .. } => {
                Remedy::RetryLater { not_before: None }
            }
            Self::Refused { .. }
            | Self::Alias { .. }
            | Self::BadKey { .. }
            | Self::BadSignature { .. }
            | Self::BadTime { .. }
            | Self::Unauthenticated { .. }
            | Self::Declined { .. }
            | Self::Inexpressible { .. } => Remedy::AskOperator,
        }
    }

    /// The same failure, told of these records alone, where others were concerned too.
    pub fn about(mut self, records: String) -> Self {
        match &mut self {
            Self::Conflict { what, .. }
            | Self::Refused { what, .. }
            | Self::Alias { what, .. }
            | Self::Unauthenticated { what, .. }
            | Self::Unreachable { what, .. }
            | Self::Unanswered { what, .. }
            | Self::Declined { what, .. }
            | Self::Inexpressible { what, .. } => *what = records,
            Self::BadKey { .. } | Self::BadSignature { .. } | Self::BadTime { .. } => {}
        }
        self
    }

    /// The same failure, where others of the same call's changes were made before it: the whole is not
    /// without effect.
    pub fn after_others(self, server: String, what: String) -> Self {
        Self::Unanswered { server, what, reason: self.to_string() }
    }

    /// Whether it is certain that nothing was changed, and that nothing will be.
    ///
    /// BADKEY and BADSIG are answers that no server can sign: whoever stands in between can give them,
    /// and let the update through.
    pub fn surely_without_effect(&self) -> bool {
        !matches!(
            self,
            Self::BadKey { .. }
                | Self::BadSignature { .. }
                | Self::Declined { .. }
                | Self::Unanswered { .. }
                | Self::Unauthenticated { .. }
        )
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "nothing to do: the next pass looks again and decides anew",
            Self::Refused { .. } => {
                "allow this key to change these records in the server's configuration (BIND: \
                 update-policy) and check that the server is primary for the zone"
            }
            Self::Alias { .. } => {
                "put an alias at the owner itself, or the records: what a wildcard gives would be \
                 half-overridden by a change"
            }
            Self::BadKey { .. } => {
                "put the key's stanza into the server's configuration, or correct tsig-key-file"
            }
            Self::BadSignature { .. } => {
                "make algorithm and secret the same in the server's configuration and tsig-key-file"
            }
            Self::BadTime { .. } => "set both clocks by NTP",
            Self::Unauthenticated { .. } => {
                "check the server's log, and what stands between it and this machine"
            }
            Self::Unanswered { .. } | Self::Unreachable { .. } => {
                "check that the server runs and can be reached on TCP port 53; the change is tried \
                 again"
            }
            Self::Declined { .. } => {
                "the reason is the provider's: correct its settings, its credentials or the zone"
            }
            Self::Inexpressible { .. } => "check `zone` and the hosts' names in the configuration",
        }
    }
}
