//! A CA that is asked by ACME (RFC 8555), with proof by DNS (dns-01) or HTTP (http-01).
//!
//! ```text
//! account key stored → account → order placed → proofs left → proofs asked for → finalized → chain
//!                      (stored)    (stored)      (stored)                        (stored)   (stored)
//! ```
//!
//! Every step is preceded by a look at the order where it stands: at the CA. So a crash, a lost
//! answer and a refused nonce are all mended the same way, by looking again; what is on disk only
//! says which order to look at, and what has to be cleaned up.
//!
//! instant-acme is named below this module alone.

mod account;
mod advice;
mod blame;
mod challenge;
mod errand;
mod failure;
mod http;
mod http_proof;
mod jws;
mod key_change;
mod patience;
mod recent;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use instant_acme::{RevocationReason, RevocationRequest};
use rustls_pki_types::CertificateDer;

use self::account::Accounts;
use self::advice::Advices;
use self::errand::Errand;
use self::failure::{Cause, Failure};
pub use self::http_proof::Listeners;
pub use self::key_change::{AccountView, AcmeAccount};
use self::patience::Patience;
use self::recent::Recent;
use super::known::{self, BadAnchors};
use super::orders::OrderBook;
use super::verify;
use crate::config::{AcmeConfig, AnchorChoice, ProofConfig};
use crate::keys::PrivateKey;
use crate::pki::{Certificate, Chain};
use crate::ports::{Ask, Clock, Dns, IssueError, Issuer, Order, Publisher, Revocation};
use crate::time::{Span, Timestamp};

/// A CA that is asked by ACME.
pub struct Acme {
    /// Its name in the configuration, and the host of its directory.
    title: String,
    /// The account there, and the connection.
    accounts: Accounts,
    /// The directory's URL.
    directory: String,
    /// How control over names is proved.
    proof: ProofConfig,
    /// The profile of certificates, where it is not the CA's default.
    profile: Option<String>,
    /// The common name that leads to the preferred chain.
    preferred_chain: Option<String>,
    /// Which certificate of a chain is the trust anchor.
    anchor: AnchorChoice,
    /// CA certificates known beforehand.
    known: Vec<Certificate>,
    /// The shipped tables that they are from, each with its date.
    tables: Vec<String>,
    /// What the CA advises about renewals.
    advices: Advices,
    /// What is kept of orders.
    orders: OrderBook,
    /// Where it has looked for proofs in this process.
    recent: Recent,
    /// What it works with.
    around: Surroundings,
    /// How long things may take.
    limits: Limits,
}

/// What an ACME issuer works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where account, orders and chains are kept.
    pub state_dir: PathBuf,
    /// Puts the answers to challenges into the DNS.
    pub publisher: Arc<dyn Publisher>,
    /// Tells whether every name server serves them.
    pub dns: Arc<dyn Dns>,
    /// Name servers left out of that, by name or address.
    pub ignored_name_servers: Vec<String>,
    /// Who answers by HTTP; one for all issuers of a process.
    pub listeners: Listeners,
    /// The time, and waiting.
    pub clock: Arc<dyn Clock>,
}

/// How long an ACME server and the name servers are waited for, within one pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// For one exchange over HTTPS, connection included.
    pub exchange: Span,
    /// How often a step that failed in passing is tried, the first try included.
    pub tries: u32,
    /// For a TXT record to be at every name server.
    pub propagation: Span,
    /// For the CA to decide over proofs, and again to issue.
    pub decision: Span,
    /// The first pause between two looks at what takes its time; later ones are longer.
    pub look: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exchange: Span::from_seconds(30),
            tries: 3,
            propagation: Span::from_seconds(120),
            decision: Span::from_seconds(120),
            look: Span::from_millis(250),
        }
    }
}

