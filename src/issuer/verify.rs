//! Whether an issued chain is what was ordered, and which certificate of it is the trust anchor.
//!
//! A CA that errs must be caught before its chain is deployed: afterwards it is senders who find
//! out. So a chain is judged as they judge it, with the certificate that `2 1 1` will name as the
//! trust anchor, whatever the machine's own list of roots says.

use std::sync::LazyLock;

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
    let unacceptable = |e: webpki::Error| ChainFault::Unacceptable { reason: e.to_string() };
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
        end_entity.verify_is_valid_for_subject_name(&subject).map_err(|_| missing())?;
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

/// The common name of a certificate's issuer.
pub(super) fn issuer_common_name(certificate: &Certificate) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate.der()).ok()?;
    let name = parsed.issuer().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

/// The certificate of `chain` that a `2 1 1` record names; `None` where the chain does not hold it.
pub(super) fn trust_anchor(chain: &Chain, choice: AnchorChoice) -> Option<Certificate> {
    match choice {
        AnchorChoice::IssuingCa => {
            chain.authorities().first().filter(|issuing| is_signed_by(chain.leaf(), issuing))
        }
        AnchorChoice::Root => chain.authorities().last().filter(|top| top.is_self_issued()),
    }
    .cloned()
}

/// Whether a chain leads to a root that this machine trusts: whether others than DANE clients may
/// trust it as well.
pub(super) fn is_public(chain: &Chain) -> bool {
    leads_to(chain, system_roots())
}

/// Whether a chain leads to one of `roots`.
fn leads_to(chain: &Chain, roots: &[Certificate]) -> bool {
    chain.certificates().iter().any(|certificate| {
        roots
            .iter()
            .any(|root| root.spki() == certificate.spki() || is_signed_by(certificate, root))
    })
}

/// The roots that this machine trusts, read once; those that cannot be read are left out.
pub(super) fn system_roots() -> &'static [Certificate] {
    static ROOTS: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
        let found = rustls_native_certs::load_native_certs().certs;
        found.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    });
    &ROOTS
}

