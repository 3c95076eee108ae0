//! `rollover status`: each server on a few lines, or as JSON that only ever gets more keys.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::layout::{self, Colours, Tone};
use super::report;
use crate::pass::Report;
use crate::pki::{Certificate, Chain, KeyType};
use crate::rollover::action::{Decision, Problem};
use crate::rollover::history::{Content, Service, Until};
use crate::rollover::observation::OwnerSight;
use crate::rollover::phase::Phase;
use crate::rollover::presentable::Presentable;
use crate::rollover::spec::HostSpec;
use crate::rollover::{brief, records, safety};
use crate::time::{Moment, Timestamp};
use crate::tlsa::{TlsaOwner, TlsaRrset};

/// What `status` shows of one server.
pub(super) struct Status<'a> {
    /// The server as decisions see it.
    pub(super) spec: &'a HostSpec,
    /// What was seen, and what would follow.
    pub(super) report: &'a Report,
}

/// A label and what is to be said beside it, in lines.
pub(super) struct Field {
    /// The label.
    pub(super) label: &'static str,
    /// What the label's colour is about, where it has one.
    pub(super) tone: Option<Tone>,
    /// What is to be said.
    pub(super) words: String,
}

/// A chain that is presented, with its trust anchor.
struct Presented {
    /// The chain.
    chain: Chain,
    /// What a usage 2 record for it would name.
    anchor: Option<Certificate>,
}

