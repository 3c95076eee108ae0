//! Requests that are signed here, because instant-acme has no call for them: an account that is bound
//! to one elsewhere and whose key was on disk before, the account of a key, another key for it that was on
//! disk before, and a chain beside the default one.
//!
//! A request is a flattened JWS (RFC 7515, section 7.2.2; RFC 8555, section 6.2), signed with ES256 by
//! the account's key.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use instant_acme::BodyWrapper;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::failure::{Cause, Failure};
use super::http::{HttpFailure, Transport};
use crate::pki::Sha256Digest;

/// What requests are sent as (RFC 8555, section 6.2).
const JOSE: HeaderValue = HeaderValue::from_static("application/jose+json");

/// How often a request is sent whose nonce the server refuses (RFC 8555, section 6.5).
const NONCES: u32 = 6;

/// Signs requests with an account's key.
pub(super) struct Signer<'a> {
    /// The connection.
    transport: &'a Transport,
    /// The account's key.
    pair: EcdsaKeyPair,
    /// What the server offers.
    directory: Directory,
}

/// What is needed of a server's directory (RFC 8555, section 7.1.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    /// Where nonces are had.
    new_nonce: String,
    /// Where accounts are made.
    new_account: String,
    /// Where accounts get other keys.
    key_change: Option<String>,
}

/// The account elsewhere that an ACME account belongs to.
pub(super) struct Bond {
    /// The key identifier that the CA gave.
    pub(super) kid: String,
    /// The MAC key that it gave.
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl<'a> Signer<'a> {
    /// A signer with this key; reads the server's directory.
    pub(super) async fn open(
        transport: &'a Transport,
        directory_url: &str,
        key: &PrivatePkcs8KeyDer<'_>,
    ) -> Result<Self, Failure> {
        let doing = || Failure::of("read the ACME directory");
        let pair = pair(key)?;
        let request = Request::get(directory_url).body(BodyWrapper::default());
        let request = request.map_err(|e| doing()(Cause::Garbled(e.to_string())))?;
        let answer = transport.fetch(request).await.map_err(|e| doing()(http(e)))?;
        let directory = serde_json::from_slice(answer.body())
            .map_err(|e| doing()(Cause::Garbled(e.to_string())))?;
        Ok(Self { transport, pair, directory })
    }

    /// Makes the account, bound to the one elsewhere (RFC 8555, section 7.3.4). A server that has an
    /// account for this key answers with that.
    pub(super) async fn register(&self, contact: &[String], bond: &Bond) -> Result<(), Failure> {
        let url = self.directory.new_account.as_str();
        let jwk = jwk(&self.pair);
        let protected = json!({ "alg": "HS256", "kid": bond.kid, "url": url });
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &bond.key);
        let binding = flattened(&protected, &jwk.to_string(), |text| {
            Ok::<_, Failure>(hmac::sign(&mac, text).as_ref().to_vec())
        })?;
        let account = json!({
            "termsOfServiceAgreed": true,
            "contact": contact,
            "externalAccountBinding": binding,
        });
        let doing = "make an account at the CA, bound to the one elsewhere";
        self.post(url, ("jwk", jwk), &account.to_string(), doing).await?;
        Ok(())
    }

