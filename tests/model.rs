//! The exhaustive search: every shipped policy, and programs that get it wrong.
//!
//! `ROLLOVER_FAULTS=N` and `ROLLOVER_CHANGES_OF_MIND=N` look further than every run of the tests does.

#![allow(clippy::disallowed_methods, reason = "how far to look comes from the environment")]
#![allow(clippy::print_stdout, reason = "a test says how much it looked at")]

use rollover::policy::{Policy, shipped};
use rollover::sim::model::{Explored, Finding, Limits, Procedure, Search};
use rollover::time::Span;
use rollover::tlsa::Fit;

/// How far every run looks.
const LIMITS: Limits = Limits { faults: 1, changes_of_mind: 0, states: 500_000 };

/// How far to look: as the environment says, or as every run does.
fn limits() -> Limits {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match (number("ROLLOVER_FAULTS"), number("ROLLOVER_CHANGES_OF_MIND")) {
        (None, None) => LIMITS,
        (faults, minds) => Limits {
            faults: faults.unwrap_or(0),
            changes_of_mind: minds.unwrap_or(0),
            states: 20_000_000,
        },
    }
}

/// A shipped policy.
fn policy(name: &str) -> Policy {
    shipped::by_name(name).expect("a shipped policy")
}

/// Looks at every state of every procedure under a policy.
#[track_caller]
fn explore(name: &str) {
    let search = Search::new(policy(name)).expect("a world");
    for procedure in Procedure::ALL {
        let limits = limits();
        let found = search.explore(procedure, limits);
        let Explored { states, transitions, stuck, passes, is_cut_short } =
            found.unwrap_or_else(|found| panic!("{name} {}: {found}", procedure.as_str()));
        println!(
            "| {name} | {} | {} | {} | {states} | {transitions} | {stuck} | {passes} |",
            procedure.as_str(),
            limits.faults,
            limits.changes_of_mind
        );
        assert!(!is_cut_short, "there is more to look at");
        assert!(20 < states, "too few to mean anything");
    }
}

#[test]
fn nothing_goes_wrong_under_ncsc() {
    explore("ncsc");
}

#[test]
fn nothing_goes_wrong_under_rfc7671() {
    explore("rfc7671");
}

#[test]
fn nothing_goes_wrong_under_dane_ee() {
    explore("dane-ee");
}

#[test]
fn nothing_goes_wrong_under_current_next() {
    explore("current-next");
}

#[test]
fn nothing_goes_wrong_under_dane_ta() {
    explore("dane-ta");
}

#[test]
fn nothing_goes_wrong_under_key_reuse() {
    explore("key-reuse");
}

/// What an operator asks for half-way leads to an end too: `--abort` above all.
#[test]
fn a_change_of_mind_ends() {
    let search = Search::new(policy("dane-ee")).expect("a world");
    let limits = Limits { faults: 0, changes_of_mind: 1, ..LIMITS };
    for procedure in Procedure::ALL {
        let found = search.explore(procedure, limits);
        let explored = found.unwrap_or_else(|found| panic!("{}: {found}", procedure.as_str()));
        assert!(!explored.is_cut_short && 1000 < explored.states, "{explored:?}");
    }
}

/// Waits without a margin, of which every part counts: the judge's caches hold until the last
/// instant, unseen instances of a server lag, and some caches raise small TTLs.
#[test]
fn nothing_goes_wrong_with_waits_that_are_exact() {
    for name in ["ncsc", "dane-ee"] {
        let mut exact = policy(name);
        exact.timing.margin = Span::ZERO;
        exact.timing.propagation_holdoff = Span::from_seconds(7);
        exact.timing.minimum_wait = Span::from_seconds(40);
        let search = Search::new(exact).expect("a world");
        for procedure in [Procedure::CaChange, Procedure::UnknownCa] {
            let explored = search
                .explore(procedure, LIMITS)
                .unwrap_or_else(|found| panic!("{name} {}: {found}", procedure.as_str()));
            assert!(!explored.is_cut_short && 100 < explored.states, "{explored:?}");
        }
    }
}

/// A program that is given `misled` strands somebody in the worlds of `name`; how, as a timeline.
#[track_caller]
fn caught(name: &str, procedure: Procedure, mislead: impl Fn(&mut Policy)) -> String {
    let mut given = policy(name);
    mislead(&mut given);
    let search = Search::new(policy(name)).expect("a world").misled_by(given);
    match search.explore(procedure, LIMITS) {
        Err(found @ Finding::Stranded(_)) => found.to_string(),
        Err(other) => panic!("{other}"),
        Ok(explored) => panic!("nobody was stranded: {explored:?}"),
    }
}

#[test]
fn a_wait_of_no_ttl_is_caught_and_told() {
    let story = caught("ncsc", Procedure::CaChange, |policy| {
        policy.timing.ttl_multiple = 0;
        policy.timing.margin = Span::ZERO;
    });
    println!("{story}");
}

#[test]
fn processes_that_live_longer_than_they_are_drained_are_caught() {
    caught("ncsc", Procedure::CaChange, |policy| policy.timing.drain = Span::ZERO);
}

#[test]
fn asking_for_less_than_each_combination_is_caught() {
    caught("rfc7671", Procedure::Renewal, |policy| policy.fit = Fit::Any);
}
