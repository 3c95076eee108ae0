//! What was served, published and possibly cached over time, drawn from the looks in the history.
//!
//! Each line of the history has the look that it followed from. Between two looks the former is taken
//! to hold, but for records that were replaced: these end, and others begin, where it says so. What was published
//! counts as cached for its TTL and the policy's margins after that.
//!
//! So a gap in the picture is one. How long a secondary lagged does not stand in the history, and is
//! not drawn; the decision, which looked, waited for it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::status::Status;
use crate::ports::Event;
use crate::rollover::Brief;
use crate::rollover::history::{Content, hold};
use crate::rollover::presentable::Presentable;
use crate::rollover::records;
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::{Parameters, Record};

/// The most looks that are drawn: the last ones.
const LOOKS_MAX: usize = 60;

/// Which of the three sets a lane is of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Set {
    /// A key that was presented.
    Served,
    /// Records that some name server served.
    Published,
    /// Records that some cache may have held.
    Cached,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stretch {
    /// Its beginning.
    pub(super) from: Timestamp,
    /// Its end.
    pub(super) to: Timestamp,
}

/// How well all pairs of a stretch fit.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Fitting {
    /// Every record set fits every key.
    Fits,
    /// It rests on a CA's record, and the chain is not known any more.
    Unknown,
    /// Some record set fits some key in no way: a sender that met both did not deliver.
    Gap,
}

/// One thing over time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Lane {
    /// Of which set.
    pub(super) set: Set,
    /// A key, or records and their owner.
    pub(super) label: String,
    /// When.
    pub(super) stretches: Vec<Stretch>,
}

/// What one look showed, as the history words it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Look {
    /// Keys presented.
    keys: BTreeSet<String>,
    /// Owners and records.
    rrsets: BTreeSet<(String, String)>,
}

/// One server's picture.
pub(super) struct Timeline {
    /// The moments at which something begins or ends, in order; at least two.
    pub(super) moments: Vec<Timestamp>,
    /// The present.
    pub(super) now: Timestamp,
    /// What was there.
    pub(super) lanes: Vec<Lane>,
    /// How well it fitted, until now.
    pub(super) fitting: Vec<(Stretch, Fitting)>,
}

impl Look {
    /// Reads a look as `Observation` words it.
    fn parse(text: &str) -> Self {
        let mut look = Self::default();
        for part in text.split("; ") {
            if let Some((_, key)) = part.split_once(" presents key ") {
                look.keys.insert(key.to_owned());
            } else if let Some((_, rest)) = part.split_once(" serves ")
                && let Some((records, owner)) = rest.rsplit_once(" at ")
            {
                look.rrsets.insert((owner.to_owned(), records.to_owned()));
            }
        }
        look
    }
}

/// What is known of the past.
struct Past<'a> {
    /// The looks, the first first.
    looks: &'a [(Timestamp, Look)],
    /// When records were replaced.
    replaced: &'a [Timestamp],
}

impl Past<'_> {
    /// When records were first replaced between two looks.
    fn replaced_between(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        self.replaced.iter().copied().find(|at| from <= *at && *at <= to)
    }

    /// When an RRset that a look showed began: with the last change before it, where the look before
    /// did not show it.
    fn beginning(&self, position: usize, rrset: &(String, String)) -> Timestamp {
        let at = self.looks[position].0;
        let before = position.checked_sub(1).and_then(|position| self.looks.get(position));
        let Some((before, look)) = before else { return at };
        let mut changes = self.replaced.iter().copied().filter(|c| *before <= *c && *c <= at);
        match look.rrsets.contains(rrset) {
            true => at,
            false => changes.next_back().unwrap_or(at),
        }
    }
}

/// What is known of keys: the records, cut short, that name the CA of each.
type Anchors = BTreeMap<String, BTreeSet<String>>;

impl Timeline {
    /// The picture of a server with this history.
    pub(super) fn of(status: &Status<'_>, events: &[Event], now: &Moment) -> Self {
        let mut looks: Vec<(Timestamp, Look)> = Vec::new();
        let told = events.iter().filter(|event| !event.observation.is_empty());
        let told = told.map(|event| (event.at, Look::parse(&event.observation)));
        let last = (now.wall, Look::parse(&status.report.seen.to_string()));
        for (at, look) in told.chain([last]).filter(|(at, _)| *at <= now.wall) {
            if looks.last().is_none_or(|(_, before)| *before != look) {
                looks.push((at, look));
            }
        }
        looks.drain(..looks.len().saturating_sub(LOOKS_MAX));
        let replaced = events.iter().filter(|e| e.decision == "publish" && !e.result.is_empty());
        let replaced: Vec<Timestamp> = replaced.map(|event| event.at).collect();
        let past = Past { looks: &looks, replaced: &replaced };
        Self::drawn(&past, &holds(status), &anchors(status, now), now.wall)
    }

