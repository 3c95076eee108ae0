//! The state directory: made for its owner alone, and refused where others could change it.
//!
//! Whoever can write in it can put another ledger, or another private key, in place of ours.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::Access;

use super::error::Trouble;
use crate::durable;

/// The permissions that let users other than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes the state directory if it is missing, and makes sure that this user alone changes what is
/// in it.
pub(super) fn prepare(path: &Path) -> Result<(), Trouble> {
    // A dangling link or a file in the way is told apart from what is missing.
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        durable::create_directory(path)?;
    }
    let metadata = metadata(path)?;
    if !metadata.is_dir() {
        return Err(Trouble::NotADirectory { path: path.to_owned() });
    }
    let (owner, runs_as) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != runs_as {
        return Err(Trouble::Owner { path: path.to_owned(), owner, runs_as });
    }
    refuse_exposed(path, &metadata)?;
    permit(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK, "write in")
}

/// Refuses what other users can change.
pub(super) fn refuse_exposed(path: &Path, metadata: &Metadata) -> Result<(), Trouble> {
    let mode = metadata.mode() & 0o7777;
    match mode & WRITABLE_BY_OTHERS {
        0 => Ok(()),
        _ => Err(Trouble::Exposed { path: path.to_owned(), mode }),
    }
}

/// Asks the system whether it would permit something, for the reason that it gives if not: SQLite
/// has one message for all of them.
///
/// The file is not opened for that: to close it would give up SQLite's locks on it.
pub(super) fn permit(path: &Path, access: Access, action: &'static str) -> Result<(), Trouble> {
    rustix::fs::access(path, access).map_err(|errno| Trouble::System {
        action,
        path: path.to_owned(),
        source: errno.into(),
    })
}

/// What the system knows of a file or directory.
pub(super) fn metadata(path: &Path) -> Result<Metadata, Trouble> {
    fs::metadata(path).map_err(|source| Trouble::System {
        action: "look at",
        path: path.to_owned(),
        source,
    })
}

/// What the system knows of a file, if there is one.
pub(super) fn find(path: &Path) -> Result<Option<Metadata>, Trouble> {
    match metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(Trouble::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_missing_directory_is_made_for_its_owner_alone() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("var/lib/rollover");
        prepare(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        prepare(&path).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_change_is_refused_with_the_command_that_mends_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for (mode, refused) in [(0o700, false), (0o755, false), (0o770, true), (0o1777, true)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            let result = prepare(path);
            assert_eq!(result.is_err(), refused, "{mode:o}");
            if let Err(trouble) = result {
                let report = trouble.report(&path.join("ledger.sqlite"), "open the ledger");
                assert!(report.message.contains(&format!("mode {mode:04o}")), "{report}");
                let command = format!("chmod go-w '{}'", path.display());
                assert!(report.hint.contains(&command), "{}", report.hint);
            }
        }
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rollover");
        fs::File::create(&path).unwrap();
        let said = prepare(&path).unwrap_err().to_string();
        assert_eq!(said, format!("`{}` is not a directory", path.display()));
    }
}
