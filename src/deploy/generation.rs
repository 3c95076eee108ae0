//! A certificate file and a key file, switched together by one rename.
//!
//! Both are symbolic links through one link, `current`, to a directory that holds a whole pair. To
//! replace that one link replaces both:
//!
//! ```text
//! mail.crt -> .rollover-mail.key/current/certificate
//! mail.key -> .rollover-mail.key/current/key
//!             .rollover-mail.key/current -> 7
//!             .rollover-mail.key/7/{certificate,key}
//!             .rollover-mail.key/6/{certificate,key}      the pair before
//! ```
//!
//! A server that opens the one file before the switch and the other after it can still see two
//! pairs, for as long as it takes between the two; the reload that follows puts that right. One
//! chain file has no such moment.
//!
//! The store is beside the key, in the directory that the operator chose for secrets. Where the
//! certificate is in another directory, its link is absolute.
//!
//! Files that were plain before become links in an order in which a crash at any point leaves the
//! pair that was there: a generation with their very content is made current first, then each is
//! replaced by its link, and only then the new pair is switched to. The same mends a crash in the
//! middle of that, and a link that somebody replaced by a file.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::bundle;
use super::file::{self, directory_of, failed, not_written};
use crate::durable::{self, Access};
use crate::ports::{Credential, DeployError};

/// The link to the generation in use.
const CURRENT: &str = "current";
/// The chain within a generation.
const CERTIFICATE: &str = "certificate";
/// The key within a generation.
const KEY: &str = "key";

/// The mode of the directories: who may read what is in them is for the files to say, which nobody
/// needs to list.
const DIRECTORY_MODE: u32 = 0o711;

/// The pair that is in place; `None` where a half is missing, since then no server can use it.
pub(super) fn read(
    certificate_file: &Path,
    key_file: &Path,
) -> Result<Option<Credential>, DeployError> {
    let store = Store::of(certificate_file, key_file);
    store.look()?;
    let Some(pair) = store.pair()? else { return Ok(None) };
    let both = Zeroizing::new([&pair.key[..], b"\n", &pair.certificate[..]].concat());
    let path = format!("{} with {}", certificate_file.display(), key_file.display());
    bundle::parse(&path, &both).map(Some)
}

/// Makes a new generation and switches to it.
pub(super) fn switch(
    certificate_file: &Path,
    key_file: &Path,
    credential: &Credential,
    access: Access,
) -> Result<(), DeployError> {
    let store = Store::of(certificate_file, key_file);
    let number = store.prepare(credential, access).map_err(DeployError::before_any_change)?;
    let before = store.in_use();
    store.use_generation(number)?;
    store.link()?;
    store.forget_all_but(&[Some(number), before]);
    Ok(())
}

/// A certificate and its key, as they stand in their files.
struct Pair {
    /// The chain.
    certificate: Zeroizing<Vec<u8>>,
    /// The key.
    key: Zeroizing<Vec<u8>>,
}

/// Whether both files are links of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// Both are.
    Linked,
    /// At least one is something else, or not there.
    Unlinked,
}

/// Where the generations of a pair of files are kept.
struct Store<'a> {
    /// The chain, for the mail server.
    certificate_file: &'a Path,
    /// The key, for the mail server.
    key_file: &'a Path,
    /// The directory of the generations.
    directory: PathBuf,
}

impl<'a> Store<'a> {
    /// The store of this pair of files.
    fn of(certificate_file: &'a Path, key_file: &'a Path) -> Self {
        let directory = directory_of(key_file).join(Self::name(key_file));
        Self { certificate_file, key_file, directory }
    }

