//! From a trust anchor to the keys of a zone, delegation by delegation (RFC 4035, section 5.2).

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::anchor::{Anchor, Anchors};
use super::denial::{self, Denial};
use super::resolver::Resolver;
use super::signature::{ZoneKeys, usable};
use super::wire::to_wire;
use crate::name::DnsName;
use crate::ports::LookupError;
use crate::time::Timestamp;

/// What the chain of trust says of a zone.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// These are its keys.
    Secure(ZoneKeys),
    /// It is provably not signed: the chain ends at this delegation, or there is no anchor above it.
    Insecure(DnsName),
}

/// A chain that cannot be followed.
fn broken(zone: &DnsName, reason: impl std::fmt::Display) -> LookupError {
    LookupError { what: format!("{KEYS_OF} {}", zone.absolute()), reason: reason.to_string() }
}

/// How the errors begin that say that what was answered does not validate.
const KEYS_OF: &str = "keys of";

/// Whether [`keys_of`] failed because of what was answered, and not because nothing was.
pub(super) fn is_bogus(error: &LookupError) -> bool {
    error.what.starts_with(KEYS_OF)
}

/// Finds and validates the keys of `zone`.
pub(super) async fn keys_of(
    resolver: &Resolver,
    anchors: &Anchors,
    zone: &DnsName,
    now: Timestamp,
) -> Result<Trust, LookupError> {
    let Some((start, anchors)) = anchors.closest(zone) else {
        return Ok(Trust::Insecure(zone.clone()));
    };
    let mut keys = own_keys(resolver, start, anchors, now).await?;
    for name in names_between(start, zone) {
        let wire = to_wire(&name);
        let answer = resolver.ask(&wire, RecordType::DS).await?;
        let delegations = delegation_signers(&answer.answers, &wire);
        if delegations.is_empty() {
            match denied(&keys, &answer, &wire, now).map_err(|e| broken(zone, e))? {
                Denial::InsecureDelegation => return Ok(Trust::Insecure(name)),
                // No zone begins here.
                Denial::NoRecord => continue,
            }
        }
        keys.validate(&answer.answers, &wire, RecordType::DS, now).map_err(|e| broken(zone, e))?;
        let supported: Vec<Anchor> =
            delegations.into_iter().filter(is_supported).map(Anchor::Ds).collect();
        if supported.is_empty() {
            // Algorithms that nobody here can check count as not signed (RFC 4035, section 5.2).
            return Ok(Trust::Insecure(name));
        }
        keys = own_keys(resolver, &name, &supported, now).await?;
    }
    Ok(Trust::Secure(keys))
}

/// What the denial of a DS record proves.
fn denied(
    keys: &ZoneKeys,
    answer: &Message,
    name: &Name,
    now: Timestamp,
) -> Result<Denial, super::signature::Bogus> {
    denial::prove(keys, &answer.authorities, name, RecordType::DS, now)
}

/// The names below `start` down to `zone`, the highest first.
fn names_between(start: &DnsName, zone: &DnsName) -> Vec<DnsName> {
    let mut names = Vec::new();
    let mut at = Some(zone.clone());
    while let Some(name) = at.filter(|name| name != start) {
        at = name.parent();
        names.push(name);
    }
    names.reverse();
    names
}

/// The keys of a zone, validated by a key that fits one of `anchors`.
async fn own_keys(
    resolver: &Resolver,
    zone: &DnsName,
    anchors: &[Anchor],
    now: Timestamp,
) -> Result<ZoneKeys, LookupError> {
    let name = to_wire(zone);
    let answer = resolver.ask(&name, RecordType::DNSKEY).await?;
    let all: Vec<DNSKEY> = usable(answer.answers.iter().filter_map(|record| key(record, &name)));
    let trusted: Vec<DNSKEY> = all
        .iter()
        .filter(|key| anchors.iter().any(|anchor| anchor.fits(&name, key)))
        .cloned()
        .collect();
    if trusted.is_empty() {
        return Err(broken(zone, "none of them fits the trust anchor or the DS record above"));
    }
    let entry = ZoneKeys { zone: name.clone(), keys: trusted };
    entry
        .validate(&answer.answers, &name, RecordType::DNSKEY, now)
        .map_err(|error| broken(zone, error))?;
    Ok(ZoneKeys { zone: name, keys: all })
}

/// The key in a record.
fn key(record: &Record, zone: &Name) -> Option<DNSKEY> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) if record.name == *zone => Some(key.clone()),
        _ => None,
    }
}

/// The DS records of a delegation.
fn delegation_signers(answers: &[Record], name: &Name) -> Vec<DS> {
    let of = |record: &Record| match &record.data {
        RData::DNSSEC(DNSSECRData::DS(ds)) if record.name == *name => Some(ds.clone()),
        _ => None,
    };
    answers.iter().filter_map(of).collect()
}

/// Whether a delegation's algorithm and digest can be checked here.
fn is_supported(ds: &DS) -> bool {
    use hickory_proto::dnssec::{Algorithm, DigestType};
    let digest = matches!(ds.digest_type(), DigestType::SHA256 | DigestType::SHA384);
    let algorithm = matches!(
        ds.algorithm(),
        Algorithm::RSASHA256
            | Algorithm::RSASHA512
            | Algorithm::ECDSAP256SHA256
            | Algorithm::ECDSAP384SHA384
            | Algorithm::ED25519
    );
    digest && algorithm
}
