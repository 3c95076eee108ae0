//! What the tables mean together: references, defaults, and what only one host can have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "cloud")]
use super::DnsConfig;
use super::context::complain;
use super::document::{Defined, World, Written};
use super::file::{self, Files};
use super::host::{HostKeys, Settled};
use super::policy::Policies;
use super::{Configuration, Environment, HostConfig, IssuerConfig, resolver};
use crate::diagnostic::{Diagnostic, Location};
use crate::policy::shipped;
use crate::table::{Complaint, Given, Reports, Spot, unknown};
use crate::tlsa::TlsaOwner;

/// Where the ledger is kept where neither the file nor systemd says.
const DEFAULT_STATE_DIR: &str = "/var/lib/rollover";

/// The policy of hosts for which none is named.
const DEFAULT_POLICY: &str = "ncsc";

/// Reads the configuration at `path` and what it includes, and judges it as a whole.
pub(super) fn parse(
    path: &Path,
    files: &dyn Files,
    environment: &Environment,
) -> Result<Configuration, Vec<Diagnostic>> {
    let world =
        World { environment, files, policies: Policies::default(), reports: Reports::default() };
    let mut written = world.read(path);
    let reports = &world.reports;
    resolve(&mut written, reports);
    let hosts = settle(&written, reports);
    if written.hosts.is_empty() && !written.incomplete {
        let message = "there are no hosts, so there is nothing to do";
        let hint = "write a table such as `[hosts.\"mail.example.nl\"]`";
        let diagnostic = Diagnostic::of_file(path.display().to_string(), message);
        reports.add(diagnostic.with_hint(hint));
    }
    let mut diagnostics = world.reports.into_inner();
    if diagnostics.is_empty() {
        return Ok(configuration(written, hosts, environment));
    }
    let key = |d: &Diagnostic| (d.file().to_owned(), d.position(), d.message().to_owned());
    diagnostics.sort_by_cached_key(key);
    diagnostics.dedup();
    Err(diagnostics)
}

/// Judges each reference to an issuer and a provider where it is written, so that one in the
/// defaults is judged once.
fn resolve(written: &mut Written, reports: &Reports) {
    if written.incomplete {
        // What is referred to may stand where nothing could be read.
        return;
    }
    let issuers: Vec<&str> = written.issuers.keys().map(String::as_str).collect();
    let dns: Vec<&str> = written.dns.keys().map(String::as_str).collect();
    let written_issuers = &written.issuers;
    let hosts = written.hosts.values_mut().map(|host| &mut host.value);
    for keys in hosts.chain([&mut written.defaults]) {
        refer("issuer", &mut keys.issuer, &issuers, reports);
        refer("dns provider", &mut keys.dns, &dns, reports);
        let wrong = keys.fallback_issuers.spot().is_some_and(|list| {
            let judged =
                list.value.iter().map(|name| judge_fallback(name, written_issuers, reports));
            judged.filter(|is_right| !is_right).count() != 0
        });
        if wrong {
            keys.fallback_issuers = Given::Wrong;
        }
    }
}

/// Judges one issuer that takes another's place; whether it can.
fn judge_fallback(
    name: &Spot<String>,
    issuers: &BTreeMap<String, Defined<Option<IssuerConfig>>>,
    reports: &Reports,
) -> bool {
    let complaint = match issuers.get(&name.value).map(|defined| &defined.value) {
        None => unknown("issuer", &name.value, issuers.keys().map(String::as_str)),
        Some(Some(IssuerConfig::External(_))) => {
            let message = format!("`{}` is external, and cannot take another's place", name.value);
            Complaint::new(message).with_hint("nothing can be ordered from it: it brings by itself")
        }
        Some(_) => return true,
    };
    complain(reports, &name.at, complaint);
    false
}

/// Judges the issuers that take the place of a host's own, which may stand in the defaults.
fn judge_own_fallbacks(host: &str, keys: &HostKeys, written: &Written, reports: &Reports) {
    let (Some(issuer), Some(list)) = (keys.issuer.spot(), keys.fallback_issuers.spot()) else {
        return;
    };
    if let Some(own) = list.value.iter().find(|name| name.value == issuer.value) {
        let message = format!("`{}` is the issuer of host `{host}` already", own.value);
        let complaint = Complaint::new(message);
        complain(reports, &own.at, complaint.with_hint("name others, in the order of their turn"));
    }
    let of_host = written.issuers.get(&issuer.value).and_then(|defined| defined.value.as_ref());
    if matches!(of_host, Some(IssuerConfig::External(_))) && !list.value.is_empty() {
        let message = format!(
            "the certificates of host `{host}` are brought by another client (`{}`), so that no \
             issuer can take its place",
            issuer.value
        );
        let hint = format!("write `fallback-issuers = []` for host `{host}`, or another issuer");
        complain(reports, &list.at, Complaint::new(message).with_hint(hint));
    }
}

