//! The versions of one TLSA RRset: who may serve each, and how long caches may hold it.
//!
//! A version is cached from the moment before it was sent until its TTL after the last moment at
//! which any authoritative server may have served it. That moment is the end of the first look in
//! which *every* server answered, and none with this version: an update's NOERROR is not it, and a
//! server that is silent may serve what it served before.

use std::collections::BTreeSet;

use super::observation::{Answer, OwnerAnswers, OwnerSight};
use crate::pki::ChainId;
use crate::policy::Timing;
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::TlsaRrset;

/// What is known of one owner's RRset over time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// Each content once; the order means nothing.
    pub versions: Vec<Version>,
}

/// One content of an RRset that caches may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// What it says.
    pub content: Content,
    /// Who may serve it.
    pub service: Service,
}

/// What a version says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// These records, or that there are none.
    Rrset(TlsaRrset),
    /// Something from before the first look, that nobody told us of. It is taken to fit what was
    /// served then, and nothing else.
    Unknown {
        /// The largest TTL seen at the first looks.
        ttl: Ttl,
        /// The chains that were served at the first look.
        fits: BTreeSet<ChainId>,
    },
}

impl Content {
    /// How long a cache may hold it.
    pub fn ttl(&self) -> Ttl {
        match self {
            Self::Rrset(rrset) => rrset.ttl,
            Self::Unknown { ttl, .. } => *ttl,
        }
    }
}

/// Who may serve a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Its update was about to be sent, and no server has been seen with it: it may appear until
    /// `longest_delay` has passed.
    Sent {
        /// The moment before the update was sent.
        at: Moment,
        /// How long an update can be under way.
        longest_delay: Span,
    },
    /// Some server serves it, or may.
    Ongoing {
        /// When it was first sent or seen.
        since: Moment,
    },
    /// Every server was seen without it.
    Ended {
        /// The end of the look that showed so.
        at: Moment,
    },
}

/// Until when something lasts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Until {
    /// Until this moment by the wall clock, if no clock jumps.
    At(Timestamp),
    /// Until something is seen that has not been seen yet.
    Unseen,
}

impl Version {
    /// Until when caches may hold this version; `None` if none can any more.
    pub fn cached_until(&self, timing: &Timing, now: &Moment) -> Option<Until> {
        match &self.service {
            Service::Sent { .. } | Service::Ongoing { .. } => Some(Until::Unseen),
            Service::Ended { at } => {
                let hold = hold(self.content.ttl(), timing);
                now.until_elapsed(at, hold).map(Until::At)
            }
        }
    }

    /// The RRset, where it is known.
    pub fn rrset(&self) -> Option<&TlsaRrset> {
        match &self.content {
            Content::Rrset(rrset) => Some(rrset),
            Content::Unknown { .. } => None,
        }
    }
}

/// Caches count in whole seconds: Unbound was seen to serve an RRset for up to one second beyond its
/// TTL, as TTL 0.
const CACHE_GRAIN: Span = Span::from_seconds(1);

/// How long after the last server let go of it a version with this TTL counts as cached.
pub fn hold(ttl: Ttl, timing: &Timing) -> Span {
    let caches = ttl.span().times(timing.ttl_multiple).max(timing.minimum_wait);
    timing.propagation_holdoff + caches + CACHE_GRAIN + timing.margin
}

impl History {
    /// Takes in what one look showed, which was over at `at`. `served` are the chains that were
    /// presented in the same look.
    pub fn observe(&mut self, sight: &OwnerSight, served: &BTreeSet<ChainId>, at: Moment) {
        let OwnerSight::Seen(answers) = sight else {
            return;
        };
        let seen = served_rrsets(answers);
        if self.versions.is_empty() {
            if seen.is_empty() {
                return;
            }
            let content = Content::Unknown { ttl: Ttl::default(), fits: served.clone() };
            let service = Service::Ongoing { since: at };
            self.versions.push(Version { content, service });
        }
        for version in &mut self.versions {
            version.raise_unknown_ttl(&seen);
            version.observe(&seen, is_complete(answers), at);
        }
        for rrset in seen {
            if !self.versions.iter().any(|version| version.rrset() == Some(&rrset)) {
                let service = Service::Ongoing { since: at };
                self.versions.push(Version { content: Content::Rrset(rrset), service });
            }
        }
    }

