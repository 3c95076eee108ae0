//! What a decision can ask for, and what it can say instead: the words of the whole loop.

use std::collections::BTreeMap;
use std::fmt;

use super::history::Content;
use super::observation::{Installed, Listener, ServerAddress};
use super::state::{BundleId, IssuerOverride, Kind, Revocation, Step};
use crate::name::DnsName;
use crate::pki::{Certificate, ChainId, KeyType};
use crate::time::{Timestamp, Ttl};
use crate::tlsa::{TlsaOwner, TlsaRrset, Usage};

/// What follows from what was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// This is to be done now; then look and decide anew.
    Act(Action),
    /// A rollover is in flight, and nothing can be done for it now.
    Wait(Wait),
    /// Nothing is in flight; the next renewal is due then.
    Idle {
        /// When the certificate is due for renewal.
        until: Timestamp,
    },
    /// Nothing can be done until somebody changes something.
    Stuck(Vec<Problem>),
}

/// One thing to be done. Each is idempotent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Take the credentials found in place as the host's present bundle.
    Adopt {
        /// What was found.
        installed: Vec<Installed>,
        /// Its issuer's name, where the chain tells.
        issuer: String,
    },
    /// Begin a rollover.
    Begin(Begin),
    /// Make a standby key.
    MakeStandby {
        /// Of this type.
        key_type: KeyType,
    },
    /// Obtain a certificate, and hold it.
    Issue {
        /// For this bundle.
        bundle: BundleId,
        /// Of this key type.
        key_type: KeyType,
    },
    /// Change RRsets of one zone in one step.
    Publish {
        /// What for.
        purpose: Purpose,
        /// The zone.
        zone: DnsName,
        /// The changes; never empty.
        changes: Vec<RrsetChange>,
    },
    /// Put a bundle where the server reads it.
    Deploy {
        /// The bundle.
        bundle: BundleId,
    },
    /// Put a bundle in place once more: it was, and does not show, and nothing else may be put there.
    Repeat {
        /// The bundle.
        bundle: BundleId,
        /// What was seen instead.
        because: String,
    },
    /// Put the former bundle back.
    Restore {
        /// The bundle.
        bundle: BundleId,
        /// Why, where the reason is not a failed action: what was seen instead of the new chain.
        because: Option<String>,
    },
    /// Revoke a certificate that is out of service.
    Revoke(Revocation),
    /// The rollover is done.
    Finish,
}

impl Action {
    /// The step that fails when this action does; `None` where it only changes the ledger.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Adopt { .. } | Self::Finish => None,
            Self::Begin(_) | Self::MakeStandby { .. } => Some(Step::MakeKey),
            Self::Issue { .. } => Some(Step::Issue),
            Self::Publish { .. } => Some(Step::Publish),
            Self::Deploy { .. } | Self::Repeat { .. } => Some(Step::Deploy),
            Self::Restore { .. } => Some(Step::Restore),
            Self::Revoke(_) => Some(Step::Revoke),
        }
    }
}

/// The rollover to begin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Begin {
    /// What it is.
    pub kind: Kind,
    /// Where it leads.
    pub toward: Toward,
    /// What must not be named any more.
    pub bar: Vec<(Usage, Certificate)>,
    /// Whether the present certificate is to be revoked when it is out of service.
    pub revoke: bool,
    /// The issuer in the place of the configured one.
    pub issuer_override: Option<IssuerOverride>,
    /// Whether a host that has left DANE comes back with it: what an operator asks for does, a
    /// renewal that is due by itself does not.
    pub reenters: bool,
}

/// Where a rollover to be begun leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Toward {
    /// To a new bundle.
    New {
        /// Its issuer.
        issuer: String,
        /// Where its keys come from.
        keys: BTreeMap<KeyType, KeySource>,
    },
    /// To a bundle that is at hand.
    Existing(BundleId),
    /// Out of DANE.
    NoRecords,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// It is made.
    New,
    /// It is the standby key.
    Standby,
    /// It is the present bundle's.
    Present,
    /// It is the one of the certificate that another client brought.
    Brought,
}

