//! lego's DNS provider `httpreq`: what its requests mean.
//!
//! It posts JSON to `ENDPOINT/present` and `ENDPOINT/cleanup`: `{"fqdn", "value"}`, or with
//! `HTTPREQ_MODE=RAW` `{"domain", "token", "keyAuth"}`; with a user's name and password by HTTP's basic
//! authentication where it has them. They mean what the arguments of its provider `exec` mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::call::{Call, CallError, Surroundings};
use super::lego;

/// What a request has to hold.
const FIELDS: &str = "`fqdn` and `value`, or `domain`, `token` and `keyAuth`, as JSON";

/// A request's body, of either mode.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    /// Where the record goes.
    fqdn: String,
    /// Its text.
    value: String,
    /// The name over which control is proved.
    domain: String,
    /// The CA's token.
    token: String,
    /// What the record's text is a digest of.
    key_auth: String,
}

/// What a request means.
///
/// # Errors
///
/// Where it is none of the provider's.
pub fn requested(path: &str, body: &[u8]) -> Result<Call, CallError> {
    let operation = match path {
        "/present" => "present",
        "/cleanup" => "cleanup",
        _ => {
            let known = "/present and /cleanup";
            return Err(CallError::Unknown { word: path.to_owned(), known });
        }
    };
    let body: Body = serde_json::from_slice(body).map_err(|_| CallError::NoArgument(FIELDS))?;
    let words = match body.fqdn.is_empty() {
        false => vec![operation, &body.fqdn, &body.value],
        true => vec![operation, "--", &body.domain, &body.token, &body.key_auth],
    };
    let arguments: Vec<String> = words.into_iter().map(str::to_owned).collect();
    if arguments.iter().any(String::is_empty) {
        return Err(CallError::NoArgument(FIELDS));
    }
    lego::understand(&Surroundings { arguments, ..Surroundings::default() })
}

/// Who may ask: a user's name and password, of which a digest is kept.
#[derive(Clone)]
pub struct Visitor([u8; 32]);

impl Visitor {
    /// The user of this name and password.
    pub fn new(name: &str, password: &str) -> Self {
        let pair = Zeroizing::new(format!("{name}:{password}"));
        let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        Self(Sha256::digest(header.as_bytes()).into())
    }

    /// Whether a request with this `Authorization` is his. Digests are compared: how long it takes says
    /// nothing about the password.
    pub fn is(&self, authorization: &[u8]) -> bool {
        self.0 == <[u8; 32]>::from(Sha256::digest(authorization))
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::{Operation, tests::domains};
    use super::*;

    #[test]
    fn both_modes_are_understood() {
        let plain = br#"{"fqdn":"_acme-challenge.mail.example.nl.","value":"LHDhK3oG"}"#;
        assert_eq!(
            domains(&requested("/present", plain).unwrap()),
            ["_acme-challenge.mail.example.nl"]
        );
        let raw = br#"{"domain":"mail.example.nl","token":"token","keyAuth":"hello world"}"#;
        let Call::Challenges(proofs) = requested("/cleanup", raw).unwrap() else {
            panic!("no proof");
        };
        assert_eq!(proofs[0].value, "uU0nuZNNPgilLlLX2n2r-sSE7-N6U4DukIj3rOLvzek");
        assert_eq!(proofs[0].operation, Operation::Remove);
    }

    #[test]
    fn what_is_no_request_of_the_provider_is_refused() {
        let whole = br#"{"fqdn":"_acme-challenge.mail.example.nl.","value":"LHDhK3oG"}"#;
        assert!(requested("/", whole).is_err());
        assert!(requested("/present/", whole).is_err());
        for body in [&b""[..], b"{}", b"[]", b"null", br#"{"fqdn":"a.nl."}"#, br#"{"fqdn":1}"#] {
            let error = requested("/present", body).unwrap_err();
            assert_eq!(error, CallError::NoArgument(FIELDS), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_visitor_has_a_name_and_a_password() {
        let visitor = Visitor::new("Aladdin", "open sesame");
        // The example of RFC 7617, section 2.
        assert!(visitor.is(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        for other in ["", "Basic ", "Basic QWxhZGRpbjo=", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] {
            assert!(!visitor.is(other.as_bytes()), "{other}");
        }
    }
}
