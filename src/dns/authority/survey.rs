//! Looking around in the DNS for an audit: every name, signed or not, and how far it can be trusted.
//!
//! A pass wants an answer that it can act on, or none. An audit wants to know what is wrong with the
//! answer: a [`Survey`] hands out what was answered together with its [`Security`]. It is asked about
//! hundreds of domains at once that share zones, name servers and mail servers, so whatever has been
//! asked is not asked again. It never changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::task::JoinSet;

use super::{
    ALIASES_MAX, Answer, Authority, Reply, ServerAddress, Zone, at_least, common_alias, finally,
    judge,
};
use crate::dns::anchor::Anchors;
use crate::dns::chain::{self, Trust};
use crate::dns::denial;
use crate::dns::memo::Memo;
use crate::dns::resolver::Shared;
use crate::dns::signature::{ZoneKeys, signatures};
use crate::dns::transport::{self, Recursion};
use crate::dns::wire::{from_tlsa, from_wire, of_type, to_wire};
use crate::name::DnsName;
use crate::ports::{Clock, LookupError};
use crate::time::{Timestamp, Ttl};
use crate::tlsa::TlsaOwner;

mod view;

pub use view::{MxRecord, OwnerView, Resolved, ResolverStanding, Security, ServerView, ZoneView};

/// A view of the DNS that remembers all it was told.
pub struct Survey {
    /// How to look.
    authority: Authority,
    /// What was answered, and how much may be asked at once.
    shared: Arc<Shared>,
    /// Zones by name.
    zones: Memo<DnsName, Result<ZoneView, LookupError>>,
    /// Which name servers are asked.
    asked: fn(&IpAddr) -> bool,
}

/// What the servers of a zone answered.
#[derive(Default)]
struct Poll {
    /// Each server's answer.
    replies: BTreeMap<ServerAddress, Reply>,
    /// Until when the signature holds that it came with.
    signed_until: BTreeMap<ServerAddress, Timestamp>,
    /// Those that answered, and had no answer.
    lame: BTreeSet<ServerAddress>,
}

impl Survey {
    /// A view through these resolvers (the system's where there are none) from these anchors. Of
    /// name servers, only the addresses for which `asked` holds are.
    pub fn new(
        servers: &[SocketAddr],
        anchors: Anchors,
        clock: Arc<dyn Clock>,
        asked: fn(&IpAddr) -> bool,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let mut authority = Authority::new(servers, anchors, clock);
        authority.resolver = authority.resolver.sharing(Arc::clone(&shared));
        Self { authority, shared, zones: Memo::default(), asked }
    }

    /// The resolvers that are asked.
    pub fn resolvers(&self) -> &[SocketAddr] {
        self.authority.resolver.servers()
    }

    /// The zone that a name is in.
    ///
    /// # Errors
    ///
    /// Where nobody answers.
    pub async fn zone(&self, name: &DnsName) -> Result<ZoneView, LookupError> {
        self.zone_at(self.authority.resolver.zone_of(name).await?).await
    }

    /// The zone of this name.
    async fn zone_at(&self, apex: DnsName) -> Result<ZoneView, LookupError> {
        self.zones.get(apex.clone(), self.look_at_zone(apex)).await
    }

    /// Follows the chain of trust to a zone, and finds its servers.
    async fn look_at_zone(&self, apex: DnsName) -> Result<ZoneView, LookupError> {
        let bogus = |name: DnsName, error: LookupError| {
            let reason = format!("the {} do not validate: {}", error.what, error.reason);
            let security = Security::Bogus { reason };
            Ok(ZoneView { name, security, zone: None })
        };
        let Authority { resolver, anchors, clock, .. } = &self.authority;
        let now = clock.now().wall;
        let trust = match chain::keys_of(resolver, anchors, &apex, now).await {
            Ok(trust) => trust,
            Err(error) if chain::is_bogus(&error) => return bogus(apex, error),
            Err(error) => return Err(error),
        };
        let keys = match &trust {
            Trust::Secure(keys) => keys,
            Trust::Insecure(at) => {
                let security = Security::Insecure { zone: at.clone() };
                return Ok(ZoneView { name: apex, security, zone: None });
            }
        };
        // Asked beforehand, so that what fails below is not for want of an answer.
        resolver.ask(&to_wire(&apex), RecordType::NS).await?;
        let servers = match self.authority.servers(keys, now).await {
            Ok(servers) => servers,
            Err(error) => return bogus(apex, error),
        };
        let zone = Arc::new(Zone { name: apex.clone(), trust, servers });
        Ok(ZoneView { name: apex, security: Security::Secure, zone: Some(zone) })
    }

