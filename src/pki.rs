//! Certificates and chains as values: what DANE and operators want to know of them, read once.
//!
//! Reading is lenient on purpose. A server may present a certificate that no authority would sign,
//! and the program must still be able to say which one it is.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::name::DnsName;
use crate::time::Timestamp;

/// A SHA-256 digest.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first four octets in hexadecimal: enough for people to tell keys apart.
    pub fn short(&self) -> String {
        hex(&self.0[..4])
    }

    /// Reads the 64 hexadecimal digits that `Display` writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }
}

/// Written as 64 hexadecimal digits.
impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

/// Octets as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// Octets from hexadecimal digits in either case; `None` if the text is anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

/// One X.509 certificate: its DER and what was read from it. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<CertificateFacts>);

/// What is kept of a certificate.
struct CertificateFacts {
    /// The whole certificate.
    der: Vec<u8>,
    /// The SubjectPublicKeyInfo, as it stands in the certificate.
    spki: Vec<u8>,
    /// The subject's distinguished name, for people.
    subject: String,
    /// The issuer's distinguished name, for people.
    issuer: String,
    /// Whether subject and issuer are the same name.
    self_issued: bool,
    /// The serial number, in hexadecimal.
    serial: String,
    /// The dNSNames of the subject alternative name, as written.
    dns_names: Vec<String>,
    /// The most specific common name of the subject, if any.
    common_name: Option<String>,
    /// The first moment of validity.
    not_before: Timestamp,
    /// The last moment of validity.
    not_after: Timestamp,
}

/// The octets are not an X.509 certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an X.509 certificate: {reason}")]
pub struct CertificateError {
    /// What the parser said.
    reason: String,
}

impl Certificate {
    /// Reads a certificate from its DER.
    ///
    /// # Errors
    ///
    /// Where the octets are not one X.509 certificate, or more follows it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "host names stand in one kind of name")]
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let error = |reason: &dyn fmt::Display| CertificateError { reason: reason.to_string() };
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|e| error(&e))?;
        if !rest.is_empty() {
            return Err(error(&"octets follow the certificate"));
        }
        let dns_names = match parsed.subject_alternative_name() {
            Ok(Some(extension)) => extension
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(text) => Some((*text).to_owned()),
                    _ => None,
                })
                .collect(),
            Ok(None) | Err(_) => Vec::new(),
        };
        let common_name = parsed
            .subject()
            .iter_common_name()
            .last()
            .and_then(|attribute| attribute.as_str().ok())
            .map(str::to_owned);
        Ok(Self(Arc::new(CertificateFacts {
            der: der.to_vec(),
            spki: parsed.public_key().raw.to_vec(),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
            serial: hex(parsed.raw_serial()),
            dns_names,
            common_name,
            not_before: Timestamp::from_seconds(parsed.validity().not_before.timestamp()),
            not_after: Timestamp::from_seconds(parsed.validity().not_after.timestamp()),
        })))
    }

    /// The certificate as it goes over the wire.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as a PEM block (RFC 7468, section 5).
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der()), config)
    }

    /// The DER of the SubjectPublicKeyInfo: what selector SPKI(1) takes (RFC 6698, section 2.1.2).
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the data of a `3 1 1` or `2 1 1` record.
    pub fn spki_sha256(&self) -> Sha256Digest {
        Sha256Digest::of(&self.0.spki)
    }

    /// The subject's name, for people.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The issuer's name, for people.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether subject and issuer are the same name, as in a root.
    pub fn is_self_issued(&self) -> bool {
        self.0.self_issued
    }

    /// The serial number, in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// The dNSNames of the subject alternative name, as written; wildcards included.
    pub fn dns_names(&self) -> &[String] {
        &self.0.dns_names
    }

    /// The most specific common name of the subject.
    pub fn common_name(&self) -> Option<&str> {
        self.0.common_name.as_deref()
    }

    /// Whether it names `host`: by a dNSName, a wildcard standing for exactly the leftmost label, or
    /// by its common name where it has no dNSName (RFC 7672, section 3.2.3).
    pub fn is_valid_for(&self, host: &DnsName) -> bool {
        let matches = |pattern: &str| match pattern.strip_prefix("*.") {
            Some(rest) => host.parent().is_some_and(|parent| rest.parse() == Ok(parent)),
            None => pattern.parse().as_ref() == Ok(host),
        };
        match self.0.dns_names.as_slice() {
            [] => self.0.common_name.as_deref().is_some_and(matches),
            names => names.iter().any(|name| matches(name)),
        }
    }

    /// The first moment of validity.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last moment of validity.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, key {})", self.0.subject, self.spki_sha256().short())
    }
}

