//! The `[hosts."NAME"]` tables and `[defaults]`: what a mail server is, and what follows for it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::context::{Item, Table, complain, distinct, some_of};
use super::deploy::{DeployKeys, Recipient};
use super::policy;
use super::{ForeignRecords, HostConfig, Service, service};
use crate::diagnostic::Location;
use crate::name::DnsName;
use crate::pki::KeyType;
use crate::policy::Policy;
use crate::table::{Complaint, Given, Reports, Spot, unknown};
use crate::time::Ttl;
use crate::tlsa::TlsaOwner;

/// The keys that a host and `[defaults]` can have, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct HostKeys {
    /// Subject alternative names and TLSA base domains.
    pub(super) names: Given<Vec<Spot<DnsName>>>,
    /// Services, from `ports` or `services`.
    services: Given<Vec<Spot<Service>>>,
    /// The kinds of key.
    key_types: Given<Vec<KeyType>>,
    /// Where to probe.
    addresses: Given<Vec<IpAddr>>,
    /// The policy.
    policy: Given<Arc<Policy>>,
    /// The issuer's name.
    pub(super) issuer: Given<String>,
    /// The names of the issuers that take its place.
    pub(super) fallback_issuers: Given<Vec<Spot<String>>>,
    /// The name of the provider of DNS changes.
    pub(super) dns: Given<String>,
    /// The TTL of RRsets that are written.
    pub(super) tlsa_ttl: Given<Ttl>,
    /// What becomes of foreign records.
    foreign_records: Given<ForeignRecords>,
    /// Name servers left out of the propagation check.
    ignore_name_servers: Given<Vec<String>>,
    /// Where its credentials go.
    deploy: DeployKeys,
}

/// What a host's keys mean, and what they claim for it alone, which is known even where the rest of
/// them is wrong.
pub(super) struct Settled {
    /// The meaning; `None` where some key is wrong or missing.
    pub(super) config: Option<HostConfig>,
    /// Its TLSA owners.
    pub(super) owners: Vec<TlsaOwner>,
    /// Where its names stand, for messages about its owners.
    pub(super) names_at: Location,
    /// Every file that is written.
    pub(super) targets: Vec<Spot<PathBuf>>,
}

impl HostKeys {
    /// Reads a host's table, or `[defaults]`.
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let keys = Self {
            names: table.given("names", names),
            services: service::read(&mut table),
            key_types: table.given("key-types", key_types),
            addresses: table.given("addresses", addresses),
            policy: table.given("policy", policy::read),
            issuer: table.given("issuer", |item| item.text().map(str::to_owned)),
            fallback_issuers: table.given("fallback-issuers", fallback_issuers),
            dns: table.given("dns", |item| item.text().map(str::to_owned)),
            tlsa_ttl: table.given("tlsa-ttl", ttl),
            foreign_records: table.given("foreign-records", |item| item.parse(foreign_records)),
            ignore_name_servers: table.given("ignore-name-servers", name_servers),
            deploy: deploy(&mut table),
        };
        table.finish();
        keys
    }

    /// These keys, and those of `defaults` for what they do not say.
    pub(super) fn over(&self, defaults: &Self) -> Self {
        Self {
            names: self.names.or(&defaults.names),
            services: self.services.or(&defaults.services),
            key_types: self.key_types.or(&defaults.key_types),
            addresses: self.addresses.or(&defaults.addresses),
            policy: self.policy.or(&defaults.policy),
            issuer: self.issuer.or(&defaults.issuer),
            fallback_issuers: self.fallback_issuers.or(&defaults.fallback_issuers),
            dns: self.dns.or(&defaults.dns),
            tlsa_ttl: self.tlsa_ttl.or(&defaults.tlsa_ttl),
            foreign_records: self.foreign_records.or(&defaults.foreign_records),
            ignore_name_servers: self.ignore_name_servers.or(&defaults.ignore_name_servers),
            deploy: self.deploy.over(&defaults.deploy),
        }
    }
}

/// Reads the `deploy` table of a host's.
fn deploy(table: &mut Table<'_>) -> DeployKeys {
    match table.given("deploy", |item| item.table().map(DeployKeys::read)) {
        Given::Absent => DeployKeys::default(),
        Given::Wrong => DeployKeys::wrong(),
        Given::Value(keys) => keys.value,
    }
}

impl HostKeys {
    /// Whether `key-types` is among them.
    pub(super) fn names_key_types(&self) -> bool {
        !matches!(self.key_types, Given::Absent)
    }

