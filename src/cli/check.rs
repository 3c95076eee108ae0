//! `rollover check`: audits mail domains, mail servers and this machine, and reports in the form asked
//! for. The exit code is a monitoring plugin's.

pub mod args;
pub(in crate::cli) mod html;
mod json;
mod nagios;
mod progress;
mod prometheus;
mod style;
mod text;

use std::io::{Read as _, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Global;
use super::{Failure, world};
use crate::audit::files::OwnHost;
use crate::audit::{Audit, Auditor, Severity, Task};
use crate::clock::SystemClock;
use crate::config::{Configuration, DeployConfig, HostConfig, Place};
use crate::dns::{Anchors, Survey, system_resolvers};
use crate::name::DnsName;
use crate::ports::Clock;
use crate::probe::{Settings, TlsProbe};
pub use args::CheckArgs;
use args::Format;
use progress::Line;
use text::Detail;

/// Audits what the arguments name, and reports.
pub(super) async fn run(
    global: &Global,
    arguments: &CheckArgs,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let outcome = audit(global, arguments).await;
    let audit = match outcome {
        Ok(audit) => audit,
        Err(failure) => {
            failure.tell(err);
            if arguments.form() == Format::Nagios {
                let _ = writeln!(out, "DANE UNKNOWN - the check could not be made");
            }
            return Err(Failure::Verdict(Severity::Unknown.exit_code()));
        }
    };
    let text = match arguments.form() {
        Format::Text => {
            let detail = if global.quiet { Detail::Trouble } else { Detail::All };
            text::text(&audit, detail, super::colours(global, &std::io::stdout()))
        }
        Format::Json => format!("{:#}\n", json::json(&audit)),
        Format::Nagios => nagios::text(&audit),
        Format::Prometheus => prometheus::text(&audit),
    };
    let _ = out.write_all(text.as_bytes());
    if let Some(path) = &arguments.html
        && let Err(error) = write_page(path, &html::page(&audit))
    {
        let _ = writeln!(err, "rollover: cannot write {}: {error}", path.display());
        return Err(Failure::Verdict(Severity::Unknown.exit_code()));
    }
    match audit.severity() {
        Severity::Ok => Ok(()),
        worse @ (Severity::Warning | Severity::Unknown | Severity::Critical) => {
            Err(Failure::Verdict(worse.exit_code()))
        }
    }
}

/// Makes the audit.
async fn audit(global: &Global, arguments: &CheckArgs) -> Result<Audit, Failure> {
    let configuration = match global.config.exists() {
        true => Some(world::read_configuration(global)?),
        false => None,
    };
    let own = configuration.as_ref().map(own_hosts).unwrap_or_default();
    let tasks = tasks(global, arguments, &own)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let wanted = arguments.families();
    let resolvers = match (&arguments.resolver[..], &configuration) {
        ([], Some(configuration)) => configuration.resolver.servers.clone(),
        (given, _) => given.to_vec(),
    };
    let anchors = match (&arguments.trust_anchor_file, &configuration) {
        (Some(path), _) => world::read_anchor_file(path)?,
        (None, Some(configuration)) => world::read_anchors(configuration)?,
        (None, None) => Anchors::iana(),
    };
    let survey = Survey::new(&resolvers, anchors, Arc::clone(&clock), wanted);
    let settings =
        Settings { with_sni: 1, without_sni: 1, limit: arguments.timeout, ..Settings::default() };
    let auditor = Auditor::new(survey, TlsProbe::with_settings(settings), clock, wanted, own);
    let mut line = Line::new(tasks.len(), global.quiet);
    let audit = auditor.audit(tasks, &mut line).await;
    line.clear();
    Ok(audit)
}

/// What the command line asks for; everything configured where it names nothing.
fn tasks(
    global: &Global,
    arguments: &CheckArgs,
    own: &[Arc<OwnHost>],
) -> Result<Vec<Task>, Failure> {
    let mut tasks: Vec<Task> = arguments.names.iter().cloned().map(Task::Domain).collect();
    for path in &arguments.file {
        tasks.extend(names_in(path)?.into_iter().map(Task::Domain));
    }
    for text in &global.hosts {
        let name: DnsName = text.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
        let configured =
            own.iter().find(|host| host.name == name.as_str() || host.names.contains(&name));
        tasks.push(configured.map_or(Task::Host(name), |host| Task::Own(Arc::clone(host))));
    }
    let named = !tasks.is_empty() || !arguments.file.is_empty();
    if !named {
        tasks.extend(own.iter().map(Arc::clone).map(Task::Own));
    }
    if arguments.outbound {
        let resolvers = match &arguments.resolver[..] {
            [] => system_resolvers(),
            given => given.to_vec(),
        };
        tasks.push(Task::Machine(resolvers));
    }
    match tasks.is_empty() && !named {
        false => Ok(tasks),
        true => Err(Failure::Usage(format!(
            "there is nothing to check: name a mail domain, as in `rollover check example.nl`, or a \
             server with --host; {} configures no host",
            global.config.display()
        ))),
    }
}

/// The names in a file, one a line; `#` begins a comment, and `-` is standard input.
fn names_in(path: &Path) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text).map(|_octets| ()),
        false => std::fs::read_to_string(path).map(|all| text = all),
    };
    read.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    let lines = text.lines().filter_map(|line| line.split('#').next()).map(str::trim);
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The configured hosts, as an audit sees them.
fn own_hosts(configuration: &Configuration) -> Vec<Arc<OwnHost>> {
    let own = |host| Arc::new(own_host(host, &configuration.state_dir));
    configuration.hosts.values().map(own).collect()
}

/// A configured host, as an audit sees it.
fn own_host(host: &HostConfig, state_dir: &Path) -> OwnHost {
    let (files, reload) = match &host.deploy {
        DeployConfig::Files(config) => (files(&config.place), config.reload.clone()),
        // What other machines' servers read cannot be found out from here.
        DeployConfig::Exec(_) | DeployConfig::Ssh(_) => (Vec::new(), Vec::new()),
    };
    OwnHost {
        name: host.name.clone(),
        names: host.names.clone(),
        services: host.services.clone(),
        addresses: host.addresses.clone(),
        ignored: host.ignore_name_servers.clone(),
        wants_one_kind: host.policy.records.len() == 1,
        files,
        reload,
        deployer: world::deployer(host, state_dir),
    }
}

/// The files of a place.
fn files(place: &Place) -> Vec<PathBuf> {
    match place {
        Place::ChainFiles(paths) => paths.clone(),
        Place::Separate { certificate_file, key_file } => {
            vec![certificate_file.clone(), key_file.clone()]
        }
    }
}

/// Puts a page where a web server may read it: whole, or not at all.
fn write_page(path: &Path, page: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or_else(|| Path::new(".")))?;
    file.write_all(page.as_bytes())?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Every address.
fn any_address(_: &IpAddr) -> bool {
    true
}

impl CheckArgs {
    /// Which addresses are asked and connected to.
    fn families(&self) -> fn(&IpAddr) -> bool {
        match (self.ipv4, self.ipv6) {
            (true, false) => IpAddr::is_ipv4,
            (false, true) => IpAddr::is_ipv6,
            (false, false) | (true, true) => any_address,
        }
    }

    /// In which form to report.
    fn form(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Reads the address of a resolver: port 53 unless it says otherwise.
pub(super) fn resolver_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let ip: IpAddr = bare.parse().map_err(|_error| {
        "an IP address and perhaps a port: `192.0.2.53`, `[2001:db8::53]:5353`".to_owned()
    })?;
    Ok(SocketAddr::new(ip, 53))
}
