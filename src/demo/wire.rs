//! DNS messages of the demonstration: signed answers on the one side, validated ones on the other.
//!
//! The only file here that knows the DNS library. What goes in and out are plain values and octets,
//! so that nothing of this is shared with `dns`, whose validation the demonstration puts to use.

#![expect(clippy::wildcard_enum_match_arm, reason = "the library knows fifty kinds of records")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::sig::SigInput;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, NSEC, RRSIG};
use hickory_proto::dnssec::{Algorithm, DigestType, SigningKey as _, TBS, Verifier};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, MX, NS, SOA, TLSA};
use hickory_proto::rr::{DNSClass, Name, RData, Record as WireRecord, RecordType, SerialNumber};

use crate::name::DnsName;
use crate::pki::hex;
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::{Record, TlsaRrset};

/// How long a signature is valid, to either side of the moment it is made.
const SIGNATURE_LIFE: Span = Span::from_seconds(3600);

/// The largest answer over UDP (DNS flag day 2020).
const DATAGRAM: usize = 1232;

/// The zone's fixed part.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The zone's name servers.
    pub(super) servers: Vec<(DnsName, Ipv4Addr)>,
    /// The mail server's name.
    pub(super) host: DnsName,
    /// The mail server's addresses.
    pub(super) addresses: Vec<Ipv4Addr>,
    /// Where its TLSA records live.
    pub(super) owner: DnsName,
    /// The TTL of everything.
    pub(super) ttl: Ttl,
}

/// How a question came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carrier {
    /// In a datagram, in which the answer must fit.
    Udp,
    /// Over a connection.
    Tcp,
}

/// A message that cannot be made or cannot be relied on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct WireError(String);

impl WireError {
    /// From any error of the library.
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The zone's key.
pub(super) struct Signer {
    /// The zone.
    apex: Name,
    /// The private half.
    key: EcdsaSigningKey,
    /// The public half.
    public: DNSKEY,
    /// Its tag.
    tag: u16,
}

/// The public half, from which a validator starts.
#[derive(Clone, Debug)]
pub(super) struct ZoneKey(DNSKEY);

/// The records at each name, in canonical order (RFC 4034, section 6.1), by type.
type Content = BTreeMap<Name, BTreeMap<RecordType, Vec<RData>>>;

impl Signer {
    /// Makes a key for a zone: one for all of it, which is the trust anchor as well.
    pub(super) fn generate(apex: &DnsName) -> Result<Self, WireError> {
        let algorithm = Algorithm::ECDSAP256SHA256;
        let der = EcdsaSigningKey::generate_pkcs8(algorithm).map_err(WireError::of)?;
        let key = EcdsaSigningKey::from_pkcs8(&der, algorithm).map_err(WireError::of)?;
        let public = key.to_public_key().map_err(WireError::of)?;
        let public = DNSKEY::new(true, true, false, public);
        let tag = public.calculate_key_tag().map_err(WireError::of)?;
        Ok(Self { apex: wire_name(apex)?, key, public, tag })
    }

    /// The trust anchor as a DS record in zone-file format.
    pub(super) fn anchor(&self) -> Result<String, WireError> {
        let digest =
            self.public.to_digest(&self.apex, DigestType::SHA256).map_err(WireError::of)?;
        Ok(format!("{} IN DS {} 13 2 {}\n", self.apex, self.tag, hex(digest.as_ref())))
    }

    /// What a validator needs.
    pub(super) fn zone_key(&self) -> ZoneKey {
        ZoneKey(self.public.clone())
    }

