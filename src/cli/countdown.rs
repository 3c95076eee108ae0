//! What `--wait` shows on a terminal while it sleeps: a line for each server, with what it waits for and
//! the time left. Elsewhere nothing: what happened is said in plain lines by others.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pass::Report;
use crate::ports::Clock;
use crate::time::{Span, Timestamp};

/// How often the lines are written anew.
const TICK: Duration = Duration::from_secs(1);

/// Lines that are written over and over.
pub(super) struct Countdown {
    /// Where they go; nowhere where standard error is no terminal that can write over itself.
    target: fn() -> ProgressDrawTarget,
}

impl Countdown {
    /// The lines of a command.
    pub(super) fn new(quiet: bool) -> Self {
        // indicatif itself shows nothing where standard error is no terminal.
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let target =
            if quiet || is_dumb { ProgressDrawTarget::hidden } else { ProgressDrawTarget::stderr };
        Self { target }
    }

    /// Sleeps for `span`, and shows what is waited for meanwhile. Afterwards nothing of it is left.
    pub(super) async fn sleep(&self, clock: &dyn Clock, waiting: &[&Report], span: Span) {
        let lines = MultiProgress::with_draw_target((self.target)());
        let bars: Vec<(ProgressBar, &Report)> = waiting
            .iter()
            .map(|report| {
                let bar = lines.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                    bar.set_style(style);
                }
                (bar, *report)
            })
            .collect();
        let show = async {
            loop {
                let now = clock.now().wall;
                for (bar, report) in &bars {
                    bar.set_message(line(report, now));
                }
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::select! {
            () = clock.sleep(span) => {}
            () = show => {}
        }
        for (bar, _) in &bars {
            bar.finish_and_clear();
        }
    }
}

/// What one server waits for: the reason that lasts longest, and the time left where it is known.
fn line(report: &Report, now: Timestamp) -> String {
    let host = &report.host;
    let reasons = report.wait().map(|wait| wait.reasons.as_slice()).unwrap_or_default();
    let Some(last) = reasons.iter().max_by_key(|reason| reason.until()) else {
        return format!("{host}: at work");
    };
    match last.until().filter(|until| now < *until) {
        Some(until) => {
            let left = Span::from_seconds(until.since(now).as_seconds().max(1));
            format!("{host}: {left} left: {last}")
        }
        None => format!("{host}: waiting for {last}"),
    }
}
