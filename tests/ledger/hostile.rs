//! Ground that a ledger can come to stand on: torn files, other programs' files, later versions,
//! open doors. Each is refused with the file's name and what to do, and nothing is changed.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rollover::keys::PrivateKey;
use rollover::ledger::SqliteLedger;
use rollover::pki::{KeyType, Sha256Digest};
use rollover::ports::{Ledger, LedgerError};
use rollover::rollover::state::{BundleId, HostState};

use crate::states::{CHAINS, in_service, key_stem};
use crate::{event, open};

/// A state directory with a ledger that was closed, large enough to be torn.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    for number in 0..100 {
        ledger.save("mx1", &in_service(&CHAINS[0]), &[event(number)]).unwrap();
    }
    drop(ledger);
    let path = directory.path().join("ledger.sqlite");
    (directory, path)
}

/// Opens the ledger in `directory` in both ways, which must fail alike, and returns the error.
fn refused(directory: &Path) -> LedgerError {
    let content = fs::read(directory.join("ledger.sqlite")).ok();
    let error = SqliteLedger::open(directory).unwrap_err();
    assert_eq!(SqliteLedger::open_read_only(directory).unwrap_err(), error);
    assert_eq!(fs::read(directory.join("ledger.sqlite")).ok(), content, "it was changed");
    let opening =
        format!("cannot open the ledger `{}`: ", directory.join("ledger.sqlite").display());
    assert!(error.message.starts_with(&opening), "{error}");
    let untouched = "and what is published and served stays as it is";
    assert!(error.hint.ends_with(untouched), "{}", error.hint);
    error
}

/// Writes octets into the middle of a file.
fn overwrite(path: &Path, at: u64, octets: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(octets).unwrap();
}

#[test]
fn a_torn_ledger_is_refused_with_the_way_back() {
    let (directory, path) = filled();
    let whole = fs::read(&path).unwrap();
    let size = whole.len();
    for length in [0, 1, 99, 512, 4096, size / 2, size - 4096, size - 1] {
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length as u64).unwrap();
        let error = refused(directory.path());
        let expected = match length {
            0 | 1 | 99 => "octets: its content was lost",
            length if length == size - 1 => "octets: its content was lost",
            _ => "it is damaged: ",
        };
        assert!(error.message.contains(expected), "{length} of {size} octets: {error}");
        assert!(error.hint.contains("from a backup"), "{}", error.hint);
        let anew = format!("move `{}` away, and its -wal and -shm", path.display());
        assert!(error.hint.contains(&anew), "{}", error.hint);
        File::create(&path).unwrap().write_all(&whole).unwrap();
        assert_eq!(open(directory.path()).history("mx1", 1).unwrap(), [event(99)]);
    }
}

#[test]
fn damage_within_is_found_before_it_is_relied_on() {
    let (directory, path) = filled();
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    let mut damaged = 0;
    for page in 1..pages {
        let whole = fs::read(&path).unwrap();
        overwrite(&path, page * 4096, &[0xa5; 64]);
        // a page that no row or index uses may be damaged without harm
        if SqliteLedger::open(directory.path()).is_err() {
            let error = refused(directory.path());
            assert!(error.message.contains(": it is damaged: "), "{error}");
            damaged += 1;
        }
        File::create(&path).unwrap().write_all(&whole).unwrap();
    }
    assert!(pages / 2 < damaged, "{damaged} of {pages} found");
}

#[test]
fn what_is_not_a_ledger_is_not_written_to() {
    let (directory, path) = filled();
    fs::remove_file(&path).unwrap();
    File::create(&path).unwrap().write_all(&b"not a database at all\n".repeat(500)).unwrap();
    let error = refused(directory.path());
    assert!(error.message.ends_with(": it is not an SQLite database"), "{error}");

    fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(other);
    let error = refused(directory.path());
    assert!(error.message.ends_with("it is the SQLite database of another program"), "{error}");

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = refused(directory.path());
    let expected = format!("`{}` is not a regular file", path.display());
    assert!(error.message.ends_with(&expected), "{error}");
}

