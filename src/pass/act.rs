//! What was decided is done: recorded before, done, recorded after.

use super::{HostPass, PassError, Progress, trial};
use crate::pki::{Chain, KeyType, Sha256Digest};
use crate::ports::{
    Blame, Credential, DeployError, Event, IssueError, LedgerError, Order, PublishError, Remedy,
    Revocation as Revoked,
};
use crate::rollover::action::{Action, Begin, Problem, RrsetChange};
use crate::rollover::observation::{Installed, Observation};
use crate::rollover::safety;
use crate::rollover::state::{BundleId, HostState, Issued, KeyMade, Kind, Revocation, Step};
use crate::rollover::transition::{self, FailureReport};
use crate::time::Timestamp;

/// What came of an action of which there is no more to say.
pub const DONE: &str = "done";

impl HostPass {
    /// Does one action. A failed one is something that happened, not a reason to leave the pass.
    pub(super) async fn act(
        &self,
        progress: &mut Progress,
        action: Action,
        seen: &Observation,
    ) -> Result<(), PassError> {
        tracing::debug!(host = %self.spec.name, %action, "act");
        let event = self.event(seen, &action);
        match action {
            Action::Adopt { installed, issuer } => {
                self.adopt(progress, &installed, &issuer, event).await?;
            }
            Action::Begin(begin) => self.begin(progress, begin, event)?,
            Action::MakeStandby { key_type } => self.make_standby(progress, key_type, event)?,
            Action::Issue { bundle, key_type } => {
                self.issue(progress, bundle, key_type, event).await?;
            }
            Action::Publish { zone, changes, .. } => {
                self.publish(progress, &zone, &changes, event).await?;
            }
            Action::Deploy { bundle } => self.deploy(progress, bundle, event).await?,
            Action::Repeat { bundle, because } => {
                self.restore(progress, bundle, Some(because), event).await?;
            }
            Action::Restore { bundle, because } => {
                self.restore(progress, bundle, because, event).await?;
            }
            Action::Revoke(revocation) => self.revoke(progress, &revocation, event).await?,
            Action::Finish => {
                transition::finish(&mut progress.state);
                self.conclude(progress, event, DONE.to_owned())?;
            }
        }
        Ok(())
    }

    /// The line of the history that an action begins with.
    fn event(&self, seen: &Observation, action: &Action) -> Event {
        Event {
            at: self.ports.clock.now().wall,
            observation: seen.to_string(),
            decision: action.name().to_owned(),
            action: action.to_string(),
            result: String::new(),
        }
    }

    /// Records an intent, before the act.
    fn intend(&self, progress: &Progress, event: &Event) -> Result<(), LedgerError> {
        self.save(&progress.state, std::slice::from_ref(event))
    }

    /// Records what came of an act.
    pub(super) fn conclude(
        &self,
        progress: &mut Progress,
        event: Event,
        result: String,
    ) -> Result<(), LedgerError> {
        let event = Event { at: self.ports.clock.now().wall, result, ..event };
        self.save(&progress.state, std::slice::from_ref(&event))?;
        progress.events.push(event);
        Ok(())
    }

    /// Records that an act failed; it is not tried again in this pass.
    pub(super) fn fail(
        &self,
        progress: &mut Progress,
        step: Step,
        report: FailureReport,
        event: Event,
    ) -> Result<(), LedgerError> {
        let result = format!("failed: {}", report.message);
        let now = self.ports.clock.now();
        transition::fail(&self.spec, &mut progress.state, step, report, now);
        progress.intent.tried.insert(step);
        self.conclude(progress, event, result)
    }

    /// Takes what is in place as the present bundle, keys included.
    async fn adopt(
        &self,
        progress: &mut Progress,
        installed: &[Installed],
        issuer: &str,
        event: Event,
    ) -> Result<(), PassError> {
        // Read once more for the keys: an observation holds no secrets.
        let held = self.ports.deployer.current().await.unwrap_or_default();
        for found in installed {
            if let Some(credential) = held.iter().find(|c| c.chain.id() == found.chain.id()) {
                self.ports.ledger.store_key(&credential.key)?;
            }
        }
        transition::adopt(&mut progress.state, installed, issuer, self.ports.clock.now());
        Ok(self.conclude(progress, event, DONE.to_owned())?)
    }

