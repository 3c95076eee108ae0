//! The configuration: what was written becomes what it means, or every error at once.
//!
//! The types here are the meaning: names are parsed, files are named by absolute path, references
//! resolved, defaults filled in. Nothing outside this module sees what was written.
//!
//! [`load`] reads file after file (`document`) into tables of keys with their places, by the readers
//! of `host`, `service`, `deploy`, `issuer`, `dns` (with `cloud`) and `resolver`; `whole` then makes of
//! them what they mean together. Nothing stops at the first error. A secret file that is missing or open to
//! others is an error here, so that nothing is ever begun with half a configuration.

mod acme;
#[cfg(feature = "cloud")]
mod cloud;
mod context;
mod deploy;
mod dns;
mod document;
mod file;
mod host;
mod issuer;
mod known;
mod notify;
mod policy;
mod resolver;
mod service;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use acme::{AcmeConfig, ExternalAccount, ProofConfig};
#[cfg(feature = "cloud")]
pub use cloud::{CloudConfig, CloudProvider, Credentials};
pub use file::{Disk, Files};
pub use known::{CaTable, KnownAnchors};

use crate::diagnostic::Diagnostic;
use crate::name::DnsName;
use crate::pki::KeyType;
use crate::policy::Policy;
use crate::ports::Protocol;
pub use crate::rollover::spec::ForeignRecords;
use crate::time::{Span, Ttl};
use crate::tlsa::TlsaOwner;

/// What the caller knows of the process's environment: nothing here asks for it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Environment {
    /// `$STATE_DIRECTORY`, which systemd sets for `StateDirectory=`: paths with colons between them.
    pub state_directory: Option<String>,
    /// `$CREDENTIALS_DIRECTORY`, which systemd sets for `LoadCredential=`.
    pub credentials_directory: Option<PathBuf>,
}

/// Reads the configuration at `path`, and every file that it names.
///
/// # Errors
///
/// All that is wrong in any of the files, sorted by file and line.
pub fn load(path: &Path, environment: &Environment) -> Result<Configuration, Vec<Diagnostic>> {
    match std::path::absolute(path) {
        Ok(path) => parse(&path, &Disk, environment),
        Err(error) => {
            let message = format!("cannot find the configuration: {error}");
            let name = path.display().to_string();
            Err(vec![Diagnostic::of_file(name, message)])
        }
    }
}

/// As [`load`], of an absolute `path` in any file system.
///
/// # Errors
///
/// All that is wrong in any of the files, sorted by file and line.
pub fn parse(
    path: &Path,
    files: &dyn Files,
    environment: &Environment,
) -> Result<Configuration, Vec<Diagnostic>> {
    whole::parse(path, files, environment)
}

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Where the ledger, keys and chains are kept.
    pub state_dir: PathBuf,
    /// The validating view of the DNS.
    pub resolver: ResolverConfig,
    /// Issuers by name.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// Providers of DNS changes by name.
    pub dns: BTreeMap<String, DnsConfig>,
    /// Hosts by name, as written (in lower case).
    pub hosts: BTreeMap<String, HostConfig>,
    /// The hosts for which no `key-types` were written, so that theirs is the default.
    pub default_key_types: BTreeSet<String>,
    /// Who is told of trouble and of changes; `None`: nobody.
    pub notify: Option<NotifyConfig>,
}

impl Configuration {
    /// Whether a host takes a certificate with a key of any type: another client brings it and makes
    /// the keys, and nobody said of which type they are to be.
    pub fn takes_any_key(&self, host: &HostConfig) -> bool {
        self.default_key_types.contains(&host.name)
            && matches!(self.issuers.get(&host.issuer), Some(IssuerConfig::External(_)))
    }
}

/// Who is told of trouble and of changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotifyConfig {
    /// An argv that gets each notice on its standard input.
    pub command: Option<Vec<String>>,
    /// A URL that each notice is posted to.
    pub webhook: Option<String>,
    /// A mail address that each notice is sent to.
    pub sendmail: Option<String>,
    /// The program that takes mail.
    pub sendmail_program: PathBuf,
    /// What is told.
    pub on: Occasions,
    /// The pause before trouble that lasts is told again.
    pub repeat: Span,
}

/// What is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasions {
    /// Trouble, and all that is done.
    Both,
    /// All that is done.
    Change,
    /// What somebody has to do something about, and that it is over.
    Trouble,
}

/// The validating view of the DNS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResolverConfig {
    /// The resolvers to ask, in order; empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Trust anchors as DS or DNSKEY records in zone-file format; `None`: those of the IANA root.
    pub trust_anchor_file: Option<PathBuf>,
}

/// Where certificates come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IssuerConfig {
    /// An ACME CA (RFC 8555).
    Acme(AcmeConfig),
    /// Another ACME client, which brings what it obtained.
    External(ExternalConfig),
    /// A CA whose key is at hand.
    OwnCa(OwnCaConfig),
}

/// Another ACME client, which brings what it obtained.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExternalConfig {
    /// Which certificate of a chain `2 1 1` names.
    pub trust_anchor: AnchorChoice,
    /// CA certificates known beforehand.
    pub known_anchors: Vec<KnownAnchors>,
}

