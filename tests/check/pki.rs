//! Certificates with every field as a mistake wants it.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, date_time_ymd,
};
use rollover::pki::Certificate;
use rollover::tlsa::{Parameters, Record};

use crate::lab::tool::write_private;

/// A CA, perhaps below another.
pub struct Ca {
    /// What it signs with.
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    certificate: rcgen::Certificate,
    /// The certificates that servers send: its own, and its issuer's where they send that.
    sent: Vec<String>,
}

/// What a server presents.
pub struct Bundle {
    /// Its key.
    key: KeyPair,
    /// Its certificate.
    certificate: rcgen::Certificate,
    /// What it sends after it.
    sent: Vec<String>,
}

/// When a certificate is valid.
#[derive(Clone, Copy)]
pub enum Valid {
    /// For years.
    Now,
    /// It was.
    Formerly,
}

/// The parameters of a CA.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

impl Ca {
    /// A root, which servers send.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority(name);
        let certificate = params.self_signed(&key).expect("a root");
        let sent = vec![certificate.pem()];
        Self { issuer: Issuer::new(params, key), certificate, sent }
    }

    /// A CA below this one, which servers send without this one.
    pub fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority(name);
        let certificate = params.signed_by(&key, &self.issuer).expect("an intermediate");
        let sent = vec![certificate.pem()];
        Self { issuer: Issuer::new(params, key), certificate, sent }
    }

    /// A record of this CA.
    pub fn record(&self, parameters: &str) -> String {
        record(&self.certificate, parameters)
    }

    /// An ECDSA certificate for these names.
    pub fn issue(&self, names: &[&str]) -> Bundle {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        self.issue_for(key, names, Valid::Now)
    }

    /// An RSA certificate for these names.
    pub fn issue_rsa(&self, names: &[&str]) -> Bundle {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        self.issue_for(key, names, Valid::Now)
    }

    /// A certificate for a key.
    pub fn issue_for(&self, key: KeyPair, names: &[&str], valid: Valid) -> Bundle {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names");
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = match valid {
            Valid::Now => date_time_ymd(2044, 1, 1),
            Valid::Formerly => date_time_ymd(2025, 1, 1),
        };
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Bundle { key, certificate, sent: self.sent.clone() }
    }
}

impl Bundle {
    /// The same without anything after the server's certificate.
    pub fn bare(mut self) -> Self {
        self.sent.clear();
        self
    }

    /// A record of the server's certificate.
    pub fn record(&self, parameters: &str) -> String {
        record(&self.certificate, parameters)
    }

    /// Writes key and chain as Postfix wants them.
    pub fn write(&self, path: &Path) {
        self.write_with_key(path, &self.key);
    }

    /// Writes the chain with a key that is another's.
    pub fn write_with_another_key(&self, path: &Path) {
        self.write_with_key(path, &KeyPair::generate().expect("a key"));
    }

    /// Writes the chain with a key.
    fn write_with_key(&self, path: &Path, key: &KeyPair) {
        let text = key.serialize_pem() + &self.certificate.pem() + &self.sent.concat();
        write_private(path, &text);
    }
}

/// A record of a certificate, as a zone file has it.
fn record(certificate: &rcgen::Certificate, parameters: &str) -> String {
    let certificate = Certificate::from_der(certificate.der()).expect("a certificate");
    let parameters: Parameters = parameters.parse().expect("parameters");
    Record::from(parameters.associate(&certificate)).to_string()
}