/// What tells one chain from another: SHA-256 over its certificates in order.
///
/// The same leaf sent without its CA is another chain: DANE-TA(2) judges it differently.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChainId(pub Sha256Digest);

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A certificate chain as a server sends it, the server's own certificate first. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// Never empty.
    certificates: Arc<[Certificate]>,
    /// Computed once.
    id: ChainId,
}

impl Chain {
    /// A chain of these certificates; `None` if there is none.
    pub fn new(certificates: Vec<Certificate>) -> Option<Self> {
        if certificates.is_empty() {
            return None;
        }
        let all: Vec<u8> = certificates.iter().flat_map(|c| c.der()).copied().collect();
        Some(Self { certificates: certificates.into(), id: ChainId(Sha256Digest::of(&all)) })
    }

    /// Reads a chain from the DER of its certificates.
    ///
    /// # Errors
    ///
    /// Where one is not a certificate, or there is none.
    pub fn from_der<D: AsRef<[u8]>>(certificates: &[D]) -> Result<Self, CertificateError> {
        let parsed: Result<Vec<_>, _> =
            certificates.iter().map(|der| Certificate::from_der(der.as_ref())).collect();
        Self::new(parsed?).ok_or_else(|| CertificateError { reason: "the chain is empty".into() })
    }

    /// What tells this chain from another.
    pub fn id(&self) -> ChainId {
        self.id
    }

    /// All certificates, in the order sent.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The server's own certificate.
    pub fn leaf(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The certificates as PEM blocks, in the order sent.
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(Certificate::to_pem).collect()
    }

    /// What follows the server's own certificate.
    pub fn authorities(&self) -> &[Certificate] {
        &self.certificates[1..]
    }
}

/// The kinds of key that a host's certificates can have.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyType {
    /// ECDSA on NIST P-256: the default.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// The families of signature that a TLS client can offer apart from each other.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyFamily {
    /// Any elliptic curve.
    Ecdsa,
    /// RSA of any size.
    Rsa,
}

impl KeyType {
    /// Every key type.
    pub const ALL: [Self; 5] =
        [Self::EcdsaP256, Self::EcdsaP384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    /// The key type with this name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key_type| key_type.as_str() == name)
    }

    /// The key type of a SubjectPublicKeyInfo; `None` where it is none that a host can have.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other kinds of key are none that a host can have"
    )]
    pub fn of_spki(spki: &[u8]) -> Option<Self> {
        use x509_parser::public_key::PublicKey;
        let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki).ok()?;
        match info.parsed().ok()? {
            PublicKey::EC(point) if point.key_size() == 256 => Some(Self::EcdsaP256),
            PublicKey::EC(point) if point.key_size() == 384 => Some(Self::EcdsaP384),
            PublicKey::RSA(key) => match key.key_size() {
                2048 => Some(Self::Rsa2048),
                3072 => Some(Self::Rsa3072),
                4096 => Some(Self::Rsa4096),
                _ => None,
            },
            _ => None,
        }
    }

    /// The family that a client offers to be shown a certificate of this type.
    pub fn family(self) -> KeyFamily {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 => KeyFamily::Ecdsa,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => KeyFamily::Rsa,
        }
    }
}

impl KeyFamily {
    /// The family of the key in a SubjectPublicKeyInfo, whatever its size or curve; `None` for
    /// other octets, and for keys that sign in another way.
    pub fn of_spki(spki: &[u8]) -> Option<Self> {
        use x509_parser::oid_registry as oid;
        let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki).ok()?;
        let algorithm = &info.algorithm.algorithm;
        if *algorithm == oid::OID_PKCS1_RSAENCRYPTION || *algorithm == oid::OID_PKCS1_RSASSAPSS {
            Some(Self::Rsa)
        } else if *algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY
            || *algorithm == oid::OID_SIG_ED25519
        {
            Some(Self::Ecdsa)
        } else {
            None
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for KeyFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        })
    }
}
