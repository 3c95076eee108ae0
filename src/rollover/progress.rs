//! How far the listeners are with a target: what each does that is not yet as it shall be.

use std::collections::BTreeSet;

use super::action::Reason;
use super::observation::{Listener, Sight};
use super::situation::Situation;
use super::state::Bundle;

/// How far the listeners are with a target: what each does that does not fit it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The listeners that do not present the target alone, and what they do.
    missing: Vec<(Listener, Missing)>,
    /// Whether there is any listener at all.
    any: bool,
}

/// What a listener does instead of presenting the target alone.
#[derive(Clone, Debug)]
enum Missing {
    /// It presents something else, or no TLS: it says so.
    Shows(String),
    /// It does not say.
    Silent(String),
}

impl Progress {
    /// Whether every listener presents the target, and nothing else.
    pub(crate) fn is_complete(&self) -> bool {
        self.any && self.missing.is_empty()
    }

    /// Whether some listener was seen to present something else.
    pub(crate) fn shows_others(&self) -> bool {
        self.missing.iter().any(|(_, missing)| matches!(missing, Missing::Shows(_)))
    }

    /// What is waited for.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        let reason = |(listener, missing): &(Listener, Missing)| Reason::Listener {
            listener: listener.clone(),
            sight: match missing {
                Missing::Shows(text) => text.clone(),
                Missing::Silent(text) => format!("does not say what it presents: {text}"),
            },
        };
        let reasons = self.missing.iter().map(reason);
        reasons.chain((!self.any).then_some(Reason::NoListener)).collect()
    }

    /// What was seen, in one sentence.
    pub(crate) fn describe(&self) -> String {
        let shows = self.missing.iter().filter_map(|(listener, missing)| match missing {
            Missing::Shows(text) => Some(format!("{} {text}", listener.address)),
            Missing::Silent(_) => None,
        });
        let each: BTreeSet<String> = shows.collect();
        each.into_iter().collect::<Vec<_>>().join(", ")
    }
}

impl Situation<'_> {
    /// How far the listeners are with a target.
    pub(crate) fn progress(&self, target: &Bundle) -> Progress {
        let own = target.chain_ids();
        let families: BTreeSet<_> = target.credentials.keys().map(|t| t.family()).collect();
        let missing = self.seen.listeners.iter().filter_map(|(listener, sight)| {
            let missing = match sight {
                Sight::Presented(chains) => {
                    let other = chains.iter().find(|chain| !own.contains(&chain.0.id()))?;
                    Missing::Shows(format!("presents {}", self.describe_chain(&other.0.id())))
                }
                Sight::NotOffered if families.contains(&listener.family) => {
                    Missing::Shows(format!("presents no {} certificate", listener.family))
                }
                Sight::NotOffered => return None,
                Sight::NoTls { reason } => Missing::Shows(format!("offers no TLS ({reason})")),
                Sight::Silent { reason } => Missing::Silent(reason.clone()),
            };
            Some((listener.clone(), missing))
        });
        Progress { missing: missing.collect(), any: !self.seen.listeners.is_empty() }
    }
}