    /// Answers a question as a server with these TLSA records does; `None` where it is none.
    pub(super) fn answer(
        &self,
        facts: &Facts,
        tlsa: &TlsaRrset,
        question: (&[u8], Carrier),
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let (octets, carrier) = question;
        let asked = Message::from_vec(octets).ok()?;
        let query = asked.queries.first()?;
        if asked.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut reply = Message::response(asked.metadata.id, OpCode::Query);
        reply.metadata.recursion_desired = asked.metadata.recursion_desired;
        reply.add_query(query.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(1232).set_version(0).set_dnssec_ok(true);
        reply.set_edns(edns);
        if !self.apex.zone_of(query.name()) || asked.metadata.op_code != OpCode::Query {
            reply.metadata.response_code = ResponseCode::Refused;
            return reply.to_vec().ok();
        }
        reply.metadata.authoritative = true;
        let content = self.content(facts, tlsa).ok()?;
        self.fill(&mut reply, query, (&content, tlsa.ttl), facts.ttl, now).ok()?;
        let whole = reply.to_vec().ok()?;
        let room = usize::from(asked.max_payload()).clamp(512, DATAGRAM);
        match carrier {
            Carrier::Udp if room < whole.len() => reply.truncate().to_vec().ok(),
            Carrier::Udp | Carrier::Tcp => Some(whole),
        }
    }

    /// Fills in the records asked for, or the proof that there are none.
    fn fill(
        &self,
        reply: &mut Message,
        query: &Query,
        (content, tlsa_ttl): (&Content, Ttl),
        ttl: Ttl,
        now: Timestamp,
    ) -> Result<(), WireError> {
        let (name, kind) = (query.name().clone(), query.query_type());
        if let Some(data) = content.get(&name).and_then(|types| types.get(&kind)) {
            let ttl = if kind == RecordType::TLSA { tlsa_ttl } else { ttl };
            reply.add_answers(self.signed(&name, data, ttl, now)?);
            return Ok(());
        }
        let soa = content.get(&self.apex).and_then(|types| types.get(&RecordType::SOA));
        if let Some(soa) = soa {
            reply.add_authorities(self.signed(&self.apex, soa, ttl, now)?);
        }
        let mut proofs = BTreeSet::new();
        if content.contains_key(&name) {
            proofs.insert(name);
        } else {
            let below = content.keys().any(|other| name.zone_of(other));
            if !below {
                reply.metadata.response_code = ResponseCode::NXDomain;
                // That no wildcard stands in for it (RFC 4035, section 3.1.3.2).
                let mut encloser = name.base_name();
                while !content.keys().any(|other| encloser.zone_of(other)) {
                    encloser = encloser.base_name();
                }
                let wildcard = encloser.prepend_label("*").map_err(WireError::of)?;
                proofs.extend(before(content, &wildcard));
            }
            proofs.extend(before(content, &name));
        }
        for owner in proofs {
            let nsec = self.nsec(content, &owner);
            reply.add_authorities(self.signed(&owner, &[nsec], ttl, now)?);
        }
        Ok(())
    }

    /// The NSEC record at a name that exists.
    fn nsec(&self, content: &Content, owner: &Name) -> RData {
        let mut after = content
            .range::<Name, _>((std::ops::Bound::Excluded(owner), std::ops::Bound::Unbounded));
        let next = after.next().map_or(&self.apex, |(next, _)| next);
        let types = content.get(owner).into_iter().flat_map(|types| types.keys().copied());
        let types = types.chain([RecordType::NSEC, RecordType::RRSIG]);
        RData::DNSSEC(DNSSECRData::NSEC(NSEC::new(next.clone(), types)))
    }

    /// An RRset with its signature.
    fn signed(
        &self,
        name: &Name,
        data: &[RData],
        ttl: Ttl,
        now: Timestamp,
    ) -> Result<Vec<WireRecord>, WireError> {
        let seconds = ttl.as_seconds();
        let record = |data: &RData| WireRecord::from_rdata(name.clone(), seconds, data.clone());
        let mut records: Vec<WireRecord> = data.iter().map(record).collect();
        let Some(first) = records.first() else { return Ok(records) };
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: self.key.algorithm(),
            num_labels: name.num_labels(),
            original_ttl: seconds,
            sig_expiration: serial(now + SIGNATURE_LIFE),
            sig_inception: serial(now - SIGNATURE_LIFE),
            key_tag: self.tag,
            signer_name: self.apex.clone(),
        };
        let signable = TBS::from_input(name, DNSClass::IN, &input, records.iter());
        let signature = self.key.sign(&signable.map_err(WireError::of)?).map_err(WireError::of)?;
        let signature = RRSIG::from_sig(input, signature);
        records.push(record(&RData::DNSSEC(DNSSECRData::RRSIG(signature))));
        Ok(records)
    }

