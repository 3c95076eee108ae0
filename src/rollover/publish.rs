//! From the records that are wanted to the change that makes them so, or why it cannot be made.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, Problem, Purpose, Reason, RrsetChange};
use super::observation::{Answer, OwnerAnswers, OwnerSight};
use super::records::{self, RECORDS_MAX};
use super::safety;
use super::situation::Situation;
use super::state::Bundle;
use crate::name::DnsName;
use crate::tlsa::{Record, TlsaOwner, TlsaRrset};

/// What stands between the records that are wanted and those that the primary holds.
#[derive(Clone, Debug)]
pub(crate) enum Publication {
    /// Nothing: the primary holds them.
    Done,
    /// This change.
    Change(Action),
    /// Something that may pass.
    Waiting(Vec<Reason>),
    /// Something that somebody has to change.
    Stuck(Vec<Problem>),
}

/// What stands between them at one owner.
enum Step {
    /// Nothing.
    Done,
    /// This change, in this zone.
    Change(DnsName, RrsetChange),
    /// Something that may pass.
    Waiting(Reason),
    /// Something that somebody has to change.
    Stuck(Problem),
}

/// Why an owner cannot be changed now.
type Held = Box<Step>;

impl Situation<'_> {
    /// Toward the records of a settled host.
    pub(crate) fn publication_of_settled(&self, bundle: &Bundle) -> Publication {
        let wanted = records::settled(self.spec, self.state, bundle);
        let purpose = match self.state.rollover {
            Some(_) => Purpose::Settle,
            None => Purpose::Mend,
        };
        self.publication(purpose, |_, _| Some(wanted.clone()))
    }

    /// Toward an RRset that fits both what is served and the target. What the primary holds stays
    /// where it does so already.
    pub(crate) fn publication_of_bridge(&self, target: &Bundle) -> Publication {
        let purpose = if self.publishes_barred() { Purpose::Bar } else { Purpose::Bridge };
        self.publication(purpose, |owner, present| {
            if self.is_bridge(target, owner, present) {
                return None;
            }
            Some(records::bridge(self.spec, self.state, target, owner, &self.now))
        })
    }

    /// Toward no records at all, foreign ones included: the operator leaves DANE.
    pub(crate) fn publication_of_nothing(&self) -> Publication {
        self.publication(Purpose::Settle, |_, _| Some(BTreeSet::new()))
    }

    /// Toward what `wanted` says of each owner, given what the primary holds there; `None` where
    /// that may stay as it is.
    fn publication(
        &self,
        purpose: Purpose,
        wanted: impl Fn(&TlsaOwner, &TlsaRrset) -> Option<BTreeSet<Record>>,
    ) -> Publication {
        let mut zones: BTreeMap<DnsName, BTreeMap<DnsName, RrsetChange>> = BTreeMap::new();
        let (mut waiting, mut problems) = (Vec::new(), Vec::new());
        for owner in &self.spec.owners {
            match self.step(owner, &wanted) {
                Step::Done => {}
                Step::Waiting(reason) => waiting.push(reason),
                Step::Stuck(problem) => problems.push(problem),
                Step::Change(zone, change) => {
                    let changes = zones.entry(zone).or_default();
                    let same_name = changes
                        .entry(change.name.clone())
                        .or_insert_with(|| RrsetChange { owners: Vec::new(), ..change.clone() });
                    same_name.owners.extend(change.owners);
                }
            }
        }
        // Nothing is changed while another owner of the host is in trouble: what a sender meets
        // behind one name is what it meets behind all of them.
        if !problems.is_empty() {
            return Publication::Stuck(problems);
        }
        if !waiting.is_empty() {
            return Publication::Waiting(waiting);
        }
        match zones.into_iter().next() {
            None => Publication::Done,
            Some((zone, changes)) => {
                let changes = changes.into_values().collect();
                Publication::Change(Action::Publish { purpose, zone, changes })
            }
        }
    }

    /// What stands between what is wanted and what the primary holds at one owner.
    fn step(
        &self,
        owner: &TlsaOwner,
        wanted: &impl Fn(&TlsaOwner, &TlsaRrset) -> Option<BTreeSet<Record>>,
    ) -> Step {
        let (answers, present) = match self.base_of_change(owner) {
            Ok(base) => base,
            Err(held) => return *held,
        };
        let Some(records) = wanted(owner, present) else {
            return Step::Done;
        };
        let leaving = records.is_empty();
        let whole = records::rrset_to_write(self.spec, self.state, records, present, &self.now);
        let mut desired = records::without_spares(self.spec, self.state, whole, &self.now);
        if leaving {
            desired = TlsaRrset::absent(present.ttl);
        }
        let same_ttl = self.spec.tlsa_ttl.is_none() || desired.ttl == present.ttl;
        if desired.records == present.records && (same_ttl || leaving) {
            return Step::Done;
        }
        if present.is_absent()
            && !leaving
            && let Some(problem) = self.without_tls(owner)
        {
            return Step::Stuck(problem);
        }
        if RECORDS_MAX < desired.records.len() {
            return Step::Stuck(Problem {
                message: format!(
                    "{owner} would need {} records, and large senders fail beyond {RECORDS_MAX}",
                    desired.records.len()
                ),
                hint: "remove foreign records (`foreign-records = \"remove\"`), key types or \
                       known anchors"
                    .to_owned(),
            });
        }
        let stranded = safety::stranded_by(self.spec, self.state, owner, &desired, &self.now);
        if let Some(chain) = stranded.first() {
            return Step::Stuck(self.would_strand(owner, chain));
        }
        let change = RrsetChange {
            owners: vec![owner.clone()],
            name: answers.target.clone(),
            observed: present.clone(),
            desired,
        };
        Step::Change(answers.zone.clone(), change)
    }

    /// What the change of an owner starts from, or why none can be made there.
    fn base_of_change(&self, owner: &TlsaOwner) -> Result<(&OwnerAnswers, &TlsaRrset), Held> {
        let answers = match self.seen.owners.get(owner) {
            Some(OwnerSight::Seen(answers)) => answers,
            Some(OwnerSight::Unknown { reason }) => {
                let reason = reason.clone();
                return Err(Box::new(Step::Waiting(Reason::Zone { owner: owner.clone(), reason })));
            }
            Some(OwnerSight::Unsigned { zone }) => {
                return Err(Box::new(Step::Stuck(Problem {
                    message: format!(
                        "{owner} is in an unsigned zone ({zone}): no sender looks at TLSA records \
                         there"
                    ),
                    hint: "sign the zone with DNSSEC and put its DS record into the parent; or \
                           set trust-anchor-file"
                        .to_owned(),
                })));
            }
            None => {
                let reason = "it was not looked at".to_owned();
                return Err(Box::new(Step::Waiting(Reason::Zone { owner: owner.clone(), reason })));
            }
        };
        if answers.answers.values().any(|answer| matches!(answer, Answer::Wildcard(_))) {
            return Err(Box::new(Step::Stuck(Problem {
                message: format!("the records at {owner} come from a wildcard of {}", answers.zone),
                hint: "publish the records at the owner itself and let no wildcard cover it: a \
                       wildcard would be half-overridden by a change"
                    .to_owned(),
            })));
        }
        match &answers.at_primary {
            Ok(present) => Ok((answers, present)),
            Err(unreadable) if unreadable.needs_operator => Err(Box::new(Step::Stuck(Problem {
                message: format!(
                    "{}; {owner} cannot be changed, and nothing is deployed that it would not fit",
                    unreadable.message
                ),
                hint: unreadable.hint.clone(),
            }))),
            Err(unreadable) => {
                let reason = unreadable.message.clone();
                Err(Box::new(Step::Waiting(Reason::Zone { owner: owner.clone(), reason })))
            }
        }
    }

    /// The problem that a change would strand senders.
    fn would_strand(&self, owner: &TlsaOwner, chain: &crate::pki::ChainId) -> Problem {
        Problem {
            message: format!(
                "{owner} cannot be changed: {} is presented, and the new records would not fit it",
                self.describe_chain(chain)
            ),
            hint: "let every address of the host present the certificate that rollover deployed, \
                   or list the addresses that count in `addresses`"
                .to_owned(),
        }
    }
}
