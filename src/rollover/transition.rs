//! How a host's state changes by what is done: before each act, and after it.
//!
//! The write-ahead halves (`begin`, `intend_*`) are recorded before the act, the others after it. A
//! crash in between leaves a state that is at worst too careful.

use std::collections::BTreeMap;

use super::action::{Begin, RrsetChange, Toward};
use super::observation::Installed;
use super::presentable::Presentable;
use super::spec::HostSpec;
use super::state::{
    Barred, Bundle, BundleCredential, BundleId, Failure, HostState, Issued, KeyMade, Kind,
    Revocation, Rollover, Step, Target,
};
use crate::pki::{Certificate, ChainId, KeyType};
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::Usage;

/// Takes the credentials found in place as the present bundle.
pub fn adopt(state: &mut HostState, installed: &[Installed], issuer: &str, now: Moment) {
    let credentials = installed
        .iter()
        .map(|found| {
            let key = KeyMade { spki: found.chain.leaf().spki().to_vec(), at: now.wall };
            let issued = Issued { chain: found.chain.clone(), anchor: found.anchor.clone() };
            (found.key_type, BundleCredential { key, issued: Some(issued) })
        })
        .collect();
    let bundle = Bundle { issuer: issuer.to_owned(), created: now.wall, credentials };
    let id = add_bundle(state, bundle);
    state.current = Some(id);
    intend_deployment(state, id, now);
    conclude_deployment(state, now);
}

/// Numbers a new bundle.
fn add_bundle(state: &mut HostState, bundle: Bundle) -> BundleId {
    let id = BundleId(state.next_bundle);
    state.next_bundle += 1;
    state.bundles.insert(id, bundle);
    id
}

/// Bars keys and CAs from what is published from now on.
pub fn bar(state: &mut HostState, bar: &[(Usage, Certificate)]) {
    for (usage, certificate) in bar {
        let barred = Barred { usage: *usage, certificate: certificate.clone() };
        if !state.barred.contains(&barred) {
            state.barred.push(barred);
        }
    }
}

/// Begins a rollover, with the keys that were made or taken for it. Whatever was in flight before
/// is given up: served chains and cached versions are tracked on their own.
pub fn begin(
    state: &mut HostState,
    begin: &Begin,
    keys: BTreeMap<KeyType, KeyMade>,
    now: Timestamp,
) {
    bar(state, &begin.bar);
    if begin.revoke
        && let Some(current) = state.current().cloned()
    {
        let issuer = current.issuer.clone();
        let revoke = current.chains().cloned();
        let revocations = revoke.map(|chain| Revocation { issuer: issuer.clone(), chain });
        state.to_revoke.extend(revocations);
    }
    if begin.kind == Kind::Abort {
        take_back_bars(state);
    }
    let from = match &state.rollover {
        Some(rollover) => rollover.from,
        None => state.current,
    };
    return_standby(state);
    let took_standby = state.standby.values().any(|key| keys.values().any(|k| k.spki == key.spki));
    let target = match &begin.toward {
        Toward::Existing(id) => Target::Bundle(*id),
        Toward::NoRecords => Target::NoRecords,
        Toward::New { issuer, .. } => {
            state.standby.retain(|_, key| !keys.values().any(|k| k.spki == key.spki));
            let credentials = keys
                .into_iter()
                .map(|(key_type, key)| (key_type, BundleCredential { key, issued: None }))
                .collect();
            let bundle = Bundle { issuer: issuer.clone(), created: now, credentials };
            Target::Bundle(add_bundle(state, bundle))
        }
    };
    let stays = match &begin.toward {
        // The next certificate is of the issuer that takes the configured one's place already.
        Toward::New { issuer, .. } => {
            state.issuer_override.as_ref().is_some_and(|other| other.issuer == *issuer)
        }
        Toward::Existing(_) | Toward::NoRecords => begin.kind != Kind::Abort,
    };
    if begin.issuer_override.is_some() || !stays {
        state.issuer_override.clone_from(&begin.issuer_override);
    }
    if begin.reenters {
        state.withdrawn = false;
    }
    state.failures.clear();
    state.rollover = Some(Rollover { kind: begin.kind, started: now, target, from, took_standby });
}

/// Takes back what a compromise that is given up barred: the operator says that it was none.
fn take_back_bars(state: &mut HostState) {
    let Some(rollover) = state.rollover.as_ref().filter(|r| r.kind == Kind::Compromise) else {
        return;
    };
    let Some(former) = rollover.from.and_then(|id| state.bundles.get(&id)) else { return };
    let named: Vec<Certificate> =
        former.chains().flat_map(|chain| chain.certificates().to_vec()).collect();
    let ids = former.chain_ids();
    state.barred.retain(|barred| !named.contains(&barred.certificate));
    state.to_revoke.retain(|revocation| !ids.contains(&revocation.chain.id()));
}

/// Gives the keys of an unfinished rollover back to the standby: a failed order uses none up.
pub fn return_standby(state: &mut HostState) {
    let took = state.rollover.as_ref().is_some_and(|rollover| rollover.took_standby);
    let Some((_, target)) = state.target() else {
        return;
    };
    if !took || target.credentials.values().any(|credential| credential.issued.is_some()) {
        return;
    }
    let keys: Vec<_> =
        target.credentials.iter().map(|(key_type, c)| (*key_type, c.key.clone())).collect();
    state.standby.extend(keys);
}

/// Records a standby key that was made, or that the client behind the host's issuer prepared.
///
/// One that it takes the place of is remembered until the next rollover is done: its record is ours,
/// and has to go.
pub fn add_standby(state: &mut HostState, key_type: KeyType, key: KeyMade) {
    let created = key.at;
    let Some(former) = state.standby.insert(key_type, key) else { return };
    let credentials = [(key_type, BundleCredential { key: former, issued: None })].into();
    add_bundle(state, Bundle { issuer: String::new(), created, credentials });
}