    /// Begins a rollover: its keys are kept before the ledger names them.
    fn begin(&self, progress: &mut Progress, begin: Begin, event: Event) -> Result<(), PassError> {
        if begin.kind == Kind::Abort
            && let Err(error) = self.give_up_brought(&progress.state)
        {
            let report = self.issue_report(&error);
            return Ok(self.fail(progress, Step::MakeKey, report, event)?);
        }
        let mut given_back = progress.state.clone();
        transition::return_standby(&mut given_back);
        let keys = match self.keys(&given_back, &begin)? {
            Ok(keys) => keys,
            Err(report) => return Ok(self.fail(progress, Step::MakeKey, report, event)?),
        };
        let now = self.ports.clock.now().wall;
        progress.warnings.extend(self.change_of_issuer(&progress.state, &begin));
        transition::begin(&mut progress.state, &begin, keys, now);
        progress.intent.request = None;
        Ok(self.conclude(progress, event, DONE.to_owned())?)
    }

    /// What somebody should know where an issuer failed too often and another takes its place.
    fn change_of_issuer(&self, state: &HostState, begin: &Begin) -> Option<Problem> {
        let other = begin.issuer_override.as_ref()?;
        let failed = other.after.as_ref()?;
        let failure = state.failures.get(&Step::Issue)?;
        Some(Problem {
            message: format!(
                "{failed} failed {} times in a row, so the certificates of {} come from {} from now \
                 on; mail is not affected. The last time: {}",
                failure.by_issuer, self.spec.name, other.issuer, failure.message
            ),
            hint: format!(
                "see what is wrong with {failed}; `rollover --abort --host {0}` gives the change up, \
                 and once it is done `rollover --new-ca {1} --host {0}` leads back",
                self.spec.name, self.spec.issuer
            ),
        })
    }

    /// Obtains a certificate.
    async fn issue(
        &self,
        progress: &mut Progress,
        bundle: BundleId,
        key_type: KeyType,
        event: Event,
    ) -> Result<(), PassError> {
        self.intend(progress, &event)?;
        let Some((issuer, begun, key)) = progress.state.bundles.get(&bundle).and_then(|b| {
            Some((b.issuer.clone(), b.created, b.credentials.get(&key_type)?.key.clone()))
        }) else {
            return Ok(());
        };
        let Some(port) = self.ports.issuers.get(&issuer) else {
            let report = FailureReport {
                message: format!("the issuer `{issuer}` is no longer in the configuration"),
                hint: "put it back, or give the rollover up with `rollover --abort`".to_owned(),
                needs_operator: true,
                not_before: None,
                by_issuer: false,
            };
            return Ok(self.fail(progress, Step::Issue, report, event)?);
        };
        let order = Order {
            id: order_id(&self.spec.name, begun, key_type, &key),
            names: self.spec.names.clone(),
            key: self.ports.ledger.load_key(&Sha256Digest::of(&key.spki))?,
            replaces: progress.state.present_leaf(key_type),
        };
        let present = progress.state.current().and_then(|bundle| bundle.chains().next());
        if let Some(report) = trial::refusal(&**port, &issuer, present) {
            return Ok(self.fail(progress, Step::Issue, report, event)?);
        }
        match port.issue(&order).await {
            Ok(chain) => {
                let anchor = port.trust_anchor(&chain);
                let leaf = chain.leaf();
                let result = format!(
                    "issued by {}: serial {}, key {}, valid until {}",
                    leaf.issuer(),
                    leaf.serial(),
                    leaf.spki_sha256().short(),
                    leaf.not_after()
                );
                let issued = Issued { chain, anchor };
                transition::conclude_issue(&mut progress.state, bundle, key_type, issued);
                Ok(self.conclude(progress, event, result)?)
            }
            Err(error) => {
                let report = self.issue_report(&error);
                Ok(self.fail(progress, Step::Issue, report, event)?)
            }
        }
    }

