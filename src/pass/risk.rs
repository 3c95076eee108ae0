//! What stops mail though nothing is under way: somebody else put another certificate in place, or
//! published other records. Nothing that rollover does comes to that; but nobody else may see it.

use std::collections::BTreeMap;

use crate::pki::Certificate;
use crate::rollover::action::Problem;
use crate::rollover::history::Content;
use crate::rollover::observation::{Observation, OwnerSight, Sight};
use crate::rollover::safety::{self, Gap};
use crate::rollover::spec::HostSpec;
use crate::rollover::state::HostState;
use crate::tlsa::TlsaOwner;

/// What is presented now and fits none of the records that are published now.
pub(super) fn problems(spec: &HostSpec, state: &HostState, seen: &Observation) -> Vec<Problem> {
    let gaps = safety::gaps(spec, state, &seen.at);
    let mut stranding: BTreeMap<(TlsaOwner, String), Vec<String>> = BTreeMap::new();
    for gap in gaps.iter().filter(|gap| gap.fit.is_none() && is_published(gap, seen)) {
        for (address, leaf) in presenting(gap, seen) {
            let key = format!("key {} of {}", leaf.spki_sha256().short(), leaf.issuer());
            stranding.entry((gap.owner.clone(), key)).or_default().push(address);
        }
    }
    let problem = |((owner, key), addresses): ((TlsaOwner, String), Vec<String>)| Problem {
        message: format!(
            "{} presents {key}, and no record at {owner} fits it\nsenders that check do not deliver \
             there, and wait",
            addresses.join(" and ")
        ),
        hint: format!(
            "let the mail server read the files that rollover deploys, and reload it; `rollover check \
             --host {}` says what it reads",
            spec.name
        ),
    };
    stranding.into_iter().map(problem).collect()
}

/// Whether these records are at the primary now.
fn is_published(gap: &Gap, seen: &Observation) -> bool {
    let Some(OwnerSight::Seen(answers)) = seen.owners.get(&gap.owner) else { return false };
    match (&answers.at_primary, &gap.content) {
        (Ok(rrset), Content::Rrset(content)) => rrset == content,
        (Ok(_) | Err(_), _) => false,
    }
}

/// The addresses at which the chain is presented now to those who look at these records.
fn presenting<'a>(
    gap: &'a Gap,
    seen: &'a Observation,
) -> impl Iterator<Item = (String, &'a Certificate)> {
    seen.listeners.iter().filter(|(listener, _)| listener.owner == gap.owner).filter_map(
        |(listener, sight)| {
            let Sight::Presented(chains) = sight else { return None };
            let chain = chains.iter().find(|chain| chain.0.id() == gap.chain)?;
            Some((listener.address.to_string(), chain.0.leaf()))
        },
    )
}
