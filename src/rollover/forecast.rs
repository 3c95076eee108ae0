//! What will follow, and when: the timeline of a plan, from the TTLs really observed.
//!
//! It asks the same gates as the decision. It assumes a good day (servers follow within seconds,
//! reloads show at once), and says so; the decision itself assumes nothing.

use std::fmt;

use super::action::{Action, Decision};
use super::decide::Intent;
use super::history::{Content, Until, hold};
use super::observation::{Observation, OwnerSight};
use super::request::{self, FAILURES_UNTIL_FALLBACK};
use super::safety::Obstacle;
use super::situation::Situation;
use super::spec::HostSpec;
use super::state::{Bundle, BundleCredential, HostState, KeyMade, Kind, Rollover, Target};
use super::transition;
use crate::time::{Moment, Timestamp};

/// One step that will follow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Foreseen {
    /// When, at the earliest.
    pub at: Timestamp,
    /// What.
    pub step: String,
    /// Why then and not before, or what it means; empty where that is plain.
    pub why: String,
}

impl fmt::Display for Foreseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why.as_str() {
            "" => f.write_str(&self.step),
            why => write!(f, "{} ({why})", self.step),
        }
    }
}

/// The timeline after `decision`, which was made for this state and look.
pub fn forecast(
    spec: &HostSpec,
    state: &HostState,
    seen: &Observation,
    decision: &Decision,
    now: Moment,
) -> Vec<Foreseen> {
    let mut state = state.clone();
    if let Decision::Act(Action::Adopt { installed, issuer }) = decision {
        transition::adopt(&mut state, installed, issuer, now);
    }
    if let Decision::Act(Action::Begin(begin)) = decision {
        let keys = stand_in_keys(spec, &state);
        transition::begin(&mut state, begin, keys, now.wall);
    }
    let Some(rollover) = state.rollover.clone() else {
        return idle(spec, &state, seen, now);
    };
    let intent = Intent::default();
    let situation = Situation { spec, intent: &intent, state: &state, seen, now };
    match state.target() {
        None => leave(&situation),
        Some((_, target)) => pursue(&situation, &rollover, target),
    }
}

/// Keys that stand in for those that will be made: each differs from every key there is.
fn stand_in_keys(
    spec: &HostSpec,
    state: &HostState,
) -> std::collections::BTreeMap<crate::pki::KeyType, KeyMade> {
    let number = state.next_bundle;
    let stand_in = |key_type: &crate::pki::KeyType| KeyMade {
        spki: format!("stand-in {number} {key_type}").into_bytes(),
        at: Timestamp::MIN,
    };
    spec.key_types.iter().map(|key_type| (*key_type, stand_in(key_type))).collect()
}

/// What follows where nothing is in flight: the next renewal.
fn idle(spec: &HostSpec, state: &HostState, seen: &Observation, now: Moment) -> Vec<Foreseen> {
    let Some(bundle) = state.current() else { return Vec::new() };
    let intent = Intent::default();
    let situation = Situation { spec, intent: &intent, state, seen, now };
    let issuer = state.issuer(spec);
    if spec.external.contains(issuer) {
        let step = format!("the client behind {issuer} is expected to bring the next certificate");
        return vec![foreseen(situation.due(bundle).max(now.wall), &step, "")];
    }
    let begin = request::renewal(spec, state, issuer, now.wall);
    vec![Foreseen {
        at: situation.due(bundle).max(now.wall),
        step: begin.to_string(),
        why: format!("{} before it expires", describe(spec.policy.before_expiry)),
    }]
}

/// A renewal window in words.
fn describe(window: crate::policy::BeforeExpiry) -> String {
    match window {
        crate::policy::BeforeExpiry::Fraction { numerator, denominator } => {
            format!("{numerator}/{denominator} of its lifetime")
        }
        crate::policy::BeforeExpiry::Span(span) => span.to_string(),
    }
}

/// What follows where a rollover leads out of DANE.
fn leave(situation: &Situation<'_>) -> Vec<Foreseen> {
    let last = last_cached(situation, situation.now.wall);
    vec![
        foreseen(situation.now.wall, "remove the TLSA records", ""),
        foreseen(last, "done: DANE is left", "no cache holds a record any more"),
    ]
}

/// One step.
fn foreseen(at: Timestamp, step: &str, why: &str) -> Foreseen {
    Foreseen { at, step: step.to_owned(), why: why.to_owned() }
}

/// What follows where a rollover leads to a bundle.
fn pursue(situation: &Situation<'_>, rollover: &Rollover, target: &Bundle) -> Vec<Foreseen> {
    let mut steps = Vec::new();
    let mut at = situation.now.wall;
    let served = situation.progress(target).is_complete();
    if !served {
        at = until_deployed(situation, rollover, target, &mut steps);
    }
    let drained = match situation.others_served(target).is_empty() && served {
        true => at,
        false => at + situation.spec.policy.timing.drain,
    };
    if matches!(rollover.target, Target::Bundle(_)) && !situation.state.withdrawn {
        let why = "once no process can present the former certificate any more: drain";
        steps.push(foreseen(drained, "settle: publish the new certificate's own records", why));
    }
    let done = last_cached(situation, drained);
    let why = "no cache holds anything but the final records";
    steps.push(foreseen(done, "done", why));
    steps
}