    /// A failed issue, as it is recorded.
    fn issue_report(&self, error: &IssueError) -> FailureReport {
        FailureReport {
            message: format!(
                "no certificate for {}: {error}; the present one stays in place",
                self.spec.name
            ),
            hint: error.hint.clone(),
            needs_operator: error.remedy == Remedy::AskOperator,
            not_before: match error.remedy {
                Remedy::RetryLater { not_before } => not_before,
                Remedy::LookAgain | Remedy::AskOperator => None,
            },
            by_issuer: error.blame == Blame::Issuer,
        }
    }

    /// Changes records of one zone.
    async fn publish(
        &self,
        progress: &mut Progress,
        zone: &crate::name::DnsName,
        changes: &[RrsetChange],
        event: Event,
    ) -> Result<(), PassError> {
        let before = progress.state.clone();
        let now = self.ports.clock.now();
        let (longest_delay, compares) =
            (self.spec.longest_delay, self.ports.publisher.compares().await);
        transition::intend_changes(&mut progress.state, changes, now, longest_delay, compares);
        self.intend(progress, &event)?;
        let error = match self.ports.publisher.replace(zone, changes).await {
            Ok(()) => {
                transition::conclude_changes(&mut progress.state, changes, &before);
                progress.state.failures.remove(&Step::Publish);
                return Ok(self.conclude(progress, event, "the primary took it".to_owned())?);
            }
            Err(error) => error,
        };
        if error.surely_without_effect() {
            transition::retract_changes(&mut progress.state, changes, &before);
        }
        if error.remedy() == Remedy::LookAgain {
            return Ok(self.conclude(progress, event, format!("not done: {error}"))?);
        }
        let report = publish_report(&error);
        Ok(self.fail(progress, Step::Publish, report, event)?)
    }

    /// Puts a bundle in place.
    async fn deploy(
        &self,
        progress: &mut Progress,
        bundle: BundleId,
        event: Event,
    ) -> Result<(), PassError> {
        let before = progress.state.clone();
        let now = self.ports.clock.now();
        transition::intend_deployment(&mut progress.state, bundle, now);
        self.intend(progress, &event)?;
        match self.deploy_bundle(progress, bundle).await? {
            Ok(output) => {
                transition::conclude_deployment(&mut progress.state, self.ports.clock.now());
                Ok(self.conclude(progress, event, output)?)
            }
            Err(error) => {
                if error.surely_without_effect() {
                    transition::retract_deployment(&mut progress.state, &before);
                }
                let (what, hint) = (error.to_string(), error.hint());
                let report =
                    self.deploy_report(&progress.state, &what, "the new certificate", hint);
                Ok(self.fail(progress, Step::Deploy, report, event)?)
            }
        }
    }

    /// Puts the former bundle back.
    async fn restore(
        &self,
        progress: &mut Progress,
        bundle: BundleId,
        because: Option<String>,
        event: Event,
    ) -> Result<(), PassError> {
        let now = self.ports.clock.now();
        if let Some(seen) = because {
            let message = format!(
                "the reload command succeeded, but {} later {seen}",
                self.spec.policy.timing.probe_timeout
            );
            let hint = "mend the reload command or the mail server; the next pass tries again";
            let report = self.deploy_report(&progress.state, &message, "the new certificate", hint);
            transition::fail(&self.spec, &mut progress.state, Step::Deploy, report, now);
        }
        progress.intent.tried.insert(Step::Deploy);
        transition::intend_deployment(&mut progress.state, bundle, now);
        self.intend(progress, &event)?;
        match self.deploy_bundle(progress, bundle).await? {
            Ok(output) => {
                transition::conclude_deployment(&mut progress.state, self.ports.clock.now());
                progress.state.failures.remove(&Step::Restore);
                Ok(self.conclude(progress, event, output)?)
            }
            Err(error) => {
                let (what, hint) = (error.to_string(), error.hint());
                let report =
                    self.deploy_report(&progress.state, &what, "the former certificate", hint);
                Ok(self.fail(progress, Step::Restore, report, event)?)
            }
        }
    }

