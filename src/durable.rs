//! Files that are there whole or not at all, and still there after a power cut.
//!
//! A file is written under another name in the same directory, given its mode and owner, synced,
//! and only then renamed: whoever opens it by its name sees the old content or the new one, never
//! a part, and never a private key that others could read for a moment. The directory is synced
//! last, because until then a crash can bring the old name back.
//!
//! This is the one place that writes private keys.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::crash;

/// What a file grants to whom, in force before the file has its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Access {
    /// The permissions.
    pub mode: u32,
    /// The owner's number; `None`: whoever runs this program.
    pub owner: Option<u32>,
    /// The group's number; `None`: that of whoever runs this program.
    pub group: Option<u32>,
}

impl Access {
    /// For the owner alone.
    pub const PRIVATE: Self = Self::with_mode(0o600);

    /// These permissions for the user and group that run this program.
    pub const fn with_mode(mode: u32) -> Self {
        Self { mode, owner: None, group: None }
    }
}

/// Whether a file had to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Made {
    /// It was not there, and is now.
    New,
    /// There was one already, which is left as it was.
    Existed,
}

/// Why a file could not be written durably.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct DurableError {
    /// What was tried.
    action: &'static str,
    /// The file or directory concerned.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

impl DurableError {
    /// For `map_err`: what was tried, with which path.
    fn of<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { action, path: path.to_owned(), source }
    }

    /// What kind of failure of the system's it was.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// What was tried, with which path, and what the system said, in one line.
    pub fn describe(&self) -> String {
        format!("{self}: {}", self.source)
    }
}

/// Content that is written, synced and has its access, and waits for its name.
///
/// Several files that belong together are staged first and put one after the other, so that nothing
/// but a rename is left to fail. Dropped instead, it is gone.
#[derive(Debug)]
pub struct Staged {
    /// The content under another name.
    file: NamedTempFile,
    /// Where it goes.
    path: PathBuf,
}

impl Staged {
    /// Gives the content its name, in place of what has it; after `Ok` it survives a crash.
    ///
    /// # Errors
    ///
    /// With the step that failed. The old content or the new one is there, whole.
    pub fn put(self) -> Result<(), DurableError> {
        let Self { file, path } = self;
        crash::point("file: before the rename");
        file.persist(&path)
            .map_err(|e| DurableError::of("rename the new content to", &path)(e.error))?;
        crash::point("file: renamed");
        sync_directory(parent(&path))
    }
}

/// Replaces the file at `path`; after `Ok` the new content survives a crash.
///
/// After an error or a crash the old content or the new one is there, whole.
///
/// # Errors
///
/// With the step that failed.
pub fn write(path: &Path, contents: &[u8], access: Access) -> Result<(), DurableError> {
    stage(path, contents, access)?.put()
}

/// Replaces the file at `path` with a secret that its owner alone can read.
///
/// # Errors
///
/// As [`write()`].
pub fn write_private(path: &Path, contents: &[u8]) -> Result<(), DurableError> {
    write(path, contents, Access::PRIVATE)
}

/// Makes the file at `path` with a secret that its owner alone can read, unless there is one.
///
/// Of several that try at once, one makes it; the others find it.
///
/// # Errors
///
/// As [`write()`].
pub fn create_private(path: &Path, contents: &[u8]) -> Result<Made, DurableError> {
    let staged = stage(path, contents, Access::PRIVATE)?;
    let made = match staged.file.persist_noclobber(path) {
        Ok(_) => Made::New,
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Made::Existed,
        Err(refused) => return Err(DurableError::of("create", path)(refused.error)),
    };
    crash::point("file: created");
    sync_directory(parent(path))?;
    Ok(made)
}

/// Makes the directory at `path` and those above it, for their owner alone; one that is there
/// already is left as it is.
///
/// # Errors
///
/// With the step that failed.
pub fn create_directory(path: &Path) -> Result<(), DurableError> {
    if path.is_dir() {
        return Ok(());
    }
    let missing =
        path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir());
    let missing: Vec<&Path> = missing.collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(DurableError::of("create the directory", path))?;
    for made in missing.into_iter().rev() {
        sync_directory(parent(made))?;
    }
    Ok(())
}

