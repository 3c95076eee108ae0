//! Many subjects side by side, and what they share looked at once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::coverage;
use super::domain::{Destination, Routes};
use super::facts::{Facts, Looker, Target};
use super::files::{self, OwnHost};
use super::finding::{Code, Finding, Severity, merge};
use super::outbound;
use super::server::{Judgement, Wanted};
use super::subject::{Audit, Kind, Server, Subject};
use crate::dns::Survey;
use crate::dns::memo::Memo;
use crate::name::DnsName;
use crate::ports::Clock;
use crate::probe::TlsProbe;

/// How many subjects are under way at once: enough to keep the network busy, few enough for the
/// open files of a process.
const SUBJECTS_AT_ONCE: usize = 128;

/// How many listeners are visited at once; a visit opens two connections.
const LISTENERS_AT_ONCE: usize = 64;

/// What is to be looked at.
#[derive(Clone, Debug)]
pub enum Task {
    /// A mail domain with all its MX hosts; a text that is no name is a finding.
    Domain(String),
    /// A mail server that nobody configured.
    Host(DnsName),
    /// A configured mail server: every service at every name.
    Own(Arc<OwnHost>),
    /// This machine, as a sender that resolves through these.
    Machine(Vec<SocketAddr>),
}

/// Is told how far an audit has come.
pub trait Progress: Send {
    /// One more subject is done, and this bad.
    fn done(&mut self, name: &str, severity: Severity);
}

/// Looks at subjects.
#[derive(Clone)]
pub struct Auditor(Arc<Shared>);

/// What the audits of all subjects share.
struct Shared {
    /// The view of the world.
    looker: Looker,
    /// The time.
    clock: Arc<dyn Clock>,
    /// What was seen of mail servers.
    servers: Memo<Target, Option<Arc<Facts>>>,
    /// The configured hosts, whose files are on this machine.
    own: Vec<Arc<OwnHost>>,
}

impl Auditor {
    /// An auditor with this view of the world. Of mail servers, only the addresses for which
    /// `wanted` holds are connected to.
    pub fn new(
        survey: Survey,
        probe: TlsProbe,
        clock: Arc<dyn Clock>,
        wanted: fn(&IpAddr) -> bool,
        own: Vec<Arc<OwnHost>>,
    ) -> Self {
        let at_once = Arc::new(Semaphore::new(LISTENERS_AT_ONCE));
        let looker = Looker { survey, probe, wanted, at_once };
        Self(Arc::new(Shared { looker, clock, servers: Memo::default(), own }))
    }

