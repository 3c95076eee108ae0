//! Who only reads needs no lock, waits for nobody, changes nothing, and can do without writing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rollover::keys::PrivateKey;
use rollover::ledger::{PassLock, SqliteLedger};
use rollover::pki::KeyType;
use rollover::ports::Ledger;
use rollover::rollover::state::HostState;

use crate::states::{CHAINS, in_service};
use crate::{event, open};

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_reader_sees_what_was_saved_last_while_a_pass_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let _lock = PassLock::acquire(directory).unwrap();
    let writer = open(directory);
    let states = [in_service(&CHAINS[0]), in_service(&CHAINS[1])];
    writer.save("mx1", &states[0], &[event(1)]).unwrap();
    let reader = SqliteLedger::open_read_only(directory).unwrap();
    assert_eq!(reader.load("mx1").unwrap(), states[0]);

    // in the middle of a save of another process
    let other = rusqlite::Connection::open(directory.join("ledger.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE host SET withdrawn = 1").unwrap();
    let second = SqliteLedger::open_read_only(directory).unwrap();
    assert_eq!(second.load("mx1").unwrap(), states[0]);
    other.execute_batch("ROLLBACK").unwrap();

    writer.save("mx1", &states[1], &[event(2)]).unwrap();
    for reader in [reader, second] {
        assert_eq!(reader.load("mx1").unwrap(), states[1]);
        assert_eq!(reader.history("mx1", 9).unwrap(), [event(1), event(2)]);
    }
}

#[test]
fn a_reader_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path());
    let before = names(directory.path());
    let reader = SqliteLedger::open_read_only(directory.path()).unwrap();
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let error = reader.save("mx1", &HostState::default(), &[event(1)]).unwrap_err();
    assert!(error.message.ends_with("it was opened for reading alone"), "{error}");
    assert!(reader.store_key(&key).is_err());
    assert!(reader.set_wake("mx1", None).is_err());
    drop(reader);
    assert!(!names(directory.path()).iter().any(|name| name == "keys"));
    // SQLite may leave an empty log and its index behind
    let after: Vec<_> = names(directory.path());
    let after: Vec<_> = after.into_iter().filter(|name| !name.contains("sqlite-")).collect();
    assert_eq!(after, before);
}

#[test]
fn where_there_is_no_ledger_yet_every_host_is_at_first_sight_and_none_is_made() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().to_owned(), directory.path().join("not/there")] {
        let reader = SqliteLedger::open_read_only(&path).unwrap();
        assert_eq!(reader.load("mx1").unwrap(), HostState::default());
        assert_eq!(reader.history("mx1", 9).unwrap(), []);
    }
    assert_eq!(names(directory.path()), [""; 0]);
}

/// Does something as a user who owns nothing here, if this user may do everything.
fn without_privileges<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use rustix::process::{Gid, Uid, geteuid};
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if geteuid().is_root() {
                let (nobody, nogroup) = (Uid::from_raw(65_534), Gid::from_raw(65_534));
                // of this thread alone
                rustix::thread::set_thread_groups(&[]).unwrap();
                rustix::thread::set_thread_res_gid(nogroup, nogroup, nogroup).unwrap();
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            work()
        });
        thread.join().unwrap()
    })
}

#[test]
fn a_ledger_is_read_where_nothing_can_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let state = in_service(&CHAINS[0]);
    open(path).save("mx1", &state, &[event(1)]).unwrap();
    assert!(!path.join("ledger.sqlite-wal").exists(), "the last to close it cleans up");
    let grant = |name: &str, mode| {
        fs::set_permissions(path.join(name), Permissions::from_mode(mode)).unwrap();
    };
    grant("ledger.sqlite", 0o444);
    for directory in ["keys", "chains", "certificates"] {
        for entry in fs::read_dir(path.join(directory)).unwrap() {
            fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o444)).unwrap();
        }
        grant(directory, 0o555);
    }
    grant("", 0o555);
    without_privileges(|| {
        let reader = SqliteLedger::open_read_only(path).unwrap();
        assert_eq!(reader.load("mx1").unwrap(), state);
        assert_eq!(reader.history("mx1", 9).unwrap(), [event(1)]);
        let error = SqliteLedger::open(path).unwrap_err();
        let owned = !rustix::process::geteuid().is_root() && error.message.contains("belongs to");
        let denied = error.message.contains("Permission denied (os error 13)");
        assert!(owned || denied, "{error}");
    });
    grant("", 0o700);
}

#[test]
fn a_ledger_that_this_user_may_not_read_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    drop(open(path));
    fs::set_permissions(path.join("ledger.sqlite"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    without_privileges(|| {
        let error = SqliteLedger::open_read_only(path).unwrap_err();
        let ledger = path.join("ledger.sqlite").display().to_string();
        let expected = format!(
            "cannot open the ledger `{ledger}`: cannot read `{ledger}`: Permission denied \
             (os error 13)"
        );
        assert_eq!(error.message, expected);
        assert!(error.hint.starts_with("run it as the user who owns"), "{}", error.hint);
    });
}