    /// The name of the store of a key file.
    fn name(key_file: &Path) -> String {
        format!(".rollover-{}", key_file.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Where the links of certificate and key point, each with its link.
    fn links(&self) -> [(&Path, PathBuf); 2] {
        let store = PathBuf::from(Self::name(self.key_file));
        let of_certificate = if directory_of(self.certificate_file) == directory_of(self.key_file) {
            store.clone()
        } else {
            std::path::absolute(&self.directory).unwrap_or_else(|_| self.directory.clone())
        };
        [
            (self.certificate_file, of_certificate.join(CURRENT).join(CERTIFICATE)),
            (self.key_file, store.join(CURRENT).join(KEY)),
        ]
    }

    /// Looks what stands where the links should be, and refuses what is not to be replaced.
    fn look(&self) -> Result<Standing, DeployError> {
        let mut standing = Standing::Linked;
        for (link, wanted) in self.links() {
            match fs::read_link(link) {
                Ok(target) if target == wanted => {}
                Ok(target) => return Err(file::is_link(link, &target)),
                Err(_) => standing = Standing::Unlinked,
            }
        }
        Ok(standing)
    }

    /// What the two files hold now, by whatever way; `None` where one is missing.
    fn pair(&self) -> Result<Option<Pair>, DeployError> {
        let certificate = file::read(self.certificate_file)?;
        let key = file::read(self.key_file)?;
        Ok(certificate.zip(key).map(|(certificate, key)| Pair { certificate, key }))
    }

    /// Writes a generation that nothing points to yet, and returns its number.
    fn add(&self, pair: &Pair, access: Access) -> Result<u64, DeployError> {
        let number = self.numbers().into_iter().max().map_or(1, |number| number.saturating_add(1));
        let generation = self.directory.join(number.to_string());
        create_directory(&generation)?;
        for (name, content) in [(CERTIFICATE, &pair.certificate), (KEY, &pair.key)] {
            durable::write(&generation.join(name), content, access).map_err(|e| not_written(&e))?;
        }
        durable::sync_directory(&self.directory).map_err(|error| not_written(&error))?;
        Ok(number)
    }

    /// Switches to a generation.
    fn use_generation(&self, number: u64) -> Result<(), DeployError> {
        point(&self.directory.join(CURRENT), Path::new(&number.to_string()))
    }

    /// Writes a new generation, and returns its number. Files that are not links of ours yet become
    /// links to what they hold, so that certificate and key can be switched together.
    fn prepare(&self, credential: &Credential, access: Access) -> Result<u64, DeployError> {
        let standing = self.look()?;
        create_directory(&self.directory)?;
        if standing == Standing::Unlinked
            && let Some(present) = self.pair()?
        {
            let number = self.add(&present, access)?;
            self.use_generation(number)?;
            self.link()?;
        }
        let new = Pair {
            certificate: bundle::chain(credential).into_bytes().into(),
            key: bundle::key(credential).as_bytes().to_vec().into(),
        };
        self.add(&new, access)
    }

    /// Makes links of both files.
    fn link(&self) -> Result<(), DeployError> {
        self.links().into_iter().try_for_each(|(link, target)| point(link, &target))
    }

    /// The generation in use.
    fn in_use(&self) -> Option<u64> {
        fs::read_link(self.directory.join(CURRENT)).ok()?.to_str()?.parse().ok()
    }

    /// The numbers of all generations, those that a crash left half made among them.
    fn numbers(&self) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Removes generations that are no longer needed. One that cannot be removed stays: the files
    /// in use are right all the same.
    fn forget_all_but(&self, kept: &[Option<u64>]) {
        for number in self.numbers() {
            if !kept.contains(&Some(number)) {
                let _stays = fs::remove_dir_all(self.directory.join(number.to_string()));
            }
        }
    }
}

/// Makes a directory; one that is there already is left as it is.
fn create_directory(path: &Path) -> Result<(), DeployError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            // Set now, since the umask had a say in it before.
            let mode = fs::Permissions::from_mode(DIRECTORY_MODE);
            fs::set_permissions(path, mode).map_err(failed("set the mode of", path))?;
            durable::sync_directory(&directory_of(path)).map_err(|error| not_written(&error))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed("create", path)(error)),
    }
}

/// Makes `link` point to `target` in one stroke, in place of what stands there.
fn point(link: &Path, target: &Path) -> Result<(), DeployError> {
    if fs::read_link(link).is_ok_and(|present| present == target) {
        return Ok(());
    }
    let directory = directory_of(link);
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let staged = directory.join(format!(".rollover-{name}.link"));
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("remove", &staged)(error));
        }
        Ok(()) | Err(_) => {}
    }
    symlink(target, &staged).map_err(failed("create", &staged))?;
    fs::rename(&staged, link).map_err(failed("replace", link))?;
    durable::sync_directory(&directory).map_err(|error| not_written(&error))
}
