//! `rollover status`: each server on a few lines, or as JSON that only ever gets more keys.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::report;
use crate::pass::Report;
use crate::pki::{Certificate, Chain, KeyType};
use crate::rollover::action::{Decision, Problem};
use crate::rollover::brief;
use crate::rollover::history::{Content, Until};
use crate::rollover::observation::OwnerSight;
use crate::rollover::presentable::Presentable;
use crate::rollover::records;
use crate::rollover::spec::HostSpec;
use crate::time::{Moment, Timestamp};
use crate::tlsa::{TlsaOwner, TlsaRrset};

/// What `status` shows of one server.
pub(super) struct Status<'a> {
    /// The server as decisions see it.
    pub(super) spec: &'a HostSpec,
    /// What was seen, and what would follow.
    pub(super) report: &'a Report,
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

    /// The server for people.
    pub(super) fn text(&self, now: &Moment) -> String {
        let mut text = String::new();
        let state = &self.report.state;
        let (name, policy) = (&self.spec.name, &self.spec.policy.name);
        let issuer = state.issuer(self.spec);
        let _ = writeln!(text, "{name}  {}  (policy {policy}, issuer {issuer})", self.report.phase);
        if state.issuer_override.is_some() {
            let configured = &self.spec.issuer;
            let _ = writeln!(
                text,
                "  issuer   {issuer} by --new-ca; the configuration still says {configured}"
            );
        }
        if state.withdrawn {
            let _ = writeln!(text, "  DANE     left; rollover --renew --host {name} comes back");
        }
        for presented in self.presented(now) {
            let leaf = presented.chain.leaf();
            let _ = writeln!(
                text,
                "  served   key {} of {}, until {}",
                leaf.spki_sha256().short(),
                leaf.issuer(),
                report::clock_time(leaf.not_after())
            );
        }
        for (owner, rrset) in self.published() {
            let _ = writeln!(text, "  records  {owner} {} (TTL {})", brief(rrset), rrset.ttl);
        }
        self.write_cached(&mut text, now);
        self.write_next(&mut text, now.wall);
        for problem in &self.report.attention {
            let message = problem.message.replace('\n', "\n           ");
            let _ = writeln!(text, "  WRONG    {message}\n  to do    {}", problem.hint);
        }
        text
    }

    /// What caches may hold beside what is published.
    fn write_cached(&self, text: &mut String, now: &Moment) {
        let published: BTreeSet<&TlsaRrset> =
            self.published().into_iter().map(|(_, rrset)| rrset).collect();
        for history in self.report.state.histories.values() {
            for (version, until) in history.cached(&self.spec.policy.timing, now) {
                let what = match &version.content {
                    Content::Rrset(rrset) if published.contains(rrset) => continue,
                    Content::Rrset(rrset) => brief(rrset),
                    Content::Unknown { .. } => "what was there before the first look".to_owned(),
                };
                let until = match until {
                    Until::At(at) => format!("until {}", report::moment(at, now.wall)),
                    Until::Unseen => "as long as a name server may serve it".to_owned(),
                };
                let _ = writeln!(text, "  cached   {what}, {until}");
            }
        }
    }

    /// What is in flight, and what comes next.
    fn write_next(&self, text: &mut String, now: Timestamp) {
        if let Some(rollover) = &self.report.state.rollover {
            let (kind, started) = (rollover.kind, report::clock_time(rollover.started));
            let _ = writeln!(text, "  rollover {kind}, since {started}");
        }
        match &self.report.decision {
            Decision::Act(action) => {
                let _ = writeln!(text, "  next     {action}: rollover --host {}", self.spec.name);
            }
            Decision::Wait(wait) => {
                for reason in &wait.reasons {
                    let until = reason.until().map(|until| report::moment(until, now));
                    let until = until.map(|until| format!("until {until} ")).unwrap_or_default();
                    let _ = writeln!(text, "  waits    {until}for {reason}");
                    if let Some(hint) = reason.hint() {
                        let _ = writeln!(text, "           {hint}");
                    }
                }
                let _ = writeln!(text, "  next     {}", report::continue_command(&self.spec.name));
            }
            Decision::Idle { until } => {
                let _ = writeln!(text, "  next     renewal, {}", report::moment(*until, now));
            }
            Decision::Stuck(_) => {}
        }
    }
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
