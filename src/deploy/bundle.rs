//! What a chain file holds: the key first, then the chain, as `smtpd_tls_chain_files` wants it.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::keys::PrivateKey;
use crate::pki::{Chain, KeyType};
use crate::ports::{Credential, DeployError};

/// Key and chain as one text. A secret.
pub(super) fn key_and_chain(credential: &Credential) -> Zeroizing<String> {
    Zeroizing::new(format!("{}{}", with_newline(credential.key.pem()), credential.chain.to_pem()))
}

/// A text that ends with a line break.
pub(super) fn with_newline(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// Reads key and chain from one text, in either order.
pub(super) fn parse(path: &str, text: &str) -> Result<Credential, DeployError> {
    let error = |reason: String| DeployError::Content { path: path.to_owned(), reason };
    let key = PrivateKey::from_pem(text).map_err(|e| error(e.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let certificates = certificates.map_err(|e| error(format!("bad PEM: {e:?}")))?;
    let chain = Chain::from_der(&certificates).map_err(|e| error(e.to_string()))?;
    if chain.leaf().spki() != key.spki() {
        return Err(error("the key is not that of the first certificate".to_owned()));
    }
    let key_type = KeyType::of_spki(key.spki())
        .ok_or_else(|| error("the key is of a kind that no configuration names".to_owned()))?;
    Ok(Credential { key_type, chain, key })
}
