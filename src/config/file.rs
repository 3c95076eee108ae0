//! The files that a configuration is read from: the edge of an otherwise pure module.
//!
//! [`Files`] is all that parsing knows of the world, so that a test hands it texts and an editor
//! could hand it buffers. [`Disk`] is the one that is used. What is included is found by the
//! simplest pattern that serves `conf.d/*.toml`: `*` in the last part of a path, sorted by name, so
//! that the same files are read in the same order on every machine.

use std::io;
use std::path::{Path, PathBuf};

use crate::secret::{self, SecretError};

/// What parsing may ask of a file system.
pub trait Files {
    /// The text of the file at `path`.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The names of what is in `directory` and is no directory, in any order.
    ///
    /// # Errors
    ///
    /// Where it cannot be listed.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Makes sure that the file at `path` can be read.
    ///
    /// # Errors
    ///
    /// Where it could not be.
    fn inspect(&self, path: &Path) -> io::Result<()>;

    /// Makes sure that the secret file at `path` can be read, and not by others.
    ///
    /// # Errors
    ///
    /// Where it could not be used.
    fn inspect_secret(&self, path: &Path) -> Result<(), SecretError>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            // A name that is not UTF-8 matches no pattern; what a link leads to counts, not the link.
            if let Ok(name) = entry.file_name().into_string()
                && !entry.path().is_dir()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn inspect(&self, path: &Path) -> io::Result<()> {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(())
    }

    fn inspect_secret(&self, path: &Path) -> Result<(), SecretError> {
        secret::inspect(path)
    }
}

/// Why an `include` cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum IncludeError {
    /// A wildcard in a directory's name.
    #[error("`{0}` has a `*` before its last part")]
    WildcardDirectory(String),
    /// A character that other programs take for a wildcard.
    #[error("`{pattern}` has a `{character}`, which is not understood here")]
    Wildcard {
        /// What was written.
        pattern: String,
        /// The first such character.
        character: char,
    },
    /// The directory is there and cannot be listed.
    #[error("cannot list the directory `{}`: {source}", directory.display())]
    List {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The files that `pattern` names, relative to `base`, sorted by name.
///
/// A name without `*` stands for itself, there or not. A pattern that matches nothing is none, even
/// where its directory is missing: `conf.d` may come later. As in a shell, `*` matches no name that
/// starts with a dot.
pub(super) fn expand(
    pattern: &str,
    base: &Path,
    files: &dyn Files,
) -> Result<Vec<PathBuf>, IncludeError> {
    if let Some(character) = pattern.chars().find(|c| "?[]{}".contains(*c)) {
        return Err(IncludeError::Wildcard { pattern: pattern.to_owned(), character });
    }
    if !pattern.contains('*') {
        return Ok(vec![base.join(pattern)]);
    }
    let (directory, last) = pattern
        .rsplit_once('/')
        .map_or(("", pattern), |(_, last)| pattern.split_at(pattern.len() - last.len()));
    if directory.contains('*') {
        return Err(IncludeError::WildcardDirectory(pattern.to_owned()));
    }
    let directory = if directory.is_empty() { base.to_owned() } else { base.join(directory) };
    let mut names = match files.list(&directory) {
        Ok(names) => names,
        Err(source) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(IncludeError::List { directory, source }),
    };
    names.retain(|name| matches(last, name));
    names.sort();
    Ok(names.iter().map(|name| directory.join(name)).collect())
}

/// Whether `name` is what `pattern` describes, in which `*` is any number of any characters.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    // The last part must be the end of what is left; those between are taken where they come first.
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

/// The path without `.` and with `..` taken back, by its letters alone: for comparing where two
/// paths lead, and never for opening one.
pub(super) fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.toml~", false),
            ("*.toml", ".a.toml", false),
            (".*", ".a.toml", true),
            ("*", "a", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*ü*", "süß", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_are_compared_without_detours() {
        for (path, expected) in
            [("/etc/./rollover/../a.pem", "/etc/a.pem"), ("/../a", "/a"), ("/etc//a", "/etc/a")]
        {
            assert_eq!(plain(Path::new(path)), Path::new(expected));
        }
    }
}