    /// The picture that follows from what is known of the past.
    fn drawn(
        past: &Past<'_>,
        holds: &BTreeMap<String, Span>,
        anchors: &Anchors,
        now: Timestamp,
    ) -> Self {
        let mut lanes: BTreeMap<(Set, String), Vec<Stretch>> = BTreeMap::new();
        for (position, (from, look)) in past.looks.iter().enumerate() {
            let next = past.looks.get(position + 1);
            let to = next.map_or(now, |(at, _)| *at);
            let mut add = |set, label: String, from, to| {
                let stretches = lanes.entry((set, label)).or_default();
                match stretches.last_mut() {
                    Some(last) if from <= last.to => last.to = last.to.max(to),
                    Some(_) | None => stretches.push(Stretch { from, to }),
                }
            };
            for key in &look.keys {
                add(Set::Served, key.clone(), *from, to);
            }
            for rrset in &look.rrsets {
                let (owner, records) = rrset;
                let stays = next.is_none_or(|(_, next)| next.rrsets.contains(rrset));
                let to = if stays { to } else { past.replaced_between(*from, to).unwrap_or(to) };
                let from = past.beginning(position, rrset);
                let label = format!("{records} at {owner}");
                let hold = holds.get(owner).copied().unwrap_or_default();
                add(Set::Published, label.clone(), from, to);
                add(Set::Cached, label, from, to + hold);
            }
        }
        let mut lanes: Vec<Lane> = lanes
            .into_iter()
            .map(|((set, label), stretches)| Lane { set, label, stretches })
            .collect();
        lanes.sort_by_key(|lane| (lane.set, lane.stretches.first().map(|first| first.from)));
        let ends = lanes.iter().flat_map(|lane| &lane.stretches).flat_map(|s| [s.from, s.to]);
        let mut moments: Vec<Timestamp> = ends.chain([now]).collect();
        moments.sort();
        moments.dedup();
        if moments.len() < 2 {
            moments.push(now + Span::from_seconds(60));
        }
        let fitting = fitting(&moments, &lanes, anchors, now);
        Self { moments, now, lanes, fitting }
    }
}

/// How well everything fitted between each two moments until now.
fn fitting(
    moments: &[Timestamp],
    lanes: &[Lane],
    anchors: &Anchors,
    now: Timestamp,
) -> Vec<(Stretch, Fitting)> {
    let mut fitting = Vec::new();
    for pair in moments.windows(2).filter(|pair| pair[1] <= now) {
        let stretch = Stretch { from: pair[0], to: pair[1] };
        let there = |lane: &&Lane| {
            lane.stretches.iter().any(|s| s.from <= stretch.from && stretch.to <= s.to)
        };
        let of = |set| lanes.iter().filter(move |lane| lane.set == set).filter(there);
        let pairs = of(Set::Cached).flat_map(|rrset| of(Set::Served).map(move |key| (rrset, key)));
        let worst = pairs.map(|(rrset, key)| fits(&rrset.label, &key.label, anchors)).max();
        fitting.push((stretch, worst.unwrap_or(Fitting::Fits)));
    }
    fitting
}

/// Whether records, cut short as people read them, fit a key.
fn fits(records: &str, key: &str, anchors: &Anchors) -> Fitting {
    let records = records.rsplit_once(" at ").map_or(records, |(records, _)| records);
    if records == "no records" {
        // A sender that finds none asks for nothing.
        return Fitting::Fits;
    }
    let mut worst = Fitting::Gap;
    for record in records.split(", ") {
        let fitting = match (record.strip_prefix("3 1 1 "), anchors.get(key)) {
            (Some(data), _) if key.starts_with(data.trim_end_matches('…')) => Fitting::Fits,
            (Some(_), _) => Fitting::Gap,
            (None, Some(known)) if known.contains(record) => Fitting::Fits,
            (None, Some(known)) if record.starts_with("2 1 1 ") && !known.is_empty() => {
                Fitting::Gap
            }
            (None, _) => Fitting::Unknown,
        };
        worst = worst.min(fitting);
    }
    worst
}

/// How long caches hold what was last served at each owner.
fn holds(status: &Status<'_>) -> BTreeMap<String, Span> {
    let timing = &status.spec.policy.timing;
    let histories = status.report.state.histories.iter();
    let longest = histories.map(|(owner, history)| {
        let known = history.versions.iter().filter(|v| matches!(v.content, Content::Rrset(_)));
        let ttl = known.map(|version| version.content.ttl()).max().unwrap_or_default();
        (owner.to_string(), hold(ttl, timing))
    });
    longest.collect()
}

