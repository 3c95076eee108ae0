//! What a host's ledger holds: only what cannot be looked up again.
//!
//! Past RRsets and until when they may be cached, chains that may be presented, staged bundles, what
//! the operator wants, and failures. It is changed in two ways alone: by taking in a look
//! ([`HostState::observe`]), and by the transitions in [`transition`](super::transition).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::history::History;
use super::observation::{Observation, OwnerSight};
use super::presentable::{Expected, Presentable};
use super::served::Served;
use super::spec::HostSpec;
use crate::pki::{Certificate, Chain, ChainId, KeyType};
use crate::time::{Moment, Timestamp};
use crate::tlsa::{Record, TlsaOwner, Usage};

/// What the ledger holds of one host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostState {
    /// Per owner, the versions of its RRset.
    pub histories: BTreeMap<TlsaOwner, History>,
    /// The chains that may be presented.
    pub served: Served,
    /// Certificates and keys that are at hand or on order, the latest last.
    pub bundles: BTreeMap<BundleId, Bundle>,
    /// The bundle that the host shall present while nothing is in flight.
    pub current: Option<BundleId>,
    /// The rollover in flight.
    pub rollover: Option<Rollover>,
    /// Keys made in advance, by their SubjectPublicKeyInfo.
    pub standby: BTreeMap<KeyType, KeyMade>,
    /// Keys and CAs that must not be named by what is published from now on.
    pub barred: Vec<Barred>,
    /// Whether the host has left DANE.
    pub withdrawn: bool,
    /// The issuer in the place of the configured one, until the configuration is edited.
    pub issuer_override: Option<IssuerOverride>,
    /// Per step that failed last time it was tried, how.
    pub failures: BTreeMap<Step, Failure>,
    /// Certificates to be revoked once they are out of service.
    pub to_revoke: Vec<Revocation>,
    /// The number of the next bundle.
    pub next_bundle: u64,
}

/// The number of a bundle; a host's bundles are numbered from 0 and never reused.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BundleId(pub u64);

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An issuer that certificates are obtained from in the place of the configured one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerOverride {
    /// The issuer.
    pub issuer: String,
    /// The one that the configuration named then: once it names another, this is over. Empty where a
    /// ledger of an earlier version does not say.
    pub instead_of: String,
    /// The issuer whose failures led to it; `None` where an operator named it.
    pub after: Option<String>,
}

/// One credential per key type, issued together and deployed together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bundle {
    /// The issuer's name in the configuration; empty where a bundle found in place tells none.
    pub issuer: String,
    /// When it was begun.
    pub created: Timestamp,
    /// Its keys, and the chains that have been issued for them.
    pub credentials: BTreeMap<KeyType, BundleCredential>,
}

/// A key, and the chain issued for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BundleCredential {
    /// The key.
    pub key: KeyMade,
    /// The chain, once it is issued.
    pub issued: Option<Issued>,
}

/// The public half of a key at hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyMade {
    /// The DER of the SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// When it was made, or first seen.
    pub at: Timestamp,
}

/// A chain that was issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// The chain.
    pub chain: Chain,
    /// The certificate in it that DANE-TA(2) names; `None` where the chain does not hold it.
    pub anchor: Option<Certificate>,
}

impl Bundle {
    /// Whether every chain has been issued.
    pub fn is_issued(&self) -> bool {
        self.credentials.values().all(|credential| credential.issued.is_some())
    }

    /// Its chains as they are or, with the issuer's known anchors, as they are expected.
    pub fn presentables(&self, known: &[Certificate]) -> Vec<Presentable> {
        let present = |credential: &BundleCredential| match &credential.issued {
            Some(issued) => Presentable::Issued(issued.chain.clone()),
            None => Presentable::Expected(Expected {
                spki: credential.key.spki.clone(),
                anchors: known.to_vec(),
            }),
        };
        self.credentials.values().map(present).collect()
    }

    /// The chains that have been issued.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.credentials.values().filter_map(|c| c.issued.as_ref()).map(|issued| &issued.chain)
    }

    /// What tells its chains from others.
    pub fn chain_ids(&self) -> BTreeSet<ChainId> {
        self.chains().map(Chain::id).collect()
    }

    /// The trust anchors of the chains that have been issued.
    pub fn anchors(&self) -> Vec<&Certificate> {
        let issued = self.credentials.values().filter_map(|c| c.issued.as_ref());
        issued.filter_map(|issued| issued.anchor.as_ref()).collect()
    }
}

/// A rollover in flight.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rollover {
    /// What it is, for people.
    pub kind: Kind,
    /// When it was begun.
    pub started: Timestamp,
    /// Where it leads.
    pub target: Target,
    /// The bundle that is put back if it fails or is given up.
    pub from: Option<BundleId>,
    /// Whether the target's keys were standby keys, which a rollover given up returns.
    pub took_standby: bool,
}

/// Where a rollover leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// To this bundle, and the records that fit it.
    Bundle(BundleId),
    /// Out of DANE: to no records.
    NoRecords,
}

