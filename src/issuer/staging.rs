//! What other ACME clients bring, kept until it can go live.
//!
//! ```text
//! STATE-DIR/staging/HOST/KEY-TYPE.pem            the key, then its chain: what came last
//! STATE-DIR/staging/HOST/KEY-TYPE.next.pem       the key that the client prepared for the next one
//! STATE-DIR/staging/HOST/KEY-TYPE.given-up.pem   what came last, and was given up by `--abort`
//! ```
//!
//! Key and chain share a file, so that no crash leaves one without the other. A client overwrites or
//! rotates its own files as it likes; these are ours. Hooks write here without the ledger's lock:
//! each file changes by a rename, and whoever reads finds the former content or the new one.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::orders::certificates;
use super::verify::{self, ChainFault};
use crate::durable::{self, DurableError};
use crate::keys::PrivateKey;
use crate::name::DnsName;
use crate::pki::{Chain, KeyType};
use crate::ports::Credential;
use crate::secret::{self, SecretError};
use crate::time::Timestamp;

/// What is staged for one host.
#[derive(Clone, Debug)]
pub struct Staging {
    /// The directory.
    directory: PathBuf,
}

/// What became of a certificate that was brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It is staged now.
    Staged,
    /// It was staged already.
    Known,
    /// It was given up before, and stays put away.
    GivenUp,
}

/// Why a certificate was not staged, or cannot be read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagingError {
    /// It is not what the host can use.
    #[error("{message}")]
    Unfit {
        /// What is wrong with it.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// A file cannot be written.
    #[error("{}", .0.describe())]
    Write(#[from] DurableError),
    /// A staged file cannot be read.
    #[error("{}", super::explain::with_sources(.0))]
    Read(#[from] SecretError),
    /// A staged file does not hold what was written there.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<ChainFault> for StagingError {
    fn from(fault: ChainFault) -> Self {
        Self::Unfit { message: fault.to_string(), hint: fault.hint() }
    }
}

impl StagingError {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unfit { hint, .. } => hint,
            Self::Write(_) => "check the disk, and who owns the state directory",
            Self::Read(_) => "check who owns the state directory",
            Self::Damaged { .. } => "remove the file, and call the ACME client's hook again",
        }
    }
}

impl Staging {
    /// What is staged for the host of this name. Nothing is written before the first arrival.
    pub fn new(state_dir: &Path, host: &str) -> Self {
        Self { directory: state_dir.join("staging").join(host) }
    }

    /// Judges a credential as senders will, and keeps it until it goes live; after `Ok` it survives a
    /// crash. One that was given up before is taken again, since somebody brings it on purpose.
    ///
    /// # Errors
    ///
    /// Where senders would refuse it, or it cannot be written.
    pub fn stage(
        &self,
        credential: &Credential,
        names: &[DnsName],
        now: Timestamp,
    ) -> Result<Arrival, StagingError> {
        verify::judge(&credential.chain, &credential.key, names, now)?;
        durable::create_directory(&self.directory)?;
        let path = self.path(credential.key_type, "");
        durable::sweep(&path);
        let known = self.is_kept_at(&path, credential);
        if !known {
            durable::write_private(&path, text(credential).as_bytes())?;
        }
        durable::remove(&self.path(credential.key_type, ".given-up"))?;
        Ok(if known { Arrival::Known } else { Arrival::Staged })
    }

    /// As [`Staging::stage`], of what a client mentions at every run: what was given up stays so.
    ///
    /// # Errors
    ///
    /// As [`Staging::stage`].
    pub fn stage_unless_given_up(
        &self,
        credential: &Credential,
        names: &[DnsName],
        now: Timestamp,
    ) -> Result<Arrival, StagingError> {
        if self.is_kept_at(&self.path(credential.key_type, ".given-up"), credential) {
            return Ok(Arrival::GivenUp);
        }
        self.stage(credential, names, now)
    }

