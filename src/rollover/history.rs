//! The versions of one TLSA RRset: who may serve each, and how long caches may hold it.
//!
//! A version is cached from the moment before it was sent until its TTL after the last moment at
//! which any authoritative server may have served it. That moment is the end of the first look in
//! which *every* server answered, and none with this version: an update's NOERROR is not it, and a
//! server that is silent may serve what it served before.
//!
//! A server that answers with something else may not have come as far as this version yet: it lags,
//! and will serve it when it follows. So it counts as past a version only where what it answers was
//! published later, or where its copy of the zone is later than one that held the version. The
//! latter is what tells A before B from A after B, when a bridge was taken back.
//!
//! An update without an answer may be applied later, and once more after another copy of it was: as
//! soon as the primary holds again what it expects. So it is remembered apart from what was seen.

use std::collections::BTreeSet;

use super::observation::{Answer, OwnerAnswers, OwnerSight, Serial, ServerAddress};
use crate::pki::ChainId;
use crate::policy::Timing;
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::{Record, TlsaRrset};

/// What is known of one owner's RRset over time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// Each content once. Of those first seen in the same look, what the primary holds is the last.
    pub versions: Vec<Version>,
}

/// One content of an RRset that caches may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// What it says.
    pub content: Content,
    /// Who may serve it.
    pub service: Service,
    /// The latest copy of the zone that was seen to hold it; `None` where serial numbers tell
    /// nothing, as in a zone whose servers share a database.
    pub serial: Option<Serial>,
    /// Whether the primary alone was last seen with it: what it lets go of may be on its way to others for
    /// as long as an update can be.
    pub is_coming: bool,
    /// The updates to it of which nobody said what came of them, each with what it expects.
    pub unanswered: Vec<Unanswered>,
}

