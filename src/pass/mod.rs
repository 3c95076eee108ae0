//! One pass over a host: observe, decide, record, act, until nothing more can be done now.
//!
//! [`look`] asks the ports what is so, [`brought`] what another ACME client has staged, [`act`] does what
//! was decided, with [`keys`] that are kept first; [`risk`] says what stops mail all the same. Each action
//! stands between two writes to the ledger; a crash between them leaves an intent without an outcome, and
//! the next pass does not guess at the outcome, it looks. This module knows no adapter, only ports.

mod act;
mod brought;
mod keys;
mod look;
mod risk;
mod trial;

pub use self::act::DONE;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::HostConfig;
use crate::pki::{ChainId, Sha256Digest};
use crate::ports::{
    Ask, Clock, Deployer, Dns, Event, Issuer, Keymaker, Ledger, LedgerError, Probe, Publisher,
};
use crate::rollover::action::{Action, Decision, Problem, Request, RequestError, Wait};
use crate::rollover::history::Service;
use crate::rollover::observation::Observation;
use crate::rollover::phase::Phase;
use crate::rollover::spec::HostSpec;
use crate::rollover::state::{BundleCredential, BundleId, HostState, Step};
use crate::rollover::{Intent, decide, request, take};
use crate::time::{Span, Timestamp};

/// How many actions one pass can take: more than any rollover needs, so that running out is a bug.
const ACTIONS_MAX: u32 = 40;

/// After how many failures in a row somebody should know, though trying again may help.
const FAILURES_UNTIL_ATTENTION: u32 = 3;

/// How long a server or an address may hold a rollover before somebody should know.
const OVERDUE: Span = Span::from_seconds(3600);

/// How often to look again while something that was just done may show any moment.
const LINGER_PAUSE: Span = Span::from_millis(200);

/// What a pass over one host works with.
#[derive(Clone)]
pub struct HostPorts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where keys come from.
    pub keys: Arc<dyn Keymaker>,
    /// The view of the DNS.
    pub dns: Arc<dyn Dns>,
    /// The primary of the host's zones.
    pub publisher: Arc<dyn Publisher>,
    /// The issuers, by name.
    pub issuers: BTreeMap<String, Arc<dyn Issuer>>,
    /// Where its credentials go.
    pub deployer: Arc<dyn Deployer>,
    /// The view of its listeners.
    pub probe: Arc<dyn Probe>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
}

/// A host with its ports: what a pass is made over.
pub struct HostPass {
    /// The host as configured.
    config: HostConfig,
    /// The host as decisions see it.
    spec: HostSpec,
    /// What the pass works with.
    ports: HostPorts,
}

/// What came of a pass over one host.
#[derive(Clone, Debug)]
pub struct Report {
    /// The host.
    pub host: String,
    /// What was done, in order.
    pub events: Vec<Event>,
    /// What is to be done next, or waited for.
    pub decision: Decision,
    /// Where that leaves the host.
    pub phase: Phase,
    /// What somebody has to do something about.
    pub attention: Vec<Problem>,
    /// What somebody should know, and holds nothing up.
    pub warnings: Vec<Problem>,
    /// The shipped tables that the issuer's known CAs are from, each with its date.
    pub ca_tables: Vec<String>,
    /// What the ledger holds now.
    pub state: HostState,
    /// What was seen last.
    pub seen: Observation,
}

impl Report {
    /// Whether a rollover is in flight.
    pub fn is_in_flight(&self) -> bool {
        self.state.rollover.is_some()
    }

    /// What is waited for, if anything is.
    pub fn wait(&self) -> Option<&Wait> {
        match &self.decision {
            Decision::Wait(wait) => Some(wait),
            Decision::Act(_) | Decision::Idle { .. } | Decision::Stuck(_) => None,
        }
    }

    /// When the decision wants to be asked again; `None` where nobody can tell.
    pub fn wake(&self) -> Option<Timestamp> {
        match &self.decision {
            Decision::Wait(wait) => wait.until,
            Decision::Idle { until } => Some(*until),
            Decision::Act(_) | Decision::Stuck(_) => None,
        }
    }
}

/// Why a pass over one host could not be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// What the operator asked for makes no sense for this host.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The ledger.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// The decision asked for one action after another.
    #[error("{host} does not settle: after {ACTIONS_MAX} actions the decision is still `{action}`")]
    Unsettled {
        /// The host.
        host: String,
        /// The action asked for last.
        action: String,
    },
}

/// A pass under way: what changes from look to look.
struct Progress {
    /// What the ledger holds.
    state: HostState,
    /// What the operator and this pass bring into decisions.
    intent: Intent,
    /// What was done so far.
    events: Vec<Event>,
    /// What somebody should know of it.
    warnings: Vec<Problem>,
}

