//! The name servers that the zone above names for a zone.
//!
//! The zone's own NS records are what counts ([RFC 2181, section 5.4.1]), but a resolver finds them by
//! those of the delegation, and some never look further. A server that was taken out of the zone and
//! left in the zone above goes on being asked, and serves what it had; and so does an address that stays
//! there as glue.
//!
//! Delegations are not signed. What is believed here can only name more servers to look at.
//!
//! [RFC 2181, section 5.4.1]: https://www.rfc-editor.org/rfc/rfc2181#section-5.4.1

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::task::JoinSet;

use super::resolver::Resolver;
use super::transport::TransportError;
use super::wire::{from_wire, to_wire};
use crate::name::DnsName;

/// How many addresses of the zone above are tried, those of each family in turn.
const ADDRESSES_MAX: usize = 4;

/// Where a delegation stands, if nobody says what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unasked {
    /// The zone above, as far as it is known: at least the name above.
    pub(super) parent: DnsName,
    /// Why nothing is known.
    pub(super) reason: String,
}

/// The servers that a zone is delegated to, each with the addresses that stand beside it as glue.
pub(super) type Delegation = BTreeMap<DnsName, BTreeSet<IpAddr>>;

/// The servers that the zone above delegates `zone` to; none for the root.
pub(super) async fn name_servers(
    resolver: &Resolver,
    zone: &DnsName,
    port: u16,
) -> Result<Delegation, Unasked> {
    let Some(above) = zone.parent() else { return Ok(Delegation::new()) };
    let unasked = |reason: String| Unasked { parent: above.clone(), reason };
    let parent = resolver.zone_of(&above).await.map_err(|error| unasked(error.reason))?;
    let unasked = |reason: String| Unasked { parent: parent.clone(), reason };
    let addresses = addresses(resolver, &parent).await.map_err(unasked)?;
    let name = to_wire(zone);
    let mut failure = "nobody was asked".to_owned();
    // The first alone: it answers nearly always, and others are spared the question.
    let (first, others) = addresses.split_at(addresses.len().min(1));
    for group in [first, others] {
        let mut asking = JoinSet::new();
        for address in group {
            let (resolver, name) = (resolver.clone(), name.clone());
            let to = SocketAddr::new(*address, port);
            asking
                .spawn(async move { (to, resolver.ask_directly(to, &name, RecordType::NS).await) });
        }
        while let Some(asked) = asking.join_next().await {
            let Ok((to, answer)) = asked else { continue };
            match delegation(&name, answer) {
                Ok(servers) => return Ok(servers),
                Err(reason) => failure = format!("{}: {reason}", to.ip()),
            }
        }
    }
    Err(unasked(failure))
}

/// Some addresses of the name servers of the zone above.
async fn addresses(resolver: &Resolver, parent: &DnsName) -> Result<Vec<IpAddr>, String> {
    let answer = resolver.ask(&to_wire(parent), RecordType::NS).await.map_err(|e| e.reason)?;
    let (mut four, mut six) = (Vec::new(), Vec::new());
    let mut failure = "its name servers have no address".to_owned();
    for server in named(answer.answers.iter(), &to_wire(parent))? {
        if ADDRESSES_MAX <= four.len().min(six.len()) {
            break;
        }
        match resolver.addresses(&server).await {
            Ok(addresses) => {
                for address in addresses {
                    if address.is_ipv4() { four.push(address) } else { six.push(address) }
                }
            }
            Err(error) => failure = error.reason,
        }
    }
    if four.is_empty() && six.is_empty() {
        return Err(failure);
    }
    // IPv4 first: there are more machines without the other.
    let rounds = (0..ADDRESSES_MAX).flat_map(|round| [four.get(round), six.get(round)]);
    Ok(rounds.flatten().take(ADDRESSES_MAX).copied().collect())
}

/// What a server of the zone above says: a referral, or an answer where it serves both zones.
fn delegation(zone: &Name, answer: Result<Message, TransportError>) -> Result<Delegation, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.metadata.response_code != ResponseCode::NoError {
        return Err(format!("it says {}", answer.metadata.response_code));
    }
    let servers = named(answer.answers.iter().chain(&answer.authorities), zone)?;
    if servers.is_empty() {
        return Err("it names none".to_owned());
    }
    let glue = |server: &DnsName| {
        let beside = answer.additionals.iter().filter(|record| record.name == to_wire(server));
        beside.filter_map(|record| address(&record.data)).collect()
    };
    Ok(servers.into_iter().map(|server| (server.clone(), glue(&server))).collect())
}

/// The address in a record.
fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

/// The servers that the NS records of a zone name.
///
/// One that was left out would count as one that has followed: a name that no host can have is an error.
pub(super) fn named<'a>(
    records: impl Iterator<Item = &'a Record>,
    zone: &Name,
) -> Result<BTreeSet<DnsName>, String> {
    let servers = records.filter(|record| record.name == *zone).filter_map(|record| {
        let RData::NS(server) = &record.data else { return None };
        let name = from_wire(&server.0);
        Some(name.ok_or_else(|| format!("`{}` is no name that a host can have", server.0)))
    });
    servers.collect()
}
