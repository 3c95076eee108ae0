//! What can be wrong with a ledger, in the words of the operator who is woken by it.
//!
//! One list for the whole module. The port's error is a message and a hint; both are written here,
//! and every hint ends with what it means for mail: without its ledger the program changes nothing,
//! so whatever is published and served stays as it is.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::durable::DurableError;
use crate::ports::LedgerError;
use crate::secret::SecretError;

/// How long another process may keep the database busy before this one gives up, in seconds.
pub(super) const PATIENCE_SECONDS: u32 = 10;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// SQLite failed.
    #[error("{}", explain(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// The integrity check found something.
    #[error("it is damaged: {findings}")]
    Damaged {
        /// What SQLite said, shortened.
        findings: String,
    },
    /// The file is too short for any ledger.
    #[error("it ends after {size} octets: its content was lost")]
    Cut {
        /// Its size.
        size: u64,
    },
    /// An SQLite database, but no ledger.
    #[error("it is the SQLite database of another program")]
    Foreign,
    /// Something else has its name.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// What has the name.
        path: PathBuf,
    },
    /// A later program wrote it.
    #[error("it has version {found} of the schema, and this program knows none after {known}")]
    TooNew {
        /// The version of the file.
        found: i64,
        /// The latest version known.
        known: i64,
        /// The version of the program that wrote it, where the file says so.
        program: Option<String>,
    },
    /// An earlier program wrote it, and it was opened for reading alone.
    #[error("it has version {found} of the schema, and this program reads version {known}")]
    TooOld {
        /// The version of the file.
        found: i64,
        /// The version that can be read.
        known: i64,
    },
    /// A write-ahead log without its database.
    #[error("`{}` is there without it", path.display())]
    StrayLog {
        /// The log.
        path: PathBuf,
    },
    /// SQLite would not keep a write-ahead log.
    #[error("its journal mode is `{mode}` and cannot be changed to `wal`")]
    NoLog {
        /// The mode that it stays in.
        mode: String,
    },
    /// A row makes no sense.
    #[error("its table `{table}` holds what makes no sense: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It was opened for reading, and something was to be written.
    #[error("it was opened for reading alone")]
    ReadingAlone,
    /// A chain that was not issued is said to be in service.
    #[error("a chain that was not issued cannot be in service")]
    NotIssued,
    /// The path of the state directory leads to something else.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// What it leads to.
        path: PathBuf,
    },
    /// Others could exchange what is in the state directory.
    #[error(
        "`{}` has mode {mode:04o}, which lets other users of this machine change what is in it",
        path.display()
    )]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The state directory belongs to another user than the one who runs this.
    #[error(
        "the state directory `{}` belongs to the user with id {owner}, and this runs as the user \
         with id {runs_as}",
        path.display()
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs this.
        runs_as: u32,
    },
    /// The system would not show or open a file.
    #[error("cannot {action} `{}`: {source}", path.display())]
    System {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{}", .0.describe())]
    Durable(#[from] DurableError),
    /// A file that a row names is not there.
    #[error("the {what} `{}` is missing", path.display())]
    Missing {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file does not hold what its name says.
    #[error("the {what} `{}` is damaged: {reason}", path.display())]
    Content {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A private key is not kept as a secret.
    #[error("{}", with_source(.0))]
    Secret(#[from] SecretError),
}

/// The kind of SQLite's failure. The memory that readers and writers share is a file: that it cannot
/// grow means that the disk is full, though SQLite counts it among the failures of a disk.
fn kind_of_sqlite(error: &rusqlite::Error) -> Option<ErrorCode> {
    let extended = error.sqlite_error().map(|code| code.extended_code);
    match extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
        true => Some(ErrorCode::DiskFull),
        false => error.sqlite_error_code(),
    }
}

/// What SQLite's failure means.
fn explain(error: &rusqlite::Error) -> String {
    let said = if let rusqlite::Error::SqliteFailure(_, Some(said)) = error {
        said.clone()
    } else {
        error.to_string()
    };
    match kind_of_sqlite(error) {
        Some(ErrorCode::DatabaseCorrupt) => format!("it is damaged: {said}"),
        Some(ErrorCode::NotADatabase) => "it is not an SQLite database".to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly) => format!("it cannot be written: {said}"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another process has kept it busy for {PATIENCE_SECONDS} seconds")
        }
        Some(ErrorCode::SystemIoFailure) => {
            let code = error.sqlite_error().map_or(0, |code| code.extended_code);
            format!("the disk fails: {said} (SQLite code {code})")
        }
        Some(ErrorCode::ConstraintViolation) => format!("it refuses what contradicts it: {said}"),
        Some(_) | None => said,
    }
}

/// An error and what the system said, where that is not part of its message.
fn with_source(error: &SecretError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What is true whatever went wrong here.
const UNTOUCHED: &str =
    "until then rollover changes nothing, and what is published and served stays as it is";

impl Trouble {
    /// The error of the port: `doing` says what was tried, with which host and which file.
    pub(super) fn report(&self, ledger: &Path, doing: &str) -> LedgerError {
        LedgerError { message: format!("cannot {doing}: {self}"), hint: self.hint(ledger) }
    }

    /// What to do about it.
    fn hint(&self, ledger: &Path) -> String {
        let advice = match self {
            Self::Sqlite(error) => return hint_on_sqlite(error, ledger),
            Self::Damaged { .. } | Self::Cut { .. } | Self::Row { .. } | Self::StrayLog { .. } => {
                restore(ledger)
            }
            Self::Foreign | Self::NotAFile { .. } => {
                "move it away, or set another `state-dir` in the configuration".to_owned()
            }
            Self::TooNew { program: Some(program), .. } => {
                format!("install rollover {program} or later, which wrote it")
            }
            Self::TooNew { program: None, .. } => {
                "install the version of rollover that wrote it, or a later one".to_owned()
            }
            Self::TooOld { .. } => "run `rollover` once: a pass brings it up to date".to_owned(),
            Self::NoLog { .. } => {
                "put the state directory on a local file system: SQLite's write-ahead log needs \
                 shared memory"
                    .to_owned()
            }
            Self::ReadingAlone | Self::NotIssued => REPORT.to_owned(),
            Self::NotADirectory { .. } => {
                "correct `state-dir` in the configuration, or move what is there away".to_owned()
            }
            Self::Exposed { path, .. } => {
                format!("make sure that nobody did, and run `chmod go-w '{}'`", path.display())
            }
            Self::Owner { path, owner, runs_as } => format!(
                "run it as that user (`sudo -u '#{owner}' rollover ...`), or give the directory \
                 away with `chown -R {runs_as} '{}'`",
                path.display()
            ),
            Self::System { source, .. } => hint_on_system(source.kind()).to_owned(),
            Self::Durable(error) => hint_on_system(error.kind()).to_owned(),
            Self::Missing { path, .. } | Self::Content { path, .. } => format!(
                "restore `{}` from a backup; where there is none, {}",
                path.display(),
                begin_anew(ledger)
            ),
            Self::Secret(SecretError::Exposed { .. }) => {
                "others may have read the key: if so, replace it with `rollover --compromised key`"
                    .to_owned()
            }
            Self::Secret(_) => "restore it from a backup of the state directory".to_owned(),
        };
        format!("{advice}; {UNTOUCHED}")
    }
}

/// What to do where the program contradicts itself.
const REPORT: &str = "this is a bug in rollover: please report it with the output of this command";

/// What to do about a ledger whose content cannot be relied on.
fn restore(ledger: &Path) -> String {
    format!(
        "restore the state directory from a backup; where there is none, {}",
        begin_anew(ledger)
    )
}

/// How to go on without the ledger, and what that costs.
fn begin_anew(ledger: &Path) -> String {
    let keys = ledger.with_file_name("keys");
    format!(
        "move `{}` away, and its -wal and -shm files with it: rollover then begins from what it \
         sees, and waits one TTL more before its first change; the private keys stay in `{}`",
        ledger.display(),
        keys.display()
    )
}

/// What to do about a failure of SQLite's.
fn hint_on_sqlite(error: &rusqlite::Error, ledger: &Path) -> String {
    let advice = match kind_of_sqlite(error) {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => restore(ledger),
        Some(ErrorCode::DiskFull) => hint_on_system(io::ErrorKind::StorageFull).to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!(
                "see that the user who runs this may write `{}`, the files beside it and their \
                 directory, and that the file system is mounted for writing",
                ledger.display()
            )
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "find out which process has it open (`fuser '{}'`); the next pass tries again",
            ledger.display()
        ),
        Some(ErrorCode::SystemIoFailure) => {
            "see the kernel's log for the disk's errors, and make a backup of the state directory"
                .to_owned()
        }
        Some(_) | None => REPORT.to_owned(),
    };
    format!("{advice}; {UNTOUCHED}")
}

/// What to do where the system refused.
pub(super) fn hint_on_system(kind: io::ErrorKind) -> &'static str {
    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of the system, most without advice")]
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space on the disk of the state directory; the next pass goes on"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount the file system of the state directory for writing, or set another `state-dir`"
        }
        io::ErrorKind::Unsupported => {
            "put the state directory on a local file system: the one that it is on has no locks"
        }
        io::ErrorKind::PermissionDenied => "run it as the user who owns the state directory",
        _ => "see that the state directory is there, whole, and on a disk that works",
    }
}
