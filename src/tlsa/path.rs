//! The path from a server's certificate up to the trust anchor that a usage 2 record names.
//!
//! Senders do not build paths alike. OpenSSL, which most of them use, goes from issuer to issuer
//! and never turns back; rustls-webpki tries every way there is. A chain counts as accepted only
//! where both accept it: the way is walked here as OpenSSL walks it, and webpki then verifies that
//! way and no other. What the two check besides of each certificate is checked too, so that a chain
//! called valid here is not refused by a sender. The opposite error costs a wait, not mail.

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};

use self::step::Step;
pub(super) use self::step::called;
use crate::name::DnsName;
use crate::pki::Certificate;
use crate::time::Timestamp;

mod step;

/// Why the way from the server's certificate to the trust anchor does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A certificate on the way is not valid yet.
    #[error("the certificate of `{subject}` is not valid before {not_before}")]
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// Its first moment.
        not_before: Timestamp,
    },
    /// A certificate on the way has expired.
    #[error("the certificate of `{subject}` expired at {not_after}")]
    Expired {
        /// Whose certificate.
        subject: String,
        /// Its last moment.
        not_after: Timestamp,
    },
    /// The server's certificate has none of the names that a client expects.
    #[error("the certificate is for {found}, not for {expected}")]
    WrongName {
        /// The names in it, separated by commas.
        found: String,
        /// The names a client expects, separated by commas.
        expected: String,
    },
    /// The anchor is sent, but the way up does not pass it.
    #[error("`{subject}`, which the record names, is sent but did not issue what is below it")]
    OffPath {
        /// The anchor.
        subject: String,
    },
    /// A certificate may not be used as its place on the way asks.
    #[error("the certificate of `{subject}` {reason}")]
    Unsuitable {
        /// Whose certificate.
        subject: String,
        /// What it lacks.
        reason: &'static str,
    },
    /// A signature does not verify, or another rule of RFC 5280 is broken.
    #[error("the way from `{leaf}` up to `{anchor}` does not verify: {reason}")]
    Refused {
        /// The server's certificate.
        leaf: String,
        /// The anchor.
        anchor: String,
        /// What the verifier said.
        reason: String,
    },
}

/// The way up from a server's certificate, as a client that never turns back walks it.
pub(super) struct Path<'c> {
    /// The server's certificate, its issuer, and so on; never empty.
    steps: Vec<Step<'c>>,
}

impl<'c> Path<'c> {
    /// Walks from `leaf` up through the certificates in `pool`, in the order they are sent.
    ///
    /// `None` where the server's certificate cannot be read.
    pub(super) fn walk(
        leaf: &'c Certificate,
        pool: impl Iterator<Item = &'c Certificate>,
        now: Timestamp,
    ) -> Option<Self> {
        let mut steps = vec![Step::read(leaf)?];
        let mut pool: Vec<Step<'c>> = pool.filter_map(Step::read).collect();
        while let Some(top) = steps.last()
            && !top.names_as_issuer(top)
            && let Some(next) = next_issuer(top, &pool, now)
        {
            steps.push(pool.remove(next));
        }
        Some(Self { steps })
    }

    /// How many steps up from the server's certificate the first certificate is that `accept`
    /// takes; at least 1.
    pub(super) fn find(&self, accept: impl Fn(&Certificate) -> bool) -> Option<usize> {
        let above = self.steps.iter().skip(1);
        above
            .map(|step| accept(step.certificate))
            .position(|accepted| accepted)
            .map(|position| position + 1)
    }

