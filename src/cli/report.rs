//! What a pass says: nothing where nothing happened, a line per action, and where a server needs
//! attention, what is wrong, what it means for mail, and what to do.

use std::fmt::Write as _;

use super::layout::{self, clock_time};
use crate::pass::{DONE, PassError, Report};
use crate::ports::Event;
use crate::rollover::action::{Decision, Problem, Reason, Wait};
use crate::time::Timestamp;

/// Whether the command stays until all is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stays {
    /// It makes one pass: somebody has to continue.
    No,
    /// `--wait`
    Yes,
}

/// The lines for one server's pass on standard output; empty where nothing happened.
pub(super) fn happened(report: &Report, now: Timestamp, stays: Stays) -> String {
    let mut text = String::new();
    for event in &report.events {
        let _ = writeln!(text, "{}", event_line(&report.host, event));
    }
    if report.events.is_empty() || !report.is_in_flight() {
        return text;
    }
    if let Some(wait) = report.wait() {
        text.push_str(&waiting(&report.host, wait, now));
        if stays == Stays::No {
            let command = continue_command(&report.host);
            let _ = writeln!(text, "{} {}: to continue: {command}", clock_time(now), report.host);
        }
    }
    text
}

/// What was done in a pass, a line each.
pub(super) fn done(report: &Report) -> String {
    report.events.iter().map(|event| event_line(&report.host, event) + "\n").collect()
}

/// One event on one line.
fn event_line(host: &str, event: &Event) -> String {
    let time = clock_time(event.at);
    match event.result.as_str() {
        "" | DONE => format!("{time} {host}: {}", event.action),
        result => format!("{time} {host}: {}: {result}", event.action),
    }
}

/// One thing that is waited for, as `status` and `plan` have it: until when, for what, and what helps.
pub(super) fn reason(reason: &Reason, hint: Option<&str>, now: Timestamp) -> String {
    let until = reason.until().map(|until| format!("until {}\n", layout::moment(until, now)));
    let hint = hint.map(|hint| format!("\n{hint}"));
    format!("{}for {reason}{}", until.unwrap_or_default(), hint.unwrap_or_default())
}

/// What is waited for, a line per reason.
pub(super) fn waiting(host: &str, wait: &Wait, now: Timestamp) -> String {
    let mut text = String::new();
    for reason in &wait.reasons {
        let until = match reason.until() {
            Some(until) => format!(" until {}", layout::moment(until, now)),
            None => String::new(),
        };
        let _ = writeln!(text, "{} {host}: waiting{until} for {reason}", clock_time(now));
    }
    text
}

/// The command with which a waiting server is continued.
pub(super) fn continue_command(host: &str) -> String {
    format!("rollover --host {host} (what cron runs does it too; --wait stays until it is done)")
}

/// What needs attention, for standard error.
pub(super) fn attention(host: &str, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let message = problem.message.replace('\n', "\n  ");
        let _ = writeln!(text, "rollover: {host}: {message}");
        let _ = writeln!(text, "  hint: {}", problem.hint);
    }
    text
}

/// Where a server stands, for those who asked to be told though nothing happened.
pub(super) fn standing(report: &Report, now: Timestamp) -> String {
    match &report.decision {
        Decision::Wait(wait) => waiting(&report.host, wait, now),
        Decision::Idle { until } => {
            format!("{}: nothing to do before {}\n", report.host, clock_time(*until))
        }
        Decision::Act(_) | Decision::Stuck(_) => String::new(),
    }
}

/// A pass that could not be made, for standard error.
pub(super) fn broken(host: &str, error: &PassError) -> String {
    let hint = match error {
        PassError::Ledger(error) => error.hint.clone(),
        PassError::Request(_) => "see `rollover status`".to_owned(),
        PassError::Unsettled { .. } => {
            "please report this as a bug, with the output of `rollover history`; nothing unsafe \
             was done, and mail is not affected"
                .to_owned()
        }
    };
    format!("rollover: {host}: {error}\n  hint: {hint}\n")
}
