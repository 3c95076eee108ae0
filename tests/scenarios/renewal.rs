//! Renewals from the same CA under each shipped policy.

use crate::lab::authority::Authority;
use crate::lab::judge::{Demand, Verdict};
use crate::lab::{HOST, Lab};
use crate::stage::{Stage, between};

/// A stage with these records published, acquainted under a policy.
fn stage(policy: &str, records: impl Fn(&Authority, &str) -> Vec<String>) -> Stage {
    let stage = Stage::new(Lab::usual());
    stage.publish(&records(&stage.house, &stage.key_in_file()));
    stage.acquaint(policy);
    stage
}

/// Renews, and returns what the judge found.
fn renew(stage: &Stage, demand: Demand) -> Verdict {
    let judge = stage.judge(demand);
    stage.lab.rollover(&["--renew", "--host", HOST, "--wait"]).expect_code(0);
    let verdict = stage.finish(judge);
    verdict.expect_clean(60);
    assert_eq!(stage.presented(), stage.key_in_file());
    verdict
}

/// 2 1 1 stays, 3 1 1 is new, and nothing is waited for before the deployment.
#[test]
fn under_ncsc_nothing_is_waited_for_before_the_deployment() {
    let stage = Stage::usual("ncsc");
    let old = stage.key_in_file();
    renew(&stage, Demand::Any);
    assert_ne!(stage.key_in_file(), old);
    stage.expect_settled(&stage.house);
    let events = stage.events();
    let at = |decision: &str| events.iter().position(|event| event.done(decision));
    let (issued, deployed, published) = (at("issue"), at("deploy"), at("publish"));
    assert!(issued < deployed && deployed < published, "{events:#?}");
    let waited = between(&events[issued.unwrap()], &events[deployed.unwrap()]);
    assert!(waited < stage.ttl(), "waited {waited:?} before the deployment: {events:#?}");
}

/// Both records fit at every moment, also for senders that want every combination to.
#[test]
fn under_rfc7671_every_combination_fits_at_every_moment() {
    let stage = Stage::usual("rfc7671");
    let judge = stage.judge(Demand::Each);
    renew(&stage, Demand::Any);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.house);
}

#[test]
fn under_rfc7671_a_change_of_ca_fits_every_combination_too() {
    let stage = Stage::usual("rfc7671");
    let (any, each) = (stage.judge(Demand::Any), stage.judge(Demand::Each));
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    stage.finish(any).expect_clean(60);
    stage.finish(each).expect_clean(60);
    stage.expect_settled(&stage.other);
}

#[test]
fn under_dane_ee_the_new_key_is_published_first() {
    let stage = stage("dane-ee", |_, key| vec![key.to_owned()]);
    let old = stage.key_in_file();
    renew(&stage, Demand::Each);
    assert_ne!(stage.key_in_file(), old);
    stage.expect_records(&[stage.key_in_file()]);
}

/// The standby key is in every cache already: it is deployed without a wait, and the next one made.
#[test]
fn under_current_next_the_standby_key_is_deployed_without_a_wait() {
    let stage = stage("current-next", |_, key| vec![key.to_owned()]);
    let before = stage.records(crate::lab::PRIMARY);
    assert_eq!(before.len(), 2, "the present key's and the standby key's: {before:?}");
    let old = stage.key_in_file();
    renew(&stage, Demand::Any);
    let key = stage.key_in_file();
    assert!(key != old && before.contains(&key), "the standby key was taken");
    let after = stage.records(crate::lab::PRIMARY);
    assert!(after.len() == 2 && after.contains(&key) && !after.contains(&old), "{after:?}");
    let events = stage.events();
    let issued = events.iter().find(|event| event.done("issue")).unwrap();
    let deployed = events.iter().find(|event| event.done("deploy")).unwrap();
    assert!(between(issued, deployed) < stage.ttl(), "{events:#?}");
}

#[test]
fn under_dane_ta_the_records_stay() {
    let stage = stage("dane-ta", |ca, _| vec![ca.record()]);
    let old = stage.key_in_file();
    renew(&stage, Demand::Each);
    assert_ne!(stage.key_in_file(), old);
    stage.expect_records(&[stage.house.record()]);
}

#[test]
fn under_key_reuse_the_key_and_the_records_stay() {
    let stage = Stage::usual("key-reuse");
    let (old, serial) = (stage.key_in_file(), stage.serial());
    renew(&stage, Demand::Each);
    assert_eq!(stage.key_in_file(), old);
    assert_ne!(stage.serial(), serial, "the certificate is new");
    stage.expect_settled(&stage.house);
}

/// A secondary that lags by several TTLs holds up nothing that is safe, and nothing is unsafe.
#[test]
fn a_lagging_secondary_does_not_endanger_a_renewal() {
    let stage = Stage::usual("rfc7671");
    let judge = stage.judge(Demand::Each);
    stage.lead_through_a_lag(&judge, &["--renew", "--host", HOST]);
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.house);
}

/// One that says nothing may still serve the old record: the new key waits for it.
#[test]
fn a_silent_secondary_holds_a_renewal_until_it_is_back() {
    let stage = stage("dane-ee", |_, key| vec![key.to_owned()]);
    let old = stage.key_in_file();
    let judge = stage.judge(Demand::Each);
    let said = stage.lead_through_a_silence(&judge, &["--renew", "--host", HOST]);
    assert!(said.contains("name server ns2.example.nl (127.0.0.2)"), "{said}");
    stage.finish(judge).expect_clean(60);
    assert_ne!(stage.key_in_file(), old);
    stage.expect_records(&[stage.key_in_file()]);
}
