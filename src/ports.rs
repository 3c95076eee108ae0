//! What a pass needs of the world, as traits: each says what must be true after it returned, and
//! after a crash in the middle of it.
//!
//! Adapters implement them at the edge (`dns`, `issuer`, `deploy`, `probe`, `ledger`, `clock`);
//! a simulated world can implement them as well. A failed action is something that happened, with
//! a [`Remedy`]; the pass acts on that, never on the text.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::keys::{KeyError, PrivateKey};
use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyType, Sha256Digest};
pub use crate::rollover::action::RrsetChange;
use crate::rollover::observation::{Listener, OwnerSight, Sight};
use crate::rollover::state::HostState;
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::{TlsaOwner, TlsaRrset};

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

/// The time, and waiting for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment by both clocks.
    fn now(&self) -> Moment;

    /// Returns after `span`, or a little later.
    async fn sleep(&self, span: Span);
}

/// Where private keys come from.
pub trait Keymaker: Send + Sync {
    /// Makes a new key. It is kept nowhere: a crash loses it, and nothing else.
    ///
    /// # Errors
    ///
    /// Where there is no randomness.
    fn make(&self, key_type: KeyType) -> Result<PrivateKey, KeyError>;
}

/// Looks at the DNS as the world sees it: every address of every authoritative server.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Asks every address of every name server of the zone that holds `owner` (after aliases), but
    /// for those ignored on purpose (by server name or address), and validates each answer.
    ///
    /// Never fails: what cannot be found out is part of the sight. `at_primary` is left to others.
    async fn look(&self, owner: &TlsaOwner, ignored: &[String]) -> OwnerSight;

    /// Whether every authoritative server of the zone of `name` serves `value` among the TXT
    /// records there. Servers that do not answer count as not serving it.
    async fn txt_is_everywhere(&self, name: &DnsName, value: &str, ignored: &[String]) -> bool;

    /// The zone that `name` is in: its closest enclosing SOA, found through the resolver.
    ///
    /// # Errors
    ///
    /// What was asked, whom, and what came back.
    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError>;

    /// What a name is an alias of in the end, as the resolver has it; itself where it is none.
    ///
    /// # Errors
    ///
    /// What was asked, whom, and what came back.
    async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError>;

    /// The addresses of a host, A and AAAA, in order.
    ///
    /// # Errors
    ///
    /// What was asked, whom, and what came back.
    async fn addresses(&self, name: &DnsName) -> Result<Vec<std::net::IpAddr>, LookupError>;
}

/// A look-up through the resolver failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot look up {what}: {reason}")]
pub struct LookupError {
    /// Name and type.
    pub what: String,
    /// The server asked and what it said.
    pub reason: String,
}

/// Changes zones at their primary.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// What the primary holds at `name` now, asked of it directly; an absent RRset where nothing.
    ///
    /// # Errors
    ///
    /// Where the primary did not answer, or not in a way that can be relied on.
    async fn read(&self, zone: &DnsName, name: &DnsName) -> Result<TlsaRrset, PublishError>;

    /// Makes all changes of one zone in one step, or none of them.
    ///
    /// `Ok` means that the primary took them, not that anybody serves them yet. Idempotent: an
    /// RRset that is as desired already is left as it is.
    ///
    /// # Errors
    ///
    /// After an error that is not [`PublishError::surely_without_effect`] the change may have been
    /// made, or may still be made until [`Publisher::longest_delay`] has passed.
    async fn replace(&self, zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError>;

    /// How long after `replace` was called its update may still be applied, whatever happened.
    fn longest_delay(&self) -> Span;

    /// What an operator should know of it before he relies on it, if anything.
    async fn caveat(&self) -> Option<String> {
        None
    }

    /// Says that nothing more is asked of it for now: what was started for it may end.
    async fn leave(&self) {}

    /// Adds `value` to the TXT records at `name`, an ACME challenge; others there are left alone.
    ///
    /// # Errors
    ///
    /// As for `replace`.
    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        ttl: Ttl,
    ) -> Result<(), PublishError>;

    /// Removes `value` from the TXT records at `name`; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// As for `replace`.
    async fn remove_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError>;
}

