//! Private keys: made as PKCS#8, read in any form that tools write, and wiped from memory when dropped.

use std::fmt;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::pki::{KeyType, Sha256Digest};

/// A private key and the public half that goes with it.
#[derive(Clone)]
pub struct PrivateKey {
    /// The key as a PEM block, in the form that it was made or read in.
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

    /// Reads the first key of a PEM text: PKCS#8, PKCS#1 or SEC1. What else is there is passed over,
    /// such as the parameters that `openssl ecparam` writes before a key.
    ///
    /// # Errors
    ///
    /// Where the text holds no key, or one of a kind that cannot be used.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        use rcgen::PublicKeyData;
        let unreadable = |reason: String| KeyError::Read { reason };
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|error| unreadable(error.to_string()))?;
        let pair = rcgen::KeyPair::try_from(&der).map_err(|error| unreadable(error.to_string()))?;
        // Written again in the form that it came in, under the label of that form: the library would
        // call each PKCS#8, and OpenSSL would not read it.
        let label = match &der {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            PrivateKeyDer::Pkcs8(_) | _ => "PRIVATE KEY",
        };
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let text = pem::encode_config(&pem::Pem::new(label, der.secret_der()), lines);
        Ok(Self { pem: Zeroizing::new(text), spki: pair.subject_public_key_info() })
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

    /// The private keys of RFC 5915's and RFC 8017's forms keep the label of their form: another tool
    /// reads what is written here.
    #[test]
    fn a_key_of_openssl_is_read_and_written_in_its_own_form() {
        let sec1 = "-----BEGIN EC PRIVATE KEY-----\n\
            MHcCAQEEIEqqnuXTO7uwHwsR1lxmEsGCIBn47Z1isbjd25C997JhoAoGCCqGSM49\n\
            AwEHoUQDQgAEzsFy0ymZqOus46RNM1VLU3SUsZ77Ry9rRI9zvzCl9s6sj+l1bOxy\n\
            IZWvz+YDsoLxQUYhRUkHxg9Md8nBXmagTw==\n-----END EC PRIVATE KEY-----\n";
        let parameters =
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let key = PrivateKey::from_pem(&format!("{parameters}{sec1}")).unwrap();
        assert_eq!(KeyType::of_spki(key.spki()), Some(KeyType::EcdsaP256));
        assert_eq!(key.pem(), sec1);
        assert!(PrivateKey::from_pem(parameters).is_err());
    }

    #[test]
    fn a_key_never_shows_itself() {
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.spki_sha256().short()));
    }
}
