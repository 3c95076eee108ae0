//! A ledger that lets the demonstration see what is recorded, the moment it is.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::keys::PrivateKey;
use crate::ledger::SqliteLedger;
use crate::pki::Sha256Digest;
use crate::ports::{Event, Ledger, LedgerError};
use crate::rollover::state::HostState;

/// The real ledger, with a window in it.
pub(super) struct Witness {
    /// The real ledger.
    ledger: SqliteLedger,
    /// What was recorded since somebody last looked.
    seen: Mutex<Vec<Recorded>>,
    /// Wakes who waits for more.
    more: Notify,
}

/// What was recorded at once.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    /// The host's state.
    pub(super) state: HostState,
    /// What had been done.
    pub(super) done: Vec<Event>,
}

impl Witness {
    /// A window in this ledger.
    pub(super) fn new(ledger: SqliteLedger) -> Self {
        Self { ledger, seen: Mutex::default(), more: Notify::new() }
    }

    /// What was recorded since the last time this was asked, the earliest first.
    pub(super) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when something was recorded.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }
}

impl Ledger for Witness {
    fn load(&self, host: &str) -> Result<HostState, LedgerError> {
        self.ledger.load(host)
    }

    fn save(&self, host: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        self.ledger.save(host, state, events)?;
        // An event without a result is an intent: its outcome follows.
        let done = events.iter().filter(|event| !event.result.is_empty()).cloned().collect();
        let recorded = Recorded { state: state.clone(), done };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        self.more.notify_one();
        Ok(())
    }

    fn history(&self, host: &str, limit: usize) -> Result<Vec<Event>, LedgerError> {
        self.ledger.history(host, limit)
    }

    fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError> {
        self.ledger.store_key(key)
    }

    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        self.ledger.load_key(spki)
    }
}
