//! The decision: one action, or what is waited for and why. It does no I/O, reads no clock and
//! draws no randomness.
//!
//! It is level-triggered. It never asks how far an earlier pass came, only what is served,
//! published and possibly cached now; so it is right after a crash, a hand edit or a change of mind
//! half-way, and the steps of design section 3 follow from where things stand:
//!
//! ```text
//! target issued? -- no --> CA known beforehand and not covered? bridge and wait; then issue
//!       | yes
//! nothing else served? -- yes --> settle, wait until caches hold nothing else, finish
//!       | no
//! target in place? -- yes --> wait until what was served before has drained
//!       | no
//! may serve(target)? -- yes --> deploy (and put the old bundle back if that fails or does not show)
//!       | no
//! bridge published? -- no --> publish it, if that strands nobody
//!       | yes
//! wait for servers, then for caches
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::action::{
    Action, Begin, Decision, Problem, Reason, Request, RequestError, Toward, Wait,
};
use super::delivery::{self, Brought};
use super::observation::Observation;
use super::progress::Progress;
use super::publish::Publication;
use super::request::{self, FAILURES_UNTIL_FALLBACK};
use super::safety::Obstacle;
use super::situation::Situation;
use super::spec::HostSpec;
use super::state::{Bundle, BundleId, HostState, Kind, Step, Target};
use crate::pki::ChainId;
use crate::time::{Moment, Timestamp};

/// What an operator and this very pass bring into a decision.
#[derive(Clone, Debug, Default)]
pub struct Intent {
    /// What the operator asked for and has not been begun.
    pub request: Option<Request>,
    /// The steps that failed in this pass: they are tried again in the next.
    pub tried: BTreeSet<Step>,
    /// Why this pass could not find out what is in place, at first sight of a host. Nothing is begun
    /// then: to take what cannot be read for nothing would lose it.
    pub unread: Option<Problem>,
    /// The bundles whose keys are not at hand: seen in place and never read, or lost. They can be
    /// named by records, and stay where they are; they cannot be put in place.
    pub keyless: BTreeSet<BundleId>,
    /// The moments at which issuers want what is in place replaced, by chain (ARI, RFC 9773).
    pub advised: BTreeMap<ChainId, Timestamp>,
    /// What another client has brought for the host, where its issuer is external.
    pub brought: Brought,
}

/// Decides what follows, for a host whose state has taken in `seen`.
///
/// # Errors
///
/// Where the request makes no sense for this host.
pub fn decide(
    spec: &HostSpec,
    intent: &Intent,
    state: &HostState,
    seen: &Observation,
    now: Moment,
) -> Result<Decision, RequestError> {
    let situation = Situation { spec, intent, state, seen, now };
    if let Some(adopt) = situation.adoption() {
        return Ok(Decision::Act(adopt));
    }
    if let Some(problem) = &intent.unread {
        return Ok(Decision::Stuck(vec![problem.clone()]));
    }
    if let Some(wanted) = &intent.request
        && let request::Answer::Begin(begin) = request::answer(spec, state, wanted, now.wall)?
    {
        return Ok(situation.begin(delivery::take(spec, &intent.brought, state, begin)?));
    }
    Ok(match &state.rollover {
        None => situation.idle(),
        Some(rollover) => match rollover.target {
            Target::Bundle(_) => situation.pursue_or_supersede(),
            Target::NoRecords => situation.leave(),
        },
    })
}