/// Removes the file at `path`; one that is not there is no error.
///
/// # Errors
///
/// With the step that failed.
pub fn remove(path: &Path) -> Result<(), DurableError> {
    match fs::remove_file(path) {
        Ok(()) => sync_directory(parent(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(DurableError::of("remove", path)(e)),
    }
}

/// Writes and syncs `contents` under another name beside `path`, with its access already set.
///
/// # Errors
///
/// With the step that failed. Nothing is left of it then.
pub fn stage(path: &Path, contents: &[u8], access: Access) -> Result<Staged, DurableError> {
    let staged = tempfile::Builder::new()
        .prefix(&staged_prefix(path))
        .suffix(STAGED_SUFFIX)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(parent(path))
        .map_err(DurableError::of("create a file beside", path))?;
    let mut file = staged.as_file();
    file.write_all(contents).map_err(DurableError::of("write", path))?;
    if access.owner.is_some() || access.group.is_some() {
        fchown(file, access.owner, access.group)
            .map_err(DurableError::of("set the owner and group of", path))?;
    }
    // After the change of owner, which clears some bits; the umask has no say in it.
    file.set_permissions(Permissions::from_mode(access.mode))
        .map_err(DurableError::of("set the mode of", path))?;
    file.sync_all().map_err(DurableError::of("sync", path))?;
    Ok(Staged { file: staged, path: path.to_owned() })
}

/// What the name of every staged file ends with.
const STAGED_SUFFIX: &str = ".new";

/// What the names of contents staged for `path` begin with.
fn staged_prefix(path: &Path) -> String {
    format!(".rollover-{}-", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what a crash left staged for `path`, perhaps a private key. Only for who alone writes
/// there; what cannot be removed stays.
pub fn sweep(path: &Path) {
    let prefix = staged_prefix(path);
    let is_staged = |name: &str| {
        let random = name.strip_prefix(&prefix).and_then(|name| name.strip_suffix(STAGED_SUFFIX));
        random.is_some_and(|random| random.bytes().all(|octet| octet.is_ascii_alphanumeric()))
    };
    let Ok(entries) = fs::read_dir(parent(path)) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_staged) {
            let _stays = fs::remove_file(entry.path());
        }
    }
}

/// Makes the names in the directory at `path` survive a crash.
///
/// # Errors
///
/// Where the system cannot.
pub fn sync_directory(path: &Path) -> Result<(), DurableError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(DurableError::of("sync the directory", path))
}

/// The directory that `path` is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.pem");
        write(&path, b"old", Access::with_mode(0o600)).unwrap();
        write(&path, b"new", Access::with_mode(0o664)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o664, "whatever the umask is");
        assert_eq!(names(directory.path()), ["mail.pem"]);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_left_alone_and_nothing_stays_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("occupied");
        fs::create_dir(&path).unwrap();
        let error = write_private(&path, b"secret").unwrap_err();
        assert!(
            error.describe().starts_with("cannot rename the new content to `"),
            "{}",
            error.describe()
        );
        assert_eq!(names(directory.path()), ["occupied"]);
    }

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("account.key");
        assert_eq!(create_private(&path, b"first").unwrap(), Made::New);
        assert_eq!(create_private(&path, b"second").unwrap(), Made::Existed);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(directory.path()), ["account.key"]);
    }

    #[test]
    fn directories_are_for_their_owner_alone_and_present_ones_are_left_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("state/orders");
        create_directory(&deep).unwrap();
        assert_eq!(mode(&deep), 0o700);
        assert_eq!(mode(&directory.path().join("state")), 0o700);
        fs::set_permissions(&deep, Permissions::from_mode(0o750)).unwrap();
        create_directory(&deep).unwrap();
        assert_eq!(mode(&deep), 0o750);
    }

    #[test]
    fn what_is_not_there_is_removed_already() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("order.json");
        remove(&path).unwrap();
        write_private(&path, b"{}").unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_staged_has_no_name_until_it_is_put() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.pem");
        drop(stage(&path, b"given up", Access::PRIVATE).unwrap());
        assert!(names(directory.path()).is_empty());
        let staged = stage(&path, b"new", Access::with_mode(0o640)).unwrap();
        assert!(!path.exists());
        staged.put().unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), 0o640));
    }

    #[test]
    fn what_a_crash_left_staged_is_swept_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let others = [".rollover-mail.pem-rsa-abc123.new", ".rollover-mail.pem-abc123", "mail.pem"];
        for name in others.into_iter().chain([".rollover-mail.pem-abc123.new"]) {
            write_private(&at(name), b"x").unwrap();
        }
        let left = stage(&at("mail.pem"), b"secret", Access::PRIVATE).unwrap();
        left.file.keep().unwrap();
        sweep(&at("mail.pem"));
        let mut found = names(directory.path());
        found.sort();
        assert_eq!(found, [others[1], others[0], others[2]]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = write_private(Path::new("/nowhere/at/all/key"), b"").unwrap_err();
        let text = error.describe();
        assert!(
            text.starts_with("cannot create a file beside `/nowhere/at/all/key`: No such file"),
            "{text}"
        );
    }
}
