//! The change of CA itself: as rollover does it, and in the wrong order.

use super::DemoError;
use super::stage::{self, LAG, NEW, Stage, TTL};
use crate::policy::{OnRenewal, Policy};
use crate::ports::Deployer as _;
use crate::rollover::action::{Decision, Request};
use crate::time::Span;

/// How long mail is seen to flow before the change: until every cache has been filled.
const BEFORE: Span = TTL.span();

/// How long mail is seen to flow after it.
const AFTER: Span = Span::from_millis(1500);

/// The pause between passes where nobody can tell how long a wait will take.
const PAUSE: Span = Span::from_millis(300);

/// How long all of it may take: a policy can ask for many TTLs.
const PATIENCE: Span = Span::from_seconds(180);

/// How long the wrong order's script takes from the reload to the update of the DNS.
const SCRIPT: Span = Span::from_millis(700);

/// Which way to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// As rollover does it.
    Rollover,
    /// Certificate first, records after.
    Naive,
}

/// Lets rollover take in what is there, before anything is shown.
pub(super) async fn adopt(stage: &Stage) -> Result<(), DemoError> {
    run_until_idle(stage, None).await
}

/// Mail flows, the CA changes, mail flows on. Each step is put to `note` when it is taken by hand;
/// rollover's own are in the ledger. Returns how long the change took.
pub(super) async fn perform(
    stage: &Stage,
    policy: &Policy,
    manner: Manner,
    note: &(dyn Fn(Note) + Send + Sync),
) -> Result<Span, DemoError> {
    stage.clock.sleep(BEFORE).await;
    if manner == Manner::Rollover {
        let_caches_forget(stage, policy).await?;
    }
    let begun = stage.clock.now();
    match manner {
        Manner::Rollover => {
            note(Note::Command("$ rollover --new-ca new-ca --wait"));
            run_until_idle(stage, Some(Request::NewCa(Some(NEW.to_owned())))).await?;
        }
        Manner::Naive => naive(stage, policy, note).await?,
    }
    let took = stage.clock.now().elapsed_since(&begun);
    stage.clock.sleep(AFTER).await;
    Ok(took)
}

/// Where a policy keeps keys, so that a change need not wait for caches, what they may hold from
/// before rollover's first look has to go first: as it has on a host that is not new.
async fn let_caches_forget(stage: &Stage, policy: &Policy) -> Result<(), DemoError> {
    if !policy.key.standby && policy.key.on_renewal == OnRenewal::New {
        return Ok(());
    }
    loop {
        let state = stage.pass.preview(None).await?.state;
        let held = state.histories.values().all(|history| history.versions.len() < 2);
        if held {
            return Ok(());
        }
        stage.clock.sleep(PAUSE).await;
    }
}

/// What is to be told of a change, besides what the ledger tells.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// A command is given.
    Command(&'static str),
    /// The new certificate is deployed by hand.
    Deploy,
    /// The new records are published by hand.
    Publish,
}

/// Makes passes until nothing is left to do, as `--wait` does.
async fn run_until_idle(stage: &Stage, mut request: Option<Request>) -> Result<(), DemoError> {
    let begun = stage.clock.now();
    while stage.clock.now().elapsed_since(&begun) < PATIENCE {
        let report = stage.pass.run(request.take()).await?;
        if let Some(problem) = report.attention.first() {
            return Err(DemoError::Attention(problem.message.clone()));
        }
        if matches!(report.decision, Decision::Idle { .. }) && !report.is_in_flight() {
            return Ok(());
        }
        let now = stage.clock.now().wall;
        let known = report.wake().map(|until| until.since(now));
        stage.clock.sleep(known.unwrap_or(PAUSE).max(Span::from_millis(10))).await;
    }
    Err(DemoError::Unfinished(PATIENCE))
}

/// The wrong order: the certificate goes live, and the records follow.
async fn naive(
    stage: &Stage,
    policy: &Policy,
    note: &(dyn Fn(Note) + Send + Sync),
) -> Result<(), DemoError> {
    note(Note::Command("certificate first, DNS after: what a renewal hook does"));
    let credential = stage::issue(&stage.authorities[NEW], "naive").await?;
    let rrset = stage::settled(policy, &credential.chain);
    note(Note::Deploy);
    let deployed = stage.deployer.deploy(&[credential]).await;
    deployed.map_err(|error| DemoError::Setting(error.to_string()))?;
    stage.clock.sleep(SCRIPT).await;
    stage.zone.put(rrset);
    note(Note::Publish);
    stage.clock.sleep(LAG + TTL.span()).await;
    Ok(())
}
