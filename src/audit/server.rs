//! What senders that deliver to one mail server meet: which records fit which certificate, where.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::facts::Facts;
use super::finding::{Code, Finding, merge};
use super::records::Published;
use super::subject::{CertificateSummary, ListenerSummary, Protection, Server};
use crate::dns::{Resolved, Security};
use crate::name::DnsName;
use crate::pki::{KeyFamily, KeyType};
use crate::ports::{LookupError, Protocol};
use crate::probe::{Portrait, Shown, Trouble};
use crate::time::Timestamp;
use crate::tlsa::{Fit, TlsaRrset, fit_for, judge};

/// What is asked of a server's records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Two kinds, or two keys: one carries the mail when the other fails.
    TwoRecords,
    /// What the policy of the configured host says, which may be one kind alone.
    ByPolicy,
}

/// A server under judgement.
pub(super) struct Judgement<'a> {
    /// What was seen of it.
    pub(super) facts: &'a Facts,
    /// Its preference among the MX hosts.
    pub(super) preference: Option<u16>,
    /// The names that senders expect in its certificate: its own, and the domain they deliver to.
    pub(super) names: Vec<DnsName>,
    /// What is asked of its records.
    pub(super) wanted: Wanted,
    /// When it is judged.
    pub(super) now: Timestamp,
}

/// What was presented at an address, and how that went with the records.
struct Fitting {
    /// What was found.
    findings: Vec<Finding>,
    /// The fewest records that fit.
    matching: Option<usize>,
}