    /// Hands a bundle with its keys to the deployer.
    async fn deploy_bundle(
        &self,
        progress: &Progress,
        bundle: BundleId,
    ) -> Result<Result<String, DeployError>, LedgerError> {
        let Some(bundle) = progress.state.bundles.get(&bundle) else {
            return Ok(Ok("nothing to deploy".to_owned()));
        };
        let mut credentials = Vec::new();
        for (key_type, credential) in &bundle.credentials {
            let Some(issued) = &credential.issued else { continue };
            let spki = Sha256Digest::of(&credential.key.spki);
            let key = self.ports.ledger.load_key(&spki)?;
            let chain: Chain = issued.chain.clone();
            credentials.push(Credential { key_type: *key_type, chain, key });
        }
        Ok(self.ports.deployer.deploy(&credentials).await.map(|deployed| {
            match deployed.output.is_empty() {
                true => DONE.to_owned(),
                false => format!("done; the command said: {}", deployed.output),
            }
        }))
    }

    /// A failed deployment, as it is recorded: what it means for mail is not taken for granted, since the
    /// server may present what somebody else has put there.
    fn deploy_report(
        &self,
        state: &HostState,
        what: &str,
        which: &str,
        hint: &str,
    ) -> FailureReport {
        let gaps = safety::gaps(&self.spec, state, &self.ports.clock.now());
        let mail = match gaps.iter().any(|gap| gap.fit.is_none()) {
            true => "what may be presented fits no record: senders that check do not deliver",
            false => "the records fit both certificates, so mail goes on",
        };
        FailureReport {
            message: format!("{which} of {} is not in service: {what}\n{mail}", self.spec.name),
            hint: hint.to_owned(),
            needs_operator: true,
            not_before: None,
            by_issuer: false,
        }
    }

    /// Revokes a certificate that is out of service.
    async fn revoke(
        &self,
        progress: &mut Progress,
        revocation: &Revocation,
        event: Event,
    ) -> Result<(), PassError> {
        self.intend(progress, &event)?;
        let leaf = revocation.chain.leaf();
        let Ok(key) = self.ports.ledger.load_key(&leaf.spki_sha256()) else {
            transition::conclude_revocation(&mut progress.state, &revocation.chain.id());
            let result = "not revoked, since its key is not held here: revoke it at its CA by hand";
            return Ok(self.conclude(progress, event, result.to_owned())?);
        };
        let result = match self.ports.issuers.get(&revocation.issuer) {
            Some(issuer) => issuer.revoke(leaf, &key).await,
            // Nobody is known who could revoke it; that is no reason to ask for ever.
            None => Ok(Revoked::NotOffered),
        };
        match result {
            Ok(revoked) => {
                transition::conclude_revocation(&mut progress.state, &revocation.chain.id());
                let result = match revoked {
                    Revoked::Revoked => "revoked",
                    Revoked::NotOffered => "the CA offers no revocation; DANE senders ask for none",
                    Revoked::ByOthers => "revoke it with the ACME client that obtained it",
                };
                Ok(self.conclude(progress, event, result.to_owned())?)
            }
            Err(error) => {
                let report = FailureReport {
                    message: format!("the certificate {} is not revoked: {error}", leaf.serial()),
                    ..self.issue_report(&error)
                };
                Ok(self.fail(progress, Step::Revoke, report, event)?)
            }
        }
    }
}

/// A failed change of records, as it is recorded.
fn publish_report(error: &PublishError) -> FailureReport {
    FailureReport {
        message: format!("{error}; the records stay as they are, and so does the certificate"),
        hint: error.hint().to_owned(),
        needs_operator: error.remedy() == Remedy::AskOperator,
        not_before: None,
        by_issuer: false,
    }
}

/// What tells an order from every other, for ever: bundles are numbered anew where a ledger is lost,
/// but no key of a host is ordered for twice at the same moment.
fn order_id(host: &str, begun: Timestamp, key_type: KeyType, key: &KeyMade) -> String {
    let digest = Sha256Digest::of(&key.spki).short();
    format!("{}-{}-{key_type}-{digest}", host.replace('.', "-"), begun.as_millis())
}
