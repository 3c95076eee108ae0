//! A TLS handshake that takes whatever certificate is presented, and says which.
//!
//! Only the handshake's own signature is checked, against the key presented: so the server is known
//! to hold the key, and nothing is asked of names, dates or issuers. To see each certificate of a
//! server that has two, only signatures of one family are offered.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyFamily};
use crate::ports::Protocol;

/// What a handshake showed.
#[derive(Debug)]
pub(super) struct Handshake {
    /// The chain presented.
    pub(super) chain: Chain,
    /// The version of TLS.
    pub(super) version: &'static str,
}

/// Why a handshake showed nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The server has no certificate whose signatures were offered.
    #[error("it has no certificate of this family")]
    NoCertificate,
    /// TLS failed in another way.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// What was presented could not be read.
    #[error("it presents something that is {0}")]
    Certificate(String),
}

/// Makes a handshake over a connection on which TLS may begin.
pub(super) async fn look(
    stream: TcpStream,
    name: Option<&DnsName>,
    family: KeyFamily,
    protocol: Protocol,
) -> Result<Handshake, HandshakeError> {
    let verifier = Arc::new(AnyCertificate { family });
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider(family)))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| HandshakeError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.enable_sni = name.is_some();
    config.resumption = rustls::client::Resumption::disabled();
    // Without SNI the name is not sent; one is needed all the same.
    let sent = name.map_or("no-sni.invalid", DnsName::as_str).to_owned();
    let sent =
        ServerName::try_from(sent).map_err(|error| HandshakeError::Tls(error.to_string()))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(sent, stream).await;
    let mut tls = connected.map_err(|error| explain(&error))?;
    let (_, session) = tls.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(_) | None => "another TLS",
    };
    let presented = session.peer_certificates().unwrap_or_default();
    let chain = Chain::from_der(presented);
    if protocol == Protocol::Smtp {
        // A server that is left without a word logs it.
        let _ = tls.write_all(b"QUIT\r\n").await;
    }
    let _ = tls.shutdown().await;
    let chain = chain.map_err(|error| HandshakeError::Certificate(error.to_string()))?;
    if !is_of_family(chain.leaf(), family) {
        // Some servers present the only certificate they have, whatever was offered.
        return Err(HandshakeError::NoCertificate);
    }
    Ok(Handshake { chain, version })
}

/// Whether a certificate's key is of this family. Keys of neither (Ed25519) count as ECDSA's.
fn is_of_family(leaf: &Certificate, family: KeyFamily) -> bool {
    /// The object identifier rsaEncryption, 1.2.840.113549.1.1.1, in DER.
    const RSA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let head = leaf.spki().get(..40).unwrap_or_else(|| leaf.spki());
    let rsa = head.windows(RSA.len()).any(|window| window == RSA);
    rsa == (family == KeyFamily::Rsa)
}

/// What became of a handshake that failed.
fn explain(error: &std::io::Error) -> HandshakeError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::UnsupportedCertificate,
        )) => HandshakeError::NoCertificate,
        Some(other) => HandshakeError::Tls(other.to_string()),
        None => HandshakeError::Tls(error.to_string()),
    }
}

/// The cryptography with which one family alone can authenticate a server: its cipher suites of
/// TLS 1.2, and all of TLS 1.3, where the signature schemes decide.
#[expect(clippy::wildcard_enum_match_arm, reason = "the suites of TLS 1.3 name no family")]
fn provider(family: KeyFamily) -> rustls::crypto::CryptoProvider {
    use rustls::CipherSuite as Suite;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| match suite.suite() {
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => family == KeyFamily::Ecdsa,
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        | Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        | Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => family == KeyFamily::Rsa,
        _ => true,
    });
    provider
}

/// Accepts any certificate, and any signature that its key made.
#[derive(Debug)]
struct AnyCertificate {
    /// The family whose signatures are offered.
    family: KeyFamily,
}

/// The schemes of a family, the usual ones first.
fn schemes(family: KeyFamily) -> Vec<SignatureScheme> {
    match family {
        KeyFamily::Ecdsa => vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
        ],
        KeyFamily::Rsa => vec![
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
        ],
    }
}

/// The verification algorithms, made once.
fn algorithms() -> &'static rustls::crypto::WebPkiSupportedAlgorithms {
    static ALGORITHMS: OnceLock<rustls::crypto::WebPkiSupportedAlgorithms> = OnceLock::new();
    ALGORITHMS.get_or_init(|| aws_lc_rs::default_provider().signature_verification_algorithms)
}

/// Checks a signature against the key in a certificate, which may be a certificate that no path
/// could be built from: version 1, expired, or odd in another way.
fn check(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let invalid = |reason: &dyn fmt::Display| Error::General(reason.to_string());
    let parsed = Certificate::from_der(certificate).map_err(|error| invalid(&error))?;
    let key = SubjectPublicKeyInfoDer::from(parsed.spki());
    let entity = webpki::RawPublicKeyEntity::try_from(&key).map_err(|error| invalid(&error))?;
    let (_, candidates) = algorithms()
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signature.scheme)
        .ok_or_else(|| invalid(&"a signature scheme that was not offered"))?;
    let valid = candidates.iter().any(|algorithm| {
        entity.verify_signature(*algorithm, message, signature.signature()).is_ok()
    });
    if valid {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(invalid(&"the handshake is not signed by the key that is presented"))
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
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes(self.family)
    }
}
