//! A CA whose key is at hand: certificates are signed here, and nobody else is asked.
//!
//! What goes into a certificate is decided here alone. There is no certificate request, so nobody
//! can ask for the CA bit or for an extension; and what the library would choose by itself (a
//! serial that repeats with the key, dates of two thousand years) is set.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::explain::with_sources;
use super::orders::{OrderBook, OrderBookError, certificates};
use super::verify::{self, ChainFault};
use crate::config::{AnchorChoice, OwnCaConfig};
use crate::keys::PrivateKey;
use crate::name::DnsName;
use crate::pki::{Certificate, Chain};
use crate::ports::{Blame, Clock, IssueError, Issuer, Order, Remedy, Revocation};
use crate::secret::{self, SecretError};
use crate::time::{Span, Timestamp};

/// How far the first moment of validity is set back: clocks of senders may be behind.
const BACKDATED: Span = Span::from_seconds(300);

/// The longest common name (RFC 5280, appendix A.1, ub-common-name). A longer host name stands in
/// the subject alternative name alone, where clients look anyway.
const COMMON_NAME_LONGEST: usize = 64;

/// A CA whose key is at hand.
pub struct OwnCa {
    /// Its name in the configuration.
    name: String,
    /// The CA's own certificate, and those above it that the file holds.
    authorities: Vec<Certificate>,
    /// What signs.
    signer: rcgen::Issuer<'static, KeyPair>,
    /// How long certificates are valid.
    validity: Span,
    /// What was issued already.
    orders: OrderBook,
    /// Today's date.
    clock: Arc<dyn Clock>,
}

impl OwnCa {
    /// Reads the CA's certificate and key, and makes sure that they belong together.
    ///
    /// The dates of the CA's certificate are looked at when something is issued, not here: an
    /// expired CA must not keep anybody from looking at what it issued.
    ///
    /// # Errors
    ///
    /// With the file concerned, and what to do about it.
    pub fn new(
        name: &str,
        config: &OwnCaConfig,
        state_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssueError> {
        let opened = || {
            let authorities = read_authorities(&config.certificate_file)?;
            let signer = read_signer(config, &authorities[0])?;
            Ok((authorities, signer))
        };
        let (authorities, signer) = opened().map_err(|fault: Fault| fault.at(name))?;
        Ok(Self {
            name: name.to_owned(),
            authorities,
            signer,
            validity: config.validity,
            orders: OrderBook::new(state_dir),
            clock,
        })
    }

    /// Signs a certificate for `order`, or finds the one that was signed for it.
    fn obtain(&self, order: &Order) -> Result<Chain, Fault> {
        let now = self.clock.now().wall;
        if let Some(chain) = self.orders.chain(&order.id)? {
            verify::judge(&chain, &order.key, &order.names, now)?;
            return Ok(chain);
        }
        let chain = self.sign(order, now)?;
        // Judged before it is kept: name constraints of the CA, for one, are not in our hands.
        verify::judge(&chain, &order.key, &order.names, now)?;
        self.orders.keep_chain(&order.id, &chain)?;
        Ok(chain)
    }

    /// Signs a certificate for `order`.
    fn sign(&self, order: &Order, now: Timestamp) -> Result<Chain, Fault> {
        let failed = |reason: String| Fault::Sign { reason };
        let ca = &self.authorities[0];
        let mut params = profile(order).map_err(|e| failed(e.to_string()))?;
        let (not_before, not_after) = self.dates(ca, now)?;
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + after_epoch(not_before);
        params.not_after = epoch + after_epoch(not_after);
        params.serial_number = Some(random_serial().map_err(failed)?);

        let public = rcgen::SubjectPublicKeyInfo::from_der(order.key.spki())
            .map_err(|e| failed(e.to_string()))?;
        let signed = params.signed_by(&public, &self.signer).map_err(|e| failed(e.to_string()))?;
        let leaf = Certificate::from_der(signed.der()).map_err(|e| failed(e.to_string()))?;
        let mut certificates = vec![leaf];
        certificates.extend(self.authorities.iter().cloned());
        Chain::new(certificates).ok_or_else(|| failed("the chain is empty".to_owned()))
    }

    /// The dates of a certificate that `ca` signs now: never outside its own.
    fn dates(&self, ca: &Certificate, now: Timestamp) -> Result<(Timestamp, Timestamp), Fault> {
        if now < ca.not_before() || ca.not_after() <= now {
            return Err(Fault::CaNotValid {
                subject: ca.subject().to_owned(),
                from: ca.not_before(),
                until: ca.not_after(),
                now,
            });
        }
        let not_after = now + self.validity;
        if ca.not_after() < not_after {
            tracing::warn!(
                issuer = self.name,
                "the CA's certificate expires at {}, so the new certificate is valid until then, \
                 not until {not_after}",
                ca.not_after()
            );
        }
        Ok(((now - BACKDATED).max(ca.not_before()), not_after.min(ca.not_after())))
    }
}

/// Names, usages and identifiers of a certificate for `order`.
fn profile(order: &Order) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let common_name = order.names.first().map(DnsName::as_str);
    if let Some(name) = common_name.filter(|name| name.len() <= COMMON_NAME_LONGEST) {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    for name in &order.names {
        let name = name.as_str().try_into()?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    // `NoCa` would leave out both the basic constraints and the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if is_rsa(&order.key) {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// Whether a key is one of RSA, which TLS 1.2 may use to encipher.
fn is_rsa(key: &PrivateKey) -> bool {
    SubjectPublicKeyInfo::from_der(key.spki())
        .is_ok_and(|(_, public)| matches!(public.parsed(), Ok(PublicKey::RSA(_))))
}

/// 16 random octets as a positive number (RFC 5280, section 4.1.2.2): the same key certified twice
/// must not get the same serial.
fn random_serial() -> Result<SerialNumber, String> {
    let mut octets = [0; 16];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut octets)
        .map_err(|_| "the system has no randomness to give".to_owned())?;
    // Not negative, and always of the same length.
    octets[0] = octets[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&octets))
}

/// How long after 1970 a moment is, to the second, as the library counts.
fn after_epoch(moment: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(moment.as_seconds()).unwrap_or(0))
}

