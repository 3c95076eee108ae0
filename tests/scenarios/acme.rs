//! ACME CAs whose keys nobody knows beforehand: real Pebbles, validated over dns-01.

use crate::lab::Lab;
use crate::lab::configuration::{Configuration, quick_policy_with};
use crate::lab::judge::Demand;
use crate::lab::pebble::Pebble;
use crate::lab::{HOST, MAIL, PRIMARY};
use crate::stage::Stage;

/// A stage whose certificate is of a Pebble, acquainted under a policy.
fn stage(policy: &str) -> (Stage, Pebble, Pebble) {
    stage_with(policy, "", |_| String::new())
}

/// The same with more lines for the host, and more of the configuration.
fn stage_with(policy: &str, lines: &str, more: impl Fn(&Lab) -> String) -> (Stage, Pebble, Pebble) {
    let stage = Stage::new(Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let pebbles = (
        Pebble::start(&stage.lab, "pebble-a", 14_000),
        Pebble::start(&stage.lab, "pebble-b", 15_100),
    );
    let policy = quick_policy_with(&stage.lab, policy, &[("retry.max", "1s")]);
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .acme("a", &pebbles.0)
        .acme_with(
            "b",
            &pebbles.1,
            &format!("challenge = \"http-01\"\nhttp-listen = \"{MAIL}:80\"\n"),
        )
        .host(
            &format!("issuer = \"a\"\npolicy = \"{}\"\n{lines}", policy.display()),
            &stage.bundle,
            &stage.postfix.reload(),
        )
        .more(&more(&stage.lab))
        .write(&stage.lab);
    stage.get_acquainted();
    stage.lab.rollover(&["--new-ca", "--wait"]).expect_code(0);
    (stage, pebbles.0, pebbles.1)
}

/// The two records that the mail server's own chain stands for.
fn own_records(stage: &Stage) -> Vec<String> {
    let status = stage.lab.status();
    let certificate = &status["certificates"][0];
    let digest = |key: &str| certificate[key].as_str().unwrap_or_default().to_owned();
    vec![
        format!("2 1 1 {}", digest("anchor_spki_sha256")),
        format!("3 1 1 {}", digest("spki_sha256")),
    ]
}

#[test]
fn from_one_acme_ca_to_another() {
    let (stage, _a, _b) = stage("ncsc");
    let before = own_records(&stage);
    stage.expect_records(&before);
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "b", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    let after = own_records(&stage);
    assert!(before.iter().all(|record| !after.contains(record)), "{before:?} {after:?}");
    stage.expect_records(&after);
    assert_eq!(stage.presented(), stage.key_in_file());
    assert_eq!(stage.lab.status()["issuer"], "b");
    let account = |arguments: &[&str]| {
        stage.lab.rollover(&[&["account"], arguments].concat()).expect_code(0).out
    };
    let (both, of_b) = (account(&[]), account(&["b"]));
    assert!(both.ends_with(&of_b) && both.starts_with("a  https://127.0.0.1:14000/"), "{both}");
    assert!(
        of_b.contains("  status    valid\n  contact   mailto:hostmaster@example.nl\n"),
        "{of_b}"
    );
    let planned = account(&["b", "--new-key", "--dry-run"]);
    assert_eq!(planned, format!("{of_b}  would     get another key\n"));
    assert_ne!(account(&["b", "--new-key"]), of_b);
    stage.lab.rollover(&["account", "house"]).expect_code(2);
    stage.lab.rollover(&["--renew", "--host", HOST, "--wait"]).expect_code(0);
    let challenges = stage.lab.bind.txt(PRIMARY, &format!("_acme-challenge.{HOST}."));
    assert!(challenges.is_empty(), "left behind: {challenges:?}");
}

/// The CA signs with another key than last time, and nobody announced it: the issued chain is held
/// back, and the records lead.
#[test]
fn an_unannounced_change_of_ca_is_held_back_and_bridged() {
    let (stage, mut a, _b) = stage("ncsc");
    let before = own_records(&stage);
    let judge = stage.judge(Demand::Any);
    a.restart(&stage.lab);
    stage.lab.rollover(&["--renew", "--host", HOST, "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    let after = own_records(&stage);
    assert_ne!(before[0], after[0], "the CA is another");
    stage.expect_records(&after);
    let events = stage.events();
    let last = |decision: &str| events.iter().rposition(|event| event.done(decision)).unwrap();
    let bridged = events.iter().rposition(|e| e.done("publish") && e.action.contains("(bridge)"));
    assert!(last("issue") < bridged.unwrap(), "issued first, and held: {events:#?}");
    assert!(bridged.unwrap() < last("deploy"), "{events:#?}");
}

/// The same under a policy that wants every combination to fit, and with the secondary lagging.
#[test]
fn an_unannounced_change_with_a_lagging_secondary_under_rfc7671() {
    let (stage, mut a, _b) = stage("rfc7671");
    let judge = stage.judge(Demand::Each);
    a.restart(&stage.lab);
    stage.lead_through_a_lag(&judge, &["--renew", "--host", HOST]);
    stage.finish(judge).expect_clean(100);
    stage.expect_records(&own_records(&stage));
}

/// The proof over dns-01 waits for every server, and so does what follows: first while the secondary
/// lags, then back again while it says nothing.
#[test]
fn there_and_back_with_a_secondary_in_trouble() {
    let (stage, _a, _b) = stage("ncsc");
    let judge = stage.judge(Demand::Any);
    stage.lead_through_a_lag(&judge, &["--new-ca", "b"]);
    assert_eq!(stage.lab.status()["issuer"], "b");
    stage.lead_through_a_silence(&judge, &["--new-ca", "a"]);
    stage.finish(judge).expect_clean(100);
    assert_eq!(stage.lab.status()["issuer"], "a");
    stage.expect_records(&own_records(&stage));
    assert_eq!(stage.presented(), stage.key_in_file());
}

/// The CA is away: nothing is lost, the present certificate stays, and it is tried again; with the
/// place of the proofs delegated meanwhile to another name, as to a zone of its own.
#[test]
fn an_absent_ca_is_tried_again() {
    let (stage, mut a, _b) = stage("ncsc");
    let before = (stage.presented(), stage.records(PRIMARY));
    a.stop();
    let run = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(0);
    assert!(run.out.contains("failed: no certificate for mail.example.nl"), "{}", run.out);
    assert_eq!((stage.presented(), stage.records(PRIMARY)), before);
    let status = stage.lab.status();
    assert_eq!(status["phase"], "issuing", "{status:#}");
    a.restart(&stage.lab);
    let alias = format!("update add _acme-challenge.{HOST}. 60 CNAME proof.hosts.example.nl.\n");
    stage.lab.bind.edit(&alias);
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_records(&own_records(&stage));
}

/// A CA that is away for three tries gives its place to the next, which keeps it: until an operator goes
/// back. Each of these is a change of CA like any other.
#[test]
fn a_ca_that_fails_too_often_gives_its_place_to_the_next() {
    let (stage, mut a, _b) = stage_with("ncsc", "fallback-issuers = [\"b\"]", |lab| {
        let log = lab.path("told");
        format!("\n[notify]\ncommand = [\"sh\", \"-c\", \"cat >> {}\"]\n", log.display())
    });
    let log = stage.lab.path("told");
    let pass = |arguments: &[&str]| stage.lab.rollover(arguments).expect_code(0);
    let status = |key: &str| stage.lab.status()[key].clone();

    let judge = stage.judge(Demand::Any);
    a.stop();
    pass(&["--renew", "--host", HOST]);
    // Lines are folded.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plan = words(&pass(&["plan"]).out);
    assert!(plan.contains("from a, and hold it; from b if a fails 3 times in a row"), "{plan}");
    let mut passes = 1;
    let last = loop {
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let run = pass(&[]);
        passes += usize::from(run.out.contains("failed: no certificate"));
        if run.out.contains("begin a change of CA by b") {
            break run;
        }
        assert!(passes < 3, "{}{}", run.out, run.err);
    };
    assert_eq!(passes, 3, "{}", last.out);
    assert!(last.out.contains("key, since a failed 3 times in a row"), "{}", last.out);
    assert!(last.err.contains("certificates of mail.example.nl come from b"), "{}", last.err);
    assert_eq!((status("issuer"), status("issuer_after_failures_of")), ("b".into(), "a".into()));
    pass(&["--wait"]);
    let text = words(&pass(&["status"]).out);
    assert!(
        text.contains("b since a failed again and again; the configuration still says a"),
        "{text}"
    );
    let notice = std::fs::read_to_string(&log).expect("what was told");
    assert!(notice.contains("a failed 3 times in a row"), "{notice}");
    let of_b = own_records(&stage);
    stage.expect_records(&of_b);
    let begun =
        |e: &crate::stage::HistoryLine| e.action.contains("since a failed 3 times in a row");
    assert_eq!(stage.events().iter().filter(|e| begun(e)).count(), 1);

    // It stays there, though the first one is back; until somebody leads back.
    a.restart(&stage.lab);
    pass(&["--renew", "--host", HOST, "--wait"]);
    assert_eq!(own_records(&stage)[0], of_b[0], "of the same CA");
    pass(&["--new-ca", "--wait"]);
    assert_eq!((status("issuer"), status("issuer_after_failures_of")), ("a".into(), ().into()));
    stage.finish(judge).expect_clean(100);
    assert_ne!(own_records(&stage)[0], of_b[0], "of the other CA");
    stage.expect_records(&own_records(&stage));
}
