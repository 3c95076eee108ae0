//! What was seen of one mail server: its addresses, its TLSA records, what it presents. No judgement.
//!
//! Looked at once, however many domains name the server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::dns::{OwnerView, Resolved, Security, ServerView, Survey};
use crate::name::DnsName;
use crate::ports::{LookupError, Protocol};
use crate::probe::{Portrait, TlsProbe};
use crate::tlsa::TlsaOwner;

/// One service of a mail server, to be looked at.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The server's name, as the MX record or the operator has it.
    pub name: DnsName,
    /// The port in the TLSA owner.
    pub port: u16,
    /// The port to connect to.
    pub connect_port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where to connect; empty: the name's A and AAAA records.
    pub addresses: Vec<IpAddr>,
    /// Name servers that are left out on purpose.
    pub ignored: Vec<String>,
}

impl Target {
    /// The SMTP service of a mail host.
    pub fn smtp(name: DnsName) -> Self {
        let (addresses, ignored) = (Vec::new(), Vec::new());
        Self { name, port: 25, connect_port: 25, protocol: Protocol::Smtp, addresses, ignored }
    }
}

/// What was seen of a mail server.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was looked at.
    pub target: Target,
    /// Where its TLSA records would live, and the name that senders ask for (SNI): what the server's
    /// name is an alias of, where that has records (RFC 7672, section 2.2.2).
    pub owner: TlsaOwner,
    /// Its addresses, as the DNS has them.
    pub addresses: Result<Resolved<IpAddr>, LookupError>,
    /// Its TLSA records.
    pub tlsa: Result<OwnerView, LookupError>,
    /// What it presents at each address.
    pub listeners: Vec<(SocketAddr, Portrait)>,
}

/// Looks at mail servers.
pub(super) struct Looker {
    /// The view of the DNS.
    pub(super) survey: Survey,
    /// The view of listeners.
    pub(super) probe: TlsProbe,
    /// Which addresses are connected to.
    pub(super) wanted: fn(&IpAddr) -> bool,
    /// How many listeners are looked at at once.
    pub(super) at_once: Arc<Semaphore>,
}

impl Looker {
    /// Looks at a mail server.
    pub(super) async fn look(&self, target: Target) -> Option<Facts> {
        let owner = TlsaOwner::new(target.name.clone(), target.port).ok()?;
        let addresses = self.survey.addresses(&target.name).await;
        let expanded = addresses.as_ref().ok().and_then(expanded);
        let (owner, tlsa, listeners) = match expanded {
            // Which name to ask for depends on where the records are.
            Some(name) => {
                let (owner, tlsa) = self.behind_alias(name, owner, &target).await;
                let listeners = self.listeners(&target, &owner, &addresses).await;
                (owner, tlsa, listeners)
            }
            None => {
                let (tlsa, listeners) = tokio::join!(
                    self.survey.tlsa(&owner, &target.ignored),
                    self.listeners(&target, &owner, &addresses)
                );
                (owner, tlsa, listeners)
            }
        };
        Some(Facts { target, owner, addresses, tlsa, listeners })
    }

    /// The TLSA records of a server whose name is an alias: those at what it leads to, if there are
    /// any, else those at the alias.
    async fn behind_alias(
        &self,
        expanded: DnsName,
        own: TlsaOwner,
        target: &Target,
    ) -> (TlsaOwner, Result<OwnerView, LookupError>) {
        if let Ok(owner) = TlsaOwner::new(expanded, target.port) {
            let tlsa = self.survey.tlsa(&owner, &target.ignored).await;
            if tlsa.as_ref().is_ok_and(has_records) {
                return (owner, tlsa);
            }
        }
        let tlsa = self.survey.tlsa(&own, &target.ignored).await;
        (own, tlsa)
    }

    /// What is presented at each address.
    async fn listeners(
        &self,
        target: &Target,
        owner: &TlsaOwner,
        addresses: &Result<Resolved<IpAddr>, LookupError>,
    ) -> Vec<(SocketAddr, Portrait)> {
        let found = addresses.as_ref().map(|found| found.records.as_slice()).unwrap_or_default();
        let listed = if target.addresses.is_empty() { found } else { &target.addresses };
        let mut visits = JoinSet::new();
        for ip in listed.iter().filter(|ip| (self.wanted)(ip)) {
            let (probe, owner, at_once) =
                (self.probe.clone(), owner.clone(), Arc::clone(&self.at_once));
            let (address, protocol) = (SocketAddr::new(*ip, target.connect_port), target.protocol);
            visits.spawn(async move {
                // It is never closed, so this waits and does not fail.
                let _seat = at_once.acquire().await;
                (address, probe.portray(&owner, address, protocol).await)
            });
        }
        let mut listeners = visits.join_all().await;
        listeners.sort_by_key(|(address, _)| *address);
        listeners
    }
}

/// What a name is an alias of, where that is worth anything.
fn expanded(addresses: &Resolved<IpAddr>) -> Option<DnsName> {
    match addresses.security {
        Security::Secure => addresses.aliases.last().cloned(),
        Security::Insecure { .. } | Security::Bogus { .. } => None,
    }
}

/// Whether some server has TLSA records there.
fn has_records(view: &OwnerView) -> bool {
    match view {
        OwnerView::Seen { servers, .. } => {
            servers.iter().filter_map(ServerView::rrset).any(|rrset| !rrset.is_absent())
        }
        OwnerView::Unsigned { records, .. } => !records.is_empty(),
        OwnerView::Bogus { .. } => false,
    }
}
