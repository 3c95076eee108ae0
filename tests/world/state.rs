//! What is so in the world, whatever anybody believes: servers, caches, files, processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollover::config::{FilesConfig, ForeignRecords, HostConfig, Place, Service};
use rollover::keys::PrivateKey;
use rollover::pki::{Chain, ChainId, KeyType, Sha256Digest};
use rollover::policy::Policy;
use rollover::ports::{Credential, Event, Protocol};
use rollover::rollover::state::HostState;
use rollover::time::{Span, Timestamp, Ttl};
use rollover::tlsa::{Fit, Parameters, Record, TlsaRrset, Usage, fit};

use crate::authority::Authority;

/// How long a process goes on presenting an old chain after a reload, at most.
pub const OLD_PROCESS_LIVES: Span = Span::from_seconds(9);

/// The TTL of the host's records.
pub const TTL: Ttl = Ttl::from_seconds(30);

/// The negative TTL of the zone.
pub const NEGATIVE_TTL: Ttl = Ttl::from_seconds(10);

/// How many authoritative servers there are, and how many addresses.
const SERVERS: usize = 2;
/// How many addresses the host has.
pub const ADDRESSES: usize = 2;

/// An authoritative server.
pub struct Server {
    /// What it serves.
    pub rrset: TlsaRrset,
    /// What it will serve, and when.
    coming: Vec<(Timestamp, TlsaRrset)>,
    /// Until when it says nothing.
    pub silent_until: Timestamp,
}

/// A listening process and its elder.
pub struct Listener {
    /// What new connections are shown.
    pub chain: Chain,
    /// What an old process still shows, and until when.
    pub elder: Option<(Chain, Timestamp)>,
    /// What it will read, and when.
    reading: Option<Timestamp>,
}

/// The world.
pub struct World {
    /// The present.
    pub now: Timestamp,
    /// What draws.
    random: u64,
    /// Whether everything works from now on.
    pub fair: bool,
    /// What the primary holds.
    pub primary: TlsaRrset,
    /// Updates under way whose answer was lost: applied then.
    under_way: Vec<(Timestamp, TlsaRrset, TlsaRrset)>,
    /// The authoritative servers; the first is the primary itself.
    pub servers: Vec<Server>,
    /// Per RRset that some cache may hold, until when.
    pub cached: BTreeMap<TlsaRrset, Timestamp>,
    /// The file that the mail server reads.
    pub file: Credential,
    /// Its processes, per address.
    pub listeners: Vec<Listener>,
    /// The CAs, by the issuer's name.
    pub authorities: BTreeMap<String, Authority>,
    /// What was issued, by order.
    pub orders: BTreeMap<String, Chain>,
    /// The next serial number.
    pub serial: u64,
    /// The ledger.
    pub ledger: HostState,
    /// The history.
    pub events: Vec<Event>,
    /// The keys.
    pub keys: BTreeMap<Sha256Digest, PrivateKey>,
    /// The first pair that did not fit.
    pub stranded: Option<String>,
    /// How well pairs have to fit.
    degree: Fit,
    /// How well pairs fit that were looked at before.
    known: BTreeMap<(TlsaRrset, ChainId), Option<Fit>>,
}

