//! Files that a mail server reads: whose they are, and what may stand in their place.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::FilesConfig;
use crate::durable::{Access, DurableError};
use crate::ports::DeployError;

/// The most octets that are read of a file: many times the longest chain there is.
const READ_MAX: u64 = 1 << 20;

/// For `map_err`: what was tried, with which path.
pub(super) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> DeployError + use<> {
    let path = path.display().to_string();
    move |error| DeployError::File { action, path, reason: error.to_string() }
}

/// A failed durable write.
pub(super) fn not_written(error: &DurableError) -> DeployError {
    DeployError::Write { reason: error.describe(), kind: error.kind() }
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
    let text = fs::read(path).map_err(failed("read", path))?;
    number_of(name, &String::from_utf8_lossy(&text)).ok_or_else(|| DeployError::File {
        action: "find",
        path: format!("`{name}` in {table}"),
        reason: "there is no such name; where accounts are kept elsewhere, give its number"
            .to_owned(),
    })
}

/// The number of `name` in the text of `/etc/passwd` or `/etc/group`, where it is the third field.
fn number_of(name: &str, table: &str) -> Option<u32> {
    let mut entries = table.lines().map(|line| line.split(':'));
    let mut entry = entries.find(|fields| fields.clone().next() == Some(name))?;
    entry.nth(2)?.parse().ok()
}

/// Reads a file; `None` where there is none. What it holds may be a secret.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, DeployError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let mut content = Zeroizing::new(Vec::new());
    file.take(READ_MAX).read_to_end(&mut content).map_err(failed("read", path))?;
    Ok(Some(content))
}

/// Refuses a symbolic link where a file should go; see the [module's](super) reasons.
pub(super) fn refuse_link(path: &Path) -> Result<(), DeployError> {
    match fs::read_link(path) {
        Ok(target) => Err(is_link(path, &target)),
        // It is something else, or nothing.
        Err(_) => Ok(()),
    }
}

/// That there is a symbolic link where a file should go.
pub(super) fn is_link(path: &Path, target: &Path) -> DeployError {
    DeployError::File {
        action: "replace",
        path: path.display().to_string(),
        reason: format!(
            "it is a symbolic link to {}, which may be another program's file; let the mail server \
             and this configuration name a file of their own",
            target.display()
        ),
    }
}

/// The directory of a file.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_in_whole_fields() {
        let table = "# comment\nroot:x:0:0:root:/root:/bin/sh\nroot2:x:7\nbroken:x\n+::::::\n";
        assert_eq!(number_of("root", table), Some(0));
        assert_eq!(number_of("root2", table), Some(7));
        for absent in ["roo", "x", "broken", "", "0"] {
            assert_eq!(number_of(absent, table), None, "{absent}");
        }
    }

    #[test]
    fn a_number_needs_no_table() {
        assert_eq!(look_up("/nowhere", "104").unwrap(), 104);
        let error = look_up("/etc/group", "no-such-group").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot find `no-such-group` in /etc/group: there is no such name; where accounts are \
             kept elsewhere, give its number"
        );
    }
}