/// Judges the TTL of a host's records, which may stand in the defaults.
#[cfg(feature = "cloud")]
fn judge_ttl(host: &str, keys: &HostKeys, written: &Written, reports: &Reports) {
    let (Some(ttl), Some(dns)) = (keys.tlsa_ttl.spot(), keys.dns.spot()) else { return };
    let provider = written.dns.get(&dns.value).and_then(|defined| defined.value.as_ref());
    if matches!(provider, Some(DnsConfig::Cloud(_))) {
        let message = format!(
            "the TTL of host `{host}` cannot be kept: `{}` changes none of records that are there",
            dns.value
        );
        let hint = "leave `tlsa-ttl` out, and set the TTL where the provider lets you: it is kept";
        complain(reports, &ttl.at, Complaint::new(message).with_hint(hint));
    }
}

/// Judges a reference to one of `known`.
fn refer(what: &str, reference: &mut Given<String>, known: &[&str], reports: &Reports) {
    let Some(spot) = reference.spot() else { return };
    if !known.contains(&spot.value.as_str()) {
        let complaint = unknown(what, &spot.value, known.iter().copied());
        complain(reports, &spot.at, complaint);
        *reference = Given::Wrong;
    }
}

/// Makes of each host's keys, over the defaults, what they mean, and makes sure that no two hosts
/// claim the same.
fn settle(written: &Written, reports: &Reports) -> BTreeMap<String, HostConfig> {
    let policy = match &written.policy {
        Given::Absent => shipped::by_name(DEFAULT_POLICY).map(Arc::new),
        Given::Wrong => None,
        Given::Value(spot) => Some(Arc::clone(&spot.value)),
    };
    let mut claims = Claims::default();
    let mut hosts = BTreeMap::new();
    for (name, defined) in &written.hosts {
        let host = Spot { value: name.clone(), at: defined.at.clone() };
        let keys: HostKeys = defined.value.over(&written.defaults);
        judge_own_fallbacks(name, &keys, written, reports);
        #[cfg(feature = "cloud")]
        judge_ttl(name, &keys, written, reports);
        let settled = keys.settle(&host, policy.as_ref(), reports);
        claims.add(name, &settled, reports);
        if let Some(config) = settled.config {
            hosts.insert(name.clone(), config);
        }
    }
    hosts
}

/// What only one host can have.
#[derive(Default)]
struct Claims {
    /// TLSA owners, each with its host and where that is said.
    owners: BTreeMap<TlsaOwner, (String, Location)>,
    /// Files that are written, each with its host and where that is said.
    files: BTreeMap<PathBuf, (String, Location)>,
}

impl Claims {
    /// Adds what a host claims, and reports what was claimed before.
    fn add(&mut self, host: &str, settled: &Settled, reports: &Reports) {
        for owner in &settled.owners {
            let claim = (host.to_owned(), settled.names_at.clone());
            let Some((first, at)) = self.owners.get(owner) else {
                self.owners.insert(owner.clone(), claim);
                continue;
            };
            let message = format!(
                "hosts `{first}` and `{host}` both claim the TLSA owner `{owner}`: \
                 {first} at {}",
                at.shown()
            );
            complain(reports, &settled.names_at, Complaint::new(message));
        }
        for target in &settled.targets {
            let claim = (host.to_owned(), target.at.clone());
            let Some((first, at)) = self.files.get(&file::plain(&target.value)) else {
                self.files.insert(file::plain(&target.value), claim);
                continue;
            };
            let path = target.value.display();
            let message = if first == host {
                format!("host `{host}` would write `{path}` twice")
            } else {
                format!(
                    "hosts `{first}` and `{host}` would both write `{path}`: {first} at {}",
                    at.shown()
                )
            };
            complain(reports, &target.at, Complaint::new(message));
        }
    }
}

/// The meaning of all that was written, in which nothing is wrong.
fn configuration(
    written: Written,
    hosts: BTreeMap<String, HostConfig>,
    environment: &Environment,
) -> Configuration {
    let silent = written
        .hosts
        .iter()
        .filter(|(_, host)| !host.value.over(&written.defaults).names_key_types());
    let default_key_types = silent.map(|(name, _)| name.clone()).collect();
    let issuers = written.issuers.into_iter();
    let dns = written.dns.into_iter();
    Configuration {
        state_dir: written.state_dir.value().unwrap_or_else(|| default_state_dir(environment)),
        resolver: written.resolver.unwrap_or_else(resolver::default),
        issuers: issuers.filter_map(|(name, issuer)| Some((name, issuer.value?))).collect(),
        dns: dns.filter_map(|(name, provider)| Some((name, provider.value?))).collect(),
        hosts,
        default_key_types,
        notify: written.notify,
    }
}

/// The state directory where the file names none: the first of those that systemd passes.
fn default_state_dir(environment: &Environment) -> PathBuf {
    let passed = environment.state_directory.as_deref().unwrap_or_default();
    let first = passed.split(':').next().unwrap_or_default();
    PathBuf::from(if first.is_empty() { DEFAULT_STATE_DIR } else { first })
}
