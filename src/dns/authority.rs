//! What every authoritative server of a zone answers, each asked directly and validated.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record as WireRecord, RecordType};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::anchor::Anchors;
use super::chain::{self, Trust};
use super::denial::{self, Denial};
use super::resolver::{ALIASES_MAX, Resolver};
use super::signature::ZoneKeys;
use super::transport::{self, Recursion};
use super::wire::{from_tlsa, from_wire, of_type, to_wire};
use crate::name::DnsName;
use crate::ports::{Clock, Dns, LookupError};
use crate::rollover::observation::{
    Answer, OwnerAnswers, OwnerSight, Serial, ServerAddress, Unreadable,
};
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::{TlsaOwner, TlsaRrset};

mod servers;
pub(super) mod survey;

use servers::Server;

/// How long what was found out of a zone (its keys, its servers) is used again.
const ZONE_KEPT: Span = Span::from_seconds(10);

/// The view of the DNS through the configured resolvers and the authoritative servers themselves.
pub struct Authority {
    /// The resolvers.
    resolver: Resolver,
    /// What is trusted to begin with.
    anchors: Anchors,
    /// The time, for signatures.
    clock: Arc<dyn Clock>,
    /// The port of authoritative servers: 53 unless a test says otherwise.
    port: u16,
    /// What was found out of zones, and when.
    zones: Mutex<BTreeMap<DnsName, (Moment, Arc<Zone>)>>,
}

/// What was found out of a zone.
#[derive(Debug)]
struct Zone {
    /// Its name.
    name: DnsName,
    /// Its keys, or that it has none.
    trust: Trust,
    /// The addresses of its servers; a server whose name has none is there with the reason.
    servers: Vec<Server>,
}

/// What one server says of one name, and of its copy of the zone.
struct Said {
    /// What it answered.
    reply: Reply,
    /// The serial number of its copy of the zone, asked for before.
    serial: Option<Serial>,
}

impl From<Reply> for Said {
    /// An answer of a server that did not say which copy it has.
    fn from(reply: Reply) -> Self {
        Self { reply, serial: None }
    }
}

/// What one server answered at one name.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer about the name itself.
    Final(Answer),
    /// The name is an alias, validated.
    Alias {
        /// What it leads to.
        target: DnsName,
        /// How long a cache may hold the alias.
        ttl: Ttl,
    },
}

impl Authority {
    /// The view through these resolvers (the system's where there are none) from these anchors.
    pub fn new(servers: &[SocketAddr], anchors: Anchors, clock: Arc<dyn Clock>) -> Self {
        let (resolver, zones) = (Resolver::new(servers), Mutex::default());
        Self { resolver, anchors, clock, port: 53, zones }
    }

    /// Asks authoritative servers at another port, for tests.
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The resolvers.
    pub(super) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// What is trusted to begin with.
    pub(super) fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The time.
    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The zone that a name is in, with its keys and servers.
    async fn zone(&self, name: &DnsName) -> Result<Arc<Zone>, LookupError> {
        let apex = self.resolver.zone_of(name).await?;
        let now = self.clock.now();
        if let Some((at, zone)) = self.zones.lock().await.get(&apex)
            && now.elapsed_since(at) < ZONE_KEPT
        {
            return Ok(Arc::clone(zone));
        }
        let trust = chain::keys_of(&self.resolver, &self.anchors, &apex, now.wall).await?;
        let servers = match &trust {
            Trust::Secure(keys) => self.servers(keys, now.wall).await?,
            Trust::Insecure(_) => Vec::new(),
        };
        let zone = Arc::new(Zone { name: apex.clone(), trust, servers });
        self.zones.lock().await.insert(apex, (now, Arc::clone(&zone)));
        Ok(zone)
    }

    /// Asks every server of a zone that counts, side by side.
    async fn ask_all(
        &self,
        zone: &Arc<Zone>,
        keys: &ZoneKeys,
        name: &DnsName,
        ignored: &[String],
    ) -> BTreeMap<ServerAddress, Said> {
        let mut replies = BTreeMap::new();
        let mut asking = JoinSet::new();
        let now = self.clock.now().wall;
        for server in zone.servers.iter().filter(|server| !server.is_ignored(ignored)) {
            let ip = match &server.address {
                Ok(ip) => *ip,
                Err(reason) => {
                    let (key, reason) = (ServerAddress::unknown(&server.name), reason.clone());
                    replies.insert(key, Reply::Final(Answer::Silent { reason }).into());
                    continue;
                }
            };
            let key = ServerAddress { name: server.name.clone(), address: ip };
            let (keys, wire) = (keys.clone(), to_wire(name));
            let to = SocketAddr::new(ip, self.port);
            asking.spawn(async move { (key, ask_one(to, &keys, &wire, now).await) });
        }
        replies.extend(asking.join_all().await);
        replies
    }

