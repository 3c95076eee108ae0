//! `[notify]`: trouble is told once, though the command fails at first, and so is its end.

use crate::lab::configuration::quick_policy;
use crate::lab::daemon::run;
use crate::lab::tool::write_private;
use crate::stage::Stage;

#[test]
fn trouble_and_its_end_are_told_though_the_command_fails_at_first() {
    let stage = Stage::usual("ncsc");
    let lab = &stage.lab;
    let (script, log) = (lab.path("tell"), lab.path("told"));
    let policy = quick_policy(lab, "ncsc");
    let lines = format!("issuer = \"house\"\npolicy = \"{}\"", policy.display());
    let notify = format!("\n[notify]\ncommand = [\"{}\"]\n", script.display());
    stage.configuration(&lines).more(&notify).write(lab);
    let key = std::fs::read_to_string(lab.bind.tsig_key()).expect("the key");
    write_private(&lab.bind.tsig_key(), &key.replace("\"rollover\"", "\"forgotten\""));

    // The program is not even there.
    let first = lab.rollover(&["--new-ca", "other"]).expect_code(1);
    assert!(first.err.contains("rollover: cannot tell by `"), "{}", first.err);
    assert!(first.err.contains("1 waiting, tried again in the next pass"), "{}", first.err);

    std::fs::write(&script, format!("#!/bin/sh\ncat >> {}\n", log.display())).expect("a script");
    run(std::process::Command::new("chmod").arg("755").arg(&script));
    let second = lab.rollover(&[]).expect_code(1);
    assert!(!second.err.contains("cannot tell"), "{}", second.err);
    write_private(&lab.bind.tsig_key(), &key);
    lab.rollover(&["--wait"]).expect_code(0);

    let text = std::fs::read_to_string(&log).expect("what was told");
    let told: Vec<serde_json::Value> = serde_json::Deserializer::from_str(&text)
        .into_iter()
        .map(|notice| notice.expect("a notice"))
        .collect();
    let kinds: Vec<_> = told.iter().map(|notice| notice["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("trouble"), Some("cleared")], "{text}");
    assert!(told[0]["text"].to_string().contains("does not know the TSIG key"), "{text}");
}