impl Situation<'_> {
    /// Begins a rollover, unless its keys could not be made in this pass.
    fn begin(&self, begin: Begin) -> Decision {
        self.act(Action::Begin(begin))
    }

    /// An action, unless it failed in this pass already.
    fn act(&self, action: Action) -> Decision {
        match action.step() {
            Some(step) if self.intent.tried.contains(&step) => {
                self.wait(vec![Reason::NextPass { step }])
            }
            Some(_) | None => Decision::Act(action),
        }
    }

    /// What follows where nothing is in flight.
    fn idle(&self) -> Decision {
        let Some((current, bundle)) =
            self.state.current.and_then(|id| Some((id, self.state.bundles.get(&id)?)))
        else {
            return self.begin_next();
        };
        let due = self.due(bundle);
        if self.is_external() && self.is_brought_anew(bundle)
            || !self.is_external() && due <= self.now.wall
        {
            return self.begin_next();
        }
        if let Some(action) = self.standby_to_make().or_else(|| self.revocation()) {
            return self.act(action);
        }
        if self.state.withdrawn {
            return self.rest(bundle, due);
        }
        if self.must_redeploy(current, bundle) {
            return self.act(Action::Deploy { bundle: current });
        }
        if self.is_unpublished() {
            return self.begin_first_publication(current, bundle);
        }
        match self.publication_of_settled(bundle) {
            Publication::Change(action) => self.act(action),
            Publication::Stuck(problems) => Decision::Stuck(problems),
            Publication::Done | Publication::Waiting(_) => {
                // What was mended a moment ago should be seen everywhere: the wait for caches is
                // counted from then.
                let reasons = self.reasons_until_settled();
                match self.lingering(&reasons) {
                    Some(_) => self.wait(reasons),
                    None => self.rest(bundle, due),
                }
            }
        }
    }

    /// Begins the rollover to the next certificate: one that is ordered, or one that was brought.
    fn begin_next(&self) -> Decision {
        let issuer = self.state.issuer(self.spec);
        let begin = request::renewal(self.spec, self.state, issuer, self.now.wall);
        match delivery::take(self.spec, &self.intent.brought, self.state, begin) {
            Ok(begin) => self.begin(begin),
            Err(_) => Decision::Stuck(vec![self.nothing_brought()]),
        }
    }

    /// Nothing to do: until the next renewal, or until a certificate that another client should
    /// have brought is overdue.
    fn rest(&self, bundle: &Bundle, due: Timestamp) -> Decision {
        if !self.is_external() {
            return Decision::Idle { until: due };
        }
        match self.overdue(bundle, due) {
            Ok(until) => Decision::Idle { until },
            Err(problem) => Decision::Stuck(vec![problem]),
        }
    }

    /// What follows where a rollover leads to a bundle; or a new rollover to what another client
    /// brought meanwhile, where the one in flight cannot go on.
    fn pursue_or_supersede(&self) -> Decision {
        let decision = match self.state.target() {
            Some((_, target)) if self.is_outdated_order(target) => return self.begin_next(),
            Some(_) | None => self.pursue(),
        };
        let stuck = matches!(decision, Decision::Stuck(_));
        match self.state.target() {
            Some((_, target)) if stuck && self.is_external() && self.is_brought_anew(target) => {
                self.begin_next()
            }
            Some(_) | None => decision,
        }
    }

    /// Begins the first publication, once every listener presents what the records will name.
    fn begin_first_publication(&self, id: BundleId, bundle: &Bundle) -> Decision {
        let problems: Vec<Problem> =
            self.spec.owners.iter().filter_map(|owner| self.without_tls(owner)).collect();
        if !problems.is_empty() {
            return Decision::Stuck(problems);
        }
        if !self.progress(bundle).is_complete() {
            return Decision::Stuck(vec![self.not_in_place(bundle)]);
        }
        if let Some(problem) = self.barred_bundle(bundle) {
            return Decision::Stuck(vec![problem]);
        }
        self.begin(Begin {
            kind: Kind::FirstPublication,
            toward: Toward::Existing(id),
            bar: Vec::new(),
            revoke: false,
            issuer_override: None,
            reenters: false,
        })
    }

    /// The problem that the listeners present something else than the present bundle.
    fn not_in_place(&self, bundle: &Bundle) -> Problem {
        Problem {
            message: format!(
                "{} enters DANE when every address presents the certificate in its files, but {}",
                self.spec.name,
                self.progress(bundle).describe()
            ),
            hint: "reload the mail server, let it read the files that rollover deploys, and name \
                   every kind of key that it presents in `key-types`"
                .to_owned(),
        }
    }

    /// What follows where a rollover leads to a bundle.
    fn pursue(&self) -> Decision {
        let Some((id, target)) = self.state.target() else {
            return Decision::Act(Action::Finish);
        };
        if let Some(decision) = self.bar_first(target) {
            return decision;
        }
        if !target.is_issued() {
            return self.issue(id, target);
        }
        if let Some(problem) = self.missing_anchor(target) {
            return Decision::Stuck(vec![problem]);
        }
        if let Some(problem) = self.barred_bundle(target).filter(|_| !self.state.withdrawn) {
            return Decision::Stuck(vec![problem]);
        }
        let others = self.others_served(target);
        let progress = self.progress(target);
        if others.is_empty() && progress.is_complete() {
            return self.settle(target);
        }
        // What was last begun may have been to put the former bundle back: its file may be anywhere.
        let deployment = self.state.served.deployment.as_ref();
        if progress.is_complete() && deployment.is_none_or(|d| d.bundle == id) {
            return self.wait(others);
        }
        let obstacles = self.obstacles(target);
        if obstacles.is_empty() {
            return self.deploy(id, progress);
        }
        self.bridge(target, obstacles)
    }

    /// Publishes an RRset without what is barred, before anything else is done.
    fn bar_first(&self, target: &Bundle) -> Option<Decision> {
        if !self.publishes_barred() || self.intent.tried.contains(&Step::Publish) {
            return None;
        }
        match self.publication_of_bridge(target) {
            Publication::Change(action) => Some(self.act(action)),
            Publication::Done | Publication::Waiting(_) | Publication::Stuck(_) => None,
        }
    }

    /// Obtains what is missing of the target; behind a bridge where the CA is known beforehand.
    fn issue(&self, id: BundleId, target: &Bundle) -> Decision {
        if self.is_known_beforehand(target) {
            let obstacles = self.obstacles(target);
            if !obstacles.is_empty() {
                return self.bridge(target, obstacles);
            }
        }
        let missing = target.credentials.iter().find(|(_, c)| c.issued.is_none());
        let Some((key_type, _)) = missing else {
            return Decision::Act(Action::Finish);
        };
        if let Some(begin) = self.fallback(target) {
            return self.begin(begin);
        }
        if let Some(failure) = self.state.failures.get(&Step::Issue)
            && self.now.wall < failure.not_before
        {
            let until = failure.not_before;
            return self.wait(vec![Reason::Retry { step: Step::Issue, until }]);
        }
        self.act(Action::Issue { bundle: id, key_type: *key_type })
    }

    /// The rollover to the next issuer in the configured order, where the target's has failed too often
    /// in a row. Where nothing is seen of the host's zone, it may be this machine that is cut off.
    fn fallback(&self, target: &Bundle) -> Option<Begin> {
        let failure = self.state.failures.get(&Step::Issue)?;
        if failure.by_issuer < FAILURES_UNTIL_FALLBACK || !self.unseen_owners().is_empty() {
            return None;
        }
        request::fallback(self.spec, self.state, &target.issuer, self.now.wall)
    }

    /// Publishes the bridge, or waits for what stands in the way of serving the target.
    fn bridge(&self, target: &Bundle, obstacles: Vec<Obstacle>) -> Decision {
        let waiting = match self.publication_of_bridge(target) {
            Publication::Change(action) => return self.act(action),
            Publication::Stuck(problems) => return Decision::Stuck(problems),
            Publication::Done => Vec::new(),
            Publication::Waiting(reasons) => reasons,
        };
        let mut reasons = self.reasons_of(&obstacles);
        reasons.extend(waiting);
        self.wait(reasons)
    }

    /// Puts the target in place, or the former bundle back where that failed or does not show.
    fn deploy(&self, id: BundleId, progress: Progress) -> Decision {
        let deployment = self.state.served.deployment.as_ref().filter(|d| d.bundle == id);
        let failed = self.intent.tried.contains(&Step::Deploy);
        let unseen = self.unseen_owners();
        if !unseen.is_empty() && !failed {
            return self.wait(unseen);
        }
        let Some(deployment) = deployment else {
            if !failed {
                return self.put(id, &progress);
            }
            return self.wait(vec![Reason::NextPass { step: Step::Deploy }]);
        };
        if failed {
            return self.restore(id, None);
        }
        let Some(done) = deployment.done else {
            return self.put(id, &progress);
        };
        let timeout = self.spec.policy.timing.probe_timeout;
        match self.now.until_elapsed(&done, timeout) {
            Some(until) => self.linger(progress.reasons(), until),
            // An address that says nothing is no worse off with the new chain than with the old.
            // It was in place everywhere before: some process came back with the old chain.
            None if deployment.shown && progress.shows_others() => self.put(id, &progress),
            None if progress.shows_others() => self.restore(id, Some(progress.describe())),
            None => self.wait(progress.reasons()),
        }
    }

    /// Puts the target in place, if its keys are at hand.
    fn put(&self, id: BundleId, progress: &Progress) -> Decision {
        if !self.intent.keyless.contains(&id) {
            return self.act(Action::Deploy { bundle: id });
        }
        Decision::Stuck(vec![Problem {
            message: format!(
                "the certificate that {} is to go back to cannot be put in place, since its private \
                 key was never in the state directory, and {}; the records fit what is presented",
                self.spec.name,
                progress.describe()
            ),
            hint: "put it in place by hand, or go on to another one: `rollover --renew`".to_owned(),
        }])
    }

    /// Puts the bundle that was there before `target` back; it still fits all that is cached.
    fn restore(&self, target: BundleId, because: Option<String>) -> Decision {
        let from = self.state.rollover.as_ref().and_then(|rollover| rollover.from);
        let held = from.filter(|id| !self.intent.keyless.contains(id));
        let former = held.and_then(|id| Some((id, self.state.bundles.get(&id)?)));
        let Some((bundle, former)) = former else {
            return match because {
                Some(seen) => Decision::Stuck(vec![Problem {
                    message: format!("the new certificate is in place, but {seen}"),
                    hint: "check the reload command and the server's log; rollover looks again \
                           in the next pass"
                        .to_owned(),
                }]),
                None => self.wait(vec![Reason::NextPass { step: Step::Deploy }]),
            };
        };
        if bundle == target {
            // What leads back has nothing behind it to put back.
            return match because {
                Some(because) => self.act(Action::Repeat { bundle: target, because }),
                None => self.wait(vec![Reason::NextPass { step: Step::Deploy }]),
            };
        }
        let in_the_way = self.obstacles(former);
        if in_the_way.is_empty() {
            return self.act(Action::Restore { bundle, because });
        }
        if let Some(because) = because {
            // The way back is closed, as after a compromise: the way on is open, and tried again.
            return self.act(Action::Repeat { bundle: target, because });
        }
        let reasons = self.reasons_of(&in_the_way);
        self.wait(reasons)
    }

    /// Publishes the target's own records alone, and waits until no cache holds anything else.
    fn settle(&self, target: &Bundle) -> Decision {
        if let Some(action) = self.standby_to_make() {
            return self.act(action);
        }
        if self.state.withdrawn {
            return Decision::Act(Action::Finish);
        }
        match self.publication_of_settled(target) {
            Publication::Change(action) => self.act(action),
            Publication::Stuck(problems) => Decision::Stuck(problems),
            Publication::Waiting(reasons) => self.wait(reasons),
            Publication::Done => self.finish(),
        }
    }

    /// What follows where a rollover leads out of DANE.
    fn leave(&self) -> Decision {
        match self.publication_of_nothing() {
            Publication::Change(action) => self.act(action),
            Publication::Stuck(problems) => Decision::Stuck(problems),
            Publication::Waiting(reasons) => self.wait(reasons),
            Publication::Done => self.finish(),
        }
    }

    /// Ends the rollover once no cache holds anything but what is published.
    fn finish(&self) -> Decision {
        let reasons = self.reasons_until_settled();
        if !reasons.is_empty() {
            return self.wait(reasons);
        }
        match self.revocation() {
            Some(action) if !self.intent.tried.contains(&Step::Revoke) => Decision::Act(action),
            Some(_) | None => Decision::Act(Action::Finish),
        }
    }

    /// A wait for these reasons.
    fn wait(&self, reasons: Vec<Reason>) -> Decision {
        let linger = self.lingering(&reasons);
        Decision::Wait(Wait::new(reasons, linger))
    }

    /// A wait in which what was just done may show any moment.
    fn linger(&self, reasons: Vec<Reason>, until: Timestamp) -> Decision {
        let linger = Some(until);
        Decision::Wait(Wait { linger, ..Wait::new(reasons, None) })
    }
}
