//! A certificate file and a key file, switched together by one rename.
//!
//! Both are symbolic links through one link, `.rollover-NAME/current`, to a directory that holds a
//! whole pair. To replace that one link replaces both, so that no server can load the key of one
//! pair with the chain of another:
//!
//! ```text
//! mail.crt -> .rollover-mail.crt/current/certificate
//! mail.key -> .rollover-mail.crt/current/key
//!             .rollover-mail.crt/current -> 7
//!             .rollover-mail.crt/7/{certificate,key}
//! ```
//!
//! Files that were plain before become links in an order in which a crash leaves a working pair: a
//! generation with their very content is made first, then each is replaced by a link to it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::bundle;
use super::file::{self, failed};
use crate::durable::Access;
use crate::ports::{Credential, DeployError};

/// The link to the generation in use.
const CURRENT: &str = "current";
/// The chain within a generation.
const CERTIFICATE: &str = "certificate";
/// The key within a generation.
const KEY: &str = "key";

/// Makes a new generation and switches to it.
pub(super) fn switch(
    certificate_file: &Path,
    key_file: &Path,
    credential: &Credential,
    access: Access,
) -> Result<(), DeployError> {
    let store = store_of(certificate_file);
    file::create_directory(&store, access)?;
    let present = present(&store);
    adopt_plain_files(&store, certificate_file, key_file, access)?;
    let number = numbers(&store).into_iter().max().map_or(1, |number| number + 1);
    let generation = store.join(number.to_string());
    file::create_directory(&generation, access)?;
    let chain = credential.chain.to_pem();
    let key = bundle::with_newline(credential.key.pem());
    file::replace(&generation.join(CERTIFICATE), chain.as_bytes(), access)?;
    file::replace(&generation.join(KEY), key.as_bytes(), access)?;
    point(&store.join(CURRENT), Path::new(&number.to_string()))?;
    point(certificate_file, &store.join(CURRENT).join(CERTIFICATE))?;
    point(key_file, &store.join(CURRENT).join(KEY))?;
    for old in numbers(&store) {
        if old != number && Some(old) != present {
            let _ = std::fs::remove_dir_all(store.join(old.to_string()));
        }
    }
    Ok(())
}

/// Where the generations of a certificate file are kept.
fn store_of(certificate_file: &Path) -> PathBuf {
    let name = certificate_file.file_name().unwrap_or_default().to_string_lossy();
    let directory = file::directory_of(certificate_file);
    std::path::absolute(&directory).unwrap_or(directory).join(format!(".rollover-{name}"))
}

/// Makes the present pair of plain files a generation of its own, and links to it.
fn adopt_plain_files(
    store: &Path,
    certificate_file: &Path,
    key_file: &Path,
    access: Access,
) -> Result<(), DeployError> {
    if store.join(CURRENT).is_symlink() {
        return Ok(());
    }
    let (Some(chain), Some(key)) = (file::read(certificate_file)?, file::read(key_file)?) else {
        return Ok(());
    };
    let generation = store.join("0");
    file::create_directory(&generation, access)?;
    file::replace(&generation.join(CERTIFICATE), chain.as_bytes(), access)?;
    file::replace(&generation.join(KEY), key.as_bytes(), access)?;
    point(&store.join(CURRENT), Path::new("0"))?;
    point(certificate_file, &store.join(CURRENT).join(CERTIFICATE))?;
    point(key_file, &store.join(CURRENT).join(KEY))
}

/// Makes `link` point to `target` in one stroke.
fn point(link: &Path, target: &Path) -> Result<(), DeployError> {
    if std::fs::read_link(link).is_ok_and(|present| present == target) {
        return Ok(());
    }
    let directory = file::directory_of(link);
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let staged = directory.join(format!(".rollover-link-{name}"));
    let _ = std::fs::remove_file(&staged);
    symlink(target, &staged).map_err(|error| failed("link", &staged, &error))?;
    std::fs::rename(&staged, link).map_err(|error| failed("replace", link, &error))?;
    file::sync_directory(&directory)
}

/// The generation in use.
fn present(store: &Path) -> Option<u64> {
    std::fs::read_link(store.join(CURRENT)).ok()?.to_str()?.parse().ok()
}

/// The numbers of all generations.
fn numbers(store: &Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(store) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
