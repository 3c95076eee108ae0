//! Every address of every name server of a zone, validated as far as it is signed: those that the zone
//! names itself, and those that the zone above names.
//!
//! Whoever could give a server another's address would hide it: what the hidden one still answers
//! would count as gone. So an address of a signed zone counts only where it validates, and that there
//! is none only where that is proved.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use super::Authority;
use crate::dns::chain::{self, Trust};
use crate::dns::delegation::{self, Delegation, Unasked};
use crate::dns::denial;
use crate::dns::resolver::ALIASES_MAX;
use crate::dns::signature::{Bogus, ZoneKeys};
use crate::dns::wire::{from_wire, of_type, to_wire};
use crate::name::DnsName;
use crate::ports::LookupError;
use crate::time::Timestamp;

/// One address of a name server, or why it is not known.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The server's name.
    pub(super) name: DnsName,
    /// The address.
    pub(super) address: Result<IpAddr, String>,
}

impl Server {
    /// Whether it is left out on purpose, by name or address.
    pub(super) fn is_ignored(&self, ignored: &[String]) -> bool {
        let is_address =
            |text: &str| self.address.as_ref().is_ok_and(|own| text.parse().as_ref() == Ok(own));
        ignored
            .iter()
            .any(|text| text.parse::<DnsName>().as_ref() == Ok(&self.name) || is_address(text))
    }
}

impl Authority {
    /// Every address of every name server of the zone with these keys.
    pub(super) async fn servers(
        &self,
        keys: &ZoneKeys,
        now: Timestamp,
    ) -> Result<Vec<Server>, LookupError> {
        let answer = self.resolver.ask(&keys.zone, RecordType::NS).await?;
        let valid = keys.validate(&answer.answers, &keys.zone, RecordType::NS, now);
        let lost =
            |reason: String| LookupError { what: format!("name servers of {}", keys.zone), reason };
        let records = valid.map_err(|error| lost(error.to_string()))?.records;
        let named = delegation::named(records.iter().copied(), &keys.zone).map_err(lost)?;
        let (mut wanted, unasked) = match self.delegation(keys).await {
            Ok(delegation) => (delegation, None),
            Err(unasked) => (Delegation::new(), Some(unasked)),
        };
        for name in named {
            wanted.entry(name).or_default();
        }
        let mut servers = Vec::new();
        for (name, glue) in wanted {
            let (addresses, unknown) = self.addresses_of(&name, glue, keys, now).await;
            let unknown = unknown
                .map(|error| Err(format!("its address cannot be looked up: {}", error.reason)));
            let known = addresses.into_iter().map(Ok);
            let all = known.chain(unknown);
            servers.extend(all.map(|address| Server { name: name.clone(), address }));
        }
        // It may name a server that still serves what was before.
        servers.extend(unasked.map(|Unasked { parent, reason }| {
            let zone = keys.zone.to_string();
            let zone = zone.trim_end_matches('.');
            let reason = format!("it does not say whom it delegates {zone} to ({reason})");
            Server { name: parent, address: Err(reason) }
        }));
        Ok(servers)
    }

    /// The servers that the zone above names, and their glue. An island of security, whose trust
    /// anchor is its own, is asked alone: there may be nothing above it.
    async fn delegation(&self, keys: &ZoneKeys) -> Result<Delegation, Unasked> {
        let zone = from_wire(&keys.zone)
            .filter(|zone| self.anchors.closest(zone).is_some_and(|(start, _)| start != zone));
        match zone {
            Some(zone) => delegation::name_servers(&self.resolver, &zone, self.port).await,
            None => Ok(Delegation::new()),
        }
    }

    /// The addresses of a name server, after aliases, beside its glue; and why there may be others.
    async fn addresses_of(
        &self,
        server: &DnsName,
        glue: BTreeSet<IpAddr>,
        keys: &ZoneKeys,
        now: Timestamp,
    ) -> (BTreeSet<IpAddr>, Option<LookupError>) {
        let mut found = glue;
        let mut at = server.clone();
        for _ in 0..ALIASES_MAX {
            match self.addresses_at(&at, keys, now, &mut found).await {
                Ok(None) if found.is_empty() => return (found, Some(odd(server, "there is none"))),
                Ok(None) => return (found, None),
                Ok(Some(target)) => at = target,
                Err(error) => return (found, Some(error)),
            }
        }
        (found, Some(odd(server, "its aliases do not end")))
    }

    /// Adds the addresses at a name, as far as they are validated; returns what it is an alias of.
    async fn addresses_at(
        &self,
        name: &DnsName,
        keys: &ZoneKeys,
        now: Timestamp,
        found: &mut BTreeSet<IpAddr>,
    ) -> Result<Option<DnsName>, LookupError> {
        let (wire, keys) = (to_wire(name), self.keys_above(name, keys, now).await?);
        for kind in [RecordType::A, RecordType::AAAA] {
            let answer = self.resolver.ask(&wire, kind).await?;
            let alias = of_type(&answer.answers, &wire, RecordType::CNAME).next();
            let step = alias.map_or(kind, |_| RecordType::CNAME);
            if let Some(keys) = &keys {
                let judged = judge(keys, &answer, &wire, step, now);
                judged.map_err(|bogus| odd(name, &bogus.to_string()))?;
            }
            if let Some(alias) = alias {
                let target = match &alias.data {
                    RData::CNAME(target) => from_wire(&target.0),
                    _ => None,
                };
                return target.map(Some).ok_or_else(|| odd(name, "its alias leads nowhere"));
            }
            let records = of_type(&answer.answers, &wire, kind);
            found.extend(records.filter_map(|record| address(&record.data)));
        }
        Ok(None)
    }

    /// The keys of the zone that a name is in, where it is signed; `known` are those of one zone.
    async fn keys_above(
        &self,
        name: &DnsName,
        known: &ZoneKeys,
        now: Timestamp,
    ) -> Result<Option<ZoneKeys>, LookupError> {
        if self.anchors.closest(name).is_none() {
            return Ok(None);
        }
        let apex = self.resolver.zone_of(name).await?;
        if to_wire(&apex) == known.zone {
            return Ok(Some(known.clone()));
        }
        match chain::keys_of(&self.resolver, &self.anchors, &apex, now).await? {
            Trust::Secure(keys) => Ok(Some(keys)),
            Trust::Insecure(_) => Ok(None),
        }
    }
}

/// What is wrong with the addresses of a host.
fn odd(host: &DnsName, reason: &str) -> LookupError {
    LookupError { what: format!("addresses of {}", host.absolute()), reason: reason.to_owned() }
}

/// Judges what an answer has of a name and type, or that it has nothing.
fn judge(
    keys: &ZoneKeys,
    answer: &Message,
    name: &Name,
    kind: RecordType,
    now: Timestamp,
) -> Result<(), Bogus> {
    if of_type(&answer.answers, name, kind).next().is_none() {
        return denial::prove(keys, &answer.authorities, name, kind, now).map(drop);
    }
    match keys.validate(&answer.answers, name, kind, now)?.expanded {
        None => Ok(()),
        Some(next_closer) => denial::prove_expansion(keys, &answer.authorities, &next_closer, now),
    }
}

/// The address in a record.
fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}
