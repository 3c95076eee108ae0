//! Changes of an own CA: the factsheet's order, and a secondary that lags.

use crate::lab::judge::Demand;
use crate::stage::{Stage, between};

/// The factsheet's order is observable: 2 1 1 swapped, one TTL waited, only then issued and deployed,
/// then 3 1 1 swapped.
#[test]
fn a_change_of_an_own_ca_follows_the_factsheet() {
    let stage = Stage::usual("ncsc");
    let old_key = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    let run = stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.other);
    assert_ne!(stage.key_in_file(), old_key);
    assert!(run.out.contains("waiting until"), "{}", run.out);

    let events = stage.events();
    let done: Vec<&str> =
        events.iter().filter(|e| e.is_done()).map(|e| e.decision.as_str()).collect();
    let order = ["begin", "publish", "issue", "deploy", "publish", "finish"];
    assert_eq!(done[done.len() - order.len()..], order, "{events:#?}");
    let at = |decision: &str| {
        let last = events.iter().rposition(|event| event.done(decision));
        &events[last.expect("it was done")]
    };
    let bridged = events.iter().find(|event| event.done("publish")).unwrap();
    assert!(bridged.action.contains("(bridge)"), "{bridged:?}");
    assert!(
        bridged.action.contains(&format!("add {}", &stage.other.record()[..14])),
        "{bridged:?}"
    );
    let waited = between(bridged, at("issue"));
    let ttl = std::time::Duration::from_secs(u64::from(stage.lab.options.tlsa_ttl));
    assert!(ttl <= waited, "issued {waited:?} after the bridge, and the TTL is {ttl:?}");
}

/// The wait begins when the last server has let go, not when the update was sent.
#[test]
fn a_lagging_secondary_delays_the_change() {
    let stage = Stage::usual("ncsc");
    let old_key = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    let said = stage.lead_through_a_lag(&judge, &["--new-ca", "other"]);
    assert!(said.contains("name server ns2.example.nl (127.0.0.2)"), "{said}");
    let history = stage.events();
    let deployed = history.iter().rfind(|event| event.done("deploy")).unwrap();
    let bridged = history.iter().find(|event| event.done("publish")).unwrap();
    assert!(stage.ttl() * 3 < between(bridged, deployed), "not while a server lags: {history:#?}");
    assert_ne!(stage.key_in_file(), old_key);
    stage.finish(judge).expect_clean(150);
    stage.expect_settled(&stage.other);
}

/// A silent server holds the change, by name; when it is back, the next pass goes on.
#[test]
fn a_silent_secondary_holds_the_change_until_it_is_back() {
    let stage = Stage::usual("ncsc");
    let old_key = stage.key_in_file();
    stage.lab.nsd.silence();
    let run = stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    assert!(run.out.contains("name server ns2.example.nl (127.0.0.2)"), "{}", run.out);
    assert!(run.out.contains("does not answer"), "{}", run.out);
    std::thread::sleep(stage.ttl());
    stage.lab.rollover(&[]).expect_code(0);
    assert_eq!(stage.presented(), old_key, "silence is not consent");
    let status = stage.lab.status();
    assert_eq!(status["phase"], "waiting", "{status:#}");
    assert_eq!(status["rollover"]["kind"], "ca-change");
    stage.lab.nsd.wake();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.other);
}

/// The operator may leave a server out on purpose.
#[test]
fn an_ignored_server_holds_nothing() {
    let stage = Stage::usual("ncsc");
    let policy = crate::lab::configuration::quick_policy(&stage.lab, "ncsc");
    stage.configure(&format!(
        "issuer = \"house\"\npolicy = \"{}\"\nignore-name-servers = [\"ns2.example.nl\"]",
        policy.display()
    ));
    stage.lab.nsd.silence();
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    assert_eq!(stage.presented(), stage.key_in_file());
    stage.lab.nsd.wake();
    stage.wait_until_equal();
    stage.expect_settled(&stage.other);
}
