//! `rollover tlsa` beside hash-slinger's `tlsa --create`, for all combinations it documents.
//!
//! Records are compared octet by octet, and so is what is said of the certificate, which
//! hash-slinger prints on standard output too.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser;
use rcgen::DnType;
use rollover::cli::tlsa::{TlsaArgs, TlsaError, run};
use support::{ca, key, self_signed, server, signed};

#[path = "support/test_pki.rs"]
mod support;

/// The command alone.
#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    arguments: TlsaArgs,
}

/// What the command prints: standard output, and standard error.
fn ours(arguments: &[&str]) -> Result<(String, String), TlsaError> {
    let Cli { arguments } = Cli::try_parse_from([&["tlsa"], arguments].concat()).unwrap();
    let path = arguments.certificate.clone().unwrap();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    run(&arguments, &path, &mut stdout, &mut stderr)?;
    let text = |octets| String::from_utf8(octets).unwrap();
    Ok((text(stdout), text(stderr)))
}

/// What hash-slinger prints on standard output for each of these, side by side.
#[expect(clippy::disallowed_methods, reason = "hash-slinger is what the command is compared with")]
fn hash_slinger(cases: &[Vec<&str>]) -> Vec<String> {
    let start = |arguments: &Vec<&str>| {
        Command::new("/usr/bin/tlsa")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("hash-slinger is installed by the test set-up")
    };
    let mut printed = Vec::new();
    for some in cases.chunks(8) {
        let running: Vec<_> = some.iter().map(start).collect();
        for mut child in running {
            // Enter to every question: no, not this certificate. Without questions it may be gone.
            let mut stdin = child.stdin.take().unwrap();
            let _ = std::io::Write::write_all(&mut stdin, b"\n\n\n");
            drop(stdin);
            let output = child.wait_with_output().unwrap();
            printed.push(String::from_utf8(output.stdout).unwrap());
        }
    }
    printed
}

/// Whether a line is a record.
fn is_record(line: &str) -> bool {
    line.contains(" IN TLSA ") || line.contains(" IN TYPE52 ")
}

/// The lines of `text` that are records.
fn records(text: &str) -> Vec<&str> {
    text.lines().filter(|line| is_record(line)).collect()
}

/// Files with a CA's certificate, a server's, and both with the server's key.
fn files(directory: &Path) -> [String; 3] {
    let (mut root, root_key, server_key) = (ca("Root CA"), key(), key());
    let name = &mut root.distinguished_name;
    name.push(DnType::CountryName, "NL");
    name.push(DnType::OrganizationName, "Café & Söhne");
    let mut params = server(&["mail.example.nl"]);
    params.distinguished_name.push(DnType::CommonName, "mail.example.nl");
    let pem = |der: &[u8]| {
        let path = directory.join("one.der");
        durable(&path, der);
        openssl_pem(&path)
    };
    let ca_pem = pem(&self_signed(&root, &root_key));
    let leaf_pem = pem(&signed(&params, &server_key, (&root, &root_key)));
    let chain_pem = format!("{}{leaf_pem}{ca_pem}", server_key.serialize_pem());
    [("ca", ca_pem), ("leaf", leaf_pem), ("chain", chain_pem)].map(|(name, text)| {
        let path = directory.join(format!("{name}.pem"));
        durable(&path, text.as_bytes());
        path.into_os_string().into_string().unwrap()
    })
}

/// Writes a file of a test.
#[expect(clippy::disallowed_methods, reason = "a test's files need no care")]
fn durable(path: &Path, octets: &[u8]) {
    std::fs::write(path, octets).unwrap();
}

