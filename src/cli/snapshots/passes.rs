//! What passes say while they act, and what `history` says of them afterwards.

use expect_test::expect;

use super::super::{history, layout, report};
use super::stage::{Faults, Stage};
use super::{new_ca, pin};
use crate::ports::{Blame, Clock as _, IssueError, Remedy};

#[test]
fn the_history_of_a_change_of_ca() {
    let stage = Stage::usual();
    stage.pass(new_ca());
    for _ in 0..4 {
        stage.wait(3700);
        stage.pass(None);
    }
    pin(
        &expect![[r#"
        2027-01-14 08:00:00Z mail.example.nl: adopt the certificate in place (of CN=The
            house CA, serial 6b3ca300): done
            seen: 192.0.2.25:25 presents key f6d6cc60; ns1.example.nl serves 2 1 1
                631b084a…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl.; ns2.example.nl
                serves 2 1 1 631b084a…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl.
        2027-01-15 08:00:00Z mail.example.nl: begin a change of CA by other with a new
            ecdsa-p256 key: done
        2027-01-15 08:00:00Z mail.example.nl: publish (bridge)
            _25._tcp.mail.example.nl.: add 2 1 1 c11dbfff…, delete 2 1 1 631b084a…: the
            primary took it
        2027-01-15 09:01:40Z mail.example.nl: obtain a certificate for the ecdsa-p256
            key, and hold it: issued by CN=The other CA: serial 6b49e074, key 0b17b836,
            valid until 2027-04-15T09:01:40Z
            seen: 192.0.2.25:25 presents key f6d6cc60; ns1.example.nl serves 2 1 1
                c11dbfff…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl.; ns2.example.nl
                serves 2 1 1 c11dbfff…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl.
        2027-01-15 09:01:40Z mail.example.nl: put the new certificate in place and
            reload: done
        2027-01-15 10:03:20Z mail.example.nl: publish (settle)
            _25._tcp.mail.example.nl.: add 3 1 1 0b17b836…, delete 3 1 1 f6d6cc60…: the
            primary took it
            seen: 192.0.2.25:25 presents key 0b17b836; ns1.example.nl serves 2 1 1
                c11dbfff…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl.; ns2.example.nl
                serves 2 1 1 c11dbfff…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl.
        2027-01-15 11:05:00Z mail.example.nl: finish: no cache holds anything else: done
            seen: 192.0.2.25:25 presents key 0b17b836; ns1.example.nl serves 2 1 1
                c11dbfff…, 3 1 1 0b17b836… at _25._tcp.mail.example.nl.; ns2.example.nl
                serves 2 1 1 c11dbfff…, 3 1 1 0b17b836… at _25._tcp.mail.example.nl.
    "#]],
        &layout::fold(&history::text("mail.example.nl", &stage.events())),
    );
}

/// What a pass prints, which cron mails.
#[test]
fn what_a_pass_says() {
    let stage = Stage::usual();
    let report = stage.pass(new_ca());
    let now = stage.now().wall;
    let text = report::happened(&report, now, report::Stays::No);
    expect![[r#"
        2027-01-15 08:00:00Z mail.example.nl: begin a change of CA by other with a new ecdsa-p256 key
        2027-01-15 08:00:00Z mail.example.nl: publish (bridge) _25._tcp.mail.example.nl.: add 2 1 1 c11dbfff…, delete 2 1 1 631b084a…: the primary took it
        2027-01-15 08:00:00Z mail.example.nl: waiting until 09:01:01 UTC (in 62 min) for caches that may still hold 2 1 1 631b084a…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl. (TTL 1h)
        2027-01-15 08:00:00Z mail.example.nl: to continue: rollover --host mail.example.nl (what cron runs does it too; --wait stays until it is done)
    "#]].assert_eq(&text);
    pin(
        &expect![[r#"
        2027-01-15 08:00:00Z mail.example.nl: begin a change of CA by other with a new
            ecdsa-p256 key
        2027-01-15 08:00:00Z mail.example.nl: publish (bridge)
            _25._tcp.mail.example.nl.: add 2 1 1 c11dbfff…, delete 2 1 1 631b084a…: the
            primary took it
        2027-01-15 08:00:00Z mail.example.nl: waiting until 09:01:01 UTC (in 62 min) for
            caches that may still hold 2 1 1 631b084a…, 3 1 1 f6d6cc60… at
            _25._tcp.mail.example.nl. (TTL 1h)
        2027-01-15 08:00:00Z mail.example.nl: to continue: rollover --host
            mail.example.nl (what cron runs does it too; --wait stays until it is done)
    "#]],
        &layout::fold(&text),
    );
    let order = IssueError {
        issuer: "other".to_owned(),
        message: "the account has too many orders for these names".to_owned(),
        hint: "nothing to do but wait; the CA documents its limits".to_owned(),
        remedy: Remedy::AskOperator,
        blame: Blame::Issuer,
    };
    stage.suffer(Faults { order: Some(order), ..Faults::default() });
    stage.wait(3700);
    let report = stage.pass(None);
    let text = report::attention(&report.host, &report.attention);
    pin(
        &expect![[r#"
        rollover: mail.example.nl: no certificate for mail.example.nl: other: the
            account has too many orders for these names; the present one stays in place
          hint: nothing to do but wait; the CA documents its limits
    "#]],
        &layout::fold(&text),
    );
}
