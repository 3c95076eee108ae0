//! The lab itself: clean while nothing changes, and the judge sees what goes wrong by the usual order.

#![allow(clippy::disallowed_methods, reason = "a lab starts processes, waits, and writes files")]

mod lab;

use std::process::Command;
use std::time::Duration;

use lab::authority::{Authority, key_record};
use lab::judge::{Demand, Judge};
use lab::mail::{Postfix, Tls};
use lab::{Lab, OWNER, PRIMARY, SECONDARY};

/// Reloads a mail server.
fn reload(lab: &Lab, postfix: &Postfix) {
    let argv = postfix.reload();
    lab::daemon::run(lab.namespace.command(&argv[0]).args(&argv[1..]));
}

/// The order that everybody's hook has: deploy, then update the records. It must fail, or a judge
/// that finds nothing proves nothing.
#[test]
fn deploying_first_and_updating_after_strands_senders_for_a_ttl() {
    let lab = Lab::usual();
    let (house, other) =
        (Authority::new(lab.directory(), "house"), Authority::new(lab.directory(), "other"));
    let bundle = lab.path("mail.pem");
    house.issue(lab::HOST, &bundle);
    lab.bind.publish(OWNER, lab.options.tlsa_ttl, &[house.record(), key_record(&bundle)]);
    let postfix = Postfix::start(&lab, &[&bundle], Tls::Offered);
    lab::daemon::wait_until("the secondary has the records", || {
        lab.bind.tlsa(SECONDARY, OWNER) == lab.bind.tlsa(PRIMARY, OWNER)
    });

    let judge = Judge::start(&lab, Demand::Any);
    judge.go_on(Duration::from_secs(2));
    let next = lab.path("next.pem");
    other.issue(lab::HOST, &next);
    lab::daemon::run(Command::new("mv").arg(&next).arg(&bundle));
    reload(&lab, &postfix);
    lab.bind.publish(OWNER, lab.options.tlsa_ttl, &[other.record(), key_record(&bundle)]);
    judge.go_on(Duration::from_secs(u64::from(lab.options.tlsa_ttl) + 2));
    let verdict = judge.finish();

    assert!(20 < verdict.failures, "{verdict:#?}");
    assert!(1.0 < verdict.longest_outage, "{verdict:#?}");
    assert_eq!(lab.presented(lab::MAIL), key_record(&bundle));
}

/// The factsheet's order, by hand: the judge finds nothing.
#[test]
fn the_right_order_by_hand_strands_nobody() {
    let lab = Lab::usual();
    let (house, other) =
        (Authority::new(lab.directory(), "house"), Authority::new(lab.directory(), "other"));
    let bundle = lab.path("mail.pem");
    house.issue(lab::HOST, &bundle);
    let old = key_record(&bundle);
    lab.bind.publish(OWNER, lab.options.tlsa_ttl, &[house.record(), old.clone()]);
    let postfix = Postfix::start(&lab, &[&bundle], Tls::Offered);
    lab::daemon::wait_until("the secondary has the records", || {
        lab.bind.tlsa(SECONDARY, OWNER) == lab.bind.tlsa(PRIMARY, OWNER)
    });

    let judge = Judge::start(&lab, Demand::Any);
    let ttl = Duration::from_secs(u64::from(lab.options.tlsa_ttl));
    lab.bind.publish(OWNER, lab.options.tlsa_ttl, &[other.record(), old]);
    judge.go_on(ttl + Duration::from_secs(1));
    let next = lab.path("next.pem");
    other.issue(lab::HOST, &next);
    lab::daemon::run(Command::new("mv").arg(&next).arg(&bundle));
    reload(&lab, &postfix);
    judge.go_on(Duration::from_secs(2));
    lab.bind.publish(OWNER, lab.options.tlsa_ttl, &[other.record(), key_record(&bundle)]);
    judge.go_on(ttl + Duration::from_secs(1));
    judge.finish().expect_clean(100);
}
