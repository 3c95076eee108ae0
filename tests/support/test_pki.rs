//! Certificates for tests: every field as a test wants it, dates around one fixed moment.
//!
//! Shared by unit tests and by tests of the whole crate, so it hands out DER and knows no type of
//! the crate.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking, and uses the part of this file that it needs"
)]

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// The moment at which tests judge chains: 2026-06-01T00:00:00Z.
pub const NOW: i64 = 1_780_272_000;

/// A new P-256 key.
pub fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// A CA of this name, valid from 2024 until 2032.
pub fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2032, 1, 1);
    params
}

/// A server's certificate for these names, valid from 2026-05-01 until 2026-08-01.
pub fn server(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2026, 5, 1);
    params.not_after = date_time_ymd(2026, 8, 1);
    params
}

/// The same, valid only until 2026-05-20, which is before [`NOW`].
pub fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2026, 5, 20);
    params
}

/// The certificate of `key`, signed by itself.
pub fn self_signed(params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
    params.self_signed(key).unwrap().der().to_vec()
}

/// The certificate of `key`, signed by `issuer`.
pub fn signed(
    params: &CertificateParams,
    key: &KeyPair,
    issuer: (&CertificateParams, &KeyPair),
) -> Vec<u8> {
    let issuer = Issuer::from_params(issuer.0, issuer.1);
    params.signed_by(key, &issuer).unwrap().der().to_vec()
}
