//! A writer that is killed at any moment leaves its last acknowledged save, or the one after it.
//!
//! The test runs its own executable as the writer, and ends it by SIGKILL.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rollover::keys::PrivateKey;
use rollover::ledger::{LockError, PassLock, SqliteLedger};
use rollover::pki::{Chain, KeyType};
use rollover::ports::Ledger;
use rollover::rollover::state::{BundleId, HostState};

use crate::states::in_service;
use crate::{event, open, results};

/// How often a writer is killed.
const ROUNDS: usize = 20;

/// The variable that tells the writer where to write.
const DIRECTORY: &str = "ROLLOVER_TEST_LEDGER";

/// Saves one state after the other, each with a key and a chain of its own, and acknowledges each.
#[test]
#[ignore = "the writer that the crash test starts and kills"]
fn writer() {
    #[expect(clippy::disallowed_methods, reason = "the test's word to itself")]
    let directory = std::env::var(DIRECTORY).unwrap();
    let directory = Path::new(&directory);
    let _lock = PassLock::acquire(directory).unwrap();
    let ledger = open(directory);
    let mut number = ledger.load("mx1").unwrap().next_bundle;
    loop {
        number += 1;
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        let pair = rcgen::KeyPair::from_pem(key.pem()).unwrap();
        let params = rcgen::CertificateParams::new(vec![format!("mx{number}.example.nl")]).unwrap();
        let chain = Chain::from_der(&[params.self_signed(&pair).unwrap().der()]).unwrap();
        ledger.store_key(&key).unwrap();
        let state = HostState { next_bundle: number, ..in_service(&chain) };
        ledger.save("mx1", &state, &[event(number.cast_signed())]).unwrap();
        println!("saved {number}");
    }
}

/// Starts a writer.
fn start(directory: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test is its own writer")]
    let mut command = Command::new(program);
    command.args(["--exact", "crash::writer", "--ignored", "--nocapture"]);
    command.env(DIRECTORY, directory).stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits for `count` acknowledgements, kills the writer, and returns the last it gave.
///
/// The writer holds the lock until then.
fn kill_after(directory: &Path, mut child: Child, count: usize) -> u64 {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut saved = lines.filter_map(|line| line.unwrap().strip_prefix("saved ")?.parse().ok());
    let mut last = saved.nth(count - 1).unwrap();
    let refused = PassLock::acquire(directory).unwrap_err();
    let holder = Some(child.id());
    assert!(matches!(&refused, LockError::Held { pid, .. } if *pid == holder), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    // what it still said before the end
    if let Some(later) = saved.last() {
        last = later;
    }
    last
}

#[test]
fn a_killed_writer_leaves_what_it_acknowledged_whole() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for round in 1..=ROUNDS {
        let acknowledged = kill_after(directory, start(directory), 1 + round % 3);
        drop(PassLock::acquire(directory).unwrap());

        // A reader first: it must not need a writer to clean up.
        let reader = SqliteLedger::open_read_only(directory).unwrap();
        let found = reader.load("mx1").unwrap();
        let ledger = open(directory);
        assert_eq!(ledger.load("mx1").unwrap(), found, "round {round}");
        let saved = found.next_bundle;
        assert!((acknowledged..=acknowledged + 1).contains(&saved), "{acknowledged}, then {saved}");

        let expected: Vec<String> = (1..=saved).map(|number| number.to_string()).collect();
        assert_eq!(results(&ledger, "mx1"), expected, "round {round}: state and history agree");
        let chain = found.bundles[&BundleId(0)].chains().next().unwrap();
        let key = ledger.load_key(&chain.leaf().spki_sha256()).unwrap();
        assert_eq!(key.spki(), chain.leaf().spki());
    }
}
