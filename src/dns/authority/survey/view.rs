//! What a survey hands out: answers, and how far each can be trusted.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Answer, ServerAddress, Zone};
use crate::name::DnsName;
use crate::time::Timestamp;
use crate::tlsa::{Record, TlsaRrset};

/// How far an answer can be trusted (RFC 4035, section 4.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Security {
    /// Every signature from the trust anchor down validates.
    Secure,
    /// It is provably not signed.
    Insecure {
        /// The zone or delegation at which the chain of trust ends.
        zone: DnsName,
    },
    /// It ought to be signed, and does not validate: senders that validate get no answer at all.
    Bogus {
        /// What does not validate.
        reason: String,
    },
}

/// A zone, as far as it can be trusted.
#[derive(Clone, Debug)]
pub struct ZoneView {
    /// Its name.
    pub name: DnsName,
    /// Whether it is signed.
    pub security: Security,
    /// Its keys and servers, where it is secure.
    pub(super) zone: Option<Arc<Zone>>,
}

/// What a name and type led to.
#[derive(Clone, Debug)]
pub struct Resolved<T> {
    /// The records, of the last alias's target where there is one.
    pub records: Vec<T>,
    /// What the aliases lead to, in order; empty where the name is none.
    pub aliases: Vec<DnsName>,
    /// Whether the name that the records are of exists.
    pub exists: bool,
    /// How far all of it can be trusted: as far as the worst part.
    pub security: Security,
}

/// One MX record.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MxRecord {
    /// Its preference: the lowest is tried first.
    pub preference: u16,
    /// What it names, as it stands there.
    pub exchange: String,
    /// That as the name of a host; `None` where no host can have it. The root in a null MX.
    pub host: Option<DnsName>,
}

/// What was found at a TLSA owner.
#[derive(Clone, Debug)]
pub enum OwnerView {
    /// Each server of its zone was asked.
    Seen {
        /// The name that the records live at, after all aliases.
        target: DnsName,
        /// What each address of each server answered.
        servers: Vec<ServerView>,
    },
    /// The zone is not signed.
    Unsigned {
        /// Where the chain of trust ends.
        zone: DnsName,
        /// What is published all the same.
        records: BTreeSet<Record>,
    },
    /// The zone's keys do not validate.
    Bogus {
        /// Why not.
        reason: String,
    },
}

/// What one authoritative server answered.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// The server.
    pub server: ServerAddress,
    /// Its answer.
    pub answer: Answer,
    /// Until when the signature holds that it came with.
    pub signed_until: Option<Timestamp>,
    /// Whether it answered, and had no answer: an error, or the word that the zone is not its own.
    pub is_lame: bool,
}

/// What a resolver does for those who trust it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ResolverStanding {
    /// It says that it validated the zone at the trust anchor (AD).
    Validates,
    /// It answers, and does not say so.
    DoesNot,
    /// It does not answer.
    Silent {
        /// What happened.
        reason: String,
    },
}

impl ServerView {
    /// What the server has, where that can be relied on.
    pub fn rrset(&self) -> Option<&TlsaRrset> {
        match &self.answer {
            Answer::Secure(rrset) | Answer::Wildcard(rrset) => Some(rrset),
            Answer::Untrusted { .. } | Answer::Silent { .. } => None,
        }
    }
}

impl Security {
    /// The lesser of two.
    pub fn and(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Bogus { .. }, _) => self,
            (_, Self::Bogus { .. }) => other,
            (Self::Insecure { .. }, _) => self,
            (Self::Secure, _) => other,
        }
    }
}
