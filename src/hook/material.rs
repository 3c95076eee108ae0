//! Key and chain from a client's files.
//!
//! Clients order and bundle them in different ways: the chain in the certificate's file, or beside it,
//! or both. The key tells which certificate is the server's own; what is there twice counts once. The
//! files are the client's own, so nothing is said about who may read them.

use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::call::Obtained;
use crate::keys::{KeyError, PrivateKey};
use crate::pki::{Certificate, Chain, KeyType};
use crate::ports::Credential;

/// Why a client's files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key cannot be used.
    #[error("`{}`: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The key is of a kind that no host can have.
    #[error("the key in `{}` is of a kind that no mail server's configuration can name", path.display())]
    KeyType {
        /// The file.
        path: PathBuf,
    },
    /// A certificate cannot be read.
    #[error("`{}`: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No certificate is for the key.
    #[error("no certificate in {files} is for the key in `{}` ({digest})", key.display())]
    OtherKey {
        /// The key's file.
        key: PathBuf,
        /// The start of its digest.
        digest: String,
        /// The certificates' files.
        files: String,
    },
}

impl MaterialError {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "run the client, and with it this hook, as a user who can read it",
            Self::Key { .. } | Self::Certificate { .. } | Self::OtherKey { .. } => {
                "see what the client wrote; when it is mended, call its hook again"
            }
            Self::KeyType { .. } => {
                "let the client make ECDSA keys on P-256 or P-384, or RSA keys of 2048, 3072 or 4096 \
                 bits"
            }
        }
    }
}

/// Reads what a client obtained.
///
/// # Errors
///
/// With the file that cannot be used.
pub fn read(obtained: &Obtained) -> Result<Credential, MaterialError> {
    let (key_type, key) = read_key(&obtained.key)?;
    let mut certificates: Vec<Certificate> = Vec::new();
    for path in &obtained.chain {
        for certificate in read_certificates(path)? {
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
    }
    let own = certificates.iter().position(|certificate| certificate.spki() == key.spki());
    let chain = own.and_then(|own| {
        let leaf = certificates.remove(own);
        Chain::new([vec![leaf], certificates].concat())
    });
    let chain = chain.ok_or_else(|| MaterialError::OtherKey {
        key: obtained.key.clone(),
        digest: key.spki_sha256().short(),
        files: obtained
            .chain
            .iter()
            .map(|path| format!("`{}`", path.display()))
            .collect::<Vec<_>>()
            .join(" and "),
    })?;
    Ok(Credential { key_type, chain, key })
}

/// Reads a private key.
///
/// # Errors
///
/// Where there is none that a host can have.
pub fn read_key(path: &Path) -> Result<(KeyType, PrivateKey), MaterialError> {
    let of = |source| MaterialError::Read { path: path.to_owned(), source };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(of)?);
    let key = PrivateKey::from_pem(&text)
        .map_err(|source| MaterialError::Key { path: path.to_owned(), source })?;
    let key_type = KeyType::of_spki(key.spki())
        .ok_or_else(|| MaterialError::KeyType { path: path.to_owned() })?;
    Ok((key_type, key))
}

/// Reads all certificates of a file.
fn read_certificates(path: &Path) -> Result<Vec<Certificate>, MaterialError> {
    let of = |source| MaterialError::Read { path: path.to_owned(), source };
    let odd = |reason: String| MaterialError::Certificate { path: path.to_owned(), reason };
    let text = std::fs::read(path).map_err(of)?;
    let blocks = CertificateDer::pem_slice_iter(&text).map(|block| {
        let der = block.map_err(|error| odd(error.to_string()))?;
        Certificate::from_der(&der).map_err(|error| odd(error.to_string()))
    });
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// A CA, and a certificate of it in one file and in two, with its key.
    struct Lineage {
        directory: tempfile::TempDir,
        authority: Certificate,
        leaf: Certificate,
    }

    impl Lineage {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let ca_key = KeyPair::generate().unwrap();
            let mut ca = CertificateParams::new(Vec::new()).unwrap();
            ca.distinguished_name.push(DnType::CommonName, "CA");
            ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let authority = Certificate::from_der(ca.self_signed(&ca_key).unwrap().der()).unwrap();
            let pair = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
            let leaf = leaf.signed_by(&pair, &Issuer::new(ca, ca_key)).unwrap();
            let leaf = Certificate::from_der(leaf.der()).unwrap();
            let write = |name: &str, text: &str| {
                crate::durable::write_private(&directory.path().join(name), text.as_bytes())
            };
            write("key.pem", &pair.serialize_pem()).unwrap();
            write("cert.pem", &leaf.to_pem()).unwrap();
            write("chain.pem", &authority.to_pem()).unwrap();
            write("fullchain.pem", &(leaf.to_pem() + &authority.to_pem())).unwrap();
            write("upside-down.pem", &(authority.to_pem() + &leaf.to_pem())).unwrap();
            Self { directory, authority, leaf }
        }

        fn read(&self, chain: &[&str]) -> Result<Credential, MaterialError> {
            let path = |name: &str| self.directory.path().join(name);
            let mut obtained = Obtained::new(path("key.pem"), path(chain[0]));
            obtained.chain.extend(chain[1..].iter().map(|name| path(name)));
            read(&obtained)
        }
    }

    #[test]
    fn however_it_is_bundled_the_chain_is_the_same() {
        let lineage = Lineage::new();
        for files in [
            &["fullchain.pem"][..],
            &["cert.pem", "chain.pem"],
            &["fullchain.pem", "chain.pem"],
            &["upside-down.pem"],
        ] {
            let read = lineage.read(files).unwrap();
            let wanted = [lineage.leaf.clone(), lineage.authority.clone()];
            assert_eq!(read.chain.certificates(), wanted, "{files:?}");
            assert_eq!(read.key_type, KeyType::EcdsaP256);
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let lineage = Lineage::new();
        let said = lineage.read(&["chain.pem"]).unwrap_err().to_string();
        assert!(said.starts_with("no certificate in `/") && said.contains("chain.pem"), "{said}");
        let said = lineage.read(&["missing.pem"]).unwrap_err().to_string();
        assert!(said.contains("missing.pem`: No such file"), "{said}");
        let said = read_key(&lineage.directory.path().join("cert.pem")).unwrap_err().to_string();
        assert!(said.contains("cert.pem`: not a usable private key"), "{said}");
    }

    /// As `openssl ecparam -genkey` writes it, which dehydrated and acme.sh use.
    #[test]
    fn a_key_of_openssl_with_its_parameters_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let text = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
             -----BEGIN EC PRIVATE KEY-----\n\
             MHcCAQEEIEqqnuXTO7uwHwsR1lxmEsGCIBn47Z1isbjd25C997JhoAoGCCqGSM49\n\
             AwEHoUQDQgAEzsFy0ymZqOus46RNM1VLU3SUsZ77Ry9rRI9zvzCl9s6sj+l1bOxy\n\
             IZWvz+YDsoLxQUYhRUkHxg9Md8nBXmagTw==\n-----END EC PRIVATE KEY-----\n";
        crate::durable::write_private(&path, text.as_bytes()).unwrap();
        let (key_type, _) = read_key(&path).unwrap();
        assert_eq!(key_type, KeyType::EcdsaP256);
    }
}
