//! What can go wrong between an order and its certificate, and what follows from it.
//!
//! Three questions are asked of a failure, and answered here alone: may the same step be tried
//! again at once, what is the pass told to do (the [`Remedy`]), and what is the operator told. A fourth,
//! whose failing it is, is answered in [`blame`](super::blame). The
//! ACME server's own words are always part of the message: they name the limit or the record.

use instant_acme::Problem;

use super::http::{HttpFailure, RootsError};
use crate::durable::DurableError;
use crate::issuer::explain::with_sources;
use crate::issuer::orders::OrderBookError;
use crate::issuer::verify::ChainFault;
use crate::keys::KeyError;
use crate::name::DnsName;
use crate::ports::{LookupError, PublishError, Remedy};
use crate::secret::SecretError;
use crate::time::Span;

/// What ACME problem types begin with (RFC 8555, section 6.7).
const PREFIX: &str = "urn:ietf:params:acme:error:";

/// A step that failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}: {cause}")]
pub(super) struct Failure {
    /// What was being done, as an infinitive.
    doing: String,
    /// Why it failed.
    pub(super) cause: Cause,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// The CA could not be asked, or said no.
    #[error("{}", describe(.0))]
    Http(Box<HttpFailure>),
    /// An answer is not what ACME says it is.
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
    /// The CA did not accept the proof of control over a name.
    #[error("the CA did not accept the proof for {name}: {reason}")]
    Challenge {
        /// The name.
        name: String,
        /// What the CA said, and its problem type.
        reason: String,
        /// The short problem type.
        kind: String,
    },
    /// The CA does not offer the configured kind of proof.
    #[error("the CA offers no {wanted} challenge for {name}, only {offered}")]
    NoChallenge {
        /// What the configuration says.
        wanted: String,
        /// The name.
        name: String,
        /// What it offers.
        offered: String,
    },
    /// The answer to a challenge did not reach every name server.
    #[error(
        "not every name server of {zone} served the TXT record `{value}` at {owner} within {limit}"
    )]
    NotEverywhere {
        /// The zone.
        zone: DnsName,
        /// The record's name.
        owner: DnsName,
        /// The record's value.
        value: String,
        /// How long was waited.
        limit: Span,
    },
    /// Nobody can answer by HTTP.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// A proof could not be left for the web server.
    #[error("{}", .0.describe())]
    Webroot(DurableError),
    /// The CA has no such profile.
    #[error("the CA has no profile `{wanted}`, only {offered}")]
    NoProfile {
        /// What the configuration says.
        wanted: String,
        /// What the CA's directory names.
        offered: String,
    },
    /// The root that `2 1 1` is to name is not at hand.
    #[error("the CA does not send the root above {top}, and it is not at hand")]
    NoRoot {
        /// The subject of the topmost certificate that was sent.
        top: String,
    },
    /// The CA took longer than it was waited for.
    #[error("the CA had not decided after {0}")]
    Undecided(Span),
    /// The order went round and round.
    #[error("the order did not come to an end in {0} steps")]
    Unsettled(u32),
    /// The order failed at the CA; the next try places another.
    #[error("the CA gave up the order: {reason}")]
    OrderInvalid {
        /// What the CA said.
        reason: String,
        /// The short problem type of what it says of the order; empty where it is about a proof.
        kind: String,
    },
    /// The answer to a challenge could not be published.
    #[error("{0}")]
    Publish(#[from] PublishError),
    /// The zone of a name could not be found.
    #[error("{0}")]
    Lookup(#[from] LookupError),
    /// What is kept of orders cannot be read or written.
    #[error("{0}")]
    Orders(#[from] OrderBookError),
    /// The issued chain cannot be used.
    #[error("{0}")]
    Chain(#[from] ChainFault),
    /// The account's key cannot be read.
    #[error("{}", with_sources(.0))]
    Secret(#[from] SecretError),
    /// A key cannot be made or used.
    #[error("{0}")]
    Key(String),
    /// A file of the configuration or of the account cannot be used.
    #[error("`{path}`: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// HTTPS cannot be spoken.
    #[error("{0}")]
    Roots(#[from] RootsError),
    /// The order on disk is for another key or other names.
    #[error("the order on disk was for {there}, and this one is for {here}")]
    OtherOrder {
        /// What the record says.
        there: String,
        /// What is asked for.
        here: String,
    },
}

impl Failure {
    /// For `map_err`: names what was being done.
    pub(super) fn of<C: Into<Cause>>(doing: impl Into<String>) -> impl FnOnce(C) -> Self {
        let doing = doing.into();
        move |cause| Self { doing, cause: cause.into() }
    }

    /// Whether another try of the same step, at once or after a short pause, may go better.
    pub(super) fn is_passing(&self) -> bool {
        match &self.cause {
            Cause::Http(failure) => match &**failure {
                HttpFailure::Unreachable { .. } | HttpFailure::TimedOut { .. } => true,
                HttpFailure::Untrusted { .. } => false,
                HttpFailure::Foreign { status, .. } => status.is_server_error(),
                HttpFailure::Problem { problem, status, .. } => {
                    matches!(kind(problem), "badNonce" | "serverInternal" | "orderNotReady")
                        || status.is_server_error()
                }
            },
            Cause::Garbled(_)
            | Cause::Challenge { .. }
            | Cause::NoChallenge { .. }
            | Cause::NotEverywhere { .. }
            | Cause::Listen { .. }
            | Cause::Webroot(_)
            | Cause::NoProfile { .. }
            | Cause::NoRoot { .. }
            | Cause::Undecided(_)
            | Cause::Unsettled(_)
            | Cause::OrderInvalid { .. }
            | Cause::Publish(_)
            | Cause::Lookup(_)
            | Cause::Orders(_)
            | Cause::Chain(_)
            | Cause::Secret(_)
            | Cause::Key(_)
            | Cause::File { .. }
            | Cause::Roots(_)
            | Cause::OtherOrder { .. } => false,
        }
    }

    /// The short problem type that the CA named, or an empty text.
    pub(super) fn kind(&self) -> &str {
        match &self.cause {
            Cause::Http(failure) => match &**failure {
                HttpFailure::Problem { problem, .. } => kind(problem),
                HttpFailure::Unreachable { .. }
                | HttpFailure::Untrusted { .. }
                | HttpFailure::TimedOut { .. }
                | HttpFailure::Foreign { .. } => "",
            },
            Cause::Challenge { kind, .. } => kind,
            Cause::Garbled(_)
            | Cause::NoChallenge { .. }
            | Cause::NotEverywhere { .. }
            | Cause::Listen { .. }
            | Cause::Webroot(_)
            | Cause::NoProfile { .. }
            | Cause::NoRoot { .. }
            | Cause::Undecided(_)
            | Cause::Unsettled(_)
            | Cause::OrderInvalid { .. }
            | Cause::Publish(_)
            | Cause::Lookup(_)
            | Cause::Orders(_)
            | Cause::Chain(_)
            | Cause::Secret(_)
            | Cause::Key(_)
            | Cause::File { .. }
            | Cause::Roots(_)
            | Cause::OtherOrder { .. } => "",
        }
    }

    /// Whether the CA says that there is no such thing, or not for us (404, or 403 for another
    /// account's).
    pub(super) fn is_unknown(&self) -> bool {
        let Cause::Http(failure) = &self.cause else {
            return false;
        };
        match &**failure {
            HttpFailure::Problem { problem, status, .. } => {
                status.as_u16() == 404 || matches!(kind(problem), "malformed" | "unauthorized")
            }
            HttpFailure::Foreign { status, .. } => matches!(status.as_u16(), 404 | 410),
            HttpFailure::Unreachable { .. }
            | HttpFailure::Untrusted { .. }
            | HttpFailure::TimedOut { .. } => false,
        }
    }

    /// When the server wants to be asked again, where it said so.
    pub(super) fn retry_after(&self) -> Option<Span> {
        let Cause::Http(failure) = &self.cause else {
            return None;
        };
        match &**failure {
            HttpFailure::Problem { retry_after, .. } | HttpFailure::Foreign { retry_after, .. } => {
                *retry_after
            }
            HttpFailure::Unreachable { .. }
            | HttpFailure::Untrusted { .. }
            | HttpFailure::TimedOut { .. } => None,
        }
    }

    /// What has to happen before another pass tries again.
    pub(super) fn remedy(&self) -> Remedy {
        let later = Remedy::RetryLater { not_before: self.retry_after() };
        match &self.cause {
            Cause::Http(failure) => match &**failure {
                HttpFailure::Unreachable { .. } | HttpFailure::TimedOut { .. } => later,
                HttpFailure::Untrusted { .. } => Remedy::AskOperator,
                HttpFailure::Foreign { status, retry_after, .. } => {
                    let busy = status.is_server_error() || status.as_u16() == 429;
                    if busy || retry_after.is_some() { later } else { Remedy::AskOperator }
                }
                HttpFailure::Problem { .. } if self.is_passing() => later,
                HttpFailure::Problem { .. } if self.retry_after().is_some() => later,
                HttpFailure::Problem { problem, .. } if kind(problem) == "rateLimited" => later,
                HttpFailure::Problem { .. } => Remedy::AskOperator,
            },
            Cause::Challenge { kind, .. } => match kind.as_str() {
                "caa" | "rejectedIdentifier" | "unsupportedIdentifier" => Remedy::AskOperator,
                _ => later,
            },
            Cause::Garbled(_)
            | Cause::NotEverywhere { .. }
            | Cause::Listen { .. }
            | Cause::Webroot(_)
            | Cause::Undecided(_)
            | Cause::Unsettled(_)
            | Cause::OrderInvalid { .. }
            | Cause::Lookup(_)
            | Cause::Chain(ChainFault::NotYetValid { .. })
            | Cause::Orders(OrderBookError::Write(_) | OrderBookError::Read { .. }) => later,
            Cause::Publish(error) => error.remedy(),
            Cause::Orders(OrderBookError::Id(_) | OrderBookError::Damaged { .. })
            | Cause::NoChallenge { .. }
            | Cause::NoProfile { .. }
            | Cause::NoRoot { .. }
            | Cause::Chain(_)
            | Cause::Secret(_)
            | Cause::Key(_)
            | Cause::File { .. }
            | Cause::Roots(_)
            | Cause::OtherOrder { .. } => Remedy::AskOperator,
        }
    }

    /// What the operator can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match &self.cause {
            Cause::Http(failure) => match &**failure {
                HttpFailure::Unreachable { .. } | HttpFailure::TimedOut { .. } => {
                    "check the network, the resolver and directory-url; it is tried again"
                }
                HttpFailure::Untrusted { .. } => {
                    "install ca-certificates, or name the root of the CA's own HTTPS as ca-file"
                }
                HttpFailure::Foreign { status, .. } if status.is_server_error() => {
                    "the CA's server is in trouble; it is tried again"
                }
                HttpFailure::Foreign { .. } => "check directory-url: no ACME is spoken there",
                HttpFailure::Problem { problem, .. } => problem_hint(kind(problem)),
            },
            Cause::Challenge { kind, .. } => problem_hint(kind),
            Cause::Garbled(_) => {
                "check directory-url: what answers there does not speak ACME as it should"
            }
            Cause::NoChallenge { .. } => "this CA cannot be used with this `challenge`",
            Cause::Listen { .. } => {
                "nobody else may listen there, and a port below 1024 needs root or \
                 CAP_NET_BIND_SERVICE; where a web server has the port, write `webroot` instead"
            }
            Cause::Webroot(_) => {
                "check `webroot`: this program must be able to write there, and the web server to \
                 read"
            }
            Cause::NoProfile { .. } => "correct `profile`, or leave it out for the CA's own choice",
            Cause::NoRoot { .. } => {
                "name the root's certificate in `known-anchors`; the certificate is kept at the CA, \
                 and fetched then"
            }
            Cause::NotEverywhere { .. } => {
                "check that every name server of the zone takes over its changes; one that may \
                 lag goes into ignore-name-servers"
            }
            Cause::Undecided(_) | Cause::Unsettled(_) | Cause::OrderInvalid { .. } => {
                "nothing to do: it is tried again"
            }
            Cause::Publish(error) => error.hint(),
            Cause::Lookup(_) => "check the resolver, and that the zone exists",
            Cause::Orders(error) => error.hint(),
            Cause::Chain(fault) => fault.hint(),
            Cause::Secret(_) | Cause::Key(_) => {
                "the account's key must be readable for this program and for nobody else; without \
                 it, move it away and a new account is made"
            }
            Cause::File { .. } => "correct the file, or the configuration that names it",
            Cause::Roots(_) => "install ca-certificates, or correct ca-file",
            Cause::OtherOrder { .. } => {
                "the state directory and the ledger do not belong together: restore both from the \
                 same backup, or move the order's files away"
            }
        }
    }
}

/// What the operator can do about an ACME problem (RFC 8555, section 6.7).
fn problem_hint(kind: &str) -> &'static str {
    match kind {
        "rateLimited" => "nothing to do but wait; the CA documents its limits",
        "badNonce" | "serverInternal" | "orderNotReady" => {
            "the CA's server is in trouble; it is tried again"
        }
        "caa" => "allow this CA in the CAA records of the name, or use another issuer",
        "dns" | "connection" | "incorrectResponse" | "unauthorized" => {
            "check from outside that every name server of the zone answers for _acme-challenge, \
             with valid signatures, or port 80 with http-01; if the message is about the account, \
             check it at the CA"
        }
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            "this CA does not issue for this name: correct `names`, or use another issuer"
        }
        "externalAccountRequired" => {
            "this CA wants an account made elsewhere: write the `eab-kid` that it gives out, and \
             `eab-hmac-key-file`"
        }
        "invalidContact" | "unsupportedContact" => "correct `contact`",
        "userActionRequired" => "visit the page that the CA names, for instance for new terms",
        "badCSR" | "badPublicKey" | "badSignatureAlgorithm" => {
            "this CA does not take this kind of key: correct key-types"
        }
        _ => "see what the CA says",
    }
}

/// A problem's type without its prefix; empty where it has none.
pub(super) fn kind(problem: &Problem) -> &str {
    let whole = problem.r#type.as_deref().unwrap_or_default();
    whole.strip_prefix(PREFIX).unwrap_or(whole)
}

/// A problem in one line: type, detail, and what it says of each name.
pub(super) fn describe_problem(problem: &Problem) -> String {
    let mut line = match (kind(problem), problem.detail.as_deref()) {
        ("", None) => "no reason given".to_owned(),
        ("", Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_owned(),
        (kind, Some(detail)) => format!("{detail} ({kind})"),
    };
    for part in &problem.subproblems {
        line.push_str("; ");
        if let Some(instant_acme::Identifier::Dns(name)) = &part.identifier {
            line.push_str(&format!("{name}: "));
        }
        line.push_str(part.detail.as_deref().unwrap_or("no reason given"));
        if let Some(whole) = &part.r#type {
            let kind = whole.strip_prefix(PREFIX).unwrap_or(whole);
            line.push_str(&format!(" ({kind})"));
        }
    }
    line.replace(char::is_control, " ")
}

/// A failed exchange in one line.
fn describe(failure: &HttpFailure) -> String {
    let (said, retry_after) = match failure {
        HttpFailure::Problem { problem, retry_after, .. } => {
            let said = format!("the CA says: {}", describe_problem(problem));
            (said, *retry_after)
        }
        HttpFailure::Foreign { retry_after, .. } => (failure.to_string(), *retry_after),
        HttpFailure::Unreachable { .. }
        | HttpFailure::Untrusted { .. }
        | HttpFailure::TimedOut { .. } => (failure.to_string(), None),
    };
    match retry_after {
        Some(span) => format!("{said}; it asks for a pause of {span}"),
        None => said,
    }
}

impl From<instant_acme::Error> for Cause {
    fn from(error: instant_acme::Error) -> Self {
        use instant_acme::Error;
        match error {
            // badNonce alone comes this way: see `http`.
            Error::Api(problem) => Self::Http(Box::new(HttpFailure::Problem {
                status: hyper::StatusCode::BAD_REQUEST,
                retry_after: None,
                problem,
            })),
            Error::Other(other) => match other.downcast::<HttpFailure>() {
                Ok(failure) => Self::Http(failure),
                Err(other) => Self::Garbled(with_sources(&*other)),
            },
            Error::Crypto | Error::KeyRejected => Self::Key(error.to_string()),
            other @ (Error::Http(_)
            | Error::InvalidUri(_)
            | Error::Json(_)
            | Error::Timeout(_)
            | Error::Unsupported(_)
            | Error::Str(_)
            | _) => Self::Garbled(with_sources(&other)),
        }
    }
}

impl From<KeyError> for Cause {
    fn from(error: KeyError) -> Self {
        Self::Key(error.to_string())
    }
}

impl From<rcgen::Error> for Cause {
    fn from(error: rcgen::Error) -> Self {
        Self::Key(error.to_string())
    }
}