    /// Looks at an owner, and follows its aliases.
    async fn look_at(
        &self,
        owner: &DnsName,
        ignored: &[String],
    ) -> Result<OwnerSight, LookupError> {
        let mut name = owner.clone();
        let mut longest = Ttl::default();
        let mut doubtful: BTreeMap<ServerAddress, Answer> = BTreeMap::new();
        for _ in 0..ALIASES_MAX {
            let zone = self.zone(&name).await?;
            let keys = match &zone.trust {
                Trust::Secure(keys) => keys,
                Trust::Insecure(at) => return Ok(OwnerSight::Unsigned { zone: at.clone() }),
            };
            let replies = self.ask_all(&zone, keys, &name, ignored).await;
            if replies.is_empty() {
                let reason = format!("every name server of {} is ignored", zone.name.absolute());
                return Ok(OwnerSight::Unknown { reason });
            }
            match common_alias(replies.values().map(|said| &said.reply)) {
                Some((target, ttl)) => {
                    longest = longest.max(ttl);
                    doubtful.extend(replies.into_iter().filter_map(
                        |(server, said)| match said.reply {
                            Reply::Final(answer) => Some((server, answer)),
                            Reply::Alias { .. } => None,
                        },
                    ));
                    name = target;
                }
                None => {
                    let serials = replies
                        .iter()
                        .filter_map(|(server, said)| Some((server.clone(), said.serial?)))
                        .collect();
                    let answers =
                        replies.into_iter().map(|(server, said)| (server, finally(said.reply)));
                    let mut answers: BTreeMap<ServerAddress, Answer> =
                        answers.map(|(s, answer)| (s, at_least(answer, longest))).collect();
                    // A server that hides an alias hides what it leads to.
                    answers.extend(doubtful);
                    let (zone, target) = (zone.name.clone(), name);
                    return Ok(OwnerSight::Seen(OwnerAnswers {
                        zone,
                        target,
                        answers,
                        serials,
                        at_primary: Err(Unreadable::default()),
                    }));
                }
            }
        }
        let (what, reason) = (owner.absolute(), format!("more than {ALIASES_MAX} aliases"));
        Err(LookupError { what, reason })
    }
}

/// Asks one server which copy of the zone it has, and then for the records.
async fn ask_one(to: SocketAddr, keys: &ZoneKeys, name: &Name, now: Timestamp) -> Said {
    let serial = match transport::ask(to, &keys.zone, RecordType::SOA, Recursion::Off).await {
        Ok(message) => serial_of(keys, &message, now),
        Err(error) => return Reply::Final(Answer::Silent { reason: error.to_string() }).into(),
    };
    let reply = match transport::ask(to, name, RecordType::TLSA, Recursion::Off).await {
        Ok(message) => judge(keys, &message, name, now),
        Err(error) => Reply::Final(Answer::Silent { reason: error.to_string() }),
    };
    Said { reply, serial }
}

/// The serial number in a validated SOA record.
fn serial_of(keys: &ZoneKeys, message: &Message, now: Timestamp) -> Option<Serial> {
    let valid = keys.validate(&message.answers, &keys.zone, RecordType::SOA, now).ok()?;
    valid.records.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(Serial(soa.serial)),
        _ => None,
    })
}

/// The alias that all servers that answer at all agree on, with the longest of its TTLs.
fn common_alias<'a>(replies: impl Iterator<Item = &'a Reply>) -> Option<(DnsName, Ttl)> {
    let mut common: Option<(DnsName, Ttl)> = None;
    for reply in replies {
        match (reply, &common) {
            (Reply::Alias { target, ttl }, None) => common = Some((target.clone(), *ttl)),
            (Reply::Alias { target, ttl }, Some((same, longest))) if target == same => {
                common = Some((target.clone(), (*longest).max(*ttl)));
            }
            (Reply::Alias { .. }, Some(_)) => return None,
            (Reply::Final(Answer::Silent { .. } | Answer::Untrusted { .. }), _) => {}
            (Reply::Final(_), _) => return None,
        }
    }
    common
}

/// The answer of a server whose alias others do not have.
fn finally(reply: Reply) -> Answer {
    match reply {
        Reply::Final(answer) => answer,
        Reply::Alias { target, .. } => Answer::Untrusted {
            reason: format!("it has an alias to {} where other servers differ", target.absolute()),
        },
    }
}

/// An answer with the TTL of the aliases that led to it, where that is longer.
fn at_least(answer: Answer, ttl: Ttl) -> Answer {
    let longer = |rrset: TlsaRrset| TlsaRrset { ttl: rrset.ttl.max(ttl), ..rrset };
    match answer {
        Answer::Secure(rrset) => Answer::Secure(longer(rrset)),
        Answer::Wildcard(rrset) => Answer::Wildcard(longer(rrset)),
        other @ (Answer::Untrusted { .. } | Answer::Silent { .. }) => other,
    }
}