/// Reads the CA's certificate and those above it.
fn read_authorities(path: &Path) -> Result<Vec<Certificate>, Fault> {
    let fault = |reason: String| Fault::Certificate { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| fault(e.to_string()))?;
    let authorities = certificates(&text).map_err(fault)?;
    let ca =
        authorities.first().ok_or_else(|| fault("it holds no certificate in PEM".to_owned()))?;
    if let Some(reason) = unfitness(ca) {
        return Err(fault(reason));
    }
    for pair in authorities.windows(2) {
        if !verify::is_signed_by(&pair[0], &pair[1]) {
            return Err(fault(format!(
                "{} was not signed by {}, which follows it",
                pair[0].subject(),
                pair[1].subject()
            )));
        }
    }
    Ok(authorities)
}

/// Why a certificate cannot be that of a CA which signs here; `None` if it can.
fn unfitness(ca: &Certificate) -> Option<String> {
    let subject = ca.subject();
    let Ok((_, parsed)) = X509Certificate::from_der(ca.der()) else {
        return Some(format!("the certificate of {subject} cannot be read"));
    };
    if !parsed.is_ca() {
        return Some(format!(
            "the first certificate, of {subject}, is not that of a CA (basicConstraints without \
             CA:TRUE)"
        ));
    }
    if let Ok(Some(usage)) = parsed.key_usage()
        && !usage.value.key_cert_sign()
    {
        return Some(format!(
            "the certificate of {subject} does not allow its key to sign certificates (keyUsage \
             without keyCertSign)"
        ));
    }
    // The library would write such a name with one of them alone, and no client would find the CA.
    let mut kinds: Vec<String> = parsed
        .subject()
        .iter_attributes()
        .map(|attribute| attribute.attr_type().to_id_string())
        .collect();
    kinds.sort();
    kinds.windows(2).any(|pair| pair[0] == pair[1]).then(|| {
        format!(
            "the name {subject} has the same kind of attribute twice (as in DC=example, DC=nl), \
             which cannot be written as an issuer yet"
        )
    })
}

/// Reads the CA's key, and makes sure that it is the one of the CA's certificate.
fn read_signer(
    config: &OwnCaConfig,
    ca: &Certificate,
) -> Result<rcgen::Issuer<'static, KeyPair>, Fault> {
    let path = &config.key_file;
    let key_fault = |reason: String| Fault::Key { path: path.to_owned(), reason };
    let text = secret::read(path)?;
    let pair = KeyPair::from_pem(&text).map_err(|e| key_fault(e.to_string()))?;
    let key = PrivateKey::from_pem(&text).map_err(|e| key_fault(e.to_string()))?;
    if key.spki() != ca.spki() {
        return Err(Fault::OtherKey {
            certificate_file: config.certificate_file.clone(),
            certificate_key: ca.spki_sha256().short(),
            key_file: path.to_owned(),
            key: key.spki_sha256().short(),
        });
    }
    let der = CertificateDer::from(ca.der());
    rcgen::Issuer::from_ca_cert_der(&der, pair).map_err(|e| Fault::Certificate {
        path: config.certificate_file.clone(),
        reason: e.to_string(),
    })
}

