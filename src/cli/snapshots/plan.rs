//! What `plan` shows: what would be done now, and the timeline with the reason of each wait.

use expect_test::expect;

use super::super::layout::Colours;
use super::super::plan;
use super::stage::{Faults, Stage};
use super::{new_ca, pin};
use crate::rollover::action::Request;

/// What `plan` shows, were this asked for.
pub(super) fn plan_of(stage: &Stage, request: Option<Request>) -> String {
    let report = stage.preview(request.clone());
    let at = report.seen.at;
    plan::text(stage.host().spec(), &report, request.as_ref(), at, Colours::Off)
}

#[test]
fn the_plan_where_nothing_is_to_be_done() {
    pin(
        &expect![[r#"
        mail.example.nl  idle  (policy ncsc, issuer house)
          now      nothing to do before 2027-03-06 08:00:00 UTC (in 50 days)
          then, at the earliest:
            2027-03-06 08:00:00 UTC  in 50 days  begin a renewal by house with a new
                                                 ecdsa-p256 key
                                                 (1/3 of its lifetime before it expires)
    "#]],
        &plan_of(&Stage::usual(), None),
    );
}

#[test]
fn the_plan_of_a_renewal() {
    pin(
        &expect![[r#"
        mail.example.nl  issuing  (policy ncsc, issuer house)
          now      begin a renewal by house with a new ecdsa-p256 key
          then, at the earliest:
            08:00:00 UTC  now        obtain a certificate from house, and hold it
            08:00:00 UTC  now        put the new certificate in place and reload
            08:02:00 UTC  in 2 min   settle: publish the new certificate's own records
                                     (once no process can present the former certificate
                                     any more: drain)
            09:03:01 UTC  in 64 min  done
                                     (no cache holds anything but the final records)
          type     rollover --host mail.example.nl --renew
    "#]],
        &plan_of(&Stage::usual(), Some(Request::Renew)),
    );
    let stage = Stage::new("mail.example.nl", "dane-ee");
    pin(
        &expect![[r#"
        mail.example.nl  issuing  (policy dane-ee, issuer house)
          now      begin a renewal by house with a new ecdsa-p256 key
          then, at the earliest:
            08:00:00 UTC  now           obtain a certificate from house, and hold it
            08:00:00 UTC  now           bridge: publish records that fit both
            09:01:01 UTC  in 62 min     caches have let go of the former records
                                        (they may hold them for a TTL, and the policy's
                                        margin, after the last name server let go of
                                        them)
            09:01:01 UTC  in 62 min     put the new certificate in place and reload
            09:03:01 UTC  in 64 min     settle: publish the new certificate's own
                                        records
                                        (once no process can present the former
                                        certificate any more: drain)
            10:04:02 UTC  in 2 h 5 min  done
                                        (no cache holds anything but the final records)
          type     rollover --host mail.example.nl --renew
    "#]],
        &plan_of(&stage, Some(Request::Renew)),
    );
}

#[test]
fn the_plan_of_a_change_of_ca() {
    let stage = Stage::usual();
    pin(
        &expect![[r#"
        mail.example.nl  issuing  (policy ncsc, issuer house)
          now      begin a change of CA by other with a new ecdsa-p256 key
          then, at the earliest:
            08:00:00 UTC  now           bridge: publish records that fit both
            09:01:01 UTC  in 62 min     caches have let go of the former records
                                        (they may hold them for a TTL, and the policy's
                                        margin, after the last name server let go of
                                        them)
            09:01:01 UTC  in 62 min     obtain a certificate from other, and hold it
            09:01:01 UTC  in 62 min     put the new certificate in place and reload
            09:03:01 UTC  in 64 min     settle: publish the new certificate's own
                                        records
                                        (once no process can present the former
                                        certificate any more: drain)
            10:04:02 UTC  in 2 h 5 min  done
                                        (no cache holds anything but the final records)
          type     rollover --host mail.example.nl --new-ca other
    "#]],
        &plan_of(&stage, new_ca()),
    );
    stage.pass(new_ca());
    stage.wait(1800);
    pin(
        &expect![[r#"
        mail.example.nl  waiting  (policy ncsc, issuer other)
          now      nothing
          waits    until 09:01:01 UTC (in 32 min)
                   for caches that may still hold 2 1 1 631b084a…, 3 1 1 f6d6cc60… at
                   _25._tcp.mail.example.nl. (TTL 1h)
          then, at the earliest:
            09:01:01 UTC  in 32 min  caches have let go of the former records
                                     (they may hold them for a TTL, and the policy's
                                     margin, after the last name server let go of them)
            09:01:01 UTC  in 32 min  obtain a certificate from other, and hold it
            09:01:01 UTC  in 32 min  put the new certificate in place and reload
            09:03:01 UTC  in 34 min  settle: publish the new certificate's own records
                                     (once no process can present the former certificate
                                     any more: drain)
            10:04:02 UTC  in 95 min  done
                                     (no cache holds anything but the final records)
    "#]],
        &plan_of(&stage, None),
    );
}

#[test]
fn the_plan_where_somebody_is_needed() {
    let stage = Stage::usual();
    stage.suffer(Faults { unsigned: true, ..Faults::default() });
    pin(
        &expect![[r#"
        mail.example.nl  held  (policy ncsc, issuer house)
          now      nothing: _25._tcp.mail.example.nl. is in an unsigned zone
                   (example.nl): no sender looks at TLSA records there
          to do    sign the zone with DNSSEC and put its DS record into the parent; or
                   set trust-anchor-file
          then, at the earliest:
            2027-03-06 08:00:00 UTC  in 50 days  begin a renewal by house with a new
                                                 ecdsa-p256 key
                                                 (1/3 of its lifetime before it expires)
    "#]],
        &plan_of(&stage, None),
    );
}