impl Progress {
    /// A pass at its beginning.
    fn new(state: HostState, intent: Intent) -> Self {
        Self { state, intent, events: Vec::new(), warnings: Vec::new() }
    }
}

impl HostPass {
    /// A host with its ports.
    pub fn new(config: HostConfig, ports: HostPorts) -> Self {
        let known = |issuer: &Arc<dyn Issuer>| issuer.known_anchors();
        let known_anchors =
            ports.issuers.iter().map(|(name, issuer)| (name.clone(), known(issuer))).collect();
        let brings = ports.issuers.iter().filter(|(_, issuer)| issuer.brought().is_some());
        let external = brings.map(|(name, _)| name.clone()).collect();
        let spec = HostSpec {
            name: config.name.clone(),
            names: config.names.clone(),
            owners: config.owners(),
            key_types: config.key_types.clone(),
            policy: Arc::clone(&config.policy),
            issuer: config.issuer.clone(),
            fallback_issuers: config.fallback_issuers.clone(),
            known_anchors,
            external,
            tlsa_ttl: config.tlsa_ttl,
            foreign_records: config.foreign_records,
            longest_delay: ports.publisher.longest_delay(),
        };
        Self { config, spec, ports }
    }

    /// The host as decisions see it.
    pub fn spec(&self) -> &HostSpec {
        &self.spec
    }

    /// What an operator should know of the host's DNS provider, if anything.
    pub async fn caveat(&self) -> Option<String> {
        self.ports.publisher.caveat().await
    }

    /// Says that the pass is over to what was started for it.
    pub async fn leave(&self) {
        self.ports.publisher.leave().await;
    }

