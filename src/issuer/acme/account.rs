//! The account at an ACME server: its key is on disk before the server hears of it.
//!
//! ```text
//! STATE-DIR/accounts/ISSUER.key    the account's key (PKCS#8, PEM)
//! STATE-DIR/accounts/ISSUER.json   where the account is
//! ```
//!
//! (A third file stands there while the key is exchanged for another: see [`key_change`](super::key_change).)
//!
//! The key alone makes an account: a server that is asked for a new one with a key that it knows
//! answers with the one there is (RFC 8555, section 7.3.1). So a crash loses nothing, the second
//! file may be lost or wrong, and a server that lost its accounts gets them back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::header::LINK;
use instant_acme::{Account, Key};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::failure::{Cause, Failure};
use super::http::Transport;
use super::jws::{Bond, Signer};
use crate::config::AcmeConfig;
use crate::durable;
use crate::issuer::orders::OrderBookError;
use crate::keys::PrivateKey;
use crate::pki::KeyType;
use crate::ports::Clock;
use crate::secret;
use crate::time::Span;

/// The version of the record below.
const VERSION: u32 = 1;

/// The account of one issuer, made or found when it is first needed.
pub(super) struct Accounts {
    /// The issuer's configuration.
    pub(super) config: AcmeConfig,
    /// The account's key.
    pub(super) key_file: PathBuf,
    /// The key that shall take its place, while there is one.
    pub(super) next_file: PathBuf,
    /// Where the account is.
    record_file: PathBuf,
    /// For the transport.
    clock: Arc<dyn Clock>,
    /// How long an exchange may take.
    exchange: Span,
    /// The open session, if there is one. Held while one is opened, so that hosts that are served
    /// side by side open one between them.
    session: Mutex<Option<Session>>,
}

/// An account and the connection to its server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Session {
    /// The account.
    pub(super) account: Account,
    /// The connection.
    pub(super) transport: Transport,
}

/// Where an account is.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    /// The version of this format.
    version: u32,
    /// The directory of the ACME server.
    directory: String,
    /// The account's URL there.
    url: String,
    /// The contacts that the server was told.
    contact: Vec<String>,
}

impl Accounts {
    /// The account of the issuer called `name`. Reads nothing yet.
    pub(super) fn new(
        name: &str,
        config: &AcmeConfig,
        state_dir: &Path,
        clock: Arc<dyn Clock>,
        exchange: Span,
    ) -> Self {
        let directory = state_dir.join("accounts");
        let stem = file_stem(name);
        Self {
            config: config.clone(),
            key_file: directory.join(format!("{stem}.key")),
            next_file: directory.join(format!("{stem}.next.key")),
            record_file: directory.join(format!("{stem}.json")),
            clock,
            exchange,
            session: Mutex::new(None),
        }
    }

    /// A session of the account, which is made at the server if it is not there.
    pub(super) async fn open(&self) -> Result<Session, Failure> {
        let mut open = self.session.lock().await;
        if let Some(session) = &*open {
            return Ok(session.clone());
        }
        let transport = self.transport()?;
        self.settle_key(&transport).await?;
        let account = match self.record() {
            Some(record) => self.resume(record, &transport).await?,
            None => self.register(&transport).await?,
        };
        let session = Session { account, transport };
        *open = Some(session.clone());
        Ok(session)
    }

    /// A new connection to the server, which needs no account.
    pub(super) fn transport(&self) -> Result<Transport, Failure> {
        Transport::new(self.config.ca_file.as_deref(), self.exchange, self.clock.clone())
            .map_err(Failure::of("speak HTTPS"))
    }

    /// Ends the session, so that the next one reads the directory and the roots again: what failed
    /// may have been mended there.
    pub(super) async fn close(&self) {
        *self.session.lock().await = None;
    }

    /// Forgets where the account is, because the server does not know it any more. The key stays.
    pub(super) async fn forget(&self) -> Result<(), Failure> {
        let mut open = self.session.lock().await;
        durable::remove(&self.record_file).map_err(|e| {
            Failure::of("forget the lost account")(Cause::Orders(OrderBookError::Write(e)))
        })?;
        *open = None;
        Ok(())
    }

    /// The account that is on record.
    async fn resume(&self, record: Record, transport: &Transport) -> Result<Account, Failure> {
        let account = Account::builder_with_http(Box::new(transport.clone()))
            .from_parts(record.url, self.key()?, self.config.directory_url.clone())
            .await
            .map_err(Failure::of("read the ACME directory"))?;
        if record.contact != self.config.contact {
            self.tell_contacts(&account).await?;
            self.keep(&account)?;
        }
        Ok(account)
    }

    /// Makes the account, or finds the one that the server has for this key.
    async fn register(&self, transport: &Transport) -> Result<Account, Failure> {
        let doing = || "make an account at the CA";
        let der = self.key()?;
        if let Some(external) = &self.config.external_account {
            let bond = Bond { kid: external.kid.clone(), key: mac_key(&external.hmac_key_file)? };
            let signer = Signer::open(transport, &self.config.directory_url, &der).await?;
            signer.register(&self.config.contact, &bond).await?;
        }
        let key = Key::from_pkcs8_der(der.clone_key()).map_err(Failure::of(doing()))?;
        // This agrees to the CA's terms: a configuration without `accept-terms` is not loaded.
        let (account, _) = Account::builder_with_http(Box::new(transport.clone()))
            .create_from_key((key, PrivateKeyDer::Pkcs8(der)), self.config.directory_url.clone())
            .await
            .map_err(Failure::of(doing()))?;
        if !self.config.contact.is_empty() {
            self.tell_contacts(&account).await?;
        }
        self.keep(&account)?;
        tracing::info!(account = account.id(), "made or found the ACME account");
        Ok(account)
    }