impl World {
    /// A world in which the host has a certificate of `house`, and the policy's records.
    pub fn new(seed: u64, policy: &Policy) -> Self {
        let names = ["house", "other", "drifting"];
        let authorities: BTreeMap<String, Authority> =
            names.map(|name| (name.to_owned(), Authority::new(name))).into();
        let key = PrivateKey::generate(KeyType::EcdsaP256).expect("a key");
        let chain = authorities["house"].issue(&key, 1);
        let named = |parameters: &Parameters| {
            let certificate = match parameters.usage {
                Usage::DaneEe => chain.leaf(),
                Usage::DaneTa => &chain.authorities()[0],
            };
            Record::from(parameters.associate(certificate))
        };
        let primary = TlsaRrset::new(policy.records.iter().map(named), TTL);
        let server =
            || Server { rrset: primary.clone(), coming: Vec::new(), silent_until: Timestamp::MIN };
        let listener = || Listener { chain: chain.clone(), elder: None, reading: None };
        let mut world = Self {
            now: Timestamp::from_seconds(1_800_000_000),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            fair: false,
            servers: (0..SERVERS).map(|_| server()).collect(),
            under_way: Vec::new(),
            cached: BTreeMap::new(),
            listeners: (0..ADDRESSES).map(|_| listener()).collect(),
            file: Credential { key_type: KeyType::EcdsaP256, chain: chain.clone(), key },
            primary,
            authorities,
            orders: BTreeMap::new(),
            serial: 2,
            ledger: HostState::default(),
            events: Vec::new(),
            keys: BTreeMap::new(),
            stranded: None,
            degree: policy.fit,
            known: BTreeMap::new(),
        };
        world.settle();
        world
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % u64::try_from(limit).expect("small")).expect("small")
    }

    /// Whether something that happens once in `times` happens; in a fair world nothing does.
    pub fn once_in(&mut self, times: usize) -> bool {
        !self.fair && self.below(times) == 0
    }

    /// A span below `seconds`.
    pub fn moment_below(&mut self, seconds: usize) -> Span {
        Span::from_millis(u64::try_from(self.below(seconds * 1000)).expect("small"))
    }

    /// Lets time pass, in steps so small that nothing is missed.
    pub fn pass_time(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.now = (self.now + Span::from_millis(400)).min(end);
            self.settle();
        }
    }

    /// Takes an update at the primary: the first server at once, the others when they will.
    pub fn apply(&mut self, rrset: TlsaRrset) {
        self.primary = rrset.clone();
        for number in 0..self.servers.len() {
            let lag = match number {
                0 => Span::from_millis(3),
                _ if self.once_in(3) => self.moment_below(90),
                _ => self.moment_below(2),
            };
            let at = self.now + lag;
            self.servers[number].coming.push((at, rrset.clone()));
        }
        self.settle();
    }

    /// Lets an update be applied later, though nobody will say so.
    pub fn delay(&mut self, observed: TlsaRrset, desired: TlsaRrset) {
        let at = self.now + self.moment_below(200);
        self.under_way.push((at, observed, desired));
    }

    /// Puts a bundle into the file, and lets processes read it.
    pub fn replace_file(&mut self, credential: Credential) {
        self.file = credential;
        for number in 0..self.listeners.len() {
            // Some servers read a replaced file without being asked.
            if self.once_in(4) {
                let at = self.now + self.moment_below(3);
                self.listeners[number].reading = Some(at);
            }
        }
        self.settle();
    }

    /// Makes every process read the file, one by one.
    pub fn reload(&mut self) {
        for number in 0..self.listeners.len() {
            let at = self.now + self.moment_below(3);
            self.listeners[number].reading = Some(at);
        }
    }

    /// What is due happens; what is served is cached; and the judge looks.
    fn settle(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.under_way.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, observed, desired) in due {
            if self.primary.records == observed.records {
                self.apply(desired);
            }
        }
        for server in &mut self.servers {
            // A transfer brings the latest serial number: what came before it is overtaken.
            if let Some(latest) = server.coming.iter().rposition(|(at, _)| *at <= now) {
                let due: Vec<_> = server.coming.drain(..=latest).collect();
                server.rrset = due.into_iter().next_back().expect("one is due").1;
            }
        }
        let chain = self.file.chain.clone();
        for number in 0..self.listeners.len() {
            let old_lives = self.moment_below(8);
            let listener = &mut self.listeners[number];
            if listener.reading.is_some_and(|at| at <= now) {
                listener.reading = None;
                if listener.chain != chain {
                    let elder = std::mem::replace(&mut listener.chain, chain.clone());
                    listener.elder = Some((elder, now + old_lives));
                }
            }
            listener.elder.take_if(|(_, until)| *until <= now);
        }
        for server in &self.servers {
            let until = now + server.rrset.ttl;
            self.cached.insert(server.rrset.clone(), until);
        }
        self.cached.retain(|_, until| now < *until);
        self.judge();
    }

    /// Looks at every pair that some sender could meet now.
    fn judge(&mut self) {
        if self.stranded.is_some() {
            return;
        }
        let base = "mail.example.nl".parse().expect("a name");
        let mut chains: BTreeMap<_, &Chain> = BTreeMap::new();
        for listener in &self.listeners {
            chains.insert(listener.chain.id(), &listener.chain);
            if let Some((elder, _)) = &listener.elder {
                chains.insert(elder.id(), elder);
            }
        }
        for rrset in self.cached.keys() {
            for chain in chains.values() {
                let pair = (rrset.clone(), chain.id());
                let look = || fit(&rrset.records, chain, &base, self.now);
                let found = *self.known.entry(pair).or_insert_with(look);
                // To bar what was stolen may cost a combination; never the last record.
                let degree = match self.ledger.barred.is_empty() {
                    true => self.degree,
                    false => Fit::Any,
                };
                if found < Some(degree) {
                    let events: Vec<String> = self
                        .events
                        .iter()
                        .rev()
                        .take(12)
                        .rev()
                        .map(|event| format!("  {} {}: {}", event.at, event.action, event.result))
                        .collect();
                    self.stranded = Some(format!(
                        "at {} a cache holds {rrset}, and {:?} is presented\n{}",
                        self.now,
                        chain.leaf(),
                        events.join("\n")
                    ));
                    return;
                }
            }
        }
    }
}

/// The host.
pub fn config(policy: &Arc<Policy>) -> HostConfig {
    HostConfig {
        name: "mail.example.nl".to_owned(),
        names: vec!["mail.example.nl".parse().expect("a name")],
        services: vec![Service { port: 25, connect_port: 25, protocol: Protocol::Smtp }],
        key_types: vec![KeyType::EcdsaP256],
        addresses: (0..ADDRESSES)
            .map(|number| {
                std::net::Ipv4Addr::new(127, 0, 25, u8::try_from(number).expect("few")).into()
            })
            .collect(),
        policy: Arc::clone(policy),
        issuer: "house".to_owned(),
        dns: "primary".to_owned(),
        tlsa_ttl: None,
        foreign_records: ForeignRecords::Keep,
        ignore_name_servers: Vec::new(),
        deploy: FilesConfig {
            place: Place::ChainFiles(Vec::new()),
            owner: None,
            group: None,
            mode: 0o600,
            reload: Vec::new(),
            reload_timeout: Span::from_seconds(60),
        },
    }
}

/// The chains that a listener may show on several connections.
pub fn shown(
    listener: &Listener,
    meets_elder: bool,
) -> BTreeSet<rollover::rollover::observation::PresentedChain> {
    use rollover::rollover::observation::PresentedChain;
    let elder = listener.elder.as_ref().filter(|_| meets_elder).map(|(chain, _)| chain.clone());
    elder.into_iter().chain([listener.chain.clone()]).map(PresentedChain).collect()
}
