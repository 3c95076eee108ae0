//! What a mail domain says of itself: its zone, its MX records, and which servers they lead to.

use super::facts::Target;
use super::finding::{Code, Finding};
use super::records::count;
use crate::dns::{MxRecord, Resolved, Security};
use crate::name::DnsName;
use crate::ports::LookupError;

/// A server that a domain's mail goes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Destination {
    /// The server.
    pub(super) target: Target,
    /// Its preference; `None` for the domain's own address.
    pub(super) preference: Option<u16>,
}

/// What a domain's MX records come to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Routes {
    /// The servers, the most preferred first.
    pub(super) destinations: Vec<Destination>,
    /// What is to be said of them.
    pub(super) findings: Vec<Finding>,
}

impl Routes {
    /// Judges a domain's MX records.
    pub(super) fn judge(domain: &DnsName, mx: &Result<Resolved<MxRecord>, LookupError>) -> Self {
        let mut routes = Self::default();
        let found = match mx {
            Ok(found) => found,
            Err(error) => {
                routes.findings.push(Finding::unknown(Code::LookupFailed, error.to_string()));
                return routes;
            }
        };
        routes.findings.push(security(domain, &found.security));
        if !found.exists {
            let seen = format!("{} does not exist", domain.absolute());
            routes.findings.push(Finding::critical(Code::DomainMissing, seen));
            return routes;
        }
        if let Some(target) = found.aliases.last() {
            let seen = format!("{} is an alias of {}", domain.absolute(), target.absolute());
            routes.findings.push(Finding::ok(Code::MxFound, seen));
        }
        routes.follow(domain, &found.records);
        routes
    }

    /// Follows the records to their servers.
    fn follow(&mut self, domain: &DnsName, records: &[MxRecord]) {
        let is_null = |record: &MxRecord| record.host == Some(DnsName::root());
        if records.is_empty() {
            let seen = format!("no MX record: {} itself takes its mail", domain.absolute());
            self.findings.push(Finding::ok(Code::MxImplicit, seen));
            let target = Target::smtp(domain.clone());
            self.destinations.push(Destination { target, preference: None });
            return;
        }
        if records.iter().all(is_null) {
            let seen = format!("{} accepts no mail (null MX)", domain.absolute());
            self.findings.push(Finding::ok(Code::MxNull, seen));
            return;
        }
        if records.iter().any(is_null) {
            let seen = "a null MX stands beside other MX records".to_owned();
            self.findings.push(Finding::warning(Code::MxNullMixed, seen));
        }
        for record in records.iter().filter(|record| !is_null(record)) {
            match record.host.clone().filter(|host| !is_address(host)) {
                Some(host) => {
                    let (target, preference) = (Target::smtp(host), Some(record.preference));
                    self.destinations.push(Destination { target, preference });
                }
                None => {
                    let seen = format!(
                        "the MX record `{} {}` names no host",
                        record.preference, record.exchange
                    );
                    self.findings.push(Finding::critical(Code::MxNoHost, seen));
                }
            }
        }
        if self.destinations.is_empty() {
            return;
        }
        let hosts = |destination: &Destination| {
            let preference = destination.preference.unwrap_or_default();
            format!("{preference} {}", destination.target.name)
        };
        let named: Vec<String> = self.destinations.iter().map(hosts).collect();
        let seen = format!("{}: {}", count(named.len(), "MX record"), named.join(", "));
        self.findings.push(Finding::ok(Code::MxFound, seen));
    }
}

/// What the trust in a domain's MX records is worth.
fn security(domain: &DnsName, security: &Security) -> Finding {
    let name = domain.absolute();
    match security {
        Security::Secure => {
            let seen = format!("the MX records of {name} are signed, and validate");
            Finding::ok(Code::ZoneSigned, seen)
        }
        Security::Insecure { zone } => {
            let seen = format!("{} is not signed", zone.absolute());
            Finding::warning(Code::ZoneUnsigned, seen)
        }
        Security::Bogus { reason } => Finding::critical(Code::Bogus, reason.clone()),
    }
}

/// Whether a name is an address in disguise, which no host can have (RFC 1123, section 2.1).
fn is_address(name: &DnsName) -> bool {
    name.as_str().parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Severity;

    /// What MX records with these preferences and exchanges come to.
    fn routes(records: &[(u16, &str)]) -> Routes {
        let records = records
            .iter()
            .map(|(preference, exchange)| MxRecord {
                preference: *preference,
                exchange: (*exchange).to_owned(),
                host: exchange.parse().ok(),
            })
            .collect();
        let (aliases, exists, security) = (Vec::new(), true, Security::Secure);
        let found = Resolved { records, aliases, exists, security };
        Routes::judge(&"example.nl".parse().unwrap(), &Ok(found))
    }

    /// The kinds of what was found.
    fn codes(routes: &Routes) -> Vec<Code> {
        routes.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn no_mx_record_is_the_domain_itself_and_a_null_mx_is_nobody() {
        let implicit = routes(&[]);
        assert_eq!(implicit.destinations[0].target.name, "example.nl".parse().unwrap());
        assert_eq!(codes(&implicit), [Code::ZoneSigned, Code::MxImplicit]);
        let null = routes(&[(0, ".")]);
        assert!(null.destinations.is_empty());
        assert_eq!(codes(&null), [Code::ZoneSigned, Code::MxNull]);
        let mixed = routes(&[(0, "."), (10, "mail.example.nl.")]);
        assert_eq!(mixed.destinations.len(), 1);
        assert!(codes(&mixed).contains(&Code::MxNullMixed));
    }

    #[test]
    fn an_address_is_no_mail_host() {
        let routes = routes(&[(10, "192.0.2.25."), (20, "mail.example.nl.")]);
        assert_eq!(routes.destinations.len(), 1);
        let bad = routes.findings.iter().find(|finding| finding.code == Code::MxNoHost).unwrap();
        assert_eq!(bad.severity, Severity::Critical);
        assert_eq!(bad.seen, "the MX record `10 192.0.2.25.` names no host");
    }
}