#[test]
fn a_later_version_is_refused_with_the_program_that_is_needed() {
    let (directory, path) = filled();
    let later = "INSERT INTO migration VALUES (99, '7.0.1'); PRAGMA user_version = 99";
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(later).unwrap();
    drop(raw);
    let error = refused(directory.path());
    let said = "it has version 99 of the schema, and this program knows none after 4";
    assert!(error.message.ends_with(said), "{error}");
    assert!(error.hint.starts_with("install rollover 7.0.1 or later"), "{}", error.hint);
}

#[test]
fn a_log_without_its_ledger_is_not_taken_for_that_of_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    ledger.save("mx1", &in_service(&CHAINS[0]), &[event(1)]).unwrap();
    // moved away under a process that still has it open, as operators do
    let path = directory.path().join("ledger.sqlite");
    fs::rename(&path, directory.path().join("ledger.sqlite.old")).unwrap();
    let error = refused(directory.path());
    let said = format!("`{}-wal` is there without it", path.display());
    assert!(error.message.ends_with(&said), "{error}");
    assert!(!path.exists(), "no new one was made");
}

#[test]
fn doors_left_open_are_refused_with_the_command_that_shuts_them() {
    let (directory, path) = filled();
    for (path, mode, command) in [
        (directory.path(), 0o777, format!("chmod go-w '{}'", directory.path().display())),
        (&path, 0o620, format!("chmod go-w '{}'", path.display())),
    ] {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let error = SqliteLedger::open(directory.path()).unwrap_err();
        let said = format!("`{}` has mode {mode:04o}, which lets other users", path.display());
        assert!(error.message.contains(&said), "{error}");
        assert!(error.hint.contains(&command), "{}", error.hint);
        fs::set_permissions(path, before).unwrap();
    }
    open(directory.path());
}

#[test]
fn everything_is_made_for_its_owner_alone() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("rollover");
    let ledger = open(&directory);
    ledger.store_key(&PrivateKey::generate(KeyType::EcdsaP256).unwrap()).unwrap();
    ledger.save("mx1", &in_service(&CHAINS[0]), &[event(1)]).unwrap();
    let mut unseen = vec![directory];
    let mut files = 0;
    while let Some(path) = unseen.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        assert_eq!(mode, if metadata.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if metadata.is_dir() {
            unseen.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files += 1;
        }
    }
    assert_eq!(files, 7, "the ledger, its log and index, key, public key, chain, anchor");
}

#[test]
fn of_many_that_begin_at_once_one_makes_the_ledger_and_all_use_it() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("rollover");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let directory = &directory;
            scope.spawn(move || {
                let state = in_service(&CHAINS[0]);
                open(directory).save("mx1", &state, &[event(number)]).unwrap();
            });
        }
    });
    let mut results = crate::results(&open(&directory), "mx1");
    results.sort();
    assert_eq!(results, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_file_that_a_row_names_and_that_is_lost_or_damaged_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let (state, other) = (in_service(&CHAINS[0]), in_service(&CHAINS[5]));
    ledger.save("mx1", &state, &[]).unwrap();
    ledger.save("mx2", &other, &[]).unwrap();
    let path = |name: String| directory.path().join(name);
    let chain = path(format!("chains/{}.pem", CHAINS[0].id()));
    let text = fs::read(&chain).unwrap();
    let foreign = fs::read(path(format!("chains/{}.pem", CHAINS[5].id()))).unwrap();
    let halved = [&text[..text.len() / 2], b"\n-----END CERTIFICATE-----\n"].concat();
    for (content, reason) in [
        (None, "is missing"),
        (Some(Vec::new()), "is damaged: it holds no certificate"),
        (Some(text[..text.len() / 3].to_vec()), "is damaged: "),
        (Some(halved), "is damaged: "),
        (Some(foreign), "is damaged: its content is not what its name says"),
    ] {
        fs::remove_file(&chain).unwrap();
        if let Some(content) = content {
            File::create(&chain).unwrap().write_all(&content).unwrap();
        }
        let result = ledger.load("mx1");
        let error = result.unwrap_err();
        let said = format!("the chain `{}` {reason}", chain.display());
        assert!(error.message.contains(&said), "{error}");
        assert!(
            error.hint.starts_with(&format!("restore `{}`", chain.display())),
            "{}",
            error.hint
        );
        assert_eq!(ledger.load("mx2").unwrap(), other, "other hosts go on");
        File::create(&chain).unwrap().write_all(&text).unwrap();
    }
    assert_eq!(ledger.load("mx1").unwrap(), state);
    fs::remove_file(path(format!("keys/{}.pub", key_stem(&CHAINS[0])))).unwrap();
    let error = ledger.load("mx1").unwrap_err();
    assert!(error.message.contains("the public key `"), "{error}");
}