/// Why the CA could not be used, or did not sign.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The CA's certificate cannot be used.
    #[error("cannot use the CA certificate `{}`: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The CA's key cannot be read.
    #[error("{}", with_sources(.0))]
    Secret(#[from] SecretError),
    /// The CA's key cannot be used.
    #[error("cannot use the CA key `{}`: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not belong together.
    #[error(
        "the certificate `{}` is for key {certificate_key}, but `{}` holds key {key}",
        certificate_file.display(),
        key_file.display()
    )]
    OtherKey {
        /// The certificate's file.
        certificate_file: PathBuf,
        /// The start of the digest of the certificate's key.
        certificate_key: String,
        /// The key's file.
        key_file: PathBuf,
        /// The start of the digest of the key.
        key: String,
    },
    /// The CA's certificate is not valid today.
    #[error("the CA certificate of {subject} is valid from {from} until {until}, and it is {now}")]
    CaNotValid {
        /// Its name.
        subject: String,
        /// Its first moment.
        from: Timestamp,
        /// Its last moment.
        until: Timestamp,
        /// This machine's time.
        now: Timestamp,
    },
    /// The library did not sign.
    #[error("cannot sign the certificate: {reason}")]
    Sign {
        /// What it said.
        reason: String,
    },
    /// What was signed, or had been signed before, is not fit to be used.
    #[error("{0}")]
    Chain(#[from] ChainFault),
    /// What is kept of orders cannot be read or written.
    #[error("{0}")]
    Orders(#[from] OrderBookError),
}

impl Fault {
    /// What the operator can do about it.
    fn hint(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => {
                "certificate-file must hold the CA's own certificate in PEM, first, then those \
                 above it"
            }
            Self::Secret(_) => "key-file must be readable for this program and for nobody else",
            Self::Key { .. } => {
                "key-file must hold the CA's private key in PEM, without a passphrase"
            }
            Self::OtherKey { .. } => "correct certificate-file or key-file",
            Self::CaNotValid { .. } => {
                "check this machine's clock; if it is right, renew the CA's certificate, or name \
                 another issuer and run `rollover --new-ca`"
            }
            Self::Sign { .. } => "check the CA's key and certificate with openssl",
            Self::Chain(fault) => fault.hint(),
            Self::Orders(error) => error.hint(),
        }
    }

    /// As what the port reports, for the issuer called `name`.
    fn at(self, name: &str) -> IssueError {
        IssueError {
            issuer: format!("{name} (own CA)"),
            hint: self.hint().to_owned(),
            message: self.to_string(),
            remedy: match self {
                // The disk may be full; the next pass tries again by itself.
                Self::Orders(OrderBookError::Write(_) | OrderBookError::Read { .. }) => {
                    Remedy::RetryLater { not_before: None }
                }
                Self::Orders(OrderBookError::Id(_) | OrderBookError::Damaged { .. })
                | Self::Certificate { .. }
                | Self::Secret(_)
                | Self::Key { .. }
                | Self::OtherKey { .. }
                | Self::CaNotValid { .. }
                | Self::Sign { .. }
                | Self::Chain(_) => Remedy::AskOperator,
            },
            blame: match self {
                Self::Orders(_) => Blame::Surroundings,
                Self::Certificate { .. }
                | Self::Secret(_)
                | Self::Key { .. }
                | Self::OtherKey { .. }
                | Self::CaNotValid { .. }
                | Self::Sign { .. }
                | Self::Chain(_) => Blame::Issuer,
            },
        }
    }
}

#[async_trait]
impl Issuer for OwnCa {
    fn known_anchors(&self) -> Vec<Certificate> {
        vec![self.authorities[0].clone()]
    }

    async fn issue(&self, order: &Order) -> Result<Chain, IssueError> {
        self.obtain(order).map_err(|fault| fault.at(&self.name))
    }

    fn trust_anchor(&self, chain: &Chain) -> Option<Certificate> {
        verify::trust_anchor(chain, AnchorChoice::IssuingCa)
    }

    /// An own CA publishes no revocation list here, and DANE clients look at none: a certificate
    /// is out of service when no TLSA record names it any more.
    async fn revoke(
        &self,
        _certificate: &Certificate,
        _key: &PrivateKey,
    ) -> Result<Revocation, IssueError> {
        Ok(Revocation::NotOffered)
    }
}

#[cfg(test)]
mod tests;