/// The PEM form of a DER file, from OpenSSL.
#[expect(clippy::disallowed_methods, reason = "another program writes the PEM")]
fn openssl_pem(path: &Path) -> String {
    let output = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-in"])
        .arg(path)
        .output()
        .expect("openssl is installed by the test set-up");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_combination_prints_what_hash_slinger_prints() {
    let directory = tempfile::tempdir().unwrap();
    let [ca, leaf, chain] = files(directory.path());
    let mut cases: Vec<Vec<&str>> = Vec::new();
    for usage in ["0", "1", "2", "3"] {
        for selector in ["0", "1"] {
            for matching_type in ["0", "1", "2"] {
                let file = if usage == "0" || usage == "2" { &ca } else { &leaf };
                cases.push(vec![
                    "--create",
                    "--usage",
                    usage,
                    "--selector",
                    selector,
                    "--mtype",
                    matching_type,
                    "--port",
                    "25",
                    "--certificate",
                    file,
                    "mail.example.nl",
                ]);
            }
        }
    }
    let mut more = |arguments: &[&'static str], file| {
        let mut case = arguments.to_vec();
        case.extend(["--certificate", file, "mail.example.nl"]);
        cases.push(case);
    };
    // the defaults, the short options, the other names
    more(&[], &leaf);
    more(&["-c", "-u", "3", "-s", "1", "-m", "2", "-p", "587", "-o", "generic"], &leaf);
    more(&["--output", "generic", "-u", "2", "-m", "0"], &ca);
    more(&["--output", "generic", "-u", "3", "-m", "0", "-s", "1"], &leaf);
    more(&["--port", "*", "--only-rr"], &leaf);
    more(&["--protocol", "udp", "-4"], &leaf);
    more(&["--protocol", "sctp", "-6", "--starttls", "no"], &leaf);
    // a chain: the first certificate for usage 3, the last for usage 2
    more(&["-u", "3", "-s", "1"], &chain);
    more(&["-u", "2", "-s", "1"], &chain);
    for (case, theirs) in cases.iter().zip(hash_slinger(&cases)) {
        let (stdout, stderr) = ours(case).unwrap();
        assert!(stdout.lines().all(is_record), "{stdout}");
        assert_eq!(records(&stdout), records(&theirs), "{case:?}");
        assert_eq!(records(&stdout).len(), 1, "{case:?}");
        // It verifies the certificate for usages 0 and 1, and asks about a chain.
        if matches!(case.as_slice(), [_, _, "2" | "3", ..]) {
            assert_eq!(format!("{stderr}{stdout}"), theirs, "{case:?}");
        }
    }
}

/// `both` is documented as both forms; hash-slinger 3.1 prints the same form twice.
#[test]
fn both_forms_are_printed_where_hash_slinger_prints_one_twice() {
    let directory = tempfile::tempdir().unwrap();
    let [_, leaf, _] = files(directory.path());
    let both = vec!["--output", "both", "--certificate", &leaf, "mail.example.nl"];
    let generic = vec!["--output", "generic", "--certificate", &leaf, "mail.example.nl"];
    let theirs = hash_slinger(&[both.clone(), generic]);
    let (rfc, generic) = (records(&theirs[0]), records(&theirs[1]));
    assert_eq!(rfc[0], rfc[1], "hash-slinger prints both forms now");
    let (stdout, _) = ours(&both).unwrap();
    assert_eq!(records(&stdout), [generic[0], rfc[0]]);
}

#[test]
fn the_long_name_and_the_alias_mean_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let [ca, ..] = files(directory.path());
    let with = |option| {
        let fixed = ["--usage", "2", "--selector", "1", "--port", "25", "--certificate", &ca];
        ours(&[&fixed[..], &[option, "2", "mail.example.nl"]].concat()).unwrap().0
    };
    assert_eq!(with("--matching-type"), with("--mtype"));
}

#[test]
fn what_cannot_be_named_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let [_, leaf, _] = files(directory.path());
    let (missing, empty) = (directory.path().join("missing"), directory.path().join("empty"));
    durable(&empty, b"no certificate\n");
    let refused = |arguments: &[&str], path: &str| {
        let all = [arguments, &["--certificate", path, "mail.example.nl"]].concat();
        ours(&all).unwrap_err().to_string()
    };
    assert!(refused(&["-u", "0"], &leaf).contains("usage 0 names a CA"));
    let (missing, empty) = (missing.to_str().unwrap(), empty.to_str().unwrap());
    assert!(refused(&[], missing).starts_with("cannot read the certificate file"));
    assert!(refused(&[], empty).contains("holds no certificate"));
    for wrong in [
        &["-u", "4", "mail.example.nl"][..],
        &["-s", "2", "mail.example.nl"],
        &["-m", "3", "mail.example.nl"],
        &["-p", "0", "mail.example.nl"],
        &["-p", "65536", "mail.example.nl"],
        &[],
    ] {
        assert!(Cli::try_parse_from([&["tlsa"], wrong].concat()).is_err(), "{wrong:?}");
    }
}
