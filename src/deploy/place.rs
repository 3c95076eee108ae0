//! Which credential goes into which file, and what that file then holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::bundle;
use crate::config::Place;
use crate::pki::KeyType;
use crate::ports::{Credential, DeployError};

/// A file's whole content; perhaps a secret.
pub(super) type Content = Zeroizing<Vec<u8>>;

/// Each credential with its chain file.
///
/// # Errors
///
/// Where there is no file for a credential, or one for two.
pub(super) fn in_chain_files<'a>(
    files: &'a [PathBuf],
    key_types: &[KeyType],
    credentials: &'a [Credential],
) -> Result<BTreeMap<&'a Path, &'a Credential>, DeployError> {
    let mut placed = BTreeMap::new();
    for credential in credentials {
        let path = chain_file(files, key_types, credential.key_type)?;
        if placed.insert(path, credential).is_some() {
            return Err(DeployError::NoPlace { key_type: credential.key_type });
        }
    }
    Ok(placed)
}

/// The chain file of a key type.
///
/// Where the host's key types were changed, what was there before may have to be put back. It
/// goes into the file of its family, or into the only file.
fn chain_file<'a>(
    files: &'a [PathBuf],
    key_types: &[KeyType],
    key_type: KeyType,
) -> Result<&'a Path, DeployError> {
    let position = |wanted: &dyn Fn(&KeyType) -> bool| key_types.iter().position(wanted);
    let file = match files {
        [only] => Some(only),
        _ => position(&|other| *other == key_type)
            .or_else(|| position(&|other| other.family() == key_type.family()))
            .and_then(|position| files.get(position)),
    };
    file.map(PathBuf::as_path).ok_or(DeployError::NoPlace { key_type })
}

/// Every file that is to be written, in order, with what it shall hold. A key comes before its
/// certificate: a server that reads between the two finds the old certificate for as short a time.
///
/// # Errors
///
/// Where there is no file for a credential, or one for two.
pub(super) fn contents(
    place: &Place,
    key_types: &[KeyType],
    credentials: &[Credential],
) -> Result<Vec<(PathBuf, Content)>, DeployError> {
    let octets = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    match (place, credentials) {
        (Place::ChainFiles(files), _) => {
            let placed = in_chain_files(files, key_types, credentials)?.into_iter();
            let content = |credential| octets(&bundle::key_and_chain(credential));
            Ok(placed.map(|(path, credential)| (path.to_owned(), content(credential))).collect())
        }
        (Place::Separate { .. }, []) => Ok(Vec::new()),
        (Place::Separate { certificate_file, key_file }, [one]) => Ok(vec![
            (key_file.clone(), octets(&bundle::key(one))),
            (certificate_file.clone(), octets(&bundle::chain(one))),
        ]),
        (Place::Separate { .. }, [_, second, ..]) => {
            Err(DeployError::NoPlace { key_type: second.key_type })
        }
    }
}

/// Every file of a place, in the order of [`contents`].
pub(super) fn paths(place: &Place) -> Vec<&Path> {
    match place {
        Place::ChainFiles(files) => files.iter().map(PathBuf::as_path).collect(),
        Place::Separate { certificate_file, key_file } => vec![key_file, certificate_file],
    }
}
