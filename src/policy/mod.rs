//! What an operator requires of every rollover: a policy states requirements, the steps follow.
//!
//! [`Policy`] is always valid: what cannot be met is refused by [`mod@file`], which reads
//! policies, with the reason. Six of them are part of the program ([`shipped`]).

pub mod file;
pub mod shipped;

use crate::time::{Span, Timestamp};
use crate::tlsa::{Fit, Parameters};

/// Requirements that hold for a host at every moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// What the configuration calls it.
    pub name: String,
    /// One sentence for `policy list`.
    pub description: String,
    /// The records of a settled host, by their parameters; never empty, matching type Full excluded.
    pub records: Vec<Parameters>,
    /// How well every cached RRset fits every served chain at every moment.
    pub fit: Fit,
    /// The form of the RRset that fits both the served chains and the staged one.
    pub bridge: Bridge,
    /// What becomes of keys.
    pub key: KeyPolicy,
    /// How long to wait, beyond what was observed.
    pub timing: Timing,
    /// When a certificate is replaced.
    pub before_expiry: BeforeExpiry,
    /// How failed issues are repeated.
    pub retry: Retry,
}

/// The form of the RRset that fits both the served chains and the staged one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bridge {
    /// The factsheet's: the served keys' usage 3 records and the staged chain's usage 2 records.
    Replace,
    /// The union of what fits the served chains and what fits the staged one.
    Overlap,
}

/// What becomes of keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyPolicy {
    /// Whether a renewal takes a new key.
    pub on_renewal: OnRenewal,
    /// Whether the next key's usage 3 record is published all along.
    pub standby: bool,
}

/// Whether a renewal takes a new key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnRenewal {
    /// Each certificate has a key of its own.
    New,
    /// The key is kept, until it is older than `rotate_every` (`None`: for ever).
    Reuse {
        /// The age at which a renewal takes a new key after all.
        rotate_every: Option<Span>,
    },
}

/// How long to wait, beyond what was observed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// TTLs to wait after the last authoritative server; at least 1.
    pub ttl_multiple: u32,
    /// Added to every wait for caches.
    pub margin: Span,
    /// The shortest wait for caches, before the margin: some resolvers raise small TTLs.
    pub minimum_wait: Span,
    /// Added after all authoritative servers agree: instances of an anycast server lag unseen.
    pub propagation_holdoff: Span,
    /// How long a reload may take to show on every address.
    pub probe_timeout: Span,
    /// How long after it was last seen an old chain still counts as served.
    pub drain: Span,
}

/// When a certificate is replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BeforeExpiry {
    /// This part of its lifetime before it expires; a proper fraction.
    Fraction {
        /// The upper number.
        numerator: u32,
        /// The lower number; larger than the upper one.
        denominator: u32,
    },
    /// This long before it expires.
    Span(Span),
}

impl BeforeExpiry {
    /// When a certificate with this validity is due for renewal.
    pub fn due(self, not_before: Timestamp, not_after: Timestamp) -> Timestamp {
        match self {
            Self::Fraction { numerator, denominator } => {
                not_after - not_after.since(not_before).fraction(numerator, denominator)
            }
            Self::Span(span) => not_after - span,
        }
    }
}

/// How failed issues are repeated: after `first`, then `factor` times as long each time, up to `max`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// The pause after the first failure.
    pub first: Span,
    /// By how much each further pause is longer; at least 1.
    pub factor: u32,
    /// The longest pause.
    pub max: Span,
}

impl Retry {
    /// The pause after `failures` failures in a row (zero failures: none).
    pub fn pause(&self, failures: u32) -> Span {
        let mut pause = if failures == 0 { Span::ZERO } else { self.first };
        for _ in 1..failures {
            if self.max <= pause {
                break;
            }
            pause = pause.times(self.factor);
        }
        pause.min(self.max)
    }
}
