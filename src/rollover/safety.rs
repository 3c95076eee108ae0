//! The promise as one function, and the two gates that follow from it.
//!
//! > every RRset in *cached* fits every chain in *served*, to the degree that the policy asks
//!
//! A pair that does not is a [`Gap`]: a sender that holds this version and meets this chain is
//! stranded. The gates refuse *new* gaps. Where mail is broken already, by a hand edit or a chain
//! that somebody else put there, no step can be asked to be better than what is.

use std::collections::BTreeSet;

use super::history::{Content, Service, Until, Version};
use super::presentable::Presentable;
use super::spec::HostSpec;
use super::state::HostState;
use crate::pki::ChainId;
use crate::time::{Moment, Ttl};
use crate::tlsa::{Fit, TlsaOwner, TlsaRrset};

/// A cached version and a served chain that do not fit to the degree asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Where the version lives.
    pub owner: TlsaOwner,
    /// The version.
    pub content: Content,
    /// The chain.
    pub chain: ChainId,
    /// How well they fit, if at all.
    pub fit: Option<Fit>,
}

/// A cached version that stands in the way of serving a chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obstacle {
    /// Where the version lives.
    pub owner: TlsaOwner,
    /// The version.
    pub version: Version,
    /// Until when it may be cached.
    pub until: Until,
}

impl Obstacle {
    /// Nobody ever saw what is published at `owner`: it fits nothing.
    fn never_seen(owner: &TlsaOwner, now: &Moment) -> Self {
        let content = Content::Unknown { ttl: Ttl::default(), fits: BTreeSet::new() };
        let version = Version::new(content, Service::Ongoing { since: *now });
        Self { owner: owner.clone(), version, until: Until::Unseen }
    }
}

/// How well a cached content fits a chain for a client of `owner`.
fn fit_of(content: &Content, chain: &Presentable, owner: &TlsaOwner, now: &Moment) -> Option<Fit> {
    match content {
        Content::Rrset(rrset) => chain.fit(&rrset.records, owner.base(), now.wall),
        Content::Unknown { fits, .. } => fits.contains(&chain.id()).then_some(Fit::Each),
    }
}

/// The chains that may be presented now.
fn served<'a>(
    spec: &HostSpec,
    state: &'a HostState,
    now: &'a Moment,
) -> impl Iterator<Item = &'a Presentable> {
    state.served.possible(spec.policy.timing.drain, now).map(|(chain, _)| chain)
}

/// How well an RRset and a chain have to fit now: as the policy asks. To be rid at once of what was
/// compromised, and is still presented, can cost a combination, but never the last record that fits.
fn degree(spec: &HostSpec, state: &HostState, now: &Moment) -> Fit {
    match served(spec, state, now).any(|chain| state.bars_chain(chain)) {
        true => Fit::Any,
        false => spec.policy.fit,
    }
}

/// Every way in which a sender could meet a chain that its RRset does not fit, now.
pub fn gaps(spec: &HostSpec, state: &HostState, now: &Moment) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (owner, history) in &state.histories {
        for (version, _) in history.cached(&spec.policy.timing, now) {
            for chain in served(spec, state, now) {
                let fit = fit_of(&version.content, chain, owner, now);
                if fit < Some(spec.policy.fit) {
                    gaps.push(Gap {
                        owner: owner.clone(),
                        content: version.content.clone(),
                        chain: chain.id(),
                        fit,
                    });
                }
            }
        }
    }
    gaps
}

/// What stands in the way of presenting `chains`: **may serve** holds where this is empty.
///
/// A version that fits nothing that is served now, as a garbled hand edit, cannot be asked to fit
/// what comes next: whoever holds it is stranded either way.
pub fn obstacles(
    spec: &HostSpec,
    state: &HostState,
    chains: &[Presentable],
    now: &Moment,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let degree = degree(spec, state, now);
    for owner in &spec.owners {
        let Some(history) = state.histories.get(owner).filter(|h| !h.versions.is_empty()) else {
            obstacles.push(Obstacle::never_seen(owner, now));
            continue;
        };
        for (version, until) in history.cached(&spec.policy.timing, now) {
            let present = served(spec, state, now)
                .map(|chain| fit_of(&version.content, chain, owner, now))
                .max();
            let required = present.unwrap_or(Some(degree)).min(Some(degree));
            let stands =
                |chain: &Presentable| fit_of(&version.content, chain, owner, now) < required;
            if chains.iter().any(stands) {
                obstacles.push(Obstacle { owner: owner.clone(), version: version.clone(), until });
            }
        }
    }
    obstacles
}

/// The served chains that `rrset` would strand at `owner`: **may publish** holds where this is
/// empty.
///
/// A chain that no published version fits well enough already is not asked to be fitted better.
pub fn stranded_by(
    spec: &HostSpec,
    state: &HostState,
    owner: &TlsaOwner,
    rrset: &TlsaRrset,
    now: &Moment,
) -> Vec<ChainId> {
    let published: Vec<&Version> = state
        .histories
        .get(owner)
        .map(|history| history.cached(&spec.policy.timing, now).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, until)| *until == Until::Unseen)
        .map(|(version, _)| version)
        .collect();
    let degree = degree(spec, state, now);
    served(spec, state, now)
        .filter(|chain| {
            let present = published.iter().map(|v| fit_of(&v.content, chain, owner, now)).max();
            let required = present.unwrap_or(Some(degree)).min(Some(degree));
            chain.fit(&rrset.records, owner.base(), now.wall) < required
        })
        .map(Presentable::id)
        .collect()
}