    /// Refuses a request that makes no sense for this host, before anything is done.
    ///
    /// # Errors
    ///
    /// Where it makes none, as far as the ledger tells; or where the ledger cannot be read.
    pub fn refuse_nonsense(&self, request: &Request) -> Result<(), PassError> {
        let state = self.ports.ledger.load(&self.spec.name)?;
        let unseen = state.current.is_none() && state.rollover.is_none();
        let now = self.ports.clock.now().wall;
        match request::answer(&self.spec, &state, request, now) {
            // What is in place has not been adopted yet: only a look will tell.
            Err(RequestError::NoCertificate) if unseen => Ok(()),
            Ok(request::Answer::InFlight) => Ok(()),
            Ok(request::Answer::Begin(begin)) => {
                take(&self.spec, &self.brought(), &state, begin)?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Looks once and decides, without recording or doing anything: the beginning of a plan.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read, or the request makes no sense.
    pub async fn preview(&self, request: Option<Request>) -> Result<Report, PassError> {
        let mut state = self.ports.ledger.load(&self.spec.name)?;
        let (seen, unread) = self.look(&state).await;
        state.observe(&self.spec, &seen);
        let keyless = self.keyless(&state);
        let brought = self.brought();
        let advised = self.advised(&state, Ask::Nobody).await;
        let intent = Intent { request, unread, keyless, brought, advised, ..Intent::default() };
        let decision = decide(&self.spec, &intent, &state, &seen, seen.at)?;
        Ok(self.report(Progress::new(state, intent), decision, seen))
    }

    /// Makes a pass: acts until nothing more can be done now.
    ///
    /// The caller holds the ledger's lock.
    ///
    /// # Errors
    ///
    /// Where the ledger fails, or the request makes no sense; what was done before stays recorded.
    pub async fn run(&self, request: Option<Request>) -> Result<Report, PassError> {
        let mut state = self.ports.ledger.load(&self.spec.name)?;
        if request.is_some() {
            // Whoever asks by hand does not want to wait for the next try.
            state.failures.remove(&Step::Issue);
        }
        let advised = self.advised(&state, Ask::WhereDue).await;
        let intent = Intent { request, advised, ..Intent::default() };
        let mut progress = Progress::new(state, intent);
        let mut actions = 0;
        loop {
            let (seen, unread) = self.look(&progress.state).await;
            progress.intent.unread = unread;
            progress.intent.keyless = self.keyless(&progress.state);
            let before = progress.state.clone();
            progress.state.observe(&self.spec, &seen);
            progress.intent.brought = self.brought();
            self.clear_failures(&mut progress.state);
            let now = self.ports.clock.now();
            let decision = decide(&self.spec, &progress.intent, &progress.state, &seen, now)?;
            if !matches!(decision, Decision::Act(Action::Adopt { .. })) {
                // It was answered: what follows is a rollover, and must not begin another.
                progress.intent.request = None;
            }
            match decision {
                Decision::Act(action) => {
                    actions += 1;
                    if ACTIONS_MAX < actions {
                        let (host, action) = (self.spec.name.clone(), action.to_string());
                        return Err(PassError::Unsettled { host, action });
                    }
                    self.act(&mut progress, action, &seen).await?;
                }
                Decision::Wait(Wait { linger: Some(until), .. }) if now.wall < until => {
                    // What was seen is worth keeping: it is what the waits are counted from.
                    if progress.state != before {
                        self.save(&progress.state, &[])?;
                    }
                    self.ports.clock.sleep(LINGER_PAUSE).await;
                }
                Decision::Wait(_) | Decision::Idle { .. } | Decision::Stuck(_) => {
                    self.save(&progress.state, &[])?;
                    return Ok(self.report(progress, decision, seen));
                }
            }
        }
    }

    /// When the issuer of what is in place wants it replaced, where nothing is under way.
    async fn advised(&self, state: &HostState, ask: Ask) -> BTreeMap<ChainId, Timestamp> {
        let mut advised = BTreeMap::new();
        let present = state.current.filter(|_| state.rollover.is_none());
        let Some(bundle) = present.and_then(|id| state.bundles.get(&id)) else {
            return advised;
        };
        // What was found in place tells no issuer: the configured one may know it.
        let name = if bundle.issuer.is_empty() { &self.spec.issuer } else { &bundle.issuer };
        let Some(issuer) = self.ports.issuers.get(name) else {
            return advised;
        };
        for chain in bundle.chains() {
            if let Some(at) = issuer.advised(chain.leaf(), ask).await {
                advised.insert(chain.id(), at);
            }
        }
        advised
    }

    /// Forgets that putting the target in place failed, once it is seen in place.
    fn clear_failures(&self, state: &mut HostState) {
        let target = state.rollover.as_ref().map(|_| state.target().map(|(id, _)| id));
        let wanted = target.unwrap_or(state.current);
        let shown = state.served.deployment.as_ref().filter(|d| d.shown).map(|d| d.bundle);
        if shown.is_some() && shown == wanted {
            state.failures.remove(&Step::Deploy);
            state.failures.remove(&Step::Restore);
        }
    }

    /// The bundles of which some key is not at hand.
    fn keyless(&self, state: &HostState) -> BTreeSet<BundleId> {
        let is_missing = |credential: &BundleCredential| {
            self.ports.ledger.load_key(&Sha256Digest::of(&credential.key.spki)).is_err()
        };
        let bundles = state.bundles.iter();
        let keyless = bundles.filter(|(_, bundle)| bundle.credentials.values().any(is_missing));
        keyless.map(|(id, _)| *id).collect()
    }

    /// Writes the host's state, and events with it.
    fn save(&self, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        self.ports.ledger.save(&self.spec.name, state, events)
    }

    /// What came of the pass.
    fn report(&self, progress: Progress, decision: Decision, seen: Observation) -> Report {
        let Progress { state, events, warnings, .. } = progress;
        let failures = state
            .failures
            .values()
            .filter(|failure| failure.needs_operator || FAILURES_UNTIL_ATTENTION <= failure.count);
        let mut attention: Vec<Problem> = failures
            .map(|failure| Problem { message: failure.message.clone(), hint: failure.hint.clone() })
            .collect();
        match &decision {
            Decision::Stuck(problems) => attention.extend(problems.iter().cloned()),
            Decision::Wait(wait) => attention.extend(overdue(&state, wait, &seen)),
            Decision::Idle { .. } => attention.extend(risk::problems(&self.spec, &state, &seen)),
            Decision::Act(_) => {}
        }
        let phase = match attention.is_empty() {
            true => Phase::of(&state, &decision),
            false => Phase::Held,
        };
        let host = self.spec.name.clone();
        let issuer = self.ports.issuers.get(state.issuer(&self.spec));
        let ca_tables = issuer.map(|issuer| issuer.ca_tables()).unwrap_or_default();
        Report { host, events, decision, phase, attention, warnings, ca_tables, state, seen }
    }
}

/// What has held a rollover for longer than it should, and will not pass by itself.
fn overdue(state: &HostState, wait: &Wait, seen: &Observation) -> Vec<Problem> {
    let Some(rollover) = &state.rollover else { return Vec::new() };
    if seen.at.wall < rollover.started + OVERDUE {
        return Vec::new();
    }
    let versions = state.histories.values().flat_map(|history| &history.versions);
    let since = versions.filter_map(|version| match version.service {
        Service::Ongoing { since } => Some(since),
        Service::Sent { .. } | Service::Ended { .. } => None,
    });
    let deployed = state.served.deployment.as_ref().and_then(|deployment| deployment.done);
    let recently = since.chain(deployed).any(|at| seen.at.until_elapsed(&at, OVERDUE).is_some());
    if recently {
        return Vec::new();
    }
    let lasting = wait.reasons.iter().filter_map(|reason| Some((reason, reason.hint()?)));
    lasting
        .map(|(reason, hint)| Problem {
            message: format!("the {} does not get on: waiting for {reason}", rollover.kind),
            hint: hint.to_owned(),
        })
        .collect()
}
