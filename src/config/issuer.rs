//! The `[issuers.*]` tables: where certificates come from.

use super::context::{Item, Table, input_file, secret_file};
use super::{AcmeConfig, AnchorChoice, ExternalConfig, IssuerConfig, OwnCaConfig};
use crate::table::{Complaint, Spot, unknown};
use crate::time::Span;

/// How long an own CA's certificates are valid where nothing is said: as long as Let's Encrypt's
/// were when 90 days became the habit. No official reference.
const DEFAULT_VALIDITY: Span = Span::from_seconds(90 * 86_400);

/// The types of issuer.
enum IssuerType {
    /// An ACME CA.
    Acme,
    /// Another ACME client.
    External,
    /// A CA whose key is at hand.
    OwnCa,
}

/// Reads one `[issuers.*]` table; `None` where it is wrong.
pub(super) fn read(mut table: Table<'_>) -> Option<IssuerConfig> {
    let hint = "write `type = \"acme\"`, `type = \"own-ca\"` or `type = \"external\"`";
    let issuer = match table.required("type", hint, |item| item.parse(known_type))? {
        IssuerType::Acme => acme(&mut table).map(IssuerConfig::Acme),
        IssuerType::External => Some(IssuerConfig::External(external(&mut table))),
        IssuerType::OwnCa => own_ca(&mut table).map(IssuerConfig::OwnCa),
    };
    table.finish();
    issuer
}

/// Recognises an issuer's type.
fn known_type(text: &str) -> Result<IssuerType, Complaint> {
    match text {
        "acme" => Ok(IssuerType::Acme),
        "own-ca" => Ok(IssuerType::OwnCa),
        "external" => Ok(IssuerType::External),
        _ => Err(unknown("issuer type", text, ["acme", "external", "own-ca"])),
    }
}

/// Reads what an ACME CA has.
fn acme(table: &mut Table<'_>) -> Option<AcmeConfig> {
    for (key, instead) in [
        ("http-listen", "this version proves names by dns-01 alone"),
        ("webroot", "this version proves names by dns-01 alone"),
        ("profile", "this version takes the CA's default profile"),
        ("preferred-chain", "this version takes the CA's default chain"),
        ("eab-kid", "this version opens accounts without external binding"),
        ("eab-hmac-key-file", "this version opens accounts without external binding"),
    ] {
        table.unsupported(key, instead);
    }
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
    table.given("challenge", |item| item.parse(challenge));
    let ca_file = table.given("ca-file", input_file);
    let trust_anchor = table.given("trust-anchor", |item| item.parse(anchor_choice));
    let known_anchors =
        table.given("known-anchors", |item| item.list("a list of files", input_file));
    accepted?;
    Some(AcmeConfig {
        directory_url: directory_url?,
        contact: plain(contact.value()),
        ca_file: ca_file.value(),
        trust_anchor: trust_anchor.value().unwrap_or(AnchorChoice::IssuingCa),
        known_anchors: plain(known_anchors.value()),
    })
}

/// The values of a list without their places.
fn plain<T>(list: Option<Vec<Spot<T>>>) -> Vec<T> {
    let list = list.unwrap_or_default();
    list.into_iter().map(|spot| spot.value).collect()
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
fn challenge(text: &str) -> Result<(), Complaint> {
    match text {
        "dns-01" => Ok(()),
        "http-01" => Err(Complaint::new(
            "challenge `http-01` is not supported yet: this version proves names by dns-01 alone",
        )),
        _ => Err(unknown("challenge", text, ["dns-01"])),
    }
}

/// Reads which certificate `2 1 1` names.
fn anchor_choice(text: &str) -> Result<AnchorChoice, Complaint> {
    match text {
        "issuing-ca" => Ok(AnchorChoice::IssuingCa),
        "root" => Ok(AnchorChoice::Root),
        _ => Err(unknown("trust anchor", text, ["issuing-ca", "root"])),
    }
}

/// Reads what is to be said of what another ACME client brings: all of it may be left out.
fn external(table: &mut Table<'_>) -> ExternalConfig {
    let trust_anchor = table.given("trust-anchor", |item| item.parse(anchor_choice));
    let known_anchors =
        table.given("known-anchors", |item| item.list("a list of files", input_file));
    ExternalConfig {
        trust_anchor: trust_anchor.value().unwrap_or(AnchorChoice::IssuingCa),
        known_anchors: plain(known_anchors.value()),
    }
}

/// Reads what an own CA has.
fn own_ca(table: &mut Table<'_>) -> Option<OwnCaConfig> {
    let certificate_file = table.required(
        "certificate-file",
        "name the CA's certificate in PEM, followed by those above it",
        input_file,
    );
    let key_file = table.required("key-file", "name the CA's private key in PEM", secret_file);
    let validity = table.given("validity", validity);
    Some(OwnCaConfig {
        certificate_file: certificate_file?,
        key_file: key_file?,
        validity: validity.value().unwrap_or(DEFAULT_VALIDITY),
    })
}

/// Reads how long certificates are valid.
fn validity(item: Item<'_>) -> Option<Span> {
    let span = item.span()?;
    if span == Span::ZERO {
        let message = "a certificate that is valid for no time is of no use";
        return item.complain(Complaint::new(message));
    }
    Some(span)
}