/// Why a zone could not be changed, or its primary not be read.
///
/// Each message names the server and the record; [`PublishError::hint`] says what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Somebody else changed an RRset after it was observed (NXRRSET, YXRRSET, NXDOMAIN, YXDOMAIN).
    #[error("{server} says that {what} is no longer as it was observed")]
    Conflict {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
    },
    /// The server said no.
    #[error("{server} refused to change {what}: {rcode}")]
    Refused {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
        /// Its response code, by name.
        rcode: String,
    },
    /// There is an alias where records should be, and none that could be followed: a wildcard's, or
    /// one that the zone's name servers do not have yet.
    #[error(
        "{server} has an alias at {what} that is not followed: it comes from a wildcard, or not \
         every name server has it"
    )]
    Alias {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
    },
    /// The server does not know the TSIG key (BADKEY).
    #[error("{server} does not know the TSIG key `{key}`")]
    BadKey {
        /// The server asked.
        server: String,
        /// The key's name.
        key: String,
    },
    /// The server holds another secret under this key's name, or another algorithm (BADSIG).
    #[error("{server} does not accept the signature of the TSIG key `{key}`")]
    BadSignature {
        /// The server asked.
        server: String,
        /// The key's name.
        key: String,
    },
    /// The clocks are too far apart (BADTIME).
    #[error("the clocks of {server} and of this machine are more than {fudge} apart")]
    BadTime {
        /// The server asked.
        server: String,
        /// What TSIG allows.
        fudge: Span,
    },
    /// An answer came that the key did not sign: it proves nothing.
    #[error("{server} answered about {what} without a valid signature: {reason}")]
    Unauthenticated {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
        /// What was wrong with it.
        reason: String,
    },
    /// No connection could be made: nothing was asked.
    #[error("{server} cannot be reached, and was not asked about {what}: {reason}")]
    Unreachable {
        /// The server.
        server: String,
        /// The records concerned.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// No answer came; the change may have been made.
    #[error("{server} did not answer about {what}: {reason}")]
    Unanswered {
        /// The server asked.
        server: String,
        /// The records concerned.
        what: String,
        /// What happened.
        reason: String,
    },
    /// A provider said no, in words of its own.
    #[error("{server} declined to change {what}: {reason}")]
    Declined {
        /// The provider.
        server: String,
        /// What was to be read or changed.
        what: String,
        /// What it said.
        reason: String,
    },
    /// The change cannot be expressed: a name outside the zone, a message too long.
    #[error("cannot ask {server} to change {what}: {reason}")]
    Inexpressible {
        /// The server that would have been asked.
        server: String,
        /// The records concerned.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl PublishError {
    /// What has to happen before another try can make sense.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Conflict { .. } => Remedy::LookAgain,
            Self::Unanswered { .. } | Self::Unreachable { .. } => {
                Remedy::RetryLater { not_before: None }
            }
            Self::Refused { .. }
            | Self::Alias { .. }
            | Self::BadKey { .. }
            | Self::BadSignature { .. }
            | Self::BadTime { .. }
            | Self::Unauthenticated { .. }
            | Self::Declined { .. }
            | Self::Inexpressible { .. } => Remedy::AskOperator,
        }
    }

    /// Whether it is certain that nothing was changed, and that nothing will be.
    pub fn surely_without_effect(&self) -> bool {
        !matches!(
            self,
            Self::Declined { .. } | Self::Unanswered { .. } | Self::Unauthenticated { .. }
        )
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "nothing to do: the next pass looks again and decides anew",
            Self::Refused { .. } => {
                "allow this key to change these records in the server's configuration (BIND: \
                 update-policy) and check that the server is primary for the zone"
            }
            Self::Alias { .. } => {
                "put an alias at the owner itself, or the records: what a wildcard gives would be \
                 half-overridden by a change"
            }
            Self::BadKey { .. } => {
                "put the key's stanza into the server's configuration, or correct tsig-key-file"
            }
            Self::BadSignature { .. } => {
                "make algorithm and secret the same in the server's configuration and tsig-key-file"
            }
            Self::BadTime { .. } => "set both clocks by NTP",
            Self::Unauthenticated { .. } => {
                "check the server's log, and what stands between it and this machine"
            }
            Self::Unanswered { .. } | Self::Unreachable { .. } => {
                "check that the server runs and can be reached on TCP port 53; the change is tried \
                 again"
            }
            Self::Declined { .. } => {
                "the reason is the provider's: correct its settings, its credentials or the zone"
            }
            Self::Inexpressible { .. } => "check `zone` and the hosts' names in the configuration",
        }
    }
}

/// What a certificate is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// What tells this order from another, for ever: a file name of lower-case letters, digits and
    /// hyphens. The same order asked for again is resumed, never placed twice.
    pub id: String,
    /// The subject alternative names; the first is the host's own.
    pub names: Vec<DnsName>,
    /// The key that the certificate is for.
    pub key: PrivateKey,
    /// The certificate that it takes the place of, where it does.
    pub replaces: Option<Certificate>,
}

/// Whether a CA may be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Only what it said before counts.
    Nobody,
    /// It may be asked again, where it is time to.
    WhereDue,
}

