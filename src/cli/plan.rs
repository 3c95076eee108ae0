//! `rollover plan`: what the next pass would do, and the timeline after it. Changes nothing.

use std::fmt::Write as _;

use super::layout::{self, Colours, Tone};
use super::report;
use crate::pass::Report;
use crate::rollover::action::{Decision, Request};
use crate::rollover::forecast::{Foreseen, forecast};
use crate::rollover::spec::HostSpec;
use crate::time::{Moment, Timestamp};

/// The plan of one server, were this asked for.
pub(super) fn text(
    spec: &HostSpec,
    report: &Report,
    request: Option<&Request>,
    now: Moment,
    colours: Colours,
) -> String {
    let mut text = String::new();
    let issuer = report.state.issuer(spec);
    let _ = writeln!(
        text,
        "{}  {}  (policy {}, issuer {issuer})",
        colours.paint(Tone::Strong, &spec.name),
        report.phase,
        spec.policy.name
    );
    let mut field = |label: &str, words: &str| layout::field(&mut text, label, label, words);
    match &report.decision {
        Decision::Act(action) => field("now", &action.to_string()),
        Decision::Wait(wait) => {
            field("now", "nothing");
            for reason in &wait.reasons {
                field("waits", &report::reason(reason, reason.hint(), now.wall));
            }
        }
        Decision::Idle { until } => {
            let until = layout::moment(*until, now.wall);
            field("now", &format!("nothing to do before {until}"));
        }
        Decision::Stuck(problems) => {
            for problem in problems {
                field("now", &format!("nothing: {}", problem.message));
                field("to do", &problem.hint);
            }
        }
    }
    let steps = forecast(spec, &report.state, &report.seen, &report.decision, now);
    write_timeline(&mut text, &steps, now.wall);
    if matches!(report.decision, Decision::Act(_)) {
        let command = colours.paint(Tone::Strong, &command(&spec.name, request));
        layout::field(&mut text, "type", "type", &command);
    }
    text
}

/// A line for each step: by the clock, as a distance, and what; below it why then.
fn write_timeline(text: &mut String, steps: &[Foreseen], now: Timestamp) {
    if steps.is_empty() {
        return;
    }
    let _ = writeln!(text, "  then, at the earliest:");
    let times: Vec<(String, String)> = steps
        .iter()
        .map(|step| (layout::time_of_day(step.at, now), layout::distance(step.at, now)))
        .collect();
    let clock = times.iter().map(|(clock, _)| clock.len()).max().unwrap_or_default();
    let distance = times.iter().map(|(_, distance)| distance.len()).max().unwrap_or_default();
    let indent = 4 + clock + 2 + distance + 2;
    for (step, (at, far)) in steps.iter().zip(&times) {
        let _ = write!(text, "    {at:clock$}  {far:distance$}  ");
        layout::wrap(text, &step.step, indent);
        if !step.why.is_empty() {
            let _ = write!(text, "{:indent$}", "");
            layout::wrap(text, &format!("({})", step.why), indent);
        }
    }
}

/// What to type so that it is done.
fn command(host: &str, request: Option<&Request>) -> String {
    let of = |option: &str, issuer: &Option<String>| match issuer {
        Some(issuer) => format!(" {option} {issuer}"),
        None => format!(" {option}"),
    };
    let option = match request {
        None => String::new(),
        Some(Request::Renew) => " --renew".to_owned(),
        Some(Request::NewCa(issuer)) => of("--new-ca", issuer),
        Some(Request::CompromisedKey) => " --compromised key".to_owned(),
        Some(Request::CompromisedCa(issuer)) => {
            let new_ca = issuer.as_ref().map(|_| of("--new-ca", issuer)).unwrap_or_default();
            format!(" --compromised ca{new_ca}")
        }
        Some(Request::Abort) => " --abort".to_owned(),
        Some(Request::Withdraw) => " --withdraw".to_owned(),
    };
    format!("rollover --host {host}{option}")
}
