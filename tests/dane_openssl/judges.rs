//! The other implementations: a program each, which reads a case a line and answers with a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rollover::pki::hex;

use crate::BASE;
use crate::cases::Case;
use crate::support::NOW;

/// A case as the oracle reads it.
fn question(case: &Case) -> serde_json::Value {
    let chain: Vec<String> = case.chain.certificates().iter().map(|c| hex(c.der())).collect();
    let records: Vec<String> = case.records.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "chain": chain, "key": hex(&case.key), "records": records, "base": BASE, "now": NOW,
    })
}

/// What OpenSSL says to each case.
pub(crate) fn openssl(cases: &[Case]) -> Vec<String> {
    ask(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dane_openssl/oracle.py"), cases)
}

/// What GnuTLS says to each case.
pub(crate) fn gnutls(cases: &[Case]) -> Vec<String> {
    ask(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dane_openssl/gnutls.py"), cases)
}

/// What an oracle says to each case.
#[expect(clippy::disallowed_methods, reason = "the oracle is another program on purpose")]
fn ask(script: &str, cases: &[Case]) -> Vec<String> {
    let mut oracle = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed by the test set-up");
    let (mut questions, answers) = (oracle.stdin.take().unwrap(), oracle.stdout.take().unwrap());
    let mut answers = BufReader::new(answers).lines();
    // Both work at the same time: questions are written while answers are read.
    let said = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                writeln!(questions, "{}", question(case)).unwrap();
            }
            drop(questions);
        });
        let answer = |_| answers.next().expect("an answer to each question").unwrap();
        cases.iter().map(answer).collect()
    });
    assert!(oracle.wait().unwrap().success());
    said
}
