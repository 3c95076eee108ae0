//! Who is told of trouble and of changes, until it has arrived.
//!
//! After a pass [`occasion`] tells what is worth a notice, [`outbox`] keeps each notice in the state
//! directory until every channel has taken it, and [`channel`] carries it: to a command, to a webhook,
//! to sendmail. A notice is on disk before anything is sent, and a channel that fails is tried again
//! in the next pass: it may arrive twice after a crash, and never not at all.

mod channel;
mod occasion;
mod outbox;

pub use channel::Channel;
pub use occasion::{Doing, News};
pub use outbox::{Outbox, OutboxError, Undelivered};

use serde::{Deserialize, Serialize};

/// What somebody is told, as JSON has it. Keys only ever get added within a version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notice {
    /// The version of this form.
    pub version: u32,
    /// The server.
    pub host: String,
    /// What kind of news it is.
    pub kind: Kind,
    /// When it was seen, as RFC 3339 has it.
    pub at: String,
    /// Since when it has been so.
    pub since: String,
    /// What happened, what it means, and what to do.
    pub text: String,
}

/// What kind of news a notice has.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something was done.
    Change,
    /// The trouble that was told of is over.
    Cleared,
    /// Somebody has to do something.
    Trouble,
}

impl Kind {
    /// The name in JSON and in file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Cleared => "cleared",
            Self::Trouble => "trouble",
        }
    }
}

impl Notice {
    /// The notice on one line: the subject of a mail.
    pub fn subject(&self) -> String {
        match self.kind {
            Kind::Change => format!("rollover: {} was changed", self.host),
            Kind::Cleared => format!("rollover: {} is well again", self.host),
            Kind::Trouble => format!("rollover: {} needs attention", self.host),
        }
    }
}
