//! Where another ACME client obtains the certificates: what it brought takes the place of an order.
//!
//! Such a rollover is begun by the arrival of a certificate, not by time, and with the key that the
//! certificate is for; from there on it is like every other. Whether the client's CA is the one of
//! last time, the chain alone tells. What the client does not bring cannot be ordered: a certificate
//! that nears its end without a successor needs somebody's attention.

use std::collections::BTreeMap;

use super::action::{Action, Begin, KeySource, Problem, RequestError, Toward};
use super::situation::Situation;
use super::spec::HostSpec;
use super::state::{Bundle, HostState, Kind};
use super::transition;
use crate::pki::{Certificate, Chain, KeyType};
use crate::time::Timestamp;
use crate::tlsa::Usage;

/// What another client has brought for a host, and lies staged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Brought {
    /// Per key type, the chain that came last; each is valid for the host now.
    pub chains: BTreeMap<KeyType, Chain>,
    /// Per key type, the SubjectPublicKeyInfo of the key that the client's next certificate will be
    /// for, where it tells.
    pub next_keys: BTreeMap<KeyType, Vec<u8>>,
}

impl Brought {
    /// Its chains, where there is one for each key type of the host, and no key is barred.
    fn complete(&self, spec: &HostSpec, state: &HostState) -> Option<BTreeMap<KeyType, &Chain>> {
        let barred = |chain: &Chain| {
            let mut keys = state.barred.iter().filter(|barred| barred.usage == Usage::DaneEe);
            keys.any(|barred| barred.certificate.spki() == chain.leaf().spki())
        };
        let usable = |key_type| self.chains.get(key_type).filter(|chain| !barred(chain));
        spec.key_types.iter().map(|key_type| Some((*key_type, usable(key_type)?))).collect()
    }

    /// Whether it is complete, and holds a chain that is none of `bundle`.
    fn is_other_than(&self, spec: &HostSpec, state: &HostState, bundle: &Bundle) -> bool {
        let own = bundle.chain_ids();
        let is_other = |chain: &&Chain| !own.contains(&chain.id());
        self.complete(spec, state).is_some_and(|chains| chains.values().any(is_other))
    }
}

/// Makes of a rollover to be begun one toward what was brought, where its issuer is external; others
/// are left as they are. Whether the CA is another, the chain tells already.
///
/// # Errors
///
/// Where nothing was brought but what is in place, or its key is the one to be barred.
pub fn take(
    spec: &HostSpec,
    brought: &Brought,
    state: &HostState,
    mut begin: Begin,
) -> Result<Begin, RequestError> {
    let Toward::New { issuer, keys } = &mut begin.toward else { return Ok(begin) };
    if !spec.external.contains(issuer) {
        return Ok(begin);
    }
    let mut then = state.clone();
    transition::bar(&mut then, &begin.bar);
    let refused = || RequestError::NothingBrought(issuer.clone());
    let chains = brought.complete(spec, &then).ok_or_else(refused)?;
    if state.current().is_some_and(|current| !brought.is_other_than(spec, &then, current)) {
        return Err(refused());
    }
    if begin.kind == Kind::Renewal && leaves_ca(state, chains.values().copied()) {
        begin.kind = Kind::CaChange;
    }
    *keys = chains.keys().map(|key_type| (*key_type, KeySource::Brought)).collect();
    Ok(begin)
}

/// Whether none of the present CAs is in one of these chains.
fn leaves_ca<'a>(state: &HostState, mut chains: impl Iterator<Item = &'a Chain>) -> bool {
    let present = state.current().map(Bundle::anchors).unwrap_or_default();
    let is_present = |ca: &Certificate| present.iter().any(|anchor| anchor.spki() == ca.spki());
    !present.is_empty() && chains.any(|chain| !chain.authorities().iter().any(is_present))
}

