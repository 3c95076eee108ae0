//! The stage: everything that an operator has, in small, on loopback addresses and in a directory
//! that is gone afterwards.
//!
//! What is real: the pass, the decision, the ledger, the look-ups with their validation, the CAs, the
//! deployer, the probe. What is put in their way: a zone, name servers, mail server and senders of
//! our own. Nothing of it needs a privilege, an installed program (but `touch`), or a configuration.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::mail_server::{self, Process};
use super::sender::{Senders, Target};
use super::wire::{Facts, Signer};
use super::witness::Witness;
use super::zone::{Provider, Zone};
use super::{DemoError, name_server};
use crate::clock::SystemClock;
use crate::config::{FilesConfig, ForeignRecords, HostConfig, OwnCaConfig, Place, Service};
use crate::deploy::Files;
use crate::dns::{Anchors, Authority};
use crate::durable;
use crate::issuer::OwnCa;
use crate::keys::PrivateKey;
use crate::ledger::SqliteLedger;
use crate::name::DnsName;
use crate::pass::{HostPass, HostPorts};
use crate::pki::{Chain, KeyType};
use crate::policy::Policy;
use crate::ports::{Clock, Credential, Deployer as _, Issuer, Order, Protocol};
use crate::probe::TlsProbe;
use crate::randomness::SystemRandomness;
use crate::time::{Span, Ttl};
use crate::tlsa::{TlsaOwner, TlsaRrset, Usage};

/// The TTL of everything in the zone.
pub(super) const TTL: Ttl = Ttl::from_seconds(3);
/// How far the second name server is behind the first.
pub(super) const LAG: Span = Span::from_millis(1500);
/// How long after the first process of the mail server the second reloads.
pub(super) const RELOAD_DELAY: Span = Span::from_millis(800);
/// The mail server's name.
pub(super) const HOST: &str = "mail.example.nl";
/// The issuer of the certificate to begin with, as the configuration would call it.
pub(super) const OLD: &str = "old-ca";
/// The issuer to change to.
pub(super) const NEW: &str = "new-ca";
/// The name servers' addresses. Any address of 127/8 is at hand without a set-up.
const NAME_SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 53, 1), Ipv4Addr::new(127, 0, 53, 2)];
/// The mail server's addresses, one for each process.
const PROCESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 25, 1), Ipv4Addr::new(127, 0, 25, 2)];

/// Everything that an operator has, in small.
pub(super) struct Stage {
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// The zone.
    pub(super) zone: Arc<Zone>,
    /// The mail server.
    pub(super) processes: Vec<Arc<Process>>,
    /// The world that sends to it.
    pub(super) senders: Arc<Senders>,
    /// The CAs, by the name of each as an issuer.
    pub(super) authorities: BTreeMap<&'static str, Arc<OwnCa>>,
    /// Where certificates go.
    pub(super) deployer: Files,
    /// The host, as rollover works on it.
    pub(super) pass: HostPass,
    /// Sees what rollover records.
    pub(super) witness: Arc<Witness>,
    /// The chain to begin with.
    pub(super) chain: Chain,
    /// Servers and senders; ended when this goes.
    tasks: JoinSet<()>,
    /// All files; removed when this goes.
    _directory: TempDir,
}

impl Stage {
    /// Sets the stage: a host under `policy` with a certificate of the old CA, its records
    /// published, and everything but the senders running.
    pub(super) async fn set(policy: &Policy) -> Result<Self, DemoError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let directory = TempDir::with_prefix("rollover-demo-").map_err(files)?;
        let authorities = authorities(directory.path(), &clock)?;
        let deploy = deployment(directory.path());
        let deployer = Files::new(deploy.clone(), vec![KeyType::EcdsaP256]);
        let credential = issue(&authorities[OLD], "first").await?;
        let chain = credential.chain.clone();
        deployer.deploy(&[credential]).await.map_err(|e| DemoError::Setting(e.to_string()))?;

