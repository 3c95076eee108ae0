//! The ledger as the port has it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::error::Trouble;
use super::files::Files;
use super::lock::PassLock;
use super::{open, read, sweep, write};
use crate::keys::PrivateKey;
use crate::pki::Sha256Digest;
use crate::ports::{Event, Ledger, LedgerError};
use crate::rollover::state::HostState;
use crate::time::Timestamp;

/// What may be done with the ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    /// Read it.
    Read,
    /// Read and change it.
    Change,
}

/// A ledger in a state directory: SQLite, and files beside it.
///
/// Whoever changes anything holds the [`PassLock`] of the same directory meanwhile. It may be open
/// longer than that: each call sees what others have written.
pub struct SqliteLedger {
    /// The database's file, for messages.
    path: PathBuf,
    /// The database. Held while files are written, too, so that no sweep comes between a file and
    /// the row that names it.
    connection: Mutex<Connection>,
    /// Keys, chains and certificates.
    files: Files,
    /// What may be done.
    access: Access,
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteLedger({}, {:?})", self.path.display(), self.access)
    }
}

impl SqliteLedger {
    /// Opens the ledger of a state directory to read and change it; both are made if missing, for
    /// their owner alone.
    ///
    /// # Errors
    ///
    /// Where others could change the directory, the ledger is damaged, or of a later version: then
    /// nothing is changed.
    pub fn open(state_dir: &Path) -> Result<Self, LedgerError> {
        Self::with(state_dir, Access::Change, open::for_writing(state_dir))
    }

    /// Opens the ledger of a state directory to read it, also while a pass is made, and where
    /// nothing can be written. Where there is no ledger yet, every host has the state of first
    /// sight.
    ///
    /// # Errors
    ///
    /// Where the ledger is damaged, or of another version.
    pub fn open_read_only(state_dir: &Path) -> Result<Self, LedgerError> {
        Self::with(state_dir, Access::Read, open::for_reading(state_dir))
    }

    /// A ledger around what came of opening the database.
    fn with(
        state_dir: &Path,
        access: Access,
        opened: Result<Connection, Trouble>,
    ) -> Result<Self, LedgerError> {
        let path = state_dir.join(open::FILE);
        let doing = || format!("open the ledger `{}`", path.display());
        let connection = opened.map_err(|trouble| trouble.report(&path, &doing()))?;
        let files = Files::new(state_dir);
        Ok(Self { path, connection: Mutex::new(connection), files, access })
    }

    /// Records when the next decision about a host is due; `None` where nobody can tell.
    ///
    /// # Errors
    ///
    /// Where it could not be written.
    pub fn set_wake(&self, host: &str, wake: Option<Timestamp>) -> Result<(), LedgerError> {
        let doing = self.in_ledger(&format!("record when `{host}` is due"));
        self.change(&doing, |connection| {
            connection.execute(
                "INSERT INTO host (name, withdrawn, next_bundle, wake) VALUES (?1, 0, 0, ?2) \
                 ON CONFLICT (name) DO UPDATE SET wake = excluded.wake",
                (host, wake.map(Timestamp::as_millis)),
            )?;
            Ok(())
        })
    }

    /// The hosts of the ledger about which a decision is due at `now`, and those of which nobody
    /// can tell when it is. A host that the ledger never heard of is not among them, and due.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read.
    pub fn due(&self, now: Timestamp) -> Result<BTreeSet<String>, LedgerError> {
        self.look(&self.in_ledger("read which hosts are due"), |connection| {
            let sql = "SELECT name FROM host WHERE wake IS NULL OR wake <= ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let names = statement.query_map([now.as_millis()], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    /// Removes keys, chains and certificates that no host has had a use for in 30 days, counted
    /// from the first sweep that found so. Returns what was removed.
    ///
    /// # Errors
    ///
    /// Where a file could not be removed, or the ledger not be read; then too much is left.
    pub fn sweep(
        &self,
        _held: &PassLock,
        now: Timestamp,
    ) -> Result<BTreeSet<PathBuf>, LedgerError> {
        let removed = self.change("remove files without use", |connection| {
            sweep::sweep(connection, &self.files, now)
        })?;
        Ok(removed.iter().map(|name| self.files.path(name)).collect())
    }

    /// Does something that changes nothing.
    fn look<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|trouble| self.report(&trouble, doing))
    }

    /// Does something that changes the ledger or its files.
    fn change<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, LedgerError> {
        match self.access {
            Access::Change => self.look(doing, work),
            Access::Read => Err(self.report(&Trouble::ReadingAlone, doing)),
        }
    }

    /// The error of the port.
    fn report(&self, trouble: &Trouble, doing: &str) -> LedgerError {
        trouble.report(&self.path, doing)
    }

    /// What is done with the database, for messages.
    fn in_ledger(&self, doing: &str) -> String {
        format!("{doing} in the ledger `{}`", self.path.display())
    }
}

impl Ledger for SqliteLedger {
    fn load(&self, host: &str) -> Result<HostState, LedgerError> {
        let doing = self.in_ledger(&format!("read the state of `{host}`"));
        self.look(&doing, |connection| read::load(connection, &self.files, host))
    }

