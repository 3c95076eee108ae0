//! Another ACME client as the issuer: certificates are not ordered, they arrive.
//!
//! `rollover hook` stages what the client obtained; this issuer hands out what is staged, under the
//! key that it came with. It asks nobody for anything, so the client keeps its account, its challenges
//! and its timer.

use std::sync::Arc;

use async_trait::async_trait;

use super::known::{self, BadAnchors};
use super::staging::{Staging, StagingError};
use super::verify;
use crate::config::{AnchorChoice, ExternalConfig};
use crate::keys::PrivateKey;
use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyType};
use crate::ports::{
    Blame, Clock, Credential, Delivery, IssueError, Issuer, Order, Remedy, Revocation,
};

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
    /// The shipped tables that they are from, each with its date.
    tables: Vec<String>,
    /// What was brought.
    staging: Staging,
    /// Today's date.
    clock: Arc<dyn Clock>,
}

impl External {
    /// The client behind the issuer `name`, for the host of these names, for which it stages there.
    ///
    /// # Errors
    ///
    /// Where a file of known anchors cannot be used.
    pub fn new(
        name: &str,
        config: &ExternalConfig,
        staging: Staging,
        names: &[DnsName],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssueError> {
        let anchors = known::read(&config.known_anchors)
            .map_err(|BadAnchors { path, reason }| Fault::Anchor { path, reason }.at(name))?;
        Ok(Self {
            name: name.to_owned(),
            names: names.to_vec(),
            trust_anchor: config.trust_anchor,
            known_anchors: anchors,
            tables: known::tables(&config.known_anchors),
            staging,
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
    #[error("cannot use the known anchor `{path}`: {reason}")]
    Anchor {
        /// The file.
        path: String,
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
            blame: Blame::Surroundings,
        }
    }
}

#[async_trait]
impl Issuer for External {
    fn known_anchors(&self) -> Vec<Certificate> {
        self.known_anchors.clone()
    }

    fn ca_tables(&self) -> Vec<String> {
        self.tables.clone()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::*;
    use crate::config::KnownAnchors;
    use crate::time::{Moment, Span, Timestamp};

    /// 2026-06-01T00:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_780_272_000);

    /// A clock that stands still.
    struct Still(Timestamp);

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> Moment {
            Moment { wall: self.0, boot: 1, uptime: Span::ZERO }
        }

        async fn sleep(&self, _span: Span) {}
    }

    /// A root, a CA below it, and a credential of that, valid through 2026.
    struct Family {
        root: Certificate,
        credential: Credential,
    }

    fn params(name: &str, is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 31);
        params.is_ca = is_ca;
        params
    }

    fn family() -> Family {
        let parse = |made: &rcgen::Certificate| Certificate::from_der(made.der()).unwrap();
        let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
        let (root_key, sub_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = params("Root", ca());
        let root_certificate = parse(&root.self_signed(&root_key).unwrap());
        let root = rcgen::Issuer::new(root, root_key);
        let sub = params("Sub", ca());
        let sub_certificate = parse(&sub.signed_by(&sub_key, &root).unwrap());
        let sub = rcgen::Issuer::new(sub, sub_key);
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        let mut leaf = params("leaf", IsCa::ExplicitNoCa);
        let name = "mail.example.nl".try_into().unwrap();
        leaf.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        let pair = KeyPair::from_pem(key.pem()).unwrap();
        let leaf = parse(&leaf.signed_by(&pair, &sub).unwrap());
        let chain = Chain::new(vec![leaf, sub_certificate]).unwrap();
        let credential = Credential { key_type: KeyType::EcdsaP256, chain, key };
        Family { root: root_certificate, credential }
    }

    fn names() -> [DnsName; 1] {
        ["mail.example.nl".parse().unwrap()]
    }

    fn external(state: &Path, config: &ExternalConfig, now: Timestamp) -> External {
        let staging = Staging::new(state, "mail.example.nl");
        External::new("certbot", config, staging, &names(), Arc::new(Still(now))).unwrap()
    }

    /// What is brought at `now`, as leaves.
    fn brought(issuer: &External) -> Vec<Chain> {
        issuer.brought().unwrap().credentials.into_iter().map(|c| c.chain).collect()
    }

    #[tokio::test]
    async fn what_is_staged_is_handed_out_under_its_own_key_while_it_is_valid() {
        let state = tempfile::tempdir().unwrap();
        let config =
            ExternalConfig { trust_anchor: AnchorChoice::IssuingCa, known_anchors: Vec::new() };
        let issuer = external(state.path(), &config, NOW);
        assert!(brought(&issuer).is_empty());
        let Credential { chain, key, .. } = family().credential;
        let staged = Credential { key_type: KeyType::EcdsaP256, chain: chain.clone(), key };
        issuer.staging.stage(&staged, &names(), NOW).unwrap();
        assert_eq!(brought(&issuer), std::slice::from_ref(&chain));
        let order =
            |key| Order { id: "unused".to_owned(), names: names().to_vec(), key, replaces: None };
        assert_eq!(issuer.issue(&order(staged.key.clone())).await, Ok(chain.clone()));
        assert_eq!(issuer.trust_anchor(&chain).as_ref(), chain.authorities().first());
        let other = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
        let refused = issuer.issue(&order(other)).await.unwrap_err();
        assert!(refused.message.starts_with("no staged certificate is for key"), "{refused}");

        let late = external(state.path(), &config, NOW + Span::from_seconds(300 * 86_400));
        assert!(brought(&late).is_empty(), "expired");
        let refused = late.issue(&order(staged.key.clone())).await.unwrap_err();
        assert!(refused.message.contains("expired"), "{refused}");

        issuer.give_up_brought().unwrap();
        assert!(brought(&issuer).is_empty());
    }

    /// A client sends no root; where that is what `2 1 1` names, it is sent along.
    #[tokio::test]
    async fn a_known_root_is_added_where_it_is_the_anchor() {
        let state = tempfile::tempdir().unwrap();
        let family = family();
        let file = state.path().join("root.pem");
        crate::durable::write_private(&file, family.root.to_pem().as_bytes()).unwrap();
        let config = ExternalConfig {
            trust_anchor: AnchorChoice::Root,
            known_anchors: vec![KnownAnchors::File(file)],
        };
        let issuer = external(state.path(), &config, NOW);
        issuer.staging.stage(&family.credential, &names(), NOW).unwrap();
        let chains = brought(&issuer);
        assert_eq!(chains[0].certificates().last(), Some(&family.root));
        assert_eq!(issuer.trust_anchor(&chains[0]).as_ref(), Some(&family.root));
    }
}
