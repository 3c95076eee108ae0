//! Certificates, obtained and revoked.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Credential, Remedy};
use crate::keys::PrivateKey;
use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyType};
use crate::time::Timestamp;

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

    /// The tables that come with the program and that they are from, each with its date.
    fn ca_tables(&self) -> Vec<String> {
        Vec::new()
    }

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

    /// Whether its certificates are for trials, and `present` is one that others than DANE clients may
    /// trust: nothing is ordered in place of that.
    fn is_trial_beside(&self, _present: &Chain) -> bool {
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

/// Whose failing it is that a certificate was not issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// The issuer's: another one might have issued.
    Issuer,
    /// Not the issuer's: the proof of a name, the DNS, this machine.
    Surroundings,
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
    /// Whose failing it is.
    pub blame: Blame,
}
