//! One certificate on the way up: who issued it, when it is valid, and what it may be used for.
//!
//! These are OpenSSL's rules. webpki takes a trust anchor as it is and looks at no key usage, so
//! what only one of the two asks for is asked for here.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{AuthorityKeyIdentifier, ExtendedKeyUsage, ParsedExtension};
use x509_parser::prelude::FromDer;

use super::PathError;
use crate::pki::Certificate;
use crate::time::Timestamp;

/// A certificate with what the way up depends on.
pub(super) struct Step<'c> {
    /// The certificate.
    pub(super) certificate: &'c Certificate,
    /// The same, read.
    pub(super) parsed: X509Certificate<'c>,
}

impl<'c> Step<'c> {
    /// Reads a certificate; `None` where it cannot be.
    pub(super) fn read(certificate: &'c Certificate) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate.der()).ok()?;
        Some(Self { certificate, parsed })
    }

    /// Whether this certificate, by its names and key identifiers, is issued by `issuer`.
    pub(super) fn names_as_issuer(&self, issuer: &Self) -> bool {
        let (below, above) = (&self.parsed, &issuer.parsed);
        if below.issuer().as_raw() != above.subject().as_raw() {
            return false;
        }
        let Some(wanted) = authority_key_identifier(below) else {
            return true;
        };
        let key = match (&wanted.key_identifier, subject_key_identifier(above)) {
            (Some(wanted), Some(found)) => wanted.0 == found,
            _ => true,
        };
        let serial = wanted.authority_cert_serial.is_none_or(|serial| serial == above.raw_serial());
        key && serial
    }

    /// Whether this certificate may have issued `below`, as far as OpenSSL looks before it tries.
    pub(super) fn names_as_issuer_of(&self, below: &Self) -> bool {
        below.names_as_issuer(self) && self.may_sign_certificates()
    }

    /// Whether its key usage, if it has one, allows to sign certificates.
    fn may_sign_certificates(&self) -> bool {
        match self.parsed.key_usage() {
            Ok(Some(usage)) => usage.value.key_cert_sign(),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether it limits the names of what is below it.
    pub(super) fn constrains_names(&self) -> bool {
        !matches!(self.parsed.name_constraints(), Ok(None))
    }

    /// Judges its dates.
    pub(super) fn is_valid_at(&self, now: Timestamp) -> Result<(), PathError> {
        let subject = || called(self.certificate);
        let (not_before, not_after) = (self.certificate.not_before(), self.certificate.not_after());
        // Whole seconds: a certificate is valid until the end of its last one.
        if now.as_seconds() < not_before.as_seconds() {
            return Err(PathError::NotYetValid { subject: subject(), not_before });
        }
        if not_after.as_seconds() < now.as_seconds() {
            return Err(PathError::Expired { subject: subject(), not_after });
        }
        Ok(())
    }

    /// Judges whether it may stand above `below`: webpki takes an anchor as it is, OpenSSL does not.
    pub(super) fn suits_as_authority(&self, below: &[Self]) -> Result<(), PathError> {
        let intermediates =
            below[1..].iter().filter(|step| !step.certificate.is_self_issued()).count();
        let constraints = match self.parsed.basic_constraints() {
            Ok(Some(constraints)) => constraints.value,
            Ok(None) | Err(_) => return self.unsuitable("does not say that it is a CA's"),
        };
        if !constraints.ca {
            return self.unsuitable("says that it is no CA's");
        }
        let allowed = constraints.path_len_constraint;
        if allowed.is_some_and(|allowed| usize::try_from(allowed).unwrap_or(0) < intermediates) {
            return self.unsuitable("allows fewer CA certificates below it");
        }
        if !self.may_sign_certificates() {
            return self.unsuitable("may not sign certificates, by its key usage");
        }
        self.suits_for_tls()
    }

    /// Judges whether it may be a TLS server's.
    pub(super) fn suits_as_server(&self) -> Result<(), PathError> {
        let key_usage = match self.parsed.key_usage() {
            Ok(usage) => usage.map(|usage| usage.value),
            Err(_) => return self.unsuitable("has a key usage that cannot be read"),
        };
        if key_usage.is_some_and(|usage| {
            !usage.digital_signature() && !usage.key_encipherment() && !usage.key_agreement()
        }) {
            return self.unsuitable("is not for TLS, by its key usage");
        }
        self.suits_for_tls()
    }

    /// Judges its extended key usage.
    fn suits_for_tls(&self) -> Result<(), PathError> {
        let allows = |usage: &ExtendedKeyUsage<'_>| usage.server_auth;
        match self.parsed.extended_key_usage() {
            Ok(usage) if usage.as_ref().is_none_or(|usage| allows(usage.value)) => Ok(()),
            Ok(_) | Err(_) => self.unsuitable("is not for TLS servers, by its extended key usage"),
        }
    }

    /// The error that it does not suit its place.
    fn unsuitable(&self, reason: &'static str) -> Result<(), PathError> {
        Err(PathError::Unsuitable { subject: called(self.certificate), reason })
    }
}

/// The key that a certificate says it was signed with.
fn authority_key_identifier<'a>(
    certificate: &'a X509Certificate<'a>,
) -> Option<&'a AuthorityKeyIdentifier<'a>> {
    certificate.extensions().iter().find_map(|extension| {
        if let ParsedExtension::AuthorityKeyIdentifier(identifier) = extension.parsed_extension() {
            return Some(identifier);
        }
        None
    })
}

/// What a certificate calls its own key.
fn subject_key_identifier<'a>(certificate: &'a X509Certificate<'a>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| {
        if let ParsedExtension::SubjectKeyIdentifier(identifier) = extension.parsed_extension() {
            return Some(identifier.0);
        }
        None
    })
}

/// What people call a certificate: its subject, else its first name, else its serial number.
///
/// Certificates of public CAs have an empty subject nowadays.
pub(in crate::tlsa) fn called(certificate: &Certificate) -> String {
    match (certificate.subject(), certificate.dns_names()) {
        ("", []) => format!("serial number {}", certificate.serial()),
        ("", [name, ..]) => name.clone(),
        (subject, _) => subject.to_owned(),
    }
}
