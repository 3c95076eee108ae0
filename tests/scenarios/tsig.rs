//! Updates that the primary does not take for ours: its clock, or its key, is another. And each
//! algorithm.

use crate::lab::bind::ALGORITHMS;
use crate::lab::tool::write_private;
use crate::lab::{Lab, Options, PRIMARY};
use crate::stage::Stage;

/// The usual stage, with a primary whose clock can be set.
fn stage() -> Stage {
    let stage = Stage::new(Lab::start(Options { own_clock: true, ..Options::default() }));
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    stage.acquaint("ncsc");
    stage
}

/// Ten minutes ahead, and ten behind: the update fails, both times are told, and nothing is changed;
/// when the clocks agree, the rollover goes on by itself.
#[test]
fn clocks_that_are_apart_are_told_and_heal() {
    let stage = stage();
    let judge = stage.judge(crate::lab::judge::Demand::Any);
    let before = (stage.presented(), stage.records(PRIMARY));
    let clock = stage.lab.bind.clock.as_ref().expect("a clock of its own");
    let mut arguments = vec!["--new-ca", "other"];
    for ahead in [600, -600] {
        clock.set(ahead);
        let run = stage.lab.rollover(&arguments).expect_code(1);
        let said = format!(
            "the clocks of update server {PRIMARY}:53 and of this machine are more than 5m apart: it says "
        );
        let rest = run.err.split(&said).nth(1).unwrap_or_else(|| panic!("{}", run.err));
        let (theirs, rest) = rest.split_once(", this machine ").expect("both times");
        let (ours, _) = rest.split_once(';').expect("what it means");
        let [theirs, ours] = [theirs, ours].map(|text| {
            text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}"))
        });
        let apart = theirs.as_second() - ours.as_second();
        assert!((apart - ahead).abs() < 5, "{apart} s apart, not {ahead}: {}", run.err);
        assert!(run.err.contains("hint: set both clocks by NTP"), "{}", run.err);
        let attention = stage.lab.status()["attention"].to_string();
        assert!(attention.contains("apart"), "{attention}");
        assert_eq!((stage.presented(), stage.records(PRIMARY)), before);
        arguments.clear();
    }
    clock.set(0);
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.other);
}

/// Another secret under the key's name, another name, another algorithm; each algorithm by itself; and
/// what went wrong before is nothing to the rollover that follows.
#[test]
fn keys_that_the_primary_does_not_have_are_told_apart() {
    let stage = Stage::usual("ncsc");
    let before = stage.records(PRIMARY);
    let (file, key) = (stage.lab.path("rollover.toml"), stage.lab.path("other.key"));
    let configuration = std::fs::read_to_string(&file).expect("the configuration");
    let ours = stage.lab.bind.tsig_key().display().to_string();
    let other = configuration.replace(&ours, &key.display().to_string());
    let right = std::fs::read_to_string(&ours).expect("the key");
    let secret = right.split('"').nth(3).expect("a secret");
    let server = format!("update server {PRIMARY}:53");
    let no_secret = format!("{server} does not accept the signature of the TSIG key `rollover`");
    let no_key = format!("{server} does not know the TSIG key");
    let cases = [
        (right.replace(secret, "bm90IHRoZSByaWdodCBzZWNyZXQsIG5vdCBhdCBhbGw="), no_secret),
        (right.replace("\"rollover\"", "\"nobody\""), format!("{no_key} `nobody`")),
        (right.replace("hmac-sha256", "hmac-sha512"), format!("{no_key} `rollover`")),
    ];
    std::fs::write(&file, other).expect("the configuration");
    let mut arguments = vec!["--new-ca", "other"];
    for (text, said) in &cases {
        assert_ne!(*text, right);
        write_private(&key, text);
        let run = stage.lab.rollover(&arguments).expect_code(1);
        assert!(run.err.contains(said.as_str()), "{said}:\n{}", run.err);
        assert!(run.err.contains("  hint: "), "{}", run.err);
        assert_eq!(stage.records(PRIMARY), before);
        arguments.clear();
    }
    for algorithm in ALGORITHMS {
        // It is known, and may read; the change itself is another key's right.
        let text = std::fs::read_to_string(stage.lab.bind.key(algorithm)).expect("a key");
        write_private(&key, &text);
        let run = stage.lab.rollover(&arguments).expect_code(1);
        let said = format!("{server} refused to change");
        assert!(run.err.contains(&said), "{algorithm}:\n{}", run.err);
    }
    std::fs::write(&file, configuration).expect("the configuration");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.expect_settled(&stage.other);
}
