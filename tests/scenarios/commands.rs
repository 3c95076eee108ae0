//! What an operator types and reads.

use crate::lab::{HOST, PRIMARY};
use crate::stage::Stage;

/// Everything below a directory: what a command that changes nothing leaves as it was.
fn tree(directory: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else if !path.to_string_lossy().ends_with("-shm") && !path.ends_with("ledger.sqlite-wal")
        {
            // (SQLite's own way to let readers in beside a writer.)
            files.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    files.sort();
    files
}

#[test]
fn plan_and_dry_run_show_the_timeline_and_change_nothing() {
    let stage = Stage::usual("ncsc");
    let state = stage.lab.path("state");
    let before = (tree(&state), stage.records(PRIMARY), stage.key_in_file());
    let plan = stage.lab.rollover(&["plan", "--new-ca", "other"]).expect_code(0);
    let dry = stage.lab.rollover(&["--new-ca", "other", "--dry-run"]).expect_code(0);
    for run in [&plan, &dry] {
        assert!(run.out.contains("  now      begin a change of CA by other"), "{}", run.out);
        assert!(run.out.contains("bridge: publish records that fit both"), "{}", run.out);
        assert!(run.out.contains("caches have let go of the former records"), "{}", run.out);
        assert!(run.out.contains("settle"), "{}", run.out);
    }
    println!("{}", plan.out);
    assert_eq!((tree(&state), stage.records(PRIMARY), stage.key_in_file()), before);
}

#[test]
fn an_idle_pass_is_silent_and_status_tells_all() {
    let stage = Stage::usual("ncsc");
    let run = stage.lab.rollover(&[]).expect_code(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""), "cron mails what is printed");
    let status = stage.lab.status();
    for (key, wanted) in [("name", HOST), ("issuer", "house"), ("phase", "idle")] {
        assert_eq!(status[key], wanted, "{status:#}");
    }
    assert_eq!(status["certificates"][0]["key_type"], "ecdsa-p256", "{status:#}");
    assert_eq!(status["published"][0]["owner"], crate::lab::OWNER);
    assert_eq!(status["published"][0]["ttl"], 4);
    let text = stage.lab.rollover(&["status"]).expect_code(0).out;
    println!("{text}");
    assert!(text.starts_with("mail.example.nl  idle"), "{text}");
    stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    let text = stage.lab.rollover(&["status"]).expect_code(0).out;
    println!("{text}");
    assert!(text.contains("change of CA, since"), "{text}");
    assert!(text.contains("rollover --host mail.example.nl"), "{text}");
    let history = stage.lab.rollover(&["history"]).expect_code(0).out;
    println!("{history}");
    assert!(history.contains("begin a change of CA by other"), "{history}");
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_done() {
    let stage = Stage::usual("ncsc");
    let refused = |arguments: &[&str], words: &str| {
        let run = stage.lab.rollover(arguments).expect_code(2);
        assert!(run.err.contains(words), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    };
    refused(&["--new-ca"], "nothing to change to");
    refused(&["--new-ca", "house"], "nothing to change to");
    refused(&["--new-ca", "nobody"], "no issuer `nobody`");
    refused(&["--abort"], "no rollover is in flight");
    refused(&["--renew"], "--renew needs --host NAME");
    refused(&["--host", "elsewhere.example.nl"], "no host `elsewhere.example.nl`");
    refused(&["--nonsense"], "unexpected argument");
    std::fs::write(stage.lab.path("rollover.toml"), "state-dir = 3\nnonsense = 1\n").unwrap();
    refused(&[], "nonsense");
    refused(&[], "rollover.toml:1:");
}

/// The configuration's issuer was edited: `--new-ca` alone goes there, and an override is told of.
#[test]
fn new_ca_goes_where_the_configuration_now_points() {
    let stage = Stage::usual("ncsc");
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    let text = stage.lab.rollover(&["status"]).expect_code(0).out;
    assert!(text.contains("the configuration still says house"), "{text}");
    stage.lab.rollover(&["--new-ca", "--wait"]).expect_code(0);
    stage.expect_settled(&stage.house);
}

#[test]
fn tlsa_prints_the_records_of_a_file_and_of_the_live_server() {
    let stage = Stage::usual("ncsc");
    let file = stage.bundle.display().to_string();
    let options = ["--usage", "3", "--selector", "1", "--matching-type", "1", "--port", "25"];
    let of_file = [&["tlsa"][..], &options, &["--certificate", &file, HOST]].concat();
    let live = [&["tlsa"][..], &options, &[HOST]].concat();
    let data = stage.key_in_file()["3 1 1 ".len()..].to_owned();
    let line = format!("_25._tcp.mail.example.nl. IN TLSA 3 1 1 {data}\n");
    assert_eq!(stage.lab.rollover(&of_file).expect_code(0).out, line);
    assert_eq!(stage.lab.rollover(&live).expect_code(0).out, line);
    let list = stage.lab.rollover(&["policy", "list"]).expect_code(0).out;
    assert!(list.lines().count() == 6 && list.starts_with("ncsc"), "{list}");
    let shown = stage.lab.rollover(&["policy", "show", "template"]).expect_code(0).out;
    assert!(shown.contains("ttl-multiple"), "{shown}");
}

/// Long waits show themselves on a terminal, and nowhere else.
#[test]
fn a_terminal_shows_the_time_that_is_left() {
    let stage = Stage::usual("dane-ee");
    let arguments = ["--renew", "--host", HOST, "--wait"];
    let run = stage.lab.rollover_on_terminal(&arguments).expect_code(0);
    assert!(run.out.contains("mail.example.nl: ") && run.out.contains(" left: "), "{}", run.out);
    let run = stage.lab.rollover(&arguments).expect_code(0);
    assert!(!run.out.contains(" left: ") && run.err.is_empty(), "{}{}", run.out, run.err);
}
