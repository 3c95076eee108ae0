//! A file that appears under its name in one stroke: written, owned, synced, renamed.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid};

use crate::config::FilesConfig;
use crate::ports::DeployError;

/// Who owns a file, and who may do what with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    /// Its owner; `None`: whoever runs this.
    owner: Option<Uid>,
    /// Its group; `None`: that of whoever runs this.
    group: Option<Gid>,
    /// Its permissions.
    mode: u32,
}

/// A failed action on a file.
pub(super) fn failed(action: &'static str, path: &Path, error: &std::io::Error) -> DeployError {
    DeployError::File { action, path: path.display().to_string(), reason: error.to_string() }
}

impl Attributes {
    /// Looks up the names of the configuration.
    pub(super) fn of(config: &FilesConfig) -> Result<Self, DeployError> {
        let owner = config.owner.as_deref().map(|name| look_up("/etc/passwd", name)).transpose()?;
        let group = config.group.as_deref().map(|name| look_up("/etc/group", name)).transpose()?;
        Ok(Self {
            owner: owner.map(Uid::from_raw),
            group: group.map(Gid::from_raw),
            mode: config.mode,
        })
    }

    /// Gives an open file to its owner. The mode comes last: to change the owner takes bits away.
    pub(super) fn apply(&self, file: &File, path: &Path) -> Result<(), DeployError> {
        if self.owner.is_some() || self.group.is_some() {
            rustix::fs::fchown(file, self.owner, self.group)
                .map_err(|error| failed("change the owner of", path, &error.into()))?;
        }
        file.set_permissions(Permissions::from_mode(self.mode))
            .map_err(|error| failed("set the mode of", path, &error))
    }
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
pub(super) fn replace(
    path: &Path,
    content: &[u8],
    attributes: &Attributes,
) -> Result<(), DeployError> {
    if path.is_symlink() {
        let error = std::io::Error::other(
            "it is a symbolic link, perhaps into another client's directory: let the mail server \
             and `chain-file` name a file of their own",
        );
        return Err(failed("replace", path, &error));
    }
    let directory = directory_of(path);
    let mut staged = tempfile::Builder::new()
        .prefix(".rollover-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(&directory)
        .map_err(|error| failed("write into", &directory, &error))?;
    staged.write_all(content).map_err(|error| failed("write", path, &error))?;
    attributes.apply(staged.as_file(), path)?;
    staged.as_file().sync_all().map_err(|error| failed("sync", path, &error))?;
    staged.persist(path).map_err(|error| failed("replace", path, &error.error))?;
    sync_directory(&directory)
}

/// Syncs a directory, so that the names in it survive a loss of power.
pub(super) fn sync_directory(directory: &Path) -> Result<(), DeployError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| failed("sync", directory, &error))
}

/// The directory of a file.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
