//! What can be seen of a mail domain from here: its servers, their records, what they present.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use tokio::task::JoinSet;

use super::files;
use crate::cli::Failure;
use crate::dns::{Authority, MailServers};
use crate::name::DnsName;
use crate::pki::{Chain, KeyFamily, KeyType};
use crate::ports::{Dns as _, LookupError, Probe as _, Protocol};
use crate::probe::TlsProbe;
use crate::rollover::observation::{Answer, Listener, OwnerSight, Sight};
use crate::time::Span;
use crate::tlsa::{TlsaOwner, TlsaRrset};

/// How long one connection may take.
const LIMIT: Span = Span::from_seconds(10);

/// The services beside SMTP that are looked after where they have TLSA records already.
const OTHER_PORTS: [u16; 5] = [143, 465, 587, 993, 995];

/// A mail domain.
pub(super) struct Survey {
    /// Its name.
    pub(super) domain: DnsName,
    /// Its mail servers as its MX records say.
    pub(super) mail: MailServers,
    /// The same, looked at.
    pub(super) hosts: Vec<Host>,
}

/// A mail server.
pub(super) struct Host {
    /// Its name.
    pub(super) name: DnsName,
    /// Whose it seems to be.
    pub(super) whose: Whose,
    /// Its zone, as far as that is known.
    pub(super) zone: Option<Zone>,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// What is published for it, by port: 25, and others with records.
    pub(super) published: BTreeMap<u16, Published>,
    /// What it presents at port 25: one chain per key type.
    pub(super) presented: Vec<(KeyType, Chain)>,
    /// Where it could not be seen, and why.
    pub(super) unseen: BTreeSet<String>,
    /// The files that Postfix on this machine reads for it, where rollover can write them.
    pub(super) chain_files: Option<Vec<(KeyType, PathBuf)>>,
}

/// Whose a mail server seems to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    /// This machine has this address of it.
    ThisMachine(IpAddr),
    /// Its name is in the zone of the domain.
    SameZone,
    /// Neither: a provider's, perhaps.
    Another,
}

/// A zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Zone {
    /// Its name.
    pub(super) name: DnsName,
    /// Its primary as its SOA record says, and that server's address.
    pub(super) primary: Result<(DnsName, IpAddr), String>,
}

/// What is published at a TLSA owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Published {
    /// Every name server that answered serves this, perhaps nothing.
    Same(TlsaRrset),
    /// The name servers do not agree; this is each one's.
    Different(BTreeSet<String>),
    /// The zone ends its chain of trust here: DANE cannot work.
    Unsigned(DnsName),
    /// It cannot be said.
    Unknown(String),
}

impl Survey {
    /// Looks at a domain and all of its mail servers.
    pub(super) async fn make(dns: &Authority, domain: &DnsName) -> Result<Self, Failure> {
        let mail = dns.mail_servers(domain).await.map_err(unasked)?;
        if mail.servers.is_empty() {
            let message = format!("{domain} says that it takes no mail (a null MX, RFC 7505)");
            return Err(Failure::Usage(message));
        }
        let apex = dns.zone_of(domain).await.map_err(unasked)?;
        let names: BTreeSet<&DnsName> = mail.servers.iter().map(|(_, name)| name).collect();
        let mut hosts = Vec::new();
        for name in names {
            hosts.push(Host::look_at(dns, name, &apex).await?);
        }
        Ok(Self { domain: domain.clone(), mail, hosts })
    }

    /// The servers that seem to be the operator's own: those with a sign of it; all where none has.
    pub(super) fn own(&self) -> Vec<&Host> {
        let signs = self.hosts.iter().filter(|host| host.whose != Whose::Another);
        let own: Vec<&Host> = signs.collect();
        if own.is_empty() { self.hosts.iter().collect() } else { own }
    }
}

/// A look-up without which nothing can be said.
fn unasked(error: LookupError) -> Failure {
    Failure::Broken {
        message: error.to_string(),
        hint: "see that the name is right and that the resolver answers; --resolver names another"
            .to_owned(),
    }
}

