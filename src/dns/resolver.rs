//! Questions to the configured resolvers. What they answer is believed only where it validates.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::memo::{Gates, Memo};
use super::transport::{self, Recursion};
use super::wire::{from_wire, to_wire};
use crate::name::DnsName;
use crate::ports::LookupError;

/// The most aliases that are followed.
pub(super) const ALIASES_MAX: usize = 8;

/// The configured resolvers.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    /// Asked in this order, until one answers; never empty.
    servers: Vec<SocketAddr>,
    /// What was answered already, where the same question is not to be asked twice.
    shared: Option<Arc<Shared>>,
}

/// What those who ask through the same resolvers share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Answers by name and type.
    answers: Memo<(Name, u16), Result<Message, LookupError>>,
    /// How much is asked at once.
    pub(super) gates: Gates,
}

impl Resolver {
    /// These resolvers; those of the system where there are none.
    pub(super) fn new(servers: &[SocketAddr]) -> Self {
        if !servers.is_empty() {
            return Self { servers: servers.to_vec(), shared: None };
        }
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let mut servers: Vec<SocketAddr> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
            .map(|address: IpAddr| SocketAddr::new(address, 53))
            .collect();
        if servers.is_empty() {
            // What resolv.conf(5) promises where it names none.
            servers.push(([127, 0, 0, 1], 53).into());
        }
        Self { servers, shared: None }
    }

    /// The same, asking each question once only, and not too many at a time.
    pub(super) fn sharing(self, shared: Arc<Shared>) -> Self {
        Self { shared: Some(shared), ..self }
    }

    /// The resolvers' addresses.
    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// Asks for a name and type, until some resolver says that it is or that it is not.
    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, LookupError> {
        match &self.shared {
            None => self.ask_anew(name, kind).await,
            Some(shared) => {
                let key = (name.to_lowercase(), u16::from(kind));
                shared.answers.get(key, self.ask_anew(name, kind)).await
            }
        }
    }

    /// Asks, whatever was answered before.
    async fn ask_anew(&self, name: &Name, kind: RecordType) -> Result<Message, LookupError> {
        let mut reasons = Vec::new();
        for server in &self.servers {
            let _passed = match &self.shared {
                Some(shared) => Some(shared.gates.pass(server.ip()).await),
                None => None,
            };
            match self.ask_one(*server, name, kind).await {
                Ok(answer) => match answer.metadata.response_code {
                    ResponseCode::NoError | ResponseCode::NXDomain => return Ok(answer),
                    code => reasons.push(format!("resolver {} says {code}", server.ip())),
                },
                Err(error) => reasons.push(format!("resolver {}: {error}", server.ip())),
            }
        }
        Err(LookupError { what: format!("{kind} of {name}"), reason: reasons.join("; ") })
    }

    /// Asks one resolver.
    ///
    /// For an audit it may validate first: then it has tried other name servers where one of them
    /// serves signatures that have expired, as it does for senders. What it refuses is asked for
    /// without, to see what is wrong with it.
    async fn ask_one(
        &self,
        server: SocketAddr,
        name: &Name,
        kind: RecordType,
    ) -> Result<Message, transport::TransportError> {
        if self.shared.is_some() {
            let answer = transport::ask(server, name, kind, Recursion::Validated).await?;
            if answer.metadata.response_code != ResponseCode::ServFail {
                return Ok(answer);
            }
        }
        transport::ask(server, name, kind, Recursion::Desired).await
    }

    /// Asks a name server itself, no resolver.
    pub(super) async fn ask_directly(
        &self,
        server: SocketAddr,
        name: &Name,
        kind: RecordType,
    ) -> Result<Message, transport::TransportError> {
        let _passed = match &self.shared {
            Some(shared) => Some(shared.gates.pass(server.ip()).await),
            None => None,
        };
        transport::ask(server, name, kind, Recursion::Off).await
    }

    /// The zone that a name is in: the closest name above it, or itself, that has an SOA record.
    pub(super) async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        let mut at = Some(name.clone());
        while let Some(candidate) = at {
            let wire = to_wire(&candidate);
            let answer = self.ask(&wire, RecordType::SOA).await?;
            let mut sections = answer.answers.iter().chain(&answer.authorities);
            let soa = sections.find(|record| {
                record.record_type() == RecordType::SOA && record.name.zone_of(&wire)
            });
            // Behind an alias stands the SOA of another zone: the name above tells the alias's own.
            let alias = answer
                .answers
                .iter()
                .any(|record| record.record_type() == RecordType::CNAME && record.name == wire);
            if let Some(zone) = soa.filter(|_| !alias).and_then(|soa| from_wire(&soa.name)) {
                return Ok(zone);
            }
            at = candidate.parent();
        }
        let (what, reason) = (format!("zone of {name}"), "no SOA record above it".to_owned());
        Err(LookupError { what, reason })
    }

    /// What a name is an alias of in the end; itself where it is none.
    ///
    /// What stands there is not asked for: the resolver would remember for a while that it is not
    /// there yet, and tell others that it serves.
    pub(super) async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        let mut at = to_wire(name);
        for _ in 0..ALIASES_MAX {
            let answer = self.ask(&at, RecordType::CNAME).await?;
            let next = answer.answers.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == at => Some(target.0.clone()),
                _ => None,
            });
            let Some(next) = next else {
                return from_wire(&at).ok_or_else(|| LookupError {
                    what: format!("what {name} is an alias of"),
                    reason: format!("{at} is no name that a host could have"),
                });
            };
            at = next;
        }
        let (what, reason) = (format!("what {name} is an alias of"), "there is no end".to_owned());
        Err(LookupError { what, reason })
    }

    /// The addresses of a host, A and AAAA, in order.
    pub(super) async fn addresses(&self, host: &DnsName) -> Result<Vec<IpAddr>, LookupError> {
        let name = to_wire(host);
        let mut addresses = Vec::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            let answer = self.ask(&name, kind).await?;
            // Aliases and what they lead to stand in the same answer.
            addresses.extend(answer.answers.iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            }));
        }
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }
}
