//! Dynamic updates (RFC 2136) with TSIG (RFC 8945): a compare-and-swap of whole RRsets.
//!
//! Always over TCP: a datagram is sent again when its answer is lost, and an update that was applied
//! the first time would then look like a conflict. For the same reason a stand-in is asked only where
//! no connection to those before it came about: what was sent and not answered may have been taken.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigError as TsigCode;
use hickory_proto::rr::{DNSClass, Name, RData, Record as WireRecord, RecordType};

use super::transport::{self, TransportError};
use super::tsig::{FUDGE, TsigKey};
use super::wire::{from_tlsa, of_type, tlsa, to_wire};
use crate::crash;
use crate::name::DnsName;
use crate::ports::{Clock, HeldRrset, PublishError, Publisher, RrsetChange};
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::Record;

/// How long a server may take to apply an update.
const LIMIT: Span = Span::from_seconds(10);

/// Beyond TSIG's window: how far this machine's own clock may be off, and a busy server.
const DELAY_BEYOND_FUDGE: Span = Span::from_seconds(60);

/// A primary that takes dynamic updates, and those that stand in for it.
pub struct Rfc2136 {
    /// The servers, in the order in which they are tried; never empty.
    servers: Vec<SocketAddr>,
    /// What signs.
    key: TsigKey,
    /// The zone, where it is not the one that look-ups found.
    zone: Option<DnsName>,
    /// The time, for TSIG.
    clock: Arc<dyn Clock>,
}

/// An answer whose signature is true.
struct Answered {
    /// The answer.
    message: Message,
    /// The server that gave it, for messages.
    server: String,
}

impl Rfc2136 {
    /// The primary and its stand-ins at `servers`; their `zone`, where that is not to be looked up.
    ///
    /// # Panics
    ///
    /// Where there is no server.
    pub fn new(
        servers: Vec<SocketAddr>,
        key: TsigKey,
        zone: Option<DnsName>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        assert!(!servers.is_empty(), "a zone is changed at some server");
        Self { servers, key, zone, clock }
    }

    /// How long one call may take: a connection to each server, and an answer of the last.
    pub fn longest_call(&self) -> Span {
        let servers = u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
        LIMIT.times(servers.saturating_add(1))
    }

    /// The server that is asked first, in messages.
    fn primary(&self) -> String {
        named(self.servers[0])
    }

    /// The zone that is named in updates.
    fn zone<'a>(&'a self, found: &'a DnsName) -> &'a DnsName {
        self.zone.as_ref().unwrap_or(found)
    }

    /// Begins an update of a zone.
    fn update(&self, zone: &DnsName, names: &[&DnsName]) -> Result<Message, PublishError> {
        if let Some(outside) = names.iter().find(|name| !name.is_within(zone)) {
            return Err(PublishError::Inexpressible {
                server: self.primary(),
                what: outside.absolute(),
                reason: format!("it is not in the zone {}", zone.absolute()),
            });
        }
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        let mut section = Query::new();
        section.set_name(to_wire(zone)).set_query_class(DNSClass::IN);
        section.set_query_type(RecordType::SOA);
        message.add_query(section);
        Ok(message)
    }

    /// Asks the first server that a connection can be made to.
    async fn exchange(&self, message: &Message, what: &str) -> Result<Answered, PublishError> {
        let mut reasons: Vec<String> = Vec::new();
        for server in &self.servers {
            match self.exchange_with(*server, message.clone(), what).await {
                Err(PublishError::Unreachable { reason, .. }) => {
                    tracing::info!(%server, reason, "the update server cannot be reached");
                    reasons.push(match reasons.is_empty() {
                        true => reason,
                        false => format!("nor can {server}: {reason}"),
                    });
                }
                answered => return answered,
            }
        }
        let (server, what, reason) = (self.primary(), what.to_owned(), reasons.join("; "));
        Err(PublishError::Unreachable { server, what, reason })
    }

