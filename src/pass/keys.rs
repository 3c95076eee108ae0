//! Where the keys of a rollover come from: each is kept before the ledger names it.

use std::collections::BTreeMap;

use super::{DONE, HostPass, PassError, Progress};
use crate::keys::PrivateKey;
use crate::pki::{KeyType, Sha256Digest};
use crate::ports::{Event, LedgerError};
use crate::rollover::action::{Begin, KeySource, Toward};
use crate::rollover::state::{HostState, KeyMade, Step};
use crate::rollover::transition::{self, FailureReport};

impl HostPass {
    /// The keys of a rollover to be begun, made where they have to be.
    pub(super) fn keys(
        &self,
        state: &HostState,
        begin: &Begin,
    ) -> Result<Result<BTreeMap<KeyType, KeyMade>, FailureReport>, LedgerError> {
        let mut keys = BTreeMap::new();
        let Toward::New { keys: sources, .. } = &begin.toward else { return Ok(Ok(keys)) };
        for (key_type, source) in sources {
            let at_hand = match source {
                KeySource::New => None,
                KeySource::Standby => state.standby.get(key_type).cloned(),
                // A key that was only ever seen cannot be used again: there is a new one then.
                KeySource::Present => state
                    .current()
                    .and_then(|bundle| bundle.credentials.get(key_type))
                    .map(|credential| credential.key.clone())
                    .filter(|key| self.ports.ledger.load_key(&Sha256Digest::of(&key.spki)).is_ok()),
                KeySource::Brought => match self.brought_key(*key_type) {
                    Some(key) => Some(self.keep_key(&key)?),
                    None => return Ok(Err(vanished(*key_type))),
                },
            };
            let key = match at_hand {
                Some(key) => key,
                None => match self.make_key(*key_type)? {
                    Ok(key) => key,
                    Err(report) => return Ok(Err(report)),
                },
            };
            keys.insert(*key_type, key);
        }
        Ok(Ok(keys))
    }

    /// Makes a key and keeps it.
    fn make_key(&self, key_type: KeyType) -> Result<Result<KeyMade, FailureReport>, LedgerError> {
        let key = match self.ports.keys.make(key_type) {
            Ok(key) => key,
            Err(error) => {
                return Ok(Err(FailureReport {
                    message: format!("{error}; nothing was changed, and mail is not affected"),
                    hint: "see that the system has a source of randomness".to_owned(),
                    needs_operator: true,
                    not_before: None,
                    by_issuer: false,
                }));
            }
        };
        Ok(Ok(self.keep_key(&key)?))
    }

    /// Keeps a key that was made here, or that another client brought.
    fn keep_key(&self, key: &PrivateKey) -> Result<KeyMade, LedgerError> {
        self.ports.ledger.store_key(key)?;
        Ok(KeyMade { spki: key.spki().to_vec(), at: self.ports.clock.now().wall })
    }

    /// Makes a standby key.
    pub(super) fn make_standby(
        &self,
        progress: &mut Progress,
        key_type: KeyType,
        event: Event,
    ) -> Result<(), PassError> {
        let made = match self.prepared_key(&progress.state, key_type) {
            Some(key) => Ok(self.keep_key(&key)?),
            None => self.make_key(key_type)?,
        };
        match made {
            Ok(key) => transition::add_standby(&mut progress.state, key_type, key),
            Err(report) => return Ok(self.fail(progress, Step::MakeKey, report, event)?),
        }
        Ok(self.conclude(progress, event, DONE.to_owned())?)
    }
}

/// What was brought is gone before its key could be kept, as it is recorded.
fn vanished(key_type: KeyType) -> FailureReport {
    FailureReport {
        message: format!(
            "the staged certificate with a key of type {key_type} is gone; nothing was changed, \
             and mail is not affected"
        ),
        hint: "nothing to do if another took its place; else call the client's hook again"
            .to_owned(),
        needs_operator: false,
        not_before: None,
        by_issuer: false,
    }
}
