//! What is kept of each order: the chain that was issued for it, and how far an ACME order is.
//!
//! ```text
//! STATE-DIR/orders/ID.pem    the issued chain, the server's own certificate first
//! STATE-DIR/orders/ID.json   where the order stands at the ACME server
//! ```
//!
//! Both are written durably before the next step is taken. The chain is what makes an order final:
//! once it is there, the CA is never asked for this order again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::durable::{self, DurableError};
use crate::pki::{Certificate, Chain};

/// The version of the records below. A record of another version is refused, not guessed at.
const VERSION: u32 = 1;

/// What is kept of all orders, in one directory.
#[derive(Clone, Debug)]
pub(super) struct OrderBook {
    /// The directory.
    directory: PathBuf,
}

/// Where an order stands at an ACME server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Record {
    /// The version of this format.
    version: u32,
    /// The SHA-256 of the SubjectPublicKeyInfo that the certificate is for, in hexadecimal.
    pub(super) key: String,
    /// The names that it is for.
    pub(super) names: Vec<String>,
    /// The order at the CA, once it was placed.
    pub(super) placed: Option<Placed>,
    /// TXT records that are, or may be, in the DNS on behalf of this order.
    pub(super) challenges: Vec<ChallengeRecord>,
    /// Files that are, or may be, in a web server's directory on behalf of this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<PathBuf>,
    /// Orders that came to nothing, oldest first.
    pub(super) given_up: Vec<GivenUp>,
}

/// An order at an ACME server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Placed {
    /// The directory of the ACME server.
    pub(super) directory: String,
    /// The order's URL there.
    pub(super) url: String,
    /// The last step that was begun.
    pub(super) step: Step,
}

/// The steps of an order after which a crash leaves something at the CA.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    /// It was placed.
    Placed,
    /// A certificate was requested, and may have been issued.
    Finalized,
}

/// A TXT record that answers a dns-01 challenge.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ChallengeRecord {
    /// The zone that it is in.
    pub(super) zone: String,
    /// The name that it is at.
    pub(super) name: String,
    /// Its value.
    pub(super) value: String,
}

/// An order that came to nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GivenUp {
    /// Its URL at the CA.
    pub(super) url: String,
    /// Why it was given up.
    pub(super) reason: String,
}

impl Record {
    /// The record of an order that was not placed yet.
    pub(super) fn new(key: String, names: Vec<String>) -> Self {
        Self {
            version: VERSION,
            key,
            names,
            placed: None,
            challenges: Vec::new(),
            files: Vec::new(),
            given_up: Vec::new(),
        }
    }
}

/// Why what is kept of an order cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderBookError {
    /// The order's id could name a file elsewhere.
    #[error("`{0}` is not an order id: lower-case letters, digits and hyphens")]
    Id(String),
    /// A file cannot be written.
    #[error("{}", .0.describe())]
    Write(#[from] DurableError),
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what this program wrote there.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl OrderBookError {
    /// What the operator can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Id(_) => "this is a defect of rollover; please report it",
            Self::Write(_) => "check the disk, and who owns the state directory",
            Self::Read { .. } => "check who owns the state directory",
            Self::Damaged { .. } => {
                "restore the file, or move it away: then the certificate is ordered anew"
            }
        }
    }
}

impl OrderBook {
    /// The orders under `state_dir`. Nothing is written before the first order.
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { directory: state_dir.join("orders") }
    }

    /// The chain that was issued for the order `id`, if it was.
    pub(super) fn chain(&self, id: &str) -> Result<Option<Chain>, OrderBookError> {
        let path = self.path(id, "pem")?;
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let damaged = |reason: String| OrderBookError::Damaged { path: path.clone(), reason };
        let certificates = certificates(&text).map_err(damaged)?;
        Chain::new(certificates)
            .map(Some)
            .ok_or_else(|| damaged("it holds no certificate".to_owned()))
    }

    /// Keeps the chain that was issued for the order `id`.
    pub(super) fn keep_chain(&self, id: &str, chain: &Chain) -> Result<(), OrderBookError> {
        self.write(id, "pem", chain.to_pem().as_bytes())
    }

    /// Where the order `id` stands, if anything is known of it.
    pub(super) fn record(&self, id: &str) -> Result<Option<Record>, OrderBookError> {
        let path = self.path(id, "json")?;
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        parse(&text).map(Some).map_err(|reason| OrderBookError::Damaged { path, reason })
    }

    /// Keeps where the order `id` stands.
    pub(super) fn keep_record(&self, id: &str, record: &Record) -> Result<(), OrderBookError> {
        let text = serde_json::to_vec_pretty(record)
            .map_err(|e| OrderBookError::Read { path: self.directory.clone(), source: e.into() })?;
        self.write(id, "json", &text)
    }

    /// Writes a file of the order `id`.
    fn write(&self, id: &str, extension: &str, text: &[u8]) -> Result<(), OrderBookError> {
        let path = self.path(id, extension)?;
        durable::create_directory(&self.directory)?;
        Ok(durable::write_private(&path, text)?)
    }

    /// A file of the order `id`.
    fn path(&self, id: &str, extension: &str) -> Result<PathBuf, OrderBookError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || !id.chars().all(allowed) {
            return Err(OrderBookError::Id(id.to_owned()));
        }
        Ok(self.directory.join(format!("{id}.{extension}")))
    }
}

/// The text of the file at `path`; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<String>, OrderBookError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OrderBookError::Read { path: path.to_owned(), source }),
    }
}

/// Reads a record of this version; the version is looked at first, as a later one may differ in
/// everything else.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Versioned {
        /// The version.
        version: u32,
    }
    let found: Versioned = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if found.version != VERSION {
        return Err(format!("it has version {}, and this program writes {VERSION}", found.version));
    }
    serde_json::from_str(text).map_err(|e| e.to_string())
}

/// All certificates of a PEM text, in order; what else is in it is passed over.
pub(super) fn certificates(text: &str) -> Result<Vec<Certificate>, String> {
    CertificateDer::pem_slice_iter(text.as_bytes())
        .map(|block| {
            let der = block.map_err(|e| e.to_string())?;
            Certificate::from_der(&der).map_err(|e| e.to_string())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        let book = OrderBook::new(state.path());
        assert_eq!(book.record("one").unwrap(), None);
        let mut record = Record::new("ab".repeat(32), vec!["mail.example.nl".to_owned()]);
        record.placed = Some(Placed {
            directory: "https://ca.example/dir".to_owned(),
            url: "https://ca.example/order/1".to_owned(),
            step: Step::Finalized,
        });
        book.keep_record("one", &record).unwrap();
        assert_eq!(book.record("one").unwrap(), Some(record));
        let mode = |name: &str| {
            let metadata = fs::metadata(state.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode("orders"), mode("orders/one.json")), (0o700, 0o600));
    }

    #[test]
    fn a_record_of_another_version_or_a_torn_one_is_refused_with_its_path() {
        let state = tempfile::tempdir().unwrap();
        let book = OrderBook::new(state.path());
        for (text, reason) in [
            (r#"{"version":2,"new":true}"#, "it has version 2, and this program writes 1"),
            (r#"{"version":1,"key":"#, "EOF while parsing"),
            ("", "EOF while parsing"),
            (
                r#"{"version":1,"key":"","names":[],"placed":null,"challenges":[],"given-up":[],"x":1}"#,
                "unknown field `x`",
            ),
        ] {
            book.write("torn", "json", text.as_bytes()).unwrap();
            let error = book.record("torn").unwrap_err().to_string();
            assert!(error.contains("orders/torn.json` is damaged"), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }
}
