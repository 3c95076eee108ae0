//! The world's ports: each effect takes a moment, may fail, and may be the last before a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::chance::{Chance, Chooser};
use super::edit;
use super::pool::{Authority, HOST};
use super::world::{ADDRESSES, LONGEST_DELAY, NEGATIVE_TTL, World};
use crate::config::{DeployConfig, FilesConfig, ForeignRecords, HostConfig, Place, Service};
use crate::keys::{KeyError, PrivateKey};
use crate::name::DnsName;
use crate::pass::{HostPass, HostPorts};
use crate::pki::{Certificate, Chain, KeyFamily, KeyType, Sha256Digest};
use crate::policy::Policy;
use crate::ports::{
    Blame, Clock, Credential, DeployError, Deployed, Deployer, Dns, Event, HeldRrset, IssueError,
    Issuer, Keymaker, Ledger, LedgerError, LookupError, Order, Probe, Protocol, PublishError,
    Publisher, Remedy, Revocation, RrsetChange,
};
use crate::rollover::observation::{
    Answer, Listener, OwnerAnswers, OwnerSight, PresentedChain, ServerAddress, Sight, Unreadable,
};
use crate::rollover::state::HostState;
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::TlsaOwner;

/// How a pass that sleeps goes on.
pub type Sleeper = Box<dyn Fn(&mut World, &mut dyn Chooser, Span) + Send>;

/// The world on its stage: with who decides what happens, and how time goes.
pub struct Scene<C> {
    /// The world.
    pub world: World,
    /// Who decides.
    pub chooser: C,
    /// Whether what the program does takes time, in percent of what it takes in a lab.
    pub pace: u32,
    /// What happens while a pass sleeps.
    pub sleeper: Sleeper,
    /// What the program wrote down, oldest first.
    pub events: Vec<Event>,
}

impl<C: Chooser> Scene<C> {
    /// Lets the time of an effect pass.
    fn take(&mut self, millis: u64) {
        let span = Span::from_millis(millis).times(self.pace).fraction(1, 100);
        if Span::ZERO < span {
            self.world.pass_time(span);
        }
    }
}

/// A handle on a scene: every port at once.
pub struct Port<C> {
    /// The scene.
    scene: Arc<Mutex<Scene<C>>>,
    /// Rings when the program crashes.
    crash: Arc<Notify>,
}

impl<C> Clone for Port<C> {
    fn clone(&self) -> Self {
        Self { scene: Arc::clone(&self.scene), crash: Arc::clone(&self.crash) }
    }
}

