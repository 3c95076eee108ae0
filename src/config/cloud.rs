//! A `[dns.*]` table of type `cloud`: whose API changes the zone, and with which credentials.
//!
//! The credentials are in a file of their own, one `key = "value"` a line; which keys there have to be is
//! known for each provider, so that a missing one is told when the configuration is read.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use super::context::{Item, Table, secret_file};
use super::dns::{timeout, zone};
use crate::name::DnsName;
use crate::table::{Complaint, unknown};
use crate::time::Span;

/// A provider whose API changes zones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloudConfig {
    /// Whose API it is.
    pub provider: CloudProvider,
    /// What it is opened with.
    pub credentials: Credentials,
    /// How long one of its operations may take.
    pub timeout: Span,
    /// The zone, where it is not to be looked up.
    pub zone: Option<DnsName>,
}

/// A provider that takes TLSA records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "each is the name of a company")]
pub enum CloudProvider {
    ArvanCloud,
    AutoDns,
    Bunny,
    Cloudflare,
    ClouDns,
    DeSec,
    DnSimple,
    Dynu,
    Gandi,
    Gcore,
    Google,
    Hetzner,
    HostingDe,
    Hostinger,
    Infoblox,
    Infomaniak,
    Inwx,
    LuaDns,
    MythicBeasts,
    Netcup,
    Ns1,
    OracleCloud,
    Ovh,
    Porkbun,
    PowerDns,
    Route53,
    Scaleway,
    SimplyCom,
    Spaceship,
    TransIp,
    UltraDns,
    ZoneEu,
}

/// How a provider is called in a configuration, and what it is opened with.
struct Entry {
    /// Its name.
    name: &'static str,
    /// The credentials that there have to be.
    required: &'static [&'static str],
    /// Those that there may be.
    optional: &'static [&'static str],
}

impl CloudProvider {
    /// All, in the order of their names.
    pub const ALL: [Self; 32] = [
        Self::ArvanCloud,
        Self::AutoDns,
        Self::Bunny,
        Self::Cloudflare,
        Self::ClouDns,
        Self::DeSec,
        Self::DnSimple,
        Self::Dynu,
        Self::Gandi,
        Self::Gcore,
        Self::Google,
        Self::Hetzner,
        Self::HostingDe,
        Self::Hostinger,
        Self::Infoblox,
        Self::Infomaniak,
        Self::Inwx,
        Self::LuaDns,
        Self::MythicBeasts,
        Self::Netcup,
        Self::Ns1,
        Self::OracleCloud,
        Self::Ovh,
        Self::Porkbun,
        Self::PowerDns,
        Self::Route53,
        Self::Scaleway,
        Self::SimplyCom,
        Self::Spaceship,
        Self::TransIp,
        Self::UltraDns,
        Self::ZoneEu,
    ];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The credentials that it is opened with.
    pub fn required(self) -> &'static [&'static str] {
        self.entry().required
    }

    /// The credentials that it is opened with where they are given.
    pub fn optional(self) -> &'static [&'static str] {
        self.entry().optional
    }

    /// What is written of it.
    fn entry(self) -> Entry {
        let entry = |name, required, optional| Entry { name, required, optional };
        match self {
            Self::ArvanCloud => entry("arvancloud", &["api-key"], &[]),
            Self::AutoDns => entry("autodns", &["username", "password"], &["context"]),
            Self::Bunny => entry("bunny", &["api-key"], &[]),
            Self::Cloudflare => entry("cloudflare", &["token"], &[]),
            Self::ClouDns => entry("cloudns", &["password"], &["auth-id", "sub-auth-id"]),
            Self::DeSec => entry("desec", &["token"], &[]),
            Self::DnSimple => entry("dnsimple", &["token", "account"], &[]),
            Self::Dynu => entry("dynu", &["api-key"], &[]),
            Self::Gandi => entry("gandi", &["token"], &[]),
            Self::Gcore => entry("gcore", &["token"], &[]),
            Self::Google => entry("google", &["service-account", "project"], &["managed-zone"]),
            Self::Hetzner => entry("hetzner", &["token"], &[]),
            Self::HostingDe => entry("hostingde", &["api-key"], &[]),
            Self::Hostinger => entry("hostinger", &["token"], &[]),
            Self::Infoblox => entry(
                "infoblox",
                &["host", "username", "password"],
                &["port", "wapi-version", "dns-view"],
            ),
            Self::Infomaniak => entry("infomaniak", &["token"], &[]),
            Self::Inwx => entry("inwx", &["username", "password"], &[]),
            Self::LuaDns => entry("luadns", &["username", "token"], &[]),
            Self::MythicBeasts => entry("mythicbeasts", &["username", "password"], &[]),
            Self::Netcup => entry("netcup", &["customer", "api-key", "api-password"], &[]),
            Self::Ns1 => entry("ns1", &["api-key"], &[]),
            Self::OracleCloud => entry(
                "oraclecloud",
                &["tenancy", "user", "fingerprint", "private-key", "region", "compartment"],
                &[],
            ),
            Self::Ovh => entry(
                "ovh",
                &["endpoint", "application-key", "application-secret", "consumer-key"],
                &[],
            ),
            Self::Porkbun => entry("porkbun", &["api-key", "secret-api-key"], &[]),
            Self::PowerDns => entry("powerdns", &["url", "api-key"], &["server"]),
            Self::Route53 => entry(
                "route53",
                &["access-key-id", "secret-access-key"],
                &["session-token", "region", "hosted-zone"],
            ),
            Self::Scaleway => entry("scaleway", &["token"], &[]),
            Self::SimplyCom => entry("simplycom", &["account", "api-key"], &[]),
            Self::Spaceship => entry("spaceship", &["api-key", "api-secret"], &[]),
            Self::TransIp => entry("transip", &["login", "private-key"], &[]),
            Self::UltraDns => entry("ultradns", &["username", "password"], &["url"]),
            Self::ZoneEu => entry("zoneeu", &["username", "api-key"], &[]),
        }
    }
}

