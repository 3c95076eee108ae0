//! The `[dns.*]` tables: who takes the changes to zones.

use super::Rfc2136Config;
use super::context::{Item, Table, secret_file};
use super::resolver::dns_server;
use crate::name::DnsName;
use crate::table::{Complaint, unknown};

/// Reads one `[dns.*]` table; `None` where it is wrong.
pub(super) fn read(mut table: Table<'_>) -> Option<Rfc2136Config> {
    table.required("type", "write `type = \"rfc2136\"`", |item| item.parse(known_type))?;
    let server = table.required(
        "server",
        "name the primary that takes updates: `server = \"192.0.2.53\"`",
        |item| item.parse(dns_server),
    );
    let tsig_key_file = table.required(
        "tsig-key-file",
        "name a BIND key file, as `tsig-keygen` writes it",
        secret_file,
    );
    let zone = table.given("zone", |item: Item<'_>| item.parse(zone));
    table.finish();
    Some(Rfc2136Config { server: server?, tsig_key_file: tsig_key_file?, zone: zone.value() })
}

/// Recognises a provider's type.
fn known_type(text: &str) -> Result<(), Complaint> {
    match text {
        "rfc2136" => Ok(()),
        "plugin" => Err(Complaint::new(
            "dns type `plugin` is not supported yet: this version changes zones by rfc2136",
        )),
        _ => Err(unknown("dns type", text, ["rfc2136"])),
    }
}

/// Reads a zone's name, which may not be the root: nobody updates that for us.
fn zone(text: &str) -> Result<DnsName, Complaint> {
    let name: DnsName = text.parse().map_err(|error| Complaint::new(format!("{error}")))?;
    if name == DnsName::root() {
        return Err(Complaint::new("the root is no zone that takes updates"));
    }
    Ok(name)
}
