//! What is known, kept: states, keys, and the history of decisions.

use crate::keys::PrivateKey;
use crate::pki::Sha256Digest;
use crate::rollover::state::HostState;
use crate::time::Timestamp;

/// One line of a host's history: what was seen, what followed from it, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What was seen, shortened; empty where it was as before.
    pub observation: String,
    /// What followed from it: an action, or what is waited for and why.
    pub decision: String,
    /// What was done, with its particulars; empty where nothing was.
    pub action: String,
    /// What came of it; empty in the line that is written before the act.
    pub result: String,
}

/// Keeps what cannot be looked up again, private keys among it.
///
/// Its methods block for the time of a disk write. Whoever changes anything holds its lock, which
/// is another matter.
pub trait Ledger: Send + Sync {
    /// What is held of a host; a host never heard of has the state of first sight.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read, or what it holds makes no sense: nothing is guessed.
    fn load(&self, host: &str) -> Result<HostState, LedgerError>;

    /// Replaces what is held of a host and adds events to its history, both or neither, and returns
    /// once they would survive a loss of power.
    ///
    /// # Errors
    ///
    /// Where it could not be written; then nothing of it was.
    fn save(&self, host: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError>;

    /// The history of a host, oldest first; at most the last `limit` events.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read.
    fn history(&self, host: &str, limit: usize) -> Result<Vec<Event>, LedgerError>;

    /// Keeps a private key, under the digest of its public half, and returns once it would survive
    /// a loss of power.
    ///
    /// # Errors
    ///
    /// Where it could not be written.
    fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError>;

    /// The private key for this SubjectPublicKeyInfo digest.
    ///
    /// # Errors
    ///
    /// Where it is not kept, or cannot be read.
    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError>;
}

/// The ledger cannot be read or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct LedgerError {
    /// What happened, to which file.
    pub message: String,
    /// What to do.
    pub hint: String,
}