/// What a provider is opened with, by key. No message shows a value.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials(BTreeMap<String, Zeroizing<String>>);

impl Credentials {
    /// The value of a key, where there is one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str())
    }

    /// A text in which no secret of these is left to be read.
    pub fn hidden_in(&self, text: &str) -> String {
        let is_secret = |key: &str| {
            ["key", "password", "secret", "token", "account"].iter().any(|word| key.contains(word))
        };
        let secrets = self.0.iter().filter(|(key, value)| is_secret(key) && !value.is_empty());
        secrets.fold(text.to_owned(), |text, (_, value)| text.replace(value.as_str(), "***"))
    }

    /// Reads what a credentials file of `provider` holds.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where; never what it holds.
    pub fn parse(provider: CloudProvider, text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            format!("in line {}: {}", before.matches('\n').count() + 1, error.message())
        })?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let toml::Value::String(value) = value else {
                return Err(format!("the value of `{key}` has to be a text: in quotation marks"));
            };
            values.insert(key, Zeroizing::new(value));
        }
        let credentials = Self(values);
        let (required, optional) = (provider.required(), provider.optional());
        let known = |key: &&String| required.iter().chain(optional).all(|one| one != key);
        if let Some(key) = credentials.0.keys().find(known) {
            return Err(format!("`{key}` is no credential of {}", provider.name()));
        }
        let missing = |key: &&&str| credentials.get(key).is_none_or(str::is_empty);
        match required.iter().find(missing) {
            Some(key) => Err(format!("there is no line `{key} = \"...\"`")),
            None => Ok(credentials),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads the rest of the table of a provider in the cloud.
pub(super) fn read(mut table: Table<'_>) -> Option<CloudConfig> {
    let hint = "name whose API it is: `provider = \"cloudflare\"`";
    let provider = table.required("provider", hint, |item| item.parse(provider));
    let hint = "name the file with the provider's credentials, mode 0600";
    let credentials = table.required("credentials-file", hint, |item| credentials(item, provider));
    let limit = timeout(&mut table);
    let zone = table.given("zone", |item: Item<'_>| item.parse(zone));
    table.finish();
    Some(CloudConfig {
        provider: provider?,
        credentials: credentials?,
        timeout: limit,
        zone: zone.value(),
    })
}

/// Reads the credentials of a provider.
fn credentials(item: Item<'_>, provider: Option<CloudProvider>) -> Option<Credentials> {
    let path = secret_file(item)?;
    let provider = provider?;
    let text = Zeroizing::new(item.scope().context.files.read(&path).unwrap_or_default());
    Credentials::parse(provider, &text).map_or_else(
        |wrong| {
            let complaint = Complaint::new(format!("`{}`: {wrong}", path.display()));
            let lines = |keys: &[&str]| keys.join("`, `");
            let optional = match provider.optional() {
                [] => String::new(),
                keys => format!(", and perhaps `{}`", lines(keys)),
            };
            let hint = format!(
                "for {} it holds, each as `key = \"value\"` on a line: `{}`{optional}",
                provider.name(),
                lines(provider.required())
            );
            item.complain(complaint.with_hint(hint))
        },
        Some,
    )
}

/// Recognises a provider.
fn provider(text: &str) -> Result<CloudProvider, Complaint> {
    let all = CloudProvider::ALL;
    all.into_iter()
        .find(|provider| provider.name() == text)
        .ok_or_else(|| unknown("provider", text, all.map(CloudProvider::name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a file of credentials.
    fn said(provider: CloudProvider, text: &str) -> String {
        Credentials::parse(provider, text).unwrap_err()
    }

    #[test]
    fn providers_are_listed_once_and_in_order() {
        assert!(CloudProvider::ALL.map(CloudProvider::name).is_sorted_by(|one, two| one < two));
    }

    #[test]
    fn credentials_are_the_providers_own() {
        let text = "username = \"me\"\ntoken = \"s3cret\"\n";
        let read = Credentials::parse(CloudProvider::LuaDns, text).unwrap();
        assert_eq!((read.get("token"), read.get("zone")), (Some("s3cret"), None));
        let (cloudflare, luadns) = (CloudProvider::Cloudflare, CloudProvider::LuaDns);
        assert_eq!(said(cloudflare, text), "`username` is no credential of cloudflare");
        assert_eq!(said(luadns, "token = \"x\""), "there is no line `username = \"...\"`");
        assert_eq!(said(cloudflare, "token = \"\""), "there is no line `token = \"...\"`");
    }

    #[test]
    fn a_credential_is_shown_nowhere() {
        let read = Credentials::parse(CloudProvider::Cloudflare, "token = 's3cret'").unwrap();
        assert_eq!(format!("{read:?}"), "{\"token\"}");
        for text in ["\ntoken = s3cret", "\ns3cret", "\ntoken = \"s3cret"] {
            let said = said(CloudProvider::Cloudflare, text);
            assert!(said.starts_with("in line 2: ") && !said.contains("s3cret"), "{said}");
        }
        for text in ["token = 12345", "token = ['12345']"] {
            let said = said(CloudProvider::Cloudflare, text);
            assert_eq!(said, "the value of `token` has to be a text: in quotation marks");
        }
    }
}