    /// What these keys, which are those of `host` over the defaults, mean for it.
    ///
    /// `policy` is the one that the configuration names for all hosts.
    pub(super) fn settle(
        self,
        host: &Spot<String>,
        policy: Option<&Arc<Policy>>,
        reports: &Reports,
    ) -> Settled {
        let issuer = named(&self.issuer, "issuer", host, reports);
        let dns = named(&self.dns, "dns", host, reports);
        let policy = or_default(self.policy, || policy.map(Arc::clone));
        let key_types = or_default(self.key_types, || Some(vec![KeyType::EcdsaP256]));
        let deployment =
            self.deploy.settle(&Recipient { host, key_types: key_types.as_deref(), reports });
        let names_at = self.names.spot().map_or(&host.at, |spot| &spot.at).clone();
        let names = match self.names {
            // The host's own name has been judged.
            Given::Absent => host.value.parse().ok().map(|name| vec![name]),
            Given::Wrong => None,
            Given::Value(spot) => Some(values(spot.value)),
        };
        let services = match self.services {
            Given::Absent => Some(service::default()),
            Given::Wrong => None,
            Given::Value(spot) => Some(values(spot.value)),
        };
        let targets = deployment.as_ref().map(|d| d.targets.clone());
        let targets = targets.unwrap_or_default();
        let owners = owners(names.as_deref(), services.as_deref());
        let config = || {
            Some(HostConfig {
                name: host.value.clone(),
                names: names?,
                services: services?,
                key_types: key_types?,
                addresses: self.addresses.value().unwrap_or_default(),
                policy: policy?,
                issuer: issuer?,
                fallback_issuers: values(self.fallback_issuers.value().unwrap_or_default()),
                dns: dns?,
                tlsa_ttl: self.tlsa_ttl.value(),
                foreign_records: self.foreign_records.value().unwrap_or(ForeignRecords::Keep),
                ignore_name_servers: self.ignore_name_servers.value().unwrap_or_default(),
                deploy: deployment?.config,
            })
        };
        Settled { config: config(), owners, names_at, targets }
    }
}

/// The value that is given, or `default` where none is; `None` where a wrong one is.
fn or_default<T>(given: Given<T>, default: impl FnOnce() -> Option<T>) -> Option<T> {
    match given {
        Given::Absent => default(),
        Given::Wrong => None,
        Given::Value(spot) => Some(spot.value),
    }
}

/// The values of a list without their places.
fn values<T>(list: Vec<Spot<T>>) -> Vec<T> {
    list.into_iter().map(|spot| spot.value).collect()
}

/// Every service at every name, as far as both are known.
fn owners(names: Option<&[DnsName]>, services: Option<&[Service]>) -> Vec<TlsaOwner> {
    let (names, services) = (names.unwrap_or_default(), services.unwrap_or_default());
    let owner = |name: &DnsName, service: &Service| TlsaOwner::new(name.clone(), service.port).ok();
    let of_name = |name| services.iter().filter_map(move |service| owner(name, service));
    names.iter().flat_map(of_name).collect()
}

/// The name at a key that every host must have.
fn named(
    given: &Given<String>,
    key: &str,
    host: &Spot<String>,
    reports: &Reports,
) -> Option<String> {
    if given.is_absent() {
        let complaint = Complaint::new(format!("host `{}` has no `{key}`", host.value));
        let hint = format!("write `{key} = \"NAME\"` for this host, or for all in [defaults]");
        complain(reports, &host.at, complaint.with_hint(hint));
    }
    given.spot().map(|spot| spot.value.clone())
}

/// Reads a name that a mail server can have: letters, digits and hyphens ([RFC 5321, section
/// 2.3.5]), and no address, which no TLSA record can name.
///
/// [RFC 5321, section 2.3.5]: https://www.rfc-editor.org/rfc/rfc5321#section-2.3.5
pub(super) fn host_name(text: &str) -> Result<DnsName, Complaint> {
    if text.parse::<IpAddr>().is_ok() {
        let complaint = Complaint::new(format!("`{text}` is an address, not a name"));
        return Err(
            complaint.with_hint("TLSA records live at names; write those of the MX records")
        );
    }
    let name: DnsName = text.parse().map_err(|error| Complaint::new(format!("{error}")))?;
    if name == DnsName::root() {
        return Err(Complaint::new(format!("`{text}` is the root, not a host")));
    }
    let odd = |label: &str| label.starts_with('-') || label.ends_with('-') || label.contains('_');
    if let Some(label) = name.as_str().split('.').find(|label| odd(label)) {
        return Err(Complaint::new(format!(
            "`{text}` has the label `{label}`, which a host name cannot have"
        )));
    }
    // The owner has up to twelve octets more, and must be a name too.
    match TlsaOwner::new(name.clone(), u16::MAX) {
        Ok(_) => Ok(name),
        Err(_) => {
            Err(Complaint::new(format!("`{text}` is so long that its TLSA owner would be no name")))
        }
    }
}