    /// Keeps the key that a client has prepared for its next certificate, in place of one that it
    /// had prepared before.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn stage_next_key(&self, key_type: KeyType, key: &PrivateKey) -> Result<(), StagingError> {
        let kept = self.next_key(key_type);
        if kept.is_ok_and(|kept| kept.is_some_and(|kept| kept.spki() == key.spki())) {
            return Ok(());
        }
        durable::create_directory(&self.directory)?;
        let path = self.path(key_type, ".next");
        durable::sweep(&path);
        Ok(durable::write_private(&path, key.pem().as_bytes())?)
    }

    /// What is staged of this key type.
    ///
    /// # Errors
    ///
    /// Where a file is there and cannot be used.
    pub fn credential(&self, key_type: KeyType) -> Result<Option<Credential>, StagingError> {
        read_credential(&self.path(key_type, ""), key_type)
    }

    /// The key type of the certificate that was issued last.
    pub fn latest_key_type(&self) -> Option<KeyType> {
        let staged = KeyType::ALL.iter().filter_map(|t| self.credential(*t).ok().flatten());
        let latest = staged.max_by_key(|credential| credential.chain.leaf().not_before());
        latest.map(|credential| credential.key_type)
    }

    /// The key that the client prepared for its next certificate of this key type.
    ///
    /// # Errors
    ///
    /// Where a file is there and cannot be used.
    pub fn next_key(&self, key_type: KeyType) -> Result<Option<PrivateKey>, StagingError> {
        let path = self.path(key_type, ".next");
        let Some(text) = read(&path)? else { return Ok(None) };
        let damaged = |reason: String| StagingError::Damaged { path, reason };
        PrivateKey::from_pem(&text).map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// Puts away all that is staged.
    pub(super) fn give_up(&self) -> Result<(), StagingError> {
        for key_type in KeyType::ALL {
            let path = self.path(key_type, "");
            let Some(text) = read(&path)? else { continue };
            durable::write_private(&self.path(key_type, ".given-up"), text.as_bytes())?;
            durable::remove(&path)?;
        }
        Ok(())
    }

    /// Whether the file at `path` holds this very credential.
    fn is_kept_at(&self, path: &Path, credential: &Credential) -> bool {
        // What cannot be read is written anew.
        let kept = read_credential(path, credential.key_type).ok().flatten();
        kept.is_some_and(|kept| kept.chain.id() == credential.chain.id())
    }

    /// A file of this host.
    fn path(&self, key_type: KeyType, kind: &str) -> PathBuf {
        self.directory.join(format!("{key_type}{kind}.pem"))
    }
}

/// A credential as it is kept.
fn text(credential: &Credential) -> Zeroizing<String> {
    let mut text = Zeroizing::new(credential.key.pem().to_owned());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&credential.chain.to_pem());
    text
}

/// The credential in the file at `path`; `None` where there is no such file.
fn read_credential(path: &Path, key_type: KeyType) -> Result<Option<Credential>, StagingError> {
    let Some(text) = read(path)? else { return Ok(None) };
    let damaged = |reason: String| StagingError::Damaged { path: path.to_owned(), reason };
    let key = PrivateKey::from_pem(&text).map_err(|error| damaged(error.to_string()))?;
    let chain = Chain::new(certificates(&text).map_err(damaged)?)
        .ok_or_else(|| damaged("it holds no certificate".to_owned()))?;
    Ok(Some(Credential { key_type, chain, key }))
}

