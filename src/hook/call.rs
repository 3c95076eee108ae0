//! What a call can mean, whichever client makes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::name::{DnsName, NameError};

/// The label below which dns-01 has its records (RFC 8555, section 8.4).
const LABEL: &str = "_acme-challenge";

/// How long a proof can be: one string of a TXT record.
const PROOF_MAX: usize = 255;

/// An ACME client that calls hooks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client {
    /// acme.sh
    AcmeSh,
    /// certbot
    Certbot,
    /// dehydrated
    Dehydrated,
    /// lego
    Lego,
    /// uacme
    Uacme,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 5] =
        [Self::AcmeSh, Self::Certbot, Self::Dehydrated, Self::Lego, Self::Uacme];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AcmeSh => "acme.sh",
            Self::Certbot => "certbot",
            Self::Dehydrated => "dehydrated",
            Self::Lego => "lego",
            Self::Uacme => "uacme",
        }
    }

    /// The client of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.as_str() == name)
    }
}

/// What a hook was called with.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The arguments after the client's name.
    pub arguments: Vec<String>,
    /// The environment. A variable that is empty counts as not set.
    pub variables: BTreeMap<String, String>,
}

impl Surroundings {
    /// A variable that is set.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that names a file.
    pub(super) fn file(&self, name: &'static str) -> Result<PathBuf, CallError> {
        self.variable(name).map(PathBuf::from).ok_or(CallError::NoVariable(name))
    }

    /// An argument by its place, and what it is called where it is missing.
    pub(super) fn argument(&self, place: usize, what: &'static str) -> Result<&str, CallError> {
        let argument = self.arguments.get(place).map(String::as_str);
        argument.filter(|text| !text.is_empty()).ok_or(CallError::NoArgument(what))
    }
}

/// What a call means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Call {
    /// A certificate is there.
    Certificate(Obtained),
    /// Control over names is to be proved, or the proofs are to be removed.
    Challenges(Vec<Challenge>),
    /// It is about a proof, or about a certificate: nothing tells which, and to do both does no harm.
    Either(Challenge, Obtained),
    /// Nothing is to be done, and the client wants to hear that all is well.
    Nothing,
    /// The client offers a kind of proof that is not ours, and wants to be told so.
    Decline,
}

/// A certificate that a client has obtained, as files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obtained {
    /// The private key.
    pub key: PathBuf,
    /// The certificate and its chain, in one file or several.
    pub chain: Vec<PathBuf>,
    /// Where the client keeps the key of its next certificate, if it prepares one; the file need not
    /// be there.
    pub next_key: Option<PathBuf>,
    /// On which occasion it is mentioned.
    pub occasion: Occasion,
}

/// On which occasion a client mentions a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// It is new, or somebody wants it to be taken.
    New,
    /// It is about to become the client's current one; the client calls once more when it is.
    Syncing,
    /// It is what it was: the client mentions it at every run.
    Unchanged,
}

impl Obtained {
    /// A new certificate in one file with its chain.
    pub(super) fn new(key: impl Into<PathBuf>, chain: impl Into<PathBuf>) -> Self {
        let chain = vec![chain.into()];
        Self { key: key.into(), chain, next_key: None, occasion: Occasion::New }
    }

    /// The same with the place of the next key.
    pub(super) fn with_next_key(self, next_key: impl Into<PathBuf>) -> Self {
        Self { next_key: Some(next_key.into()), ..self }
    }
}

/// The file `name` beside another.
pub(super) fn beside(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(name)
}

/// A TXT record that proves control over a name (dns-01), or does so no more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Challenge {
    /// What is to be done.
    pub operation: Operation,
    /// The name over which control is proved.
    pub domain: DnsName,
    /// Where the record goes.
    pub owner: DnsName,
    /// The record's text.
    pub value: String,
}

/// What is to be done with a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// It is to be published, and seen at every name server.
    Present,
    /// It is to be removed.
    Remove,
}

/// What stands before a proof's value when it is said that it was published.
const PUBLISHED: &str = "published the proof ";

/// What was said when a proof was published, read again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// That this very proof was published.
    This,
    /// That another was.
    Another,
    /// Nothing of the kind.
    Nothing,
}

impl Challenge {
    /// What is said when it was published. certbot hands it to the call that is to remove it.
    pub fn published(&self) -> String {
        format!("{PUBLISHED}{} at {}", self.value, self.owner.absolute())
    }

    /// What `text` says of it.
    pub(super) fn said(&self, text: &str) -> Said {
        match text {
            text if text.contains(&self.published()) => Said::This,
            text if text.contains(PUBLISHED) => Said::Another,
            _ => Said::Nothing,
        }
    }