impl Host {
    /// Looks at a mail server of a domain whose zone is `apex`.
    async fn look_at(dns: &Authority, name: &DnsName, apex: &DnsName) -> Result<Self, Failure> {
        let addresses = dns.addresses(name).await.map_err(unasked)?;
        let zone = zone(dns, name).await;
        let local = addresses.iter().find(|address| is_here(**address));
        let whose = match local {
            Some(address) => Whose::ThisMachine(*address),
            None if zone.as_ref().is_some_and(|zone| zone.name == *apex) => Whose::SameZone,
            None => Whose::Another,
        };
        let mut published = BTreeMap::new();
        for port in [25].into_iter().chain(OTHER_PORTS) {
            let Ok(owner) = TlsaOwner::new(name.clone(), port) else { continue };
            let found = summary(dns.look(&owner, &[]).await);
            let has_records = matches!(&found, Published::Same(rrset) if !rrset.is_absent());
            if port == 25 || has_records || matches!(found, Published::Different(_)) {
                published.insert(port, found);
            }
        }
        let (presented, unseen) = look_at_listeners(name, &addresses).await;
        let chain_files = match &whose {
            Whose::ThisMachine(_) => files::postfix_chain_files(&presented).await,
            Whose::SameZone | Whose::Another => None,
        };
        let name = name.clone();
        Ok(Self { name, whose, zone, addresses, published, presented, unseen, chain_files })
    }

    /// The key types of its certificates; the default where none was seen.
    pub(super) fn key_types(&self) -> Vec<KeyType> {
        let seen: Vec<KeyType> = self.presented.iter().map(|(key_type, _)| *key_type).collect();
        if seen.is_empty() { vec![KeyType::EcdsaP256] } else { seen }
    }

    /// All the records that are published for it.
    pub(super) fn records(&self) -> impl Iterator<Item = &crate::tlsa::Record> {
        self.published.values().flat_map(|published| match published {
            Published::Same(rrset) => rrset.records.iter().collect::<Vec<_>>(),
            Published::Different(_) | Published::Unsigned(_) | Published::Unknown(_) => Vec::new(),
        })
    }
}

/// Whether this machine has an address: only then can a socket be bound to it.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// The zone of a name, and its primary.
async fn zone(dns: &Authority, name: &DnsName) -> Option<Zone> {
    let zone = dns.zone_of(name).await.ok()?;
    let primary = match dns.primary(&zone).await {
        Err(error) => Err(error.to_string()),
        Ok(server) => match dns.addresses(&server).await {
            Ok(addresses) if !addresses.is_empty() => Ok((server, addresses[0])),
            Ok(_) => Err(format!("{server} has no address")),
            Err(error) => Err(error.to_string()),
        },
    };
    Some(Zone { name: zone, primary })
}

/// What a look at an owner comes to.
fn summary(sight: OwnerSight) -> Published {
    let answers = match sight {
        OwnerSight::Unknown { reason } => return Published::Unknown(reason),
        OwnerSight::Unsigned { zone } => return Published::Unsigned(zone),
        OwnerSight::Seen(answers) => answers.answers,
    };
    let mut rrsets: BTreeMap<BTreeSet<crate::tlsa::Record>, TlsaRrset> = BTreeMap::new();
    let mut each = BTreeSet::new();
    let mut trouble = false;
    for (server, answer) in answers {
        match answer {
            Answer::Secure(rrset) | Answer::Wildcard(rrset) => {
                each.insert(format!("{server}: {}", crate::rollover::brief(&rrset)));
                rrsets.insert(rrset.records.clone(), rrset);
            }
            Answer::Untrusted { reason } | Answer::Silent { reason } => {
                trouble = true;
                each.insert(format!("{server}: {reason}"));
            }
        }
    }
    match rrsets.pop_first() {
        Some((_, rrset)) if rrsets.is_empty() && !trouble => Published::Same(rrset),
        _ => Published::Different(each),
    }
}

/// What a server presents at port 25 of its addresses, by key type, and where it could not be seen.
async fn look_at_listeners(
    name: &DnsName,
    addresses: &[IpAddr],
) -> (Vec<(KeyType, Chain)>, BTreeSet<String>) {
    let mut looks = JoinSet::new();
    let probe = TlsProbe::new(LIMIT);
    for address in addresses {
        for family in [KeyFamily::Ecdsa, KeyFamily::Rsa] {
            let Ok(owner) = TlsaOwner::new(name.clone(), 25) else { continue };
            let address = SocketAddr::new(*address, 25);
            let (probe, listener) = (probe.clone(), Listener { owner, address, family });
            looks.spawn(async move { (address, probe.look(&listener, Protocol::Smtp).await) });
        }
    }
    let mut presented: BTreeMap<&'static str, (KeyType, Chain)> = BTreeMap::new();
    let mut unseen = BTreeSet::new();
    for (address, sight) in looks.join_all().await {
        match sight {
            Sight::Presented(chains) => presented.extend(chains.into_iter().filter_map(|chain| {
                let key_type = KeyType::of_spki(chain.0.leaf().spki())?;
                Some((key_type.as_str(), (key_type, chain.0)))
            })),
            Sight::NotOffered => {}
            Sight::NoTls { reason } | Sight::Silent { reason } => {
                unseen.insert(format!("{address}: {reason}"));
            }
        }
    }
    (presented.into_values().collect(), unseen)
}
