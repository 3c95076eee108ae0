//! When the CA wants a certificate replaced (ARI, RFC 9773).
//!
//! ```text
//! STATE-DIR/renewal/ID.json    what the CA said of the certificate ID, and the moment drawn from it
//! ```
//!
//! The moment within the window is drawn once and kept, or each pass would draw the next one. Nothing
//! here can fail a pass: a CA that is silent, or speaks no ARI, advises nothing.

use std::fs;
use std::path::{Path, PathBuf};

use hyper::Request;
use instant_acme::{BodyWrapper, CertificateIdentifier};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::http::Transport;
use crate::durable;
use crate::pki::Certificate;
use crate::time::{Span, Timestamp};

/// The version of the record below. One of another version is as good as none.
const VERSION: u32 = 1;

/// How soon a CA is asked again that does not say (RFC 9773, section 4.3.3, leaves it to clients).
const PAUSE: Span = Span::from_seconds(6 * 3600);

/// The least and the most that a CA's own wish counts for: a minute, and a day.
const PAUSE_LIMITS: (Span, Span) = (Span::from_seconds(60), Span::from_seconds(86_400));

/// What a CA said of a certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    /// The version of this format.
    version: u32,
    /// The directory of the CA that was asked.
    directory: String,
    /// The window, and the moment in it; none where the CA advises nothing.
    advice: Option<Advice>,
    /// When the CA is asked again, in milliseconds since 1970, UTC.
    ask_again: i64,
}

/// A window, and the moment drawn from it; in milliseconds since 1970, UTC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Advice {
    /// Its first moment.
    start: i64,
    /// Its last.
    end: i64,
    /// The moment.
    chosen: i64,
}

/// What is needed of the directory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    /// Where advice is had; none where the CA gives none.
    renewal_info: Option<String>,
}

/// The answer (RFC 9773, section 4.2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenewalInfo {
    /// The window.
    suggested_window: SuggestedWindow,
    /// A page that says why.
    #[serde(rename = "explanationURL")]
    explanation_url: Option<String>,
}

/// A window, in RFC 3339.
#[derive(Deserialize)]
struct SuggestedWindow {
    /// Its first moment.
    start: jiff::Timestamp,
    /// Its last.
    end: jiff::Timestamp,
}

/// What a CA advises, kept in a directory.
pub(super) struct Advices {
    /// The directory.
    directory: PathBuf,
    /// The directory of the CA.
    ca: String,
}

impl Advices {
    /// The advice of the CA with this directory, kept below the state directory.
    pub(super) fn new(state_dir: &Path, ca: &str) -> Self {
        Self { directory: state_dir.join("renewal"), ca: ca.to_owned() }
    }

    /// The moment that is kept for a certificate.
    pub(super) fn kept(&self, certificate: &Certificate) -> Option<Timestamp> {
        self.record(&identifier(certificate)?)?.advice.map(|a| Timestamp::from_millis(a.chosen))
    }

    /// Whether the CA is to be asked about a certificate now.
    pub(super) fn is_due(&self, certificate: &Certificate, now: Timestamp) -> bool {
        let Some(id) = identifier(certificate) else {
            return false;
        };
        self.record(&id).is_none_or(|record| record.ask_again <= now.as_millis())
    }

    /// Asks the CA about a certificate, and keeps what it says. What cannot be had or kept is logged:
    /// the policy's own time holds then, or what was kept before.
    pub(super) async fn ask(
        &self,
        certificate: &Certificate,
        transport: &Transport,
        now: Timestamp,
    ) {
        let Some(id) = identifier(certificate) else {
            return;
        };
        let before = self.record(&id).and_then(|record| record.advice);
        let (advice, pause) = match self.window(&id, transport).await {
            Ok(Some(info)) => {
                let advice = choose(&info.suggested_window, before.clone());
                if advice.is_some() && advice != before {
                    let at = advice.as_ref().map(|a| Timestamp::from_millis(a.chosen).to_string());
                    let why = info.explanation_url;
                    tracing::info!(certificate = id, at, why, "the CA says when to renew");
                }
                (advice, transport.take_pace().unwrap_or(PAUSE))
            }
            Ok(None) => (None, PAUSE_LIMITS.1),
            Err(reason) => {
                tracing::info!(certificate = id, reason, "the CA does not say when to renew");
                (before, PAUSE)
            }
        };
        let pause = pause.clamp(PAUSE_LIMITS.0, PAUSE_LIMITS.1);
        let record = Record {
            version: VERSION,
            directory: self.ca.clone(),
            advice,
            ask_again: (now + pause).as_millis(),
        };
        if let Err(reason) = self.keep(&id, &record) {
            tracing::warn!(reason, "what the CA says of the next renewal cannot be kept");
        }
    }

