//! Private keys: made, read and written as PKCS#8, and wiped from memory when dropped.

use std::fmt;

use zeroize::Zeroizing;

use crate::pki::{KeyType, Sha256Digest};

/// A private key and the public half that goes with it.
#[derive(Clone)]
pub struct PrivateKey {
    /// The key as a PKCS#8 PEM block.
    pem: Zeroizing<String>,
    /// The DER of the SubjectPublicKeyInfo.
    spki: Vec<u8>,
}

/// Why a key could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The crypto library refused.
    #[error("cannot generate a key of type {key_type}: {reason}")]
    Generate {
        /// What was asked for.
        key_type: KeyType,
        /// What the library said.
        reason: String,
    },
    /// The text is no private key that can be used.
    #[error("not a usable private key: {reason}")]
    Read {
        /// What the library said.
        reason: String,
    },
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// Where the crypto library fails, which it does only without randomness.
    pub fn generate(key_type: KeyType) -> Result<Self, KeyError> {
        use rcgen::{KeyPair, RsaKeySize};
        let made = match key_type {
            KeyType::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::Rsa2048 => {
                KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)
            }
            KeyType::Rsa3072 => {
                KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072)
            }
            KeyType::Rsa4096 => {
                KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096)
            }
        };
        let pair = made.map_err(|e| KeyError::Generate { key_type, reason: e.to_string() })?;
        Ok(Self::from_pair(&pair))
    }

    /// Reads a key from PEM: PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    ///
    /// Where the text holds no key, or one of a kind that cannot be used.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let pair =
            rcgen::KeyPair::from_pem(text).map_err(|e| KeyError::Read { reason: e.to_string() })?;
        Ok(Self::from_pair(&pair))
    }

    /// Takes over a key pair of rcgen's.
    fn from_pair(pair: &rcgen::KeyPair) -> Self {
        use rcgen::PublicKeyData;
        Self { pem: Zeroizing::new(pair.serialize_pem()), spki: pair.subject_public_key_info() }
    }

    /// The key as a PEM block. A secret: for files and the crypto library alone.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The DER of the SubjectPublicKeyInfo, as a certificate for this key has it.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the SubjectPublicKeyInfo: what tells this key from another.
    pub fn spki_sha256(&self) -> Sha256Digest {
        Sha256Digest::of(&self.spki)
    }
}

/// Shows which key it is, never the key.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.spki_sha256().short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_each_type_is_made_and_read_again() {
        for key_type in KeyType::ALL {
            let key = PrivateKey::generate(key_type).unwrap();
            let again = PrivateKey::from_pem(key.pem()).unwrap();
            assert_eq!(key.spki(), again.spki(), "{key_type}");
        }
    }

    #[test]
    fn a_key_never_shows_itself() {
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.spki_sha256().short()));
    }
}
