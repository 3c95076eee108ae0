//! Long lives in worlds in which everything goes wrong, under every shipped policy.
//!
//! `ROLLOVER_SEED=N` runs one seed, `ROLLOVER_SEEDS=N` that many. A program that misjudges the world
//! is caught: it is given a policy that waits less than the judge's, or asks less.

#![allow(clippy::disallowed_methods, reason = "the seed comes from the environment")]
#![allow(clippy::print_stdout, reason = "a test says how much it lived through")]

use rollover::pki::KeyType;
use rollover::policy::{Policy, shipped};
use rollover::sim::adversary::{Adversary, Life, Mishap};
use rollover::sim::chance::Chance;
use rollover::time::Span;
use rollover::tlsa::Fit;

/// How many seeds each policy is run with, unless the environment says otherwise.
const SEEDS: u64 = 25;

/// How many seeds a program that misjudges the world gets to strand somebody.
const SEEDS_OF_MUTANTS: u64 = 60;

/// The seeds to run.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("ROLLOVER_SEED"), number("ROLLOVER_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, many) => (1..=many.unwrap_or(SEEDS)).collect(),
    }
}

/// A shipped policy whose waits are short, so that worlds are.
fn policy(name: &str) -> Policy {
    let mut policy = shipped::by_name(name).expect("a shipped policy");
    policy.timing.margin = Span::ZERO;
    policy.timing.drain = Span::from_seconds(9);
    policy.timing.probe_timeout = Span::from_seconds(20);
    policy
}

/// A runtime for one thread: what happens in which order follows from the seed alone.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// Lives through every seed under one policy.
#[track_caller]
fn nobody_is_stranded(name: &str, key_types: &[KeyType]) {
    live(&Adversary::new(policy(name), key_types).expect("keys"), &format!("{name} {key_types:?}"));
}

/// Lives through every seed, and says how much that was.
#[track_caller]
fn live(adversary: &Adversary, name: &str) -> Life {
    let mut total = Life::default();
    for seed in seeds() {
        match runtime().block_on(adversary.live(seed)) {
            Ok(life) => total.add(&life),
            Err(mishap) => panic!("ROLLOVER_SEED={seed} {name}: {mishap}"),
        }
    }
    println!(
        "{name}: {} worlds, {} days, {} rollovers, {} fallbacks, {} crashes, {} \
         disturbances, {} passes",
        seeds().len(),
        total.span.as_seconds() / 86_400,
        total.finished,
        total.fallbacks,
        total.crashes,
        total.disturbances,
        total.passes
    );
    // A decision that never acts strands nobody: rollovers have to end, and crashes to happen.
    assert!(0 < total.finished, "{total:?}");
    assert!((0 < total.crashes && 0 < total.disturbances) || seeds().len() < 5, "{total:?}");
    total
}

/// CAs fail as often as not, so that others take their place, and fail too.
#[test]
fn nobody_is_ever_stranded_where_cas_fail_again_and_again() {
    let adversary = Adversary::new(policy("current-next"), ONE).expect("keys");
    let total = live(&adversary.beset_by(Chance::IssuerFails), "current-next");
    assert!(0 < total.fallbacks || seeds().len() < SEEDS as usize, "{total:?}");
}

/// One kind of key.
const ONE: &[KeyType] = &[KeyType::EcdsaP256];

/// Two kinds, side by side.
const TWO: &[KeyType] = &[KeyType::EcdsaP256, KeyType::Rsa2048];

#[test]
fn nobody_is_ever_stranded_under_ncsc() {
    nobody_is_stranded("ncsc", ONE);
}

#[test]
fn nobody_is_ever_stranded_under_ncsc_with_two_kinds_of_keys() {
    nobody_is_stranded("ncsc", TWO);
}

#[test]
fn nobody_is_ever_stranded_under_rfc7671() {
    nobody_is_stranded("rfc7671", ONE);
}

#[test]
fn nobody_is_ever_stranded_under_dane_ee() {
    nobody_is_stranded("dane-ee", ONE);
}

#[test]
fn nobody_is_ever_stranded_under_current_next() {
    nobody_is_stranded("current-next", ONE);
}

#[test]
fn nobody_is_ever_stranded_under_dane_ta() {
    nobody_is_stranded("dane-ta", ONE);
}

#[test]
fn nobody_is_ever_stranded_under_key_reuse() {
    nobody_is_stranded("key-reuse", ONE);
}

/// Lets a program that is given `misled` strand somebody in the worlds of `name`.
#[track_caller]
fn is_caught(name: &str, mislead: impl Fn(&mut Policy)) {
    let mut given = policy(name);
    mislead(&mut given);
    let adversary = Adversary::new(policy(name), ONE).expect("keys").misled_by(given);
    for seed in 1..=SEEDS_OF_MUTANTS {
        match runtime().block_on(adversary.live(seed)) {
            Err(Mishap::Stranded { .. }) => return println!("caught by seed {seed}"),
            Ok(_) => {}
            Err(other) => panic!("ROLLOVER_SEED={seed}: {other}"),
        }
    }
    panic!("nobody was stranded in {SEEDS_OF_MUTANTS} worlds");
}

#[test]
fn a_wait_of_no_ttl_is_caught() {
    is_caught("ncsc", |policy| policy.timing.ttl_multiple = 0);
}

#[test]
fn processes_that_live_longer_than_they_are_drained_are_caught() {
    is_caught("ncsc", |policy| policy.timing.drain = Span::ZERO);
}

#[test]
fn asking_for_less_than_each_combination_is_caught() {
    is_caught("rfc7671", |policy| policy.fit = Fit::Any);
}
