//! What is so in the world, whatever anybody believes: servers, caches, files, processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::chance::{Chance, Chooser, Lag};
use super::pool::{Authority, HOST, Pool};
use crate::pki::{Chain, ChainId, KeyType};
use crate::policy::Policy;
use crate::ports::Credential;
use crate::rollover::observation::Serial;
use crate::rollover::state::HostState;
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::{Fit, Parameters, Record, TlsaRrset, Usage, fit};

/// The TTL of the host's records.
pub const TTL: Ttl = Ttl::from_seconds(30);

/// The negative TTL of the zone.
pub const NEGATIVE_TTL: Ttl = Ttl::from_seconds(10);

/// How long an update whose answer was lost can be under way.
pub const LONGEST_DELAY: Span = Span::from_seconds(360);

/// How much longer than the TTL a cache that counts in whole seconds serves an RRset, at most.
const CACHE_ROUNDING: Span = Span::from_millis(999);

/// How many authoritative servers there are; the first is the primary itself.
const SERVERS: usize = 2;

/// How many addresses the host has.
pub const ADDRESSES: usize = 2;

/// An authoritative server.
#[derive(Clone, Debug)]
pub struct Server {
    /// What it serves.
    pub rrset: TlsaRrset,
    /// The serial number of its copy of the zone.
    pub serial: Serial,
    /// What it will serve, and when; `None`: when it is told to.
    coming: Vec<(Option<Timestamp>, TlsaRrset, Serial)>,
    /// Until when it says nothing.
    pub silent_until: Timestamp,
}

/// The processes behind one address.
#[derive(Clone, Debug)]
pub struct Processes {
    /// What new connections are shown, per key type.
    pub shown: BTreeMap<KeyType, Chain>,
    /// What an old process still shows, and until when.
    pub elder: Option<(BTreeMap<KeyType, Chain>, Timestamp)>,
    /// When it will read the file; `None`: when it is told to.
    reading: Option<Option<Timestamp>>,
    /// Until when nobody who probes them from here gets an answer.
    pub silent_until: Timestamp,
}

/// A pair that did not fit: senders that hold the RRset and meet the chain do not deliver.
#[derive(Clone, Debug)]
pub struct Stranded {
    /// When.
    pub at: Timestamp,
    /// What a cache holds.
    pub rrset: TlsaRrset,
    /// What a process presents.
    pub chain: Chain,
}

/// The world, and the ledger in it.
#[derive(Clone)]
pub struct World {
    /// The present.
    pub now: Timestamp,
    /// How far the machine's wall clock is off, in milliseconds.
    pub clock_error: i64,
    /// How often the machine was started.
    pub boot: u64,
    /// When it was started last.
    pub booted: Timestamp,
    /// What the primary holds.
    pub primary: TlsaRrset,
    /// The serial number of its zone.
    pub serial: Serial,
    /// Whether the primary is none of the authoritative servers: each of them may lag.
    pub primary_is_hidden: bool,
    /// Updates whose answer was lost: when they are applied (`None`: when the world is told to), what
    /// they expect, what they bring, and until when that can happen.
    pub under_way: Vec<(Option<Timestamp>, TlsaRrset, TlsaRrset, Timestamp)>,
    /// The authoritative servers.
    pub servers: Vec<Server>,
    /// Per RRset that some cache may hold, until when.
    pub cached: BTreeMap<TlsaRrset, Timestamp>,
    /// The RRsets that were published, or about to be, while something was barred: to bar what was stolen may cost a
    /// combination, but never the last record that fits.
    pub barring: BTreeSet<TlsaRrset>,
    /// What the file holds that the mail server reads.
    pub file: BTreeMap<KeyType, Credential>,
    /// The processes behind each address.
    pub processes: Vec<Processes>,
    /// Which of its keys the drifting CA signs with.
    pub drift: u8,
    /// The ledger.
    pub ledger: HostState,
    /// The first pair that did not fit.
    pub stranded: Option<Stranded>,
    /// What never changes.
    pub constants: Arc<Constants>,
}

/// What never changes in a world.
pub struct Constants {
    /// Its keys and chains.
    pub pool: Pool,
    /// What is required of the host's rollovers.
    pub policy: Policy,
    /// How long an old process goes on presenting an old chain, at most.
    pub old_process_lives: Span,
    /// The host's key types.
    pub key_types: Vec<KeyType>,
}

