//! Files that a mail server reads: whose they are, and how one is replaced.

use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::FilesConfig;
use crate::durable::{self, Access, DurableError};
use crate::ports::DeployError;

/// A failed action on a file.
pub(super) fn failed(action: &'static str, path: &Path, error: &std::io::Error) -> DeployError {
    DeployError::File { action, path: path.display().to_string(), reason: error.to_string() }
}

/// A failed durable write.
pub(super) fn not_written(error: &DurableError) -> DeployError {
    DeployError::Write { reason: error.describe() }
}

/// Who owns the files, and who may do what with them: the names of the configuration looked up.
pub(super) fn access(config: &FilesConfig) -> Result<Access, DeployError> {
    let look_up =
        |table, name: &Option<String>| name.as_deref().map(|name| look_up(table, name)).transpose();
    Ok(Access {
        mode: config.mode,
        owner: look_up("/etc/passwd", &config.owner)?,
        group: look_up("/etc/group", &config.group)?,
    })
}

/// The number of a user or group, by name or number.
fn look_up(table: &'static str, name: &str) -> Result<u32, DeployError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let path = Path::new(table);
    let text = std::fs::read_to_string(path).map_err(|error| failed("read", path, &error))?;
    let mut entries = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|fields| fields.first() == Some(&name));
    entry.and_then(|fields| fields.get(2)?.parse().ok()).ok_or_else(|| DeployError::File {
        action: "find",
        path: format!("`{name}` in {table}"),
        reason: "there is no such name".to_owned(),
    })
}

/// Reads a file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, DeployError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Replaces a file in one stroke, and returns once the new one would survive a loss of power.
///
/// A symbolic link is not written through: behind it may lie another client's own file, which that
/// client would overwrite.
pub(super) fn replace(path: &Path, content: &[u8], access: Access) -> Result<(), DeployError> {
    if path.is_symlink() {
        let error = std::io::Error::other(
            "it is a symbolic link, perhaps into another client's directory: let the mail server \
             and `chain-file` name a file of their own",
        );
        return Err(failed("replace", path, &error));
    }
    durable::write(path, content, access).map_err(|error| not_written(&error))
}

/// Syncs a directory, so that the names in it survive a loss of power.
pub(super) fn sync_directory(directory: &Path) -> Result<(), DeployError> {
    durable::sync_directory(directory).map_err(|error| not_written(&error))
}

/// Creates a directory that the files' readers may enter; nobody else needs to list it.
pub(super) fn create_directory(path: &Path, access: Access) -> Result<(), DeployError> {
    match std::fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("create", path, &error)),
    }
    let directory = File::open(path).map_err(|error| failed("open", path, &error))?;
    if access.owner.is_some() || access.group.is_some() {
        std::os::unix::fs::fchown(&directory, access.owner, access.group)
            .map_err(|error| failed("change the owner of", path, &error))?;
    }
    directory
        .set_permissions(Permissions::from_mode(0o711))
        .map_err(|error| failed("set the mode of", path, &error))
}

/// The directory of a file.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
