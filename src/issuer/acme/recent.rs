//! Where the CA looked a moment ago: its resolver may hold what it found there.
//!
//! A host with two kinds of keys proves its name twice in one pass, at the same owner. A CA that asks
//! through a cache would be told the first proof when it looks for the second.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::name::DnsName;
use crate::time::{Moment, Span, Ttl};

/// Caches count in whole seconds, and some serve an RRset for up to one beyond its TTL.
const CACHE_GRAIN: Span = Span::from_seconds(1);

/// The owners of proofs that the CA has looked at, each with the moment by which it had.
#[derive(Default)]
pub(super) struct Recent(Mutex<BTreeMap<DnsName, Moment>>);

impl Recent {
    /// Notes that the CA has looked at `owner` by now.
    pub(super) fn note(&self, owner: &DnsName, now: Moment) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.insert(owner.clone(), now);
    }

    /// How long a cache may still hold what was at `owner` under this TTL when the CA looked.
    pub(super) fn held(&self, owner: &DnsName, ttl: Ttl, now: Moment) -> Span {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(looked) = looks.get(owner) else { return Span::ZERO };
        (ttl.span() + CACHE_GRAIN).saturating_sub(now.elapsed_since(looked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn what_was_looked_at_is_held_for_its_ttl_and_a_second() {
        let at = |seconds: u32| Moment {
            wall: Timestamp::from_seconds(seconds.into()),
            boot: 1,
            uptime: Span::from_seconds(seconds.into()),
        };
        let owner = "_acme-challenge.mail.example.nl".parse().unwrap();
        let held = |recent: &Recent, now| recent.held(&owner, Ttl::from_seconds(1), at(now));
        let recent = Recent::default();
        assert_eq!(held(&recent, 10), Span::ZERO);
        recent.note(&owner, at(10));
        assert_eq!(held(&recent, 10), Span::from_seconds(2));
        assert_eq!(held(&recent, 11), Span::from_seconds(1));
        assert_eq!(held(&recent, 12), Span::ZERO);
    }
}
