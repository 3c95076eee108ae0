//! The world's ports: each effect takes a moment, may fail, and may be the last before a crash.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rollover::keys::PrivateKey;
use rollover::name::DnsName;
use rollover::pki::{Certificate, Chain, Sha256Digest};
use rollover::policy::Policy;
use rollover::ports::{
    Clock, Credential, DeployError, Deployed, Deployer, Dns, Event, IssueError, Issuer, Ledger,
    LedgerError, LookupError, Order, Probe, Protocol, PublishError, Publisher, Remedy, Revocation,
    RrsetChange,
};
use rollover::rollover::observation::{
    Answer, Listener, OwnerAnswers, OwnerSight, ServerAddress, Sight, Unreadable,
};
use rollover::rollover::state::HostState;
use rollover::time::{Moment, Span, Timestamp, Ttl};
use rollover::tlsa::{TlsaOwner, TlsaRrset};
use tokio::sync::Notify;

use crate::authority::Authority;
use crate::state::{NEGATIVE_TTL, World, shown};

/// A handle on the world: every port at once.
#[derive(Clone)]
pub struct Port {
    /// The world.
    world: Arc<Mutex<World>>,
    /// Rings when the program crashes.
    crash: Arc<Notify>,
}

impl Port {
    /// A handle on a world.
    pub fn new(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)), crash: Arc::default() }
    }

    /// The world.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the program has crashed.
    pub async fn crashed(&self) {
        self.crash.notified().await;
    }

    /// A place at which the program may end for ever.
    async fn may_crash(&self) {
        if self.world().once_in(60) {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// A number below `limit`.
    pub fn below(&self, limit: usize) -> usize {
        self.world().below(limit)
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.world().now
    }

    /// Lets time pass.
    pub fn pass_time(&self, span: Span) {
        self.world().pass_time(span);
    }

    /// From now on everything works.
    pub fn be_fair(&self) {
        let mut world = self.world();
        world.fair = true;
        for server in &mut world.servers {
            server.silent_until = Timestamp::MIN;
        }
    }

    /// Fails if some sender met a pair that does not fit.
    #[track_caller]
    pub fn expect_nobody_stranded(&self, seed: u64, policy: &Policy) {
        let world = self.world();
        if let Some(stranded) = &world.stranded {
            panic!("ROLLOVER_SEED={seed} {}: {stranded}", policy.name);
        }
    }

    /// The issuers: two known beforehand, and one whose chains alone tell.
    pub fn issuers(&self) -> BTreeMap<String, Arc<dyn Issuer>> {
        let issuer = |name: &str| -> (String, Arc<dyn Issuer>) {
            (name.to_owned(), Arc::new(IssuerPort { port: self.clone(), name: name.to_owned() }))
        };
        ["house", "other", "drifting"].map(issuer).into()
    }
}

#[async_trait]
impl Clock for Port {
    fn now(&self) -> Moment {
        let wall = self.world().now;
        let uptime = Span::from_millis(wall.as_millis().unsigned_abs());
        Moment { wall, boot: 1, uptime }
    }

    async fn sleep(&self, span: Span) {
        self.world().pass_time(span);
        self.may_crash().await;
    }
}

#[async_trait]
impl Dns for Port {
    async fn look(&self, owner: &TlsaOwner, _ignored: &[String]) -> OwnerSight {
        self.may_crash().await;
        let mut world = self.world();
        world.pass_time(Span::from_millis(20));
        let mut answers = BTreeMap::new();
        for number in 0..world.servers.len() {
            if world.once_in(25) {
                let until = world.now + world.moment_below(120);
                world.servers[number].silent_until = until;
            }
            let server = &world.servers[number];
            let answer = match world.now < server.silent_until {
                true => Answer::Silent { reason: "no answer".to_owned() },
                false => Answer::Secure(server.rrset.clone()),
            };
            let last = u8::try_from(number + 1).expect("few servers");
            let name: DnsName = format!("ns{last}.example.nl").parse().expect("a name");
            answers.insert(ServerAddress { name, address: [127, 0, 0, last].into() }, answer);
        }
        OwnerSight::Seen(OwnerAnswers {
            zone: "example.nl".parse().expect("a name"),
            target: owner.name().clone(),
            answers,
            at_primary: Err(Unreadable::default()),
        })
    }

    async fn txt_is_everywhere(&self, _: &DnsName, _: &str, _: &[String]) -> bool {
        true
    }

    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        Ok(name.clone())
    }

    async fn addresses(&self, _: &DnsName) -> Result<Vec<IpAddr>, LookupError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Publisher for Port {
    async fn read(&self, _: &DnsName, _: &DnsName) -> Result<TlsaRrset, PublishError> {
        Ok(self.world().primary.clone())
    }

    async fn replace(&self, _: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        self.may_crash().await;
        let change = &changes[0];
        let unanswered = || PublishError::Unanswered {
            server: "the primary".to_owned(),
            what: "the records".to_owned(),
            reason: "the answer was lost".to_owned(),
        };
        {
            let mut world = self.world();
            if world.primary.records != change.observed.records {
                let (server, what) = ("the primary".to_owned(), "the records".to_owned());
                return Err(PublishError::Conflict { server, what });
            }
            let mut desired = change.desired.clone();
            if desired.is_absent() {
                desired.ttl = NEGATIVE_TTL;
            }
            if world.once_in(15) {
                world.delay(change.observed.clone(), desired);
                return Err(unanswered());
            }
            world.apply(desired);
            if world.once_in(15) {
                return Err(unanswered());
            }
        }
        self.may_crash().await;
        Ok(())
    }

    fn longest_delay(&self) -> Span {
        Span::from_seconds(360)
    }

    async fn add_txt(&self, _: &DnsName, _: &DnsName, _: &str, _: Ttl) -> Result<(), PublishError> {
        Ok(())
    }

    async fn remove_txt(&self, _: &DnsName, _: &DnsName, _: &str) -> Result<(), PublishError> {
        Ok(())
    }
}

/// One issuer of the world.
struct IssuerPort {
    /// The world.
    port: Port,
    /// Its name.
    name: String,
}

#[async_trait]
impl Issuer for IssuerPort {
    fn known_anchors(&self) -> Vec<Certificate> {
        let world = self.port.world();
        match self.name.as_str() {
            "drifting" => Vec::new(),
            name => vec![world.authorities[name].certificate.clone()],
        }
    }

    async fn issue(&self, order: &Order) -> Result<Chain, IssueError> {
        self.port.may_crash().await;
        let chain = {
            let mut world = self.port.world();
            world.pass_time(Span::from_millis(800));
            if world.once_in(12) {
                return Err(IssueError {
                    issuer: self.name.clone(),
                    message: "not now".to_owned(),
                    hint: "wait".to_owned(),
                    remedy: Remedy::RetryLater { not_before: None },
                });
            }
            if self.name == "drifting" && world.once_in(3) {
                let serial = world.serial;
                let drifted = Authority::new(&format!("drifting {serial}"));
                world.authorities.insert("drifting".to_owned(), drifted);
            }
            world.serial += 1;
            let serial = world.serial;
            let chain = match world.orders.get(&order.id) {
                Some(chain) => chain.clone(),
                None => world.authorities[&self.name].issue(&order.key, serial),
            };
            world.orders.insert(order.id.clone(), chain.clone());
            chain
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
impl Deployer for Port {
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        Ok(vec![self.world().file.clone()])
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        self.may_crash().await;
        self.world().replace_file(credentials[0].clone());
        self.may_crash().await;
        {
            let mut world = self.world();
            world.pass_time(Span::from_millis(100));
            if world.once_in(12) {
                return Err(DeployError::Reload {
                    command: "reload".to_owned(),
                    what: "exited with status 1".to_owned(),
                    output: String::new(),
                });
            }
            if !world.once_in(12) {
                world.reload();
            }
        }
        self.may_crash().await;
        Ok(Deployed::default())
    }
}

#[async_trait]
impl Probe for Port {
    async fn look(&self, listener: &Listener, _: Protocol) -> Sight {
        use rollover::pki::KeyFamily;
        let mut world = self.world();
        world.pass_time(Span::from_millis(5));
        if listener.family == KeyFamily::Rsa {
            return Sight::NotOffered;
        }
        if world.once_in(60) {
            return Sight::Silent { reason: "no answer".to_owned() };
        }
        let IpAddr::V4(address) = listener.address.ip() else { unreachable!("IPv4 alone") };
        let meets_elder = world.below(2) == 0;
        Sight::Presented(shown(&world.listeners[usize::from(address.octets()[3])], meets_elder))
    }
}

impl Ledger for Port {
    fn load(&self, _: &str) -> Result<HostState, LedgerError> {
        Ok(self.world().ledger.clone())
    }

    fn save(&self, _: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        let mut world = self.world();
        world.ledger = state.clone();
        world.events.extend_from_slice(events);
        Ok(())
    }

    fn history(&self, _: &str, _: usize) -> Result<Vec<Event>, LedgerError> {
        Ok(self.world().events.clone())
    }

    fn store_key(&self, key: &PrivateKey) -> Result<(), LedgerError> {
        self.world().keys.insert(key.spki_sha256(), key.clone());
        Ok(())
    }

    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        let key = self.world().keys.get(spki).cloned();
        key.ok_or_else(|| LedgerError { message: "no such key".to_owned(), hint: String::new() })
    }
}