    /// The whole zone, by name and type.
    fn content(&self, facts: &Facts, tlsa: &TlsaRrset) -> Result<Content, WireError> {
        let mut content = Content::new();
        let mut put = |name: Name, data: RData| {
            let types = content.entry(name).or_default();
            types.entry(data.record_type()).or_default().push(data);
        };
        let apex = || self.apex.clone();
        let host = wire_name(&facts.host)?;
        let minimum = facts.ttl.as_seconds();
        put(apex(), RData::SOA(SOA::new(apex(), apex(), 1, 3600, 600, 86_400, minimum)));
        put(apex(), RData::DNSSEC(DNSSECRData::DNSKEY(self.public.clone())));
        put(apex(), RData::MX(MX::new(10, host.clone())));
        for (server, address) in &facts.servers {
            put(apex(), RData::NS(NS(wire_name(server)?)));
            put(wire_name(server)?, RData::A(A(*address)));
        }
        for address in &facts.addresses {
            put(host.clone(), RData::A(A(*address)));
        }
        for record in &tlsa.records {
            let Record { usage, selector, matching_type, data } = record.clone();
            let data = TLSA::new(usage.into(), selector.into(), matching_type.into(), data);
            put(wire_name(&facts.owner)?, RData::TLSA(data));
        }
        Ok(content)
    }
}

/// The last name that exists before `name`.
fn before(content: &Content, name: &Name) -> Option<Name> {
    content.range(..name.clone()).next_back().map(|(owner, _)| owner.clone())
}

/// A name as the library has it.
fn wire_name(name: &DnsName) -> Result<Name, WireError> {
    Name::from_ascii(name.absolute()).map_err(WireError::of)
}

/// A moment as signatures have it.
fn serial(at: Timestamp) -> SerialNumber {
    SerialNumber::from(u32::try_from(at.as_seconds().rem_euclid(1 << 32)).unwrap_or(0))
}

/// The question for the TLSA records at a name.
pub(super) fn question(owner: &DnsName) -> Result<Vec<u8>, WireError> {
    let mut message = Message::query();
    message.add_query(Query::query(wire_name(owner)?, RecordType::TLSA));
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_version(0).set_dnssec_ok(true);
    message.set_edns(edns);
    message.to_vec().map_err(WireError::of)
}

/// The TLSA records in an answer, if `key` signed them and they are in force; with the TTL that a
/// cache goes by.
///
/// # Errors
///
/// Where there are none, or none that validate: a sender then defers, so it is a failure here.
pub(super) fn read(
    octets: &[u8],
    owner: &DnsName,
    key: &ZoneKey,
    now: Timestamp,
) -> Result<TlsaRrset, WireError> {
    let message = Message::from_vec(octets).map_err(WireError::of)?;
    let name = wire_name(owner)?;
    let at_owner = |record: &&WireRecord| record.name == name;
    let of_tlsa = |record: &&WireRecord| record.record_type() == RecordType::TLSA;
    let records: Vec<&WireRecord> =
        message.answers.iter().filter(at_owner).filter(of_tlsa).collect();
    let seconds = u32::try_from(now.as_seconds()).unwrap_or(0);
    let signature = message.answers.iter().find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => Some(signature),
        _ => None,
    });
    let signature = signature.ok_or_else(|| WireError("no signed TLSA records".to_owned()))?;
    let input = signature.input();
    if seconds < input.sig_inception.get() || input.sig_expiration.get() < seconds {
        return Err(WireError("the signature of the TLSA records is not in force".to_owned()));
    }
    key.0
        .verify_rrsig(&name, DNSClass::IN, signature, records.iter().copied())
        .map_err(WireError::of)?;
    let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0).min(input.original_ttl);
    let records = records.iter().filter_map(|record| match &record.data {
        RData::TLSA(tlsa) => Some(Record {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching_type: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        _ => None,
    });
    Ok(TlsaRrset::new(records, Ttl::from_seconds(ttl)))
}