/// Obtains certificates.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// The certificates of which one will be the trust anchor of what is issued, where that is
    /// known beforehand; empty where only an issued chain tells.
    fn known_anchors(&self) -> Vec<Certificate>;

    /// Obtains a certificate. The chain is complete up to the trust anchor that `2 1 1` names.
    ///
    /// Each step is stored before it is taken: called again with the same order after a crash, it
    /// goes on where it was.
    ///
    /// # Errors
    ///
    /// With what the CA said, and when to come again.
    async fn issue(&self, order: &Order) -> Result<Chain, IssueError>;

    /// The trust anchor of a chain of this issuer's: the certificate that a `2 1 1` record names.
    /// `None` where the chain does not hold it.
    fn trust_anchor(&self, chain: &Chain) -> Option<Certificate>;

    /// Whether its certificates are for trials, so that nobody trusts its roots.
    fn is_for_trials(&self) -> bool {
        false
    }

    /// The moment at which the issuer wants this certificate of its own replaced (ARI, RFC 9773), where
    /// it says so. Never fails: an issuer that cannot be asked advises what it advised before.
    async fn advised(&self, _certificate: &Certificate, _ask: Ask) -> Option<Timestamp> {
        None
    }

    /// What another ACME client has brought for the host and is valid for it now, where this issuer
    /// takes what others obtain; `None` where certificates are ordered from it.
    fn brought(&self) -> Option<Delivery> {
        None
    }

    /// Puts away what was brought: the operator has given it up. It comes back when it is brought
    /// again.
    ///
    /// # Errors
    ///
    /// Where it could not be put away; it is still there then.
    fn give_up_brought(&self) -> Result<(), IssueError> {
        Ok(())
    }

    /// Revokes a certificate with reason keyCompromise (RFC 5280, section 5.3.1). One that is
    /// revoked already is no error.
    ///
    /// # Errors
    ///
    /// With what the CA said.
    async fn revoke(
        &self,
        certificate: &Certificate,
        key: &PrivateKey,
    ) -> Result<Revocation, IssueError>;
}

/// What became of a certificate that was to be revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// The CA says to everybody who asks that it is revoked.
    Revoked,
    /// The CA publishes no revocations. Nothing more is to be done: DANE clients ask for none, and
    /// the records that named the key or the CA are barred.
    NotOffered,
    /// Whoever obtained it has to revoke it: the account at the CA is theirs.
    ByOthers,
}

/// What another ACME client has brought for a host.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The certificates with their keys; at most one of each key type.
    pub credentials: Vec<Credential>,
    /// The keys that the client has prepared for its next certificates.
    pub next_keys: BTreeMap<KeyType, PrivateKey>,
}

/// Why a certificate was not issued.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{issuer}: {message}")]
pub struct IssueError {
    /// The issuer's name in the configuration, and where it was asked.
    pub issuer: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// What has to happen before another try can make sense.
    pub remedy: Remedy,
}

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
    /// Some of several machines could not be prepared, so that none was changed.
    #[error("{reason}")]
    NotBegun {
        /// Which, and why.
        reason: String,
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

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } | Self::Write { .. } | Self::Content { .. } => {
                "mend what the message names; the next pass tries again"
            }
            Self::NoPlace { .. } => "name a file for each of `key-types`",
            Self::Reload { .. } => "mend the command or the mail server; the next pass tries again",
            Self::Machines { .. } | Self::NotBegun { .. } => {
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

/// One line of a host's history: what was seen, what followed from it, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What was seen, shortened; empty where it was as before.
    pub observation: String,
    /// What followed from it: an action, or what is waited for and why.
    pub decision: String,
    /// What was done, with its particulars; empty where nothing was.
    pub action: String,
    /// What came of it; empty in the line that is written before the act.
    pub result: String,
}

/// Keeps what cannot be looked up again, private keys among it.
///
/// Its methods block for the time of a disk write. Whoever changes anything holds its lock, which
/// is another matter.
pub trait Ledger: Send + Sync {
    /// What is held of a host; a host never heard of has the state of first sight.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read, or what it holds makes no sense: nothing is guessed.
    fn load(&self, host: &str) -> Result<HostState, LedgerError>;

    /// Replaces what is held of a host and adds events to its history, both or neither, and returns
    /// once they would survive a loss of power.
    ///
    /// # Errors
    ///
    /// Where it could not be written; then nothing of it was.
    fn save(&self, host: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError>;

    /// The history of a host, oldest first; at most the last `limit` events.
    ///
    /// # Errors
    ///
    /// Where the ledger cannot be read.
    fn history(&self, host: &str, limit: usize) -> Result<Vec<Event>, LedgerError>;

    /// Keeps a private key, under the digest of its public half, and returns once it would survive
    /// a loss of power.
    ///
    /// # Errors
    ///
    /// Where it could not be written.
    fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError>;

    /// The private key for this SubjectPublicKeyInfo digest.
    ///
    /// # Errors
    ///
    /// Where it is not kept, or cannot be read.
    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError>;
}

/// The ledger cannot be read or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct LedgerError {
    /// What happened, to which file.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Looks at what listeners present.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Connects several times, with the owner's base domain as SNI and without, and offers only
    /// signatures of the listener's family.
    ///
    /// Never fails: what cannot be found out is part of the sight.
    async fn look(&self, listener: &Listener, protocol: Protocol) -> Sight;
}

/// What is spoken on a port before, or instead of, TLS.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// SMTP with STARTTLS (RFC 3207).
    Smtp,
    /// IMAP with STARTTLS (RFC 9051, section 6.2.1).
    Imap,
    /// POP3 with STLS (RFC 2595, section 4).
    Pop3,
    /// TLS from the first octet.
    Tls,
}

impl Protocol {
    /// What is spoken on a well-known port; `None` for others.
    pub fn of_port(port: u16) -> Option<Self> {
        match port {
            25 | 587 => Some(Self::Smtp),
            465 | 993 | 995 | 443 => Some(Self::Tls),
            143 => Some(Self::Imap),
            110 => Some(Self::Pop3),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Tls => "tls",
        })
    }
}
