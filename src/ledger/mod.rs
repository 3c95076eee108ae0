//! The ledger: what cannot be looked up again, in SQLite in the state directory.
//!
//! ```text
//! state-dir/            0700
//!   ledger.sqlite       what is known of each host, and the history of decisions ([`schema`])
//!   keys/SPKI.pem       private keys, by the digest of their public half ([`files`])
//!   chains/ID.pem       chains that are staged, served or put away
//!   certificates/ID.pem single certificates: trust anchors, what is barred
//!   lock                held for a pass ([`lock`])
//! ```
//!
//! A file is written, synced and renamed before any row names it; a host's rows and its events are
//! replaced in one transaction that is synced (WAL, `synchronous = FULL`). Nothing is guessed: what
//! makes no sense is an error that says what it means and what to do.

mod files;
mod lock;
mod read;
mod schema;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

pub use self::lock::{LockError, PassLock};

use self::files::Files;
use crate::durable;
use crate::keys::PrivateKey;
use crate::pki::Sha256Digest;
use crate::ports::{Event, Ledger, LedgerError};
use crate::rollover::state::HostState;
use crate::time::Timestamp;

/// The database's name in the state directory.
const DATABASE: &str = "ledger.sqlite";

/// How long to wait for another process that writes.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// The ledger of one machine.
pub struct SqliteLedger {
    /// The database; none where there is none yet and it is only read.
    connection: Option<Mutex<Connection>>,
    /// What stands beside it.
    files: Files,
    /// Where the database is, for messages.
    path: PathBuf,
}

/// What to do where the ledger is broken.
const BROKEN_HINT: &str = "mail is not affected: what is in place stays there. Restore the file from \
     a backup, or move it away: rollover then starts from what it sees, and waits one TTL more; keys \
     stay in keys/";

/// What to do where the ledger cannot be reached.
const REACH_HINT: &str = "mail is not affected: what is in place stays there. See that the disk is \
     not full and that the state directory is this user's and writable";

impl SqliteLedger {
    /// Opens the ledger, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened, is broken, or was written by a newer version.
    pub fn open(state_dir: &Path) -> Result<Self, LedgerError> {
        durable::create_directory(state_dir).map_err(|error| LedgerError {
            message: error.describe(),
            hint: REACH_HINT.to_owned(),
        })?;
        let path = state_dir.join(DATABASE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&path, flags).map_err(|error| explain(&path, &error))?;
        prepare(&connection).map_err(|error| explain(&path, &error))?;
        schema::check(&connection, &path)?;
        schema::migrate(&mut connection).map_err(|error| explain(&path, &error))?;
        files::make_private(&path)?;
        Ok(Self { connection: Some(Mutex::new(connection)), files: Files::new(state_dir), path })
    }

    /// Opens the ledger to be read alone: by `status`, while a pass is under way, perhaps by a user
    /// who may not write. Where there is none yet, every host is as at first sight.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened, is broken, or was written by another version.
    pub fn open_for_reading(state_dir: &Path) -> Result<Self, LedgerError> {
        let path = state_dir.join(DATABASE);
        let files = Files::new(state_dir);
        if !path.exists() {
            return Ok(Self { connection: None, files, path });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(|error| explain(&path, &error))?;
        connection.busy_timeout(BUSY).map_err(|error| explain(&path, &error))?;
        schema::check(&connection, &path)?;
        Ok(Self { connection: Some(Mutex::new(connection)), files, path })
    }

    /// The connection, for one use.
    fn connection(&self) -> Option<MutexGuard<'_, Connection>> {
        // A transaction that panicked was rolled back: what is behind the lock is whole.
        Some(self.connection.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An error of the database as the ledger's.
    fn error(&self, error: &rusqlite::Error) -> LedgerError {
        explain(&self.path, error)
    }
}

/// Sets what holds for one connection.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // NORMAL, the default with WAL, may lose the last commits at a loss of power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")
}

/// What an error of the database means.
fn explain(path: &Path, error: &rusqlite::Error) -> LedgerError {
    use rusqlite::ErrorCode;
    let broken = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    );
    let hint = if broken { BROKEN_HINT } else { REACH_HINT };
    let path = path.display();
    LedgerError { message: format!("the ledger {path}: {error}"), hint: hint.to_owned() }
}

/// A row that makes no sense.
fn nonsense(path: &Path, what: &str) -> LedgerError {
    let path = path.display();
    LedgerError {
        message: format!("the ledger {path} holds what makes no sense: {what}"),
        hint: BROKEN_HINT.to_owned(),
    }
}

impl Ledger for SqliteLedger {
    fn load(&self, host: &str) -> Result<HostState, LedgerError> {
        match self.connection() {
            None => Ok(HostState::default()),
            Some(mut connection) => {
                // One transaction, so that a pass that commits in between is seen whole or not.
                let transaction = connection.transaction().map_err(|e| self.error(&e))?;
                read::Reader {
                    transaction: &transaction,
                    files: &self.files,
                    path: &self.path,
                    host,
                }
                .state()
            }
        }
    }

    fn save(&self, host: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        self.files.store_chains_of(state)?;
        let Some(mut connection) = self.connection() else {
            let message = format!("the ledger {} was opened to be read", self.path.display());
            return Err(LedgerError { message, hint: REACH_HINT.to_owned() });
        };
        let mut write = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            write::Writer { transaction: &transaction, host }.replace(state, events)?;
            transaction.commit()
        };
        write().map_err(|error| self.error(&error))
    }

    fn history(&self, host: &str, limit: usize) -> Result<Vec<Event>, LedgerError> {
        let Some(connection) = self.connection() else { return Ok(Vec::new()) };
        let read = || {
            let mut statement = connection.prepare(
                "SELECT at, observation, decision, action, result FROM event WHERE host = ?1
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![host, limit], |row| {
                Ok(Event {
                    at: Timestamp::from_millis(row.get(0)?),
                    observation: row.get(1)?,
                    decision: row.get(2)?,
                    action: row.get(3)?,
                    result: row.get(4)?,
                })
            })?;
            let mut events: Vec<Event> = rows.collect::<rusqlite::Result<_>>()?;
            events.reverse();
            Ok(events)
        };
        read().map_err(|error| self.error(&error))
    }

    fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError> {
        self.files.store_key(key)
    }

    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        self.files.load_key(spki)
    }
}

#[cfg(test)]
mod tests;
