//! What is offered in a handshake, and what is asked of the answer: that the server holds the key.
//!
//! Names, dates and issuers are not looked at, and no path is built: a certificate that is expired,
//! for another name, of version 1 or signed by nobody is worth seeing as well. But the signature of
//! the handshake is checked, against the key in the certificate: else anybody could present a
//! certificate that is not his.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{
    DigitallySignedStruct, Error, OtherError, SignatureAlgorithm, SignatureScheme, version,
};

use super::visit::Sni;
use crate::pki::{Certificate, KeyFamily};

/// Why what was presented is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PresentationError {
    /// The server signed in a way that was not offered, with a key of another family: it has none of
    /// the family asked for, and says so badly.
    #[error("it signs with a key of another family than the one asked for")]
    OtherFamily,
    /// The signature is not one by the key that is presented.
    #[error("it presents `{subject}`, but the handshake is not signed by that key: {reason}")]
    Signature {
        /// Whose certificate was presented.
        subject: String,
        /// What the check said.
        reason: String,
    },
    /// It signed in a way that was not offered.
    #[error("it signs with {scheme:?}, which was not offered")]
    Unoffered {
        /// In which way.
        scheme: SignatureScheme,
    },
    /// What was presented cannot be read at all.
    #[error("it presents something that is {0}")]
    Unreadable(#[from] crate::pki::CertificateError),
}

/// A TLS client that takes any certificate, and offers only what keys of `family` can sign; with
/// `None`, everything. It never resumes a session: only a full handshake shows a certificate.
///
/// # Errors
///
/// Where the library finds that these settings cannot work together.
pub(super) fn client(family: Option<KeyFamily>, sni: Sni) -> Result<ClientConfig, Error> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(family) = family {
        // In TLS 1.2 the cipher suite names the family, in TLS 1.3 the signature scheme alone.
        let algorithms = signature_algorithms(family);
        provider.cipher_suites.retain(|suite| {
            algorithms.iter().any(|algorithm| suite.usable_for_signature_algorithm(*algorithm))
        });
    }
    let verifier = AnyCertificate::new(&provider, family);
    let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    client.enable_sni = sni == Sni::Sent;
    Ok(client)
}

/// The ways in which keys of a family sign. Edwards curves go with the other elliptic curves.
fn signature_algorithms(family: KeyFamily) -> &'static [SignatureAlgorithm] {
    match family {
        KeyFamily::Ecdsa => &[SignatureAlgorithm::ECDSA, SignatureAlgorithm::ED25519],
        KeyFamily::Rsa => &[SignatureAlgorithm::RSA],
    }
}

/// The family whose keys sign with this scheme.
#[expect(clippy::wildcard_enum_match_arm, reason = "schemes of no family that is told apart")]
fn family_of(scheme: SignatureScheme) -> Option<KeyFamily> {
    match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
        | SignatureScheme::ECDSA_NISTP384_SHA384
        | SignatureScheme::ECDSA_NISTP521_SHA512
        | SignatureScheme::ED25519 => Some(KeyFamily::Ecdsa),
        SignatureScheme::RSA_PKCS1_SHA256
        | SignatureScheme::RSA_PKCS1_SHA384
        | SignatureScheme::RSA_PKCS1_SHA512
        | SignatureScheme::RSA_PSS_SHA256
        | SignatureScheme::RSA_PSS_SHA384
        | SignatureScheme::RSA_PSS_SHA512 => Some(KeyFamily::Rsa),
        _ => None,
    }
}

/// Takes any certificate, and any signature that its key made in a way that was offered.
struct AnyCertificate {
    /// The family asked for; `None`: any.
    family: Option<KeyFamily>,
    /// What is offered, in the library's order.
    offered: Vec<SignatureScheme>,
    /// How signatures are checked.
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    /// Offers what the library can check and keys of `family` can sign.
    fn new(provider: &CryptoProvider, family: Option<KeyFamily>) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let mut offered = algorithms.supported_schemes();
        offered.retain(|scheme| family.is_none() || family_of(*scheme) == family);
        Self { family, offered, algorithms }
    }

    /// Takes what was presented if `verify`, given its key, finds the handshake signed by that key.
    fn take(
        &self,
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        verify: impl FnOnce(&SubjectPublicKeyInfoDer<'_>) -> Result<(), String>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let refused = |error| Error::Other(OtherError(Arc::new(error)));
        let certificate = Certificate::from_der(certificate).map_err(|e| refused(e.into()))?;
        if self.family.is_some() && KeyFamily::of_spki(certificate.spki()) != self.family {
            return Err(refused(PresentationError::OtherFamily));
        }
        if !self.offered.contains(&signed.scheme) {
            return Err(refused(PresentationError::Unoffered { scheme: signed.scheme }));
        }
        match verify(&SubjectPublicKeyInfoDer::from(certificate.spki())) {
            Ok(()) => Ok(HandshakeSignatureValid::assertion()),
            Err(reason) => {
                let subject = certificate.subject().to_owned();
                Err(refused(PresentationError::Signature { subject, reason }))
            }
        }
    }

    /// Checks a signature of TLS 1.2, in which one scheme stands for several curves: that of the key
    /// decides.
    fn verify_by_key(
        &self,
        key: &SubjectPublicKeyInfoDer<'_>,
        message: &[u8],
        signed: &DigitallySignedStruct,
    ) -> Result<(), String> {
        let key = webpki::RawPublicKeyEntity::try_from(key).map_err(|error| error.to_string())?;
        let mapping = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let mut reason = "no algorithm for this scheme".to_owned();
        for algorithm in mapping.map_or(&[][..], |(_, algorithms)| algorithms) {
            match key.verify_signature(*algorithm, message, signed.signature()) {
                Ok(()) => return Ok(()),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(reason)
    }
}

impl fmt::Debug for AnyCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCertificate").field("offered", &self.offered).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.take(certificate, signed, |key| self.verify_by_key(key, message, signed))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.take(certificate, signed, |key| {
            verify_tls13_signature_with_raw_key(message, key, signed, &self.algorithms)
                .map(|_valid| ())
                .map_err(|error| error.to_string())
        })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.offered.clone()
    }
}
