//! What an account is like at the CA, and another key for it (RFC 8555, section 7.3.5).
//!
//! ```text
//! STATE-DIR/accounts/ISSUER.next.key   the key that shall take the place of the account's
//! ```
//!
//! The next key is on disk before the CA hears of it, and takes the other one's place there when the CA
//! is seen to know it. Whoever is stopped in between, or never gets the answer, leaves both behind: at the
//! next use the CA is asked for an account of the next key, and so tells which of the two it accepts. A
//! key that it does not know is kept all the same, since a request that was sent may still be under way.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::Deserialize;

use super::account::{Accounts, parse_key};
use super::explain;
use super::failure::{Cause, Failure};
use super::http::Transport;
use super::jws::Signer;
use crate::config::AcmeConfig;
use crate::durable;
use crate::issuer::orders::OrderBookError;
use crate::ports::{Clock, IssueError};
use crate::secret::{self, SecretError};
use crate::time::Span;

/// An account as the CA has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountView {
    /// Its URL.
    pub url: String,
    /// Its status: `valid`, `deactivated` or `revoked`.
    pub status: String,
    /// The contacts that the CA has.
    pub contact: Vec<String>,
    /// The thumbprint of its key (RFC 7638).
    pub thumbprint: String,
    /// Whether a next key is on disk that the CA does not know.
    pub is_next_key_unknown: bool,
}

/// The account of an ACME issuer, to be looked at and given another key.
pub struct AcmeAccount {
    /// The issuer's name, and where it is.
    title: String,
    /// The account.
    accounts: Accounts,
}

impl AcmeAccount {
    /// The account of the issuer called `name`. Asks nobody yet.
    pub fn new(
        name: &str,
        config: &AcmeConfig,
        state_dir: &Path,
        clock: Arc<dyn Clock>,
        exchange: Span,
    ) -> Self {
        Self {
            title: super::title(name, config),
            accounts: Accounts::new(name, config, state_dir, clock, exchange),
        }
    }

    /// What the account is like at the CA; `None` where there is none yet. Changes nothing.
    ///
    /// # Errors
    ///
    /// With what the CA said.
    pub async fn view(&self) -> Result<Option<AccountView>, IssueError> {
        self.accounts.view().await.map_err(|failure| explain(&self.title, &failure))
    }

    /// Gives the account another key; `None` where there is no account yet. What was begun and not
    /// ended is gone on with.
    ///
    /// # Errors
    ///
    /// With what the CA said. The account can be used in any case.
    pub async fn change_key(&self) -> Result<Option<AccountView>, IssueError> {
        self.accounts.change_key().await.map_err(|failure| explain(&self.title, &failure))
    }
}

/// What is read of an account object (RFC 8555, section 7.1.2).
#[derive(Deserialize)]
struct AccountObject {
    /// Its status.
    status: String,
    /// Its contacts.
    #[serde(default)]
    contact: Vec<String>,
}

impl Accounts {
    /// Makes the next key the account's, where there is one and the CA knows an account by it.
    pub(super) async fn settle_key(&self, transport: &Transport) -> Result<(), Failure> {
        let Some((text, key)) = self.next_key()? else { return Ok(()) };
        let signer = Signer::open(transport, &self.config.directory_url, &key).await?;
        match signer.find().await? {
            Some(url) => {
                tracing::info!(url, "the CA has the account's next key");
                self.promote(&text)
            }
            None => {
                tracing::info!(
                    "the CA does not know the account's next key: the present one stays"
                );
                Ok(())
            }
        }
    }

    /// The account at the CA, by whichever key it knows.
    async fn view(&self) -> Result<Option<AccountView>, Failure> {
        let doing = "look at the account";
        if !self.key_file.exists() {
            return Ok(None);
        }
        let transport = self.transport()?;
        let next = self.next_key()?.map(|(_, key)| key);
        let has_next = next.is_some();
        let keys = next.into_iter().map(|key| (key, true)).chain([(self.key()?, false)]);
        for (key, is_next) in keys {
            let signer = Signer::open(&transport, &self.config.directory_url, &key).await?;
            let Some(url) = signer.find().await? else { continue };
            let answer = signer.fetch(&url, &url, doing).await?;
            let object: AccountObject = serde_json::from_slice(answer.body())
                .map_err(|e| Failure::of(doing)(Cause::Garbled(e.to_string())))?;
            return Ok(Some(AccountView {
                url,
                status: object.status,
                contact: object.contact,
                thumbprint: signer.thumbprint(),
                is_next_key_unknown: has_next && !is_next,
            }));
        }
        Ok(None)
    }

    /// Gives the account another key.
    async fn change_key(&self) -> Result<Option<AccountView>, Failure> {
        if !self.key_file.exists() {
            return Ok(None);
        }
        let session = self.open().await?;
        if self.next_key()?.is_none() {
            self.make_key(&self.next_file)?;
        }
        let Some((text, next)) = self.next_key()? else { return Ok(None) };
        let directory = &self.config.directory_url;
        let signer = Signer::open(&session.transport, directory, &self.key()?).await?;
        signer.change_key(session.account.id(), &next).await?;
        self.promote(&text)?;
        self.close().await;
        self.view().await
    }

    /// The next key, as text and as key, where there is one.
    fn next_key(
        &self,
    ) -> Result<Option<(zeroize::Zeroizing<String>, PrivatePkcs8KeyDer<'static>)>, Failure> {
        match secret::read(&self.next_file) {
            Ok(text) => {
                let key = parse_key(&self.next_file, &text)?;
                Ok(Some((text, key)))
            }
            // Another host of the same pass may just have put it in its place.
            Err(SecretError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(Failure::of("read the account's next key")(Cause::Secret(error))),
        }
    }

    /// Puts the next key in the place of the account's. Cut off in the middle it is done again.
    fn promote(&self, next: &str) -> Result<(), Failure> {
        let put = durable::write_private(&self.key_file, next.as_bytes())
            .and_then(|()| durable::remove(&self.next_file));
        put.map_err(|e| {
            Failure::of("keep the account's new key")(Cause::Orders(OrderBookError::Write(e)))
        })
    }
}