impl Judgement<'_> {
    /// Judges everything.
    pub(super) fn judge(&self) -> Server {
        let Facts { target, owner, addresses, tlsa, listeners } = self.facts;
        let mut findings = Vec::new();
        let published = Published::judge(owner, tlsa, self.now);
        let explicit = !target.addresses.is_empty();
        findings.extend(self.addresses(addresses, explicit));
        let is_reachable = findings.iter().all(|finding| finding.code != Code::NoAddress);
        if is_reachable {
            findings.extend(published.findings.clone());
        }
        let mut summaries = Vec::new();
        for (address, portrait) in listeners {
            let fitting = self.listener(*address, portrait, &published);
            findings.extend(fitting.findings);
            summaries.push(ListenerSummary {
                address: *address,
                matching_records: fitting.matching,
                versions: versions(portrait),
            });
        }
        findings.extend(self.records(&published));
        findings.extend(self.certificates(&published));
        let mut findings = merge(findings);
        // What is wrong first; what is alike stays in its order.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Server {
            name: target.name.clone(),
            preference: self.preference,
            owner: owner.clone(),
            records: published.records().iter().map(ToString::to_string).collect(),
            protection: match is_reachable {
                true => published.protection(),
                false => Protection::Unreachable,
            },
            findings,
            listeners: summaries,
            certificates: self.presented().iter().map(summary).collect(),
        }
    }

    /// Judges the addresses.
    fn addresses(
        &self,
        addresses: &Result<Resolved<std::net::IpAddr>, LookupError>,
        explicit: bool,
    ) -> Vec<Finding> {
        let name = self.facts.target.name.absolute();
        let found = match addresses {
            Ok(found) => found,
            Err(_) if explicit => return Vec::new(),
            Err(error) => return vec![Finding::unknown(Code::LookupFailed, error.to_string())],
        };
        let mut findings = Vec::new();
        if let Security::Bogus { reason } = &found.security {
            findings.push(Finding::critical(Code::Bogus, reason.clone()));
        }
        if let (Some(_), Some(to)) = (self.preference, found.aliases.last()) {
            let seen = format!("the MX record names {name}, an alias of {}", to.absolute());
            findings.push(Finding::warning(Code::MxAlias, seen));
        }
        if found.records.is_empty() && !explicit {
            let seen = match found.exists {
                true => format!("{name} has neither an A nor an AAAA record"),
                false => format!("{name} does not exist"),
            };
            findings.push(Finding::critical(Code::NoAddress, seen));
        } else if self.facts.listeners.is_empty() {
            let seen = format!("{name} has no address of the kind that is looked at");
            findings.push(Finding::unknown(Code::ListenerSilent, seen));
        }
        findings
    }

    /// Judges one address.
    fn listener(&self, at: SocketAddr, portrait: &Portrait, published: &Published) -> Fitting {
        let mut fitting = Fitting { findings: Vec::new(), matching: None };
        let shown = match &portrait.with_sni {
            Ok(shown) => shown,
            Err(trouble) => {
                fitting.findings.push(self.trouble(trouble, published).at(at));
                return fitting;
            }
        };
        fitting.findings.push(Finding::ok(Code::StartTls, self.tls_works(shown)).at(at));
        if let Some(trouble) = &portrait.other_family {
            let seen = format!("the other kind of certificate: {}", trouble.reason());
            fitting.findings.push(Finding::unknown(Code::ListenerSilent, seen).at(at));
        }
        if !published.is_in_use() {
            return fitting;
        }
        // Where nothing is usable, that is said already, and is another thing than a misfit.
        let usable = |version: &&TlsaRrset| version.records.iter().any(|r| r.association().is_ok());
        for one in shown {
            for version in published.versions.iter().filter(usable) {
                let (finding, matching) = self.fit(one, version);
                fitting.matching = Some(fitting.matching.unwrap_or(usize::MAX).min(matching));
                fitting.findings.push(finding.at(at));
            }
        }
        fitting.findings.extend(self.without_sni(shown, portrait, published).map(|f| f.at(at)));
        fitting
    }

    /// That no TLS came about.
    fn trouble(&self, trouble: &Trouble, published: &Published) -> Finding {
        let (code, reason) = match trouble {
            Trouble::Silent { reason } => {
                return Finding::unknown(Code::ListenerSilent, reason.clone());
            }
            Trouble::NoTls { reason } => (Code::StartTlsMissing, reason),
            Trouble::Fails { reason } => (Code::StartTlsFails, reason),
        };
        match published.is_in_use() {
            true => Finding::critical(code, reason.clone()),
            false => Finding::warning(code, reason.clone()),
        }
    }

    /// That TLS works, with which certificates.
    fn tls_works(&self, shown: &[Shown]) -> String {
        let what = match self.facts.target.protocol {
            Protocol::Smtp | Protocol::Imap => "STARTTLS",
            Protocol::Pop3 => "STLS",
            Protocol::Tls => "TLS",
        };
        let kinds: Vec<String> = shown.iter().map(|one| kind(one).to_owned()).collect();
        let version = shown.iter().map(|one| one.version).min();
        let version = version.map(|version| version.to_string()).unwrap_or_default();
        let kinds = match &kinds[..] {
            [kind] => format!("an {kind} certificate"),
            kinds => format!("{} certificates", kinds.join(" and ")),
        };
        format!("{what} works over {version}, with {kinds}")
    }

    /// How well an RRset fits what is presented, and how many of its records do.
    fn fit(&self, shown: &Shown, version: &TlsaRrset) -> (Finding, usize) {
        let Shown { chain, .. } = shown;
        let verdicts = judge(&version.records, chain, &self.names, self.now);
        let matching = verdicts.iter().filter(|(_, verdict)| verdict.validates()).count();
        let all = version.records.len();
        let noun = if all == 1 { "record" } else { "records" };
        let (kind, key) = (kind(shown), chain.leaf().spki_sha256().short());
        let verb = if matching == 1 { "fits" } else { "fit" };
        let seen = format!("{matching} of {all} {noun} {verb} the {kind} certificate (key {key}…)");
        let finding = match fit_for(&version.records, chain, &self.names, self.now) {
            None => Finding::critical(Code::FitsNone, seen),
            Some(Fit::Any) => Finding::warning(Code::FitsSome, seen),
            Some(Fit::Each) if all == 1 => match self.wanted {
                Wanted::TwoRecords => Finding::warning(Code::FitsSingle, seen),
                Wanted::ByPolicy => Finding::ok(Code::FitsAll, seen),
            },
            Some(Fit::Each) => Finding::ok(Code::FitsAll, seen),
        };
        (finding, matching)
    }

    /// What clients without SNI are shown, where that is something else.
    fn without_sni(
        &self,
        shown: &[Shown],
        portrait: &Portrait,
        published: &Published,
    ) -> Option<Finding> {
        let other = match &portrait.without_sni {
            Ok(other) if shown.iter().any(|one| one.chain == other.chain) => return None,
            Ok(other) => other,
            Err(trouble) => {
                let seen = format!("without SNI: {}", trouble.reason());
                return Some(Finding::warning(Code::SniNeeded, seen));
            }
        };
        let fits = |version: &&TlsaRrset| {
            fit_for(&version.records, &other.chain, &self.names, self.now).is_some()
        };
        (!published.versions.iter().all(|version| fits(&version))).then(|| {
            let subject = other.chain.leaf().subject();
            let seen = format!("without SNI: `{subject}`, which no record fits");
            Finding::warning(Code::SniNeeded, seen)
        })
    }

    /// Everything presented to clients with SNI, at any address, each once.
    pub(super) fn presented(&self) -> Vec<Shown> {
        let mut all: Vec<Shown> = Vec::new();
        for (_, portrait) in &self.facts.listeners {
            for shown in portrait.with_sni.iter().flatten() {
                if !all.iter().any(|one| one.chain == shown.chain) {
                    all.push(shown.clone());
                }
            }
        }
        all
    }
}

/// The kind of certificate, in a word.
pub(super) fn kind(shown: &Shown) -> &'static str {
    match shown.family {
        Some(KeyFamily::Ecdsa) => "ecdsa",
        Some(KeyFamily::Rsa) => "rsa",
        None => "other",
    }
}

/// The versions of TLS over which something was presented.
fn versions(portrait: &Portrait) -> Vec<crate::probe::TlsVersion> {
    let shown = portrait.with_sni.iter().flatten();
    shown.map(|one| one.version).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A certificate in short.
fn summary(shown: &Shown) -> CertificateSummary {
    let leaf = shown.chain.leaf();
    CertificateSummary {
        key_type: KeyType::of_spki(leaf.spki()),
        subject: leaf.subject().to_owned(),
        issuer: leaf.issuer().to_owned(),
        serial: leaf.serial().to_owned(),
        names: leaf.dns_names().to_vec(),
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        spki: leaf.spki_sha256(),
    }
}

#[cfg(test)]
mod tests;
