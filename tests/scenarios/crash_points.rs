//! Ended at every place between two effects, by every procedure, and run again.
//!
//! A run without a crash tells the places. The usual run of the tests ends the program at the first
//! and the last time that it comes by each; `ROLLOVER_ALL_CRASH_POINTS=1` at every single time.

use std::collections::BTreeMap;

use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::judge::Demand;
use crate::lab::pebble::Pebble;
use crate::lab::{HOST, Lab, Options, PRIMARY};
use crate::stage::Stage;

/// What the program is run for, over and over: the first of these that makes sense.
type Procedure<'a> = &'a [&'a [&'a str]];

/// A lab whose TTL is as short as a TTL can be.
fn lab() -> Lab {
    Lab::start(Options { tlsa_ttl: 1, ..Options::default() })
}

/// A stage with both records published, acquainted under a policy.
fn stage(policy: &str) -> Stage {
    let stage = Stage::new(lab());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    stage.acquaint(policy);
    stage
}

/// The places that a run comes by, in order.
fn places(stage: &Stage, procedure: Procedure<'_>) -> Vec<String> {
    let log = stage.lab.path("places");
    run(stage, procedure, &[("ROLLOVER_CRASH_LOG", &log.display().to_string())]);
    let text = std::fs::read_to_string(&log).expect("the program has crash points");
    text.lines().map(str::to_owned).collect()
}

/// Runs a procedure to its end, or to where the environment ends it.
fn run(stage: &Stage, procedure: Procedure<'_>, environment: &[(&str, &str)]) -> i32 {
    let mut said = String::new();
    for arguments in procedure {
        let run = stage.lab.rollover_with(arguments, environment);
        said = format!("exit code {}:\n{}", run.code, run.err);
        if run.code == -1 || run.code == 0 {
            return run.code;
        }
        assert!(run.err.contains("nothing to change to"), "{said}");
    }
    panic!("{said}");
}

/// The numbers of the places to end the program at.
fn chosen(places: &[String]) -> Vec<usize> {
    if std::env::var("ROLLOVER_ALL_CRASH_POINTS").is_ok() {
        return (1..=places.len()).collect();
    }
    let mut ends: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (number, place) in (1..).zip(places) {
        ends.entry(place).or_insert((number, number)).1 = number;
    }
    let mut chosen: Vec<usize> = ends.values().flat_map(|(first, last)| [*first, *last]).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Ends the program at every chosen place of a procedure, and runs it again.
fn end_everywhere(stage: &Stage, procedure: Procedure<'_>) {
    let judge = stage.judge(Demand::Any);
    let places = places(stage, procedure);
    let mut ended = 0;
    for number in chosen(&places) {
        let place = &places[number - 1];
        if run(stage, procedure, &[("ROLLOVER_CRASH_AT", &number.to_string())]) == -1 {
            ended += 1;
        }
        let again = stage.lab.rollover(&["--wait"]);
        assert_eq!(again.code, 0, "ended at {number}, {place}:\n{}{}", again.out, again.err);
        let status = stage.lab.status();
        assert_eq!(status["phase"], "idle", "ended at {number}, {place}: {status:#}");
        assert_eq!(stage.presented(), stage.key_in_file(), "ended at {number}, {place}");
        let present = stage.records(PRIMARY);
        assert!(present.contains(&stage.key_in_file()), "ended at {number}, {place}: {present:?}");
        assert_eq!(present.len(), 2, "ended at {number}, {place}: {present:?}");
    }
    println!("{} places, ended at {ended} of them", places.len());
    assert!(10 < ended, "the program was ended {ended} times alone");
    stage.wait_until_equal();
    stage.finish(judge).expect_clean(60);
}

#[test]
fn in_a_renewal() {
    end_everywhere(&stage("ncsc"), &[&["--renew", "--host", HOST, "--wait"]]);
}

#[test]
fn in_a_change_of_ca() {
    let either = [["--new-ca", "other", "--wait"], ["--new-ca", "house", "--wait"]];
    end_everywhere(&stage("ncsc"), &[&either[0], &either[1]]);
}

#[test]
fn in_a_change_of_an_acme_ca() {
    let stage = Stage::new(lab());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let a = Pebble::start(&stage.lab, "pebble-a", 14_000);
    let b = Pebble::start(&stage.lab, "pebble-b", 15_100);
    let policy = quick_policy(&stage.lab, "ncsc");
    let host = format!("issuer = \"a\"\npolicy = \"{}\"", policy.display());
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .acme("a", &a)
        .acme("b", &b)
        .host(&host, &stage.bundle, &stage.postfix.reload())
        .write(&stage.lab);
    stage.get_acquainted();
    stage.lab.rollover(&["--new-ca", "a", "--wait"]).expect_code(0);
    let either = [["--new-ca", "a", "--wait"], ["--new-ca", "b", "--wait"]];
    end_everywhere(&stage, &[&either[0], &either[1]]);
}
