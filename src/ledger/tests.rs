//! Tests of the ledger on a real file system.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::pki::{Certificate, Chain, ChainId, KeyType};
use crate::rollover::history::{Content, History, Service, Version};
use crate::rollover::presentable::Presentable;
use crate::rollover::served::{Deployment, Presence};
use crate::rollover::state::{
    Barred, Bundle, BundleCredential, BundleId, Failure, Issued, KeyMade, Kind, Revocation,
    Rollover, Step, Target,
};
use crate::time::{Moment, Span, Ttl};
use crate::tlsa::{TlsaOwner, TlsaRrset, Usage};

/// A self-signed certificate.
fn certificate() -> Certificate {
    let pair = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
    Certificate::from_der(parameters.self_signed(&pair).unwrap().der()).unwrap()
}

/// A moment.
fn moment(seconds: i64) -> Moment {
    Moment {
        wall: Timestamp::from_seconds(seconds),
        boot: u64::MAX - 3,
        uptime: Span::from_millis(12_345),
    }
}

/// A state with something in every field.
#[expect(clippy::too_many_lines, reason = "one value for every field there is")]
fn full() -> HostState {
    let (one, two) = (certificate(), certificate());
    let chain = Chain::new(vec![one.clone(), two.clone()]).unwrap();
    let other = Chain::new(vec![two.clone()]).unwrap();
    let owner = TlsaOwner::new("mail.example.nl".parse().unwrap(), 25).unwrap();
    let rrset = TlsaRrset::new(
        ["3 1 1 aabb", "0 9 200 ", "2 1 1 00"].map(|record| record.parse().unwrap()),
        Ttl::from_seconds(3600),
    );
    let unknown =
        Content::Unknown { ttl: Ttl::from_seconds(5), fits: BTreeSet::from([chain.id()]) };
    let version = |content, service| Version { content, service };
    let sent = Service::Sent { at: moment(1), longest_delay: Span::from_seconds(360) };
    let versions = vec![
        version(unknown, Service::Ended { at: moment(2) }),
        version(Content::Rrset(rrset), sent),
        version(
            Content::Rrset(TlsaRrset::absent(Ttl::from_seconds(7))),
            Service::Ongoing { since: moment(3) },
        ),
    ];
    let key = |spki: &[u8]| KeyMade { spki: spki.to_vec(), at: Timestamp::from_millis(1_234_567) };
    let issued = Issued { chain: chain.clone(), anchor: Some(two.clone()) };
    let credentials = [
        (KeyType::EcdsaP256, BundleCredential { key: key(one.spki()), issued: Some(issued) }),
        (KeyType::Rsa2048, BundleCredential { key: key(b"ordered"), issued: None }),
    ];
    let bundle = Bundle {
        issuer: "house".to_owned(),
        created: Timestamp::from_seconds(9),
        credentials: credentials.into(),
    };
    let mut state = HostState {
        current: Some(BundleId(3)),
        next_bundle: 5,
        withdrawn: true,
        issuer_override: Some("other".to_owned()),
        ..HostState::default()
    };
    state.histories.insert(owner, History { versions });
    state.served.presences = vec![
        Presence { chain: Presentable::Issued(chain.clone()), ended: None },
        Presence { chain: Presentable::Issued(other.clone()), ended: Some(moment(4)) },
    ];
    state.served.deployment = Some(Deployment {
        bundle: BundleId(3),
        chains: BTreeSet::from([chain.id(), ChainId(Sha256Digest::of(b"x"))]),
        begun: moment(5),
        done: Some(moment(6)),
        shown: true,
    });
    state.bundles.insert(BundleId(3), bundle);
    state.rollover = Some(Rollover {
        kind: Kind::CaChange,
        started: Timestamp::from_seconds(8),
        target: Target::Bundle(BundleId(3)),
        from: None,
        took_standby: true,
    });
    state.standby.insert(KeyType::EcdsaP384, key(b"standby"));
    state.barred.push(Barred { usage: Usage::DaneTa, certificate: two });
    state.to_revoke.push(Revocation { issuer: "house".to_owned(), chain: other });
    let failure = Failure {
        count: 2,
        at: moment(7),
        not_before: Timestamp::from_seconds(99),
        message: "what".to_owned(),
        hint: "do".to_owned(),
        needs_operator: true,
    };
    state.failures.insert(Step::Issue, failure);
    state
}

