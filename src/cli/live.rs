//! `rollover tlsa` of a live server: the records for what it presents, at each of its addresses.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::Failure;
use super::args::Global;
use super::tlsa::{self, PortLabel, StartTls, TlsaArgs, Transport};
use super::world::dns_for_lookups;
use crate::name::DnsName;
use crate::pki::KeyFamily;
use crate::ports::{Dns, Probe, Protocol};
use crate::probe::TlsProbe;
use crate::rollover::observation::{Listener, Sight};
use crate::time::Span;
use crate::tlsa::TlsaOwner;

/// How long one connection may take.
const LIMIT: Span = Span::from_seconds(10);

/// Prints the records for every certificate that the server presents, each once.
pub(super) async fn run(
    global: &Global,
    arguments: &TlsaArgs,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let usage = |text: String| Failure::Usage(text);
    let PortLabel::Port(port) = arguments.port else {
        return Err(usage(
            "a live server is asked at one port: --port 25, or --certificate".into(),
        ));
    };
    if arguments.protocol != Transport::Tcp {
        return Err(usage("a live server is asked over TCP alone: use --certificate".into()));
    }
    let host: DnsName = arguments.host.parse().map_err(|error| usage(format!("{error}")))?;
    let protocol = protocol(arguments.starttls, port)?;
    let owner = TlsaOwner::new(host.clone(), port).map_err(|error| usage(format!("{error}")))?;
    let mut printed = BTreeSet::new();
    let mut silent = Vec::new();
    for ip in addresses(global, arguments, &host).await? {
        let address = SocketAddr::new(ip, port);
        for family in [KeyFamily::Ecdsa, KeyFamily::Rsa] {
            let listener = Listener { owner: owner.clone(), address, family };
            match TlsProbe::new(LIMIT).look(&listener, protocol).await {
                Sight::Presented(chains) => {
                    for chain in chains.into_iter().filter(|chain| printed.insert(chain.0.id())) {
                        tlsa::report(arguments, &chain.0, &ip.to_string(), (&mut *out, &mut *err))
                            .map_err(|error| usage(error.to_string()))?;
                    }
                }
                Sight::NotOffered => {}
                Sight::NoTls { reason } | Sight::Silent { reason } => {
                    silent.push(format!("{address}: {reason}"));
                }
            }
        }
    }
    if printed.is_empty() {
        silent.sort();
        silent.dedup();
        let message =
            format!("{host} presents no certificate at port {port}: {}", silent.join("; "));
        let hint = "see that the server runs and offers TLS there; or name a --certificate";
        return Err(Failure::Broken { message, hint: hint.to_owned() });
    }
    for line in silent {
        let _ = writeln!(err, "rollover: {line}");
    }
    Ok(())
}

/// What is spoken before TLS.
fn protocol(starttls: Option<StartTls>, port: u16) -> Result<Protocol, Failure> {
    match starttls {
        None => Ok(Protocol::of_port(port).unwrap_or(Protocol::Tls)),
        Some(StartTls::Imap) => Ok(Protocol::Imap),
        Some(StartTls::No) => Ok(Protocol::Tls),
        Some(StartTls::Pop3) => Ok(Protocol::Pop3),
        Some(StartTls::Smtp) => Ok(Protocol::Smtp),
        Some(StartTls::Ftp) => {
            Err(Failure::Usage("FTP is not supported yet: use --certificate".to_owned()))
        }
    }
}

/// The server's addresses, of the versions asked for.
async fn addresses(
    global: &Global,
    arguments: &TlsaArgs,
    host: &DnsName,
) -> Result<Vec<IpAddr>, Failure> {
    let dns = dns_for_lookups(global)?;
    let found = dns.addresses(host).await.map_err(|error| Failure::Broken {
        message: error.to_string(),
        hint: "see that the resolver answers".to_owned(),
    })?;
    let wanted = |address: &IpAddr| match address {
        IpAddr::V4(_) => !arguments.ipv6,
        IpAddr::V6(_) => !arguments.ipv4,
    };
    let found: Vec<IpAddr> = found.into_iter().filter(wanted).collect();
    if found.is_empty() {
        let message = format!("{host} has no address");
        let hint = "see that the name is right, or name a --certificate".to_owned();
        return Err(Failure::Broken { message, hint });
    }
    Ok(found)
}
