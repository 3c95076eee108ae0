//! The ledger as a whole: what is saved is loaded, whatever happens in between or to its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod crash;
mod hostile;
mod readers;
mod round_trip;
mod states;
mod sweep;

use std::path::Path;

use rollover::ledger::SqliteLedger;
use rollover::ports::{Event, Ledger};
use rollover::time::Timestamp;

/// A ledger in `directory`, to read and change.
fn open(directory: &Path) -> SqliteLedger {
    SqliteLedger::open(directory).unwrap()
}

/// An event that can be told from others.
fn event(number: i64) -> Event {
    Event {
        at: Timestamp::from_millis(number),
        observation: "ns1.example.nl serves 3 1 1 0a1b…".to_owned(),
        decision: "wait".to_owned(),
        action: String::new(),
        result: number.to_string(),
    }
}

/// What a host's events say of themselves.
fn results(ledger: &SqliteLedger, host: &str) -> Vec<String> {
    let events = ledger.history(host, usize::MAX).unwrap();
    events.into_iter().map(|event| event.result).collect()
}
