//! The `[dns.*]` tables: who takes the changes to zones.

use std::net::SocketAddr;

use super::context::{Item, Table, distinct, secret_file};
use super::deploy::argv;
use super::resolver::dns_server;
use super::{DnsConfig, PluginConfig, Rfc2136Config};
use crate::name::DnsName;
use crate::table::{Complaint, unknown};
use crate::time::Span;

/// How long a provider may take for an answer, unless the configuration says otherwise.
const TIMEOUT: Span = Span::from_seconds(30);

/// The kinds of providers.
#[derive(Clone, Copy)]
enum Kind {
    /// A primary.
    Rfc2136,
    /// An executable.
    Plugin,
    /// Somebody's API.
    #[cfg(feature = "cloud")]
    Cloud,
}

/// Reads one `[dns.*]` table; `None` where it is wrong.
pub(super) fn read(mut table: Table<'_>) -> Option<DnsConfig> {
    let hint = "write `type = \"rfc2136\"`, `type = \"cloud\"` or `type = \"plugin\"`";
    match table.required("type", hint, |item| item.parse(kind))? {
        Kind::Rfc2136 => primary(table).map(DnsConfig::Rfc2136),
        Kind::Plugin => plugin(table).map(DnsConfig::Plugin),
        #[cfg(feature = "cloud")]
        Kind::Cloud => super::cloud::read(table).map(DnsConfig::Cloud),
    }
}

/// Reads the rest of the table of a primary.
fn primary(mut table: Table<'_>) -> Option<Rfc2136Config> {
    let servers = table.required(
        "server",
        "name the primary that takes updates: `server = \"192.0.2.53\"`",
        servers,
    );
    let tsig_key_file = table.required(
        "tsig-key-file",
        "name a BIND key file, as `tsig-keygen` writes it",
        secret_file,
    );
    let zone = table.given("zone", |item: Item<'_>| item.parse(zone));
    table.finish();
    Some(Rfc2136Config { servers: servers?, tsig_key_file: tsig_key_file?, zone: zone.value() })
}

/// Reads the address of a primary, or a list: the primary, and those that stand in for it.
fn servers(item: Item<'_>) -> Option<Vec<SocketAddr>> {
    if !item.is_list() {
        return item.parse(dns_server).map(|server| vec![server]);
    }
    let servers =
        item.list("an address or a list of addresses", |server| server.parse(dns_server))?;
    if servers.is_empty() {
        return item.complain(Complaint::new("an empty list names no server"));
    }
    let servers = distinct(item.scope(), servers, |server| *server)?;
    Some(servers.into_iter().map(|server| server.value).collect())
}

/// Reads the rest of the table of a plugin.
fn plugin(mut table: Table<'_>) -> Option<PluginConfig> {
    let hint = "name the executable: `command = [\"/usr/libexec/rollover/dns-example\"]`";
    let command = table.required("command", hint, |item| {
        let key = item.key().to_owned();
        let words = argv(item)?;
        match words.is_empty() {
            true => item.complain(Complaint::new(format!("`{key}` names no program"))),
            false => Some(words),
        }
    });
    let credentials = table.given("credentials-file", secret_file);
    let timeout = timeout(&mut table);
    let zone = table.given("zone", |item: Item<'_>| item.parse(zone));
    table.finish();
    Some(PluginConfig {
        command: command?,
        credentials_file: credentials.value(),
        timeout,
        zone: zone.value(),
    })
}

/// Reads how long a provider may take for an answer.
pub(super) fn timeout(table: &mut Table<'_>) -> Span {
    let timeout = table.given("timeout", |item: Item<'_>| match item.span()? {
        Span::ZERO => item.complain(Complaint::new("a provider needs time to answer")),
        span => Some(span),
    });
    timeout.value().unwrap_or(TIMEOUT)
}

/// Recognises a provider's type.
fn kind(text: &str) -> Result<Kind, Complaint> {
    match text {
        "rfc2136" => Ok(Kind::Rfc2136),
        "plugin" => Ok(Kind::Plugin),
        #[cfg(feature = "cloud")]
        "cloud" => Ok(Kind::Cloud),
        #[cfg(not(feature = "cloud"))]
        "cloud" => Err(Complaint::new("this program was built without cloud providers")
            .with_hint("build it with the feature `cloud`, or write a plugin")),
        _ => Err(unknown("dns type", text, ["rfc2136", "cloud", "plugin"])),
    }
}

/// Reads a zone's name, which may not be the root: nobody updates that for us.
pub(super) fn zone(text: &str) -> Result<DnsName, Complaint> {
    let name: DnsName = text.parse().map_err(|error| Complaint::new(format!("{error}")))?;
    if name == DnsName::root() {
        return Err(Complaint::new("the root is no zone that takes updates"));
    }
    Ok(name)
}
