//! GnuTLS: the same records of the same certificates, and the verdicts of its DANE library, which Exim
//! has where it is built with GnuTLS.
//!
//! It is no judge of everything: it looks neither at names nor, for usage 3, at dates.

use std::collections::BTreeSet;
use std::process::Command;

use rollover::pki::Certificate;
use rollover::tlsa::{Parameters, Record};

use crate::cases::{cases, odd_cases, several};
use crate::shapes::World;
use crate::{BASE, accepts, judges};

/// What the crate accepts and GnuTLS does not, as in [`crate::STRICTER`].
const REFUSED: &[crate::Difference] = &[
    ("", "2 0 0 of the ", "of a record that carries its anchor it only looks for what is sent"),
    ("", "2 1 0 of the ", "the same"),
];

/// What GnuTLS accepts and the crate does not. The caller is to look at names, and at the public PKI.
const LAXER: &[crate::Difference] = &[
    ("any extended usage", "2 ", "it is told no purpose"),
    ("certificate signing", "2 ", "the same"),
    ("client alone", "2 ", "the same"),
    ("server is a CA", "2 ", "the same"),
    ("intermediate for ", "2 ", "the same"),
    ("common name ", "2 ", "it does not look at names"),
    ("no name", "2 ", "the same"),
    ("other name", "2 ", "the same"),
    ("wildcard ", "2 ", "the same"),
    ("root ", "2 ", "of an anchor that signed itself it takes the key and the name alone"),
    ("version 1", "2 ", "it lets certificates of version 1 be CAs'"),
    ("crossed ", "2 ", "a record may name any certificate that is sent, on the way or not"),
    ("namesake ", "2 ", "the same"),
    ("stranger sent", "2 ", "the same"),
    ("", "a PKIX usage", "it takes usages 0 and 1 for 2 and 3"),
    ("", "beside a stranger's", "it does without digest agility (RFC 7671, section 9)"),
    ("", "{", "the same"),
];

/// GnuTLS makes the same records of the same certificates.
#[test]
#[expect(clippy::disallowed_methods, reason = "the oracle is another program on purpose")]
fn danetool_makes_the_same_records() {
    let (world, directory) = (World::new(), tempfile::tempdir().unwrap());
    let file = directory.path().join("certificate.pem");
    let mut compared = 0;
    let shapes = world.arrangements().into_iter().take(1).chain(world.servers());
    for certificate in shapes.flat_map(|shape| shape.chain.into_iter().take(1)) {
        let certificate = Certificate::from_der(&certificate).unwrap();
        std::fs::write(&file, certificate.to_pem()).unwrap();
        for (parameters, arguments) in [
            ("3 1 1", &["--hash", "sha256"] as &[&str]),
            ("3 0 2", &["--hash", "sha512", "--x509"]),
            ("2 1 2", &["--hash", "sha512", "--ca"]),
            ("2 0 1", &["--hash", "sha256", "--ca", "--x509"]),
        ] {
            let output = Command::new("danetool")
                .args(["--tlsa-rr", "--host", BASE, "--port", "25", "--load-certificate"])
                .arg(&file)
                .args(arguments)
                .output()
                .expect("danetool is installed by the test set-up");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let record =
                Record::from(parameters.parse::<Parameters>().unwrap().associate(&certificate));
            let (numbers, data) = said.split_once("( ").unwrap().1.split_at(9);
            let numbers: Vec<u8> =
                numbers.split_whitespace().map(|n| u8::from_str_radix(n, 16).unwrap()).collect();
            let theirs = format!(
                "{} {} {} {}",
                numbers[0],
                numbers[1],
                numbers[2],
                data.trim().trim_end_matches(" )")
            );
            assert_eq!(theirs.parse::<Record>().unwrap(), record, "{said}");
            compared += 1;
        }
    }
    println!("danetool: {compared} records, {compared} agreements");
}

/// What GnuTLS says to each case. What it refuses and the crate does not is listed in [`REFUSED`], what
/// it accepts and the crate does not in [`LAXER`], and nothing else.
#[test]
fn gnutls_differs_as_is_known() {
    let world = World::new();
    let mut unexplained = Vec::new();
    let mut unused: BTreeSet<_> = REFUSED.iter().chain(LAXER).collect();
    for (what, cases) in [
        ("a record of each certificate", cases(&world)),
        ("odd records", odd_cases(&world)),
        ("several records", several(&world)),
    ] {
        let mut agreed = 0;
        for (case, said) in cases.iter().zip(judges::gnutls(&cases)) {
            let known = match (accepts(case), said == "accepted") {
                (true, false) => REFUSED,
                (false, true) => LAXER,
                (true, true) | (false, false) => {
                    agreed += 1;
                    continue;
                }
            };
            match known.iter().find(|(shape, record, _)| case.is(shape, record)) {
                Some(reason) => drop(unused.remove(reason)),
                None => unexplained.push(format!("{}; GnuTLS: {said}", case.title)),
            }
        }
        println!("GnuTLS, {what}: {} cases, {agreed} agreements", cases.len());
    }
    assert!(unexplained.is_empty(), "without a reason: {unexplained:#?}");
    assert!(unused.is_empty(), "agrees now: {unused:?}");
}
