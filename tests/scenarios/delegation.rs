//! A server that was taken out of the zone, and that the zone above still names.

use crate::lab::configuration::quick_policy;
use crate::lab::judge::Demand;
use crate::lab::{FORMER, Lab, Options};
use crate::stage::Stage;

/// A stage whose zone has such a server.
fn stage() -> Stage {
    let options = Options { has_stale_delegation: true, ..Options::default() };
    let stage = Stage::new(Lab::start(options));
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    stage.acquaint("ncsc");
    stage
}

/// Resolvers go on asking it, so what it serves counts: while it lags, nothing is deployed that its
/// records do not fit.
#[test]
fn a_server_that_only_the_zone_above_names_is_waited_for() {
    let stage = stage();
    let former = stage.lab.former.as_ref().expect("there is one");
    let (old_key, before) = (stage.key_in_file(), stage.records(FORMER));
    assert_eq!(before.len(), 2, "it serves the zone");
    let judge = stage.judge(Demand::Any);
    former.lag();
    let child = stage.lab.start_rollover(&["--new-ca", "other", "--wait"]);
    judge.go_on(stage.ttl() * 3);
    assert_eq!(stage.records(FORMER), before, "it lags");
    assert_eq!(stage.presented(), old_key, "nothing is deployed meanwhile");
    former.catch_up();
    let output = child.wait_with_output().expect("the tool ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("name server ns3.example.nl (127.0.0.3)"), "{said}");
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.other);
}

/// What the zone above says is not known: it may name such a server. The operator may leave it out.
#[test]
fn a_zone_above_that_says_nothing_holds_until_it_is_left_out() {
    let stage = stage();
    let parent = stage.lab.parent.as_ref().expect("there is one");
    parent.silence();
    let run = stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    let words = "waiting for name server nl, which does not answer (it does not say whom it delegates \
                 example.nl to (";
    assert!(run.out.contains(words), "{}", run.out);
    std::thread::sleep(stage.ttl());
    stage.lab.rollover(&[]).expect_code(0);
    stage.expect_records(&[stage.other.record(), stage.key_in_file()]);
    let policy = quick_policy(&stage.lab, "ncsc");
    stage.configure(&format!(
        "issuer = \"house\"\npolicy = \"{}\"\nignore-name-servers = [\"nl\"]",
        policy.display()
    ));
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.expect_settled(&stage.other);
}
