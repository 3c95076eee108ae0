//! What a pass needs of the world, as traits: each says what must be true after it returned, and
//! after a crash in the middle of it.
//!
//! Adapters implement them at the edge (`dns`, `issuer`, `deploy`, `probe`, `ledger`, `clock`);
//! a simulated world can implement them as well. A failed action is something that happened, with
//! a [`Remedy`]; the pass acts on that, never on the text.

mod clock;
mod deployer;
mod dns;
mod issuer;
mod ledger;
mod probe;
mod publisher;

pub use clock::{Clock, Keymaker};
pub use deployer::{Credential, DeployError, Deployed, Deployer};
pub use dns::{Dns, LookupError};
pub use issuer::{Ask, Blame, Delivery, IssueError, Issuer, Order, Revocation};
pub use ledger::{Event, Ledger, LedgerError};
pub use probe::{Probe, Protocol};
pub use publisher::{HeldRrset, PublishError, Publisher};

pub use crate::rollover::action::RrsetChange;
use crate::time::Span;

/// What has to happen before another try can make sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Remedy {
    /// The world is not as it was observed: look and decide anew, at once.
    LookAgain,
    /// The same may work later, by itself; not before this span, where the other side named one.
    RetryLater {
        /// What the other side asked for (Retry-After).
        not_before: Option<Span>,
    },
    /// It will fail again until somebody changes something.
    AskOperator,
}
