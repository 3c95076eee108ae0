//! The adapters, put together as the configuration says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Failure;
use super::args::Global;
use crate::clock::SystemClock;
use crate::config::{
    self, Configuration, DeployConfig, DnsConfig, Environment, HostConfig, IssuerConfig,
    NotifyConfig,
};
use crate::deploy::{Exec, Files, Ssh};
use crate::diagnostic::nearest;
use crate::dns::{Anchors, Authority, Convoy, Plugin, PluginSettings, Rfc2136, TsigKey};
use crate::issuer::{Acme, External, Limits, Listeners, OwnCa, Staging, Surroundings};
use crate::ledger::{LockError, SqliteLedger};
use crate::pass::{HostPass, HostPorts, PassError, Report};
use crate::pki::KeyType;
use crate::ports::{Clock, Deployer, IssueError, Issuer, LedgerError, Publisher};
use crate::probe::TlsProbe;
use crate::randomness::SystemRandomness;
use crate::rollover::action::Request;
use crate::secret;
use crate::time::Span;

/// How long one connection to a listener may take.
const PROBE_LIMIT: Span = Span::from_seconds(10);

/// All that a command works with.
pub(super) struct World {
    /// Where the ledger and its lock are.
    pub(super) state_dir: PathBuf,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// The ledger.
    pub(super) ledger: Arc<SqliteLedger>,
    /// The hosts that the command works on, by name.
    pub(super) hosts: Vec<Arc<HostPass>>,
    /// Who is told of trouble and of changes.
    pub(super) notify: Option<NotifyConfig>,
}

/// What several hosts share.
struct Shared {
    /// What the configuration says.
    configuration: Configuration,
    /// The time.
    clock: Arc<dyn Clock>,
    /// The ledger.
    ledger: Arc<SqliteLedger>,
    /// The view of the DNS.
    dns: Arc<Authority>,
    /// The primaries, by name.
    publishers: BTreeMap<String, Arc<dyn Publisher>>,
    /// Who answers by HTTP to CAs that look at proofs.
    listeners: Listeners,
}

impl World {
    /// The world of a command that acts.
    pub(super) fn open(global: &Global) -> Result<Self, Failure> {
        let configuration = read_configuration(global)?;
        let ledger = SqliteLedger::open(&configuration.state_dir)?;
        Self::assemble(global, configuration, Arc::new(ledger))
    }

    /// The world of a command that only looks.
    pub(super) fn open_for_reading(global: &Global) -> Result<Self, Failure> {
        let configuration = read_configuration(global)?;
        let ledger = SqliteLedger::open_read_only(&configuration.state_dir)?;
        Self::assemble(global, configuration, Arc::new(ledger))
    }

    /// Puts the adapters together.
    fn assemble(
        global: &Global,
        configuration: Configuration,
        ledger: Arc<SqliteLedger>,
    ) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let chosen = choose(global, &configuration)?;
        let resolver = &configuration.resolver;
        let anchors = read_anchors(&configuration)?;
        let dns = Arc::new(Authority::new(&resolver.servers, anchors, Arc::clone(&clock)));
        let publishers = publishers(&configuration, &clock)?;
        let state_dir = configuration.state_dir.clone();
        let notify = configuration.notify.clone();
        let listeners = Listeners::default();
        let shared = Shared { configuration, clock, ledger, dns, publishers, listeners };
        let hosts: Result<Vec<_>, Failure> =
            chosen.into_iter().map(|host| shared.host(host).map(Arc::new)).collect();
        let Shared { clock, ledger, .. } = shared;
        Ok(Self { state_dir, clock, ledger, hosts: hosts?, notify })
    }

    /// Says that the pass is over to what was started for it.
    pub(super) async fn leave(&self) {
        for host in &self.hosts {
            host.leave().await;
        }
    }

    /// Looks at every host and decides, without doing anything.
    pub(super) async fn preview(
        &self,
        request: Option<Request>,
    ) -> Result<Vec<(Arc<HostPass>, Report)>, Failure> {
        let mut looks = JoinSet::new();
        for (position, host) in self.hosts.iter().enumerate() {
            let (host, request) = (Arc::clone(host), request.clone());
            looks.spawn(async move {
                let report = host.preview(request).await;
                (position, host, report)
            });
        }
        let mut reports = looks.join_all().await;
        reports.sort_by_key(|(position, ..)| *position);
        reports
            .into_iter()
            .map(|(_, host, report)| match report {
                Ok(report) => Ok((host, report)),
                Err(error) => Err(Failure::of_pass(&host.spec().name, error)),
            })
            .collect()
    }
}