        let mut tasks = JoinSet::new();
        let (dns_port, sockets) = name_server::open(&NAME_SERVERS).await.map_err(loopback)?;
        let zone = Arc::new(zone(Arc::clone(&clock), settled(policy, &chain))?);
        for (sockets, lag) in sockets.into_iter().zip([Span::ZERO, LAG]) {
            tasks.spawn(sockets.serve(Arc::clone(&zone), lag));
        }
        let delays = [Duration::ZERO, RELOAD_DELAY.into()];
        let places: Vec<(Ipv4Addr, Duration)> = PROCESSES.into_iter().zip(delays).collect();
        let files = mail_server::Files {
            chain: directory.path().join("mail.pem"),
            reload: directory.path().join("reload"),
        };
        let (mail_port, processes) = mail_server::open(&places, &files).await.map_err(loopback)?;
        for process in &processes {
            tasks.spawn(Arc::clone(process).serve());
        }
        let at = |address: Ipv4Addr, port| SocketAddr::new(address.into(), port);
        let target = Target {
            owner: zone.facts.owner.clone(),
            host: zone.facts.host.clone(),
            name_servers: NAME_SERVERS.map(|address| at(address, dns_port)).to_vec(),
            processes: PROCESSES.map(|address| at(address, mail_port)).to_vec(),
            key: zone.key(),
        };
        let senders = Arc::new(Senders::new(target, Arc::clone(&clock)));

        let anchors = zone.anchor().map_err(|e| DemoError::Setting(e.to_string()))?;
        let anchors = Anchors::parse(&anchors).map_err(|e| DemoError::Setting(e.to_string()))?;
        let resolver = [at(NAME_SERVERS[0], dns_port)];
        let dns = Authority::new(&resolver, anchors, Arc::clone(&clock)).with_port(dns_port);
        let ledger = SqliteLedger::open(&directory.path().join("state"))?;
        let witness = Arc::new(Witness::new(ledger));
        let issuer = |(name, ca): (&&str, &Arc<OwnCa>)| {
            let ca: Arc<dyn Issuer> = Arc::clone(ca) as Arc<dyn Issuer>;
            ((*name).to_owned(), ca)
        };
        let ports = HostPorts {
            keys: Arc::new(SystemRandomness),
            clock: Arc::clone(&clock),
            dns: Arc::new(dns),
            publisher: Arc::new(Provider(Arc::clone(&zone))),
            issuers: authorities.iter().map(issuer).collect(),
            deployer: Arc::new(deployer.clone()),
            probe: Arc::new(TlsProbe::new(Span::from_seconds(10))),
            ledger: Arc::clone(&witness) as Arc<dyn crate::ports::Ledger>,
        };
        let pass = HostPass::new(host(hastened(policy), deploy, mail_port), ports);
        Ok(Self {
            clock,
            zone,
            processes,
            senders,
            authorities,
            deployer,
            pass,
            witness,
            chain,
            tasks,
            _directory: directory,
        })
    }

    /// Lets the senders begin.
    pub(super) fn begin_sending(&mut self) {
        self.tasks.spawn(Arc::clone(&self.senders).send());
    }
}

/// The policy with its waits cut down to the length of a demonstration, but for those that follow
/// from the TTL.
fn hastened(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    let timing = &mut policy.timing;
    timing.margin = timing.margin.min(Span::from_seconds(1));
    timing.minimum_wait = timing.minimum_wait.min(TTL.span());
    timing.propagation_holdoff = timing.propagation_holdoff.min(Span::from_seconds(1));
    timing.probe_timeout = Span::from_seconds(15);
    timing.drain = timing.drain.min(Span::from_seconds(1));
    policy
}

/// The host, as a configuration would have it.
fn host(policy: Policy, deploy: FilesConfig, port: u16) -> HostConfig {
    HostConfig {
        name: HOST.to_owned(),
        names: vec![name(HOST)],
        services: vec![Service { port: 25, connect_port: port, protocol: Protocol::Smtp }],
        key_types: vec![KeyType::EcdsaP256],
        addresses: PROCESSES.map(IpAddr::from).to_vec(),
        policy: Arc::new(policy),
        issuer: OLD.to_owned(),
        fallback_issuers: Vec::new(),
        dns: "demo".to_owned(),
        tlsa_ttl: None,
        foreign_records: ForeignRecords::Keep,
        ignore_name_servers: Vec::new(),
        deploy: crate::config::DeployConfig::Files(deploy),
    }
}

