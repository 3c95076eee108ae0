//! TSIG keys (RFC 8945) from key files as BIND's `tsig-keygen` writes them.

use std::fmt;
use std::path::Path;

use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};

use super::anchor::base64;
use crate::secret;

/// How far the clocks of client and server may be apart, in seconds (RFC 8945, section 10).
pub(super) const FUDGE: u16 = 300;

/// A key that signs updates.
#[derive(Clone)]
pub struct TsigKey {
    /// Its name, without the final dot.
    name: String,
    /// The library's signer.
    pub(super) signer: TSigner,
}

/// Why a key file cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TsigError {
    /// The file cannot be read, or others can read it.
    #[error("{0}")]
    File(String),
    /// The text is no key clause.
    #[error("{path} is no key file as tsig-keygen writes it: {reason}")]
    Form {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The algorithm is not one that is still safe.
    #[error(
        "{path}: the algorithm `{algorithm}` is not supported; hmac-sha256, hmac-sha384 and \
         hmac-sha512 are"
    )]
    Algorithm {
        /// The file.
        path: String,
        /// What is named there.
        algorithm: String,
    },
}

impl TsigKey {
    /// Reads a key file that nobody else can read.
    ///
    /// # Errors
    ///
    /// Where it cannot be used, with the path.
    pub fn read(path: &Path) -> Result<Self, TsigError> {
        let text = secret::read(path).map_err(|error| TsigError::File(error.to_string()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads the first key clause of a text: `key "NAME" { algorithm A; secret "S"; };`.
    ///
    /// # Errors
    ///
    /// Where it has another form, more than one key, or an algorithm that is not supported.
    pub fn parse(text: &str, path: &str) -> Result<Self, TsigError> {
        let form =
            |reason: &str| TsigError::Form { path: path.to_owned(), reason: reason.to_owned() };
        let words = words(&without_comments(text));
        let mut words = words.iter().map(String::as_str);
        if words.next() != Some("key") {
            return Err(form("it does not begin with `key`"));
        }
        let name = words.next().ok_or_else(|| form("the key has no name"))?.to_owned();
        if words.next() != Some("{") {
            return Err(form("there is no `{` after the key's name"));
        }
        let (mut algorithm, mut secret) = (None, None);
        loop {
            match (words.next(), words.next()) {
                (Some("algorithm"), Some(value)) => algorithm = Some(value.to_ascii_lowercase()),
                (Some("secret"), Some(value)) => secret = Some(value.to_owned()),
                (Some("}"), _) => break,
                (Some(other), _) => {
                    return Err(form(&format!("`{other}` is not expected in a key")));
                }
                (None, _) => return Err(form("there is no `}` after the key")),
            }
            if words.next() != Some(";") {
                return Err(form("there is no `;` after an option of the key"));
            }
        }
        if words.next().is_some() {
            return Err(form("it holds more than one key"));
        }
        let algorithm = algorithm.ok_or_else(|| form("the key has no algorithm"))?;
        let secret = secret.and_then(|text| base64(&text)).filter(|octets| !octets.is_empty());
        let secret = secret.ok_or_else(|| form("the key has no secret in base64"))?;
        let algorithm = match algorithm.trim_end_matches('.') {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            other => {
                let (path, algorithm) = (path.to_owned(), other.to_owned());
                return Err(TsigError::Algorithm { path, algorithm });
            }
        };
        let wire = Name::from_ascii(&name).map_err(|_| form("the key's name is no DNS name"))?;
        let signer = TSigner::new(secret, algorithm, wire, FUDGE)
            .map_err(|error| form(&error.to_string()))?;
        Ok(Self { name: name.trim_end_matches('.').to_owned(), signer })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Shows which key it is, never the key.
impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TsigKey({})", self.name)
    }
}

/// A text without its comments: `//` and `#` to the end of the line, `/* */`.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    while let Some(character) = rest.chars().next() {
        let line = (rest.starts_with("//") || character == '#') && !quoted;
        let block = rest.starts_with("/*") && !quoted;
        if line {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if block {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else {
            quoted ^= character == '"';
            kept.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    kept
}

/// The words of a text: names, quoted strings without their quotes, and `{`, `}`, `;`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                if !quoted {
                    words.push(std::mem::take(&mut word));
                }
            }
            '{' | '}' | ';' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                words.push(character.to_string());
            }
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_tsig_keygen_writes_it() {
        let text = "key \"rollover\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0\";\n};\n";
        let key = TsigKey::parse(text, "k").unwrap();
        assert_eq!(format!("{key:?}"), "TsigKey(rollover)");
        let odd = "# c\n/* x */ key rollover.{algorithm HMAC-SHA512;secret c2VjcmV0;}; // end";
        assert_eq!(TsigKey::parse(odd, "k").unwrap().name(), "rollover");
    }

    #[test]
    fn what_is_no_usable_key_says_why() {
        let error = |text: &str| TsigKey::parse(text, "k").unwrap_err().to_string();
        let form = "k is no key file as tsig-keygen writes it: ";
        assert_eq!(error("zone x {};"), format!("{form}it does not begin with `key`"));
        assert_eq!(error("key a { secret \"c2Vj\"; };"), format!("{form}the key has no algorithm"));
        assert_eq!(
            error("key a { algorithm hmac-md5; secret \"c2Vj\"; };"),
            "k: the algorithm `hmac-md5` is not supported; hmac-sha256, hmac-sha384 and hmac-sha512 are"
        );
        let two = "key a { algorithm hmac-sha256; secret \"c2Vj\"; }; key b { };";
        assert_eq!(error(two), format!("{form}it holds more than one key"));
        assert!(error("key a {").contains("no `}`"));
    }
}
