//! DNS names, parsed once: a value of this type is a name that can be asked for.
//!
//! Mail hosts' names are ASCII (internationalised ones in their A-label form); comparison ignores
//! case, so names are kept in lower case. A TLSA owner's underscore labels are allowed.

use std::fmt;
use std::str::FromStr;

/// A fully qualified DNS name in lower case, kept without the final dot.
///
/// `Display` writes it as a host is written, without the dot; [`DnsName::absolute`] as a zone file
/// has it. The root is the empty name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DnsName(String);

/// Why a text is not a DNS name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Two dots in a row, or a dot at the start.
    #[error("`{0}` has an empty label")]
    EmptyLabel(String),
    /// A label longer than 63 octets (RFC 1035, section 2.3.4).
    #[error("`{0}` has a label longer than 63 octets")]
    LabelTooLong(String),
    /// More than 253 characters (RFC 1035, section 2.3.4).
    #[error("`{0}` is longer than 253 characters")]
    TooLong(String),
    /// A character that a mail host's name cannot have.
    #[error("`{name}` has the character `{character}`, which a host name cannot have")]
    Character {
        /// The whole text.
        name: String,
        /// The offending character.
        character: char,
    },
}

impl DnsName {
    /// The root of the DNS.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// The name with its final dot, as in a zone file.
    pub fn absolute(&self) -> String {
        format!("{}.", self.0)
    }

    /// The name without the final dot; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name one label up; `None` above the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        Some(Self(self.0.split_once('.').map_or_else(String::new, |(_, parent)| parent.to_owned())))
    }

    /// This name below `label`: `label.self`.
    ///
    /// # Errors
    ///
    /// Where the result would not be a name.
    pub fn child(&self, label: &str) -> Result<Self, NameError> {
        if self.0.is_empty() { label.parse() } else { format!("{label}.{}", self.0).parse() }
    }

    /// Whether this name is `zone` or below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        zone.0.is_empty()
            || self.0 == zone.0
            || self.0.strip_suffix(&zone.0).is_some_and(|rest| rest.ends_with('.'))
    }

    /// The number of labels; zero for the root.
    pub fn label_count(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.0.split('.').count() }
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl FromStr for DnsName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "." {
            return Ok(Self::root());
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() > 253 {
            return Err(NameError::TooLong(text.to_owned()));
        }
        for label in name.split('.') {
            if label.is_empty() {
                return Err(NameError::EmptyLabel(text.to_owned()));
            }
            if label.len() > 63 {
                return Err(NameError::LabelTooLong(text.to_owned()));
            }
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if let Some(character) = label.chars().find(|c| !allowed(*c)) {
                return Err(NameError::Character { name: text.to_owned(), character });
            }
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_final_dot() {
        let name: DnsName = "Mail.Example.NL.".parse().unwrap();
        assert_eq!(name, "mail.example.nl".parse().unwrap());
        assert_eq!(name.absolute(), "mail.example.nl.");
        assert_eq!(DnsName::root().absolute(), ".");
    }

    #[test]
    fn a_name_is_within_its_zone_label_by_label() {
        let name: DnsName = "mail.example.nl".parse().unwrap();
        for (zone, within) in
            [("example.nl", true), ("nl", true), (".", true), ("ample.nl", false), ("x.nl", false)]
        {
            assert_eq!(name.is_within(&zone.parse().unwrap()), within, "{zone}");
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        let long = "a".repeat(64);
        for text in ["", "..", ".nl", "a..nl", "a b.nl", "ü.nl", "*.nl", long.as_str()] {
            assert!(text.parse::<DnsName>().is_err(), "{text}");
        }
    }
}
