//! Keys and chains beside the database: files that their owner alone can read.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{BROKEN_HINT, REACH_HINT};
use crate::keys::PrivateKey;
use crate::pki::{Certificate, Chain, ChainId, Sha256Digest};
use crate::ports::LedgerError;
use crate::rollover::presentable::Presentable;
use crate::rollover::state::HostState;
use crate::{durable, secret};

/// The files beside the database.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// The state directory.
    directory: PathBuf,
}

/// A file that is named by the ledger and not there, or not what it should be.
fn missing(path: &Path, reason: &dyn std::fmt::Display) -> LedgerError {
    LedgerError {
        message: format!("the ledger names {}, which cannot be read: {reason}", path.display()),
        hint: BROKEN_HINT.to_owned(),
    }
}

/// Takes the permissions of others away.
pub(super) fn make_private(path: &Path) -> Result<(), LedgerError> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| LedgerError {
        message: format!("cannot set the mode of {}: {error}", path.display()),
        hint: REACH_HINT.to_owned(),
    })
}

impl Files {
    /// The files of a state directory.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where a file is.
    fn path(&self, kind: &str, name: &dyn std::fmt::Display) -> PathBuf {
        self.directory.join(kind).join(format!("{name}.pem"))
    }

    /// Writes a file, unless it is there: its name tells its content.
    fn store(
        &self,
        kind: &str,
        name: &dyn std::fmt::Display,
        text: &str,
    ) -> Result<(), LedgerError> {
        let path = self.path(kind, name);
        if path.exists() {
            return Ok(());
        }
        let written = durable::create_directory(&self.directory.join(kind))
            .and_then(|()| durable::write_private(&path, text.as_bytes()));
        written
            .map_err(|error| LedgerError { message: error.describe(), hint: REACH_HINT.to_owned() })
    }

    /// Keeps a private key.
    pub(super) fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError> {
        self.store("keys", &key.spki_sha256(), key.pem())
    }

    /// The private key for a digest.
    pub(super) fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        let path = self.path("keys", spki);
        let text = secret::read(&path).map_err(|error| missing(&path, &error))?;
        let key = PrivateKey::from_pem(&text).map_err(|error| missing(&path, &error))?;
        if key.spki_sha256() != *spki {
            return Err(missing(&path, &"it is another key"));
        }
        Ok(key)
    }

    /// Keeps every chain and certificate that a state names.
    pub(super) fn store_chains_of(&self, state: &HostState) -> Result<(), LedgerError> {
        let issued = state.bundles.values().flat_map(|bundle| bundle.credentials.values());
        let issued: Vec<_> = issued.filter_map(|credential| credential.issued.as_ref()).collect();
        let presented = state.served.presences.iter().filter_map(|p| match &p.chain {
            Presentable::Issued(chain) => Some(chain),
            Presentable::Expected(_) => None,
        });
        let revoked = state.to_revoke.iter().map(|revocation| &revocation.chain);
        let chains = issued.iter().map(|issued| &issued.chain).chain(presented).chain(revoked);
        for chain in chains {
            self.store("chains", &chain.id(), &chain.to_pem())?;
        }
        let anchors = issued.iter().filter_map(|issued| issued.anchor.as_ref());
        let barred = state.barred.iter().map(|barred| &barred.certificate);
        for certificate in anchors.chain(barred) {
            self.store("certificates", &name_of(certificate), &certificate.to_pem())?;
        }
        Ok(())
    }

    /// The chain with this name.
    pub(super) fn load_chain(&self, id: &str) -> Result<Chain, LedgerError> {
        let path = self.path("chains", &id);
        let chain = Chain::new(self.certificates(&path)?);
        match chain {
            Some(chain) if chain.id().to_string() == id => Ok(chain),
            Some(_) | None => Err(missing(&path, &"it is another chain")),
        }
    }

    /// The certificate with this name.
    pub(super) fn load_certificate(&self, name: &str) -> Result<Certificate, LedgerError> {
        let path = self.path("certificates", &name);
        let certificate = self.certificates(&path)?.into_iter().next();
        match certificate {
            Some(certificate) if name_of(&certificate).to_string() == name => Ok(certificate),
            Some(_) | None => Err(missing(&path, &"it is another certificate")),
        }
    }

    /// The certificates in a file.
    fn certificates(&self, path: &Path) -> Result<Vec<Certificate>, LedgerError> {
        let text = std::fs::read(path).map_err(|error| missing(path, &error))?;
        CertificateDer::pem_slice_iter(&text)
            .map(|block| {
                let der = block.map_err(|error| missing(path, &format!("bad PEM: {error:?}")))?;
                Certificate::from_der(&der).map_err(|error| missing(path, &error))
            })
            .collect()
    }
}

/// The name of a single certificate.
pub(super) fn name_of(certificate: &Certificate) -> Sha256Digest {
    Sha256Digest::of(certificate.der())
}

/// The chain identity that a name stands for.
pub(super) fn chain_id(name: &str) -> Option<ChainId> {
    Sha256Digest::from_hex(name).map(ChainId)
}
