//! The sender's own judgement: does a TLSA record accept what a server presents?
//!
//! A second, small reading of RFC 7671 and RFC 7672, which shares nothing with `tlsa`, by which
//! rollovers are decided: were that wrong, this would not be wrong in the same way. It knows what
//! the demonstration needs: usages 2 and 3 with digests, and certificates that are sent.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest as _, Sha256, Sha512};
use webpki::{EndEntityCert, KeyUsage};

use crate::tlsa::{Record, TlsaRrset};

/// Whether `record` accepts `chain`, the server's own certificate first, for `host` at `now`.
pub(super) fn accepts(
    record: &Record,
    chain: &[CertificateDer<'_>],
    host: &ServerName<'_>,
    now: UnixTime,
) -> bool {
    let Some((own, authorities)) = chain.split_first() else { return false };
    match record.usage {
        // DANE-EE: the key alone counts, neither names nor dates (RFC 7671, section 5.1).
        3 => names(record, own),
        // DANE-TA: a path to the anchor, dates and the name (RFC 7671, section 5.2).
        2 => authorities
            .iter()
            .filter(|authority| names(record, authority))
            .any(|anchor| leads_to(anchor, own, authorities, host, now)),
        _ => false,
    }
}

/// Whether `record` holds the digest of `certificate` or of its key.
fn names(record: &Record, certificate: &CertificateDer<'_>) -> bool {
    let selected = match record.selector {
        0 => certificate.to_vec(),
        1 => match EndEntityCert::try_from(certificate) {
            Ok(parsed) => parsed.subject_public_key_info().to_vec(),
            Err(_) => return false,
        },
        _ => return false,
    };
    match record.matching_type {
        1 => Sha256::digest(&selected).as_slice() == record.data.as_slice(),
        2 => Sha512::digest(&selected).as_slice() == record.data.as_slice(),
        _ => false,
    }
}

/// Whether the server's own certificate is valid for `host` under `anchor`.
fn leads_to(
    anchor: &CertificateDer<'_>,
    own: &CertificateDer<'_>,
    authorities: &[CertificateDer<'_>],
    host: &ServerName<'_>,
    now: UnixTime,
) -> bool {
    let Ok(trusted) = webpki::anchor_from_trusted_cert(anchor) else { return false };
    let Ok(own) = EndEntityCert::try_from(own) else { return false };
    let usage = KeyUsage::server_auth();
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    own.verify_for_usage(algorithms, &[trusted], authorities, now, usage, None, None).is_ok()
        && own.verify_is_valid_for_subject_name(host).is_ok()
}

/// How a handshake ends in which no record accepts what is presented.
pub(super) fn refusal() -> Error {
    CertificateError::ApplicationVerificationFailure.into()
}

/// A TLS client that goes on only where some record of `rrset` accepts what is presented.
///
/// # Errors
///
/// Where the library finds that these settings cannot work together.
pub(super) fn client(rrset: TlsaRrset) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(DaneVerifier { rrset, provider: Arc::clone(&provider) });
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Each delivery shall look at a certificate.
    client.resumption = Resumption::disabled();
    Ok(client)
}

/// Accepts what some record accepts.
#[derive(Debug)]
struct DaneVerifier {
    /// What a cache holds.
    rrset: TlsaRrset,
    /// How signatures are checked.
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DaneVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut chain = vec![end_entity.clone()];
        chain.extend_from_slice(intermediates);
        match self.rrset.records.iter().any(|record| accepts(record, &chain, server_name, now)) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(refusal()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::pki::Certificate;
    use crate::tlsa::Parameters;

    /// 2026-01-01 and 2036-01-01.
    const TIMES: [u64; 2] = [1_767_225_600, 2_082_758_400];

    /// A server's certificate for `mail.example.nl`, valid until 2030, and its CA's.
    fn chain() -> Vec<CertificateDer<'static>> {
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&ca_key).unwrap();
        let mut params = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let own = params.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
        vec![own.der().clone(), authority.der().clone()]
    }

    /// The record with these parameters for a certificate.
    fn record(parameters: &str, certificate: &CertificateDer<'_>) -> Record {
        let parameters: Parameters = parameters.parse().unwrap();
        parameters.associate(&Certificate::from_der(certificate).unwrap()).into()
    }

    /// Whether a record accepts a chain for a name, in 2026 and in 2036.
    fn verdicts(record: &Record, chain: &[CertificateDer<'_>], host: &str) -> [bool; 2] {
        let host = ServerName::try_from(host.to_owned()).unwrap();
        TIMES.map(|seconds| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            accepts(record, chain, &host, now)
        })
    }

    #[test]
    fn the_servers_own_record_counts_whatever_name_and_date() {
        let chain = chain();
        for parameters in ["3 1 1", "3 1 2", "3 0 1", "3 0 2"] {
            let own = record(parameters, &chain[0]);
            assert_eq!(verdicts(&own, &chain, "other.example"), [true, true], "{parameters}");
            let cas = record(parameters, &chain[1]);
            assert_eq!(verdicts(&cas, &chain, "mail.example.nl"), [false, false], "{parameters}");
        }
    }

    #[test]
    fn the_cas_record_counts_with_name_date_path_and_the_ca_sent() {
        let (ours, others) = (chain(), chain());
        for parameters in ["2 1 1", "2 1 2", "2 0 1", "2 0 2"] {
            let ca = record(parameters, &ours[1]);
            assert_eq!(verdicts(&ca, &ours, "mail.example.nl"), [true, false], "{parameters}");
            assert_eq!(verdicts(&ca, &ours, "other.example"), [false, false], "{parameters}");
            assert_eq!(verdicts(&ca, &ours[..1], "mail.example.nl"), [false, false]);
            // Another CA's certificate, and beside it ours, which did not sign it.
            let mixed = [others[0].clone(), ours[1].clone()];
            assert_eq!(verdicts(&ca, &mixed, "mail.example.nl"), [false, false]);
            let own = record(parameters, &ours[0]);
            assert_eq!(verdicts(&own, &ours, "mail.example.nl"), [false, false]);
        }
    }

    #[test]
    fn other_usages_and_nonsense_accept_nothing() {
        let chain = chain();
        let good = record("3 1 1", &chain[0]);
        for (usage, selector, matching_type) in [(0, 1, 1), (1, 1, 1), (3, 2, 1), (3, 1, 3)] {
            let bad = Record { usage, selector, matching_type, data: good.data.clone() };
            assert_eq!(verdicts(&bad, &chain, "mail.example.nl"), [false, false]);
        }
        assert_eq!(verdicts(&good, &[], "mail.example.nl"), [false, false]);
    }
}
