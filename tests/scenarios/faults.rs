//! Hand edits, passes at once, keys that the primary does not know.

use std::time::Duration;

use crate::lab::configuration::quick_policy;
use crate::lab::judge::Demand;
use crate::lab::{HOST, OWNER, PRIMARY};
use crate::stage::Stage;

/// Somebody edits the RRset in the middle of a change of CA: it is seen, the record of theirs is not
/// trampled, and the change ends right.
#[test]
fn a_hand_edit_between_two_passes_is_seen_and_led_back() {
    let stage = Stage::usual("ncsc");
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    let foreign = format!("3 1 1 {}", "ab".repeat(32));
    stage
        .lab
        .bind
        .edit(&format!("update add {OWNER} {} TLSA {foreign}", stage.lab.options.tlsa_ttl));
    stage.lab.bind.edit(&format!("update delete {OWNER} TLSA {}", stage.other.record()));
    stage.wait_until_equal();
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    assert_eq!(stage.presented(), stage.key_in_file());
    stage.expect_records(&[stage.other.record(), stage.key_in_file(), foreign]);
}

/// With nothing in flight, a record that was removed by hand comes back.
#[test]
fn a_record_removed_by_hand_comes_back() {
    let stage = Stage::usual("ncsc");
    let judge = stage.judge(Demand::Any);
    stage.lab.bind.edit(&format!("update delete {OWNER} TLSA {}", stage.key_in_file()));
    stage.wait_until_equal();
    let run = stage.lab.rollover(&["--wait"]).expect_code(0);
    assert!(run.out.contains("publish (mend)"), "{}", run.out);
    stage.wait_until_equal();
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.house);
}

#[test]
fn a_foreign_record_is_removed_where_the_operator_says_so() {
    let stage = Stage::usual("ncsc");
    let foreign = format!("3 1 2 {}", "cd".repeat(64));
    stage.lab.bind.edit(&format!("update add {OWNER} 4 TLSA {foreign}"));
    stage.wait_until_equal();
    let run = stage.lab.rollover(&[]).expect_code(0);
    assert_eq!(run.out, "", "it is kept, and cron stays silent");
    let policy = quick_policy(&stage.lab, "ncsc");
    stage.configure(&format!(
        "issuer = \"house\"\npolicy = \"{}\"\nforeign-records = \"remove\"",
        policy.display()
    ));
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.wait_until_equal();
    stage.expect_settled(&stage.house);
}

/// The second of two passes at once exits 3 and changes nothing.
#[test]
fn of_two_passes_at_once_one_is_turned_away() {
    let stage = Stage::usual("ncsc");
    // A silent secondary makes a pass long: each look waits for it.
    stage.lab.nsd.silence();
    let first = stage.lab.start_rollover(&["--renew", "--host", HOST]);
    std::thread::sleep(Duration::from_millis(700));
    let second = stage.lab.rollover(&["--new-ca", "other"]);
    stage.lab.nsd.wake();
    let output = first.wait_with_output().expect("the first pass ends");
    assert!(output.status.success(), "{output:?}");
    let second = second.expect_code(3);
    assert!(second.err.contains("another pass holds the ledger"), "{}", second.err);
    assert_eq!(second.out, "");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.wait_until_equal();
    stage.expect_settled(&stage.house);
}

/// The primary does not know the key any more: what happened, to which server, and what to do.
#[test]
fn an_unknown_tsig_key_needs_the_operator_and_heals() {
    let stage = Stage::usual("ncsc");
    let right = stage.lab.bind.tsig_key();
    let text = std::fs::read_to_string(&right).expect("the key");
    let wrong = text.replace("\"rollover\"", "\"forgotten\"");
    crate::lab::tool::write_private(&right, &wrong);
    let run = stage.lab.rollover(&["--new-ca", "other"]);
    let before = stage.records(PRIMARY);
    crate::lab::tool::write_private(&right, &text);
    let run = run.expect_code(1);
    let words = "update server 127.0.0.1:53 does not know the TSIG key `forgotten`";
    assert!(run.err.contains(words), "{}", run.err);
    assert!(run.err.contains("hint: put the key's stanza into"), "{}", run.err);
    assert_eq!(before, stage.records(PRIMARY));
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.other);
}

/// The key may not change these records: the server says so, and the message says where.
#[test]
fn a_refused_update_needs_the_operator() {
    let stage = Stage::new(crate::lab::Lab::usual());
    let policy = quick_policy(&stage.lab, "ncsc");
    // An owner that the primary's update-policy does not name.
    stage.configure(&format!(
        "issuer = \"house\"\npolicy = \"{}\"\nservices = [{{ port = 2525, protocol = \"smtp\", \
         connect-port = 25 }}]",
        policy.display()
    ));
    let run = stage.lab.rollover(&[]).expect_code(1);
    let words = "refused to change _2525._tcp.mail.example.nl. TLSA: Query Refused";
    assert!(run.err.contains(words), "{}", run.err);
    assert!(run.err.contains("update-policy"), "{}", run.err);
    let status = stage.lab.status();
    assert_eq!(status["phase"], "held", "{status:#}");
}
