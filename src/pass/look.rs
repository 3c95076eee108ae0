//! One look at a host: every owner at every authoritative server, and every listener, side by side.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;

use super::HostPass;
use crate::pki::{Certificate, Chain, KeyFamily, KeyType};
use crate::ports::{DeployError, HeldRrset, Protocol, PublishError, Remedy};
use crate::rollover::action::Problem;
use crate::rollover::first_sight;
use crate::rollover::observation::{
    Answer, Installed, Listener, Observation, OwnerAnswers, OwnerSight, Sight, Unreadable,
};
use crate::rollover::state::HostState;
use crate::time::Ttl;
use crate::tlsa::{TlsaOwner, TlsaRrset};

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
                    answers.at_primary = match read {
                        Ok(held) => Ok(under_a_ttl(held, answers)),
                        Err(error) => Err(unreadable(&error)),
                    };
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

/// What the primary holds, under the TTL that it says; else under that of the servers that serve the
/// same records; else, where none does yet, under the largest that is served there, which is kept.
fn under_a_ttl(held: HeldRrset, answers: &OwnerAnswers) -> TlsaRrset {
    let HeldRrset { records, ttl } = held;
    let served = || answers.answers.values().filter_map(Answer::rrset);
    let of_the_same = || served().filter(|rrset| rrset.records == records).map(|rrset| rrset.ttl);
    let of_any = || served().filter(|rrset| !rrset.is_absent()).map(|rrset| rrset.ttl);
    let ttl = ttl.or_else(|| of_the_same().max()).or_else(|| of_any().max());
    TlsaRrset { records, ttl: ttl.unwrap_or(Ttl::NEW_RRSET) }
}

/// Why it is not known what the primary holds.
fn unreadable(error: &PublishError) -> Unreadable {
    Unreadable {
        message: error.to_string(),
        hint: error.hint().to_owned(),
        needs_operator: error.remedy() == Remedy::AskOperator,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollover::observation::ServerAddress;
    use crate::tlsa::Record;

    /// A record whose data are this octet over and over.
    fn record(octet: u8) -> Record {
        Record { usage: 3, selector: 1, matching_type: 1, data: vec![octet; 32] }
    }

    /// What servers answered: the octets of their records, and the TTL.
    fn answers(servers: &[(&[u8], u32)]) -> OwnerAnswers {
        let answer = |(number, (octets, ttl)): (usize, &(&[u8], u32))| {
            let name = format!("ns{number}.example.nl").parse().unwrap();
            let address = ServerAddress { name, address: [192, 0, 2, 1].into() };
            let records = octets.iter().copied().map(record);
            (address, Answer::Secure(TlsaRrset::new(records, Ttl::from_seconds(*ttl))))
        };
        OwnerAnswers {
            zone: "example.nl".parse().unwrap(),
            target: "_25._tcp.mail.example.nl".parse().unwrap(),
            answers: servers.iter().enumerate().map(answer).collect(),
            serials: BTreeMap::new(),
            at_primary: Err(Unreadable::default()),
        }
    }

    /// The TTL in seconds under which the records of these octets are taken to be held.
    fn taken(octets: &[u8], said: Option<u32>, answers: &OwnerAnswers) -> u32 {
        let records = octets.iter().copied().map(record).collect();
        let held = HeldRrset { records, ttl: said.map(Ttl::from_seconds) };
        under_a_ttl(held, answers).ttl.as_seconds()
    }

    #[test]
    fn a_ttl_that_is_not_told_is_that_of_the_name_servers() {
        let settled = answers(&[(&[1], 300), (&[1], 300)]);
        assert_eq!(taken(&[1], Some(60), &settled), 60);
        assert_eq!(taken(&[1], None, &settled), 300);
        // The TTL was changed, and one lags.
        assert_eq!(taken(&[1], None, &answers(&[(&[1], 300), (&[1], 900)])), 900);
        // Of a change, no server has the new records yet; then one has, under a TTL of its own.
        assert_eq!(taken(&[2], None, &settled), 300);
        assert_eq!(taken(&[2], None, &answers(&[(&[1], 300), (&[2], 120)])), 120);
        // Nothing was there; then nothing is, and some still have it.
        assert_eq!(taken(&[1], None, &answers(&[(&[], 60)])), 3600);
        assert_eq!(taken(&[], None, &answers(&[(&[], 60), (&[1], 300)])), 60);
    }
}
