//! What a chain file holds: the key first, then the chain, as `smtpd_tls_chain_files` wants it.
//!
//! Only those are read and written. Comments, parameters and whatever else stood in a file before
//! it was first replaced are not kept.

use zeroize::Zeroizing;

use crate::keys::PrivateKey;
use crate::pki::{Certificate, Chain, KeyType};
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
    let one = read(text).and_then(|(keys, chain)| match keys.as_slice() {
        [key] => pair(key, chain),
        _ => Err(format!("there are {} private keys in it, and one is expected", keys.len())),
    });
    one.map_err(|reason| DeployError::Content { path: path.to_owned(), reason })
}

/// Reads any number of keys and their chains from one text, in any order, if each chain is in its
/// own.
pub(super) fn parse_all(path: &str, text: &[u8]) -> Result<Vec<Credential>, DeployError> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let all = read(text).and_then(|(keys, chains)| sort_out(&keys, &chains));
    all.map_err(|reason| DeployError::Content { path: path.to_owned(), reason })
}

/// The keys in a text, and all certificates in their order, or what is wrong.
fn read(text: &[u8]) -> Result<(Vec<PrivateKey>, Chain), String> {
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
    if keys.is_empty() {
        return Err("there are 0 private keys in it, and one is expected".to_owned());
    }
    let keys: Result<Vec<_>, _> = keys.iter().map(|key| PrivateKey::from_pem(key)).collect();
    let chain = Chain::from_der(&certificates).map_err(|error| error.to_string())?;
    Ok((keys.map_err(|error| error.to_string())?, chain))
}

/// Each key with its chain, which begins where a certificate is for that key.
fn sort_out(keys: &[PrivateKey], chains: &Chain) -> Result<Vec<Credential>, String> {
    let all = chains.certificates();
    let is_leaf = |c: &Certificate| keys.iter().any(|key| key.spki() == c.spki());
    let starts: Vec<usize> = (0..all.len()).filter(|at| is_leaf(&all[*at])).collect();
    let chain_of = |key: &PrivateKey| {
        let at = starts.iter().position(|at| all[*at].spki() == key.spki())?;
        let end = starts.get(at + 1).copied().unwrap_or(all.len());
        Chain::new(all[starts[at]..end].to_vec())
    };
    let pairs = keys.iter().map(|key| match chain_of(key) {
        Some(chain) => pair(key, chain),
        None => Err(format!("no certificate in it is for the key {}", key.spki_sha256().short())),
    });
    pairs.collect()
}

/// A key with its chain, if it is that.
fn pair(key: &PrivateKey, chain: Chain) -> Result<Credential, String> {
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
    Ok(Credential { key_type, chain, key: key.clone() })
}
