//! The ways in which a notice leaves this machine: a command, a webhook, sendmail.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::Notice;
use crate::command::{self, quoted};
use crate::config::NotifyConfig;
use crate::time::Span;

/// How long a channel may take.
const LIMIT: Span = Span::from_seconds(15);

/// A way in which a notice leaves this machine.
#[derive(Clone, Copy, Debug)]
pub enum Channel<'a> {
    /// An argv that reads JSON.
    Command(&'a [String]),
    /// An address that mail is sent to, and the program that takes it.
    Sendmail(&'a str, &'a Path),
    /// A URL that JSON is posted to.
    Webhook(&'a str),
}

/// Written as in the configuration.
impl fmt::Display for Channel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(argv) => write!(f, "`{}`", quoted(argv)),
            Self::Sendmail(address, program) => write!(f, "{} to {address}", program.display()),
            // What follows the host often is a secret.
            Self::Webhook(url) => {
                let url: Option<hyper::Uri> = url.parse().ok();
                let host = url.as_ref().and_then(hyper::Uri::host).unwrap_or_default();
                write!(f, "the webhook at {host}")
            }
        }
    }
}

impl<'a> Channel<'a> {
    /// All that are configured.
    pub fn all(config: &'a NotifyConfig) -> Vec<Self> {
        let command = config.command.as_deref().map(Self::Command);
        let webhook = config.webhook.as_deref().map(Self::Webhook);
        let address = config.sendmail.as_deref();
        let sendmail = address.map(|to| Self::Sendmail(to, &config.sendmail_program));
        command.into_iter().chain(webhook).chain(sendmail).collect()
    }

    /// The key in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Sendmail(..) => "sendmail",
            Self::Webhook(_) => "webhook",
        }
    }

    /// Carries a notice.
    ///
    /// # Errors
    ///
    /// What went wrong, to follow the channel's name.
    pub async fn send(&self, notice: &Notice) -> Result<(), String> {
        let json = || serde_json::to_vec(notice).expect("a notice has texts and numbers alone");
        match self {
            Self::Command(argv) => run(argv, &json()).await,
            Self::Sendmail(address, program) => {
                let argv = [program.to_string_lossy().as_ref(), "-t", "-i"].map(str::to_owned);
                run(&argv, mail(address, notice).as_bytes()).await
            }
            Self::Webhook(url) => post(url, json()).await,
        }
    }
}

/// Runs a program with something to read.
async fn run(argv: &[String], input: &[u8]) -> Result<(), String> {
    match command::feed(argv, input, LIMIT).await {
        Ok(_) => Ok(()),
        Err(error) => match error.output() {
            "" => Err(error.to_string()),
            output => Err(format!("{error}: {output}")),
        },
    }
}

/// A notice as mail (RFC 5322), marked as no person's (RFC 3834, section 5).
fn mail(address: &str, notice: &Notice) -> String {
    let Notice { at, since, text, .. } = notice;
    format!(
        "To: {address}\nSubject: {}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\n{text}\n\nSeen at {at}, so since {since}. \
         `rollover status` says how it is now.\n",
        notice.subject()
    )
}

/// Posts JSON; any 2xx is a yes.
async fn post(url: &str, json: Vec<u8>) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(https.build());
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("rollover/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(json)))
        .map_err(|error| error.to_string())?;
    let limit = Duration::from_millis(LIMIT.as_millis());
    let answer = match tokio::time::timeout(limit, client.request(request)).await {
        Err(_) => return Err(format!("did not answer within {LIMIT}")),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            return Err(format!("cannot be reached: {error}{cause}"));
        }
        Ok(Ok(answer)) => answer,
    };
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("answered {status}")),
    }
}