/// Judges what a server answered for a name.
pub(super) fn judge(keys: &ZoneKeys, message: &Message, name: &Name, now: Timestamp) -> Reply {
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Reply::Final(Answer::Silent { reason: format!("it says {code}") }),
    }
    if !message.metadata.authoritative {
        let reason = "it is not authoritative for the zone".to_owned();
        return Reply::Final(Answer::Silent { reason });
    }
    let untrusted = |reason: String| Reply::Final(Answer::Untrusted { reason });
    if of_type(&message.answers, name, RecordType::TLSA).next().is_some() {
        return match keys.validate(&message.answers, name, RecordType::TLSA, now) {
            Ok(valid) => {
                let records = valid.records.iter().filter_map(|record| from_tlsa(&record.data));
                let rrset = TlsaRrset::new(records, valid.ttl);
                let Some(next_closer) = &valid.expanded else {
                    return Reply::Final(Answer::Secure(rrset));
                };
                // Without this, a wildcard's answer could stand in for that of a name that exists.
                match denial::prove_expansion(keys, &message.authorities, next_closer, now) {
                    Ok(()) => Reply::Final(Answer::Wildcard(rrset)),
                    Err(error) => untrusted(error.to_string()),
                }
            }
            Err(error) => untrusted(error.to_string()),
        };
    }
    if let Some(alias) = of_type(&message.answers, name, RecordType::CNAME).next() {
        return judge_alias(keys, message, alias, now);
    }
    match denial::prove(keys, &message.authorities, name, RecordType::TLSA, now) {
        Ok(Denial::NoRecord) => match negative_ttl(keys, message, now) {
            Some(ttl) => Reply::Final(Answer::Secure(TlsaRrset::absent(ttl))),
            None => untrusted("its denial comes without a signed SOA record".to_owned()),
        },
        Ok(Denial::InsecureDelegation) => untrusted("it refers to an unsigned zone".to_owned()),
        Err(error) => untrusted(error.to_string()),
    }
}

/// Judges an alias.
fn judge_alias(keys: &ZoneKeys, message: &Message, alias: &WireRecord, now: Timestamp) -> Reply {
    let valid = match keys.validate(&message.answers, &alias.name, RecordType::CNAME, now) {
        Ok(valid) => valid,
        Err(error) => return Reply::Final(Answer::Untrusted { reason: error.to_string() }),
    };
    let target = match &alias.data {
        RData::CNAME(target) => from_wire(&target.0),
        _ => None,
    };
    match (target, valid.expanded) {
        (Some(target), None) => Reply::Alias { target, ttl: valid.ttl },
        (Some(target), Some(_)) => {
            let reason = format!("a wildcard makes it an alias to {}", target.absolute());
            Reply::Final(Answer::Untrusted { reason })
        }
        (None, _) => {
            let reason = "it is an alias to a name that no host can have".to_owned();
            Reply::Final(Answer::Untrusted { reason })
        }
    }
}

/// How long a cache may hold a denial (RFC 2308, section 5), by the signed SOA record.
fn negative_ttl(keys: &ZoneKeys, message: &Message, now: Timestamp) -> Option<Ttl> {
    let valid = keys.validate(&message.authorities, &keys.zone, RecordType::SOA, now).ok()?;
    valid.records.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(valid.ttl.min(Ttl::from_seconds(soa.minimum))),
        _ => None,
    })
}

#[async_trait]
impl Dns for Authority {
    async fn look(&self, owner: &TlsaOwner, ignored: &[String]) -> OwnerSight {
        match self.look_at(owner.name(), ignored).await {
            Ok(sight) => sight,
            Err(error) => OwnerSight::Unknown { reason: error.to_string() },
        }
    }

    async fn txt_is_everywhere(&self, name: &DnsName, value: &str, ignored: &[String]) -> bool {
        let Ok(zone) = self.zone(name).await else { return false };
        let mut asking = JoinSet::new();
        let wire = to_wire(name);
        for server in zone.servers.iter().filter(|server| !server.is_ignored(ignored)) {
            let Ok(address) = server.address else { return false };
            let (wire, value) = (wire.clone(), value.to_owned());
            let to = SocketAddr::new(address, self.port);
            asking.spawn(async move {
                let answer = transport::ask(to, &wire, RecordType::TXT, Recursion::Off).await;
                answer.is_ok_and(|message| {
                    of_type(&message.answers, &wire, RecordType::TXT).any(|record| {
                        match &record.data {
                            RData::TXT(txt) => txt.txt_data.concat() == value.as_bytes(),
                            _ => false,
                        }
                    })
                })
            });
        }
        let answers = asking.join_all().await;
        !answers.is_empty() && answers.into_iter().all(|serves| serves)
    }

    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        self.resolver.zone_of(name).await
    }

    async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        self.resolver.canonical(name).await
    }

    async fn addresses(&self, name: &DnsName) -> Result<Vec<IpAddr>, LookupError> {
        self.resolver.addresses(name).await
    }
}
