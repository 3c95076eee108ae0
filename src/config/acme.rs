//! An ACME CA in the configuration: `type = "acme"`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::AnchorChoice;
use super::context::{self, Item, Table, input_file, secret_file};
use super::issuer::{anchor_choice, plain};
use super::known::{self, KnownAnchors};
use crate::pki::KeyType;
use crate::table::{Complaint, Given, unknown};

/// An ACME CA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AcmeConfig {
    /// The directory's URL.
    pub directory_url: String,
    /// Contact URLs of the account.
    pub contact: Vec<String>,
    /// An extra root for the CA's own HTTPS.
    pub ca_file: Option<PathBuf>,
    /// How control over names is proved.
    pub proof: ProofConfig,
    /// The profile that certificates are ordered by, where it is not the CA's default.
    pub profile: Option<String>,
    /// The common name of the issuer of the topmost certificate of the chain that is preferred, where
    /// the CA offers several.
    pub preferred_chain: Option<String>,
    /// The account elsewhere at the CA that the ACME account belongs to.
    pub external_account: Option<ExternalAccount>,
    /// Which certificate of an issued chain `2 1 1` names.
    pub trust_anchor: AnchorChoice,
    /// CA certificates known beforehand.
    pub known_anchors: Vec<KnownAnchors>,
}

impl AcmeConfig {
    /// The same for a host with keys of these types.
    #[must_use]
    pub fn for_keys(&self, key_types: &[KeyType]) -> Self {
        let known = self.known_anchors.iter().map(|known| known.for_keys(key_types));
        Self { known_anchors: known.collect(), ..self.clone() }
    }
}

/// How control over names is proved to an ACME CA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProofConfig {
    /// By TXT records, through the provider of the host's zone (dns-01, RFC 8555, section 8.4).
    Dns,
    /// By HTTP at port 80 of the name (http-01, RFC 8555, section 8.3), answered by a listener of our
    /// own at this address while proofs are looked at.
    Listener(SocketAddr),
    /// The same, answered by a web server that serves the files in this directory.
    Webroot(PathBuf),
}

/// An account elsewhere at the CA (external account binding, RFC 8555, section 7.3.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExternalAccount {
    /// The key identifier that the CA gave.
    pub kid: String,
    /// The file with the MAC key that the CA gave, in base64url.
    pub hmac_key_file: PathBuf,
}

/// The challenges.
#[derive(Clone, Copy, Eq, PartialEq)]
enum ChallengeKind {
    /// dns-01.
    Dns,
    /// http-01.
    Http,
}

/// Reads what an ACME CA has.
pub(super) fn read(table: &mut Table<'_>) -> Option<AcmeConfig> {
    let directory_url = table.required(
        "directory-url",
        "the CA's documentation names its directory: \
         `directory-url = \"https://acme-v02.api.letsencrypt.org/directory\"`",
        |item| item.parse(https_url),
    );
    let contact =
        table.given("contact", |item| item.list("a list of URLs", |url| url.parse(contact_url)));
    let accepted = table.required(
        "accept-terms",
        "read the CA's terms, then write `accept-terms = true`",
        terms,
    );
    let proof = proof(table);
    let ca_file = table.given("ca-file", input_file);
    let profile = table.given("profile", |item| item.parse(some_text));
    let preferred_chain = table.given("preferred-chain", |item| item.parse(some_text));
    let external_account = external_account(table);
    let trust_anchor = table.given("trust-anchor", |item| item.parse(anchor_choice));
    let trust_anchor = trust_anchor.value().unwrap_or(AnchorChoice::IssuingCa);
    let known_anchors = known::read(table, trust_anchor);
    accepted?;
    Some(AcmeConfig {
        directory_url: directory_url?,
        contact: plain(contact.value()),
        ca_file: ca_file.value(),
        proof: proof?,
        profile: profile.value(),
        preferred_chain: preferred_chain.value(),
        external_account: external_account?,
        trust_anchor,
        known_anchors,
    })
}