impl<C: Chooser + 'static> Port<C> {
    /// A handle on a scene.
    pub fn new(scene: Scene<C>) -> Self {
        Self { scene: Arc::new(Mutex::new(scene)), crash: Arc::default() }
    }

    /// The scene.
    pub fn scene(&self) -> MutexGuard<'_, Scene<C>> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the program has crashed.
    pub async fn crashed(&self) {
        self.crash.notified().await;
    }

    /// Whether this happens here.
    fn happens(&self, chance: Chance) -> bool {
        self.scene().chooser.happens(chance)
    }

    /// A place at which the program may end for ever.
    async fn may_crash(&self) {
        if self.happens(Chance::Crash) {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// The host under `policy`, as a new process sees it: only the ledger and the world remain.
    pub fn host(&self, policy: &Arc<Policy>) -> HostPass {
        self.host_with_fallbacks(policy, &[])
    }

    /// The same with CAs that are turned to, in this order, where the one before fails too often.
    pub fn host_with_fallbacks(&self, policy: &Arc<Policy>, others: &[Authority]) -> HostPass {
        let key_types = self.scene().world.constants.key_types.clone();
        let mut config = config(policy, &key_types);
        config.fallback_issuers = others.iter().map(|other| other.issuer().to_owned()).collect();
        HostPass::new(config, self.ports())
    }

    /// Every port, each standing for its part of the world.
    pub fn ports(&self) -> HostPorts {
        HostPorts {
            clock: Arc::new(self.clone()),
            keys: Arc::new(self.clone()),
            dns: Arc::new(self.clone()),
            publisher: Arc::new(self.clone()),
            issuers: self.issuers(),
            deployer: Arc::new(self.clone()),
            probe: Arc::new(self.clone()),
            ledger: Arc::new(self.clone()),
        }
    }

    /// The issuers: two known beforehand, and one whose chains alone tell.
    fn issuers(&self) -> BTreeMap<String, Arc<dyn Issuer>> {
        let issuer = |authority: Authority| -> (String, Arc<dyn Issuer>) {
            let port = IssuerPort { port: self.clone(), authority };
            (authority.issuer().to_owned(), Arc::new(port))
        };
        Authority::ALL.map(issuer).into()
    }
}

/// The host, with these keys.
pub fn config(policy: &Arc<Policy>, key_types: &[KeyType]) -> HostConfig {
    let address = |number| IpAddr::from(Ipv4Addr::new(127, 0, 25, number));
    let addresses = (0_u8..).take(ADDRESSES).map(address).collect();
    HostConfig {
        name: HOST.to_owned(),
        names: vec![HOST.parse().expect("a host's name")],
        services: vec![Service { port: 25, connect_port: 25, protocol: Protocol::Smtp }],
        key_types: key_types.to_vec(),
        addresses,
        policy: Arc::clone(policy),
        issuer: Authority::House.issuer().to_owned(),
        fallback_issuers: Vec::new(),
        dns: "primary".to_owned(),
        tlsa_ttl: None,
        foreign_records: ForeignRecords::Keep,
        ignore_name_servers: Vec::new(),
        deploy: DeployConfig::Files(FilesConfig {
            place: Place::ChainFiles(Vec::new()),
            owner: None,
            group: None,
            mode: 0o600,
            reload: Vec::new(),
            reload_timeout: Span::from_seconds(60),
        }),
    }
}

#[async_trait]
impl<C: Chooser + 'static> Clock for Port<C> {
    fn now(&self) -> Moment {
        let scene = self.scene();
        let world = &scene.world;
        let wall = Timestamp::from_millis(world.now.as_millis() + world.clock_error);
        Moment { wall, boot: world.boot, uptime: world.now.since(world.booted) }
    }

    async fn sleep(&self, span: Span) {
        {
            let mut scene = self.scene();
            let Scene { world, chooser, sleeper, .. } = &mut *scene;
            sleeper(world, chooser, span);
        }
        self.may_crash().await;
    }
}

impl<C: Chooser + 'static> Keymaker for Port<C> {
    fn make(&self, key_type: KeyType) -> Result<PrivateKey, KeyError> {
        let scene = self.scene();
        let in_use = scene.world.keys_in_use();
        let keys = scene.world.constants.pool.keys(key_type);
        let fresh = keys.iter().find(|key| !in_use.contains(key.spki())).cloned();
        let reason = || "every key of the world is in use".to_owned();
        fresh.ok_or_else(|| KeyError::Generate { key_type, reason: reason() })
    }
}

