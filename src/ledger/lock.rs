//! The lock of a pass: one process at a time changes the ledger and acts on it.
//!
//! The lock is on an open file, so it ends with the process that holds it, however that ends, and a
//! file that is left behind means nothing. Who only reads takes no lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::directory;
use super::error::hint_on_system;
use crate::ports::LedgerError;

/// How often the file may be exchanged under us before that is called a failure.
const ATTEMPTS_MAX: u32 = 16;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct PassLock {
    /// The open file that is locked.
    file: File,
}

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process holds it.
    #[error("another pass holds the ledger{}: `{}` is locked", by(*.pid), path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, where the file says so.
        pid: Option<u32>,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    Directory(#[from] LedgerError),
    /// The lock file cannot be opened or locked.
    #[error("cannot lock `{}`: {source}", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The process that holds the lock, as part of a message.
fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl LockError {
    /// What the operator can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Held { pid: Some(pid), .. } => format!(
                "try again when it is done; `ps -fp {pid}` shows what it is. The lock ends with \
                 that process: never remove the file"
            ),
            Self::Held { pid: None, .. } => {
                "try again when it is done. The lock ends with the process that holds it: never \
                 remove the file"
                    .to_owned()
            }
            Self::Directory(error) => error.hint.clone(),
            Self::File { source, .. } => hint_on_system(source.kind()).to_owned(),
        }
    }
}

impl PassLock {
    /// Takes the lock of a state directory, which is made if it is missing. Never waits.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] where another process, or another part of this one, has it.
    pub fn acquire(state_dir: &Path) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        directory::prepare(state_dir)
            .map_err(|trouble| trouble.report(&path, "lock the ledger"))?;
        let failed = |source| LockError::File { path: path.clone(), source };
        for _ in 0..ATTEMPTS_MAX {
            let mut file = open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { pid: holder(&mut file), path });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Somebody may have removed the file between our opening and locking it: then the next
            // process would lock another one.
            if is_at(&file, &path).map_err(failed)? {
                // For messages alone: on a full disk the ledger says what is wrong.
                let _ = note(&mut file, &format!("{}\n", std::process::id()));
                return Ok(Self { file });
            }
        }
        Err(failed(io::Error::other("somebody removes it again and again")))
    }
}

/// Forgets who held the lock, so that its next holder is never taken for this one.
impl Drop for PassLock {
    fn drop(&mut self) {
        // The lock itself ends with the file; a number left behind misleads for a moment at worst.
        let _ = self.file.set_len(0);
    }
}

/// Opens the lock file, and makes it if it is missing.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether the open file is the one that has this name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces what the lock file says.
fn note(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

/// The process that the lock file names.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_holds_it_until_the_first_is_done() {
        let directory = tempfile::tempdir().unwrap();
        let first = PassLock::acquire(directory.path()).unwrap();
        let refused = PassLock::acquire(directory.path()).unwrap_err();
        let (us, path) = (std::process::id(), directory.path().join("lock"));
        let expected =
            format!("another pass holds the ledger (process {us}): `{}` is locked", path.display());
        assert_eq!(refused.to_string(), expected);
        assert!(refused.hint().contains(&format!("ps -fp {us}")), "{}", refused.hint());
        drop(first);
        drop(PassLock::acquire(directory.path()).unwrap());
    }

    #[test]
    fn a_file_left_behind_means_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        note(&mut open(&path).unwrap(), "4194304\n").unwrap();
        let held = PassLock::acquire(directory.path()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(held);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_removed_file_is_not_the_one_that_is_locked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let file = open(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        open(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap(), "another file of the same name");
    }

    #[test]
    fn a_directory_in_the_way_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        fs::create_dir(&path).unwrap();
        let said = PassLock::acquire(directory.path()).unwrap_err().to_string();
        assert!(said.starts_with(&format!("cannot lock `{}`: ", path.display())), "{said}");
    }
}