/// All servers as one JSON object.
pub(super) fn json(statuses: &[Status<'_>], now: &Moment) -> Value {
    let hosts: Vec<Value> = statuses.iter().map(|status| status.json(now)).collect();
    json!({ "version": 1, "at": now.wall.to_string(), "hosts": hosts })
}

impl Status<'_> {
    /// The chains that may be presented now.
    fn presented(&self, now: &Moment) -> Vec<Presented> {
        let served = records::served_anchored(self.spec, &self.report.state, now);
        let issued = served.into_iter().filter_map(|anchored| match anchored.chain {
            Presentable::Issued(chain) => {
                Some(Presented { chain, anchor: anchored.anchors.into_iter().next() })
            }
            Presentable::Expected(_) => None,
        });
        issued.collect()
    }

    /// The RRsets that the primary holds.
    fn published(&self) -> Vec<(&TlsaOwner, &TlsaRrset)> {
        self.report
            .seen
            .owners
            .iter()
            .filter_map(|(owner, sight)| match sight {
                OwnerSight::Seen(answers) => Some((owner, answers.at_primary.as_ref().ok()?)),
                OwnerSight::Unknown { .. } | OwnerSight::Unsigned { .. } => None,
            })
            .collect()
    }

    /// What is waited for, as sentences.
    fn waiting_for(&self) -> Vec<String> {
        match &self.report.decision {
            Decision::Wait(wait) => wait.reasons.iter().map(ToString::to_string).collect(),
            Decision::Act(action) => vec![format!("the next pass, which will {action}")],
            Decision::Idle { .. } | Decision::Stuck(_) => Vec::new(),
        }
    }

    /// The server as JSON.
    fn json(&self, now: &Moment) -> Value {
        let state = &self.report.state;
        let other = state.issuer_override(self.spec);
        let certificates: Vec<Value> = self.presented(now).iter().map(Presented::json).collect();
        let published: Vec<Value> = self
            .published()
            .into_iter()
            .map(|(owner, rrset)| {
                json!({
                    "owner": owner.to_string(),
                    "ttl": rrset.ttl.as_seconds(),
                    "records": records_json(rrset),
                })
            })
            .collect();
        let rollover = state.rollover.as_ref().map(|rollover| {
            json!({
                "kind": rollover.kind.as_str(),
                "started": rollover.started.to_string(),
                "waiting_for": self.waiting_for().join("; "),
                "until": self.report.wait().and_then(|wait| wait.until).map(rfc3339),
                "next_command": format!("rollover --host {}", self.spec.name),
            })
        });
        json!({
            "name": self.spec.name,
            "policy": self.spec.policy.name,
            "issuer": state.issuer(self.spec),
            "issuer_instead_of": other.map(|other| &other.instead_of),
            "issuer_after_failures_of": other.and_then(|other| other.after.as_ref()),
            "ca_tables": self.report.ca_tables,
            "phase": self.report.phase.as_str(),
            "certificates": certificates,
            "published": published,
            "cached_until": self.cached(now),
            "rollover": rollover,
            "attention": attention_text(&self.report.attention),
        })
    }

    /// What caches may hold, each with until when; null where a server may still serve it.
    fn cached(&self, now: &Moment) -> Vec<Value> {
        let timing = &self.spec.policy.timing;
        let mut cached = Vec::new();
        for (owner, history) in &self.report.state.histories {
            for (version, until) in history.cached(timing, now) {
                let records = match &version.content {
                    Content::Rrset(rrset) => Value::from(records_json(rrset)),
                    Content::Unknown { .. } => Value::Null,
                };
                let until = match until {
                    Until::At(at) => Some(rfc3339(at)),
                    Until::Unseen => None,
                };
                cached.push(json!({
                    "owner": owner.to_string(),
                    "ttl": version.content.ttl().as_seconds(),
                    "records": records,
                    "until": until,
                }));
            }
        }
        cached
    }

    /// The server for people: what is wrong first, then what it means for mail.
    pub(super) fn text(&self, now: &Moment, colours: Colours) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}  {}  (policy {}, issuer {})",
            colours.paint(Tone::Strong, &self.spec.name),
            colours.paint(self.tone(), self.report.phase.as_str()),
            self.spec.policy.name,
            self.report.state.issuer(self.spec)
        );
        for Field { label, tone, words } in self.fields(now) {
            let painted = match tone {
                Some(tone) => colours.paint(tone, label),
                None => label.to_owned(),
            };
            layout::field(&mut text, label, &painted, &words);
        }
        text
    }

    /// All that is to be said of the server, in order.
    pub(super) fn fields(&self, now: &Moment) -> Vec<Field> {
        let mut fields = Vec::new();
        for problem in &self.report.attention {
            let tone = Some(Tone::Bad);
            fields.push(Field { label: "WRONG", tone, words: problem.message.clone() });
            fields.push(field("to do", problem.hint.clone()));
        }
        let (tone, words) = self.mail(now);
        fields.push(Field { label: "mail", tone: Some(tone), words });
        let (state, name) = (&self.report.state, &self.spec.name);
        if let Some(other) = state.issuer_override(self.spec) {
            let why = match &other.after {
                Some(failed) => format!("since {failed} failed again and again"),
                None => "by --new-ca".to_owned(),
            };
            let (issuer, configured) = (&other.issuer, &self.spec.issuer);
            let words = format!("{issuer} {why}; the configuration still says {configured}");
            fields.push(field("issuer", words));
        }
        if !self.report.ca_tables.is_empty() {
            let tables = self.report.ca_tables.join(", ");
            fields.push(field("CAs", format!("of the shipped table {tables}")));
        }
        if state.withdrawn {
            fields.push(field("DANE", format!("left; rollover --renew --host {name} comes back")));
        }
        for presented in self.presented(now) {
            let leaf = presented.chain.leaf();
            let key = leaf.spki_sha256().short();
            let until = layout::moment(leaf.not_after(), now.wall);
            fields.push(field("served", format!("key {key} of {}\nuntil {until}", leaf.issuer())));
        }
        for (owner, rrset) in self.published() {
            let words = format!("{}\nat {owner}, TTL {}", brief(rrset), rrset.ttl);
            fields.push(field("records", words));
        }
        self.add_cached(&mut fields, now);
        self.add_next(&mut fields, now.wall);
        fields
    }

    /// What the phase is about.
    fn tone(&self) -> Tone {
        match self.report.phase {
            _ if !self.report.attention.is_empty() => Tone::Bad,
            Phase::Idle => Tone::Good,
            Phase::Held => Tone::Bad,
            Phase::Issuing
            | Phase::Bridging
            | Phase::Waiting
            | Phase::Deploying
            | Phase::Settling => Tone::Busy,
        }
    }

    /// What all of it means for mail now: the promise itself, held against what is known.
    fn mail(&self, now: &Moment) -> (Tone, String) {
        let state = &self.report.state;
        let gaps = safety::gaps(self.spec, state, now);
        if let Some(gap) = gaps.iter().find(|gap| gap.fit.is_none()) {
            let records = match &gap.content {
                Content::Rrset(rrset) => brief(rrset),
                Content::Unknown { .. } => return (Tone::Unknown, UNKNOWN.to_owned()),
            };
            let words = format!(
                "AT RISK: caches may hold {records} at {}, and what may be presented does not fit; \
                 senders that check do not deliver",
                gap.owner
            );
            return (Tone::Bad, words);
        }
        let seen = |owner| state.histories.get(owner).is_some_and(|h| !h.versions.is_empty());
        if !self.spec.owners.iter().all(seen) {
            return (Tone::Unknown, UNKNOWN.to_owned());
        }
        let timing = &self.spec.policy.timing;
        let cached = state.histories.values().flat_map(|history| history.cached(timing, now));
        let mut contents = cached.map(|(version, _)| &version.content);
        let is_absent = |content: &Content| matches!(content, Content::Rrset(r) if r.is_absent());
        if contents.all(is_absent) {
            return (Tone::Good, "goes on, without DANE: there are no records".to_owned());
        }
        (Tone::Good, "goes on: what caches may hold fits what is presented".to_owned())
    }

    /// What caches may hold beside what is published.
    fn add_cached(&self, fields: &mut Vec<Field>, now: &Moment) {
        let published: BTreeSet<&TlsaRrset> =
            self.published().into_iter().map(|(_, rrset)| rrset).collect();
        for history in self.report.state.histories.values() {
            for (version, until) in history.cached(&self.spec.policy.timing, now) {
                let what = match &version.content {
                    Content::Rrset(rrset) if published.contains(rrset) => continue,
                    Content::Rrset(rrset) => brief(rrset),
                    Content::Unknown { .. } => "what was there before the first look".to_owned(),
                };
                let until = match (until, version.service) {
                    (Until::At(at), _) => format!("until {}", layout::moment(at, now.wall)),
                    (Until::Unseen, Service::Sent { .. }) => {
                        "if an update that may still be under way arrives".to_owned()
                    }
                    (Until::Unseen, _) => "as long as a name server may serve it".to_owned(),
                };
                fields.push(field("cached", format!("{what}\n{until}")));
            }
        }
    }

    /// What is in flight, and what comes next.
    fn add_next(&self, fields: &mut Vec<Field>, now: Timestamp) {
        if let Some(rollover) = &self.report.state.rollover {
            let started = layout::moment(rollover.started, now);
            fields.push(field("rollover", format!("{}, since {started}", rollover.kind)));
        }
        let name = &self.spec.name;
        let command = format!("rollover --host {name} (cron does it too; --wait stays)");
        match &self.report.decision {
            Decision::Act(action) => fields.push(field("next", format!("{action}\n{command}"))),
            Decision::Wait(wait) => {
                for reason in &wait.reasons {
                    let known = |hint| self.report.attention.iter().any(|p| p.hint == hint);
                    let hint = reason.hint().filter(|hint| !known(*hint));
                    fields.push(field("waits", report::reason(reason, hint, now)));
                }
                fields.push(field("next", command));
            }
            Decision::Idle { until } => {
                fields.push(field("next", format!("renewal, {}", layout::moment(*until, now))));
            }
            Decision::Stuck(_) => fields.push(field("then", command)),
        }
    }
}