    /// Notes that an update to `rrset` is about to be sent.
    pub fn intend(&mut self, rrset: &TlsaRrset, at: Moment, longest_delay: Span) {
        let service = Service::Sent { at, longest_delay };
        match self.versions.iter_mut().find(|version| version.rrset() == Some(rrset)) {
            None => {
                let content = Content::Rrset(rrset.clone());
                self.versions.push(Version { content, service });
            }
            Some(version) => {
                if !matches!(version.service, Service::Ongoing { .. }) {
                    version.service = service;
                }
            }
        }
    }

    /// Forgets an update that was surely without effect, unless the version was there before.
    pub fn retract(&mut self, rrset: &TlsaRrset, before: &Self) {
        if let Some(former) = before.versions.iter().find(|v| v.rrset() == Some(rrset)) {
            for version in self.versions.iter_mut().filter(|v| v.rrset() == Some(rrset)) {
                version.service = former.service;
            }
        } else {
            self.versions.retain(|version| version.rrset() != Some(rrset));
        }
    }

    /// The versions that some cache may hold, each with until when.
    pub fn cached<'a>(
        &'a self,
        timing: &'a Timing,
        now: &'a Moment,
    ) -> impl Iterator<Item = (&'a Version, Until)> {
        self.versions
            .iter()
            .filter_map(|version| version.cached_until(timing, now).map(|until| (version, until)))
    }

    /// Drops what no cache can hold any more.
    pub fn forget_expired(&mut self, timing: &Timing, now: &Moment) {
        // One version stays, however old: an empty history means that nobody ever looked.
        if self.cached(timing, now).next().is_some() {
            self.versions.retain(|version| version.cached_until(timing, now).is_some());
        }
    }
}

impl Version {
    /// Takes in which RRsets were served in a look; `complete` if every server answered.
    fn observe(&mut self, seen: &BTreeSet<TlsaRrset>, complete: bool, at: Moment) {
        if self.rrset().is_some_and(|rrset| seen.contains(rrset)) {
            if !matches!(self.service, Service::Ongoing { .. }) {
                self.service = Service::Ongoing { since: at };
            }
            return;
        }
        let same = |rrset: &TlsaRrset| seen.iter().any(|other| other.records == rrset.records);
        if matches!(self.service, Service::Sent { .. }) && self.rrset().is_some_and(same) {
            // It was applied, under a TTL of the server's own choice: nothing is under way any more.
            self.service = Service::Ended { at };
            return;
        }
        if !complete {
            return;
        }
        match self.service {
            Service::Ongoing { .. } => self.service = Service::Ended { at },
            Service::Sent { at: sent, longest_delay } => {
                if longest_delay <= at.elapsed_since(&sent) {
                    self.service = Service::Ended { at };
                }
            }
            Service::Ended { .. } => {}
        }
    }

    /// What was before the first look is taken to have had the largest TTL seen since.
    fn raise_unknown_ttl(&mut self, seen: &BTreeSet<TlsaRrset>) {
        if let Self { content: Content::Unknown { ttl, .. }, service: Service::Ongoing { .. } } =
            self
        {
            *ttl = seen.iter().map(|rrset| rrset.ttl).fold(*ttl, Ttl::max);
        }
    }
}

/// The RRsets that servers were seen with. What the primary holds is about to be served by all.
fn served_rrsets(answers: &OwnerAnswers) -> BTreeSet<TlsaRrset> {
    let by_servers = answers.answers.values().filter_map(|answer| match answer {
        Answer::Secure(rrset) | Answer::Wildcard(rrset) => Some(rrset.clone()),
        Answer::Untrusted { .. } | Answer::Silent { .. } => None,
    });
    by_servers.chain(answers.at_primary.clone().ok()).collect()
}

/// Whether every authoritative server gave an answer that can be relied on.
fn is_complete(answers: &OwnerAnswers) -> bool {
    !answers.answers.is_empty()
        && answers
            .answers
            .values()
            .all(|answer| matches!(answer, Answer::Secure(_) | Answer::Wildcard(_)))
}
