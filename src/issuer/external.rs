//! Another ACME client as the issuer: certificates are not ordered, they arrive.
//!
//! `rollover hook` stages what the client obtained; this issuer hands out what is staged, under the
//! key that it came with. It asks nobody for anything, so the client keeps its account, its challenges
//! and its timer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::orders::certificates;
use super::staging::{Staging, StagingError};
use super::verify;
use crate::config::{AnchorChoice, ExternalConfig, HostConfig};
use crate::keys::PrivateKey;
use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyType};
use crate::ports::{Clock, Credential, Delivery, IssueError, Issuer, Order, Remedy, Revocation};

/// Another ACME client, as the issuer of one host.
pub struct External {
    /// Its name in the configuration.
    name: String,
    /// The host's names: what is staged must be valid for all of them.
    names: Vec<DnsName>,
    /// Which certificate of a chain `2 1 1` names.
    trust_anchor: AnchorChoice,
    /// CA certificates known beforehand.
    known_anchors: Vec<Certificate>,
    /// What was brought.
    staging: Staging,
    /// Today's date.
    clock: Arc<dyn Clock>,
}

impl External {
    /// The client behind the issuer `name`, for one host.
    ///
    /// # Errors
    ///
    /// Where a file of known anchors cannot be used.
    pub fn new(
        name: &str,
        config: &ExternalConfig,
        state_dir: &Path,
        host: &HostConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssueError> {
        let known: Result<Vec<Vec<Certificate>>, Fault> =
            config.known_anchors.iter().map(|path| read_anchors(path)).collect();
        Ok(Self {
            name: name.to_owned(),
            names: host.names.clone(),
            trust_anchor: config.trust_anchor,
            known_anchors: known.map_err(|fault| fault.at(name))?.concat(),
            staging: Staging::new(state_dir, &host.name),
            clock,
        })
    }

    /// What is staged of this key type and valid for the host now, as it will be presented.
    fn staged(&self, key_type: KeyType) -> Result<Option<Credential>, Fault> {
        let Some(found) = self.staging.credential(key_type)? else { return Ok(None) };
        let chain = match self.trust_anchor {
            AnchorChoice::IssuingCa => found.chain,
            AnchorChoice::Root => verify::with_root(found.chain, &self.known_anchors),
        };
        verify::judge(&chain, &found.key, &self.names, self.clock.now().wall)
            .map_err(StagingError::from)?;
        Ok(Some(Credential { chain, ..found }))
    }

    /// The staged chain for a key.
    fn chain_for(&self, order: &Order) -> Result<Chain, Fault> {
        let mut why = Fault::NotStaged { key: order.key.spki_sha256().short() };
        for key_type in KeyType::ALL {
            match self.staged(key_type) {
                Ok(Some(found)) if found.key.spki() == order.key.spki() => return Ok(found.chain),
                Ok(_) => {}
                Err(fault) => why = fault,
            }
        }
        Err(why)
    }

    /// What `found` holds, unless it cannot be used: that is for `status` and the log, and keeps
    /// nobody from the rest.
    fn usable<T>(&self, found: Result<Option<T>, impl std::fmt::Display>) -> Option<T> {
        found.unwrap_or_else(|error| {
            tracing::warn!(issuer = self.name, "what was brought is not used: {error}");
            None
        })
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// A CA certificate that is said to be known cannot be used.
    #[error("cannot use the known anchor `{}`: {reason}", path.display())]
    Anchor {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No staged certificate is for the key.
    #[error("no staged certificate is for key {key}")]
    NotStaged {
        /// The start of the key's digest.
        key: String,
    },
    /// What is staged cannot be used.
    #[error("{0}")]
    Staging(#[from] StagingError),
}

impl Fault {
    /// As what the port reports, for the issuer called `name`.
    fn at(self, name: &str) -> IssueError {
        IssueError {
            issuer: format!("{name} (external)"),
            message: self.to_string(),
            hint: match &self {
                Self::Anchor { .. } => "known-anchors must name CA certificates in PEM",
                Self::NotStaged { .. } => "let the ACME client call `rollover hook` again",
                Self::Staging(error) => error.hint(),
            }
            .to_owned(),
            remedy: match &self {
                Self::NotStaged { .. } => Remedy::RetryLater { not_before: None },
                Self::Anchor { .. } | Self::Staging(_) => Remedy::AskOperator,
            },
        }
    }
}

/// Reads CA certificates that are known beforehand.
fn read_anchors(path: &Path) -> Result<Vec<Certificate>, Fault> {
    let fault = |reason: String| Fault::Anchor { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let anchors = certificates(&text).map_err(fault)?;
    match anchors.is_empty() {
        true => Err(fault("it holds no certificate in PEM".to_owned())),
        false => Ok(anchors),
    }
}

#[async_trait]
impl Issuer for External {
    fn known_anchors(&self) -> Vec<Certificate> {
        self.known_anchors.clone()
    }

    async fn issue(&self, order: &Order) -> Result<Chain, IssueError> {
        self.chain_for(order).map_err(|fault| fault.at(&self.name))
    }

    fn trust_anchor(&self, chain: &Chain) -> Option<Certificate> {
        verify::trust_anchor(chain, self.trust_anchor)
    }

    fn brought(&self) -> Option<Delivery> {
        let credentials =
            KeyType::ALL.iter().filter_map(|key_type| self.usable(self.staged(*key_type)));
        let next_keys = KeyType::ALL.iter().filter_map(|key_type| {
            Some((*key_type, self.usable(self.staging.next_key(*key_type))?))
        });
        Some(Delivery { credentials: credentials.collect(), next_keys: next_keys.collect() })
    }

    fn give_up_brought(&self) -> Result<(), IssueError> {
        self.staging.give_up().map_err(|error| Fault::from(error).at(&self.name))
    }

    async fn revoke(
        &self,
        _certificate: &Certificate,
        _key: &PrivateKey,
    ) -> Result<Revocation, IssueError> {
        Ok(Revocation::ByOthers)
    }
}