#[async_trait]
impl<C: Chooser + 'static> Dns for Port<C> {
    async fn look(&self, owner: &TlsaOwner, _ignored: &[String]) -> OwnerSight {
        self.may_crash().await;
        let mut scene = self.scene();
        scene.take(20);
        let (mut answers, mut serials) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..scene.world.servers.len() {
            let now = scene.world.now;
            let silent = now < scene.world.servers[number].silent_until;
            if !silent && scene.chooser.happens(Chance::FallsSilent) {
                let until = now + scene.chooser.span_below(Span::from_seconds(120));
                scene.world.servers[number].silent_until = until.max(now + Span::from_millis(1));
            }
            let server = &scene.world.servers[number];
            let answer = match now < server.silent_until {
                true => Answer::Silent { reason: "no answer".to_owned() },
                false => Answer::Secure(server.rrset.clone()),
            };
            let last = u8::try_from(number + 1).expect("few servers");
            let name: DnsName = format!("ns{last}.example.nl").parse().expect("a name");
            let server_address = ServerAddress { name, address: [127, 0, 0, last].into() };
            if matches!(answer, Answer::Secure(_)) {
                serials.insert(server_address.clone(), server.serial);
            }
            answers.insert(server_address, answer);
        }
        OwnerSight::Seen(OwnerAnswers {
            zone: "example.nl".parse().expect("a name"),
            target: owner.name().clone(),
            answers,
            serials,
            at_primary: Err(Unreadable::default()),
        })
    }

    async fn txt_is_everywhere(&self, _: &DnsName, _: &str, _: &[String]) -> bool {
        true
    }

    async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        Ok(name.clone())
    }

    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        Ok(name.clone())
    }

    async fn addresses(&self, _: &DnsName) -> Result<Vec<IpAddr>, LookupError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl<C: Chooser + 'static> Publisher for Port<C> {
    async fn read(&self, _: &DnsName, _: &DnsName) -> Result<HeldRrset, PublishError> {
        Ok(self.scene().world.primary.clone().into())
    }

    async fn replace(&self, _: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        self.may_crash().await;
        let change = &changes[0];
        let unanswered = || PublishError::Unanswered {
            server: "the primary".to_owned(),
            what: "the records".to_owned(),
            reason: "the answer was lost".to_owned(),
        };
        let answer = {
            let mut scene = self.scene();
            let Scene { world, chooser, .. } = &mut *scene;
            if chooser.happens(Chance::EditsBetween) {
                edit::by_hand(world, chooser, Some(&change.observed));
            }
            if world.primary.records != change.observed.records {
                let (server, what) = ("the primary".to_owned(), "the records".to_owned());
                return Err(PublishError::Conflict { server, what });
            }
            let mut desired = change.desired.clone();
            if desired.is_absent() {
                desired.ttl = NEGATIVE_TTL;
            }
            if chooser.happens(Chance::UpdateTarries) {
                world.delay(change.observed.clone(), desired, chooser);
                Err(unanswered())
            } else {
                world.apply(desired, chooser);
                if chooser.happens(Chance::LosesAnswer) { Err(unanswered()) } else { Ok(()) }
            }
        };
        self.may_crash().await;
        answer
    }

    fn longest_delay(&self) -> Span {
        LONGEST_DELAY
    }

    async fn add_txt(&self, _: &DnsName, _: &DnsName, _: &str, _: Ttl) -> Result<(), PublishError> {
        Ok(())
    }

    async fn remove_txt(&self, _: &DnsName, _: &DnsName, _: &str) -> Result<(), PublishError> {
        Ok(())
    }
}

/// One issuer of the world.
struct IssuerPort<C> {
    /// The world.
    port: Port<C>,
    /// Its CA; of the drifting one, any generation.
    authority: Authority,
}

impl<C: Chooser + 'static> IssuerPort<C> {
    /// An order that was turned down.
    fn turned_down(&self, message: &str) -> IssueError {
        IssueError {
            issuer: self.authority.issuer().to_owned(),
            message: message.to_owned(),
            hint: "wait".to_owned(),
            remedy: Remedy::RetryLater { not_before: None },
            blame: Blame::Issuer,
        }
    }
}

#[async_trait]
impl<C: Chooser + 'static> Issuer for IssuerPort<C> {
    fn known_anchors(&self) -> Vec<Certificate> {
        match self.authority {
            Authority::Drifting { .. } => Vec::new(),
            Authority::House | Authority::Other => {
                let scene = self.port.scene();
                vec![scene.world.constants.pool.certificate(self.authority).clone()]
            }
        }
    }

    async fn issue(&self, order: &Order) -> Result<Chain, IssueError> {
        self.port.may_crash().await;
        let chain = {
            let mut scene = self.port.scene();
            scene.take(800);
            let Scene { world, chooser, .. } = &mut *scene;
            if chooser.happens(Chance::IssuerFails) {
                return Err(self.turned_down("not now"));
            }
            let authority = match self.authority {
                Authority::Drifting { .. } => {
                    if chooser.happens(Chance::CaDrifts) {
                        world.drift = 1 - world.drift;
                    }
                    Authority::Drifting { generation: world.drift }
                }
                known @ (Authority::House | Authority::Other) => known,
            };
            // The same order has the same certificate: the one that is not in place already.
            let in_place = |chain: &&Chain| world.file.values().all(|c| c.chain != **chain);
            let chains = world.constants.pool.chains(&order.key, authority);
            let chain = chains.iter().find(in_place).cloned();
            chain.ok_or_else(|| self.turned_down("this key is not of this world"))?
        };
        self.port.may_crash().await;
        Ok(chain)
    }

    fn trust_anchor(&self, chain: &Chain) -> Option<Certificate> {
        chain.authorities().first().cloned()
    }

    async fn revoke(&self, _: &Certificate, _: &PrivateKey) -> Result<Revocation, IssueError> {
        Ok(Revocation::Revoked)
    }
}