/// Records a chain that was issued.
pub fn conclude_issue(state: &mut HostState, bundle: BundleId, key_type: KeyType, issued: Issued) {
    if let Some(credential) =
        state.bundles.get_mut(&bundle).and_then(|b| b.credentials.get_mut(&key_type))
    {
        credential.issued = Some(issued);
    }
    state.failures.remove(&Step::Issue);
    // The issued chain tells what the configuration could not: this is a change of CA.
    let anchors = |id: Option<BundleId>| -> Vec<Vec<u8>> {
        let bundle = id.and_then(|id| state.bundles.get(&id));
        bundle.map(Bundle::anchors).unwrap_or_default().iter().map(|a| a.spki().to_vec()).collect()
    };
    let before = anchors(state.rollover.as_ref().and_then(|rollover| rollover.from));
    let another = !before.is_empty() && !anchors(Some(bundle)).iter().all(|a| before.contains(a));
    if let Some(rollover) = &mut state.rollover
        && rollover.kind == Kind::Renewal
        && another
    {
        rollover.kind = Kind::CaChange;
    }
}

/// Records that updates are about to be sent, to a primary that compares and swaps or does not.
pub fn intend_changes(
    state: &mut HostState,
    changes: &[RrsetChange],
    now: Moment,
    longest_delay: Span,
    compares: bool,
) {
    for change in changes {
        for owner in &change.owners {
            let history = state.histories.entry(owner.clone()).or_default();
            let expects = compares.then_some(&change.observed);
            history.intend(expects, &change.desired, now, longest_delay);
        }
    }
}

/// Records that the primary took the updates; `before` is the state before they were intended.
pub fn conclude_changes(state: &mut HostState, changes: &[RrsetChange], before: &HostState) {
    for change in changes {
        for owner in &change.owners {
            let former = before.histories.get(owner).cloned().unwrap_or_default();
            if let Some(history) = state.histories.get_mut(owner) {
                history.answer(&change.desired, &former);
            }
        }
    }
}

/// Forgets updates that were surely without effect; `before` is the state before they were intended.
pub fn retract_changes(state: &mut HostState, changes: &[RrsetChange], before: &HostState) {
    for change in changes {
        for owner in &change.owners {
            let former = before.histories.get(owner).cloned().unwrap_or_default();
            if let Some(history) = state.histories.get_mut(owner) {
                history.retract(&change.desired, &former);
            }
        }
    }
}

/// Records that a bundle is about to be put where the server reads it.
pub fn intend_deployment(state: &mut HostState, bundle: BundleId, now: Moment) {
    let chains: Vec<Presentable> = match state.bundles.get(&bundle) {
        Some(bundle) => bundle.presentables(&[]),
        None => Vec::new(),
    };
    state.served.intend(bundle, chains, now);
}

/// Forgets a deployment that was surely without effect; `before` is the state before it was intended.
pub fn retract_deployment(state: &mut HostState, before: &HostState) {
    state.served.deployment.clone_from(&before.served.deployment);
}

/// Records that the files are in place and the reload succeeded.
pub fn conclude_deployment(state: &mut HostState, now: Moment) {
    if let Some(deployment) = &mut state.served.deployment {
        deployment.done = Some(now);
    }
}

/// Records that a certificate was revoked.
pub fn conclude_revocation(state: &mut HostState, revoked: &ChainId) {
    state.to_revoke.retain(|revocation| revocation.chain.id() != *revoked);
    state.failures.remove(&Step::Revoke);
}

/// Records that the rollover in flight is done: what is neither present nor served is forgotten.
pub fn finish(state: &mut HostState) {
    let Some(rollover) = state.rollover.take() else {
        return;
    };
    match rollover.target {
        Target::Bundle(id) => state.current = Some(id),
        Target::NoRecords => {
            state.withdrawn = rollover.kind == Kind::Withdrawal;
            let deployed = state.served.deployment.as_ref().map(|deployment| deployment.bundle);
            state.current = deployed.or(state.current);
        }
    }
    let deployed = state.served.deployment.as_ref().map(|deployment| deployment.bundle);
    let keep = [state.current, deployed];
    state.bundles.retain(|id, _| keep.contains(&Some(*id)));
    state.failures.retain(|step, _| *step == Step::Revoke);
}

/// How a failure is to be recorded.
#[derive(Clone, Debug)]
pub struct FailureReport {
    /// What happened, and what it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether somebody has to do something.
    pub needs_operator: bool,
    /// How long the other side asked to be left alone.
    pub not_before: Option<Span>,
    /// Whether it was the issuer itself that failed.
    pub by_issuer: bool,
}

/// Records that a step failed, and when it may be tried again.
pub fn fail(
    spec: &HostSpec,
    state: &mut HostState,
    step: Step,
    report: FailureReport,
    now: Moment,
) {
    let (count, by_issuer) =
        state.failures.get(&step).map_or((0, 0), |failure| (failure.count, failure.by_issuer));
    let count = count.saturating_add(1);
    let by_issuer = if report.by_issuer { by_issuer.saturating_add(1) } else { 0 };
    let pause = spec.policy.retry.pause(count).max(report.not_before.unwrap_or(Span::ZERO));
    let failure = Failure {
        count,
        by_issuer,
        at: now,
        not_before: now.wall + pause,
        message: report.message,
        hint: report.hint,
        needs_operator: report.needs_operator,
    };
    state.failures.insert(step, failure);
}
