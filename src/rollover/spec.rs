//! What the configuration says of a host, as far as decisions depend on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::name::DnsName;
use crate::pki::{Certificate, KeyType};
use crate::policy::Policy;
use crate::time::{Span, Ttl};
use crate::tlsa::TlsaOwner;

/// A host as decisions see it.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its name in the configuration.
    pub name: String,
    /// Subject alternative names and TLSA base domains.
    pub names: Vec<DnsName>,
    /// The owners of its TLSA RRsets; never empty.
    pub owners: Vec<TlsaOwner>,
    /// The kinds of key, one credential each; never empty, no family twice.
    pub key_types: Vec<KeyType>,
    /// What is required of its rollovers.
    pub policy: Arc<Policy>,
    /// The issuer that the configuration names.
    pub issuer: String,
    /// The issuers that are turned to, in this order, where the one before fails again and again.
    pub fallback_issuers: Vec<String>,
    /// Per issuer, the trust anchors that are known beforehand.
    pub known_anchors: BTreeMap<String, Vec<Certificate>>,
    /// The issuers of which another ACME client obtains certificates and brings them.
    pub external: BTreeSet<String>,
    /// The TTL of RRsets that are written; `None`: the present one's.
    pub tlsa_ttl: Option<Ttl>,
    /// Whether records that fit nothing known are removed.
    pub foreign_records: ForeignRecords,
    /// How long an update can be under way.
    pub longest_delay: Span,
}

/// What becomes of records at our owners that fit nothing known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForeignRecords {
    /// They stay.
    Keep,
    /// They are removed with the next change.
    Remove,
}

impl HostSpec {
    /// The trust anchors of an issuer that are known beforehand.
    pub fn known_anchors(&self, issuer: &str) -> &[Certificate] {
        self.known_anchors.get(issuer).map_or(&[], Vec::as_slice)
    }
}