    /// The MX records of a mail domain, the most preferred first.
    ///
    /// # Errors
    ///
    /// Where nobody answers.
    pub async fn mx(&self, domain: &DnsName) -> Result<Resolved<MxRecord>, LookupError> {
        let of = |data: &RData| match data {
            RData::MX(mx) => Some(MxRecord {
                preference: mx.preference,
                exchange: mx.exchange.to_ascii(),
                host: from_wire(&mx.exchange),
            }),
            _ => None,
        };
        let mut found = self.resolve(domain, RecordType::MX, of).await?;
        found.records.sort();
        Ok(found)
    }

    /// The addresses of a host, A and AAAA.
    ///
    /// # Errors
    ///
    /// Where nobody answers.
    pub async fn addresses(&self, host: &DnsName) -> Result<Resolved<IpAddr>, LookupError> {
        let of = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let (a, aaaa) = tokio::join!(
            self.resolve(host, RecordType::A, of),
            self.resolve(host, RecordType::AAAA, of)
        );
        let (mut found, aaaa) = (a?, aaaa?);
        found.records.extend(aaaa.records);
        found.records.sort();
        found.exists |= aaaa.exists;
        found.security = found.security.and(aaaa.security);
        Ok(found)
    }

    /// Asks the resolver for a name and type, follows aliases, and judges every step.
    async fn resolve<T>(
        &self,
        name: &DnsName,
        kind: RecordType,
        of: impl Fn(&RData) -> Option<T>,
    ) -> Result<Resolved<T>, LookupError> {
        let message = self.authority.resolver.ask(&to_wire(name), kind).await?;
        let mut at = name.clone();
        let mut aliases = Vec::new();
        let mut security = Security::Secure;
        for _ in 0..ALIASES_MAX {
            let wire = to_wire(&at);
            let alias = of_type(&message.answers, &wire, RecordType::CNAME).next();
            let step = if alias.is_some() { RecordType::CNAME } else { kind };
            security = security.and(self.security(&message, &at, step).await?);
            let Some(alias) = alias else {
                let records = of_type(&message.answers, &wire, kind);
                let records = records.filter_map(|record| of(&record.data)).collect();
                let exists = message.metadata.response_code != ResponseCode::NXDomain;
                return Ok(Resolved { records, aliases, exists, security });
            };
            let target = match &alias.data {
                RData::CNAME(target) => from_wire(&target.0),
                _ => None,
            };
            let Some(target) = target else { break };
            aliases.push(target.clone());
            at = target;
        }
        let reason = format!("its aliases lead nowhere, or are more than {ALIASES_MAX}");
        Err(LookupError { what: format!("{kind} of {}", name.absolute()), reason })
    }