/// The text of the file at `path`, which nobody else may read; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<Zeroizing<String>>, StagingError> {
    match secret::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(SecretError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::pki::Certificate;

    /// A credential for `mail.example.nl` under a CA of its own, valid for long.
    fn credential() -> Credential {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.distinguished_name.push(DnType::CommonName, "CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = Certificate::from_der(ca.self_signed(&ca_key).unwrap().der()).unwrap();
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        let pair = KeyPair::from_pem(key.pem()).unwrap();
        let leaf = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&pair, &Issuer::new(ca, ca_key)).unwrap();
        let leaf = Certificate::from_der(leaf.der()).unwrap();
        let chain = Chain::new(vec![leaf, authority]).unwrap();
        Credential { key_type: KeyType::EcdsaP256, chain, key }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn names() -> Vec<DnsName> {
        vec!["mail.example.nl".parse().unwrap()]
    }

    #[test]
    fn what_is_staged_is_read_again_and_replaced_by_what_comes_next() {
        let state = tempfile::tempdir().unwrap();
        let staging = Staging::new(state.path(), "mail.example.nl");
        assert!(staging.credential(KeyType::EcdsaP256).unwrap().is_none());
        let (first, second) = (credential(), credential());
        assert_eq!(staging.stage(&first, &names(), NOW).unwrap(), Arrival::Staged);
        assert_eq!(staging.stage(&first, &names(), NOW).unwrap(), Arrival::Known);
        assert_eq!(staging.stage(&second, &names(), NOW).unwrap(), Arrival::Staged);
        let kept = staging.credential(KeyType::EcdsaP256).unwrap().unwrap();
        assert_eq!((kept.chain, kept.key.spki()), (second.chain, second.key.spki()));
        let file = state.path().join("staging/mail.example.nl/ecdsa-p256.pem");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn another_key_or_name_is_refused_and_leaves_what_was_there() {
        let state = tempfile::tempdir().unwrap();
        let staging = Staging::new(state.path(), "mail.example.nl");
        let good = credential();
        staging.stage(&good, &names(), NOW).unwrap();
        let torn = Credential { key: credential().key, ..credential() };
        let said = staging.stage(&torn, &names(), NOW).unwrap_err().to_string();
        assert!(said.contains("the certificate is for key"), "{said}");
        let other = ["mx.example.nl".parse().unwrap()];
        let said = staging.stage(&credential(), &other, NOW).unwrap_err().to_string();
        assert!(said.contains("does not name mx.example.nl"), "{said}");
        let kept = staging.credential(KeyType::EcdsaP256).unwrap().unwrap();
        assert_eq!(kept.chain, good.chain);
    }

    #[test]
    fn what_was_given_up_comes_back_only_on_purpose() {
        let state = tempfile::tempdir().unwrap();
        let staging = Staging::new(state.path(), "mail.example.nl");
        let given_up = credential();
        staging.stage(&given_up, &names(), NOW).unwrap();
        staging.give_up().unwrap();
        assert!(staging.credential(KeyType::EcdsaP256).unwrap().is_none());
        let mentioned = staging.stage_unless_given_up(&given_up, &names(), NOW);
        assert_eq!(mentioned.unwrap(), Arrival::GivenUp);
        let other = staging.stage_unless_given_up(&credential(), &names(), NOW);
        assert_eq!(other.unwrap(), Arrival::Staged);
        assert_eq!(staging.stage(&given_up, &names(), NOW).unwrap(), Arrival::Staged);
    }

    #[test]
    fn a_damaged_file_is_named_and_replaced() {
        let state = tempfile::tempdir().unwrap();
        let staging = Staging::new(state.path(), "mail.example.nl");
        let credential = credential();
        staging.stage(&credential, &names(), NOW).unwrap();
        let file = state.path().join("staging/mail.example.nl/ecdsa-p256.pem");
        durable::write_private(&file, b"torn").unwrap();
        let said = staging.credential(KeyType::EcdsaP256).unwrap_err().to_string();
        assert!(said.contains("ecdsa-p256.pem` is damaged"), "{said}");
        assert_eq!(staging.stage(&credential, &names(), NOW).unwrap(), Arrival::Staged);
    }

    #[test]
    fn the_next_key_is_kept_apart() {
        let state = tempfile::tempdir().unwrap();
        let staging = Staging::new(state.path(), "mail.example.nl");
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        staging.stage_next_key(KeyType::EcdsaP256, &key).unwrap();
        staging.stage_next_key(KeyType::EcdsaP256, &key).unwrap();
        assert_eq!(staging.next_key(KeyType::EcdsaP256).unwrap().unwrap().spki(), key.spki());
        assert!(staging.credential(KeyType::EcdsaP256).unwrap().is_none());
    }
}
