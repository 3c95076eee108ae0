//! One look at a host: every owner at every authoritative server, and every listener, side by side.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;

use super::HostPass;
use crate::pki::{Certificate, Chain, KeyFamily, KeyType};
use crate::ports::{DeployError, Protocol, PublishError, Remedy};
use crate::rollover::action::Problem;
use crate::rollover::first_sight;
use crate::rollover::observation::{
    Installed, Listener, Observation, OwnerSight, Sight, Unreadable,
};
use crate::rollover::state::HostState;
use crate::tlsa::TlsaOwner;

impl HostPass {
    /// Looks at all that a decision depends on. Never fails: what cannot be seen is part of it.
    ///
    /// At first sight of a host comes with it why it is not known what is in place, where it is not.
    pub(super) async fn look(&self, state: &HostState) -> (Observation, Option<Problem>) {
        let (owners, listeners, held) =
            tokio::join!(self.look_at_owners(), self.look_at_listeners(), self.held(state));
        let held = match held {
            Err(DeployError::NothingToRead) => first_sight::presented(&self.spec.name, &listeners),
            Err(error) => Err(self.unread(&error)),
            Ok(chains) => Ok(chains),
        };
        let (chains, unread) = match held {
            Ok(chains) => (chains, None),
            Err(problem) => (BTreeMap::new(), Some(problem)),
        };
        let installed = |(key_type, chain)| {
            let anchor = self.anchor_of(&chain);
            Installed { key_type, chain, anchor }
        };
        let installed = chains.into_iter().map(installed).collect();
        // Taken last: what was not seen by now was gone by now.
        (Observation { at: self.ports.clock.now(), owners, listeners, installed }, unread)
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

    /// What the deployer finds in place, where the ledger knows nothing of the host yet.
    async fn held(&self, state: &HostState) -> Result<BTreeMap<KeyType, Chain>, DeployError> {
        if state.current.is_some() || state.rollover.is_some() {
            return Ok(BTreeMap::new());
        }
        let held = self.ports.deployer.current().await?;
        Ok(held.into_iter().map(|found| (found.key_type, found.chain)).collect())
    }

    /// The problem that it is not known what is in place.
    fn unread(&self, error: &DeployError) -> Problem {
        Problem {
            message: format!(
                "it is not known which certificate {} has in place: {error}\nnothing is begun, so \
                 that it is not lost",
                self.spec.name
            ),
            hint: error.hint().to_owned(),
        }
    }

    /// The trust anchor of a chain that was found in place: what the issuer takes for it that knows
    /// it, else the certificate after the server's own.
    fn anchor_of(&self, chain: &Chain) -> Option<Certificate> {
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
