//! Files that no row names are kept for 30 days after that was first found, and no longer.

use std::fs;
use std::path::Path;

use rollover::keys::PrivateKey;
use rollover::ledger::PassLock;
use rollover::pki::{Chain, KeyType};
use rollover::ports::Ledger;
use rollover::rollover::state::{HostState, Revocation};
use rollover::time::Timestamp;

use crate::open;
use crate::states::{CHAINS, in_service, key_stem};

/// The moment `days` days after the beginning.
fn day(days: i64) -> Timestamp {
    Timestamp::from_seconds(days * 24 * 3600)
}

/// The files in the directories of files, without their digests' ends.
fn kept(state_dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for directory in ["keys", "chains", "certificates"] {
        for entry in fs::read_dir(state_dir.join(directory)).unwrap() {
            names.push(format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    names.sort();
    names
}

#[test]
fn a_file_goes_thirty_days_after_no_row_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let lock = PassLock::acquire(path).unwrap();
    let ledger = open(path);
    let sweep = |now| ledger.sweep(&lock, day(now)).unwrap().len();
    let (first, second) = (&CHAINS[0], &CHAINS[4]);
    ledger.save("mx1", &in_service(first), &[]).unwrap();
    let files_of_first = kept(path);
    assert_eq!(files_of_first.len(), 3, "chain, anchor, public key: {files_of_first:?}");
    assert_eq!((sweep(0), sweep(400)), (0, 0), "what is named stays for ever");

    ledger.save("mx1", &in_service(second), &[]).unwrap();
    assert_eq!((sweep(401), sweep(430)), (0, 0));
    // named again, and not again: it counts from the beginning
    ledger.save("mx1", &in_service(first), &[]).unwrap();
    assert_eq!(sweep(431), 0);
    ledger.save("mx1", &in_service(second), &[]).unwrap();
    assert_eq!((sweep(432), sweep(461)), (0, 0));
    assert_eq!(ledger.sweep(&lock, day(462)).unwrap().len(), 3);
    let left = kept(path);
    assert_eq!(left.len(), 3);
    assert!(!files_of_first.iter().any(|name| left.contains(name)), "{left:?}");
    assert_eq!(ledger.load("mx1").unwrap(), in_service(second));
}

#[test]
fn the_key_of_a_certificate_to_be_revoked_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let lock = PassLock::acquire(path).unwrap();
    let ledger = open(path);
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let pair = rcgen::KeyPair::from_pem(key.pem()).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
    let chain = Chain::from_der(&[certificate.der()]).unwrap();
    ledger.store_key(&key).unwrap();
    let revocation = Revocation { issuer: "house".to_owned(), chain: chain.clone() };
    let mut state = HostState { to_revoke: vec![revocation], ..HostState::default() };
    ledger.save("mx1", &state, &[]).unwrap();
    let sweep = |now| ledger.sweep(&lock, day(now)).unwrap();
    assert!(sweep(0).is_empty() && sweep(31).is_empty());
    ledger.load_key(&key.spki_sha256()).unwrap();
    state.to_revoke.clear();
    ledger.save("mx1", &state, &[]).unwrap();
    assert!(sweep(32).is_empty());
    let gone = sweep(62);
    assert!(gone.contains(&path.join(format!("keys/{}.pem", key_stem(&chain)))), "{gone:?}");
    assert!(ledger.load_key(&key.spki_sha256()).is_err());
}

#[test]
fn what_a_killed_process_left_goes_at_once_and_what_is_not_ours_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let lock = PassLock::acquire(path).unwrap();
    let ledger = open(path);
    ledger.store_key(&PrivateKey::generate(KeyType::EcdsaP256).unwrap()).unwrap();
    for name in [".rollover-a1b2c3.new", "README", "mine.pem"] {
        fs::File::create(path.join("keys").join(name)).unwrap();
    }
    for days in [0, 31] {
        ledger.sweep(&lock, day(days)).unwrap();
    }
    let names: Vec<_> = fs::read_dir(path.join("keys")).unwrap().collect();
    let mut names: Vec<_> = names.into_iter().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["README", "mine.pem"]);
}