    /// Where the certificate at `url` is with other chains (RFC 8555, section 7.4.2), and the account
    /// that may fetch them.
    pub(super) async fn alternates(
        &self,
        url: &str,
        doing: &str,
    ) -> Result<(String, Vec<String>), Failure> {
        let session = self.open().await?;
        let account = session.account.id().to_owned();
        let signer =
            Signer::open(&session.transport, &self.config.directory_url, &self.key()?).await?;
        let answer = signer.fetch(&account, url, doing).await?;
        let links = answer.headers().get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let alternates = links.flat_map(|line| line.split(',')).filter_map(alternate);
        Ok((account, alternates.map(str::to_owned).collect()))
    }

    /// Fetches the text at `url` as the account.
    pub(super) async fn read(
        &self,
        account: &str,
        url: &str,
        doing: &str,
    ) -> Result<String, Failure> {
        let session = self.open().await?;
        let signer =
            Signer::open(&session.transport, &self.config.directory_url, &self.key()?).await?;
        let answer = signer.fetch(account, url, doing).await?;
        String::from_utf8(answer.into_body().to_vec())
            .map_err(|e| Failure::of(doing)(Cause::Garbled(e.to_string())))
    }

    /// Tells the server the contacts of the configuration.
    async fn tell_contacts(&self, account: &Account) -> Result<(), Failure> {
        let contact: Vec<&str> = self.config.contact.iter().map(String::as_str).collect();
        account
            .update_contacts(&contact)
            .await
            .map_err(Failure::of("tell the CA the contacts of the account"))
    }

    /// Keeps where the account is.
    fn keep(&self, account: &Account) -> Result<(), Failure> {
        let record = Record {
            version: VERSION,
            directory: self.config.directory_url.clone(),
            url: account.id().to_owned(),
            contact: self.config.contact.clone(),
        };
        let doing = || "keep where the account is";
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|e| Failure::of(doing())(Cause::Key(e.to_string())))?;
        durable::write_private(&self.record_file, &text)
            .map_err(|e| Failure::of(doing())(Cause::Orders(OrderBookError::Write(e))))
    }

    /// Where the account is, if that is known for this directory. A record that cannot be used is
    /// as good as none: the key finds the account again.
    fn record(&self) -> Option<Record> {
        let text = fs::read_to_string(&self.record_file).ok()?;
        let record: Record = serde_json::from_str(&text).ok()?;
        (record.version == VERSION && record.directory == self.config.directory_url)
            .then_some(record)
    }

    /// The account's key, made and stored if there is none.
    pub(super) fn key(&self) -> Result<PrivatePkcs8KeyDer<'static>, Failure> {
        let path = &self.key_file;
        if !path.exists() {
            self.make_key(path)?;
        }
        let text = secret::read(path).map_err(Failure::of("read the account's key"))?;
        parse_key(path, &text)
    }

    /// Makes a key for the account and stores it, unless somebody else was faster.
    pub(super) fn make_key(&self, path: &Path) -> Result<(), Failure> {
        let doing = || "make the account's key";
        let key = PrivateKey::generate(KeyType::EcdsaP256).map_err(Failure::of(doing()))?;
        let stored = path
            .parent()
            .map_or(Ok(()), durable::create_directory)
            .and_then(|()| durable::create_private(path, key.pem().as_bytes()));
        stored.map_err(|e| Failure::of(doing())(Cause::Orders(OrderBookError::Write(e))))?;
        Ok(())
    }
}

/// The key that a file holds.
pub(super) fn parse_key(path: &Path, text: &str) -> Result<PrivatePkcs8KeyDer<'static>, Failure> {
    PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|e| {
        let (path, reason) = (path.display().to_string(), e.to_string());
        Failure::of("read the account's key")(Cause::File { path, reason })
    })
}

/// Base64url, with padding or without: CAs hand out both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The MAC key that a CA gave out.
fn mac_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let doing = || Failure::of("read the key of the account elsewhere");
    let text = secret::read(path).map_err(|e| doing()(Cause::Secret(e)))?;
    // Some CAs show it in plain base64.
    let text = Zeroizing::new(text.trim().replace('+', "-").replace('/', "_"));
    let wrong = |reason: String| doing()(Cause::File { path: path.display().to_string(), reason });
    let key = BASE64.decode(text.as_bytes()).map_err(|e| wrong(format!("no base64url: {e}")))?;
    if key.is_empty() {
        return Err(wrong("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(key))
}

/// The target of a link to another chain (RFC 8288; RFC 8555, section 7.4.2).
fn alternate(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_alternate = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        Some(name.trim() == "rel" && value.split(' ').any(|relation| relation == "alternate"))
    };
    parameters.split(';').any(|p| is_alternate(p) == Some(true)).then_some(target)
}

/// An issuer's name as a file's: other characters than letters, digits, `-` and `_` as `%XX`.
fn file_stem(name: &str) -> String {
    name.bytes()
        .map(|octet| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(octet).to_string(),
            _ => format!("%{octet:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_an_issuer_leads_out_of_the_directory() {
        assert_eq!(file_stem("letsencrypt"), "letsencrypt");
        assert_eq!(file_stem("../a b.c"), "%2e%2e%2fa%20b%2ec");
        assert_eq!(file_stem("é"), "%c3%a9");
    }
}