impl ExternalConfig {
    /// The same for a host with keys of these types.
    #[must_use]
    pub fn for_keys(&self, key_types: &[KeyType]) -> Self {
        let known = self.known_anchors.iter().map(|known| known.for_keys(key_types));
        Self { known_anchors: known.collect(), ..self.clone() }
    }
}

/// Which certificate of a chain is named as its trust anchor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnchorChoice {
    /// The one that signed the server's certificate.
    IssuingCa,
    /// The root, which then must be sent.
    Root,
}

/// A CA whose key is at hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnCaConfig {
    /// Its certificate (PEM), perhaps followed by those above it.
    pub certificate_file: PathBuf,
    /// Its key (PEM).
    pub key_file: PathBuf,
    /// How long certificates are valid.
    pub validity: Span,
}

/// Who takes the changes to zones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DnsConfig {
    /// A primary.
    Rfc2136(Rfc2136Config),
    /// A provider behind an executable.
    Plugin(PluginConfig),
    /// A provider behind an API of its own.
    #[cfg(feature = "cloud")]
    Cloud(CloudConfig),
}

/// A provider behind an executable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PluginConfig {
    /// The executable and its arguments.
    pub command: Vec<String>,
    /// The file whose content is handed over in the first message.
    pub credentials_file: Option<PathBuf>,
    /// How long it may take for each answer.
    pub timeout: Span,
    /// The zone, where it is not to be looked up.
    pub zone: Option<DnsName>,
}

/// A primary that takes dynamic updates (RFC 2136).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rfc2136Config {
    /// The server that takes updates, and those that stand in for it, in order; never empty.
    pub servers: Vec<SocketAddr>,
    /// The TSIG key, as a BIND key file.
    pub tsig_key_file: PathBuf,
    /// The zone, where it is not to be looked up.
    pub zone: Option<DnsName>,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name in the configuration.
    pub name: String,
    /// Subject alternative names and TLSA base domains; never empty.
    pub names: Vec<DnsName>,
    /// Its services; never empty. Every service is at every name.
    pub services: Vec<Service>,
    /// The kinds of key, one certificate each; never empty, no family twice.
    pub key_types: Vec<KeyType>,
    /// Where to probe; empty: the names' A and AAAA records.
    pub addresses: Vec<IpAddr>,
    /// Its policy.
    pub policy: Arc<Policy>,
    /// The name of its issuer, which exists.
    pub issuer: String,
    /// The issuers that are turned to, in this order, where the one before fails again and again; they
    /// exist, and none is external.
    pub fallback_issuers: Vec<String>,
    /// The name of its provider of DNS changes, which exists.
    pub dns: String,
    /// The TTL of RRsets that are written; `None`: the present one's.
    pub tlsa_ttl: Option<Ttl>,
    /// What becomes of records that fit nothing known.
    pub foreign_records: ForeignRecords,
    /// Name servers left out of the propagation check, by name or address.
    pub ignore_name_servers: Vec<String>,
    /// Where its credentials go.
    pub deploy: DeployConfig,
}

impl HostConfig {
    /// The owners of its TLSA RRsets: every service at every name.
    pub fn owners(&self) -> Vec<TlsaOwner> {
        let pairs = self
            .names
            .iter()
            .flat_map(|name| self.services.iter().map(move |service| (name.clone(), service.port)));
        pairs.filter_map(|(name, port)| TlsaOwner::new(name, port).ok()).collect()
    }
}

/// A service of a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Service {
    /// The port in the TLSA owner.
    pub port: u16,
    /// The port to connect to.
    pub connect_port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// Where a host's credentials go, and what carries them there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DeployConfig {
    /// Files on this machine.
    Files(FilesConfig),
    /// A command of the operator's.
    Exec(ExecConfig),
    /// Files on other machines, by ssh.
    Ssh(SshConfig),
}

/// A command of the operator's that deploys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExecConfig {
    /// The command: an argv.
    pub command: Vec<String>,
    /// The command that prints what is in place, where there is one.
    pub read_command: Option<Vec<String>>,
    /// How long each of them may take.
    pub timeout: Span,
}

/// Files on other machines, which together are the host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SshConfig {
    /// The machines, as ssh is given them; never empty.
    pub machines: Vec<String>,
    /// What else ssh is given.
    pub arguments: Vec<String>,
    /// The files on each machine, and its reload command.
    pub files: FilesConfig,
    /// In which order the machines switch.
    pub order: MachineOrder,
    /// How long a connection may take to come about.
    pub connect_timeout: Span,
}

/// In which order several machines switch to a new credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MachineOrder {
    /// One after another, as they are listed.
    OneByOne,
    /// All at once.
    Together,
}

/// Files that a mail server reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FilesConfig {
    /// Where key and chain go.
    pub place: Place,
    /// The files' owner, by name or number.
    pub owner: Option<String>,
    /// The files' group, by name or number.
    pub group: Option<String>,
    /// The files' permissions.
    pub mode: u32,
    /// The command that makes the server read them: an argv; empty: none is needed.
    pub reload: Vec<String>,
    /// How long that command may take.
    pub reload_timeout: Span,
}

/// Where key and chain go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// One file per key type, in the order of `key-types`: key first, then the chain.
    ChainFiles(Vec<PathBuf>),
    /// A certificate file and a key file, switched together.
    Separate {
        /// The chain.
        certificate_file: PathBuf,
        /// The key.
        key_file: PathBuf,
    },
}