impl Server {
    /// What it will serve, in order.
    pub fn coming(&self) -> &[(Option<Timestamp>, TlsaRrset, Serial)] {
        &self.coming
    }
}

impl World {
    /// A world in which the host has a certificate of the CA of the house, and the policy's records.
    pub fn new(constants: Arc<Constants>) -> Self {
        let of_house = |key_type: &KeyType| {
            let key = constants.pool.keys(*key_type)[0].clone();
            let chain = constants.pool.chains(&key, Authority::House)[0].clone();
            (*key_type, Credential { key_type: *key_type, chain, key })
        };
        let file: BTreeMap<KeyType, Credential> =
            constants.key_types.iter().map(of_house).collect();
        let chains = chains_of(&file);
        let named = |parameters: &Parameters| {
            let certificate = |chain: &Chain| match parameters.usage {
                Usage::DaneEe => chain.leaf().clone(),
                Usage::DaneTa => chain.authorities()[0].clone(),
            };
            let associate = |chain: &Chain| Record::from(parameters.associate(&certificate(chain)));
            chains.values().map(associate).collect::<Vec<_>>()
        };
        let primary = TlsaRrset::new(constants.policy.records.iter().flat_map(named), TTL);
        let server = Server {
            rrset: primary.clone(),
            serial: Serial(1),
            coming: Vec::new(),
            silent_until: Timestamp::MIN,
        };
        let silent_until = Timestamp::MIN;
        let processes = Processes { shown: chains, elder: None, reading: None, silent_until };
        let now = Timestamp::from_seconds(1_800_000_000);
        let mut world = Self {
            now,
            clock_error: 0,
            boot: 1,
            booted: now - Span::from_seconds(86_400),
            primary,
            serial: Serial(1),
            primary_is_hidden: false,
            under_way: Vec::new(),
            servers: vec![server; SERVERS],
            cached: BTreeMap::new(),
            barring: BTreeSet::new(),
            file,
            processes: vec![processes; ADDRESSES],
            drift: 0,
            ledger: HostState::default(),
            stranded: None,
            constants,
        };
        world.settle();
        world
    }

    /// The same world, in which the host has no records yet.
    pub fn without_records(mut self) -> Self {
        self.primary = TlsaRrset::absent(NEGATIVE_TTL);
        for server in &mut self.servers {
            server.rrset = self.primary.clone();
        }
        self.cached.clear();
        self.settle();
        self
    }