/// An update of which no answer came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unanswered {
    /// The records that the primary holds when it is applied: its prerequisite. `None` where it has
    /// none, as with a provider that cannot compare and swap: it is applied whatever is there.
    pub expects: Option<BTreeSet<Record>>,
    /// The moment before it was sent.
    pub sent: Moment,
    /// How long it can be under way.
    pub longest_delay: Span,
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
    /// Its update was about to be sent, or the primary holds it, and no server has been seen with it.
    /// It may appear as long as the primary holds it, and until `longest_delay` has passed.
    Sent {
        /// The moment before the update was sent; or when it was first seen at the primary alone, and
        /// then when the primary was first seen without it.
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
    /// A version of which no copy of the zone is known.
    pub(super) fn new(content: Content, service: Service) -> Self {
        Self { content, service, serial: None, is_coming: false, unanswered: Vec::new() }
    }

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

    /// When its service began, was seen first, or ended.
    pub fn since(&self) -> Moment {
        match self.service {
            Service::Sent { at, .. } | Service::Ended { at } | Service::Ongoing { since: at } => at,
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
    /// presented in the same look, and `longest_delay` is how long an update can be under way.
    pub fn observe(
        &mut self,
        sight: &OwnerSight,
        served: &BTreeSet<ChainId>,
        at: Moment,
        longest_delay: Span,
    ) {
        let OwnerSight::Seen(answers) = sight else {
            return;
        };
        let seen = served_rrsets(answers);
        let coming = only_at_primary(answers);
        let shown: Vec<_> = seen.iter().filter(|rrset| Some(*rrset) != coming).collect();
        if self.versions.is_empty() {
            if seen.is_empty() {
                return;
            }
            let content = Content::Unknown { ttl: Ttl::default(), fits: served.clone() };
            self.versions.push(Version::new(content, Service::Ongoing { since: at }));
        }
        for rrset in &shown {
            if !self.versions.iter().any(|version| version.rrset() == Some(rrset)) {
                let content = Content::Rrset((*rrset).clone());
                self.versions.push(Version::new(content, Service::Ongoing { since: at }));
            }
        }
        for version in &mut self.versions {
            version.raise_unknown_ttl(&seen);
            version.observe_service(&shown, at);
            if answers.at_primary.is_ok() {
                version.observe_primary(coming, at);
            }
        }
        if let Some(coming) = coming {
            self.expect(coming, at, longest_delay);
        }
        self.observe_serials(answers);
        let held = answers.at_primary.as_ref().ok().map(|held| &held.records);
        for version in &mut self.versions {
            version
                .unanswered
                .retain(|update| at.elapsed_since(&update.sent) < update.longest_delay);
            version.expect_unanswered(held);
        }
        let complete = is_complete(answers);
        let gone: Vec<bool> = self
            .versions
            .iter()
            .map(|version| {
                complete
                    && !version.is_coming
                    && self.servers_not_past(version, answers).next().is_none()
            })
            .collect();
        for (version, gone) in self.versions.iter_mut().zip(gone) {
            if gone {
                version.end(at);
                version.expect_unanswered(held);
            }
        }
    }

    /// The servers that were seen with a version, or may come to it yet, with what each answers.
    pub fn servers_not_past<'a>(
        &'a self,
        version: &'a Version,
        answers: &'a OwnerAnswers,
    ) -> impl Iterator<Item = (&'a ServerAddress, &'a TlsaRrset)> {
        answers.answers.iter().filter_map(move |(server, answer)| {
            let rrset = answer.rrset()?;
            let shown = self.versions.iter().find(|v| v.rrset() == Some(rrset));
            let serial = answers.serials.get(server);
            let past = shown.is_some_and(|shown| self.is_past(shown, serial, version));
            (!past).then_some((server, rrset))
        })
    }

    /// Whether a server that shows one version, in a copy of the zone with this serial number, will
    /// not come to another any more.
    fn is_past(&self, shown: &Version, serial: Option<&Serial>, other: &Version) -> bool {
        if shown.content == other.content {
            return false;
        }
        let later_copy = |held: Serial| serial.is_some_and(|serial| serial.follows(held));
        self.is_later(shown, other) || other.serial.is_none_or(later_copy)
    }

    /// Whether one version was published after another, as far as is known.
    fn is_later(&self, one: &Version, other: &Version) -> bool {
        let order = |version: &Version| {
            let position = self.versions.iter().position(|v| v.content == version.content);
            (version.since().wall, position)
        };
        order(other) < order(one)
    }

    /// Takes in which copy of the zone each version was seen in.
    fn observe_serials(&mut self, answers: &OwnerAnswers) {
        for (server, answer) in &answers.answers {
            let (Some(rrset), Some(serial)) = (answer.rrset(), answers.serials.get(server)) else {
                continue;
            };
            let Some(position) = self.versions.iter().position(|v| v.rrset() == Some(rrset)) else {
                continue;
            };
            let shown = &self.versions[position];
            let grows = shown.serial.is_none_or(|held| serial.follows(held));
            // What came before, under the same serial number: it tells nothing in this zone.
            let tells = |other: &Version| {
                !self.is_later(shown, other) || other.serial.is_none_or(|o| serial.follows(o))
            };
            if grows && self.versions.iter().all(tells) {
                self.versions[position].serial = Some(*serial);
            }
        }
    }

    /// Notes that an update to `rrset` is about to be sent, which expects an RRset or none.
    pub fn intend(
        &mut self,
        expects: Option<&TlsaRrset>,
        rrset: &TlsaRrset,
        at: Moment,
        longest_delay: Span,
    ) {
        for version in &mut self.versions {
            version.expect_unanswered(Some(&rrset.records));
        }
        let service = Service::Sent { at, longest_delay };
        let position = self.versions.iter().position(|version| version.rrset() == Some(rrset));
        let version = match position {
            None => {
                self.versions.push(Version::new(Content::Rrset(rrset.clone()), service));
                self.versions.last_mut()
            }
            Some(position) => self.versions.get_mut(position),
        };
        let Some(version) = version else { return };
        if matches!(version.service, Service::Ended { .. }) {
            (version.service, version.serial) = (service, None);
        }
        let expects = expects.map(|rrset| rrset.records.clone());
        version.unanswered.retain(|update| update.expects != expects);
        version.unanswered.push(Unanswered { expects, sent: at, longest_delay });
    }

    /// Notes that the update to `rrset` was answered: what was sent `before` may still be under way.
    pub fn answer(&mut self, rrset: &TlsaRrset, before: &Self) {
        let former = before.versions.iter().find(|v| v.rrset() == Some(rrset));
        let unanswered = former.map(|version| version.unanswered.clone()).unwrap_or_default();
        for version in self.versions.iter_mut().filter(|v| v.rrset() == Some(rrset)) {
            version.unanswered.clone_from(&unanswered);
        }
    }

    /// Takes in what the primary alone holds: servers are about to come to it, once more perhaps.
    fn expect(&mut self, rrset: &TlsaRrset, at: Moment, longest_delay: Span) {
        let service = Service::Sent { at, longest_delay };
        match self.versions.iter_mut().find(|version| version.rrset() == Some(rrset)) {
            None => {
                let content = Content::Rrset(rrset.clone());
                self.versions.push(Version { is_coming: true, ..Version::new(content, service) });
            }
            Some(version) => {
                version.is_coming = true;
                if !matches!(version.service, Service::Sent { .. }) {
                    (version.service, version.serial) = (service, None);
                }
            }
        }
    }

    /// Forgets an update that was surely without effect, unless the version was there before.
    pub fn retract(&mut self, rrset: &TlsaRrset, before: &Self) {
        if let Some(former) = before.versions.iter().find(|v| v.rrset() == Some(rrset)) {
            for version in self.versions.iter_mut().filter(|v| v.rrset() == Some(rrset)) {
                version.service = former.service;
                version.unanswered.clone_from(&former.unanswered);
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
            self.versions.retain(|version| {
                version.cached_until(timing, now).is_some() || !version.unanswered.is_empty()
            });
        }
    }
}

impl Version {
    /// Takes in which RRsets were served in a look.
    fn observe_service(&mut self, shown: &[&TlsaRrset], at: Moment) {
        if self.rrset().is_some_and(|rrset| shown.contains(&rrset)) {
            if !matches!(self.service, Service::Ongoing { .. }) {
                self.service = Service::Ongoing { since: at };
            }
            return;
        }
        let same = |rrset: &TlsaRrset| shown.iter().any(|other| other.records == rrset.records);
        if matches!(self.service, Service::Sent { .. }) && self.rrset().is_some_and(same) {
            // It was applied, under a TTL of the server's own choice: nothing is under way any more.
            self.service = Service::Ended { at };
        }
    }

    /// Takes in what the primary alone holds now. Whoever made it let go of this version, an update or a
    /// hand, it may have been a moment ago.
    fn observe_primary(&mut self, coming: Option<&TlsaRrset>, at: Moment) {
        let was_coming = self.is_coming;
        self.is_coming = coming.is_some() && self.rrset() == coming;
        if let Service::Sent { at: sent, .. } = &mut self.service
            && was_coming
            && !self.is_coming
        {
            *sent = at;
        }
    }

    /// Takes in that every server was seen to be past it.
    fn end(&mut self, at: Moment) {
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

    /// Takes in that the primary holds these records, or nobody knows what: an update that expects
    /// them, or none, may be applied any moment, though what it brings was seen before and is gone.
    fn expect_unanswered(&mut self, held: Option<&BTreeSet<Record>>) {
        let may_fit = |expects: &BTreeSet<Record>| held.is_none_or(|held| held == expects);
        let mut due = self.unanswered.iter().filter(|u| u.expects.as_ref().is_none_or(may_fit));
        if let (Some(update), Service::Ended { .. }) = (due.next_back(), self.service) {
            let (at, longest_delay) = (update.sent, update.longest_delay);
            (self.service, self.serial) = (Service::Sent { at, longest_delay }, None);
        }
    }

    /// What was before the first look is taken to have had the largest TTL seen since.
    fn raise_unknown_ttl(&mut self, seen: &[TlsaRrset]) {
        if let Self {
            content: Content::Unknown { ttl, .. },
            service: Service::Ongoing { .. },
            ..
        } = self
        {
            *ttl = seen.iter().map(|rrset| rrset.ttl).fold(*ttl, Ttl::max);
        }
    }
}

/// The RRsets that servers were seen with, each once. What the primary holds is about to be served
/// by all, and is the last.
fn served_rrsets(answers: &OwnerAnswers) -> Vec<TlsaRrset> {
    let by_servers = answers.answers.values().filter_map(Answer::rrset).cloned();
    let mut rrsets: Vec<TlsaRrset> = Vec::new();
    for rrset in by_servers.chain(answers.at_primary.clone().ok()) {
        rrsets.retain(|other| *other != rrset);
        rrsets.push(rrset);
    }
    rrsets
}

/// What the primary alone holds: the others are about to come to it.
///
/// Where some server shows the same records, it has arrived there, under a TTL of the server's own
/// choice.
fn only_at_primary(answers: &OwnerAnswers) -> Option<&TlsaRrset> {
    let held = answers.at_primary.as_ref().ok()?;
    let mut shown = answers.answers.values().filter_map(Answer::rrset);
    shown.all(|rrset| rrset.records != held.records).then_some(held)
}

/// Whether every authoritative server gave an answer that can be relied on.
fn is_complete(answers: &OwnerAnswers) -> bool {
    !answers.answers.is_empty() && answers.answers.values().all(|answer| answer.rrset().is_some())
}
