//! Keys, chains and certificates as files, each named by the digest of what it holds.
//!
//! A file is written once, durably, before any row names it, and never changed: to read one is to
//! check it. Private keys are read only where others cannot.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pem::{EncodeConfig, LineEnding, Pem};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

use super::error::Trouble;
use crate::durable::{self, Made};
use crate::keys::PrivateKey;
use crate::pki::{Certificate, Chain, ChainId, Sha256Digest};
use crate::secret::{self, SecretError};

/// The directory of private keys and their public halves.
pub(super) const KEYS: &str = "keys";
/// The directory of chains.
pub(super) const CHAINS: &str = "chains";
/// The directory of single certificates.
pub(super) const CERTIFICATES: &str = "certificates";

/// The name of a private key's file, in the state directory.
pub(super) fn key_name(spki: &Sha256Digest) -> String {
    format!("{KEYS}/{spki}.pem")
}

/// The name of a public key's file, in the state directory.
pub(super) fn public_key_name(spki: &Sha256Digest) -> String {
    format!("{KEYS}/{spki}.pub")
}

/// The name of a chain's file, in the state directory.
pub(super) fn chain_name(id: &ChainId) -> String {
    format!("{CHAINS}/{id}.pem")
}

/// The name of a certificate's file, in the state directory.
pub(super) fn certificate_name(digest: &Sha256Digest) -> String {
    format!("{CERTIFICATES}/{digest}.pem")
}

/// The files of one state directory.
#[derive(Debug)]
pub(super) struct Files {
    /// The state directory.
    root: PathBuf,
    /// The names that are known to survive a crash.
    durable: Mutex<BTreeSet<String>>,
}

impl Files {
    /// The files of the state directory `root`.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), durable: Mutex::default() }
    }

    /// The file with this name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Keeps a chain.
    pub(super) fn keep_chain(&self, chain: &Chain) -> Result<(), Trouble> {
        self.keep(
            &chain_name(&chain.id()),
            "CERTIFICATE",
            chain.certificates().iter().map(|c| c.der()),
        )
    }

    /// Keeps a certificate.
    pub(super) fn keep_certificate(&self, certificate: &Certificate) -> Result<(), Trouble> {
        let name = certificate_name(&Sha256Digest::of(certificate.der()));
        self.keep(&name, "CERTIFICATE", [certificate.der()])
    }

    /// Keeps a public key.
    pub(super) fn keep_public_key(&self, spki: &[u8]) -> Result<(), Trouble> {
        self.keep(&public_key_name(&Sha256Digest::of(spki)), "PUBLIC KEY", [spki])
    }

    /// The chain with this id.
    pub(super) fn chain(&self, id: &ChainId) -> Result<Chain, Trouble> {
        let file = self.read("chain", &chain_name(id))?;
        let blocks: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.text).collect();
        let blocks = blocks.map_err(|error| file.damaged(&error))?;
        if blocks.is_empty() {
            return Err(file.damaged(&"it holds no certificate"));
        }
        let chain = Chain::from_der(&blocks).map_err(|error| file.damaged(&error))?;
        file.judge(chain.id() == *id)?;
        Ok(chain)
    }

    /// The certificate with this digest.
    pub(super) fn certificate(&self, digest: &Sha256Digest) -> Result<Certificate, Trouble> {
        let file = self.read("certificate", &certificate_name(digest))?;
        let der = CertificateDer::from_pem_slice(&file.text).map_err(|e| file.damaged(&e))?;
        file.judge(Sha256Digest::of(&der) == *digest)?;
        Certificate::from_der(&der).map_err(|error| file.damaged(&error))
    }

    /// The DER of the public key with this digest.
    pub(super) fn public_key(&self, digest: &Sha256Digest) -> Result<Vec<u8>, Trouble> {
        let file = self.read("public key", &public_key_name(digest))?;
        let spki =
            SubjectPublicKeyInfoDer::from_pem_slice(&file.text).map_err(|e| file.damaged(&e))?;
        file.judge(Sha256Digest::of(&spki) == *digest)?;
        Ok(spki.to_vec())
    }

    /// Keeps a private key. One that is kept already is left as it is, unless it is damaged.
    pub(super) fn store_key(&self, key: &PrivateKey) -> Result<(), Trouble> {
        durable::create_directory(&self.path(KEYS))?;
        let digest = key.spki_sha256();
        let path = self.path(&key_name(&digest));
        if durable::create_private(&path, key.pem().as_bytes())? == Made::New {
            return Ok(());
        }
        match self.load_key(&digest) {
            Ok(_) => Ok(()),
            Err(Trouble::Content { .. }) => {
                Ok(durable::write_private(&path, key.pem().as_bytes())?)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// The private key whose public half has this digest.
    pub(super) fn load_key(&self, digest: &Sha256Digest) -> Result<PrivateKey, Trouble> {
        let path = self.path(&key_name(digest));
        let what = "private key";
        let text = match secret::read(&path) {
            Ok(text) => text,
            Err(SecretError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(Trouble::Missing { what, path });
            }
            Err(error) => return Err(error.into()),
        };
        let damaged = |reason: String| Trouble::Content { what, path: path.clone(), reason };
        let key = PrivateKey::from_pem(&text).map_err(|error| damaged(error.to_string()))?;
        if key.spki_sha256() != *digest {
            return Err(damaged(NOT_AS_NAMED.to_owned()));
        }
        Ok(key)
    }

    /// Writes blocks of PEM under a name that tells their content, unless they are there.
    fn keep<'a>(
        &self,
        name: &str,
        label: &str,
        blocks: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), Trouble> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(name);
        let directory = path.parent().unwrap_or(&self.root);
        if !path.exists() {
            durable::create_directory(directory)?;
            let blocks: Vec<Pem> = blocks.into_iter().map(|der| Pem::new(label, der)).collect();
            let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
            let text = pem::encode_many_config(&blocks, lines);
            durable::write_private(&path, text.as_bytes())?;
        } else if !durable.contains(name) {
            // Perhaps written by a process that was killed before it synced the directory.
            durable::sync_directory(directory)?;
        }
        durable.insert(name.to_owned());
        Ok(())
    }

    /// Removes a file that no row names.
    pub(super) fn remove(&self, name: &str) -> Result<(), Trouble> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(durable::remove(&self.path(name))?)
    }

    /// Reads a file that a row names.
    fn read(&self, what: &'static str, name: &str) -> Result<Named, Trouble> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(text) => Ok(Named { what, path, text }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Trouble::Missing { what, path })
            }
            Err(source) => Err(Trouble::System { action: "read", path, source }),
        }
    }
}

/// What is wrong with a file whose content has another digest than its name.
const NOT_AS_NAMED: &str = "its content is not what its name says";

/// A file that was read.
struct Named {
    /// What it is.
    what: &'static str,
    /// Where it is.
    path: PathBuf,
    /// What it holds.
    text: Vec<u8>,
}

impl Named {
    /// The file does not hold what it should.
    fn damaged(&self, reason: &dyn ToString) -> Trouble {
        Trouble::Content { what: self.what, path: self.path.clone(), reason: reason.to_string() }
    }

    /// Fails unless the content is what the name says.
    fn judge(&self, is_as_named: bool) -> Result<(), Trouble> {
        if is_as_named { Ok(()) } else { Err(self.damaged(&NOT_AS_NAMED)) }
    }
}