#[async_trait]
impl<C: Chooser + 'static> Deployer for Port<C> {
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        Ok(self.scene().world.file.values().cloned().collect())
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        self.may_crash().await;
        {
            let mut scene = self.scene();
            let Scene { world, chooser, .. } = &mut *scene;
            world.replace_file(credentials, chooser);
        }
        self.may_crash().await;
        {
            let mut scene = self.scene();
            scene.take(100);
            let Scene { world, chooser, .. } = &mut *scene;
            if chooser.happens(Chance::ReloadFails) {
                return Err(DeployError::Reload {
                    command: "reload".to_owned(),
                    what: "exited with status 1".to_owned(),
                    output: String::new(),
                });
            }
            if !chooser.happens(Chance::ReloadWithoutEffect) {
                world.reload(chooser);
            }
        }
        self.may_crash().await;
        Ok(Deployed::default())
    }
}

#[async_trait]
impl<C: Chooser + 'static> Probe for Port<C> {
    async fn look(&self, listener: &Listener, _: Protocol) -> Sight {
        let mut scene = self.scene();
        scene.take(5);
        let Scene { world, chooser, .. } = &mut *scene;
        let number = match listener.address.ip() {
            IpAddr::V4(address) => usize::from(address.octets()[3]),
            IpAddr::V6(_) => 0,
        };
        if chooser.happens(Chance::CutOff) {
            let silence = chooser.span_below(Span::from_seconds(600));
            world.processes[number].silent_until = world.now + silence;
        }
        let processes = &world.processes[number];
        if chooser.happens(Chance::ProbeFails) || world.now < processes.silent_until {
            return Sight::Silent { reason: "no answer".to_owned() };
        }
        let mut shown: BTreeSet<PresentedChain> = BTreeSet::new();
        let of_family = |chains: &BTreeMap<KeyType, Chain>, family: KeyFamily| -> Vec<_> {
            let same = chains.iter().filter(|(key_type, _)| key_type.family() == family);
            same.map(|(_, chain)| PresentedChain(chain.clone())).collect()
        };
        if let Some((elder, _)) = &processes.elder
            && chooser.happens(Chance::MeetsElder)
        {
            shown.extend(of_family(elder, listener.family));
        }
        shown.extend(of_family(&processes.shown, listener.family));
        match shown.is_empty() {
            true => Sight::NotOffered,
            false => Sight::Presented(shown),
        }
    }
}

impl<C: Chooser + 'static> Ledger for Port<C> {
    fn load(&self, _: &str) -> Result<HostState, LedgerError> {
        Ok(self.scene().world.ledger.clone())
    }

    fn save(&self, _: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        let mut scene = self.scene();
        scene.world.ledger = state.clone();
        scene.events.extend_from_slice(events);
        Ok(())
    }

    fn history(&self, _: &str, _: usize) -> Result<Vec<Event>, LedgerError> {
        Ok(self.scene().events.clone())
    }

    fn store_key(&self, _: &PrivateKey) -> Result<(), LedgerError> {
        Ok(())
    }

    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        let key = self.scene().world.constants.pool.key(spki).cloned();
        key.ok_or_else(|| LedgerError { message: "no such key".to_owned(), hint: String::new() })
    }
}
