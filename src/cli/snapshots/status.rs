//! What `status` shows, idle and half-way, and to whoever was woken.

use expect_test::expect;

use super::super::layout::Colours;
use super::super::status::{self, Status};
use super::stage::{Faults, Stage};
use super::{new_ca, pin, unknown_key};
use crate::ports::{Clock as _, DeployError};
use crate::rollover::action::Request;

/// What `status` shows.
fn status_of(stages: &[&Stage]) -> String {
    let seen: Vec<_> = stages.iter().map(|stage| (stage.host(), stage.preview(None))).collect();
    let statuses: Vec<Status<'_>> =
        seen.iter().map(|(host, report)| Status { spec: host.spec(), report }).collect();
    status::text(&statuses, &stages[0].now(), Colours::Off)
}

/// A reload command that fails.
fn failing_reload() -> DeployError {
    DeployError::Reload {
        command: "postfix reload".to_owned(),
        what: "exited with status 1".to_owned(),
        output: ": postfix/postfix-script: fatal: the Postfix mail system is not running"
            .to_owned(),
    }
}

#[test]
fn status_where_nothing_is_under_way() {
    pin(
        &expect![[r#"
        mail.example.nl  idle  (policy ncsc, issuer house)
          mail     goes on: what caches may hold fits what is presented
          served   key f6d6cc60 of CN=The house CA
                   until 2027-04-05 08:00:00 UTC (in 80 days)
          records  2 1 1 631b084a…, 3 1 1 f6d6cc60…
                   at _25._tcp.mail.example.nl., TTL 1h
          next     renewal, 2027-03-06 08:00:00 UTC (in 50 days)
    "#]],
        &status_of(&[&Stage::usual()]),
    );
}

#[test]
fn status_half_way_through_a_change_of_ca() {
    let stage = Stage::usual();
    stage.pass(new_ca());
    stage.wait(1800);
    stage.pass(None);
    pin(
        &expect![[r#"
            mail.example.nl  waiting  (policy ncsc, issuer other)
              mail     goes on: what caches may hold fits what is presented
              issuer   other by --new-ca; the configuration still says house
              served   key f6d6cc60 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 79 days)
              records  2 1 1 c11dbfff…, 3 1 1 f6d6cc60…
                       at _25._tcp.mail.example.nl., TTL 1h
              cached   2 1 1 631b084a…, 3 1 1 f6d6cc60…
                       until 09:01:01 UTC (in 32 min)
              rollover change of CA, since 08:00:00 UTC (30 min ago)
              waits    until 09:01:01 UTC (in 32 min)
                       for caches that may still hold 2 1 1 631b084a…, 3 1 1 f6d6cc60… at
                       _25._tcp.mail.example.nl. (TTL 1h)
              next     rollover --host mail.example.nl (cron does it too; --wait stays)
        "#]],
        &status_of(&[&stage]),
    );
    stage.wait(1900);
    stage.pass(None);
    pin(
        &expect![[r#"
        mail.example.nl  deploying  (policy ncsc, issuer other)
          mail     goes on: what caches may hold fits what is presented
          issuer   other by --new-ca; the configuration still says house
          served   key f6d6cc60 of CN=The house CA
                   until 2027-04-05 08:00:00 UTC (in 79 days)
          served   key 0b17b836 of CN=The other CA
                   until 2027-04-15 09:01:40 UTC (in 90 days)
          records  2 1 1 c11dbfff…, 3 1 1 f6d6cc60…
                   at _25._tcp.mail.example.nl., TTL 1h
          rollover change of CA, since 08:00:00 UTC (62 min ago)
          waits    until 09:03:40 UTC (in 2 min)
                   for processes that may still present the former certificate (drain)
          next     rollover --host mail.example.nl (cron does it too; --wait stays)
    "#]],
        &status_of(&[&stage]),
    );
}

#[test]
fn status_while_a_name_server_is_silent() {
    let stage = Stage::usual();
    stage.suffer(Faults { silent: Some("no answer within 5s"), ..Faults::default() });
    stage.pass(new_ca());
    stage.wait(600);
    stage.pass(None);
    pin(
        &expect![[r#"
            mail.example.nl  waiting  (policy ncsc, issuer other)
              mail     goes on: what caches may hold fits what is presented
              issuer   other by --new-ca; the configuration still says house
              served   key f6d6cc60 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 79 days)
              records  2 1 1 c11dbfff…, 3 1 1 f6d6cc60…
                       at _25._tcp.mail.example.nl., TTL 1h
              cached   2 1 1 631b084a…, 3 1 1 f6d6cc60…
                       as long as a name server may serve it
              rollover change of CA, since 08:00:00 UTC (11 min ago)
              waits    for name server ns2.example.nl (192.0.2.54), which does not answer
                       (no answer within 5s) for _25._tcp.mail.example.nl.
                       see that it answers and follows the primary; to go on without it,
                       name it in `ignore-name-servers`
              next     rollover --host mail.example.nl (cron does it too; --wait stays)
        "#]],
        &status_of(&[&stage]),
    );
    stage.wait(7200);
    stage.pass(None);
    pin(
        &expect![[r#"
            mail.example.nl  held  (policy ncsc, issuer other)
              WRONG    the change of CA does not get on: waiting for name server
                       ns2.example.nl (192.0.2.54), which does not answer (no answer within
                       5s) for _25._tcp.mail.example.nl.
              to do    see that it answers and follows the primary; to go on without it,
                       name it in `ignore-name-servers`
              mail     goes on: what caches may hold fits what is presented
              issuer   other by --new-ca; the configuration still says house
              served   key f6d6cc60 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 79 days)
              records  2 1 1 c11dbfff…, 3 1 1 f6d6cc60…
                       at _25._tcp.mail.example.nl., TTL 1h
              cached   2 1 1 631b084a…, 3 1 1 f6d6cc60…
                       as long as a name server may serve it
              rollover change of CA, since 08:00:00 UTC (2 h 11 min ago)
              waits    for name server ns2.example.nl (192.0.2.54), which does not answer
                       (no answer within 5s) for _25._tcp.mail.example.nl.
              next     rollover --host mail.example.nl (cron does it too; --wait stays)
        "#]],
        &status_of(&[&stage]),
    );
}

#[test]
fn status_where_somebody_is_needed() {
    let stage = Stage::usual();
    stage.suffer(Faults { refusal: Some(unknown_key()), ..Faults::default() });
    stage.pass(new_ca());
    pin(
        &expect![[r#"
            mail.example.nl  held  (policy ncsc, issuer other)
              WRONG    192.0.2.53:53 does not know the TSIG key `rollover`; the records stay
                       as they are, and so does the certificate
              to do    put the key's stanza into the server's configuration, or correct
                       tsig-key-file
              mail     goes on: what caches may hold fits what is presented
              issuer   other by --new-ca; the configuration still says house
              served   key f6d6cc60 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 80 days)
              records  2 1 1 631b084a…, 3 1 1 f6d6cc60…
                       at _25._tcp.mail.example.nl., TTL 1h
              cached   2 1 1 c11dbfff…, 3 1 1 f6d6cc60…
                       if an update that may still be under way arrives
              rollover change of CA, since 08:00:00 UTC (now)
              next     publish (bridge) _25._tcp.mail.example.nl.: add 2 1 1 c11dbfff…,
                       delete 2 1 1 631b084a…
                       rollover --host mail.example.nl (cron does it too; --wait stays)
        "#]],
        &status_of(&[&stage]),
    );
    let stage = Stage::usual();
    stage.suffer(Faults { reload: Some(failing_reload()), ..Faults::default() });
    stage.pass(Some(Request::Renew));
    pin(
        &expect![[r#"
        mail.example.nl  held  (policy ncsc, issuer house)
          WRONG    the new certificate of mail.example.nl is not in service: `postfix
                   reload` exited with status 1: postfix/postfix-script: fatal: the
                   Postfix mail system is not running
                   the records fit both certificates, so mail goes on
          to do    mend the command or the mail server; the next pass tries again
          WRONG    the former certificate of mail.example.nl is not in service: `postfix
                   reload` exited with status 1: postfix/postfix-script: fatal: the
                   Postfix mail system is not running
                   the records fit both certificates, so mail goes on
          to do    mend the command or the mail server; the next pass tries again
          mail     goes on: what caches may hold fits what is presented
          served   key f6d6cc60 of CN=The house CA
                   until 2027-04-05 08:00:00 UTC (in 80 days)
          served   key 0b17b836 of CN=The house CA
                   until 2027-04-15 08:00:00 UTC (in 90 days)
          records  2 1 1 631b084a…, 3 1 1 f6d6cc60…
                   at _25._tcp.mail.example.nl., TTL 1h
          rollover renewal, since 08:00:00 UTC (now)
          next     put the new certificate in place and reload
                   rollover --host mail.example.nl (cron does it too; --wait stays)
    "#]],
        &status_of(&[&stage]),
    );
}

#[test]
fn status_of_a_server_whose_zone_is_not_signed() {
    let stage = Stage::usual();
    stage.suffer(Faults { unsigned: true, ..Faults::default() });
    stage.pass(None);
    pin(
        &expect![[r#"
            mail.example.nl  held  (policy ncsc, issuer house)
              WRONG    _25._tcp.mail.example.nl. is in an unsigned zone (example.nl): no
                       sender looks at TLSA records there
              to do    sign the zone with DNSSEC and put its DS record into the parent; or
                       set trust-anchor-file
              mail     goes on: what caches may hold fits what is presented
              served   key f6d6cc60 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 80 days)
              cached   2 1 1 631b084a…, 3 1 1 f6d6cc60…
                       as long as a name server may serve it
              then     rollover --host mail.example.nl (cron does it too; --wait stays)
        "#]],
        &status_of(&[&stage]),
    );
}

/// The mail server reads another client's file, and no record fits what is in it. Nothing is under way,
/// and nobody else would say so.
#[test]
fn status_where_mail_is_at_risk() {
    let stage = Stage::usual();
    stage.read_elsewhere(true);
    stage.wait(600);
    assert_eq!(stage.pass(None).attention.len(), 1);
    pin(
        &expect![[r#"
        mail.example.nl  held  (policy ncsc, issuer house)
          WRONG    192.0.2.25:25 presents key a78f9775 of CN=The other CA, and no record
                   at _25._tcp.mail.example.nl. fits it
                   senders that check do not deliver there, and wait
          to do    let the mail server read the files that rollover deploys, and reload
                   it; `rollover check --host mail.example.nl` says what it reads
          mail     AT RISK: caches may hold 2 1 1 631b084a…, 3 1 1 f6d6cc60… at
                   _25._tcp.mail.example.nl., and what may be presented does not fit;
                   senders that check do not deliver
          served   key f6d6cc60 of CN=The house CA
                   until 2027-04-05 08:00:00 UTC (in 79 days)
          served   key a78f9775 of CN=The other CA
                   until 2027-04-15 08:00:00 UTC (in 89 days)
          records  2 1 1 631b084a…, 3 1 1 f6d6cc60…
                   at _25._tcp.mail.example.nl., TTL 1h
          next     renewal, 2027-03-06 08:00:00 UTC (in 49 days)
    "#]],
        &status_of(&[&stage]),
    );
    stage.read_elsewhere(false);
    assert_eq!(stage.pass(None).attention, [], "what is to do helps");
}

#[test]
fn status_of_several_servers_begins_with_the_one_in_trouble() {
    let (idle, busy) = (Stage::new("a.example.nl", "ncsc"), Stage::new("bb.example.nl", "dane-ee"));
    let wrong = Stage::new("ccc.example.nl", "ncsc");
    busy.pass(Some(Request::Renew));
    wrong.suffer(Faults { refusal: Some(unknown_key()), ..Faults::default() });
    wrong.pass(new_ca());
    pin(
        &expect![[r#"
            3 servers: 1 in need of attention, 1 under way, 1 idle

            ccc.example.nl  held  (policy ncsc, issuer other)
              WRONG    192.0.2.53:53 does not know the TSIG key `rollover`; the records stay
                       as they are, and so does the certificate
              to do    put the key's stanza into the server's configuration, or correct
                       tsig-key-file
              mail     goes on: what caches may hold fits what is presented
              issuer   other by --new-ca; the configuration still says house
              served   key 5203a19a of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 80 days)
              records  2 1 1 631b084a…, 3 1 1 5203a19a…
                       at _25._tcp.ccc.example.nl., TTL 1h
              cached   2 1 1 c11dbfff…, 3 1 1 5203a19a…
                       if an update that may still be under way arrives
              rollover change of CA, since 08:00:00 UTC (now)
              next     publish (bridge) _25._tcp.ccc.example.nl.: add 2 1 1 c11dbfff…,
                       delete 2 1 1 631b084a…
                       rollover --host ccc.example.nl (cron does it too; --wait stays)

            bb.example.nl  waiting  (policy dane-ee, issuer house)
              mail     goes on: what caches may hold fits what is presented
              served   key c379f258 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 80 days)
              records  3 1 1 c379f258…, 3 1 1 f17829fd…
                       at _25._tcp.bb.example.nl., TTL 1h
              cached   3 1 1 c379f258…
                       until 09:01:01 UTC (in 62 min)
              rollover renewal, since 08:00:00 UTC (now)
              waits    until 09:01:01 UTC (in 62 min)
                       for caches that may still hold 3 1 1 c379f258… at
                       _25._tcp.bb.example.nl. (TTL 1h)
              next     rollover --host bb.example.nl (cron does it too; --wait stays)

            a.example.nl  idle  (policy ncsc, issuer house)
              mail     goes on: what caches may hold fits what is presented
              served   key 06bd70e0 of CN=The house CA
                       until 2027-04-05 08:00:00 UTC (in 80 days)
              records  2 1 1 631b084a…, 3 1 1 06bd70e0…
                       at _25._tcp.a.example.nl., TTL 1h
              next     renewal, 2027-03-06 08:00:00 UTC (in 50 days)
        "#]],
        &status_of(&[&idle, &busy, &wrong]),
    );
}

/// A terminal has colours, and every word that has one would say the same without.
#[test]
fn colours_say_nothing_that_no_word_says() {
    let stage = Stage::usual();
    stage.suffer(Faults { refusal: Some(unknown_key()), ..Faults::default() });
    stage.pass(new_ca());
    let (host, report) = (stage.host(), stage.preview(None));
    let status = Status { spec: host.spec(), report: &report };
    let coloured = status.text(&stage.now(), Colours::On);
    let mut plain = String::new();
    for (position, part) in coloured.split('\x1b').enumerate() {
        let shown = if position == 0 { part } else { part.split_once('m').unwrap().1 };
        plain.push_str(shown);
    }
    assert_ne!(coloured, plain);
    assert_eq!(plain, status.text(&stage.now(), Colours::Off));
}

/// Every key of the contract, so that one that goes missing is seen.
#[test]
#[expect(clippy::too_many_lines, reason = "it shows the whole of it")]
fn status_for_machines() {
    let stage = Stage::usual();
    stage.pass(new_ca());
    stage.wait(1800);
    let (host, report) = (stage.host(), stage.preview(None));
    let json = status::json(&[Status { spec: host.spec(), report: &report }], &stage.now());
    expect![[r#"
        {
          "at": "2027-01-15T08:30:00Z",
          "hosts": [
            {
              "attention": null,
              "ca_tables": [],
              "cached_until": [
                {
                  "owner": "_25._tcp.mail.example.nl.",
                  "records": [
                    "2 1 1 631b084ad7d4da07f6c369af4a17026ef666ebcf60827f2d2d1f01537969fb74",
                    "3 1 1 f6d6cc60e03c805adf96cdf35b42b71344bbfb8c17546b1acace6dd5727074a1"
                  ],
                  "ttl": 3600,
                  "until": "2027-01-15T09:01:01Z"
                },
                {
                  "owner": "_25._tcp.mail.example.nl.",
                  "records": [
                    "2 1 1 c11dbfff6dce417712a91f7441be88d5b75e6bf3b61cbaa64d59fcedfc0e3fff",
                    "3 1 1 f6d6cc60e03c805adf96cdf35b42b71344bbfb8c17546b1acace6dd5727074a1"
                  ],
                  "ttl": 3600,
                  "until": null
                }
              ],
              "certificates": [
                {
                  "anchor_spki_sha256": "631b084ad7d4da07f6c369af4a17026ef666ebcf60827f2d2d1f01537969fb74",
                  "issuer": "CN=The house CA",
                  "key_type": "ecdsa-p256",
                  "not_after": "2027-04-05T08:00:00Z",
                  "not_before": "2027-01-05T08:00:00Z",
                  "serial": "6b3ca300",
                  "spki_sha256": "f6d6cc60e03c805adf96cdf35b42b71344bbfb8c17546b1acace6dd5727074a1"
                }
              ],
              "issuer": "other",
              "issuer_after_failures_of": null,
              "issuer_instead_of": "house",
              "name": "mail.example.nl",
              "phase": "waiting",
              "policy": "ncsc",
              "published": [
                {
                  "owner": "_25._tcp.mail.example.nl.",
                  "records": [
                    "2 1 1 c11dbfff6dce417712a91f7441be88d5b75e6bf3b61cbaa64d59fcedfc0e3fff",
                    "3 1 1 f6d6cc60e03c805adf96cdf35b42b71344bbfb8c17546b1acace6dd5727074a1"
                  ],
                  "ttl": 3600
                }
              ],
              "rollover": {
                "kind": "ca-change",
                "next_command": "rollover --host mail.example.nl",
                "started": "2027-01-15T08:00:00Z",
                "until": "2027-01-15T09:01:01Z",
                "waiting_for": "caches that may still hold 2 1 1 631b084a…, 3 1 1 f6d6cc60… at _25._tcp.mail.example.nl. (TTL 1h)"
              }
            }
          ],
          "version": 1
        }
    "#]].assert_eq(&format!("{json:#}\n"));
}

/// What is null where nothing is under way, and what is not where somebody is needed.
#[test]
fn status_for_machines_of_a_server_in_trouble() {
    let stage = Stage::usual();
    let value = |key: &str| {
        let (host, report) = (stage.host(), stage.preview(None));
        let json = status::json(&[Status { spec: host.spec(), report: &report }], &stage.now());
        json["hosts"][0][key].clone()
    };
    assert!(value("rollover").is_null() && value("attention").is_null());
    stage.read_elsewhere(true);
    stage.pass(None);
    assert_eq!(value("phase"), "held");
    assert!(
        value("attention").as_str().unwrap().contains("no record at"),
        "{}",
        value("attention")
    );
}
