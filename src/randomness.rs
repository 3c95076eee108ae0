//! The machine's randomness, where private keys come from: the adapter of the port [`Keymaker`].

use crate::keys::{KeyError, PrivateKey};
use crate::pki::KeyType;
use crate::ports::Keymaker;

/// Keys from the crypto library, which draws on the system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Keymaker for SystemRandomness {
    fn make(&self, key_type: KeyType) -> Result<PrivateKey, KeyError> {
        PrivateKey::generate(key_type)
    }
}
