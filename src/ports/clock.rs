//! The time, and where keys come from.

use async_trait::async_trait;

use crate::keys::{KeyError, PrivateKey};
use crate::pki::KeyType;
use crate::time::{Moment, Span};

/// The time, and waiting for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment by both clocks.
    fn now(&self) -> Moment;

    /// Returns after `span`, or a little later.
    async fn sleep(&self, span: Span);
}

/// Where private keys come from.
pub trait Keymaker: Send + Sync {
    /// Makes a new key. It is kept nowhere: a crash loses it, and nothing else.
    ///
    /// # Errors
    ///
    /// Where there is no randomness.
    fn make(&self, key_type: KeyType) -> Result<PrivateKey, KeyError>;
}
