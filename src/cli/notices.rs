//! After a pass: what it found goes to whom `[notify]` names.

use std::io::Write;

use super::report;
use super::world::World;
use crate::ledger::PassLock;
use crate::notify::{News, Outbox};
use crate::pass::{PassError, Report};

/// Keeps what is worth a notice, and sends what has not arrived. Where that fails, standard error says
/// so: there it reaches whoever reads cron's mail.
pub(super) async fn tell(
    world: &World,
    lock: &PassLock,
    reports: &[(String, Result<Report, PassError>)],
    err: &mut (dyn Write + Send),
) {
    let Some(config) = &world.notify else { return };
    let outbox = Outbox::open(&world.state_dir, lock);
    let news: Vec<News> = reports.iter().filter_map(|(host, result)| news(host, result)).collect();
    if let Err(error) = outbox.post(&news, config, world.clock.now().wall) {
        let _ = writeln!(err, "rollover: {error}");
    }
    for failed in outbox.deliver(config).await {
        let (channel, reason, waiting) = (failed.channel, failed.reason, failed.waiting);
        let _ = writeln!(
            err,
            "rollover: cannot tell by {channel}: {reason}\n  hint: see [notify] in the \
             configuration; {waiting} waiting, tried again in the next pass; mail is not affected"
        );
    }
}

/// What a pass brought for one host; `None` where it was not made at all.
fn news(host: &str, result: &Result<Report, PassError>) -> Option<News> {
    let (trouble, changes) = match result {
        Ok(report) => {
            let told = [&report.attention[..], &report.warnings[..]].concat();
            (report::attention(host, &told), report::done(report))
        }
        Err(PassError::Request(_)) => return None,
        Err(error) => (report::broken(host, error), String::new()),
    };
    Some(News { host: host.to_owned(), trouble, changes })
}
