//! The `[resolver]` table, and server addresses wherever they are written.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::ResolverConfig;
use super::context::{Table, input_file};
use crate::table::Complaint;

/// Where name servers listen (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;

/// What is used where there is no `[resolver]`.
pub(super) fn default() -> ResolverConfig {
    ResolverConfig { servers: Vec::new(), trust_anchor_file: None }
}

/// Reads the `[resolver]` table.
pub(super) fn read(mut table: Table<'_>) -> ResolverConfig {
    let servers = table.given("servers", |item| {
        item.list("a list of addresses", |server| server.parse(dns_server))
    });
    let trust_anchor_file = table.given("trust-anchor-file", input_file);
    table.finish();
    let servers = servers.value().unwrap_or_default();
    ResolverConfig {
        servers: servers.into_iter().map(|server| server.value).collect(),
        trust_anchor_file: trust_anchor_file.value(),
    }
}

/// Reads the address of a name server: port 53 unless it says otherwise.
///
/// An IPv6 address stands in brackets: whether the end of `2001:db8::53` is a port is not guessed.
pub(super) fn dns_server(text: &str) -> Result<SocketAddr, Complaint> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return if address.port() == 0 {
            Err(Complaint::new(format!("`{text}` has no port number")))
        } else {
            Ok(address)
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Complaint::new(format!("`{text}` is an IPv6 address without brackets"))
            .with_hint(format!("write `[{text}]:{DNS_PORT}`")));
    }
    let bare = match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    match bare {
        Some(address) => Ok(SocketAddr::new(address, DNS_PORT)),
        None => Err(Complaint::new(format!("`{text}` is no address of a server")).with_hint(
            "write an IP address and perhaps a port: `192.0.2.53`, `[2001:db8::53]:5353`",
        )),
    }
}