/// `chain` with the root above it, where one of `known` is that root and it was not sent.
pub(super) fn with_root(chain: Chain, known: &[Certificate]) -> Chain {
    let mut certificates = chain.certificates().to_vec();
    let root = certificates
        .last()
        .filter(|top| !top.is_self_issued())
        .and_then(|top| known.iter().find(|root| root.is_self_issued() && is_signed_by(top, root)));
    let Some(root) = root else {
        return chain;
    };
    certificates.push(root.clone());
    Chain::new(certificates).unwrap_or(chain)
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::pki::KeyType;

    /// 2026-06-01T00:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_780_272_000);

    /// A root, a CA below it, and a server's certificate below that, valid through 2026.
    struct Family {
        root: Certificate,
        sub: Certificate,
        leaf: Certificate,
        key: PrivateKey,
    }

    fn params(name: &str, is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 31);
        params.is_ca = is_ca;
        params
    }

    fn parse(certificate: &rcgen::Certificate) -> Certificate {
        Certificate::from_der(certificate.der()).unwrap()
    }

    impl Family {
        fn new() -> Self {
            let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
            let (root_key, sub_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
            let root_params = params("Root", ca());
            let root = parse(&root_params.self_signed(&root_key).unwrap());
            let root_issuer = Issuer::new(root_params, root_key);
            let sub_params = params("Sub", ca());
            let sub = parse(&sub_params.signed_by(&sub_key, &root_issuer).unwrap());
            let sub_issuer = Issuer::new(sub_params, sub_key);
            let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
            let pair = KeyPair::from_pem(key.pem()).unwrap();
            let mut leaf_params = params("leaf", IsCa::ExplicitNoCa);
            leaf_params.subject_alt_names =
                vec![rcgen::SanType::DnsName("mail.example.nl".try_into().unwrap())];
            let leaf = parse(&leaf_params.signed_by(&pair, &sub_issuer).unwrap());
            Self { root, sub, leaf, key }
        }

        fn chain(&self, certificates: &[&Certificate]) -> Chain {
            Chain::new(certificates.iter().map(|c| (*c).clone()).collect()).unwrap()
        }

        fn judge(&self, certificates: &[&Certificate]) -> Result<(), ChainFault> {
            let names = ["mail.example.nl".parse().unwrap()];
            judge(&self.chain(certificates), &self.key, &names, NOW)
        }
    }

    #[test]
    fn chains_in_order_are_accepted_with_and_without_the_root() {
        let f = Family::new();
        f.judge(&[&f.leaf, &f.sub]).unwrap();
        f.judge(&[&f.leaf, &f.sub, &f.root]).unwrap();
    }

    #[test]
    fn chains_that_a_sender_could_not_follow_are_refused() {
        let f = Family::new();
        assert_eq!(f.judge(&[&f.leaf]), Err(ChainFault::Alone));
        for disordered in [
            &[&f.leaf, &f.root, &f.sub][..],
            &[&f.leaf, &f.root],
            &[&f.leaf, &f.leaf, &f.sub],
            &[&f.leaf, &f.sub, &Family::new().root],
        ] {
            let fault = f.judge(disordered).unwrap_err();
            assert!(matches!(fault, ChainFault::Disordered { .. }), "{fault}");
        }
    }

    #[test]
    fn another_key_another_name_and_another_time_are_refused() {
        let f = Family::new();
        let chain = f.chain(&[&f.leaf, &f.sub]);
        let names = ["mail.example.nl".parse().unwrap()];
        let other = Family::new().key;
        let fault = judge(&chain, &other, &names, NOW).unwrap_err();
        assert!(matches!(fault, ChainFault::OtherKey { .. }), "{fault}");

        let others = ["mx.example.nl".parse().unwrap()];
        let fault = judge(&chain, &f.key, &others, NOW).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the certificate does not name mx.example.nl, only mail.example.nl"
        );

        let early = f.leaf.not_before() - crate::time::Span::from_seconds(1);
        let fault = judge(&chain, &f.key, &names, early).unwrap_err();
        assert!(matches!(fault, ChainFault::NotYetValid { .. }), "{fault}");
        let late = f.leaf.not_after() + crate::time::Span::from_seconds(1);
        let fault = judge(&chain, &f.key, &names, late).unwrap_err();
        assert!(matches!(fault, ChainFault::Expired { .. }), "{fault}");
    }

    #[test]
    fn a_ca_certificate_is_no_servers() {
        let f = Family::new();
        let key = KeyPair::generate().unwrap();
        let ca = params("CA", IsCa::Ca(BasicConstraints::Unconstrained));
        let mut leaf = params("leaf", IsCa::Ca(BasicConstraints::Unconstrained));
        leaf.subject_alt_names =
            vec![rcgen::SanType::DnsName("mail.example.nl".try_into().unwrap())];
        let root = parse(&ca.self_signed(&key).unwrap());
        let pair = KeyPair::from_pem(f.key.pem()).unwrap();
        let leaf = parse(&leaf.signed_by(&pair, &Issuer::new(ca, key)).unwrap());
        let fault = f.judge(&[&leaf, &root]).unwrap_err();
        assert!(matches!(fault, ChainFault::Unacceptable { .. }), "{fault}");
    }

    #[test]
    fn the_anchor_is_the_issuing_ca_or_the_root_if_it_is_there() {
        let f = Family::new();
        let short = f.chain(&[&f.leaf, &f.sub]);
        let whole = f.chain(&[&f.leaf, &f.sub, &f.root]);
        for (chain, choice, expected) in [
            (&short, AnchorChoice::IssuingCa, Some(&f.sub)),
            (&whole, AnchorChoice::IssuingCa, Some(&f.sub)),
            (&short, AnchorChoice::Root, None),
            (&whole, AnchorChoice::Root, Some(&f.root)),
        ] {
            assert_eq!(trust_anchor(chain, choice).as_ref(), expected, "{choice:?}");
        }
        let stranger = f.chain(&[&f.leaf, &Family::new().sub]);
        assert_eq!(trust_anchor(&stranger, AnchorChoice::IssuingCa), None);
    }

    #[test]
    fn a_chain_is_public_by_signature_and_not_by_name() {
        let (f, stranger) = (Family::new(), Family::new());
        let short = f.chain(&[&f.leaf, &f.sub]);
        assert!(leads_to(&short, &[stranger.root.clone(), f.root.clone()]));
        assert!(!leads_to(&short, &[stranger.root]));
        assert!(!is_public(&short));
    }

    #[test]
    fn a_known_root_is_added_where_it_belongs_and_nowhere_else() {
        let f = Family::new();
        let stranger = Family::new();
        let short = f.chain(&[&f.leaf, &f.sub]);
        let whole = f.chain(&[&f.leaf, &f.sub, &f.root]);
        let known = [stranger.root.clone(), f.sub.clone(), f.root.clone()];
        assert_eq!(with_root(short.clone(), &known), whole);
        assert_eq!(with_root(whole.clone(), &known), whole);
        assert_eq!(with_root(short.clone(), &known[..2]), short);
    }
}
