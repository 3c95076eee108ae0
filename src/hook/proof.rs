//! Proofs of control over names (dns-01) on behalf of another client.
//!
//! The record goes through the provider of the host that has the name, so that the client needs no
//! key to the zone of its own; and the hook returns when every name server serves it, since the CA may
//! ask any of them.

use std::sync::Arc;

use super::call::{Challenge, Operation};
use crate::name::DnsName;
use crate::ports::{Clock, Dns, LookupError, PublishError, Publisher};
use crate::time::{Span, Ttl};

/// The TTL of a proof. It is looked up once.
const TTL: Ttl = Ttl::from_seconds(1);

/// How long name servers may take to serve it. Clients end hooks that take longer than a few minutes.
const PROPAGATION: Span = Span::from_seconds(90);

/// How often they are asked.
const PAUSE: Span = Span::from_millis(500);

/// Publishes proofs and removes them.
pub struct Prover {
    /// The view of the DNS.
    pub dns: Arc<dyn Dns>,
    /// The primary of the zone.
    pub publisher: Arc<dyn Publisher>,
    /// Name servers that are left out, by name or address.
    pub ignored_name_servers: Vec<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why a proof is not as the client wants it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The zone was not found.
    #[error("cannot find the zone of {owner}: {source}")]
    Zone {
        /// The record's name.
        owner: DnsName,
        /// What failed.
        source: LookupError,
    },
    /// The zone was not changed.
    #[error("{0}")]
    Publish(#[from] PublishError),
    /// Some name server does not serve it.
    #[error(
        "the TXT record at {owner} was published, but after {PROPAGATION} not every name server of \
         {zone} serves it"
    )]
    NotEverywhere {
        /// The record's name.
        owner: DnsName,
        /// Its zone.
        zone: DnsName,
    },
}

impl ProofError {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Zone { .. } => "see that the resolver answers, and that the name is right",
            Self::Publish(error) => error.hint(),
            Self::NotEverywhere { .. } => {
                "mend the name server that lags or does not answer; `dig TXT` at each of them shows \
                 which"
            }
        }
    }
}

impl Prover {
    /// Publishes a proof until every name server serves it, or removes it.
    ///
    /// # Errors
    ///
    /// Where the CA would not find it, or it is still there.
    pub async fn serve(&self, challenge: &Challenge) -> Result<(), ProofError> {
        let Challenge { operation, owner, value, .. } = challenge;
        let lost = |source| ProofError::Zone { owner: owner.clone(), source };
        let owner = &self.dns.canonical(owner).await.map_err(lost)?;
        let zone = self.dns.zone_of(owner).await;
        let zone = zone.map_err(|source| ProofError::Zone { owner: owner.clone(), source })?;
        let remove = match operation {
            Operation::Present => false,
            Operation::Remove => true,
        };
        if remove {
            let removed = self.publisher.remove_txt(&zone, owner, value).await;
            self.publisher.leave().await;
            return Ok(removed?);
        }
        let added = self.publisher.add_txt(&zone, owner, value, TTL).await;
        self.publisher.leave().await;
        added?;
        let start = self.clock.now();
        let ignored = &self.ignored_name_servers;
        while !self.dns.txt_is_everywhere(owner, value, ignored).await {
            if PROPAGATION < self.clock.now().elapsed_since(&start) {
                return Err(ProofError::NotEverywhere { owner: owner.clone(), zone });
            }
            self.clock.sleep(PAUSE).await;
        }
        Ok(())
    }
}
