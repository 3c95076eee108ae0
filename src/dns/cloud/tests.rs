//! The APIs that can be pointed elsewhere, before a server that answers as PowerDNS does, or worse.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Credentials;
use crate::ports::Remedy;
use crate::tlsa::TlsaRrset;

/// The key of the API, which no message shows.
const KEY: &str = "s3cret/k3y";

/// How a server answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    /// As PowerDNS does.
    Usual,
    /// It takes changes, and makes none.
    Forgetful,
    /// It answers with this status, and repeats the key.
    Error(u16),
    /// It accepts connections, and says nothing.
    Silent,
}

/// An RRset as the API has it: name, type, TTL, contents.
type Rrset = (String, String, u64, Vec<String>);

/// A server, as its requests see it.
struct Api {
    /// How it answers.
    mood: Mood,
    /// Its RRsets.
    rrsets: Mutex<Vec<Rrset>>,
    /// The contents of each change it was asked for.
    asked: Mutex<Vec<Vec<String>>>,
}

impl Api {
    /// A server, and the provider that asks it.
    async fn start(mood: Mood) -> (Arc<Self>, Cloud) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let api = Arc::new(Self { mood, rrsets: Mutex::default(), asked: Mutex::default() });
        let own = Arc::clone(&api);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = Arc::clone(&own);
                tokio::spawn(async move { api.serve(stream).await });
            }
        });
        let text = format!("url = \"{url}\"\napi-key = \"{KEY}\"");
        let provider = CloudProvider::PowerDns;
        let config = CloudConfig {
            provider,
            credentials: Credentials::parse(provider, &text).unwrap(),
            timeout: Span::from_seconds(1),
            zone: None,
        };
        (api, Cloud::open("cloud", &config).unwrap())
    }

    /// Answers one request.
    async fn serve(&self, mut stream: TcpStream) {
        let (head, body) = request(&mut stream).await;
        assert!(head.to_ascii_lowercase().contains(&format!("x-api-key: {KEY}")), "{head}");
        let (status, answer) = match self.mood {
            Mood::Silent => std::future::pending().await,
            Mood::Error(status) => (status, json!({ "error": format!("not with {KEY}") })),
            Mood::Usual | Mood::Forgetful if head.starts_with("PATCH ") => {
                self.patch(&serde_json::from_str(&body).unwrap());
                (204, Value::Null)
            }
            Mood::Usual | Mood::Forgetful => (200, self.listed(&head)),
        };
        let body = if status == 204 { String::new() } else { answer.to_string() };
        let answer = format!(
            "HTTP/1.1 {status} So\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    /// What the zone holds, or that of it which is asked for.
    fn listed(&self, head: &str) -> Value {
        let rrsets = self.rrsets.lock().unwrap();
        let asked = |(name, kind, ..): &&Rrset| {
            !head.contains('?') || head.contains(&format!("rrset_name={name}&rrset_type={kind}"))
        };
        let one = |(name, kind, ttl, contents): &Rrset| {
            let record = |content| json!({ "content": content, "disabled": false });
            let records: Vec<Value> = contents.iter().map(record).collect();
            json!({ "name": name, "type": kind, "ttl": ttl, "records": records })
        };
        let rrsets: Vec<Value> = rrsets.iter().filter(asked).map(one).collect();
        json!({ "name": "mail.example.nl.", "rrsets": rrsets })
    }

    /// Makes the changes of a request.
    fn patch(&self, body: &Value) {
        for change in body["rrsets"].as_array().unwrap() {
            let text = |key: &str| change[key].as_str().unwrap().to_owned();
            let records = change["records"].as_array().cloned().unwrap_or_default();
            let mut contents: Vec<String> =
                records.iter().map(|r| r["content"].as_str().unwrap().to_owned()).collect();
            contents.sort();
            self.asked.lock().unwrap().push(contents.clone());
            if self.mood == Mood::Forgetful {
                continue;
            }
            let (name, kind) = (text("name"), text("type"));
            let mut rrsets = self.rrsets.lock().unwrap();
            rrsets.retain(|(n, k, ..)| (n, k) != (&name, &kind));
            if text("changetype") == "REPLACE" {
                rrsets.push((name, kind, change["ttl"].as_u64().unwrap(), contents));
            }
        }
    }

    /// Puts records of a type where the test looks.
    fn put(&self, kind: &str, contents: &[&str]) {
        let contents = contents.iter().map(|content| (*content).to_owned()).collect();
        let rrset = (owner().absolute(), kind.to_owned(), 300, contents);
        self.rrsets.lock().unwrap().push(rrset);
    }

    /// What is there of a type.
    fn held(&self, kind: &str) -> Vec<String> {
        let rrsets = self.rrsets.lock().unwrap();
        let found = rrsets.iter().find(|(_, k, ..)| k == kind);
        found.map(|(.., contents)| contents.clone()).unwrap_or_default()
    }

    /// The contents of each change it was asked for.
    fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads a request.
async fn request(stream: &mut TcpStream) -> (String, String) {
    let (mut text, mut block) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap_or("0");
            let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
            if length <= body.len() {
                return (head.to_owned(), body.to_owned());
            }
        }
        let count = stream.read(&mut block).await.unwrap();
        assert!(0 < count, "the request ends early: {text}");
        text.push_str(std::str::from_utf8(&block[..count]).unwrap());
    }
}

