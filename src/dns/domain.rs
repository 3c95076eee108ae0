//! What the DNS says of a mail domain and of a zone's primary: for whoever sets things up.

use hickory_proto::rr::{RData, RecordType};

use super::authority::Authority;
use super::chain::{self, Trust};
use super::denial;
use super::wire::{from_wire, of_type, to_wire};
use crate::name::DnsName;
use crate::ports::{Dns as _, LookupError};
use crate::time::Timestamp;

/// The mail servers of a domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MailServers {
    /// Preference and name, the most wanted first; the domain itself where it has no MX record
    /// (RFC 5321, section 5.1); none where it takes no mail (RFC 7505).
    pub servers: Vec<(u16, DnsName)>,
    /// How far the answer can be relied on.
    pub provenance: Provenance,
}

/// How far an answer can be relied on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Provenance {
    /// It validates from the trust anchor.
    Validated,
    /// The zone is provably not signed.
    Unsigned,
    /// It does not validate, for this reason.
    Bogus(String),
}

impl Authority {
    /// The mail servers of a domain, as the resolvers answer, and whether that validates.
    ///
    /// # Errors
    ///
    /// Where no resolver answers.
    pub async fn mail_servers(&self, domain: &DnsName) -> Result<MailServers, LookupError> {
        let wire = to_wire(domain);
        let answer = self.resolver().ask(&wire, RecordType::MX).await?;
        let mut servers: Vec<(u16, DnsName)> = answer
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::MX(mx) => Some((mx.preference, from_wire(&mx.exchange)?)),
                _ => None,
            })
            .collect();
        servers.sort();
        servers.dedup();
        if servers.is_empty() {
            servers.push((0, domain.clone()));
        }
        servers.retain(|(_, name)| *name != DnsName::root());
        let zone = self.zone_of(domain).await?;
        let now = self.now();
        let provenance = match chain::keys_of(self.resolver(), self.anchors(), &zone, now).await {
            Ok(Trust::Insecure(_)) => Provenance::Unsigned,
            Err(error) => Provenance::Bogus(error.to_string()),
            Ok(Trust::Secure(keys)) => {
                let there = of_type(&answer.answers, &wire, RecordType::MX).next().is_some();
                let judged = match there {
                    true => keys.validate(&answer.answers, &wire, RecordType::MX, now).map(drop),
                    false => denial::prove(&keys, &answer.authorities, &wire, RecordType::MX, now)
                        .map(drop),
                };
                match judged {
                    Ok(()) => Provenance::Validated,
                    Err(error) => Provenance::Bogus(error.to_string()),
                }
            }
        };
        Ok(MailServers { servers, provenance })
    }

    /// The server that a zone's SOA record names as its primary (MNAME): the one that takes dynamic
    /// updates, unless it is hidden (RFC 2136, section 4).
    ///
    /// # Errors
    ///
    /// Where no resolver answers, or there is no SOA record.
    pub async fn primary(&self, zone: &DnsName) -> Result<DnsName, LookupError> {
        let wire = to_wire(zone);
        let answer = self.resolver().ask(&wire, RecordType::SOA).await?;
        let primary = of_type(&answer.answers, &wire, RecordType::SOA).find_map(|record| {
            match &record.data {
                RData::SOA(soa) => from_wire(&soa.mname),
                _ => None,
            }
        });
        primary.ok_or_else(|| LookupError {
            what: format!("SOA of {}", zone.absolute()),
            reason: "there is none".to_owned(),
        })
    }

    /// The time that signatures are judged at.
    fn now(&self) -> Timestamp {
        self.clock().now().wall
    }
}