impl Shared {
    /// One host with its ports.
    fn host(&self, mut host: HostConfig) -> Result<HostPass, Failure> {
        if self.configuration.takes_any_key(&host) {
            host.key_types = self.key_types_at_hand(&host);
        }
        let publisher = Arc::clone(&self.publishers[&host.dns]);
        let mut issuers: BTreeMap<String, Arc<dyn Issuer>> = BTreeMap::new();
        for (name, config) in &self.configuration.issuers {
            let issuer: Arc<dyn Issuer> = match config {
                IssuerConfig::OwnCa(config) => {
                    let state_dir = &self.configuration.state_dir;
                    let clock = Arc::clone(&self.clock);
                    Arc::new(OwnCa::new(name, config, state_dir, clock).map_err(unusable)?)
                }
                IssuerConfig::External(config) => {
                    let staging = Staging::new(&self.configuration.state_dir, &host.name);
                    let clock = Arc::clone(&self.clock);
                    let config = config.for_keys(&host.key_types);
                    let external = External::new(name, &config, staging, &host.names, clock);
                    Arc::new(external.map_err(unusable)?)
                }
                IssuerConfig::Acme(config) => {
                    let around = Surroundings {
                        state_dir: self.configuration.state_dir.clone(),
                        publisher: Arc::clone(&publisher),
                        dns: self.dns.clone(),
                        ignored_name_servers: host.ignore_name_servers.clone(),
                        listeners: self.listeners.clone(),
                        clock: Arc::clone(&self.clock),
                    };
                    let config = config.for_keys(&host.key_types);
                    let acme = Acme::new(name, &config, around, Limits::default());
                    Arc::new(acme.map_err(unusable)?)
                }
            };
            issuers.insert(name.clone(), issuer);
        }
        let ports = HostPorts {
            clock: Arc::clone(&self.clock),
            keys: Arc::new(SystemRandomness),
            dns: self.dns.clone(),
            publisher,
            issuers,
            deployer: deployer(&host, &self.configuration.state_dir),
            probe: Arc::new(TlsProbe::new(PROBE_LIMIT)),
            ledger: self.ledger.clone(),
        };
        Ok(HostPass::new(host, ports))
    }
}

/// What carries a host's credentials to where they go.
pub(super) fn deployer(host: &HostConfig, state_dir: &Path) -> Arc<dyn Deployer> {
    match host.deploy.clone() {
        DeployConfig::Files(config) => Arc::new(Files::new(config, host.key_types.clone())),
        DeployConfig::Exec(config) => Arc::new(Exec::new(config, host, state_dir)),
        DeployConfig::Ssh(config) => Arc::new(Ssh::new(config, host.key_types.clone())),
    }
}

impl Shared {
    /// The key types of a host that takes those of its client: what is staged, else what is in place.
    fn key_types_at_hand(&self, host: &HostConfig) -> Vec<KeyType> {
        let staging = Staging::new(&self.configuration.state_dir, &host.name);
        let in_place = || match &host.deploy {
            DeployConfig::Files(config) => {
                let files = Files::new(config.clone(), host.key_types.clone());
                files.key_types_in_place().first().copied()
            }
            DeployConfig::Exec(_) | DeployConfig::Ssh(_) => None,
        };
        let found = staging.latest_key_type().or_else(in_place);
        found.map_or_else(|| host.key_types.clone(), |key_type| vec![key_type])
    }
}

/// The view of the DNS for a command that needs no configuration: through the configured resolvers
/// where there is a configuration, else the system's.
pub(super) fn dns_for_lookups(global: &Global) -> Result<Authority, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    if !global.config.exists() {
        return Ok(Authority::new(&[], Anchors::iana(), clock));
    }
    let configuration = read_configuration(global)?;
    let anchors = read_anchors(&configuration)?;
    Ok(Authority::new(&configuration.resolver.servers, anchors, clock))
}