    /// How far one step of an answer can be trusted: the records of a name and type in it, or that
    /// there are none.
    async fn security(
        &self,
        message: &Message,
        name: &DnsName,
        kind: RecordType,
    ) -> Result<Security, LookupError> {
        let view = match signer(message, name, kind) {
            Some(apex) => self.zone_at(apex).await?,
            None => self.zone(name).await?,
        };
        let Some(keys) = view.zone.as_deref().and_then(Zone::keys) else {
            return Ok(view.security);
        };
        let (wire, now) = (to_wire(name), self.authority.clock.now().wall);
        let outcome = match of_type(&message.answers, &wire, kind).next() {
            Some(_) => keys.validate(&message.answers, &wire, kind, now).map(|_valid| ()),
            None => denial::prove(keys, &message.authorities, &wire, kind, now).map(|_denial| ()),
        };
        match outcome {
            Ok(()) => Ok(Security::Secure),
            Err(_) if kind == RecordType::CNAME && synthesised(keys, message, &wire, now) => {
                Ok(Security::Secure)
            }
            Err(error) => Ok(Security::Bogus { reason: error.to_string() }),
        }
    }

    /// What each authoritative server has at a TLSA owner, after aliases.
    ///
    /// # Errors
    ///
    /// Where it cannot be found out whom to ask.
    pub async fn tlsa(
        &self,
        owner: &TlsaOwner,
        ignored: &[String],
    ) -> Result<OwnerView, LookupError> {
        let mut name = owner.name().clone();
        let mut longest = Ttl::default();
        let mut doubtful: BTreeMap<ServerAddress, Answer> = BTreeMap::new();
        for _ in 0..ALIASES_MAX {
            let view = self.zone(&name).await?;
            let zone = match (view.security, view.zone) {
                (Security::Insecure { zone }, _) => return self.unsigned(&name, zone).await,
                (Security::Bogus { reason }, _) => return Ok(OwnerView::Bogus { reason }),
                (Security::Secure, None) => unreachable!("a secure zone comes with its servers"),
                (Security::Secure, Some(zone)) => zone,
            };
            let Poll { replies, signed_until, lame } = self.poll(&zone, &name, ignored).await;
            if let Some((target, ttl)) = common_alias(replies.values()) {
                longest = longest.max(ttl);
                let finals = replies.into_iter().filter_map(|(server, reply)| match reply {
                    Reply::Final(answer) => Some((server, answer)),
                    Reply::Alias { .. } => None,
                });
                doubtful.extend(finals);
                name = target;
                continue;
            }
            let mut answers: BTreeMap<ServerAddress, Answer> = replies
                .into_iter()
                .map(|(server, reply)| (server, at_least(finally(reply), longest)))
                .collect();
            answers.extend(doubtful);
            let servers = answers.into_iter().map(|(server, answer)| {
                let signed_until = signed_until.get(&server).copied();
                let is_lame = lame.contains(&server);
                ServerView { server, answer, signed_until, is_lame }
            });
            return Ok(OwnerView::Seen { target: name, servers: servers.collect() });
        }
        let (what, reason) = (owner.to_string(), format!("more than {ALIASES_MAX} aliases"));
        Err(LookupError { what, reason })
    }

    /// What stands at a name of a zone that is not signed: the resolver's word is all there is.
    async fn unsigned(&self, name: &DnsName, zone: DnsName) -> Result<OwnerView, LookupError> {
        let answer = self.authority.resolver.ask(&to_wire(name), RecordType::TLSA).await?;
        let records = answer.answers.iter().filter_map(|record| from_tlsa(&record.data)).collect();
        Ok(OwnerView::Unsigned { zone, records })
    }

