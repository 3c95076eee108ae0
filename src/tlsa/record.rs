//! One TLSA record: its parameters, what it asserts, and why it may be of no use.
//!
//! What is read from the DNS is a [`Record`], whatever its numbers. What the program means to
//! publish is an [`Association`], which only usages 2 and 3 can express: SMTP clients do not use
//! the others (RFC 7672, section 3.1.3).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256, Sha512};

use crate::pki::{Certificate, hex, unhex};

/// How a record's data is to be used ([RFC 6698, section 2.1.1], names of RFC 7218).
///
/// [RFC 6698, section 2.1.1]: https://www.rfc-editor.org/rfc/rfc6698#section-2.1.1
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Usage {
    /// DANE-TA(2): a trust anchor that the server's chain must lead to.
    DaneTa,
    /// DANE-EE(3): the server's own certificate or key.
    DaneEe,
}

/// Which part of a certificate is meant ([RFC 6698, section 2.1.2]).
///
/// [RFC 6698, section 2.1.2]: https://www.rfc-editor.org/rfc/rfc6698#section-2.1.2
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Selector {
    /// Cert(0): the whole certificate.
    Cert,
    /// SPKI(1): its SubjectPublicKeyInfo.
    Spki,
}

/// How that part is presented ([RFC 6698, section 2.1.3]).
///
/// [RFC 6698, section 2.1.3]: https://www.rfc-editor.org/rfc/rfc6698#section-2.1.3
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MatchingType {
    /// Full(0): as it is.
    Full,
    /// SHA2-256(1).
    Sha2_256,
    /// SHA2-512(2).
    Sha2_512,
}

impl Usage {
    /// The number in the record.
    pub fn number(self) -> u8 {
        match self {
            Self::DaneTa => 2,
            Self::DaneEe => 3,
        }
    }
}

impl Selector {
    /// The number in the record.
    pub fn number(self) -> u8 {
        match self {
            Self::Cert => 0,
            Self::Spki => 1,
        }
    }

    /// The selected part of a certificate.
    pub fn select(self, certificate: &Certificate) -> &[u8] {
        match self {
            Self::Cert => certificate.der(),
            Self::Spki => certificate.spki(),
        }
    }
}

impl MatchingType {
    /// The number in the record.
    pub fn number(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Sha2_256 => 1,
            Self::Sha2_512 => 2,
        }
    }

    /// The data that a record of this type holds for `selected`.
    pub fn present(self, selected: &[u8]) -> Vec<u8> {
        match self {
            Self::Full => selected.to_vec(),
            Self::Sha2_256 => Sha256::digest(selected).to_vec(),
            Self::Sha2_512 => Sha512::digest(selected).to_vec(),
        }
    }

    /// The length of the data in octets, where the type fixes it.
    fn data_length(self) -> Option<usize> {
        match self {
            Self::Full => None,
            Self::Sha2_256 => Some(32),
            Self::Sha2_512 => Some(64),
        }
    }
}

/// The parameters of a TLSA record that mail clients make use of, written as in a zone: `3 1 1`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Parameters {
    /// Whose data it is.
    pub usage: Usage,
    /// Which part of the certificate.
    pub selector: Selector,
    /// How that part is presented.
    pub matching_type: MatchingType,
}

impl Parameters {
    /// `3 1 1`: the server's own key, by SHA-256.
    pub const EE_SPKI_SHA256: Self = Self {
        usage: Usage::DaneEe,
        selector: Selector::Spki,
        matching_type: MatchingType::Sha2_256,
    };
    /// `2 1 1`: the trust anchor's key, by SHA-256.
    pub const TA_SPKI_SHA256: Self = Self { usage: Usage::DaneTa, ..Self::EE_SPKI_SHA256 };

    /// What a record with these parameters says of `certificate`.
    pub fn associate(self, certificate: &Certificate) -> Association {
        let data = self.matching_type.present(self.selector.select(certificate));
        Association { parameters: self, data }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usage, selector, matching_type } = self;
        write!(f, "{} {} {}", usage.number(), selector.number(), matching_type.number())
    }
}

/// Why a text is not the parameters of a useful record.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// Not three numbers.
    #[error("`{0}` is not three numbers such as `3 1 1`: usage, selector, matching type")]
    Form(String),
    /// Mail clients do not use such a record.
    #[error("`{text}` is of no use to mail clients: {reason}")]
    Unusable {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: Unusable,
    },
}

impl FromStr for Parameters {
    type Err = ParametersError;

    fn from_str(text: &str) -> Result<Self, ParametersError> {
        let form = || ParametersError::Form(text.to_owned());
        let fields: Result<Vec<u8>, _> = text.split_ascii_whitespace().map(str::parse).collect();
        let fields = fields.map_err(|_| form())?;
        let [usage, selector, matching_type] = fields[..] else {
            return Err(form());
        };
        Self::from_numbers(usage, selector, matching_type)
            .map_err(|reason| ParametersError::Unusable { text: text.to_owned(), reason })
    }
}

impl Parameters {
    /// The parameters with these numbers.
    ///
    /// # Errors
    ///
    /// Where mail clients make no use of them (RFC 7672, section 3.1).
    pub fn from_numbers(usage: u8, selector: u8, matching_type: u8) -> Result<Self, Unusable> {
        let usage = match usage {
            2 => Usage::DaneTa,
            3 => Usage::DaneEe,
            0 | 1 => return Err(Unusable::PkixUsage { usage }),
            _ => return Err(Unusable::UnknownUsage { usage }),
        };
        let selector = match selector {
            0 => Selector::Cert,
            1 => Selector::Spki,
            _ => return Err(Unusable::UnknownSelector { selector }),
        };
        let matching_type = match matching_type {
            0 => MatchingType::Full,
            1 => MatchingType::Sha2_256,
            2 => MatchingType::Sha2_512,
            _ => return Err(Unusable::UnknownMatchingType { matching_type }),
        };
        Ok(Self { usage, selector, matching_type })
    }
}