/// What follows until the target is in place, and when that is.
fn until_deployed(
    situation: &Situation<'_>,
    rollover: &Rollover,
    target: &Bundle,
    steps: &mut Vec<Foreseen>,
) -> Timestamp {
    let now = situation.now.wall;
    let bars = situation.publishes_barred();
    if bars {
        let step = "bar: publish no record any more of what was compromised";
        steps.push(foreseen(now, step, ""));
    }
    let issued = target.is_issued();
    let known = issued || !situation.spec.known_anchors(&target.issuer).is_empty();
    let obstacles = match known {
        true => situation.obstacles(target),
        false => situation.obstacles(&as_if_same_ca(situation.state, target)),
    };
    let issue_first = !issued && !situation.is_known_beforehand(target);
    let issue = format!("obtain a certificate from {}, and hold it", target.issuer);
    let fallback = request::fallback(situation.spec, situation.state, &target.issuer, now);
    let issue = match fallback.and_then(|begin| begin.issuer_override) {
        Some(next) => format!(
            "{issue}; from {} if {} fails {FAILURES_UNTIL_FALLBACK} times in a row",
            next.issuer, target.issuer
        ),
        None => issue,
    };
    if issue_first {
        let why = match known {
            true => "",
            false => "its chain tells whether the CA is the present one",
        };
        steps.push(foreseen(now, &issue, why));
    }
    let changes_ca = rollover.kind == Kind::CaChange && !known;
    let mut at = now;
    if !obstacles.is_empty() || changes_ca {
        if !bars && !is_bridged(situation, &obstacles) {
            steps.push(foreseen(now, "bridge: publish records that fit both", ""));
        }
        at = match obstacles.is_empty() {
            true => last_cached(situation, now),
            false => last_of(situation, &obstacles),
        };
        let ttl = "they may hold them for a TTL, and the policy's margin, after the last name server \
                   let go of them";
        steps.push(foreseen(at, "caches have let go of the former records", ttl));
    } else if !known {
        let why = "if the CA signs with another key than before: bridge and wait first, until then";
        steps.push(foreseen(last_cached(situation, now), "(at the latest) deploy", why));
    }
    if !issued && !issue_first {
        steps.push(foreseen(at, &issue, ""));
    }
    steps.push(foreseen(at, "put the new certificate in place and reload", ""));
    at
}

/// The target as if it had been issued by the CA of the present certificate.
fn as_if_same_ca(state: &HostState, target: &Bundle) -> Bundle {
    let issuer = state.current().map(|b| b.issuer.clone()).unwrap_or_default();
    let present = state.current().and_then(|b| b.credentials.values().next()?.issued.clone());
    let credentials = target.credentials.iter().map(|(key_type, credential)| {
        let credential = BundleCredential { issued: present.clone(), ..credential.clone() };
        (*key_type, credential)
    });
    Bundle { issuer, created: target.created, credentials: credentials.collect() }
}

/// Whether what stands in the way is gone from the primary already: time alone is missing.
fn is_bridged(situation: &Situation<'_>, obstacles: &[Obstacle]) -> bool {
    let is_published = |obstacle: &Obstacle| match situation.seen.owners.get(&obstacle.owner) {
        Some(OwnerSight::Seen(answers)) => match (&answers.at_primary, &obstacle.version.content) {
            (Ok(rrset), Content::Rrset(content)) => rrset == content,
            (Ok(_), Content::Unknown { .. }) => false,
            (Err(_), _) => true,
        },
        Some(OwnerSight::Unknown { .. } | OwnerSight::Unsigned { .. }) | None => true,
    };
    !obstacles.is_empty() && !obstacles.iter().any(is_published)
}

/// When these versions will have left all caches, if their servers let go of them now.
fn last_of(situation: &Situation<'_>, obstacles: &[Obstacle]) -> Timestamp {
    let timing = &situation.spec.policy.timing;
    let end = |obstacle: &Obstacle| match obstacle.until {
        Until::At(until) => until,
        Until::Unseen => situation.now.wall + hold(obstacle.version.content.ttl(), timing),
    };
    obstacles.iter().map(end).max().unwrap_or(situation.now.wall)
}

/// When all that is published now will have left all caches, if servers let go of it at `at`.
fn last_cached(situation: &Situation<'_>, at: Timestamp) -> Timestamp {
    let timing = &situation.spec.policy.timing;
    let versions =
        situation.state.histories.values().flat_map(|h| h.cached(timing, &situation.now));
    let end = |(version, until): (&super::history::Version, Until)| match until {
        Until::At(until) => until,
        Until::Unseen => at + hold(version.content.ttl(), timing),
    };
    versions.map(end).max().unwrap_or(at).max(at)
}
