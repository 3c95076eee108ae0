//! One pass at a time: a lock that dies with the process that holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::durable;

/// The ledger's lock, held until it is dropped.
#[derive(Debug)]
pub struct PassLock {
    /// The locked file: closing it lets go.
    _file: File,
}

/// Why the lock was not had.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process holds it.
    #[error("another pass holds the ledger {path}{holder}; nothing was done")]
    Held {
        /// The lock's file.
        path: String,
        /// Which process, if it said so.
        holder: String,
    },
    /// The file could not be opened or locked.
    #[error("cannot lock {path}: {reason}")]
    File {
        /// The lock's file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl PassLock {
    /// Takes the lock of a state directory, or says who has it.
    ///
    /// # Errors
    ///
    /// Where another process holds it, or the file cannot be used.
    pub fn acquire(state_dir: &Path) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        let failed = |reason: String| LockError::File { path: path.display().to_string(), reason };
        durable::create_directory(state_dir).map_err(|error| failed(error.describe()))?;
        loop {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(|error| failed(error.to_string()))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(&path, &mut file)),
                Err(TryLockError::Error(error)) => return Err(failed(error.to_string())),
            }
            // Somebody may have removed the file while it was being locked: a lock on a file
            // without a name locks out nobody.
            let locked = file.metadata().map_err(|error| failed(error.to_string()))?;
            let named = std::fs::metadata(&path).ok().map(|named| (named.dev(), named.ino()));
            if named != Some((locked.dev(), locked.ino())) {
                continue;
            }
            // For people alone; what counts is the lock.
            let _ = file.set_len(0).and_then(|()| file.rewind());
            let _ = writeln!(file, "{}", std::process::id());
            return Ok(Self { _file: file });
        }
    }
}

/// Says who holds the lock.
fn held(path: &Path, file: &mut File) -> LockError {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let holder = match text.trim().parse::<u32>() {
        Ok(process) => format!(" (process {process})"),
        Err(_) => String::new(),
    };
    LockError::Held { path: PathBuf::from(path).display().to_string(), holder }
}
