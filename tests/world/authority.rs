//! CAs of the world: they sign at once, and one of them changes its key without a word.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rollover::keys::PrivateKey;
use rollover::pki::{Certificate, Chain};

/// A CA.
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    /// What signs.
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A CA of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("it signs itself");
        let certificate = Certificate::from_der(certificate.der()).expect("a certificate");
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    /// A chain for a key: the server's own certificate and this CA's.
    pub fn issue(&self, key: &PrivateKey, serial: u64) -> Chain {
        let pair = KeyPair::from_pem(key.pem()).expect("a key");
        let mut parameters =
            CertificateParams::new(vec!["mail.example.nl".to_owned()]).expect("a name");
        parameters.serial_number = Some(serial.into());
        let leaf = parameters.signed_by(&pair, &self.issuer).expect("it signs");
        let leaf = Certificate::from_der(leaf.der()).expect("a certificate");
        Chain::new(vec![leaf, self.certificate.clone()]).expect("two certificates")
    }
}
