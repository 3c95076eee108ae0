//! All TLSA records at one owner, with the one TTL they share (RFC 2181, section 5.2).

use std::collections::BTreeSet;
use std::fmt;

use super::record::Record;
use crate::time::Ttl;

/// A TLSA RRset. Without records it stands for the answer that there is none, which caches hold
/// as well (RFC 2308), and under which senders use TLS without DANE.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TlsaRrset {
    /// The records, in the order of their numbers and data.
    pub records: BTreeSet<Record>,
    /// How long a cache may hold it: for an empty RRset, the negative TTL (RFC 2308, section 5).
    pub ttl: Ttl,
}

impl TlsaRrset {
    /// An RRset of these records.
    pub fn new(records: impl IntoIterator<Item = Record>, ttl: Ttl) -> Self {
        Self { records: records.into_iter().collect(), ttl }
    }

    /// The answer that there are no records.
    pub fn absent(negative_ttl: Ttl) -> Self {
        Self { records: BTreeSet::new(), ttl: negative_ttl }
    }

    /// Whether it stands for the answer that there are no records.
    pub fn is_absent(&self) -> bool {
        self.records.is_empty()
    }
}

/// Written on one line: the records separated by commas, then the TTL.
impl fmt::Display for TlsaRrset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_absent() {
            return write!(f, "no records (negative TTL {})", self.ttl);
        }
        for (position, record) in self.records.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{record}")?;
        }
        write!(f, " (TTL {})", self.ttl)
    }
}
