//! A small seeded world, and a judge that reads only its caches and listeners.
//!
//! The real `decide`, the real pass and the real ledger types run in it: servers that lag and fall
//! silent, processes that go on presenting an old chain, reloads that fail or have no effect, lost
//! answers, crashes between any two effects, CAs that sign with another key, operators who change
//! their mind. Time is virtual. `ROLLOVER_SEED=N` runs one seed, `ROLLOVER_SEEDS=N` that many.

#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::disallowed_methods, reason = "the seed comes from the environment")]
#![allow(clippy::print_stdout, reason = "a test says how much it lived through")]

mod authority;
mod ports;
mod state;

use std::sync::Arc;

use rollover::pass::{HostPass, HostPorts};
use rollover::policy::{Policy, shipped};
use rollover::rollover::action::{Decision, Request};
use rollover::time::Span;

use ports::Port;
use state::World;

/// How many seeds each policy is run with, unless the environment says otherwise.
const SEEDS: u64 = 25;

/// How many times an operator asks for something in one world.
const REQUESTS: u32 = 12;

/// What came of one world.
#[derive(Debug, Default)]
struct Outcome {
    /// Rollovers that ended.
    finished: u32,
    /// Crashes survived.
    crashes: u32,
    /// Passes made.
    passes: u32,
}

/// The seeds to run.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("ROLLOVER_SEED"), number("ROLLOVER_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, many) => (1..=many.unwrap_or(SEEDS)).collect(),
    }
}

/// A shipped policy whose waits are short, so that worlds are; the world's processes drain in time.
fn policy(name: &str) -> Arc<Policy> {
    let mut policy = shipped::by_name(name).expect("a shipped policy");
    policy.timing.margin = Span::ZERO;
    policy.timing.drain = state::OLD_PROCESS_LIVES;
    policy.timing.probe_timeout = Span::from_seconds(20);
    Arc::new(policy)
}

/// The host with the world's ports.
fn host(world: &Port, policy: &Arc<Policy>) -> HostPass {
    let ports = HostPorts {
        clock: Arc::new(world.clone()),
        dns: Arc::new(world.clone()),
        publisher: Arc::new(world.clone()),
        issuers: world.issuers(),
        deployer: Arc::new(world.clone()),
        probe: Arc::new(world.clone()),
        ledger: Arc::new(world.clone()),
    };
    HostPass::new(state::config(policy), ports)
}

/// What the operator asks for next.
fn request(world: &Port) -> Request {
    let issuer = ["house", "other", "drifting"][world.below(3)].to_owned();
    match world.below(12) {
        0..=3 => Request::Renew,
        4..=7 => Request::NewCa(Some(issuer)),
        8 => Request::CompromisedKey,
        9 => Request::CompromisedCa(Some(issuer)),
        10 => Request::Abort,
        _ => Request::Withdraw,
    }
}

/// Lives through one world.
async fn live(seed: u64, policy: &Arc<Policy>) -> Outcome {
    let world = Port::new(World::new(seed, policy));
    let mut outcome = Outcome::default();
    for number in 0..REQUESTS {
        let mut asked = (0 < number).then(|| request(&world));
        // Half-way through a rollover the next request may come.
        let patience = if world.below(3) == 0 { 1 + world.below(6) } else { 400 };
        for _ in 0..patience {
            // A new process each time: only the ledger and the world remain.
            let host = host(&world, policy);
            outcome.passes += 1;
            let run = tokio::select! {
                run = host.run(asked.take()) => Some(run),
                () = world.crashed() => None,
            };
            match run {
                None => outcome.crashes += 1,
                Some(Ok(report)) if !report.is_in_flight() => {
                    outcome.finished += 1;
                    break;
                }
                Some(Ok(report)) => {
                    let wake = report.wake().map(|at| at.since(world.now()));
                    world.pass_time(
                        wake.unwrap_or(Span::from_seconds(5)).min(Span::from_seconds(30)),
                    );
                }
                Some(Err(rollover::pass::PassError::Request(_))) => break,
                Some(Err(error)) => panic!("ROLLOVER_SEED={seed} {}: {error}", policy.name),
            }
            world.expect_nobody_stranded(seed, policy);
        }
        world.pass_time(Span::from_seconds(u64::try_from(world.below(120)).unwrap_or(0)));
        world.expect_nobody_stranded(seed, policy);
    }
    // A fair world at the end: what is in flight ends.
    world.be_fair();
    for _ in 0..400 {
        let report = host(&world, policy).run(None).await.expect("a fair world has no errors");
        if matches!(report.decision, Decision::Stuck(_)) {
            // What is asked for next was compromised: the operator has to choose another CA.
            let issuer = ["house", "other", "drifting"][world.below(3)].to_owned();
            let _ = host(&world, policy).run(Some(Request::NewCa(Some(issuer)))).await;
            continue;
        }
        if !report.is_in_flight() {
            outcome.finished += 1;
            world.expect_nobody_stranded(seed, policy);
            return outcome;
        }
        let wake = report.wake().map(|at| at.since(world.now()));
        world.pass_time(wake.unwrap_or(Span::from_seconds(5)).min(Span::from_seconds(60)));
        world.expect_nobody_stranded(seed, policy);
    }
    let report = host(&world, policy).run(None).await.expect("a fair world has no errors");
    panic!("ROLLOVER_SEED={seed} {}: it never ends: {:#?}", policy.name, report.decision);
}

/// Lives through every seed under one policy.
fn run(name: &str) {
    let policy = policy(name);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut total = Outcome::default();
    for seed in seeds() {
        let outcome = runtime.block_on(live(seed, &policy));
        total.finished += outcome.finished;
        total.crashes += outcome.crashes;
        total.passes += outcome.passes;
    }
    println!("{name}: {total:?}");
    // A decision that never acts strands nobody: rollovers have to end, and crashes to happen.
    assert!(0 < total.finished, "{total:?}");
    assert!(0 < total.crashes || seeds().len() < 5, "{total:?}");
}

#[test]
fn nobody_is_ever_stranded_under_ncsc() {
    run("ncsc");
}

#[test]
fn nobody_is_ever_stranded_under_rfc7671() {
    run("rfc7671");
}

#[test]
fn nobody_is_ever_stranded_under_dane_ee() {
    run("dane-ee");
}

#[test]
fn nobody_is_ever_stranded_under_current_next() {
    run("current-next");
}

#[test]
fn nobody_is_ever_stranded_under_dane_ta() {
    run("dane-ta");
}

#[test]
fn nobody_is_ever_stranded_under_key_reuse() {
    run("key-reuse");
}
