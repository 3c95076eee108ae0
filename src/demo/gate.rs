//! The gate before the new certificate, as the decision sees it at any moment.
//!
//! What is asked is [`safety::obstacles`], the function that the decision itself asks; nothing here
//! works out a second time why something waits.

use crate::pass::HostPass;
use crate::rollover::history::{Content, Until};
use crate::rollover::safety;
use crate::rollover::state::HostState;
use crate::time::{Moment, Timestamp};
use crate::tlsa::TlsaRrset;

/// Where the gate before the new certificate stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Gate {
    /// There is no new certificate under way.
    Absent,
    /// Some RRset that does not fit may be served still, so that nobody knows until when.
    ShutUnseen(Vec<TlsaRrset>),
    /// Caches may hold an RRset that does not fit, until then.
    ShutUntil(Vec<TlsaRrset>, Timestamp),
    /// Everything that may be cached fits.
    Open,
    /// The new certificate may be presented.
    Passed,
}

impl Gate {
    /// Where it stands, by what is in the ledger.
    pub(super) fn of(pass: &HostPass, state: &HostState, now: &Moment) -> Self {
        let Some((id, target)) = state.target() else { return Self::Absent };
        if state.served.deployment.as_ref().is_some_and(|deployment| deployment.bundle == id) {
            return Self::Passed;
        }
        let spec = pass.spec();
        let chains = target.presentables(spec.known_anchors(&target.issuer));
        let obstacles = safety::obstacles(spec, state, &chains, now);
        let known = |content: &Content| match content {
            Content::Rrset(rrset) => Some(rrset.clone()),
            Content::Unknown { .. } => None,
        };
        let rrsets = obstacles.iter().filter_map(|obstacle| known(&obstacle.version.content));
        let rrsets: Vec<TlsaRrset> = rrsets.collect();
        match obstacles.iter().map(|obstacle| obstacle.until).max() {
            None => Self::Open,
            Some(Until::Unseen) => Self::ShutUnseen(rrsets),
            Some(Until::At(at)) => Self::ShutUntil(rrsets, at),
        }
    }

    /// Whether the new certificate is kept back.
    pub(super) fn is_shut(&self) -> bool {
        matches!(self, Self::ShutUnseen(_) | Self::ShutUntil(..))
    }
}
