//! Where a rollover stands, in one word for people. Derived, never stored, never read by the
//! decision.

use std::fmt;

use super::action::{Action, Decision, Purpose, Reason};
use super::state::{HostState, Step};

/// The phases that `status` knows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Nothing is in flight.
    Idle,
    /// A certificate is being obtained.
    Issuing,
    /// The records that fit both are being published.
    Bridging,
    /// Caches have to let go of what does not fit.
    Waiting,
    /// The new chain is being put in place, or does not show everywhere yet.
    Deploying,
    /// The final records are being published, or caches let go of the former ones.
    Settling,
    /// Nothing goes on until somebody changes something.
    Held,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Issuing,
        Self::Bridging,
        Self::Waiting,
        Self::Deploying,
        Self::Settling,
        Self::Held,
    ];

    /// The name in `status --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Issuing => "issuing",
            Self::Bridging => "bridging",
            Self::Waiting => "waiting",
            Self::Deploying => "deploying",
            Self::Settling => "settling",
            Self::Held => "held",
        }
    }

    /// The phase in which `decision` was made.
    pub fn of(state: &HostState, decision: &Decision) -> Self {
        match decision {
            Decision::Stuck(_) => Self::Held,
            Decision::Idle { .. } => Self::Idle,
            Decision::Act(action) => Self::of_action(action),
            Decision::Wait(wait) => {
                let is = |wanted: fn(&Reason) -> bool| wait.reasons.iter().any(wanted);
                if is(|r| matches!(r, Reason::Retry { step: Step::Issue, .. })) {
                    return Self::Issuing;
                }
                if is(|r| matches!(r, Reason::NextPass { .. } | Reason::Retry { .. })) {
                    return Self::Held;
                }
                if is(|r| matches!(r, Reason::Listener { .. } | Reason::Draining { .. })) {
                    return Self::Deploying;
                }
                if Self::target_is_served(state) { Self::Settling } else { Self::Waiting }
            }
        }
    }

    /// The phase that an action belongs to.
    fn of_action(action: &Action) -> Self {
        match action {
            Action::Adopt { .. } | Action::MakeStandby { .. } | Action::Revoke(_) => Self::Idle,
            Action::Begin(_) | Action::Issue { .. } => Self::Issuing,
            Action::Publish { purpose: Purpose::Bridge | Purpose::Bar, .. } => Self::Bridging,
            Action::Publish { purpose: Purpose::Settle | Purpose::Mend, .. } | Action::Finish => {
                Self::Settling
            }
            Action::Deploy { .. } | Action::Repeat { .. } | Action::Restore { .. } => {
                Self::Deploying
            }
        }
    }

    /// Whether nothing but the target may be presented.
    fn target_is_served(state: &HostState) -> bool {
        let Some((_, target)) = state.target() else {
            return true;
        };
        let own = target.chain_ids();
        !own.is_empty()
            && state.served.presences.iter().all(|presence| own.contains(&presence.chain.id()))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
