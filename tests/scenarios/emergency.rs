//! Aborts, and what was compromised.

use crate::lab::judge::Demand;
use crate::lab::{HOST, PRIMARY};
use crate::stage::Stage;

#[test]
fn an_abort_before_the_deployment_leads_back() {
    let stage = Stage::usual("ncsc");
    let old = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    assert!(stage.records(PRIMARY).contains(&stage.other.record()));
    stage.lab.rollover(&["--abort", "--wait"]).expect_code(0);
    stage.wait_until_equal();
    stage.finish(judge).expect_clean(60);
    assert_eq!(stage.key_in_file(), old);
    stage.expect_settled(&stage.house);
}

/// The new chain is in service, the final records are not out yet: the way back is the same procedure.
#[test]
fn an_abort_after_the_deployment_leads_back() {
    let stage = Stage::usual("ncsc");
    let policy = crate::lab::configuration::quick_policy_with(
        &stage.lab,
        "ncsc",
        &[("timing.drain", "20s")],
    );
    stage.configure(&format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()));
    let old = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(0);
    assert_ne!(stage.presented(), old, "deployed, and draining");
    let policy = crate::lab::configuration::quick_policy(&stage.lab, "ncsc");
    stage.configure(&format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()));
    stage.lab.rollover(&["--abort", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    assert_eq!(stage.presented(), old);
    stage.expect_settled(&stage.house);
}

/// The stolen key's record is gone at once; 2 1 1 carries on meanwhile.
#[test]
fn a_compromised_key_is_barred_at_once() {
    let stage = Stage::usual("ncsc");
    let stolen = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    let run =
        stage.lab.rollover(&["--compromised", "key", "--host", HOST, "--wait"]).expect_code(0);
    assert!(run.out.contains("publish (bar)"), "{}", run.out);
    stage.finish(judge).expect_clean(60);
    assert_ne!(stage.presented(), stolen);
    stage.expect_settled(&stage.house);
    let events = stage.events();
    let first = |decision: &str| events.iter().position(|event| event.done(decision));
    let barred = events.iter().position(|e| e.done("publish") && e.action.contains("(bar)"));
    assert!(barred < first("deploy"), "barred before anything else: {events:#?}");
}

#[test]
fn a_compromised_ca_is_barred_at_once() {
    let stage = Stage::usual("ncsc");
    let judge = stage.judge(Demand::Any);
    let run = stage.lab.rollover(&["--compromised", "ca", "--host", HOST]).expect_code(2);
    assert!(run.err.contains("name another issuer"), "{}", run.err);
    stage
        .lab
        .rollover(&["--compromised", "ca", "--new-ca", "other", "--host", HOST, "--wait"])
        .expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.other);
}

/// Under a policy with the key alone, the CA stands in until the new key is in every cache.
#[test]
fn a_compromised_key_under_dane_ee_strands_nobody() {
    let stage = Stage::new(crate::lab::Lab::usual());
    stage.publish(&[stage.key_in_file()]);
    stage.acquaint("dane-ee");
    let stolen = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--compromised", "key", "--host", HOST]).expect_code(0);
    assert!(!stage.records(PRIMARY).contains(&stolen), "{:?}", stage.records(PRIMARY));
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    assert_ne!(stage.presented(), stolen);
    stage.expect_records(&[stage.key_in_file()]);
}

/// With a standby key an emergency deploys without waiting.
#[test]
fn a_compromised_key_with_a_standby_waits_for_nothing() {
    let stage = Stage::new(crate::lab::Lab::usual());
    stage.publish(&[stage.key_in_file()]);
    stage.acquaint("current-next");
    let stolen = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--compromised", "key", "--host", HOST]).expect_code(0);
    assert_ne!(stage.presented(), stolen, "one pass was enough");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    assert!(!stage.records(PRIMARY).contains(&stolen));
}
