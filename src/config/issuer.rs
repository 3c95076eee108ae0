//! The `[issuers.*]` tables: where certificates come from.

use super::context::{Item, Table, input_file, secret_file};
use super::{AnchorChoice, ExternalConfig, IssuerConfig, OwnCaConfig, acme, known};
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
        IssuerType::Acme => acme::read(&mut table).map(IssuerConfig::Acme),
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

/// The values of a list without their places.
pub(super) fn plain<T>(list: Option<Vec<Spot<T>>>) -> Vec<T> {
    let list = list.unwrap_or_default();
    list.into_iter().map(|spot| spot.value).collect()
}

/// Reads which certificate `2 1 1` names.
pub(super) fn anchor_choice(text: &str) -> Result<AnchorChoice, Complaint> {
    match text {
        "issuing-ca" => Ok(AnchorChoice::IssuingCa),
        "root" => Ok(AnchorChoice::Root),
        _ => Err(unknown("trust anchor", text, ["issuing-ca", "root"])),
    }
}

/// Reads what is to be said of what another ACME client brings: all of it may be left out.
fn external(table: &mut Table<'_>) -> ExternalConfig {
    let trust_anchor = table.given("trust-anchor", |item| item.parse(anchor_choice));
    let trust_anchor = trust_anchor.value().unwrap_or(AnchorChoice::IssuingCa);
    ExternalConfig { trust_anchor, known_anchors: known::read(table, trust_anchor) }
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