    /// The certificate `height` steps up.
    pub(super) fn at(&self, height: usize) -> &'c Certificate {
        self.steps[height].certificate
    }

    /// The issuer of the topmost certificate, where that is not itself.
    pub(super) fn missing_issuer(&self) -> Option<&'c str> {
        let top = self.steps.last()?;
        let missing = !top.certificate.is_self_issued();
        missing.then(|| top.certificate.issuer())
    }

    /// Verifies the way up to the certificate `height` steps up, which is trusted, and the names.
    pub(super) fn verify_to(
        &self,
        height: usize,
        names: &[DnsName],
        now: Timestamp,
    ) -> Result<(), PathError> {
        let (below, anchor) = (&self.steps[..height], &self.steps[height]);
        anchor.suits_as_authority(below)?;
        // GnuTLS holds an anchor to its dates unless it signed itself, OpenSSL only if it did, though
        // RFC 5280, section 6.1 would hold neither to them.
        anchor.is_valid_at(now)?;
        let der = CertificateDer::from(anchor.certificate.der());
        let trust_anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|reason| self.refused(&called(anchor.certificate), &reason))?;
        self.verify(below, &trust_anchor, &called(anchor.certificate), now)?;
        let constrained = self.steps[1..=height].iter().any(Step::constrains_names);
        self.verify_name(names, constrained)
    }

    /// Verifies the whole way, the topmost certificate's issuer being trusted by its key alone.
    pub(super) fn verify_to_key(
        &self,
        spki: &[u8],
        names: &[DnsName],
        now: Timestamp,
    ) -> Result<(), PathError> {
        let top = &self.steps[self.steps.len() - 1];
        let issuer = top.certificate.issuer();
        let trust_anchor = TrustAnchor {
            subject: contents(top.parsed.issuer().as_raw()).into(),
            subject_public_key_info: contents(spki).into(),
            name_constraints: None,
        };
        self.verify(&self.steps, &trust_anchor, issuer, now)?;
        let constrained = self.steps[1..].iter().any(Step::constrains_names);
        self.verify_name(names, constrained)
    }

    /// Verifies dates, signatures and constraints of `below`, all under the trusted `anchor`.
    fn verify(
        &self,
        below: &[Step<'c>],
        anchor: &TrustAnchor<'_>,
        anchor_name: &str,
        now: Timestamp,
    ) -> Result<(), PathError> {
        for (height, step) in below.iter().enumerate() {
            step.is_valid_at(now)?;
            if height == 0 {
                step.suits_as_server()?;
            } else {
                step.suits_as_authority(&below[..height])?;
            }
        }
        let leaf = CertificateDer::from(self.steps[0].certificate.der());
        let intermediates: Vec<CertificateDer<'_>> =
            below[1..].iter().map(|step| CertificateDer::from(step.certificate.der())).collect();
        let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let verified = webpki::EndEntityCert::try_from(&leaf).and_then(|leaf| {
            leaf.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                std::slice::from_ref(anchor),
                &intermediates,
                time,
                webpki::KeyUsage::server_auth(),
                None,
                None,
            )
            .map(|_| ())
        });
        verified.map_err(|reason| self.refused(anchor_name, &reason))
    }

    /// Verifies that the server's certificate is for one of `names` ([RFC 7672, section 3.2.2]).
    ///
    /// A common name counts where there is no dNSName, as OpenSSL has it ([RFC 7672, section
    /// 3.2.3]), and where no authority's name constraints would have to be weighed against it.
    ///
    /// [RFC 7672, section 3.2.2]: https://www.rfc-editor.org/rfc/rfc7672#section-3.2.2
    /// [RFC 7672, section 3.2.3]: https://www.rfc-editor.org/rfc/rfc7672#section-3.2.3
    fn verify_name(&self, names: &[DnsName], constrained: bool) -> Result<(), PathError> {
        let leaf = self.at(0);
        let der = CertificateDer::from(leaf.der());
        let by_alternative_name = |name: &DnsName| {
            let Ok(name) = ServerName::try_from(name.as_str()) else {
                return false;
            };
            webpki::EndEntityCert::try_from(&der)
                .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok())
        };
        let by_common_name = |name: &DnsName| {
            leaf.dns_names().is_empty()
                && !constrained
                && leaf.common_name().is_some_and(|pattern| matches_pattern(pattern, name.as_str()))
        };
        if names.iter().any(|name| by_alternative_name(name) || by_common_name(name)) {
            return Ok(());
        }
        let found = match (leaf.dns_names(), leaf.common_name()) {
            ([], None) => "no name".to_owned(),
            ([], Some(name)) => name.to_owned(),
            (names, _) => names.join(", "),
        };
        let expected: Vec<String> = names.iter().map(ToString::to_string).collect();
        Err(PathError::WrongName { found, expected: expected.join(", ") })
    }

    /// The error that webpki refused the way.
    fn refused(&self, anchor: &str, reason: &webpki::Error) -> PathError {
        PathError::Refused {
            leaf: called(self.at(0)),
            anchor: anchor.to_owned(),
            reason: describe(reason),
        }
    }
}

/// The place in `pool` of the certificate that a client takes for the issuer of `below`: the first
/// that is valid now, else the one that expired last.
fn next_issuer(below: &Step<'_>, pool: &[Step<'_>], now: Timestamp) -> Option<usize> {
    let issuers = || {
        let named = |(_, step): &(usize, &Step<'_>)| step.names_as_issuer_of(below);
        pool.iter().enumerate().filter(named)
    };
    issuers()
        .find(|(_, step)| step.is_valid_at(now).is_ok())
        // `max_by_key` takes the last of equals, OpenSSL the first.
        .or_else(|| issuers().rev().max_by_key(|(_, step)| step.certificate.not_after()))
        .map(|(position, _)| position)
}

/// The contents of a DER value without its tag and length, as webpki keeps names and keys.
///
/// What is no DER value is returned whole, and verifies nothing.
fn contents(der: &[u8]) -> &[u8] {
    let header = match der.get(1) {
        Some(&length) if length < 0x80 => 2,
        Some(&length) => 2 + usize::from(length & 0x7f),
        None => 0,
    };
    der.get(header..).unwrap_or(der)
}

/// Whether `name` is `pattern`, or `pattern` with its first label, `*`, replaced by one label.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let (Some(pattern), Some((label, parent))) = (pattern.strip_prefix("*."), name.split_once('.'))
    else {
        return false;
    };
    // As OpenSSL: `*.nl` is nobody's name.
    !label.is_empty() && pattern.contains('.') && pattern.eq_ignore_ascii_case(parent)
}

/// What webpki's error means to an operator, where that is not plain from its name.
fn describe(error: &webpki::Error) -> String {
    let plain = [
        (webpki::Error::CaUsedAsEndEntity, "the server's own certificate is a CA's"),
        (webpki::Error::InvalidSignatureForPublicKey, "a signature is wrong"),
        (webpki::Error::UnknownIssuer, "an issuer is missing or did not sign it"),
    ];
    let known = plain.iter().find(|(known, _)| known == error);
    known.map_or_else(|| error.to_string(), |(_, meaning)| (*meaning).to_owned())
}
