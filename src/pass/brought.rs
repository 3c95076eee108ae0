//! What another ACME client has brought: read for the decision without its secrets, and for the acts
//! with them.

use super::HostPass;
use crate::keys::PrivateKey;
use crate::pki::KeyType;
use crate::ports::{Delivery, IssueError};
use crate::rollover::Brought;
use crate::rollover::state::HostState;

impl HostPass {
    /// What was brought, as decisions see it; nothing where no issuer is external.
    pub(super) fn brought(&self) -> Brought {
        let Some(delivery) = self.delivery() else { return Brought::default() };
        let chains = delivery.credentials.into_iter().map(|c| (c.key_type, c.chain));
        let keys = delivery.next_keys.into_iter().map(|(kind, key)| (kind, key.spki().to_vec()));
        Brought { chains: chains.collect(), next_keys: keys.collect() }
    }

    /// What was brought: for the host, whichever external issuer it is taken for.
    fn delivery(&self) -> Option<Delivery> {
        self.ports.issuers.values().find_map(|issuer| issuer.brought())
    }

    /// The key of the certificate of this type that was brought.
    pub(super) fn brought_key(&self, key_type: KeyType) -> Option<PrivateKey> {
        let credentials = self.delivery()?.credentials;
        credentials.into_iter().find(|c| c.key_type == key_type).map(|c| c.key)
    }

    /// The key that another client has prepared for its next certificate, where the host's issuer is
    /// external.
    pub(super) fn prepared_key(&self, state: &HostState, key_type: KeyType) -> Option<PrivateKey> {
        if !self.spec.external.contains(state.issuer(&self.spec)) {
            return None;
        }
        self.delivery()?.next_keys.remove(&key_type)
    }

    /// Puts away what the rollover in flight leads to, if it was brought: it is given up, and must
    /// not begin again by itself.
    pub(super) fn give_up_brought(&self, state: &HostState) -> Result<(), IssueError> {
        let issuer = state.target().map(|(_, target)| &target.issuer);
        match issuer.and_then(|issuer| self.ports.issuers.get(issuer)) {
            Some(issuer) => issuer.give_up_brought(),
            None => Ok(()),
        }
    }
}