/// Reads the configuration; all that is wrong in it at once.
pub(super) fn read_configuration(global: &Global) -> Result<Configuration, Failure> {
    let of = |name: &str| std::env::var_os(name);
    let environment = Environment {
        state_directory: of("STATE_DIRECTORY").and_then(|value| value.into_string().ok()),
        credentials_directory: of("CREDENTIALS_DIRECTORY").map(PathBuf::from),
    };
    config::load(&global.config, &environment).map_err(|diagnostics| {
        let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let end = "nothing was done, and mail goes on as it is";
        Failure::Usage(format!("{}\n{end}", texts.join("\n")))
    })
}

/// The hosts that the command line names; all of them where it names none.
fn choose(global: &Global, configuration: &Configuration) -> Result<Vec<HostConfig>, Failure> {
    if global.hosts.is_empty() {
        return Ok(configuration.hosts.values().cloned().collect());
    }
    let wanted: BTreeSet<String> =
        global.hosts.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect();
    wanted
        .into_iter()
        .map(|name| {
            configuration.hosts.get(&name).cloned().ok_or_else(|| {
                let path = global.config.display();
                let known = configuration.hosts.keys().map(String::as_str);
                let hint = match nearest(&name, known) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "`rollover status` shows all of them".to_owned(),
                };
                Failure::Usage(format!("there is no host `{name}` in {path}\n  hint: {hint}"))
            })
        })
        .collect()
}

/// The trust anchors that the configuration names, else the IANA root's.
pub(super) fn read_anchors(configuration: &Configuration) -> Result<Anchors, Failure> {
    let Some(path) = &configuration.resolver.trust_anchor_file else { return Ok(Anchors::iana()) };
    read_anchor_file(path)
}

/// The trust anchors in a file.
pub(super) fn read_anchor_file(path: &Path) -> Result<Anchors, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    Anchors::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

/// The primaries, with their keys.
pub(super) fn publishers(
    configuration: &Configuration,
    clock: &Arc<dyn Clock>,
) -> Result<BTreeMap<String, Arc<dyn Publisher>>, Failure> {
    let mut publishers: BTreeMap<String, Arc<dyn Publisher>> = BTreeMap::new();
    for (name, config) in &configuration.dns {
        let publisher: Arc<dyn Publisher> = match config {
            DnsConfig::Rfc2136(config) => {
                let key = TsigKey::read(&config.tsig_key_file)
                    .map_err(|error| Failure::Usage(format!("dns `{name}`: {error}")))?;
                let (servers, zone) = (config.servers.clone(), config.zone.clone());
                let primary = Rfc2136::new(servers, key, zone, Arc::clone(clock));
                let longest_call = primary.longest_call();
                Arc::new(Convoy::new(Arc::new(primary), longest_call))
            }
            DnsConfig::Plugin(config) => {
                let credentials = config.credentials_file.as_deref().map(secret::read).transpose();
                let credentials = credentials
                    .map_err(|error| Failure::Usage(format!("dns `{name}`: {error}")))?;
                let (command, limit) = (config.command.clone(), config.timeout);
                let zone = config.zone.clone();
                let settings = PluginSettings { command, credentials, limit, zone };
                Arc::new(Plugin::new(name, settings))
            }
            #[cfg(feature = "cloud")]
            DnsConfig::Cloud(config) => {
                let opened = crate::dns::Cloud::open(name, config);
                Arc::new(opened.map_err(|e| Failure::Usage(format!("dns `{name}`: {e}")))?)
            }
        };
        publishers.insert(name.clone(), publisher);
    }
    Ok(publishers)
}

/// An issuer that the configuration names and that cannot be used.
fn unusable(error: IssueError) -> Failure {
    Failure::Usage(format!("issuer {error}\n  hint: {}", error.hint))
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Broken { message: error.message, hint: error.hint }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { .. } => Self::Held(format!("{error}\n  hint: {}", error.hint())),
            LockError::Directory(error) => error.into(),
            LockError::File { .. } => {
                Self::Broken { message: error.to_string(), hint: error.hint() }
            }
        }
    }
}

impl Failure {
    /// A pass that could not be made over a host.
    pub(super) fn of_pass(host: &str, error: PassError) -> Self {
        match error {
            PassError::Request(error) => Self::Usage(format!("{host}: {error}")),
            PassError::Ledger(error) => error.into(),
            PassError::Unsettled { .. } => Self::Broken {
                message: error.to_string(),
                hint: "please report this as a bug; mail is not affected".to_owned(),
            },
        }
    }
}