    fn save(&self, host: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        let doing = self.in_ledger(&format!("record the state of `{host}`"));
        self.change(&doing, |connection| {
            write::keep_files(&self.files, state)?;
            write::save(connection, host, state, events)
        })
    }

    fn history(&self, host: &str, limit: usize) -> Result<Vec<Event>, LedgerError> {
        let doing = self.in_ledger(&format!("read the history of `{host}`"));
        self.look(&doing, |connection| read::history(connection, host, limit))
    }

    fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError> {
        self.change("keep a private key", |_| self.files.store_key(key))
    }

    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        self.look("use a private key", |_| self.files.load_key(spki))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many hosts the ledger has rows of.
    fn hosts(ledger: &SqliteLedger) -> i64 {
        let connection = ledger.connection.lock().unwrap();
        connection.query_row("SELECT count(*) FROM host", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_full_disk_is_called_so_and_leaves_the_ledger_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(directory.path()).unwrap();
        let limit = |pages: i64| {
            let connection = ledger.connection.lock().unwrap();
            connection
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
                .unwrap();
        };
        limit(1); // SQLite takes it for: no more than there are
        let event = Event {
            at: Timestamp::from_seconds(0),
            observation: "seen ".repeat(10_000),
            decision: String::new(),
            action: String::new(),
            result: String::new(),
        };
        let error =
            ledger.save("mx", &HostState::default(), std::slice::from_ref(&event)).unwrap_err();
        let path = directory.path().join("ledger.sqlite");
        assert_eq!(
            error.message,
            format!(
                "cannot record the state of `mx` in the ledger `{}`: the disk is full",
                path.display()
            )
        );
        assert!(error.hint.starts_with("free some space"), "{}", error.hint);
        assert_eq!((hosts(&ledger), ledger.history("mx", 9).unwrap()), (0, vec![]));
        limit(1_000_000);
        ledger.save("mx", &HostState::default(), std::slice::from_ref(&event)).unwrap();
        assert_eq!((hosts(&ledger), ledger.history("mx", 9).unwrap()), (1, vec![event]));
    }

    #[test]
    fn a_state_that_contradicts_itself_is_refused_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(directory.path()).unwrap();
        let current = Some(crate::rollover::state::BundleId(3));
        let state = HostState { current, ..HostState::default() };
        let error = ledger.save("mx", &state, &[]).unwrap_err();
        assert!(
            error.message.ends_with("contradicts it: FOREIGN KEY constraint failed"),
            "{error}"
        );
        assert!(error.hint.contains("report it"), "{}", error.hint);
        assert_eq!(hosts(&ledger), 0);
    }

    #[test]
    fn a_host_is_due_when_its_wake_has_come_or_nobody_knows_it() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(directory.path()).unwrap();
        let at = Timestamp::from_seconds;
        ledger.set_wake("early", Some(at(10))).unwrap();
        ledger.set_wake("late", Some(at(20))).unwrap();
        ledger.save("stuck", &HostState::default(), &[]).unwrap();
        let due = |now| ledger.due(at(now)).unwrap().into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(due(9), "stuck");
        assert_eq!(due(10), "early stuck");
        ledger.save("late", &HostState::default(), &[]).unwrap();
        assert_eq!(due(19), "early stuck", "a save does not touch the wake");
        ledger.set_wake("early", Some(at(30))).unwrap();
        assert_eq!(due(20), "late stuck");
    }
}