    /// Asks every server of a zone that counts, side by side.
    async fn poll(&self, zone: &Zone, name: &DnsName, ignored: &[String]) -> Poll {
        let mut poll = Poll::default();
        let mut asking = JoinSet::new();
        let now = self.authority.clock.now().wall;
        for server in zone.servers.iter().filter(|server| !server.is_ignored(ignored)) {
            let ip = match &server.address {
                Ok(ip) if !(self.asked)(ip) => continue,
                Ok(ip) => *ip,
                Err(reason) => {
                    let (key, reason) = (ServerAddress::unknown(&server.name), reason.clone());
                    poll.replies.insert(key, Reply::Final(Answer::Silent { reason }));
                    continue;
                }
            };
            let key = ServerAddress { name: server.name.clone(), address: ip };
            let keys = zone.keys().expect("a zone with servers has keys").clone();
            let (wire, port) = (to_wire(name), self.authority.port);
            let shared = Arc::clone(&self.shared);
            asking.spawn(async move {
                let _passed = shared.gates.pass(ip).await;
                let to = SocketAddr::new(ip, port);
                let asked = transport::ask(to, &wire, RecordType::TLSA, Recursion::Off).await;
                let (reply, until) = match &asked {
                    Ok(message) => {
                        (judge(&keys, message, &wire, now), signed(&keys, message, &wire))
                    }
                    Err(error) => {
                        (Reply::Final(Answer::Silent { reason: error.to_string() }), None)
                    }
                };
                (key, reply, until, asked.is_ok())
            });
        }
        for (server, reply, until, has_answered) in asking.join_all().await {
            poll.signed_until.extend(until.map(|until| (server.clone(), until)));
            if has_answered && matches!(reply, Reply::Final(Answer::Silent { .. })) {
                poll.lame.insert(server.clone());
            }
            poll.replies.insert(server, reply);
        }
        poll
    }

    /// Whether a resolver validates for those who ask it, as a mail server on this machine does.
    pub async fn standing(&self, resolver: SocketAddr) -> ResolverStanding {
        let anchors: Vec<&DnsName> = self.authority.anchors.zones().collect();
        let Some(zone) = anchors.first() else { return ResolverStanding::DoesNot };
        let wire = to_wire(zone);
        match transport::ask(resolver, &wire, RecordType::SOA, Recursion::Validated).await {
            Ok(answer) if answer.metadata.authentic_data => ResolverStanding::Validates,
            Ok(answer) => match answer.metadata.response_code {
                ResponseCode::NoError => ResolverStanding::DoesNot,
                code => ResolverStanding::Silent { reason: format!("it says {code}") },
            },
            Err(error) => ResolverStanding::Silent { reason: error.to_string() },
        }
    }
}

impl Zone {
    /// Its keys, where it is signed.
    fn keys(&self) -> Option<&ZoneKeys> {
        match &self.trust {
            Trust::Secure(keys) => Some(keys),
            Trust::Insecure(_) => None,
        }
    }
}

/// The zone that an answer about a name says it is from: that of its signature, or of its denial. It
/// saves asking; whether it is true, that zone's keys decide.
fn signer(message: &Message, name: &DnsName, kind: RecordType) -> Option<DnsName> {
    let wire = to_wire(name);
    let mut signatures = signatures(&message.answers, &wire, kind);
    let apex = match signatures.next() {
        Some(signature) => from_wire(&signature.input().signer_name),
        None if of_type(&message.answers, &wire, kind).next().is_some() => None,
        None => {
            let mut authorities = message.authorities.iter();
            let soa = authorities.find(|record| record.record_type() == RecordType::SOA);
            soa.and_then(|soa| from_wire(&soa.name))
        }
    };
    apex.filter(|apex| name.is_within(apex))
}

/// Until when the signature of a TLSA RRset holds: that of the zone's that holds longest.
fn signed(keys: &ZoneKeys, message: &Message, name: &Name) -> Option<Timestamp> {
    signatures(&message.answers, name, RecordType::TLSA)
        .filter(|signature| signature.input().signer_name == keys.zone)
        .map(|signature| signature.input().sig_expiration.get())
        .max()
        .map(|seconds| Timestamp::from_seconds(i64::from(seconds)))
}

/// Whether an alias comes from a signed DNAME record above it, and so has no signature of its own
/// (RFC 6672, section 5.3.1).
fn synthesised(keys: &ZoneKeys, message: &Message, name: &Name, now: Timestamp) -> bool {
    /// The type's number; the library has no name for it.
    const DNAME: RecordType = RecordType::Unknown(39);
    message.answers.iter().any(|record| {
        u16::from(record.record_type()) == u16::from(DNAME)
            && record.name.zone_of(name)
            && keys.validate(&message.answers, &record.name, record.record_type(), now).is_ok()
    })
}