/// What a usable record asserts: parameters, and the data that a certificate must have.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Association {
    /// How the data is to be used.
    pub parameters: Parameters,
    /// The certificate association data ([RFC 6698, section 2.1.4]).
    ///
    /// [RFC 6698, section 2.1.4]: https://www.rfc-editor.org/rfc/rfc6698#section-2.1.4
    pub data: Vec<u8>,
}

impl Association {
    /// Whether `certificate` has the data, whatever its place in a chain.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        let selected = self.parameters.selector.select(certificate);
        match self.parameters.matching_type {
            MatchingType::Full => self.data == selected,
            MatchingType::Sha2_256 | MatchingType::Sha2_512 => {
                self.data == self.parameters.matching_type.present(selected)
            }
        }
    }
}

/// A TLSA record as it stands in the DNS, usable or not.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Record {
    /// The certificate usage, as a number.
    pub usage: u8,
    /// The selector, as a number.
    pub selector: u8,
    /// The matching type, as a number.
    pub matching_type: u8,
    /// The certificate association data.
    pub data: Vec<u8>,
}

impl Record {
    /// What the record asserts.
    ///
    /// # Errors
    ///
    /// Why clients leave the record out of account (RFC 7671, section 4; RFC 7672, section 3.1).
    pub fn association(&self) -> Result<Association, Unusable> {
        let parameters = Parameters::from_numbers(self.usage, self.selector, self.matching_type)?;
        let expected = parameters.matching_type.data_length();
        if expected.is_some_and(|expected| expected != self.data.len()) || self.data.is_empty() {
            return Err(Unusable::DataLength { found: self.data.len() });
        }
        Ok(Association { parameters, data: self.data.clone() })
    }
}

impl From<Association> for Record {
    fn from(association: Association) -> Self {
        let Parameters { usage, selector, matching_type } = association.parameters;
        Self {
            usage: usage.number(),
            selector: selector.number(),
            matching_type: matching_type.number(),
            data: association.data,
        }
    }
}

/// Written as in a zone file: `3 1 1 0a1b...`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usage, selector, matching_type, data } = self;
        write!(f, "{usage} {selector} {matching_type} {}", hex(data))
    }
}

/// The text is not a TLSA record as a zone file has it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a TLSA record such as `3 1 1 0123...`")]
pub struct RecordError(String);

/// Reads a record as a zone file has it; the hexadecimal data may be in several parts.
impl FromStr for Record {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let error = || RecordError(text.to_owned());
        let mut fields = text.split_ascii_whitespace();
        let mut number =
            || fields.next().and_then(|field| field.parse::<u8>().ok()).ok_or_else(error);
        let (usage, selector, matching_type) = (number()?, number()?, number()?);
        let data = unhex(&fields.collect::<String>()).ok_or_else(error)?;
        Ok(Self { usage, selector, matching_type, data })
    }
}

/// Why clients leave a record out of account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// PKIX-TA(0) or PKIX-EE(1).
    #[error(
        "usage {usage} needs the public PKI, which SMTP clients do not use (RFC 7672, section 3.1.3)"
    )]
    PkixUsage {
        /// The number found.
        usage: u8,
    },
    /// A usage that nobody defined.
    #[error("usage {usage} is not defined")]
    UnknownUsage {
        /// The number found.
        usage: u8,
    },
    /// A selector that nobody defined.
    #[error("selector {selector} is not defined")]
    UnknownSelector {
        /// The number found.
        selector: u8,
    },
    /// A matching type that nobody defined.
    #[error("matching type {matching_type} is not defined")]
    UnknownMatchingType {
        /// The number found.
        matching_type: u8,
    },
    /// Data that cannot be a digest of that type, or none at all.
    #[error("its data has {found} octets, which is not the length of that digest")]
    DataLength {
        /// The number of octets found.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_a_zone_has_them() {
        assert_eq!("3 1 1".parse(), Ok(Parameters::EE_SPKI_SHA256));
        assert_eq!("2  1 1".parse(), Ok(Parameters::TA_SPKI_SHA256));
        for text in ["", "3 1", "3 1 1 1", "3 1 x", "0 1 1", "1 1 1", "4 1 1", "3 2 1", "3 1 3"] {
            assert!(text.parse::<Parameters>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_record_is_written_as_it_is_read() {
        let text = format!("3 1 1 {}", "ab".repeat(32));
        let record: Record = text.parse().unwrap();
        assert_eq!(record.to_string(), text);
        assert!(record.association().is_ok());
        let upper: Record =
            format!("3 1 1 {} {}", "AB".repeat(16), "AB".repeat(16)).parse().unwrap();
        assert_eq!(upper, record);
    }

    #[test]
    fn a_record_that_clients_leave_out_says_why() {
        let reason = |text: &str| text.parse::<Record>().unwrap().association().unwrap_err();
        assert_eq!(reason("1 1 1 00"), Unusable::PkixUsage { usage: 1 });
        assert_eq!(reason("9 1 1 00"), Unusable::UnknownUsage { usage: 9 });
        assert_eq!(reason("3 7 1 00"), Unusable::UnknownSelector { selector: 7 });
        assert_eq!(reason("3 1 7 00"), Unusable::UnknownMatchingType { matching_type: 7 });
        assert_eq!(reason("3 1 1 00"), Unusable::DataLength { found: 1 });
        assert_eq!(reason("3 1 0"), Unusable::DataLength { found: 0 });
    }
}