    /// The URL of the account that the server has for this key; `None` where it has none (RFC 8555,
    /// section 7.3.1).
    pub(super) async fn find(&self) -> Result<Option<String>, Failure> {
        let doing = "find the account of a key";
        let url = self.directory.new_account.as_str();
        let payload = json!({ "onlyReturnExisting": true }).to_string();
        match self.post(url, ("jwk", jwk(&self.pair)), &payload, doing).await {
            Ok(answer) => {
                let url = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                let missing = || Cause::Garbled("there is no Location in the answer".to_owned());
                url.map(|url| Some(url.to_owned())).ok_or_else(|| Failure::of(doing)(missing()))
            }
            Err(failure) if failure.kind() == "accountDoesNotExist" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Gives the account at `account` the key `next` (RFC 8555, section 7.3.5): the new key vouches for
    /// the exchange, and the account's for the new key.
    pub(super) async fn change_key(
        &self,
        account: &str,
        next: &PrivatePkcs8KeyDer<'_>,
    ) -> Result<(), Failure> {
        let doing = "give the account another key";
        let missing = || Cause::Garbled("the CA's directory names no keyChange".to_owned());
        let url = self.directory.key_change.as_deref();
        let url = url.ok_or_else(|| Failure::of(doing)(missing()))?;
        let next = pair(next)?;
        let protected = json!({ "alg": "ES256", "jwk": jwk(&next), "url": url });
        let payload = json!({ "account": account, "oldKey": jwk(&self.pair) });
        let inner = flattened(&protected, &payload.to_string(), |text| sign(&next, text, doing))?;
        self.post(url, ("kid", json!(account)), &inner.to_string(), doing).await?;
        Ok(())
    }

    /// What tells the key from others (RFC 7638): the SHA-256 of its members in the order of their names.
    pub(super) fn thumbprint(&self) -> String {
        let key = jwk(&self.pair);
        let text = format!(
            r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#,
            key["crv"], key["kty"], key["x"], key["y"]
        );
        BASE64.encode(Sha256Digest::of(text.as_bytes()).0)
    }

    /// Fetches what is at `url`, as this account (POST-as-GET, RFC 8555, section 6.3).
    pub(super) async fn fetch(
        &self,
        account: &str,
        url: &str,
        doing: &str,
    ) -> Result<Response<Bytes>, Failure> {
        self.post(url, ("kid", json!(account)), "", doing).await
    }

    /// Sends a signed request; again, where the server did not like its nonce.
    async fn post(
        &self,
        url: &str,
        (member, identity): (&str, Value),
        payload: &str,
        doing: &str,
    ) -> Result<Response<Bytes>, Failure> {
        for _ in 0..NONCES {
            let mut protected = json!({ "alg": "ES256", "url": url, "nonce": self.nonce().await? });
            protected[member] = identity.clone();
            let body = flattened(&protected, payload, |text| sign(&self.pair, text, doing))?;
            let request = Request::post(url)
                .header(CONTENT_TYPE, JOSE)
                .body(BodyWrapper::from(body.to_string().into_bytes()))
                .map_err(|e| Failure::of(doing)(Cause::Garbled(e.to_string())))?;
            let answer = self.transport.fetch(request).await;
            let answer = answer.map_err(|failure| Failure::of(doing)(http(failure)))?;
            // Of what is no success, badNonce alone comes this way.
            if answer.status() != StatusCode::BAD_REQUEST {
                return Ok(answer);
            }
        }
        let reason = format!("the CA refused {NONCES} nonces that it had given out");
        Err(Failure::of(doing)(Cause::Garbled(reason)))
    }

    /// A new nonce.
    async fn nonce(&self) -> Result<String, Failure> {
        let doing = || Failure::of("get a nonce of the CA");
        let request = Request::builder().method(Method::HEAD).uri(&self.directory.new_nonce);
        let request = request.body(BodyWrapper::default());
        let request = request.map_err(|e| doing()(Cause::Garbled(e.to_string())))?;
        let answer = self.transport.fetch(request).await.map_err(|e| doing()(http(e)))?;
        let nonce = answer.headers().get("replay-nonce").and_then(|value| value.to_str().ok());
        nonce.map(str::to_owned).ok_or_else(|| {
            doing()(Cause::Garbled("there is no Replay-Nonce in the answer".to_owned()))
        })
    }
}

/// A key as the crypto library has it.
fn pair(key: &PrivatePkcs8KeyDer<'_>) -> Result<EcdsaKeyPair, Failure> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der())
        .map_err(|e| Failure::of("use the account's key")(Cause::Key(e.to_string())))
}

/// The public key (RFC 7517; RFC 7518, section 6.2): two coordinates after an octet that says so.
fn jwk(pair: &EcdsaKeyPair) -> Value {
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
    json!({ "kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y) })
}

/// The signature of `text`.
fn sign(pair: &EcdsaKeyPair, text: &[u8], doing: &str) -> Result<Vec<u8>, Failure> {
    let signature = pair.sign(&SystemRandom::new(), text);
    let signature = signature.map(|signature| signature.as_ref().to_vec());
    signature.map_err(|e| Failure::of(doing)(Cause::Key(e.to_string())))
}

/// A flattened JWS.
fn flattened<E>(
    protected: &Value,
    payload: &str,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Value, E> {
    let protected = BASE64.encode(protected.to_string());
    let payload = BASE64.encode(payload);
    let signature = BASE64.encode(sign(format!("{protected}.{payload}").as_bytes())?);
    Ok(json!({ "protected": protected, "payload": payload, "signature": signature }))
}

/// A failed exchange as a cause.
fn http(failure: HttpFailure) -> Cause {
    Cause::Http(Box::new(failure))
}