/// The name that is changed.
fn owner() -> DnsName {
    "_25._tcp.mail.example.nl".parse().unwrap()
}

/// The zone it is in.
fn zone() -> DnsName {
    "mail.example.nl".parse().unwrap()
}

/// A record whose data are this octet over and over.
fn record(octet: u8) -> Record {
    Record { usage: 3, selector: 1, matching_type: 1, data: vec![octet; 32] }
}

/// The change from some records to others.
fn change(before: &[u8], after: &[u8]) -> [RrsetChange; 1] {
    let rrset =
        |octets: &[u8]| TlsaRrset::new(octets.iter().copied().map(record), Ttl::from_seconds(300));
    let (observed, desired) = (rrset(before), rrset(after));
    [RrsetChange { owners: Vec::new(), name: owner(), observed, desired }]
}

/// Records as texts, in order.
fn texts(octets: &[u8]) -> Vec<String> {
    octets.iter().map(|octet| record(*octet).to_string()).collect()
}

/// Records as they are put there.
fn put(api: &Api, octets: &[u8]) {
    let texts = texts(octets);
    api.put("TLSA", &texts.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_new_is_added_before_what_is_old_is_taken_away() {
    let (api, cloud) = Api::start(Mood::Usual).await;
    put(&api, &[1, 2]);
    let held = cloud.read(&zone(), &owner()).await.unwrap();
    assert_eq!(held, HeldRrset { records: [record(1), record(2)].into(), ttl: None });
    cloud.replace(&zone(), &change(&[1, 2], &[2, 3])).await.unwrap();
    assert_eq!(api.asked(), [texts(&[1, 2, 3]), texts(&[2, 3])]);
    assert_eq!(api.held("TLSA"), texts(&[2, 3]));
    // Once more: it is as desired.
    cloud.replace(&zone(), &change(&[1, 2], &[2, 3])).await.unwrap();
    assert_eq!(api.asked().len(), 2);
    // From nothing, and to nothing.
    cloud.replace(&zone(), &change(&[2, 3], &[])).await.unwrap();
    assert_eq!(api.held("TLSA"), texts(&[]));
    cloud.replace(&zone(), &change(&[], &[4])).await.unwrap();
    assert_eq!(api.held("TLSA"), texts(&[4]));
}

#[tokio::test]
async fn what_somebody_else_wrote_is_left_alone() {
    let (api, cloud) = Api::start(Mood::Usual).await;
    put(&api, &[1, 9]);
    let error = cloud.replace(&zone(), &change(&[1], &[2])).await.unwrap_err();
    assert!(matches!(error, PublishError::Conflict { .. }), "{error}");
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn nothing_is_taken_away_where_nothing_was_added() {
    let (api, cloud) = Api::start(Mood::Forgetful).await;
    put(&api, &[1]);
    let error = cloud.replace(&zone(), &change(&[1], &[2])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the provider `cloud` (powerdns) did not answer about _25._tcp.mail.example.nl. TLSA: it said \
         that it changed the RRset, and reads it back as another"
    );
    assert_eq!(api.asked(), [texts(&[1, 2])]);
}

#[tokio::test]
async fn proofs_come_and_go_beside_others() {
    let (api, cloud) = Api::start(Mood::Usual).await;
    api.put("TXT", &["\"another's\""]);
    let ttl = Ttl::from_seconds(60);
    cloud.add_txt(&zone(), &owner(), "proof", ttl).await.unwrap();
    assert_eq!(api.held("TXT"), ["\"another's\"", "\"proof\""]);
    cloud.add_txt(&zone(), &owner(), "proof", ttl).await.unwrap();
    cloud.remove_txt(&zone(), &owner(), "proof").await.unwrap();
    cloud.remove_txt(&zone(), &owner(), "proof").await.unwrap();
    assert_eq!(api.held("TXT"), ["\"another's\""]);
}

#[tokio::test]
async fn refusals_are_told_from_silence_and_no_secret_is_repeated() {
    let cases = [
        (Mood::Error(401), Remedy::AskOperator, "it does not accept the credentials"),
        (Mood::Error(404), Remedy::AskOperator, "it does not have the zone"),
        (Mood::Error(422), Remedy::RetryLater { not_before: None }, "not with ***"),
        (Mood::Silent, Remedy::RetryLater { not_before: None }, "not answer within 1s"),
    ];
    for (mood, remedy, said) in cases {
        let (api, cloud) = Api::start(mood).await;
        let read = cloud.read(&zone(), &owner()).await.unwrap_err();
        let replace = cloud.replace(&zone(), &change(&[1], &[2])).await.unwrap_err();
        for error in [read, replace] {
            assert_eq!(error.remedy(), remedy, "{error}");
            assert!(error.to_string().contains(said), "{error}");
            assert!(!error.surely_without_effect(), "{error}");
            assert!(!error.to_string().contains(KEY), "{error}");
        }
        assert!(api.asked().is_empty());
    }
}

#[tokio::test]
async fn some_apis_have_secrets_in_their_addresses() {
    let provider = CloudProvider::ClouDns;
    let text = "auth-id = \"1\"\npassword = \"pass word\"";
    let credentials = Credentials::parse(provider, text).unwrap();
    let error = Error::Api(
        "Failed to send request to https://api.example/records?auth-password=pass+word&a=b: no route"
            .to_owned(),
    );
    assert_eq!(
        said(&credentials, &error),
        "Failed to send request to https://api.example/records?...: no route"
    );
}

#[tokio::test]
async fn every_provider_can_be_opened() {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let key = key.unwrap().serialize_pem();
    for provider in CloudProvider::ALL {
        let value = |key_name: &&str| match *key_name {
            "private-key" => format!("{key_name} = '''{key}'''\n"),
            "endpoint" => "endpoint = 'ovh-eu'\n".to_owned(),
            "context" => "context = '4'\n".to_owned(),
            other => format!("{other} = 'x'\n"),
        };
        let required: String = provider.required().iter().map(value).collect();
        let all = required.clone() + &provider.optional().iter().map(value).collect::<String>();
        for text in [required, all] {
            if provider == CloudProvider::ClouDns && !text.contains("auth-id") {
                continue; // One of two.
            }
            let credentials = Credentials::parse(provider, &text).unwrap();
            let timeout = Span::from_seconds(1);
            let config = CloudConfig { provider, credentials, timeout, zone: None };
            let opened = Cloud::open("cloud", &config).map(|_| ());
            assert_eq!(opened, Ok(()), "{}", provider.name());
        }
    }
}