/// Reads a host's names.
fn names(item: Item<'_>) -> Option<Vec<Spot<DnsName>>> {
    let names = item.list("a list of names", |name| name.parse(host_name))?;
    distinct(item.scope(), some_of(item, names)?, DnsName::clone)
}

/// Reads the issuers that take another's place; none, where the list is empty.
fn fallback_issuers(item: Item<'_>) -> Option<Vec<Spot<String>>> {
    let issuers = item.list("a list of issuers", |issuer| issuer.text().map(str::to_owned))?;
    distinct(item.scope(), issuers, String::clone)
}

/// Reads the kinds of key. Two of one family could not be asked for apart from each other.
fn key_types(item: Item<'_>) -> Option<Vec<KeyType>> {
    let types = item.list("a list of key types", |key_type| key_type.parse(key_type_of))?;
    let types = some_of(item, types)?;
    for (i, later) in types.iter().enumerate() {
        let same = |earlier: &&Spot<KeyType>| earlier.value.family() == later.value.family();
        if let Some(earlier) = types[..i].iter().find(same) {
            let complaint = Complaint::new(format!(
                "`{}` and `{}` are of one family: no client can ask for one of them alone",
                earlier.value, later.value
            ));
            item.scope().complain(&later.at, complaint);
            return None;
        }
    }
    Some(types.into_iter().map(|spot| spot.value).collect())
}

/// Recognises a kind of key.
fn key_type_of(text: &str) -> Result<KeyType, Complaint> {
    KeyType::from_name(text)
        .ok_or_else(|| unknown("key type", text, KeyType::ALL.map(KeyType::as_str)))
}

/// Reads the addresses to probe.
fn addresses(item: Item<'_>) -> Option<Vec<IpAddr>> {
    let addresses = item.list("a list of IP addresses", |address| address.parse(probed))?;
    let addresses = distinct(item.scope(), some_of(item, addresses)?, |address| *address)?;
    Some(addresses.into_iter().map(|spot| spot.value).collect())
}

/// Reads an address to probe.
fn probed(text: &str) -> Result<IpAddr, Complaint> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            Err(Complaint::new(format!("`{text}` is no address that can be connected to")))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(Complaint::new(format!("`{text}` is no IP address"))
            .with_hint("write it without a port: `192.0.2.25` or `2001:db8::25`")),
    }
}

/// Reads a TTL.
fn ttl(item: Item<'_>) -> Option<Ttl> {
    let span = item.span()?;
    let seconds = u32::try_from(span.as_seconds()).ok();
    let seconds = seconds.filter(|seconds| (1..=i32::MAX.cast_unsigned()).contains(seconds));
    match seconds {
        Some(seconds) if span.as_millis() % 1000 == 0 => Some(Ttl::from_seconds(seconds)),
        _ => item.complain(Complaint::new(format!(
            "{span} is no TTL: whole seconds, from 1s to 2147483647s (RFC 2181, section 8)"
        ))),
    }
}

/// Reads what becomes of foreign records.
fn foreign_records(text: &str) -> Result<ForeignRecords, Complaint> {
    match text {
        "keep" => Ok(ForeignRecords::Keep),
        "remove" => Ok(ForeignRecords::Remove),
        _ => Err(unknown("choice", text, ["keep", "remove"])),
    }
}

/// Reads the name servers that are left out of the propagation check.
fn name_servers(item: Item<'_>) -> Option<Vec<String>> {
    let servers = item.list("a list of names or addresses", |server| server.parse(name_server))?;
    Some(servers.into_iter().map(|spot| spot.value).collect())
}

/// Reads the name or the address of a name server, and writes it as it will be compared.
fn name_server(text: &str) -> Result<String, Complaint> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    match text.parse::<DnsName>() {
        Ok(name) => Ok(name.to_string()),
        Err(error) => Err(Complaint::new(format!("{error}"))),
    }
}
