//! The services of a host: the ports in its TLSA owners, and what is spoken there.

use super::Service;
use super::context::{Item, Scope, Table, distinct, some_of};
use crate::ports::Protocol;
use crate::table::{Complaint, Given, Spot, unknown};

/// The port of a host that names none: the one to which mail servers deliver.
const DEFAULT_PORT: u16 = 25;

/// The services of a host that names none.
pub(super) fn default() -> Vec<Service> {
    vec![Service { port: DEFAULT_PORT, connect_port: DEFAULT_PORT, protocol: Protocol::Smtp }]
}

/// Reads `ports` or `services` of a host's table.
pub(super) fn read(table: &mut Table<'_>) -> Given<Vec<Spot<Service>>> {
    let ports = table.given("ports", |item| {
        let ports = item.list("a list of port numbers", well_known)?;
        distinct(item.scope(), some_of(item, ports)?, |service| service.port)
    });
    let services = table.given("services", |item| {
        let services = item.list("a list of tables", service)?;
        distinct(item.scope(), some_of(item, services)?, |service| service.port)
    });
    one_of(ports, services, table.scope())
}

/// The services of a table, which names them in one way.
fn one_of(
    ports: Given<Vec<Spot<Service>>>,
    services: Given<Vec<Spot<Service>>>,
    scope: &Scope<'_>,
) -> Given<Vec<Spot<Service>>> {
    if let (Given::Value(_), Given::Value(spot)) = (&ports, &services) {
        let complaint = Complaint::new("`services` stands in place of `ports`, not beside it");
        let hint = "move the ports into `services`, as `{ port = 25 }`";
        scope.complain(&spot.at, complaint.with_hint(hint));
        return Given::Wrong;
    }
    ports.or(&services)
}

/// Reads a port whose protocol is known.
fn well_known(item: Item<'_>) -> Option<Service> {
    let port = item.port()?;
    let Some(protocol) = Protocol::of_port(port) else {
        let complaint = Complaint::new(format!("what is spoken on port {port} is not known"));
        return item.complain(complaint.with_hint(format!(
            "write `services = [{{ port = {port}, protocol = \"smtp\" }}]` in place of `ports`"
        )));
    };
    Some(Service { port, connect_port: port, protocol })
}

/// Reads a service.
fn service(item: Item<'_>) -> Option<Service> {
    let mut table = item.table()?;
    let port = table.required("port", "name the port in the TLSA owner", |item| item.port());
    let protocol = table.given("protocol", |item| item.parse(protocol));
    let connect_port = table.given("connect-port", |item| item.port());
    table.finish();
    let port = port?;
    let protocol = match (protocol, Protocol::of_port(port)) {
        (Given::Value(spot), _) => spot.value,
        (Given::Wrong, _) => return None,
        (Given::Absent, Some(protocol)) => protocol,
        (Given::Absent, None) => {
            let complaint = Complaint::new(format!("what is spoken on port {port} is not known"));
            let hint = "add a `protocol`: `smtp`, `imap`, `pop3` or `tls`";
            return item.complain(complaint.with_hint(hint));
        }
    };
    let connect_port = match connect_port {
        Given::Absent => port,
        Given::Wrong => return None,
        Given::Value(spot) => spot.value,
    };
    Some(Service { port, connect_port, protocol })
}

/// Recognises a protocol.
fn protocol(text: &str) -> Result<Protocol, Complaint> {
    match text {
        "smtp" => Ok(Protocol::Smtp),
        "imap" => Ok(Protocol::Imap),
        "pop3" => Ok(Protocol::Pop3),
        "tls" => Ok(Protocol::Tls),
        _ => Err(unknown("protocol", text, ["smtp", "imap", "pop3", "tls"])),
    }
}
