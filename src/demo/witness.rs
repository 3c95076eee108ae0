//! A ledger that lets the demonstration see what is recorded, the moment it is.

use std::sync::{Mutex, PoisonError};

use crate::keys::PrivateKey;
use crate::ledger::SqliteLedger;
use crate::pki::Sha256Digest;
use crate::ports::{Event, Ledger, LedgerError};
use crate::rollover::state::HostState;

/// The real ledger, with a window in it.
pub(super) struct Witness {
    /// The real ledger.
    ledger: SqliteLedger,
    /// What was recorded last.
    seen: Mutex<Seen>,
}

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The host's state.
    pub(super) state: HostState,
    /// What was done since somebody last looked.
    pub(super) events: Vec<Event>,
}

impl Witness {
    /// A window in this ledger.
    pub(super) fn new(ledger: SqliteLedger) -> Self {
        Self { ledger, seen: Mutex::default() }
    }

    /// The state, and what was done since the last time this was asked.
    pub(super) fn take(&self) -> Seen {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Seen { state: seen.state.clone(), events: std::mem::take(&mut seen.events) }
    }
}

impl Ledger for Witness {
    fn load(&self, host: &str) -> Result<HostState, LedgerError> {
        self.ledger.load(host)
    }

    fn save(&self, host: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        self.ledger.save(host, state, events)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.state = state.clone();
        // An event without a result is an intent: its outcome follows.
        seen.events.extend(events.iter().filter(|event| !event.result.is_empty()).cloned());
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
