//! Certificates and keys, put where a mail server reads them.

use std::io;

use async_trait::async_trait;

use crate::keys::PrivateKey;
use crate::pki::{Chain, KeyType};

/// A certificate chain and the key that goes with it, of one key type.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The key's type.
    pub key_type: KeyType,
    /// The chain, as it shall be sent.
    pub chain: Chain,
    /// Its key.
    pub key: PrivateKey,
}

/// Puts credentials where the mail server reads them.
#[async_trait]
pub trait Deployer: Send + Sync {
    /// What the mail server's files hold now: one credential per file that holds one.
    ///
    /// # Errors
    ///
    /// Where a file exists and cannot be read as key and chain;
    /// [`DeployError::NothingToRead`] where this deployer never reads anything back.
    async fn current(&self) -> Result<Vec<Credential>, DeployError>;

    /// Replaces what the mail server reads, and makes it read it.
    ///
    /// After `Ok` the new files would survive a crash, and the reload command exited 0. That a
    /// listener *presents* the chain is not claimed: the probe looks. After an error or a crash any
    /// of the old and the new files may be in place, each whole.
    ///
    /// # Errors
    ///
    /// With the path or the command concerned, and its output.
    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError>;
}

/// What a deployment left behind for the record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Deployed {
    /// What the reload command printed, shortened.
    pub output: String,
}

/// Why credentials could not be deployed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {reason}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A file could not be replaced.
    #[error("{reason}")]
    Write {
        /// What was tried, with which file, and what the system said.
        reason: String,
        /// What kind of failure of the system's it was.
        kind: io::ErrorKind,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold a key and its chain: {reason}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration names no file for a credential.
    #[error("there is no chain-file for the key type {key_type}")]
    NoPlace {
        /// The credential's key type.
        key_type: KeyType,
    },
    /// The reload command could not be run, or failed.
    #[error("`{command}` {what}{output}")]
    Reload {
        /// The command, as in the configuration.
        command: String,
        /// How it ended.
        what: String,
        /// What it printed, each line indented, with a line break before it; or nothing.
        output: String,
    },
    /// Other machines could not be read, or not be changed and were led back.
    #[error("{reason}")]
    Machines {
        /// Which, and why; and what became of the others.
        reason: String,
    },
    /// A file or a machine could not be prepared, so that nothing was changed anywhere.
    #[error("{reason}")]
    NotBegun {
        /// Which, and why.
        reason: String,
        /// What the operator can do about it.
        hint: &'static str,
    },
    /// What is in place cannot be read back: the configuration names no way.
    #[error("what is in place cannot be read back")]
    NothingToRead,
}

impl DeployError {
    /// Whether it is certain that nothing was changed anywhere.
    pub fn surely_without_effect(&self) -> bool {
        matches!(self, Self::NotBegun { .. })
    }

    /// The same failure, where it came before anything was changed.
    pub fn before_any_change(self) -> Self {
        Self::NotBegun { reason: self.to_string(), hint: self.hint() }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Write {
                kind: io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, ..
            } => "free some space on the disk of that file; the next pass tries again",
            Self::File { .. } | Self::Write { .. } | Self::Content { .. } => {
                "mend what the message names; the next pass tries again"
            }
            Self::NotBegun { hint, .. } => hint,
            Self::NoPlace { .. } => "name a file for each of `key-types`",
            Self::Reload { .. } => "mend the command or the mail server; the next pass tries again",
            Self::Machines { .. } => {
                "see that `ssh -o BatchMode=yes MACHINE true` works for the user that runs \
                 rollover, and what the message says of the machine; one that is gone for good is \
                 taken out of `machines`. The next pass tries again"
            }
            Self::NothingToRead => {
                "name a `read-command`, or let every address present the certificate"
            }
        }
    }
}