/// The records that name the CAs of the chains that are known still.
fn anchors(status: &Status<'_>, now: &Moment) -> Anchors {
    let state = &status.report.state;
    let mut anchors = Anchors::new();
    let mut add = |chain: &crate::pki::Chain, anchor: &crate::pki::Certificate| {
        let record = Record::from(Parameters::TA_SPKI_SHA256.associate(anchor));
        let key = chain.leaf().spki_sha256().short();
        anchors.entry(key).or_default().insert(Brief(&record).to_string());
    };
    for bundle in state.bundles.values() {
        let issued = bundle.credentials.values().filter_map(|c| c.issued.as_ref());
        for issued in issued {
            issued.anchor.iter().for_each(|anchor| add(&issued.chain, anchor));
        }
    }
    for anchored in records::served_anchored(status.spec, state, now) {
        if let Presentable::Issued(chain) = &anchored.chain {
            anchored.anchors.iter().for_each(|anchor| add(chain, anchor));
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64, keys: &[&str], records: &str) -> (Timestamp, Look) {
        let owner = "_25._tcp.mail.example.nl.";
        let keys = keys.iter().map(|key| format!("192.0.2.25:25 presents key {key}"));
        let servers = ["ns1", "ns2"].map(|ns| format!("{ns} serves {records} at {owner}"));
        let text: Vec<String> = keys.chain(servers).collect();
        (Timestamp::from_seconds(at), Look::parse(&text.join("; ")))
    }

    fn drawn(looks: &[(Timestamp, Look)], replaced: &[i64]) -> Timeline {
        let replaced: Vec<Timestamp> =
            replaced.iter().map(|at| Timestamp::from_seconds(*at)).collect();
        let past = Past { looks, replaced: &replaced };
        let holds = [("_25._tcp.mail.example.nl.".to_owned(), Span::from_seconds(100))].into();
        let anchors = [("aaaa1111".to_owned(), ["2 1 1 cccc3333…".to_owned()].into())].into();
        Timeline::drawn(&past, &holds, &anchors, Timestamp::from_seconds(1000))
    }

    #[test]
    fn what_was_published_is_drawn_as_cached_for_longer() {
        let timeline = drawn(
            &[
                look(0, &["aaaa1111"], "3 1 1 aaaa1111…"),
                look(500, &["aaaa1111"], "2 1 1 cccc3333…, 3 1 1 aaaa1111…"),
            ],
            &[450],
        );
        let ends = |set| -> Vec<(i64, i64)> {
            let of_set = timeline.lanes.iter().filter(|lane| lane.set == set);
            let stretches = of_set.flat_map(|lane| &lane.stretches);
            stretches.map(|s| (s.from.as_seconds(), s.to.as_seconds())).collect()
        };
        assert_eq!(ends(Set::Served), [(0, 1000)]);
        assert_eq!(ends(Set::Published), [(0, 450), (450, 1000)]);
        assert_eq!(ends(Set::Cached), [(0, 550), (450, 1100)]);
        assert!(timeline.fitting.iter().all(|(_, fitting)| *fitting == Fitting::Fits));
    }

    /// The outage of the README: the certificate first, then the record.
    #[test]
    fn a_gap_is_there_as_long_as_a_cache_may_hold_the_old_record() {
        let timeline = drawn(
            &[
                look(0, &["aaaa1111"], "3 1 1 aaaa1111…"),
                look(400, &["bbbb2222"], "3 1 1 aaaa1111…"),
                look(500, &["bbbb2222"], "3 1 1 bbbb2222…"),
            ],
            &[],
        );
        let gaps = timeline.fitting.iter().filter(|(_, fitting)| *fitting == Fitting::Gap);
        let gaps: Vec<(i64, i64)> =
            gaps.map(|(s, _)| (s.from.as_seconds(), s.to.as_seconds())).collect();
        assert_eq!(gaps, [(400, 500), (500, 600)]);
    }

    #[test]
    fn records_are_held_against_keys_as_far_as_they_are_known() {
        let anchors = [("aaaa1111".to_owned(), ["2 1 1 cccc3333…".to_owned()].into())].into();
        for (records, key, expected) in [
            ("3 1 1 aaaa1111… at o.", "aaaa1111", Fitting::Fits),
            ("3 1 1 aaaa1111… at o.", "bbbb2222", Fitting::Gap),
            ("2 1 1 cccc3333… at o.", "aaaa1111", Fitting::Fits),
            ("2 1 1 dddd4444… at o.", "aaaa1111", Fitting::Gap),
            ("2 1 1 dddd4444… at o.", "bbbb2222", Fitting::Unknown),
            ("2 1 1 dddd4444…, 3 1 1 aaaa1111… at o.", "aaaa1111", Fitting::Fits),
            ("no records at o.", "aaaa1111", Fitting::Fits),
        ] {
            assert_eq!(fits(records, key, &anchors), expected, "{records} {key}");
        }
    }
}
