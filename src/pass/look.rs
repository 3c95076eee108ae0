//! One look at a host: every owner at every authoritative server, and every listener, side by side.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;

use super::HostPass;
use crate::pki::{Certificate, KeyFamily};
use crate::ports::{Protocol, PublishError, Remedy};
use crate::rollover::observation::{
    Installed, Listener, Observation, OwnerSight, Sight, Unreadable,
};
use crate::rollover::state::HostState;
use crate::tlsa::TlsaOwner;

impl HostPass {
    /// Looks at all that a decision depends on. Never fails: what cannot be seen is part of it.
    pub(super) async fn look(&self, state: &HostState) -> Observation {
        let (owners, listeners, installed) =
            tokio::join!(self.look_at_owners(), self.look_at_listeners(), self.installed(state));
        // Taken last: what was not seen by now was gone by now.
        Observation { at: self.ports.clock.now(), owners, listeners, installed }
    }

    /// Asks for every owner's RRset, everywhere.
    async fn look_at_owners(&self) -> BTreeMap<TlsaOwner, OwnerSight> {
        let mut looks = JoinSet::new();
        for owner in self.spec.owners.clone() {
            let (dns, publisher) = (self.ports.dns.clone(), self.ports.publisher.clone());
            let ignored = self.config.ignore_name_servers.clone();
            looks.spawn(async move {
                let mut sight = dns.look(&owner, &ignored).await;
                if let OwnerSight::Seen(answers) = &mut sight {
                    let read = publisher.read(&answers.zone, &answers.target).await;
                    answers.at_primary = read.map_err(|error| unreadable(&error));
                }
                (owner, sight)
            });
        }
        looks.join_all().await.into_iter().collect()
    }

    /// Asks every listener what it presents, for each family of keys.
    async fn look_at_listeners(&self) -> BTreeMap<Listener, Sight> {
        let mut looks = JoinSet::new();
        for (listener, protocol) in self.listeners().await {
            let probe = self.ports.probe.clone();
            looks.spawn(async move {
                let sight = probe.look(&listener, protocol).await;
                (listener, sight)
            });
        }
        looks.join_all().await.into_iter().collect()
    }

    /// The listeners of the host: every service of every name at every address.
    async fn listeners(&self) -> Vec<(Listener, Protocol)> {
        let mut listeners = Vec::new();
        for name in &self.config.names {
            let addresses = self.addresses(name).await;
            for service in &self.config.services {
                let Ok(owner) = TlsaOwner::new(name.clone(), service.port) else { continue };
                for address in &addresses {
                    for family in [KeyFamily::Ecdsa, KeyFamily::Rsa] {
                        let address = SocketAddr::new(*address, service.connect_port);
                        let owner = owner.clone();
                        listeners.push((Listener { owner, address, family }, service.protocol));
                    }
                }
            }
        }
        listeners
    }

    /// The addresses of a name: those of the configuration, else those of the DNS.
    async fn addresses(&self, name: &crate::name::DnsName) -> Vec<IpAddr> {
        if !self.config.addresses.is_empty() {
            return self.config.addresses.clone();
        }
        match self.ports.dns.addresses(name).await {
            Ok(addresses) => addresses,
            Err(error) => {
                tracing::warn!(host = %self.spec.name, %error, "no address to probe");
                Vec::new()
            }
        }
    }

    /// What the server's files hold, where the ledger knows nothing of the host yet.
    async fn installed(&self, state: &HostState) -> Vec<Installed> {
        if state.current.is_some() || state.rollover.is_some() {
            return Vec::new();
        }
        match self.ports.deployer.current().await {
            Ok(credentials) => credentials
                .into_iter()
                .map(|found| {
                    let anchor = self.anchor_of(&found.chain);
                    Installed { key_type: found.key_type, chain: found.chain, anchor }
                })
                .collect(),
            Err(error) => {
                tracing::warn!(host = %self.spec.name, %error, "nothing is adopted");
                Vec::new()
            }
        }
    }

    /// The trust anchor of a chain that was found in place: what the issuer takes for it that knows
    /// it, else the certificate after the server's own.
    fn anchor_of(&self, chain: &crate::pki::Chain) -> Option<Certificate> {
        let mut known = self.ports.issuers.values().filter_map(|issuer| {
            let anchors = issuer.known_anchors();
            let is_known = |c: &&Certificate| anchors.iter().any(|a| a.spki() == c.spki());
            chain.authorities().iter().find(is_known).cloned()
        });
        known.next().or_else(|| chain.authorities().first().cloned())
    }
}

/// Why it is not known what the primary holds.
fn unreadable(error: &PublishError) -> Unreadable {
    Unreadable {
        message: error.to_string(),
        hint: error.hint().to_owned(),
        needs_operator: error.remedy() == Remedy::AskOperator,
    }
}
