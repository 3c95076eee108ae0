//! HTTPS to an ACME server: every exchange ends in time, within a size, and with a typed failure.
//!
//! instant-acme leaves all three to the client it is given. Here an answer that is no success
//! becomes an [`HttpFailure`] before the library sees it, because the library drops what the
//! caller must know: the Retry-After, and what a server said that speaks no ACME. The one failure
//! that is passed on is badNonce, which the library mends by itself.

use std::fs;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, Problem};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::issuer::explain::with_sources;
use crate::ports::Clock;
use crate::time::{Span, Timestamp};

/// The largest answer that is read: chains are a few kilobytes.
const ANSWER_LARGEST: usize = 1 << 20;

/// How much of an answer that is no ACME is quoted.
const EXCERPT_LONGEST: usize = 120;

/// Who asks (RFC 8555, section 6.1).
const AGENT: &str = concat!("rollover/", env!("CARGO_PKG_VERSION"));

/// The problem type that the library mends by itself.
const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";

/// The connection to one ACME server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Transport(Arc<Inner>);

/// What the clones of a [`Transport`] share.
struct Inner {
    /// Keeps connections open between requests.
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    /// How long an exchange may take, from the connection to the last octet.
    limit: Span,
    /// The Retry-After of the last success: how soon an order is worth another look.
    pace: Mutex<Option<Span>>,
    /// For dates in Retry-After.
    clock: Arc<dyn Clock>,
}

/// Why there was no useful answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum HttpFailure {
    /// No connection, or it broke.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server's own certificate is not trusted.
    #[error("cannot trust the server of {url}: {reason}")]
    Untrusted {
        /// What was asked for.
        url: String,
        /// What is wrong with its certificate.
        reason: String,
    },
    /// No answer came in time.
    #[error("{url} did not answer within {limit}")]
    TimedOut {
        /// What was asked for.
        url: String,
        /// How long was waited.
        limit: Span,
    },
    /// An answer came that is no ACME.
    #[error("{url} answered {status}{excerpt}")]
    Foreign {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The start of what came with it, with a colon before it; or nothing.
        excerpt: String,
        /// When the server wants to be asked again.
        retry_after: Option<Span>,
    },
    /// The ACME server said no, and why.
    #[error("{problem}")]
    Problem {
        /// The problem document.
        problem: Problem,
        /// The HTTP status.
        status: StatusCode,
        /// When the server wants to be asked again.
        retry_after: Option<Span>,
    },
}