    /// Lets time pass, in steps so small that nothing is missed.
    pub fn pass_time(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            let step = self.now + Span::from_millis(400);
            self.come_to(if self.is_quiet() { end } else { step.min(end) });
        }
    }

    /// Whether nothing will happen by itself but that caches forget.
    pub fn is_quiet(&self) -> bool {
        let processes = &self.processes;
        self.under_way.is_empty()
            && self.servers.iter().all(|server| server.coming.is_empty())
            && processes.iter().all(|each| each.elder.is_none() && each.reading.is_none())
    }

    /// Lets time pass to a moment before which nothing happens that anybody can see.
    pub fn come_to(&mut self, moment: Timestamp) {
        // Caches may fill until the last instant.
        self.settle();
        self.now = self.now.max(moment);
        self.settle();
    }

    /// Takes an update at the primary: the first server at once, where it is the primary itself, and
    /// the others when they will.
    pub fn apply(&mut self, rrset: TlsaRrset, chooser: &mut dyn Chooser) {
        self.primary = rrset.clone();
        self.serial = Serial(self.serial.0.wrapping_add(1));
        for (number, server) in self.servers.iter_mut().enumerate() {
            let is_primary = number == 0 && !self.primary_is_hidden;
            let at = match chooser.server_lag() {
                _ if is_primary => Some(self.now),
                Lag::For(lag) => Some(self.now + lag),
                Lag::UntilTold => None,
            };
            server.coming.push((at, rrset.clone(), self.serial));
        }
        self.settle();
    }

    /// Lets an update be applied later, though nobody will say so.
    pub fn delay(&mut self, observed: TlsaRrset, desired: TlsaRrset, chooser: &mut dyn Chooser) {
        let at = match chooser.server_lag() {
            Lag::For(_) => Some(self.now + chooser.span_below(Span::from_seconds(200))),
            Lag::UntilTold => None,
        };
        self.under_way.push((at, observed, desired, self.now + LONGEST_DELAY));
    }

    /// Applies the first update under way, if what it expects is so.
    pub fn let_update_arrive(&mut self, chooser: &mut dyn Chooser) {
        if self.under_way.is_empty() {
            return;
        }
        let (_, observed, desired, _) = self.under_way.remove(0);
        if self.primary.records == observed.records {
            self.apply(desired, chooser);
        }
    }

    /// Lets a secondary transfer the zone.
    pub fn let_server_follow(&mut self, number: usize) {
        if !self.lags(number) {
            return;
        }
        self.settle();
        // Step by step, as one that is fed by another secondary: it may come to each version.
        let server = &mut self.servers[number];
        let (_, rrset, serial) = server.coming.remove(0);
        (server.rrset, server.serial) = (rrset, serial);
        self.settle();
    }

    /// Whether a secondary has something to transfer.
    pub fn lags(&self, number: usize) -> bool {
        !self.servers[number].coming.is_empty()
    }

    /// Puts credentials into the file; some servers read a replaced file without being asked.
    pub fn replace_file(&mut self, credentials: &[Credential], chooser: &mut dyn Chooser) {
        self.file = credentials.iter().map(|c| (c.key_type, c.clone())).collect();
        for number in 0..self.processes.len() {
            if chooser.happens(Chance::ReadsUnasked) {
                self.tell_to_read(number, chooser);
            }
        }
        self.settle();
    }

    /// Tells the processes behind every address to read the file.
    pub fn reload(&mut self, chooser: &mut dyn Chooser) {
        for number in 0..self.processes.len() {
            if !chooser.happens(Chance::MissesReload) {
                self.tell_to_read(number, chooser);
            }
        }
        self.settle();
    }

    /// Tells the processes behind one address to read the file, which takes them a while.
    fn tell_to_read(&mut self, number: usize, chooser: &mut dyn Chooser) {
        self.processes[number].reading = Some(match chooser.process_lag() {
            Lag::For(lag) => Some(self.now + lag),
            Lag::UntilTold => None,
        });
    }

    /// Whether the processes behind an address were told to read the file and have not.
    pub fn is_about_to_read(&self, number: usize) -> bool {
        self.processes[number].reading.is_some()
    }

    /// Lets the processes behind an address read the file.
    pub fn let_processes_read(&mut self, number: usize) {
        self.read_file(number);
        self.settle();
    }

    /// The processes behind an address read the file; the old ones live on for a while.
    fn read_file(&mut self, number: usize) {
        let file = chains_of(&self.file);
        let until = self.now + self.constants.old_process_lives;
        let processes = &mut self.processes[number];
        processes.reading = None;
        if processes.shown != file {
            let elder = std::mem::replace(&mut processes.shown, file);
            processes.elder = Some((elder, until));
        }
    }

    /// Lets every secondary and every process follow.
    pub fn let_all_follow(&mut self) {
        for server in 0..self.servers.len() {
            while self.lags(server) {
                self.let_server_follow(server);
            }
        }
        for number in 0..self.processes.len() {
            if self.is_about_to_read(number) {
                self.let_processes_read(number);
            }
        }
    }

    /// What is due happens; what is served is cached; and the judge looks.
    fn settle(&mut self) {
        let now = self.now;
        self.fill_caches();
        // An update that arrives by its own time does so in a drawn world, whose servers then follow
        // at once; where the world is told what happens, none has a time.
        let due: Vec<_> =
            self.under_way.extract_if(.., |(at, ..)| at.is_some_and(|at| at <= now)).collect();
        self.under_way.retain(|(.., until)| now < *until);
        for (_, observed, desired, _) in due {
            if self.primary.records == observed.records {
                self.primary = desired.clone();
                self.serial = Serial(self.serial.0.wrapping_add(1));
                for server in &mut self.servers {
                    server.coming.push((Some(now), desired.clone(), self.serial));
                }
            }
        }
        for server in &mut self.servers {
            // A transfer brings the latest serial number: what came before it is overtaken.
            let due = server.coming.iter().rposition(|(at, ..)| at.is_some_and(|at| at <= now));
            if let Some(latest) = due
                && let Some((_, rrset, serial)) = server.coming.drain(..=latest).next_back()
            {
                (server.rrset, server.serial) = (rrset, serial);
            }
        }
        for number in 0..self.processes.len() {
            if self.processes[number].reading.flatten().is_some_and(|at| at <= now) {
                self.read_file(number);
            }
            self.processes[number].elder.take_if(|(_, until)| *until <= now);
        }
        self.fill_caches();
        self.cached.retain(|_, until| now < *until);
        let under_way = self.under_way.iter().map(|(_, _, desired, _)| desired);
        let coming = self.servers.iter().flat_map(|server| &server.coming);
        let coming = coming.map(|(_, rrset, _)| rrset);
        let current: BTreeSet<_> =
            self.cached.keys().chain(under_way).chain(coming).cloned().collect();
        match self.ledger.barred.is_empty() {
            true => self.barring.retain(|rrset| current.contains(rrset)),
            false => self.barring = current,
        }
        self.judge();
    }

    /// Caches take what is served at the worst moment: every one.
    ///
    /// An instance of a server that nobody looks at may go on with what the others let go of, for
    /// the policy's `propagation-holdoff`; and some caches raise small TTLs to its `minimum-wait`.
    fn fill_caches(&mut self) {
        let timing = &self.constants.policy.timing;
        for server in &self.servers {
            let ttl = server.rrset.ttl.span().max(timing.minimum_wait);
            let until = self.now + timing.propagation_holdoff + ttl + CACHE_ROUNDING;
            self.cached.insert(server.rrset.clone(), until);
        }
    }

    /// The chains that some process may present.
    pub fn presented(&self) -> BTreeMap<ChainId, &Chain> {
        let elders = self.processes.iter().filter_map(|p| p.elder.as_ref().map(|(elder, _)| elder));
        let shown = self.processes.iter().map(|processes| &processes.shown);
        shown.chain(elders).flat_map(BTreeMap::values).map(|chain| (chain.id(), chain)).collect()
    }

    /// Whether senders that hold `rrset` could deliver to whatever is presented now.
    pub fn fits_what_is_presented(&self, rrset: &TlsaRrset) -> bool {
        let base = HOST.parse().expect("a host's name");
        let degree = Some(self.constants.policy.fit);
        let presented = self.presented();
        presented.values().all(|chain| degree <= fit(&rrset.records, chain, &base, self.now))
    }

    /// Looks at every pair that some sender could meet now.
    fn judge(&mut self) {
        if self.stranded.is_some() {
            return;
        }
        let base = HOST.parse().expect("a host's name");
        let presented = self.presented();
        let misfit = self.cached.keys().find_map(|rrset| {
            let degree = match self.barring.contains(rrset) {
                true => Fit::Any,
                false => self.constants.policy.fit,
            };
            let strands =
                |chain: &&&Chain| fit(&rrset.records, chain, &base, self.now) < Some(degree);
            let chain = presented.values().find(strands)?;
            Some(Stranded { at: self.now, rrset: rrset.clone(), chain: (*chain).clone() })
        });
        self.stranded = misfit;
    }

    /// The anchors and keys that stand for themselves somewhere: keys in use.
    pub fn keys_in_use(&self) -> BTreeSet<Vec<u8>> {
        let ledger = &self.ledger;
        let of_bundles = ledger.bundles.values().flat_map(|bundle| bundle.credentials.values());
        let of_bundles = of_bundles.map(|credential| credential.key.spki.clone());
        let of_standby = ledger.standby.values().map(|key| key.spki.clone());
        let barred = ledger.barred.iter().map(|barred| barred.certificate.spki().to_vec());
        let revoked = ledger.to_revoke.iter().map(|r| r.chain.leaf().spki().to_vec());
        let of_presences = ledger.served.presences.iter().map(|p| p.chain.spki().to_vec());
        let presented = self.presented();
        let presented = presented.values().map(|chain| chain.leaf().spki().to_vec());
        let in_file = self.file.values().map(|credential| credential.key.spki().to_vec());
        of_bundles
            .chain(of_standby)
            .chain(barred)
            .chain(revoked)
            .chain(of_presences)
            .chain(presented)
            .chain(in_file)
            .collect()
    }
}

/// The chains of a file's credentials.
fn chains_of(file: &BTreeMap<KeyType, Credential>) -> BTreeMap<KeyType, Chain> {
    file.iter().map(|(key_type, credential)| (*key_type, credential.chain.clone())).collect()
}
