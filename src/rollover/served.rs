//! The chains that a host may present: those seen, and those written where the server reads them.
//!
//! A probe sees one process of many, so an old chain counts as served until every listener has
//! shown only others, and for the policy's `drain` after that. What was last deployed counts as
//! served whether it is seen or not: some servers read a replaced file without being asked.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Until;
use super::observation::{Listener, Sight};
use super::presentable::Presentable;
use super::state::BundleId;
use crate::pki::{Chain, ChainId};
use crate::time::{Moment, Span};

/// What a host may present.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Served {
    /// Each chain once; the order means nothing.
    pub presences: Vec<Presence>,
    /// What was last put, or about to be put, where the server reads it.
    pub deployment: Option<Deployment>,
}

/// A chain that may be presented.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Presence {
    /// The chain.
    pub chain: Presentable,
    /// When every listener was first seen without it; `None` while some may present it.
    pub ended: Option<Moment>,
}

/// What was last put where the server reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deployment {
    /// Which bundle.
    pub bundle: BundleId,
    /// The chains of that bundle.
    pub chains: BTreeSet<ChainId>,
    /// The moment before it began.
    pub begun: Moment,
    /// When it succeeded; `None` if it failed, or nobody knows.
    pub done: Option<Moment>,
    /// Whether every listener was seen to present these chains and nothing else.
    pub shown: bool,
}

impl Served {
    /// Takes in what the listeners presented in a look that was over at `at`.
    pub fn observe(&mut self, listeners: &BTreeMap<Listener, Sight>, at: Moment) {
        let shown: Vec<&Chain> = listeners
            .values()
            .filter_map(|sight| match sight {
                Sight::Presented(chains) => Some(chains.iter().map(|presented| &presented.0)),
                Sight::NotOffered | Sight::NoTls { .. } | Sight::Silent { .. } => None,
            })
            .flatten()
            .collect();
        let ids: BTreeSet<ChainId> = shown.iter().map(|chain| chain.id()).collect();
        let complete = !listeners.is_empty()
            && listeners.values().all(|sight| !matches!(sight, Sight::Silent { .. }));
        for presence in &mut self.presences {
            let id = presence.chain.id();
            let deployed = self.deployment.as_ref().is_some_and(|d| d.chains.contains(&id));
            if deployed || ids.contains(&id) {
                presence.ended = None;
            } else if complete && presence.ended.is_none() {
                presence.ended = Some(at);
            }
        }
        if let Some(deployment) = &mut self.deployment
            && complete
            && !ids.is_empty()
            && ids.is_subset(&deployment.chains)
        {
            deployment.shown = true;
        }
        for chain in shown {
            self.add(Presentable::Issued(chain.clone()));
        }
    }

    /// Notes that `chains` are about to be put where the server reads them.
    pub fn intend(&mut self, bundle: BundleId, chains: Vec<Presentable>, at: Moment) {
        let ids = chains.iter().map(Presentable::id).collect();
        self.deployment =
            Some(Deployment { bundle, chains: ids, begun: at, done: None, shown: false });
        for chain in chains {
            self.add(chain);
        }
    }

    /// Counts `chain` as served from now on.
    fn add(&mut self, chain: Presentable) {
        match self.presences.iter_mut().find(|presence| presence.chain.id() == chain.id()) {
            Some(presence) => presence.ended = None,
            None => self.presences.push(Presence { chain, ended: None }),
        }
    }

    /// The chains that may be presented, each with until when.
    pub fn possible<'a>(
        &'a self,
        drain: Span,
        now: &'a Moment,
    ) -> impl Iterator<Item = (&'a Presentable, Until)> {
        self.presences.iter().filter_map(move |presence| {
            let until = match &presence.ended {
                None => Some(Until::Unseen),
                Some(at) => now.until_elapsed(at, drain).map(Until::At),
            };
            until.map(|until| (&presence.chain, until))
        })
    }

    /// Drops what cannot be presented any more.
    pub fn forget_ended(&mut self, drain: Span, now: &Moment) {
        self.presences.retain(|presence| match &presence.ended {
            None => true,
            Some(at) => now.until_elapsed(at, drain).is_some(),
        });
    }
}
