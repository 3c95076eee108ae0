//! `rollover plan`: what the next pass would do, and the timeline after it. Changes nothing.

use std::fmt::Write as _;

use super::report;
use crate::pass::Report;
use crate::rollover::action::Decision;
use crate::rollover::forecast::forecast;
use crate::rollover::spec::HostSpec;
use crate::time::Moment;

/// The plan of one server.
pub(super) fn text(spec: &HostSpec, report: &Report, now: Moment) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}  {}  (policy {})", spec.name, report.phase, spec.policy.name);
    match &report.decision {
        Decision::Act(action) => {
            let _ = writeln!(text, "  next pass: {action}");
        }
        Decision::Wait(wait) => {
            let _ = writeln!(text, "  next pass: nothing; {wait}");
        }
        Decision::Idle { until } => {
            let until = report::moment(*until, now.wall);
            let _ = writeln!(text, "  next pass: nothing to do before {until}");
        }
        Decision::Stuck(problems) => {
            for problem in problems {
                let _ = writeln!(text, "  next pass: nothing; {}", problem.message);
                let _ = writeln!(text, "  to do:     {}", problem.hint);
            }
        }
    }
    let steps = forecast(spec, &report.state, &report.seen, &report.decision, now);
    if !steps.is_empty() {
        let _ = writeln!(text, "  timeline, at the earliest:");
    }
    for step in steps {
        let _ = writeln!(text, "    {}  {step}", report::moment(step.at, now.wall));
    }
    text
}