impl Situation<'_> {
    /// Whether the host's next certificate is brought by another client.
    pub(crate) fn is_external(&self) -> bool {
        self.spec.external.contains(self.state.issuer(self.spec))
    }

    /// Whether another client has brought a certificate that is none of `bundle`.
    pub(crate) fn is_brought_anew(&self, bundle: &Bundle) -> bool {
        self.intent.brought.is_other_than(self.spec, self.state, bundle)
    }

    /// Whether a target waits for chains to keys of which none is staged any more: the client has
    /// brought certificates for others.
    pub(crate) fn is_outdated_order(&self, target: &Bundle) -> bool {
        let kind = self.state.rollover.as_ref().map(|rollover| rollover.kind);
        let Some(chains) = self.intent.brought.complete(self.spec, self.state) else {
            return false;
        };
        let outdated = |(key_type, key): (&KeyType, &[u8])| {
            chains.get(key_type).is_none_or(|chain| chain.leaf().spki() != key)
        };
        self.is_external()
            && self.state.issuer(self.spec) == target.issuer
            && kind != Some(Kind::Abort)
            && target
                .credentials
                .iter()
                .filter(|(_, credential)| credential.issued.is_none())
                .any(|(key_type, credential)| outdated((key_type, &credential.key.spki)))
    }

    /// The standby key to be taken over: the one that the client's next certificate will be for.
    pub(crate) fn standby_to_take(&self) -> Option<Action> {
        let current = self.state.current();
        let mut next = self.intent.brought.next_keys.iter().filter(|(key_type, spki)| {
            let in_use = current.and_then(|bundle| bundle.credentials.get(key_type));
            let standby = self.state.standby.get(key_type);
            self.spec.key_types.contains(key_type)
                && in_use.is_none_or(|credential| credential.key.spki != **spki)
                && standby.is_none_or(|key| key.spki != **spki)
        });
        next.next().map(|(key_type, _)| Action::MakeStandby { key_type: *key_type })
    }

    /// Until when the client has time to bring the next certificate of a host that is due at `due`:
    /// half of what is left then. Clients renew at about the same time as the policy would, and one
    /// or two tries may fail.
    ///
    /// # Errors
    ///
    /// With the problem, where that has passed.
    pub(crate) fn overdue(&self, bundle: &Bundle, due: Timestamp) -> Result<Timestamp, Problem> {
        let expiries = bundle.chains().map(|chain| chain.leaf().not_after());
        let expires = expiries.min().unwrap_or(Timestamp::MIN);
        if due == Timestamp::MIN {
            return Err(self.unsuitable());
        }
        let patience = due + expires.since(due).fraction(1, 2);
        if self.now.wall < due {
            return Ok(due);
        }
        if self.now.wall < patience {
            return Ok(patience);
        }
        Err(Problem {
            message: format!(
                "the certificate of {} expires at {expires}, and the ACME client that obtains it \
                 has brought no other; records of the CA (usage 2) stop fitting then",
                self.spec.name
            ),
            hint: "see why the client does not renew (its log, its timer), and that it calls \
                   `rollover hook`"
                .to_owned(),
        })
    }

    /// The problem that the present certificate lacks a name or a kind of key.
    fn unsuitable(&self) -> Problem {
        let names: Vec<String> = self.spec.names.iter().map(ToString::to_string).collect();
        let types: Vec<&str> = self.spec.key_types.iter().map(|t| t.as_str()).collect();
        Problem {
            message: format!(
                "the certificate in place does not have all names ({}) or key types ({}) of {}",
                names.join(", "),
                types.join(", "),
                self.spec.name
            ),
            hint: "let the ACME client obtain such a certificate, or correct `names` and \
                   `key-types`"
                .to_owned(),
        }
    }

    /// The problem that a host has no certificate, and none was brought.
    pub(crate) fn nothing_brought(&self) -> Problem {
        let missing = self.spec.key_types.iter().filter(|key_type| {
            let brought = &self.intent.brought.chains;
            !brought.contains_key(key_type)
        });
        let missing: Vec<&str> = missing.map(|key_type| key_type.as_str()).collect();
        Problem {
            message: format!(
                "there is no certificate for {} yet: the ACME client that obtains it has brought \
                 none with a key of type {}",
                self.spec.name,
                missing.join(", ")
            ),
            hint: "let the client obtain one and call `rollover hook` (docs/hooks.md)".to_owned(),
        }
    }
}
