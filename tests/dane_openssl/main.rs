//! The verdicts of `tlsa::validation` beside those of OpenSSL's own DANE client, and of GnuTLS's.
//!
//! Each chain is sent by an OpenSSL server to an OpenSSL client in memory, once for each record
//! made from one of the certificates at hand. What the crate accepts, OpenSSL must accept: the
//! opposite loses mail. What OpenSSL accepts and the crate does not is listed below, each with its
//! reason, so that a new difference fails the test and so does one that has gone. [`gnutls`] is asked
//! the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the counts are the result")]

use std::collections::BTreeSet;

use cases::{Case, cases, odd_cases, several};
use rollover::name::DnsName;
use rollover::time::Timestamp;
use rollover::tlsa::fit;
use shapes::World;
use support::NOW;

mod cases;
mod gnutls;
mod judges;
mod shapes;
#[path = "../support/test_pki.rs"]
mod support;
mod version_1;

/// The name that the client connects to.
const BASE: &str = "mail.example.nl";

/// A difference that is known: the beginning of the shape's name, that of the record, and why.
type Difference = (&'static str, &'static str, &'static str);

/// What OpenSSL accepts and the crate does not.
const STRICTER: &[Difference] = &[
    (
        "",
        "2 0 0",
        "a certificate that the record carries is tried after those that are sent, as the TLS \
         client has them in that order; OpenSSL finds it before a namesake that is sent",
    ),
    (
        "intermediate without constraints",
        "2 ",
        "OpenSSL takes a CA by its key usage where there are no basic constraints, RFC 5280, \
         section 4.2.1.9 does not",
    ),
    ("root without constraints", "2 ", "the same, for the anchor itself"),
    (
        "self-signed",
        "2 1 0",
        "OpenSSL lets a bare key that signed itself be its own trust anchor; usage 2 names what is \
         above the server's certificate",
    ),
    ("server is a CA", "2 ", "webpki lets no CA's certificate be a server's"),
    (
        "intermediate expired",
        "2 ",
        "OpenSSL holds an anchor to its dates only where it signed itself, GnuTLS where it did not",
    ),
    ("intermediate not yet valid", "2 ", "the same"),
    (
        "version 1",
        "2 ",
        "a certificate of version 1 says neither that it is a CA's (RFC 5280, section 6.1.4) nor what \
         it is for; webpki takes none but as an anchor",
    ),
    ("wildcard in part", "2 ", "a wildcard is the whole first label (RFC 7672, section 3.2.3)"),
];

/// Whether the crate accepts.
fn accepts(case: &Case) -> bool {
    let (base, now): (DnsName, _) = (BASE.parse().unwrap(), Timestamp::from_seconds(NOW));
    fit(&case.records, &case.chain, &base, now).is_some()
}

/// Whether OpenSSL accepts, and whether the crate does, for each case.
fn verdicts(cases: &[Case]) -> Vec<(bool, bool)> {
    let answers = judges::openssl(cases);
    let mut laxer = Vec::new();
    let mut verdicts = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = accepts(case);
        let theirs = answer == "accepted";
        if ours && !theirs {
            laxer.push(format!("{}: accepted here; OpenSSL: {answer}", case.title));
        }
        verdicts.push((theirs, ours));
    }
    assert!(laxer.is_empty(), "would lose mail:\n{}", laxer.join("\n"));
    verdicts
}

#[test]
fn what_is_accepted_here_openssl_accepts_too() {
    let cases = cases(&World::new());
    let verdicts = verdicts(&cases);
    let accepted = verdicts.iter().filter(|verdict| **verdict == (true, true));
    assert!(400 < accepted.count(), "most shapes have records that fit");
    report("a record of each certificate", &verdicts);
    let mut unused: BTreeSet<_> = STRICTER.iter().collect();
    let mut unexplained = Vec::new();
    for (case, verdict) in cases.iter().zip(verdicts) {
        if verdict != (true, false) {
            continue;
        }
        match STRICTER.iter().find(|(shape, record, _)| case.is(shape, record)) {
            Some(reason) => drop(unused.remove(reason)),
            None => unexplained.push(&case.title),
        }
    }
    assert!(unexplained.is_empty(), "refused without a reason: {unexplained:#?}");
    assert!(unused.is_empty(), "OpenSSL refuses these now: {unused:?}");
}

/// Data of the wrong length fits nothing, and unusable records neither help nor hurt.
#[test]
fn odd_records_are_no_more_to_us_than_to_openssl() {
    let cases = odd_cases(&World::new());
    let verdicts = verdicts(&cases);
    let mut unexplained = Vec::new();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        let explained = STRICTER.iter().any(|(of, _, _)| !of.is_empty() && case.is(of, ""));
        if verdict.0 != verdict.1 && !explained {
            unexplained.push(&case.title);
        }
    }
    report("odd records", &verdicts);
    assert!(unexplained.is_empty(), "refused without a reason: {unexplained:#?}");
}

/// Says how many there were, and how many agree.
fn report(what: &str, verdicts: &[(bool, bool)]) {
    let agreed = verdicts.iter().filter(|(theirs, ours)| theirs == ours).count();
    let accepted = verdicts.iter().filter(|verdict| **verdict == (true, true)).count();
    println!("OpenSSL, {what}: {} cases, {agreed} agreements, {accepted} accept", verdicts.len());
}

/// What all clients accept, a client with digest agility does, and OpenSSL is one.
#[test]
fn what_fits_for_all_clients_fits_for_an_agile_one() {
    let mut agreed = 0;
    let cases = several(&World::new());
    let verdicts = verdicts(&cases);
    report("several records", &verdicts);
    for (case, verdict) in cases.iter().zip(verdicts) {
        agreed += usize::from(verdict == (true, true));
        // Only a client that does without SHA2-512 can see less than OpenSSL does.
        let sha512 = case.records.iter().any(|record| record.matching_type == 2);
        assert!(sha512 || verdict.0 == verdict.1, "{}", case.title);
    }
    assert!(100 < agreed);
}