/// What can be said of mail where nobody knows what caches hold.
const UNKNOWN: &str = "not known: what caches hold was never seen";

/// A label and what is to be said.
fn field(label: &'static str, words: String) -> Field {
    Field { label, tone: None, words }
}

/// How soon somebody should look at a server.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Urgency {
    /// It needs somebody.
    Trouble,
    /// Something is under way.
    UnderWay,
    /// Nothing is.
    Idle,
}

impl Urgency {
    /// How soon somebody should look at this one.
    pub(super) fn of(report: &Report) -> Self {
        match (&report.attention[..], report.is_in_flight()) {
            ([_, ..], _) => Self::Trouble,
            ([], true) => Self::UnderWay,
            ([], false) => Self::Idle,
        }
    }
}

/// All servers for people: those that need somebody first, then those at which something is under way.
pub(super) fn text(statuses: &[Status<'_>], now: &Moment, colours: Colours) -> String {
    let mut text = String::new();
    let mut sorted: Vec<&Status<'_>> = statuses.iter().collect();
    let urgency = |status: &&Status<'_>| Urgency::of(status.report);
    sorted.sort_by_key(urgency);
    if 1 < sorted.len() {
        let count = |wanted| sorted.iter().filter(|status| urgency(status) == wanted).count();
        let _ = writeln!(
            text,
            "{} servers: {} in need of attention, {} under way, {} idle\n",
            sorted.len(),
            count(Urgency::Trouble),
            count(Urgency::UnderWay),
            count(Urgency::Idle)
        );
    }
    let texts: Vec<String> = sorted.iter().map(|status| status.text(now, colours)).collect();
    text + &texts.join("\n")
}

impl Presented {
    /// The chain as JSON.
    fn json(&self) -> Value {
        let leaf = self.chain.leaf();
        json!({
            "key_type": KeyType::of_spki(leaf.spki()).map(KeyType::as_str),
            "serial": leaf.serial(),
            "issuer": leaf.issuer(),
            "not_before": leaf.not_before().to_string(),
            "not_after": leaf.not_after().to_string(),
            "spki_sha256": leaf.spki_sha256().to_string(),
            "anchor_spki_sha256": self.anchor.as_ref().map(|a| a.spki_sha256().to_string()),
        })
    }
}

/// The records of an RRset, as a zone file has them.
fn records_json(rrset: &TlsaRrset) -> Vec<String> {
    rrset.records.iter().map(ToString::to_string).collect()
}

/// A moment as JSON has it.
fn rfc3339(at: Timestamp) -> String {
    at.to_string()
}

/// What needs attention, as one text; null where nothing does.
fn attention_text(problems: &[Problem]) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let texts = problems.iter().map(|p| format!("{}; to do: {}", p.message, p.hint));
    Some(texts.collect::<Vec<_>>().join("\n"))
}
