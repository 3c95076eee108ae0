//! What a reader of the configuration knows beside the file's text; and what several readers share:
//! files that a key names, and lists in which nothing may stand twice.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::Environment;
use super::file::Files;
use super::policy::Policies;
use crate::diagnostic::{Diagnostic, Location};
use crate::secret;
use crate::table::{Complaint, Reports, Spot};

/// What a reader of the configuration knows beside the file's text.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// Where the file stands: relative paths in it start here.
    pub(super) directory: &'a Path,
    /// What the caller knows of the process's environment.
    pub(super) environment: &'a Environment,
    /// The file system.
    pub(super) files: &'a dyn Files,
    /// The policies that were read already.
    pub(super) policies: &'a Policies,
}

/// A value in a file of the configuration.
pub(super) type Item<'t> = crate::table::Item<'t, Context<'t>>;

/// A file of the configuration.
pub(super) type Scope<'t> = crate::table::Scope<'t, Context<'t>>;

/// A table in a file of the configuration.
pub(super) type Table<'t> = crate::table::Table<'t, Context<'t>>;

/// Reports what is wrong at a place in any file.
pub(super) fn complain(reports: &Reports, at: &Location, complaint: Complaint) {
    let diagnostic = Diagnostic::at(at, complaint.message);
    reports.add(match complaint.hint {
        Some(hint) => diagnostic.with_hint(hint),
        None => diagnostic,
    });
}

/// The path of a file that is written, or read later: relative to the file it is named in.
pub(super) fn path(item: Item<'_>) -> Option<PathBuf> {
    let directory = item.scope().context.directory;
    item.parse(|text| match text {
        "" => Err(Complaint::new("an empty text names no file")),
        _ if text.starts_with("credential:") => Err(Complaint::new(format!(
            "`{text}` cannot stand here: a systemd credential is only ever read"
        ))),
        _ if text.contains('\0') => Err(Complaint::new("no file name has a NUL character")),
        _ => Ok(directory.join(text)),
    })
}

/// The path of a file that is read, and can be read now.
pub(super) fn input_file(item: Item<'_>) -> Option<PathBuf> {
    let path = locate(item)?;
    match item.scope().context.files.inspect(&path) {
        Ok(()) => Some(path),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", path.display());
            item.complain(Complaint::new(message))
        }
    }
}

/// The path of a file that holds a secret, which can be read now, and not by others.
pub(super) fn secret_file(item: Item<'_>) -> Option<PathBuf> {
    let path = locate(item)?;
    match item.scope().context.files.inspect_secret(&path) {
        Ok(()) => Some(path),
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            item.complain(Complaint::new(format!("{error}{cause}")))
        }
    }
}

/// The path that is named, perhaps as a systemd credential.
fn locate(item: Item<'_>) -> Option<PathBuf> {
    let context = &item.scope().context;
    let credentials = context.environment.credentials_directory.as_deref();
    item.parse(|text| {
        secret::locate(text, context.directory, credentials)
            .map_err(|error| Complaint { message: error.to_string(), hint: error.hint() })
    })
}

/// The elements of a list, where no two have the same key.
pub(super) fn distinct<T, K: Ord + Display>(
    scope: &Scope<'_>,
    elements: Vec<Spot<T>>,
    key: impl Fn(&T) -> K,
) -> Option<Vec<Spot<T>>> {
    let mut seen = BTreeSet::new();
    let before = scope.reports.count();
    for element in &elements {
        let key = key(&element.value);
        if seen.contains(&key) {
            let complaint = Complaint::new(format!("`{key}` stands here twice"));
            scope.complain(&element.at, complaint);
        }
        seen.insert(key);
    }
    (scope.reports.count() == before).then_some(elements)
}

/// The elements of a list that may not be empty.
pub(super) fn some_of<T>(item: Item<'_>, elements: Vec<T>) -> Option<Vec<T>> {
    if elements.is_empty() {
        return item.complain(
            Complaint::new("an empty list names nothing")
                .with_hint("leave the key out to have its default"),
        );
    }
    Some(elements)
}