/// A line of the history.
fn event(number: i64) -> Event {
    Event {
        at: Timestamp::from_seconds(number),
        observation: "seen".to_owned(),
        decision: "deploy".to_owned(),
        action: format!("action {number}"),
        result: String::new(),
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(directory.path()).unwrap();
    assert_eq!(ledger.load("mail").unwrap(), HostState::default());
    let state = full();
    ledger.save("mail", &state, &[event(1)]).unwrap();
    ledger.save("other", &HostState::default(), &[]).unwrap();
    assert_eq!(ledger.load("mail").unwrap(), state);
    drop(ledger);
    let again = SqliteLedger::open(directory.path()).unwrap();
    assert_eq!(again.load("mail").unwrap(), state);
    again.save("mail", &HostState::default(), &[event(2)]).unwrap();
    assert_eq!(again.load("mail").unwrap(), HostState::default());
    assert_eq!(again.history("mail", 10).unwrap(), [event(1), event(2)]);
    assert_eq!(again.history("mail", 1).unwrap(), [event(2)]);
}

#[test]
fn readers_need_neither_the_lock_nor_a_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let reader = SqliteLedger::open_for_reading(&directory.path().join("none")).unwrap();
    assert_eq!(reader.load("mail").unwrap(), HostState::default());
    let writer = SqliteLedger::open(directory.path()).unwrap();
    let _lock = PassLock::acquire(directory.path()).unwrap();
    writer.save("mail", &full(), &[]).unwrap();
    let reader = SqliteLedger::open_for_reading(directory.path()).unwrap();
    assert_eq!(reader.load("mail").unwrap().next_bundle, 5);
    assert!(reader.save("mail", &HostState::default(), &[]).is_err());
}

#[test]
fn nobody_else_can_read_the_ledger_its_keys_and_chains() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let ledger = SqliteLedger::open(&state).unwrap();
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    ledger.store_key(&key).unwrap();
    ledger.save("mail", &full(), &[]).unwrap();
    assert_eq!(ledger.load_key(&key.spki_sha256()).unwrap().spki(), key.spki());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join(DATABASE))), (0o700, 0o600));
    for kind in ["keys", "chains", "certificates"] {
        for entry in std::fs::read_dir(state.join(kind)).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600, "{kind}");
        }
    }
}

/// Writes a file as somebody else would.
#[expect(clippy::disallowed_methods, reason = "what is written is not meant to be whole")]
fn write(path: &Path, octets: &[u8]) {
    std::fs::write(path, octets).unwrap();
}

/// The error of opening a ledger.
fn refusal(directory: &Path) -> LedgerError {
    match SqliteLedger::open(directory) {
        Ok(_) => panic!("the ledger opened"),
        Err(error) => error,
    }
}

#[test]
fn a_broken_ledger_is_refused_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteLedger::open(directory.path()).unwrap());
    let path = directory.path().join(DATABASE);
    let whole = std::fs::read(&path).unwrap();
    let _ = std::fs::remove_file(directory.path().join("ledger.sqlite-wal"));
    write(&path, &whole[..whole.len() / 2 + 100]);
    let error = refusal(directory.path());
    assert!(error.hint.contains("mail is not affected"), "{error}");
    write(&path, b"this is no database, and longer than a header: ..........................................................");
    let error = refusal(directory.path());
    assert!(error.message.contains("file is not a database"), "{error}");
    assert!(error.hint.contains("keys stay in keys/"), "{error}");
}

#[test]
fn a_ledger_of_a_newer_version_and_one_of_another_program_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATABASE);
    drop(SqliteLedger::open(directory.path()).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(refusal(directory.path()).message.contains("is of version 99"));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(refusal(directory.path()).message.contains("another program"));
}

#[test]
fn a_missing_chain_is_named_and_nothing_is_guessed() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(directory.path()).unwrap();
    ledger.save("mail", &full(), &[]).unwrap();
    std::fs::remove_dir_all(directory.path().join("chains")).unwrap();
    let error = ledger.load("mail").unwrap_err();
    assert!(error.message.starts_with("the ledger names "), "{error}");
    assert!(error.message.contains("/chains/"), "{error}");
}

#[test]
fn the_lock_is_held_by_one_and_dies_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let lock = PassLock::acquire(directory.path()).unwrap();
    let error = PassLock::acquire(directory.path()).unwrap_err();
    let process = format!("(process {})", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    drop(lock);
    PassLock::acquire(directory.path()).unwrap();
}
