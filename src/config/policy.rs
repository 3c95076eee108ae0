//! Policies by reference: a shipped one's name, or a file, read once however many hosts name it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::{self, Item};
use super::file;
use crate::policy::{Policy, shipped};
use crate::table::{Complaint, unknown};

/// The policy files that were read already; `None` for those that were wrong.
#[derive(Debug, Default)]
pub(super) struct Policies(RefCell<BTreeMap<PathBuf, Option<Arc<Policy>>>>);

/// The policy that `item` names; `None` where that is wrong, which is reported.
///
/// A text with a slash, or with the ending `.toml`, is a file.
pub(super) fn read(item: Item<'_>) -> Option<Arc<Policy>> {
    let text = item.text()?;
    if !text.contains('/') && !text.ends_with(".toml") {
        return item.parse(shipped_policy);
    }
    let path = context::path(item)?;
    let scope = item.scope();
    let place = file::plain(&path);
    if let Some(policy) = scope.context.policies.0.borrow().get(&place) {
        return policy.clone();
    }
    let policy = load(&path, item).map(Arc::new);
    let mut known = scope.context.policies.0.borrow_mut();
    known.insert(place, policy.clone());
    policy
}

/// The shipped policy of this name.
fn shipped_policy(name: &str) -> Result<Arc<Policy>, Complaint> {
    match shipped::by_name(name) {
        Some(policy) => Ok(Arc::new(policy)),
        None => {
            let complaint = unknown("policy", name, shipped::names());
            Err(complaint)
        }
    }
}

/// Reads the policy file at `path`, which `item` names.
fn load(path: &Path, item: Item<'_>) -> Option<Policy> {
    let scope = item.scope();
    let text = match scope.context.files.read(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read the policy file `{}`: {error}", path.display());
            return item.complain(Complaint::new(message));
        }
    };
    match crate::policy::file::parse(&text, &path.display().to_string()) {
        Ok(policy) => Some(policy),
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                scope.reports.add(diagnostic);
            }
            None
        }
    }
}