/// Why no HTTPS can be spoken at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum RootsError {
    /// The configured root cannot be read.
    #[error("cannot read the ca-file `{path}`: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no root to trust.
    #[error("this machine trusts no CA for HTTPS{0}")]
    None(String),
    /// The TLS library refused its own defaults.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Transport {
    /// A transport that trusts the machine's roots and those in `ca_file`. Connects to nobody yet.
    pub(super) fn new(
        ca_file: Option<&Path>,
        limit: Span,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RootsError> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // A request follows the end of the handshake at once, and must not wait for its receipt.
        tcp.set_nodelay(true);
        // RFC 8555, section 6.1: HTTPS alone.
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self(Arc::new(Inner {
            client: Client::builder(TokioExecutor::new()).build(connector),
            limit,
            pace: Mutex::new(None),
            clock,
        })))
    }

    /// The Retry-After of the last success, once.
    pub(super) fn take_pace(&self) -> Option<Span> {
        self.pace().take()
    }

    /// The pace, whoever panicked while holding it: a span is never half written.
    fn pace(&self) -> std::sync::MutexGuard<'_, Option<Span>> {
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request and reads the whole answer.
    ///
    /// Of answers that are no success, badNonce alone is returned.
    pub(super) async fn fetch(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Bytes>, HttpFailure> {
        let url = request.uri().to_string();
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let limit = self.0.limit;
        let response = tokio::time::timeout(Duration::from(limit), self.send(request, &url))
            .await
            .map_err(|_| HttpFailure::TimedOut { url: url.clone(), limit })??;
        tracing::debug!(url, status = response.status().as_u16(), "ACME exchange");
        self.sort(response, url)
    }

    /// Sends a request and reads the whole answer, without a limit in time.
    async fn send(
        &self,
        request: Request<BodyWrapper<Bytes>>,
        url: &str,
    ) -> Result<Response<Bytes>, HttpFailure> {
        let response = self.0.client.request(request).await.map_err(|error| {
            let reason = with_sources(&error);
            let url = url.to_owned();
            if is_about_certificate(&error) {
                HttpFailure::Untrusted { url, reason }
            } else {
                HttpFailure::Unreachable { url, reason }
            }
        })?;
        let (parts, body) = response.into_parts();
        let whole = Limited::new(body, ANSWER_LARGEST).collect().await;
        let octets = whole.map_err(|error| HttpFailure::Unreachable {
            url: url.to_owned(),
            reason: with_sources(&*error),
        })?;
        Ok(Response::from_parts(parts, octets.to_bytes()))
    }

    /// Tells a success from a failure, and one failure from another.
    fn sort(&self, response: Response<Bytes>, url: String) -> Result<Response<Bytes>, HttpFailure> {
        let status = response.status();
        let retry_after = retry_after(response.headers(), self.0.clock.now().wall);
        if status.is_success() {
            *self.pace() = retry_after;
            return Ok(response);
        }
        let problem = serde_json::from_slice::<Problem>(response.body())
            .ok()
            .filter(|problem| problem.r#type.is_some() || problem.detail.is_some());
        let Some(problem) = problem else {
            return Err(HttpFailure::Foreign {
                url,
                status,
                excerpt: excerpt(response.body()),
                retry_after,
            });
        };
        if problem.r#type.as_deref() == Some(BAD_NONCE) {
            return Ok(response);
        }
        Err(HttpFailure::Problem { problem, status, retry_after })
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let transport = self.clone();
        Box::pin(async move {
            let answer = transport.fetch(request).await.map(|answer| answer.map(Full::new).into());
            answer.map_err(|failure| instant_acme::Error::Other(Box::new(failure)))
        })
    }
}

/// The roots that this machine trusts, and those in `ca_file`.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        let failed = |reason: String| RootsError::File { path: path.display().to_string(), reason };
        let text = fs::read(path).map_err(|e| failed(e.to_string()))?;
        let mut found = false;
        for block in CertificateDer::pem_slice_iter(&text) {
            let der = block.map_err(|e| failed(e.to_string()))?;
            store.add(der).map_err(|e| failed(e.to_string()))?;
            found = true;
        }
        if !found {
            return Err(failed("it holds no certificate in PEM".to_owned()));
        }
    }
    if store.is_empty() {
        let reasons = native.errors.iter().map(|error| format!(": {error}"));
        return Err(RootsError::None(reasons.collect()));
    }
    Ok(store)
}

/// Whether a connection failed because of the certificate that the server presented.
fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // An I/O error's source is that of the error within: the one within has to be asked for.
    let within = error
        .downcast_ref::<io::Error>()
        .and_then(|io| io.get_ref())
        .map(|inner| inner as &(dyn std::error::Error + 'static));
    within.or_else(|| error.source()).is_some_and(is_about_certificate)
}

/// When a server wants to be asked again: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Span::from_seconds(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let then = Timestamp::from_millis(date.timestamp().as_millisecond());
    Some(then.since(now))
}

/// The first line of an answer, shortened, with a colon before it; nothing for an empty one.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let Some(line) = line else {
        return String::new();
    };
    let printable = line.chars().filter(|c| !c.is_control());
    let start: String = printable.take(EXCERPT_LONGEST).collect();
    format!(": `{start}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = Timestamp::from_seconds(784_111_777);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            let expected = expected.map(Span::from_seconds);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_printable_line() {
        assert_eq!(excerpt(b""), "");
        assert_eq!(excerpt(b"\n\n  <html>\x1b[31m \nmore"), ": `<html>[31m`");
        assert_eq!(excerpt(&[b'a'; 5000]).len(), EXCERPT_LONGEST + 4);
    }
}