    /// Signs a message, sends it to one server, and returns an answer whose signature is true.
    async fn exchange_with(
        &self,
        address: SocketAddr,
        mut message: Message,
        what: &str,
    ) -> Result<Answered, PublishError> {
        let (server, what) = (named(address), what.to_owned());
        let inexpressible = |reason: String| PublishError::Inexpressible {
            server: server.clone(),
            what: what.clone(),
            reason,
        };
        let now = self.clock.now().wall;
        let verifier =
            message.finalize(&self.key.signer, u64::try_from(now.as_seconds()).unwrap_or(0));
        let verifier = verifier.map_err(|error| inexpressible(error.to_string()))?;
        let mut verifier = verifier.ok_or_else(|| inexpressible("it was not signed".to_owned()))?;
        let octets = transport::encode(&message).map_err(|e| inexpressible(e.to_string()))?;
        let raw = match transport::over_tcp(address, &octets, LIMIT).await {
            Ok(raw) => raw,
            Err(TransportError::Connect(reason)) => {
                return Err(PublishError::Unreachable { server, what, reason });
            }
            Err(error @ (TransportError::Broken(_) | TransportError::TimeOut)) => {
                return Err(PublishError::Unanswered { server, what, reason: error.to_string() });
            }
        };
        let unauthenticated = |reason: String| PublishError::Unauthenticated {
            server: server.clone(),
            what: what.clone(),
            reason,
        };
        // Peeked at before it is verified: a server that cannot verify cannot sign either.
        let answer = Message::from_vec(&raw).map_err(|error| unauthenticated(error.to_string()))?;
        if answer.metadata.id != message.metadata.id {
            return Err(unauthenticated("the answer is to another question".to_owned()));
        }
        let verified = verifier.verify(&raw);
        match (tsig_error(&answer), verified) {
            (Some(TsigCode::BadTime), Ok(_)) => {
                let fudge = Span::from_seconds(FUDGE.into());
                Err(PublishError::BadTime { server, fudge, theirs: time_of(&answer), ours: now })
            }
            (Some(error), _) => Err(self.tsig_refusal(error, server, what)),
            (None, Ok(_)) => Ok(Answered { message: answer, server }),
            (None, Err(_)) if answer.signature.is_none() => {
                let code = answer.metadata.response_code;
                Err(unauthenticated(format!("it said {code}, and did not sign it")))
            }
            (None, Err(error)) => Err(unauthenticated(error.to_string())),
        }
    }

    /// What a TSIG error means in an answer that is not signed.
    fn tsig_refusal(&self, error: TsigCode, server: String, what: String) -> PublishError {
        let key = self.key.name().to_owned();
        match error {
            TsigCode::BadKey => PublishError::BadKey { server, key },
            TsigCode::BadSig | TsigCode::BadTrunc => PublishError::BadSignature { server, key },
            TsigCode::BadTime => {
                let reason = "it said BADTIME, which it can sign, and did not".to_owned();
                PublishError::Unauthenticated { server, what, reason }
            }
            TsigCode::Unknown(code) => {
                let rcode = format!("TSIG error {code}");
                PublishError::Refused { server, what, rcode }
            }
        }
    }

    /// Sends an update.
    async fn send(&self, message: &Message, what: &str) -> Result<(), PublishError> {
        crash::point("update: before it is sent");
        let Answered { message: answer, server } = self.exchange(message, what).await?;
        crash::point("update: answered");
        let what = what.to_owned();
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(()),
            ResponseCode::NXRRSet
            | ResponseCode::YXRRSet
            | ResponseCode::NXDomain
            | ResponseCode::YXDomain => Err(PublishError::Conflict { server, what }),
            code => Err(PublishError::Refused { server, what, rcode: format!("{code}") }),
        }
    }
}

/// A server in messages.
fn named(server: SocketAddr) -> String {
    format!("update server {server}")
}

/// What an answer's signature says of the question's; nothing where that was good.
fn tsig_error(answer: &Message) -> Option<TsigCode> {
    let error = answer.signature.as_ref().and_then(|signature| signature.data.error);
    error.filter(|error| !matches!(error, TsigCode::Unknown(0)))
}

/// The server's time in an answer that says BADTIME (RFC 8945, section 5.2.3): six octets of seconds.
fn time_of(answer: &Message) -> Option<Timestamp> {
    let other = &answer.signature.as_ref()?.data.other;
    let octets: [u8; 6] = other.as_slice().try_into().ok()?;
    let seconds = octets.iter().fold(0_i64, |sum, octet| sum << 8 | i64::from(*octet));
    Some(Timestamp::from_seconds(seconds))
}

