//! A pass over every server, and `--wait`: passes until every rollover in flight is done.

use std::collections::BTreeMap;
use std::io::{Write, stderr, stdout};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::args::Cli;
use super::countdown::Countdown;
use super::report::Stays;
use super::world::World;
use super::{Failure, layout, notices, report};
use crate::ledger::PassLock;
use crate::pass::{HostPass, PassError, Report};
use crate::rollover::action::Request;
use crate::time::{Span, Timestamp};

/// How many servers are worked on at once: each is mostly waited for.
const HOSTS_AT_ONCE: usize = 32;

/// The shortest pause between two passes of `--wait` where nobody can tell how long it will take.
const PAUSE_MIN: Span = Span::from_millis(500);

/// The longest such pause.
const PAUSE_MAX: Span = Span::from_seconds(5);

/// The longest sleep where the end is known: the operator may have changed something.
const SLEEP_MAX: Span = Span::from_seconds(30);

/// Makes a pass, or passes until all is done.
///
/// # Errors
///
/// Where the ledger is held or broken, or the request makes no sense for some server.
pub(super) async fn run(
    cli: &Cli,
    world: &World,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let mut request = cli.start.request();
    let mut pause = PAUSE_MIN;
    let mut said = BTreeMap::new();
    let countdown = Countdown::new(cli.global.quiet);
    let mut first = true;
    loop {
        let reports = match lock(world) {
            Ok(lock) => {
                if let Some(request) = &request {
                    refuse_nonsense(world, request)?;
                }
                let reports = pass(world, request.take()).await;
                tidy(world, &lock);
                notices::tell(world, &lock, &reports, err).await;
                drop(lock);
                reports
            }
            // Cron's pass and a waiting operator do not block each other.
            Err(Failure::Held(_)) if !first => {
                world.clock.sleep(PAUSE_MIN).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        first = false;
        let outcome = tell(cli, world, &reports, &mut said, out, err);
        if !cli.start.wait {
            return outcome;
        }
        let waiting: Vec<&Report> = reports
            .iter()
            .filter_map(|(_, result)| result.as_ref().ok())
            .filter(|report| report.is_in_flight() && report.attention.is_empty())
            .collect();
        if waiting.is_empty() {
            return outcome;
        }
        let acted = waiting.iter().any(|report| !report.events.is_empty());
        pause = if acted { PAUSE_MIN } else { pause.times(3).fraction(1, 2).min(PAUSE_MAX) };
        let span = sleep_for(&waiting, world.clock.now().wall, pause);
        countdown.sleep(&*world.clock, &waiting, span).await;
    }
}

/// Locks the ledger for one pass.
fn lock(world: &World) -> Result<PassLock, Failure> {
    PassLock::acquire(&world.state_dir).map_err(Failure::from)
}

/// Removes keys and chains that nobody has had a use for in a long time. That it fails is no reason to
/// wake anybody: too much is left, and the next pass tries again.
fn tidy(world: &World, lock: &PassLock) {
    if let Err(error) = world.ledger.sweep(lock, world.clock.now().wall) {
        tracing::warn!(%error, "old files are left");
    }
}

/// Refuses a request that makes no sense for some server, before anything is done for any.
fn refuse_nonsense(world: &World, request: &Request) -> Result<(), Failure> {
    for host in &world.hosts {
        host.refuse_nonsense(request)
            .map_err(|error| Failure::of_pass(&host.spec().name, error))?;
    }
    Ok(())
}

/// Makes one pass over every server, side by side.
async fn pass(world: &World, request: Option<Request>) -> Vec<(String, Result<Report, PassError>)> {
    let places = Arc::new(Semaphore::new(HOSTS_AT_ONCE));
    let mut passes = JoinSet::new();
    for host in &world.hosts {
        let (host, request): (Arc<HostPass>, _) = (Arc::clone(host), request.clone());
        let places = Arc::clone(&places);
        passes.spawn(async move {
            let _place = places.acquire().await;
            (host.spec().name.clone(), host.run(request).await)
        });
    }
    let mut reports = passes.join_all().await;
    world.leave().await;
    reports.sort_by(|(a, _), (b, _)| a.cmp(b));
    reports
}

/// Says what happened, and what needs attention. `said` is what was last said to be waited for:
/// `--wait` does not say it again.
fn tell(
    cli: &Cli,
    world: &World,
    reports: &[(String, Result<Report, PassError>)],
    said: &mut BTreeMap<String, String>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let now = world.clock.now().wall;
    let mut attention = false;
    let mut nonsense = None;
    for (host, result) in reports {
        match result {
            Ok(report) => {
                if !cli.global.quiet {
                    let stays = if cli.start.wait { Stays::Yes } else { Stays::No };
                    let mut text = report::happened(report, now, stays);
                    if text.is_empty() && (0 < cli.global.verbose || cli.start.wait) {
                        text = report::standing(report, now);
                    }
                    if said.get(host) != Some(&text) {
                        let shown = layout::shown(text.clone(), &stdout());
                        let _ = out.write_all(shown.as_bytes());
                    }
                    said.insert(host.clone(), text);
                }
                attention |= !report.attention.is_empty();
                for problems in [&report.attention, &report.warnings] {
                    let trouble = report::attention(host, problems);
                    let _ = err.write_all(layout::shown(trouble, &stderr()).as_bytes());
                }
            }
            // At first sight of a host only the look tells that a request makes no sense.
            Err(PassError::Request(error)) => {
                nonsense.get_or_insert_with(|| format!("{host}: {error}"));
            }
            Err(error) => {
                attention = true;
                let broken = layout::shown(report::broken(host, error), &stderr());
                let _ = err.write_all(broken.as_bytes());
            }
        }
    }
    let _ = out.flush();
    match (attention, nonsense) {
        (true, _) => Err(Failure::Attention),
        (false, Some(message)) => Err(Failure::Usage(message)),
        (false, None) => Ok(()),
    }
}

/// How long to sleep before the next pass: until the first known end, else for `pause`.
fn sleep_for(waiting: &[&Report], now: Timestamp, pause: Span) -> Span {
    let known = waiting.iter().map(|report| report.wake().map(|until| until.since(now)));
    let shortest = known.map(|span| span.map_or(pause, |span| span.min(SLEEP_MAX))).min();
    shortest.unwrap_or(pause).max(Span::from_millis(10))
}
