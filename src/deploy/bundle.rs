//! What a chain file holds: the key first, then the chain, as `smtpd_tls_chain_files` wants it.
//!
//! Only those are read and written. Comments, parameters and whatever else stood in a file before
//! it was first replaced are not kept.

use zeroize::Zeroizing;

use crate::keys::PrivateKey;
use crate::pki::{Chain, KeyType};
use crate::ports::{Credential, DeployError};

/// Key and chain as one text. A secret.
pub(super) fn key_and_chain(credential: &Credential) -> Zeroizing<String> {
    Zeroizing::new(format!("{}{}", *key(credential), chain(credential)))
}

/// The key alone. A secret.
pub(super) fn key(credential: &Credential) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", credential.key.pem().trim_end()))
}

/// The chain alone.
pub(super) fn chain(credential: &Credential) -> String {
    credential.chain.to_pem()
}

/// Reads key and chain from one text, in either order.
pub(super) fn parse(path: &str, text: &[u8]) -> Result<Credential, DeployError> {
    read(text).map_err(|reason| DeployError::Content { path: path.to_owned(), reason })
}

/// As [`parse`], with what is wrong alone.
fn read(text: &[u8]) -> Result<Credential, String> {
    // Comments may be in any encoding; what is between the lines of PEM is ASCII.
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    let blocks = pem::parse_many(text.as_bytes()).map_err(|error| error.to_string())?;
    let (mut keys, mut certificates) = (Vec::new(), Vec::new());
    for block in &blocks {
        match block.tag() {
            "CERTIFICATE" => certificates.push(block.contents()),
            "ENCRYPTED PRIVATE KEY" => {
                return Err("the private key is encrypted, and no server could read it".to_owned());
            }
            tag if tag.ends_with("PRIVATE KEY") => keys.push(Zeroizing::new(pem::encode(block))),
            _ => {}
        }
    }
    let [key] = keys.as_slice() else {
        return Err(format!("there are {} private keys in it, and one is expected", keys.len()));
    };
    let key = PrivateKey::from_pem(key).map_err(|error| error.to_string())?;
    let chain = Chain::from_der(&certificates).map_err(|error| error.to_string())?;
    if chain.leaf().spki() != key.spki() {
        return Err(format!(
            "the key is {}, but the first certificate (`{}`) is for the key {}",
            key.spki_sha256().short(),
            chain.leaf().subject(),
            chain.leaf().spki_sha256().short()
        ));
    }
    let key_type = KeyType::of_spki(key.spki())
        .ok_or_else(|| "the key is of a kind that no configuration names".to_owned())?;
    Ok(Credential { key_type, chain, key })
}