/// Where certificates go, and how the mail server learns of it.
fn deployment(directory: &Path) -> FilesConfig {
    let reload = directory.join("reload").display().to_string();
    FilesConfig {
        place: Place::ChainFiles(vec![directory.join("mail.pem")]),
        owner: None,
        group: None,
        mode: 0o600,
        reload: vec!["touch".to_owned(), reload],
        reload_timeout: Span::from_seconds(10),
    }
}

/// The zone with these TLSA records.
fn zone(clock: Arc<dyn Clock>, rrset: TlsaRrset) -> Result<Zone, DemoError> {
    let apex = name("example.nl");
    let servers = [name("ns1.example.nl"), name("ns2.example.nl")];
    let owner = TlsaOwner::new(name(HOST), 25).map_err(|e| DemoError::Setting(e.to_string()))?;
    let signer = Signer::generate(&apex).map_err(|e| DemoError::Setting(e.to_string()))?;
    let facts = Facts {
        servers: servers.into_iter().zip(NAME_SERVERS).collect(),
        host: name(HOST),
        addresses: PROCESSES.to_vec(),
        owner: owner.name().clone(),
        ttl: TTL,
    };
    Ok(Zone::new(facts, signer, clock, rrset))
}

/// The records that `policy` wants for a chain.
pub(super) fn settled(policy: &Policy, chain: &Chain) -> TlsaRrset {
    let records = policy.records.iter().filter_map(|parameters| {
        let named = match parameters.usage {
            Usage::DaneEe => Some(chain.leaf()),
            Usage::DaneTa => chain.authorities().first(),
        };
        named.map(|certificate| parameters.associate(certificate).into())
    });
    TlsaRrset::new(records, TTL)
}

/// Obtains a certificate for a new key.
pub(super) async fn issue(ca: &OwnCa, id: &str) -> Result<Credential, DemoError> {
    let key_type = KeyType::EcdsaP256;
    let key = PrivateKey::generate(key_type).map_err(|e| DemoError::Setting(e.to_string()))?;
    let order =
        Order { id: id.to_owned(), names: vec![name(HOST)], key: key.clone(), replaces: None };
    let chain = ca.issue(&order).await.map_err(|e| DemoError::Setting(e.to_string()))?;
    Ok(Credential { key_type, chain, key })
}

/// Makes both CAs.
fn authorities(
    directory: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<BTreeMap<&'static str, Arc<OwnCa>>, DemoError> {
    let mut authorities = BTreeMap::new();
    for (name, common_name) in [(OLD, "Old CA"), (NEW, "New CA")] {
        let config = OwnCaConfig {
            certificate_file: directory.join(format!("{name}.pem")),
            key_file: directory.join(format!("{name}.key")),
            validity: Span::from_seconds(90 * 86_400),
        };
        let (certificate, key) =
            make_ca(common_name).map_err(|e| DemoError::Setting(e.to_string()))?;
        let written = durable::write_private(&config.certificate_file, certificate.as_bytes())
            .and_then(|()| durable::write_private(&config.key_file, key.as_bytes()));
        written.map_err(|e| DemoError::Setting(e.describe()))?;
        let ca = OwnCa::new(name, &config, &directory.join("state"), Arc::clone(clock));
        let ca = ca.map_err(|e| DemoError::Setting(e.to_string()))?;
        authorities.insert(name, Arc::new(ca));
    }
    Ok(authorities)
}

/// A CA's certificate and key, as PEM.
fn make_ca(common_name: &str) -> Result<(String, String), rcgen::Error> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// A name that stands in this file.
fn name(text: &str) -> DnsName {
    text.parse().expect("a name that is written here is a name")
}

/// The directory cannot be made.
fn files(error: io::Error) -> DemoError {
    let directory = std::env::temp_dir();
    DemoError::Setting(format!("cannot make a directory in {}: {error}", directory.display()))
}

/// The addresses cannot be listened at.
fn loopback(error: io::Error) -> DemoError {
    DemoError::Setting(format!("cannot listen at addresses of 127.0.0.0/8: {error}"))
}