/// Reads how names are proved; `None` where it is wrong.
fn proof(table: &mut Table<'_>) -> Option<ProofConfig> {
    let challenge = table.given("challenge", |item| item.parse(challenge));
    let listen = table.given("http-listen", |item| item.parse(listen_address));
    let webroot = table.given("webroot", context::path);
    let kind = match &challenge {
        Given::Wrong => return None,
        Given::Absent => ChallengeKind::Dns,
        Given::Value(spot) => spot.value,
    };
    let places = [("http-listen", !listen.is_absent()), ("webroot", !webroot.is_absent())];
    let given: Vec<&str> = places.iter().filter(|(_, there)| *there).map(|(key, _)| *key).collect();
    let complaint = match (kind, &given[..]) {
        (ChallengeKind::Dns, []) => return Some(ProofConfig::Dns),
        (ChallengeKind::Dns, [key, ..]) => {
            Complaint::new(format!("`{key}` is of no use with dns-01"))
                .with_hint("write `challenge = \"http-01\"`, or leave it out")
        }
        (ChallengeKind::Http, [_]) => {
            let listener = listen.value().map(ProofConfig::Listener);
            return listener.or_else(|| webroot.value().map(ProofConfig::Webroot));
        }
        (ChallengeKind::Http, []) => {
            Complaint::new("http-01 needs to know who answers at port 80 of the names").with_hint(
                "write `http-listen = \"[::]:80\"` where nobody listens there, or `webroot`, the \
                 directory of the web server that does",
            )
        }
        (ChallengeKind::Http, _) => {
            Complaint::new("`http-listen` and `webroot` cannot stand together")
                .with_hint("leave out `http-listen` where a web server has the port")
        }
    };
    let at = table.at().clone();
    table.scope().complain(&at, complaint);
    None
}

/// Reads the account elsewhere; `None` where it is wrong.
#[expect(clippy::option_option, reason = "wrong, absent, or there")]
fn external_account(table: &mut Table<'_>) -> Option<Option<ExternalAccount>> {
    let kid = table.given("eab-kid", |item| item.parse(some_text));
    let key_file = table.given("eab-hmac-key-file", secret_file);
    let missing = match (&kid, &key_file) {
        (Given::Absent, Given::Absent) => return Some(None),
        (Given::Absent, _) => "eab-kid",
        (_, Given::Absent) => "eab-hmac-key-file",
        _ => {
            let (kid, hmac_key_file) = (kid.value()?, key_file.value()?);
            return Some(Some(ExternalAccount { kid, hmac_key_file }));
        }
    };
    let complaint = Complaint::new(format!("`{missing}` is missing"));
    let at = table.at().clone();
    table.scope().complain(
        &at,
        complaint.with_hint("the CA gives out both: a key identifier and a MAC key"),
    );
    None
}

/// Reads the URL of a directory: RFC 8555, section 6.1, allows HTTPS alone.
fn https_url(text: &str) -> Result<String, Complaint> {
    let odd = |c: char| !c.is_ascii_graphic();
    let host = text.strip_prefix("https://").map(|rest| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        &rest[..end]
    });
    match host {
        Some(host) if !host.is_empty() && !text.contains(odd) => Ok(text.to_owned()),
        _ => Err(Complaint::new(format!(
            "`{text}` is no HTTPS URL, as an ACME directory must have (RFC 8555, section 6.1)"
        ))),
    }
}

/// Reads a contact of an account: RFC 8555, section 7.3, has every CA know `mailto` alone.
fn contact_url(text: &str) -> Result<String, Complaint> {
    let complaint = Complaint::new(format!("`{text}` is no contact URL"));
    match text.split_once(':') {
        Some((_, "")) => Err(complaint),
        Some(_) if text.chars().all(|c| c.is_ascii_graphic()) => Ok(text.to_owned()),
        None if text.contains('@') => Err(complaint.with_hint(format!("write `mailto:{text}`"))),
        _ => Err(complaint.with_hint("write a URL such as `mailto:hostmaster@example.nl`")),
    }
}

/// Makes sure that the CA's terms were accepted.
fn terms(item: Item<'_>) -> Option<()> {
    if item.boolean()? {
        return Some(());
    }
    let complaint = Complaint::new("no CA issues where its terms are not accepted");
    item.complain(complaint.with_hint("read the CA's terms, then write `accept-terms = true`"))
}

/// Recognises how names are proved.
fn challenge(text: &str) -> Result<ChallengeKind, Complaint> {
    match text {
        "dns-01" => Ok(ChallengeKind::Dns),
        "http-01" => Ok(ChallengeKind::Http),
        _ => Err(unknown("challenge", text, ["dns-01", "http-01"])),
    }
}

/// Reads the address of a listener; an unspecified one stands for all.
fn listen_address(text: &str) -> Result<SocketAddr, Complaint> {
    text.parse().map_err(|_| {
        Complaint::new(format!("`{text}` is no address to listen at"))
            .with_hint("write an address and a port, as `[::]:80` or `192.0.2.25:80`")
    })
}

/// A text with something in it.
fn some_text(text: &str) -> Result<String, Complaint> {
    match text.trim() {
        "" => {
            Err(Complaint::new("an empty text means nothing here").with_hint("leave the key out"))
        }
        _ => Ok(text.to_owned()),
    }
}