impl Acme {
    /// The issuer called `name`. Asks nobody yet.
    ///
    /// # Errors
    ///
    /// Where a CA certificate that the configuration names cannot be read.
    pub fn new(
        name: &str,
        config: &AcmeConfig,
        around: Surroundings,
        limits: Limits,
    ) -> Result<Self, IssueError> {
        let title = title(name, config);
        let known = known::read(&config.known_anchors).map_err(|BadAnchors { path, reason }| {
            let failed = Failure::of("read the known anchors");
            explain(&title, &failed(Cause::File { path, reason }))
        })?;
        Ok(Self {
            accounts: Accounts::new(
                name,
                config,
                &around.state_dir,
                around.clock.clone(),
                limits.exchange,
            ),
            directory: config.directory_url.clone(),
            proof: config.proof.clone(),
            profile: config.profile.clone(),
            preferred_chain: config.preferred_chain.clone(),
            anchor: config.trust_anchor,
            advices: Advices::new(&around.state_dir, &config.directory_url),
            orders: OrderBook::new(&around.state_dir),
            recent: Recent::default(),
            title,
            tables: known::tables(&config.known_anchors),
            known,
            around,
            limits,
        })
    }

    /// The chain of `order`: the one on disk, or a new one.
    async fn obtain(&self, order: &Order) -> Result<Chain, Failure> {
        let mut errand = Errand::begin(self, order)?;
        let kept = self.orders.chain(&order.id).map_err(Failure::of("read the issued chain"))?;
        let outcome = match kept {
            Some(chain) => errand.judge(&chain).map(|()| chain),
            None => errand.walk().await,
        };
        errand.clean().await;
        if outcome.is_err() {
            self.accounts.close().await;
        }
        outcome
    }

    /// Asks the CA to revoke a certificate.
    async fn ask_to_revoke(&self, certificate: &Certificate) -> Result<(), Failure> {
        let doing = || format!("revoke the certificate with serial {}", certificate.serial());
        let session = self.accounts.open().await?;
        let der = CertificateDer::from(certificate.der());
        let request =
            RevocationRequest { certificate: &der, reason: Some(RevocationReason::KeyCompromise) };
        let answer = session.account.revoke(&request).await;
        match answer.map_err(Failure::of(doing())) {
            Err(failure) if failure.kind() == "alreadyRevoked" => Ok(()),
            other => other,
        }
    }
}

#[async_trait]
impl Issuer for Acme {
    fn known_anchors(&self) -> Vec<Certificate> {
        self.known.clone()
    }

    fn ca_tables(&self) -> Vec<String> {
        self.tables.clone()
    }

    async fn issue(&self, order: &Order) -> Result<Chain, IssueError> {
        let outcome = self.obtain(order).await;
        outcome.map_err(|failure| explain(&self.title, &failure))
    }

    fn trust_anchor(&self, chain: &Chain) -> Option<Certificate> {
        verify::trust_anchor(chain, self.anchor)
    }

    /// CAs have no way to say so; those that have such a server name it "staging" in its URL.
    fn is_trial_beside(&self, present: &Chain) -> bool {
        self.directory.to_ascii_lowercase().contains("staging") && verify::is_public(present)
    }

    async fn advised(&self, certificate: &Certificate, ask: Ask) -> Option<Timestamp> {
        let now = self.around.clock.now().wall;
        if ask == Ask::WhereDue && self.advices.is_due(certificate, now) {
            match self.accounts.transport() {
                Ok(transport) => self.advices.ask(certificate, &transport, now).await,
                Err(failure) => tracing::info!("{failure}"),
            }
        }
        self.advices.kept(certificate)
    }

    /// Signed by the account, which the CA knows to have ordered the certificate.
    async fn revoke(
        &self,
        certificate: &Certificate,
        _key: &PrivateKey,
    ) -> Result<Revocation, IssueError> {
        let mut patience = Patience::new(self.limits);
        loop {
            let Err(failure) = self.ask_to_revoke(certificate).await else {
                return Ok(Revocation::Revoked);
            };
            match patience.endure(failure) {
                Ok(pause) => self.around.clock.sleep(pause).await,
                Err(failure) => {
                    self.accounts.close().await;
                    return Err(explain(&self.title, &failure));
                }
            }
        }
    }
}

/// A failure as what the port reports.
fn explain(title: &str, failure: &Failure) -> IssueError {
    IssueError {
        issuer: title.to_owned(),
        message: failure.to_string(),
        hint: failure.hint().to_owned(),
        remedy: failure.remedy(),
        blame: failure.blame(),
    }
}

/// An issuer's name in the configuration, and the host of its directory.
fn title(name: &str, config: &AcmeConfig) -> String {
    format!("{name} ({})", host(&config.directory_url))
}

/// The host of a URL, with its port; the whole text where it has none.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