    /// Looks at all of it, side by side, and reports in the order asked for.
    pub async fn audit(&self, tasks: Vec<Task>, progress: &mut dyn Progress) -> Audit {
        let at_once = Arc::new(Semaphore::new(SUBJECTS_AT_ONCE));
        let mut under_way = JoinSet::new();
        for (position, task) in tasks.into_iter().enumerate() {
            let (shared, at_once) = (Arc::clone(&self.0), Arc::clone(&at_once));
            under_way.spawn(async move {
                // It is never closed, so this waits and does not fail.
                let _turn = at_once.acquire().await;
                (position, shared.subject(task).await)
            });
        }
        let mut subjects = Vec::new();
        while let Some(done) = under_way.join_next().await {
            match done {
                Ok((position, subject)) => {
                    progress.done(&subject.name, subject.severity());
                    subjects.push((position, subject));
                }
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        subjects.sort_by_key(|(position, _)| *position);
        let subjects = subjects.into_iter().map(|(_, subject)| subject).collect();
        Audit { at: self.0.clock.now().wall, subjects }
    }
}

impl Shared {
    /// Looks at one subject.
    async fn subject(&self, task: Task) -> Subject {
        match task {
            Task::Domain(text) => match text.parse::<DnsName>() {
                Ok(name) if name != DnsName::root() => self.domain(name).await,
                Ok(_) => no_domain(&text, "the root is no mail domain".to_owned()),
                Err(error) => no_domain(&text, error.to_string()),
            },
            Task::Host(name) => {
                let servers = self.server(Target::smtp(name.clone()), None, &name).await;
                let servers = servers.into_iter().collect();
                Subject { name: name.to_string(), kind: Kind::Host, findings: Vec::new(), servers }
            }
            Task::Own(host) => self.own(&host).await,
            Task::Machine(resolvers) => {
                let findings = merge(outbound::look(&self.looker.survey, &resolvers).await);
                let name = "this machine".to_owned();
                Subject { name, kind: Kind::Machine, findings, servers: Vec::new() }
            }
        }
    }

    /// Looks at a mail domain.
    async fn domain(&self, domain: DnsName) -> Subject {
        let mx = self.looker.survey.mx(&domain).await;
        let Routes { destinations, mut findings } = Routes::judge(&domain, &mx);
        let looks = destinations.iter().map(|destination| {
            let Destination { target, preference } = destination;
            self.server(target.clone(), *preference, &domain)
        });
        let servers = join_all(looks).await;
        let mut servers: Vec<Server> = servers.into_iter().flatten().collect();
        soften(&mut servers);
        findings.extend(coverage::judge(&servers));
        let mut findings = merge(findings);
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Subject { name: domain.to_string(), kind: Kind::Domain, findings, servers }
    }

    /// Looks at a mail server, on behalf of those who deliver to `domain`.
    async fn server(
        &self,
        target: Target,
        preference: Option<u16>,
        domain: &DnsName,
    ) -> Option<Server> {
        let own = self.own.iter().find(|host| host.names.contains(&target.name));
        let target = match own {
            // Left out on purpose for this host, whoever asks about it.
            Some(host) => Target { ignored: host.ignored.clone(), ..target },
            None => target,
        };
        let facts = self.facts(target).await?;
        let mut names = vec![facts.owner.base().clone()];
        names.extend((domain != &names[0]).then(|| domain.clone()));
        let wanted = match own {
            Some(host) if host.wants_one_kind => Wanted::ByPolicy,
            Some(_) | None => Wanted::TwoRecords,
        };
        let now = self.clock.now().wall;
        let mut server = Judgement { facts: &facts, preference, names, wanted, now }.judge();
        if let Some(host) = own {
            let findings = files::look(host, &server).await;
            server.findings.extend(findings);
            server.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        }
        Some(server)
    }

    /// Looks at a configured host: every service at every name.
    async fn own(&self, host: &OwnHost) -> Subject {
        let targets = host.names.iter().flat_map(|name| {
            let target = |service: &crate::config::Service| Target {
                name: name.clone(),
                port: service.port,
                connect_port: service.connect_port,
                protocol: service.protocol,
                addresses: host.addresses.clone(),
                ignored: host.ignored.clone(),
            };
            host.services.iter().map(target).collect::<Vec<_>>()
        });
        let looks = targets.map(|target| {
            let name = target.name.clone();
            async move { self.server(target, None, &name).await }
        });
        let servers = join_all(looks).await.into_iter().flatten().collect();
        let (name, findings) = (host.name.clone(), Vec::new());
        Subject { name, kind: Kind::Host, findings, servers }
    }

    /// What was seen of a mail server, looked at once.
    async fn facts(&self, target: Target) -> Option<Arc<Facts>> {
        let look = async { self.looker.look(target.clone()).await.map(Arc::new) };
        self.servers.get(target.clone(), look).await
    }
}

/// A text that is no domain.
fn no_domain(text: &str, reason: String) -> Subject {
    let findings = vec![Finding::unknown(Code::NameInvalid, reason)];
    Subject { name: text.to_owned(), kind: Kind::Domain, findings, servers: Vec::new() }
}

/// A server without an address is no more than a warning where others take the mail.
fn soften(servers: &mut [Server]) {
    let reachable = servers.iter().any(|server| !server.listeners.is_empty());
    for finding in servers.iter_mut().flat_map(|server| &mut server.findings) {
        if reachable && finding.code == Code::NoAddress {
            finding.severity = Severity::Warning;
        }
    }
}

/// Waits for all of them at once, in one task, and returns what they come to in their order.
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_ready = true;
        for (future, output) in &mut waiting {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => is_ready = false,
                }
            }
        }
        match is_ready {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}