    /// A proof for `domain`, whose wildcard is proved at the name itself.
    pub(super) fn for_domain(
        operation: Operation,
        domain: &str,
        value: &str,
    ) -> Result<Self, CallError> {
        let bare = domain.strip_prefix("*.").unwrap_or(domain);
        let odd = |reason: NameError| CallError::Name { text: domain.to_owned(), reason };
        let domain: DnsName = bare.parse().map_err(odd)?;
        let owner = domain.child(LABEL).map_err(odd)?;
        Ok(Self { operation, domain, owner, value: proof(value)? })
    }

    /// A proof at `owner`, where the client names the record itself.
    pub(super) fn at_owner(
        operation: Operation,
        owner: &str,
        value: &str,
    ) -> Result<Self, CallError> {
        let odd = |reason: NameError| CallError::Name { text: owner.to_owned(), reason };
        let name: DnsName = owner.parse().map_err(odd)?;
        let domain = name.parent().filter(|_| name.as_str().starts_with("_acme-challenge."));
        let domain = domain.unwrap_or_else(|| name.clone());
        Ok(Self { operation, domain, owner: name, value: proof(value)? })
    }
}

/// The value of a proof, which one TXT record can hold as it is. That of dns-01 is a digest in
/// base64url.
fn proof(value: &str) -> Result<String, CallError> {
    let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    match (1..=PROOF_MAX).contains(&value.len()) && value.chars().all(plain) {
        true => Ok(value.to_owned()),
        false => Err(CallError::Value(value.chars().take(PROOF_MAX).collect())),
    }
}

/// A call that does not fit its client's contract.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A variable is missing that the client sets.
    #[error("the variable {0} is not set, which the client sets for its hooks")]
    NoVariable(&'static str),
    /// An argument is missing that the client passes.
    #[error("an argument is missing: {0}")]
    NoArgument(&'static str),
    /// A word is not one that this hook knows.
    #[error("`{word}` is no operation of this hook: {known}")]
    Unknown {
        /// The word.
        word: String,
        /// The words that it knows.
        known: &'static str,
    },
    /// A kind of challenge that is not ours, from a client that asks nobody else.
    #[error(
        "the challenge is http-01, and names are proved by dns-01 alone: call certbot with \
         `--preferred-challenges dns`"
    )]
    OtherChallenge,
    /// A name is none.
    #[error("`{text}` is no name: {reason}")]
    Name {
        /// What was passed.
        text: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A proof is none.
    #[error("{0:?} is no proof: dns-01 has a digest in base64url, of 43 characters")]
    Value(String),
    /// Nothing tells who calls.
    #[error(
        "no ACME client is recognised by these arguments and this environment: write `rollover \
         hook certbot`, `dehydrated`, `lego`, `acme.sh` or `uacme`"
    )]
    Stranger,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A call with these arguments and variables.
    pub(in crate::hook) fn called(arguments: &[&str], variables: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    /// The owners of a call's challenges.
    pub(in crate::hook) fn domains(call: &Call) -> Vec<&str> {
        match call {
            Call::Challenges(challenges) => {
                challenges.iter().map(|challenge| challenge.owner.as_str()).collect()
            }
            Call::Certificate(_) | Call::Either(..) | Call::Nothing | Call::Decline => Vec::new(),
        }
    }

    #[test]
    fn a_wildcard_is_proved_at_the_name_below_it() {
        let proof = Challenge::for_domain(Operation::Present, "*.Example.nl", "v").unwrap();
        assert_eq!(
            (proof.domain.as_str(), proof.owner.as_str()),
            ("example.nl", "_acme-challenge.example.nl")
        );
        let named = Challenge::at_owner(Operation::Present, "_acme-challenge.example.nl.", "v");
        assert_eq!(named.unwrap(), proof);
        let alias = Challenge::at_owner(Operation::Present, "x.acme.example.", "v").unwrap();
        assert_eq!(
            (alias.domain.as_str(), alias.owner.as_str()),
            ("x.acme.example", "x.acme.example")
        );
    }

    #[test]
    fn what_a_txt_record_cannot_hold_is_no_proof() {
        for value in ["", "two words", "a\"b", "a\\b", "a\nb", "ü", &"v".repeat(256)] {
            let error = Challenge::for_domain(Operation::Present, "example.nl", value).unwrap_err();
            assert!(error.to_string().contains(" is no proof: dns-01 has a digest"), "{error}");
            let at_owner = Challenge::at_owner(Operation::Remove, "_acme-challenge.nl", value);
            assert_eq!(at_owner, Err(error));
        }
    }
}