/// What a rollover is, for people; the procedure is the same for all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Another certificate of the same CA.
    Renewal,
    /// A certificate of another CA, or of another key of the same one.
    CaChange,
    /// Away from a key or a CA that is not to be trusted.
    Compromise,
    /// Into DANE.
    FirstPublication,
    /// Back to what was before.
    Abort,
    /// Out of DANE.
    Withdrawal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Renewal,
        Self::CaChange,
        Self::Compromise,
        Self::FirstPublication,
        Self::Abort,
        Self::Withdrawal,
    ];

    /// The name in `status --json` and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::CaChange => "ca-change",
            Self::Compromise => "compromise",
            Self::FirstPublication => "first-publication",
            Self::Abort => "abort",
            Self::Withdrawal => "withdrawal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Renewal => "renewal",
            Self::CaChange => "change of CA",
            Self::Compromise => "replacement of what was compromised",
            Self::FirstPublication => "first publication",
            Self::Abort => "return to the former certificate",
            Self::Withdrawal => "withdrawal from DANE",
        })
    }
}

/// A certificate whose key, or whose CA, must not be named by what is published from now on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Barred {
    /// As what it must not be named.
    pub usage: Usage,
    /// The certificate.
    pub certificate: Certificate,
}

impl Barred {
    /// Whether `record` names it.
    pub fn names(&self, record: &Record) -> bool {
        record.association().is_ok_and(|association| {
            association.parameters.usage == self.usage && association.matches(&self.certificate)
        })
    }
}

/// A certificate to be revoked once it is out of service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation {
    /// The issuer that issued it.
    pub issuer: String,
    /// The chain that it leads.
    pub chain: Chain,
}

/// A step that can fail and be tried again.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// Making a key.
    MakeKey,
    /// Obtaining a certificate.
    Issue,
    /// Changing records.
    Publish,
    /// Putting the new bundle in place.
    Deploy,
    /// Putting the old bundle back.
    Restore,
    /// Revoking.
    Revoke,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 6] =
        [Self::MakeKey, Self::Issue, Self::Publish, Self::Deploy, Self::Restore, Self::Revoke];

    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MakeKey => "make-key",
            Self::Issue => "issue",
            Self::Publish => "publish",
            Self::Deploy => "deploy",
            Self::Restore => "restore",
            Self::Revoke => "revoke",
        }
    }
}

/// How a step failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// How often in a row.
    pub count: u32,
    /// How often in a row, this time included, because of the issuer itself.
    pub by_issuer: u32,
    /// When last.
    pub at: Moment,
    /// When it may be tried again.
    pub not_before: Timestamp,
    /// What happened, and what it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether somebody has to do something.
    pub needs_operator: bool,
}

impl HostState {
    /// Takes in what one look showed.
    pub fn observe(&mut self, spec: &HostSpec, seen: &Observation) {
        self.served.observe(&seen.listeners, seen.at);
        let served: BTreeSet<ChainId> =
            self.served.presences.iter().map(|presence| presence.chain.id()).collect();
        for (owner, sight) in &seen.owners {
            let history = self.histories.entry(owner.clone()).or_default();
            history.observe(sight, &served, seen.at, spec.longest_delay);
            history.forget_expired(&spec.policy.timing, &seen.at);
        }
        self.served.forget_ended(spec.policy.timing.drain, &seen.at);
        if self.issuer_override(spec).is_none() {
            self.issuer_override = None;
        }
    }

    /// The bundle that the rollover in flight leads to.
    pub fn target(&self) -> Option<(BundleId, &Bundle)> {
        match self.rollover.as_ref()?.target {
            Target::Bundle(id) => self.bundles.get(&id).map(|bundle| (id, bundle)),
            Target::NoRecords => None,
        }
    }

    /// The bundle that the host shall present while nothing is in flight.
    pub fn current(&self) -> Option<&Bundle> {
        self.bundles.get(&self.current?)
    }

    /// The certificate of this key type that is in place, where it is known.
    pub fn present_leaf(&self, key_type: KeyType) -> Option<Certificate> {
        let issued = self.current()?.credentials.get(&key_type)?.issued.as_ref()?;
        Some(issued.chain.leaf().clone())
    }

    /// Whether `record` names a key or CA that is barred.
    pub fn bars(&self, record: &Record) -> bool {
        self.barred.iter().any(|barred| barred.names(record))
    }

    /// Whether a chain is of a key or CA that is barred.
    pub fn bars_chain(&self, chain: &Presentable) -> bool {
        let is_of = |barred: &Barred| match (barred.usage, chain) {
            (Usage::DaneEe, _) => barred.certificate.spki() == chain.spki(),
            (Usage::DaneTa, Presentable::Issued(chain)) => {
                chain.authorities().iter().any(|ca| ca.spki() == barred.certificate.spki())
            }
            (Usage::DaneTa, Presentable::Expected(_)) => false,
        };
        self.barred.iter().any(is_of)
    }

    /// The issuer in the place of the one that the configuration names, where it still names that.
    pub fn issuer_override(&self, spec: &HostSpec) -> Option<&IssuerOverride> {
        self.issuer_override.as_ref().filter(|other| {
            (other.instead_of == spec.issuer || other.instead_of.is_empty())
                && other.issuer != spec.issuer
                && spec.known_anchors.contains_key(&other.issuer)
        })
    }

    /// The issuer of the next certificate.
    pub fn issuer<'a>(&'a self, spec: &'a HostSpec) -> &'a str {
        self.issuer_override(spec).map_or(&spec.issuer, |other| &other.issuer)
    }
}

/// The RRset that the primary holds at an owner, where the look showed it.
pub fn at_primary<'a>(
    seen: &'a Observation,
    owner: &TlsaOwner,
) -> Option<&'a crate::tlsa::TlsaRrset> {
    match seen.owners.get(owner)? {
        OwnerSight::Seen(answers) => answers.at_primary.as_ref().ok(),
        OwnerSight::Unknown { .. } | OwnerSight::Unsigned { .. } => None,
    }
}