/// Adds to an update what a change needs: the prerequisite of all that was observed, and the
/// difference alone.
fn add_change(message: &mut Message, change: &RrsetChange) {
    let name = to_wire(&change.name);
    if change.observed.is_absent() {
        // "RRset does not exist" (section 2.4.3).
        message.answers.push(empty(&name, DNSClass::NONE));
    }
    // "RRset exists (value dependent)" (section 2.4.2): class of the zone, TTL zero.
    for record in &change.observed.records {
        message.answers.push(with_data(&name, Ttl::default(), DNSClass::IN, record));
    }
    if change.desired.is_absent() {
        // "Delete an RRset" (section 2.5.2).
        message.authorities.push(empty(&name, DNSClass::ANY));
        return;
    }
    let gone = change.observed.records.difference(&change.desired.records);
    for record in gone {
        // "Delete an RR from an RRset" (section 2.5.4): class NONE, TTL zero.
        message.authorities.push(with_data(&name, Ttl::default(), DNSClass::NONE, record));
    }
    // The TTL is the RRset's: where it changes, every record is given anew.
    let same_ttl = change.observed.is_absent() || change.observed.ttl == change.desired.ttl;
    for record in &change.desired.records {
        if !(same_ttl && change.observed.records.contains(record)) {
            message.authorities.push(with_data(&name, change.desired.ttl, DNSClass::IN, record));
        }
    }
}

/// A record without data, of type TLSA.
fn empty(name: &Name, class: DNSClass) -> WireRecord {
    let mut record = WireRecord::update0(name.clone(), 0, RecordType::TLSA);
    record.dns_class = class;
    record
}

/// A TLSA record.
fn with_data(name: &Name, ttl: Ttl, class: DNSClass, record: &Record) -> WireRecord {
    let mut record = WireRecord::from_rdata(name.clone(), ttl.as_seconds(), tlsa(record));
    record.dns_class = class;
    record
}

/// A TXT record.
fn txt(name: &DnsName, ttl: Ttl, class: DNSClass, value: &str) -> WireRecord {
    let data = RData::TXT(TXT::new(vec![value.to_owned()]));
    let mut record = WireRecord::from_rdata(to_wire(name), ttl.as_seconds(), data);
    record.dns_class = class;
    record
}

#[async_trait]
impl Publisher for Rfc2136 {
    async fn read(&self, zone: &DnsName, name: &DnsName) -> Result<HeldRrset, PublishError> {
        let what = format!("{} TLSA", name.absolute());
        let wire = to_wire(name);
        let mut message = Message::query();
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(wire.clone(), RecordType::TLSA));
        let Answered { message: answer, server } = self.exchange(&message, &what).await?;
        let refused = |rcode: String| PublishError::Refused {
            server: server.clone(),
            what: what.clone(),
            rcode,
        };
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(refused(code.to_string())),
        }
        if !answer.metadata.authoritative {
            return Err(refused(format!("not authoritative for {}", self.zone(zone).absolute())));
        }
        if of_type(&answer.answers, &wire, RecordType::CNAME).next().is_some() {
            return Err(PublishError::Alias { server, what });
        }
        let found: Vec<&WireRecord> = of_type(&answer.answers, &wire, RecordType::TLSA).collect();
        let ttl = found.iter().map(|record| record.ttl).max();
        let negative = answer.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
            _ => None,
        });
        let ttl = Ttl::from_seconds(ttl.or(negative).unwrap_or(0));
        let records = found.iter().filter_map(|record| from_tlsa(&record.data)).collect();
        Ok(HeldRrset { records, ttl: Some(ttl) })
    }

    async fn replace(&self, zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        let needed: Vec<&RrsetChange> =
            changes.iter().filter(|change| change.observed != change.desired).collect();
        let names: Vec<&DnsName> = needed.iter().map(|change| &change.name).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let mut message = self.update(self.zone(zone), &names)?;
        for change in &needed {
            add_change(&mut message, change);
        }
        let names: Vec<String> = names.iter().map(|name| name.absolute()).collect();
        self.send(&message, &format!("{} TLSA", names.join(", "))).await
    }

    fn longest_delay(&self) -> Span {
        // Each server is sent an update that was signed when it was tried.
        Span::from_seconds(FUDGE.into()) + DELAY_BEYOND_FUDGE + self.longest_call()
    }

    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        ttl: Ttl,
    ) -> Result<(), PublishError> {
        let mut message = self.update(self.zone(zone), &[name])?;
        message.authorities.push(txt(name, ttl, DNSClass::IN, value));
        self.send(&message, &format!("{} TXT", name.absolute())).await
    }

    async fn remove_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError> {
        let mut message = self.update(self.zone(zone), &[name])?;
        message.authorities.push(txt(name, Ttl::default(), DNSClass::NONE, value));
        self.send(&message, &format!("{} TXT", name.absolute())).await
    }
}

#[cfg(test)]
mod tests;
