//! Whether an issued chain is what was ordered, and which certificate of it is the trust anchor.
//!
//! A CA that errs must be caught before its chain is deployed: afterwards it is senders who find
//! out. So a chain is judged as they judge it, with the certificate that `2 1 1` will name as the
//! trust anchor, whatever the machine's own list of roots says.

use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, RawPublicKeyEntity, anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::AnchorChoice;
use crate::keys::PrivateKey;
use crate::name::DnsName;
use crate::pki::{Certificate, Chain};
use crate::time::Timestamp;

/// Why an issued chain cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum ChainFault {
    /// The certificate has another key.
    #[error("the certificate is for key {found}, the order for key {ordered}")]
    OtherKey {
        /// The start of the digest of the certificate's key.
        found: String,
        /// The start of the digest of the order's key.
        ordered: String,
    },
    /// The certificate does not name a host.
    #[error("the certificate does not name {name}, only {found}")]
    NameMissing {
        /// The name that was ordered.
        name: DnsName,
        /// The names that it has.
        found: String,
    },
    /// A certificate is not valid yet by this machine's clock.
    #[error("{subject} is not valid before {from}, and it is {now}")]
    NotYetValid {
        /// Which certificate.
        subject: String,
        /// Its first moment.
        from: Timestamp,
        /// This machine's time.
        now: Timestamp,
    },
    /// A certificate is no longer valid.
    #[error("{subject} expired at {until}, and it is {now}")]
    Expired {
        /// Which certificate.
        subject: String,
        /// Its last moment.
        until: Timestamp,
        /// This machine's time.
        now: Timestamp,
    },
    /// The chain ends with the server's own certificate.
    #[error("the chain has no certificate of a CA, so there is none that `2 1 1` could name")]
    Alone,
    /// A certificate was not signed by the one that follows it.
    #[error("{lower} was not signed by {upper}, which follows it in the chain")]
    Disordered {
        /// The certificate.
        lower: String,
        /// The one after it.
        upper: String,
    },
    /// A client would refuse it for another reason.
    #[error("a client would refuse the certificate: {reason}")]
    Unacceptable {
        /// What the validation said.
        reason: String,
    },
}

impl ChainFault {
    /// What the operator can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NotYetValid { .. } => "check this machine's clock",
            Self::Expired { .. } => {
                "check this machine's clock; if it is right, begin anew with `rollover --renew`"
            }
            Self::OtherKey { .. } | Self::NameMissing { .. } => {
                "the certificate is not used; ask the CA why it differs from the order"
            }
            Self::Alone | Self::Disordered { .. } | Self::Unacceptable { .. } => {
                "the certificate is not used, because senders would refuse it; look at the CA's \
                 own certificates, their name constraints and usages"
            }
        }
    }
}

/// Makes sure that `chain` is for `key` and `names`, valid now, in order from the server's own
/// certificate upwards, and acceptable to a client that trusts the CA that signed it.
pub(super) fn judge(
    chain: &Chain,
    key: &PrivateKey,
    names: &[DnsName],
    now: Timestamp,
) -> Result<(), ChainFault> {
    let leaf = chain.leaf();
    if leaf.spki() != key.spki() {
        return Err(ChainFault::OtherKey {
            found: leaf.spki_sha256().short(),
            ordered: key.spki_sha256().short(),
        });
    }
    for certificate in chain.certificates() {
        judge_dates(certificate, now)?;
    }
    for pair in chain.certificates().windows(2) {
        if !is_signed_by(&pair[0], &pair[1]) {
            return Err(ChainFault::Disordered {
                lower: pair[0].subject().to_owned(),
                upper: pair[1].subject().to_owned(),
            });
        }
    }
    let issuing = chain.authorities().first().ok_or(ChainFault::Alone)?;
    judge_as_client(leaf, issuing, names, now)
}

/// Judges the dates of one certificate.
fn judge_dates(certificate: &Certificate, now: Timestamp) -> Result<(), ChainFault> {
    let subject = || match certificate.subject() {
        "" => format!("the certificate with serial {}", certificate.serial()),
        subject => format!("the certificate of {subject}"),
    };
    if now < certificate.not_before() {
        return Err(ChainFault::NotYetValid {
            subject: subject(),
            from: certificate.not_before(),
            now,
        });
    }
    if certificate.not_after() < now {
        return Err(ChainFault::Expired {
            subject: subject(),
            until: certificate.not_after(),
            now,
        });
    }
    Ok(())
}

/// Validates `leaf` as a DANE-TA(2) client does that found `issuing` named in a record.
fn judge_as_client(
    leaf: &Certificate,
    issuing: &Certificate,
    names: &[DnsName],
    now: Timestamp,
) -> Result<(), ChainFault> {
    let unacceptable = |e: webpki::Error| ChainFault::Unacceptable {
        reason: e.to_string(),
    };
    let leaf_der = CertificateDer::from(leaf.der());
    let end_entity = EndEntityCert::try_from(&leaf_der).map_err(unacceptable)?;
    for name in names {
        let missing = || ChainFault::NameMissing {
            name: name.clone(),
            found: match leaf.dns_names() {
                [] => "nothing".to_owned(),
                found => found.join(", "),
            },
        };
        let subject = ServerName::try_from(name.as_str()).map_err(|_| missing())?;
        end_entity
            .verify_is_valid_for_subject_name(&subject)
            .map_err(|_| missing())?;
    }
    let issuing_der = CertificateDer::from(issuing.der());
    let anchor = anchor_from_trusted_cert(&issuing_der).map_err(unacceptable)?;
    let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
    end_entity
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &[anchor],
            &[],
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(unacceptable)?;
    Ok(())
}

/// Whether `lower` names `upper` as its issuer and carries a signature by its key, whatever the
/// dates of both.
pub(super) fn is_signed_by(lower: &Certificate, upper: &Certificate) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(lower.der()) else {
        return false;
    };
    let Ok((_, issuer)) = X509Certificate::from_der(upper.der()) else {
        return false;
    };
    if parsed.issuer().as_raw() != issuer.subject().as_raw() {
        return false;
    }
    let spki = SubjectPublicKeyInfoDer::from(upper.spki());
    let Ok(key) = RawPublicKeyEntity::try_from(&spki) else {
        return false;
    };
    let signed = parsed.tbs_certificate.as_ref();
    let signature = &parsed.signature_value.data;
    // The algorithm that the certificate names is one of these, or nobody could verify it.
    ALL_VERIFICATION_ALGS
        .iter()
        .any(|algorithm| key.verify_signature(*algorithm, signed, signature).is_ok())
}

/// The certificate of `chain` that a `2 1 1` record names; `None` where the chain does not hold it.
pub(super) fn trust_anchor(chain: &Chain, choice: AnchorChoice) -> Option<Certificate> {
    match choice {
        AnchorChoice::IssuingCa => chain
            .authorities()
            .first()
            .filter(|issuing| is_signed_by(chain.leaf(), issuing)),
        AnchorChoice::Root => chain
            .authorities()
            .last()
            .filter(|top| top.is_self_issued()),
    }
    .cloned()
}

/// `chain` with the root above it, where one of `known` is that root and it was not sent.
pub(super) fn with_root(chain: Chain, known: &[Certificate]) -> Chain {
    let mut certificates = chain.certificates().to_vec();
    let root = certificates
        .last()
        .filter(|top| !top.is_self_issued())
        .and_then(|top| {
            known
                .iter()
                .find(|root| root.is_self_issued() && is_signed_by(top, root))
        });
    let Some(root) = root else {
        return chain;
    };
    certificates.push(root.clone());
    Chain::new(certificates).unwrap_or(chain)
}