    /// The window that the CA suggests; none where it gives no advice.
    async fn window(&self, id: &str, transport: &Transport) -> Result<Option<RenewalInfo>, String> {
        let directory: Directory = get(&self.ca, transport).await?;
        let Some(url) = directory.renewal_info else {
            return Ok(None);
        };
        get(&format!("{}/{id}", url.trim_end_matches('/')), transport).await.map(Some)
    }

    /// What is kept of a certificate.
    fn record(&self, id: &str) -> Option<Record> {
        let text = fs::read(self.file(id)).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.version == VERSION && record.directory == self.ca).then_some(record)
    }

    /// Keeps what the CA said.
    fn keep(&self, id: &str, record: &Record) -> Result<(), String> {
        let text = serde_json::to_vec_pretty(record).map_err(|e| e.to_string())?;
        durable::create_directory(&self.directory)
            .and_then(|()| durable::write_private(&self.file(id), &text))
            .map_err(|e| e.describe())
    }

    /// The file for a certificate. An identifier is base64url and a point: it names no other place.
    fn file(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }
}

/// How the CA calls a certificate (RFC 9773, section 4.1); none where it names no issuer's key.
pub(super) fn identifier(certificate: &Certificate) -> Option<String> {
    let der = CertificateDer::from(certificate.der());
    CertificateIdentifier::try_from(&der).ok().map(|id| id.to_string())
}

/// A moment of the window: the one drawn before where that is within it still, else a new one.
fn choose(window: &SuggestedWindow, before: Option<Advice>) -> Option<Advice> {
    let (start, end) = (window.start.as_millisecond(), window.end.as_millisecond());
    let length = u64::try_from(end.checked_sub(start)?).ok().filter(|length| 0 < *length)?;
    let kept = before.map(|a| a.chosen).filter(|chosen| (start..=end).contains(chosen));
    let chosen = kept.or_else(|| {
        let mut octets = [0; 8];
        aws_lc_rs::rand::fill(&mut octets).ok()?;
        let offset = u64::from_le_bytes(octets) % length;
        start.checked_add(i64::try_from(offset).ok()?)
    })?;
    Some(Advice { start, end, chosen })
}

/// What is at `url`, as JSON.
async fn get<T: for<'de> Deserialize<'de>>(url: &str, transport: &Transport) -> Result<T, String> {
    let request = Request::get(url).body(BodyWrapper::default()).map_err(|e| e.to_string())?;
    let answer = transport.fetch(request).await.map_err(|e| e.to_string())?;
    serde_json::from_slice(answer.body()).map_err(|e| format!("{url}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str) -> SuggestedWindow {
        SuggestedWindow { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    #[test]
    fn a_moment_is_drawn_once_for_a_window() {
        let wide = window("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
        let first = choose(&wide, None).unwrap();
        assert!((first.start..first.end).contains(&first.chosen));
        assert_eq!(choose(&wide, Some(first.clone())), Some(first.clone()));
        let drawn: std::collections::BTreeSet<i64> =
            (0..20).map(|_| choose(&wide, None).unwrap().chosen).collect();
        assert!(10 < drawn.len(), "not all clients at the same moment");
        // A window that moved to the past means now.
        let past = window("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z");
        let moved = choose(&past, Some(first)).unwrap();
        assert!(moved.chosen <= moved.end);
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_none() {
        assert_eq!(choose(&window("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), None), None);
        assert_eq!(choose(&window("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z"), None), None);
    }
}
