//! Hosts of other shapes: two kinds of key, several names and ports and addresses, an alias.

use crate::lab::authority::key_record;
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::judge::Demand;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::{HOST, Lab, MAIL, OWNER, Options, PRIMARY, SECONDARY};
use crate::stage::Stage;

/// Two certificates side by side: each family is seen, and the old records go when both are new.
#[test]
fn rsa_and_ecdsa_side_by_side() {
    let lab = Lab::usual();
    let stage = Stage::new_with(lab, |lab, bundle| {
        let house = crate::lab::authority::Authority::new(lab.directory(), "house");
        let rsa = lab.path("rsa.pem");
        house.issue(HOST, bundle);
        house.issue_with(HOST, &rsa, &["-newkey", "rsa:2048"]);
        (house, Postfix::start(lab, &[&rsa, bundle], Tls::Offered))
    });
    let rsa = stage.lab.path("rsa.pem");
    stage.publish(&[stage.house.record(), stage.key_in_file(), key_record(&rsa)]);
    let policy = quick_policy(&stage.lab, "ncsc");
    let lines = format!(
        "issuer = \"house\"\npolicy = \"{}\"\nkey-types = [\"ecdsa-p256\", \"rsa-2048\"]",
        policy.display()
    );
    let text = |configuration: Configuration| {
        configuration.host_with_files(&lines, &[&stage.bundle, &rsa], &stage.postfix.reload())
    };
    text(
        Configuration::new(&stage.lab).own_ca("house", &stage.house).own_ca("other", &stage.other),
    )
    .write(&stage.lab);
    stage.get_acquainted();
    let old = (stage.key_in_file(), key_record(&rsa));
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    let new = (stage.key_in_file(), key_record(&rsa));
    assert!(old.0 != new.0 && old.1 != new.1, "both are new");
    stage.expect_records(&[stage.other.record(), new.0, new.1]);
    assert_eq!(stage.lab.status()["certificates"].as_array().map(Vec::len), Some(2));
}

/// A CNAME at the owner is followed, and the records behind it are changed.
#[test]
fn an_alias_at_the_owner_is_followed() {
    let stage = Stage::new(Lab::usual());
    let target = "_dane.example.nl.";
    stage.lab.bind.edit(&format!("update add {OWNER} 6 CNAME {target}"));
    let records = [stage.house.record(), stage.key_in_file()];
    stage.lab.bind.publish(target, 4, &records);
    crate::lab::daemon::wait_until("the secondary has the alias and its records", || {
        stage.lab.bind.tlsa(SECONDARY, target).len() == 2
            && !stage.lab.bind.tlsa(SECONDARY, OWNER).is_empty()
    });
    stage.acquaint("ncsc");
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    // The alias's TTL counts in the wait.
    judge.go_on(std::time::Duration::from_secs(8));
    judge.finish().expect_clean(100);
    let mut wanted = vec![stage.other.record(), stage.key_in_file()];
    wanted.sort();
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, target), wanted);
    assert_eq!(stage.presented(), stage.key_in_file());
}

/// Two addresses, one of them IPv6, and two owners that change in one update.
#[test]
fn two_addresses_and_two_owners_change_together() {
    let options =
        Options { addresses: vec![MAIL.to_owned(), "::1".to_owned()], ..Options::default() };
    let stage = Stage::new(Lab::start(options));
    let submission = "_465._tcp.mail.example.nl.";
    let records = [stage.house.record(), stage.key_in_file()];
    stage.lab.bind.publish(submission, 4, &records);
    stage.publish(&records);
    let policy = quick_policy(&stage.lab, "ncsc");
    stage.configure(&format!(
        "issuer = \"house\"\npolicy = \"{}\"\nservices = [{{ port = 25, protocol = \"smtp\" }}, {{ \
         port = 465, protocol = \"smtp\", connect-port = 25 }}]",
        policy.display()
    ));
    stage.get_acquainted();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.other);
    assert_eq!(stage.lab.presented("::1"), stage.key_in_file());
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, submission), stage.records(PRIMARY));
    let together = stage
        .events()
        .iter()
        .filter(|event| event.done("publish"))
        .all(|event| event.action.contains(OWNER) && event.action.contains(submission));
    assert!(together, "{:#?}", stage.events());
}

/// The zone's own key is the trust anchor, as for an island of security; and an anchor that fits
/// nothing holds everything, by name.
#[test]
fn an_island_of_security_and_an_anchor_that_fits_nothing() {
    let stage = Stage::new(Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let policy = quick_policy(&stage.lab, "ncsc");
    let lines = format!("issuer = \"house\"\npolicy = \"{}\"", policy.display());
    let island = stage.lab.bind.island_anchor();
    stage.configuration(&lines).trusting(&stage.lab, &island).write(&stage.lab);
    stage.get_acquainted();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.other);

    let wrong = stage.lab.path("wrong.key");
    let text = std::fs::read_to_string(stage.lab.bind.trust_anchor()).expect("the root's key");
    let of_root = text.strip_prefix(". ").expect("a record of the root");
    std::fs::write(&wrong, format!("example.nl. {of_root}")).expect("an anchor");
    stage.configuration(&lines).trusting(&stage.lab, &wrong).write(&stage.lab);
    let before = (stage.presented(), stage.records(PRIMARY));
    let run = stage.lab.rollover(&["--new-ca", "house"]).expect_code(0);
    assert!(run.out.contains("none of them fits the trust anchor"), "{}", run.out);
    assert_eq!((stage.presented(), stage.records(PRIMARY)), before);
}
