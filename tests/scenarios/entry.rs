//! Into DANE and out of it: first publication, its refusal, withdrawal, and a first certificate.

use std::path::Path;

use crate::lab::authority::Authority;
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::judge::Demand;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::{HOST, Lab, PRIMARY};
use crate::stage::Stage;

#[test]
fn a_server_without_records_gets_them() {
    let stage = Stage::new(Lab::usual());
    let judge = stage.judge(Demand::Any);
    let policy = quick_policy(&stage.lab, "ncsc");
    let lines = format!("issuer = \"house\"\ntlsa-ttl = \"4s\"\npolicy = \"{}\"", policy.display());
    stage.configure(&lines);
    let run = stage.lab.rollover(&["--wait"]).expect_code(0);
    assert!(run.out.contains("first publication"), "{}", run.out);
    let verdict = stage.finish(judge);
    verdict.expect_clean(10);
    assert!(0 < verdict.unprotected, "{verdict:#?}");
    stage.wait_until_equal();
    stage.expect_settled(&stage.house);
}

/// No TLSA records for a server without STARTTLS: they would stop its mail.
#[test]
fn a_server_without_starttls_is_refused() {
    let lab = Lab::usual();
    let house = Authority::new(lab.directory(), "house");
    let bundle = lab.path("mail.pem");
    house.issue(HOST, &bundle);
    let postfix = Postfix::start(&lab, &[&bundle], Tls::Off);
    let policy = quick_policy(&lab, "ncsc");
    Configuration::new(&lab)
        .own_ca("house", &house)
        .host(
            &format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()),
            &bundle,
            &postfix.reload(),
        )
        .write(&lab);
    let run = lab.rollover(&[]).expect_code(1);
    assert!(run.err.contains("offers no TLS (STARTTLS is not among its extensions"), "{}", run.err);
    assert!(run.err.contains("would stop its mail"), "{}", run.err);
    assert!(lab.bind.tlsa(PRIMARY, crate::lab::OWNER).is_empty());
}

#[test]
fn withdrawal_removes_the_records_and_comes_back_when_asked_to() {
    let stage = Stage::usual("ncsc");
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--withdraw", "--host", HOST, "--wait"]).expect_code(0);
    assert!(stage.records(PRIMARY).is_empty());
    let run = stage.lab.rollover(&[]).expect_code(0);
    assert_eq!(run.out, "");
    assert!(stage.records(PRIMARY).is_empty(), "it stays out");
    stage.lab.rollover(&["--renew", "--host", HOST, "--wait"]).expect_code(0);
    stage.wait_until_equal();
    stage.finish(judge).expect_clean(20);
    stage.expect_settled(&stage.house);
}

/// The mail server has no certificate yet: one is issued, deployed, and then published.
#[test]
fn a_server_without_a_certificate_gets_one_first() {
    let lab = Lab::usual();
    let house = Authority::new(lab.directory(), "house");
    let bundle = lab.path("mail.pem");
    let postfix = Postfix::start(&lab, &[Path::new(&bundle)], Tls::Offered);
    let policy = quick_policy(&lab, "ncsc");
    Configuration::new(&lab)
        .own_ca("house", &house)
        .host(
            &format!("issuer = \"house\"\ntlsa-ttl = \"4s\"\npolicy = \"{}\"", policy.display()),
            &bundle,
            &postfix.reload(),
        )
        .write(&lab);
    lab.rollover(&["--wait"]).expect_code(0);
    assert_eq!(lab.presented(crate::lab::MAIL), crate::lab::authority::key_record(&bundle));
    let mut records = vec![house.record(), crate::lab::authority::key_record(&bundle)];
    records.sort();
    assert_eq!(lab.bind.tlsa(PRIMARY, crate::lab::OWNER), records);
}