#[test]
fn a_private_key_is_kept_once_and_read_only_where_it_is_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let generate = || PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let (key, other) = (generate(), generate());
    let path = directory.path().join(format!("keys/{}.pem", key.spki_sha256()));
    let load = || ledger.load_key(&key.spki_sha256()).map(|found| found.spki().to_vec());
    let said = |error: LedgerError| format!("{}\n{}", error.message, error.hint);

    let missing = said(load().unwrap_err());
    let expected =
        format!("cannot use a private key: the private key `{}` is missing", path.display());
    assert!(missing.starts_with(&expected), "{missing}");
    ledger.store_key(&key).unwrap();
    ledger.store_key(&key).unwrap();
    assert_eq!(load().unwrap(), key.spki());
    assert_eq!(fs::read_to_string(&path).unwrap(), key.pem());

    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    for error in [load().unwrap_err(), ledger.store_key(&key).unwrap_err()] {
        let text = said(error);
        for part in [&format!("chmod o-rwx {}", path.display()), "mode 0644", "--compromised key"] {
            assert!(text.contains(part), "{text}: no {part}");
        }
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();

    for content in [other.pem(), "", &key.pem()[..100]] {
        overwrite(&path, 0, content.as_bytes());
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(content.len() as u64).unwrap();
        let text = said(load().unwrap_err());
        assert!(
            text.contains(&format!("the private key `{}` is damaged: ", path.display())),
            "{text}"
        );
        assert!(!text.contains(&key.pem()[40..60]), "{text}");
        ledger.store_key(&key).unwrap();
        assert_eq!(load().unwrap(), key.spki(), "a damaged key is written anew");
    }
}

#[test]
fn nothing_is_recorded_that_names_a_file_which_could_not_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let before = in_service(&CHAINS[0]);
    ledger.save("mx1", &before, &[event(1)]).unwrap();
    let chains = directory.path().join("chains");
    let aside = directory.path().join("chains.aside");
    fs::rename(&chains, &aside).unwrap();
    File::create(&chains).unwrap();
    let error = ledger.save("mx1", &in_service(&CHAINS[2]), &[event(2)]).unwrap_err();
    let said = format!("cannot create the directory `{}`: ", chains.display());
    assert!(error.message.contains(&said), "{error}");
    fs::remove_file(&chains).unwrap();
    fs::rename(&aside, &chains).unwrap();
    assert_eq!(ledger.load("mx1").unwrap(), before);
    assert_eq!(crate::results(&ledger, "mx1"), ["1"]);
}

#[test]
fn files_are_there_before_the_rows_that_name_them() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let mut state = in_service(&CHAINS[0]);
    // refused by the database, at the end of the transaction
    state.current = Some(BundleId(7));
    ledger.save("mx1", &state, &[event(1)]).unwrap_err();
    let anchor = Sha256Digest::of(CHAINS[0].authorities()[0].der());
    for name in [
        format!("chains/{}.pem", CHAINS[0].id()),
        format!("keys/{}.pub", key_stem(&CHAINS[0])),
        format!("certificates/{anchor}.pem"),
    ] {
        assert!(directory.path().join(&name).exists(), "{name}");
    }
    assert_eq!(ledger.load("mx1").unwrap(), HostState::default());
}