/// What records are changed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// So that what is served and what comes next both fit.
    Bridge,
    /// So that the host's own records alone remain.
    Settle,
    /// So that what is barred is named no more.
    Bar,
    /// So that a change made by somebody else is led back.
    Mend,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bridge => "bridge",
            Self::Settle => "settle",
            Self::Bar => "bar",
            Self::Mend => "mend",
        })
    }
}

/// A change of one TLSA RRset, good only for the content that it was planned for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RrsetChange {
    /// The owners that it speaks for: more than one where aliases lead to the same name.
    pub owners: Vec<TlsaOwner>,
    /// The name that the RRset lives at, after aliases.
    pub name: DnsName,
    /// What the primary held when the change was decided; travels as its prerequisite
    /// ([RFC 2136, section 2.4.2]), so that somebody else's change in between ends in a conflict.
    ///
    /// [RFC 2136, section 2.4.2]: https://www.rfc-editor.org/rfc/rfc2136#section-2.4.2
    pub observed: TlsaRrset,
    /// What it shall hold; without records: nothing.
    pub desired: TlsaRrset,
}

/// Why nothing can be done for a rollover now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wait {
    /// What is waited for; never empty.
    pub reasons: Vec<Reason>,
    /// When it will be over, if no clock jumps; `None` where nobody can tell.
    pub until: Option<Timestamp>,
    /// Until when it is worth looking again at once: what was just done may not show yet.
    pub linger: Option<Timestamp>,
}

/// One thing that is waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Caches may hold a version that does not fit what comes next.
    Caches {
        /// Where it lives.
        owner: TlsaOwner,
        /// The version.
        content: Content,
        /// Its TTL.
        ttl: Ttl,
        /// Until when.
        until: Timestamp,
    },
    /// A name server still serves a version that has to go, or does not say what it serves.
    NameServer {
        /// Where the version lives.
        owner: TlsaOwner,
        /// The server.
        server: ServerAddress,
        /// What it answered.
        answer: String,
    },
    /// The look-up of a zone's servers failed.
    Zone {
        /// The owner looked for.
        owner: TlsaOwner,
        /// What failed.
        reason: String,
    },
    /// An update may still be applied that is no longer wanted.
    UnderWay {
        /// Where it would be.
        owner: TlsaOwner,
        /// Until when.
        until: Timestamp,
    },
    /// An old chain may still be presented by a process that was not met.
    Draining {
        /// The chain.
        chain: ChainId,
        /// Until when.
        until: Timestamp,
    },
    /// A listener presents another chain, or does not say what it presents.
    Listener {
        /// The listener.
        listener: Listener,
        /// What it did.
        sight: String,
    },
    /// The host has no address that could be probed.
    NoListener,
    /// A step failed and is tried again.
    Retry {
        /// The step.
        step: Step,
        /// Not before then.
        until: Timestamp,
    },
    /// A step failed in this pass, and is tried again in the next.
    NextPass {
        /// The step.
        step: Step,
    },
}

/// What somebody has to change before anything can be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// What is wrong, and what it means for mail.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What an operator asked for on the command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Replace the certificate now.
    Renew,
    /// Change to this issuer, else to the configuration's.
    NewCa(Option<String>),
    /// The present key is not to be trusted.
    CompromisedKey,
    /// The present CA is not to be trusted; change to this issuer, else to the configuration's.
    CompromisedCa(Option<String>),
    /// Give up the rollover in flight.
    Abort,
    /// Leave DANE.
    Withdraw,
}

/// Why a request makes no sense for a host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The issuer is not in the configuration.
    #[error("there is no issuer `{0}` in the configuration")]
    UnknownIssuer(String),
    /// The host's certificate is of that CA already.
    #[error("nothing to change to: the present certificate was issued by `{0}` already")]
    SameIssuer(String),
    /// The CA to change to is the one that is not to be trusted.
    #[error("`{0}` issues under the CA that was compromised: name another issuer")]
    BarredIssuer(String),
    /// No rollover is in flight.
    #[error("nothing to give up: no rollover is in flight")]
    NothingInFlight,
    /// The issuer's certificates are brought by another client, and it has brought no other.
    #[error(
        "the certificates of `{0}` are obtained by another ACME client, and it has brought none \
         but the present one: let it obtain another, and call `rollover hook`"
    )]
    NothingBrought(String),
    /// There is no certificate yet.
    #[error("there is no certificate yet that could be replaced")]
    NoCertificate,
}
