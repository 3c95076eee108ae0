//! `rollover history`: the ledger of decisions, as text or as one JSON object a line.

use std::fmt::Write as _;

use serde_json::json;

use super::report;
use crate::ports::Event;

/// The history of a server for people: time, what was done, what came of it, and what was seen.
pub(super) fn text(host: &str, events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let result = match event.result.as_str() {
            "" => "about to".to_owned(),
            result => result.replace('\n', "\n    "),
        };
        let _ =
            writeln!(text, "{} {host}: {}: {result}", report::clock_time(event.at), event.action);
        if !event.observation.is_empty() {
            let _ = writeln!(text, "    seen: {}", event.observation);
        }
    }
    text
}

/// The history of a server as JSON, one object a line.
pub(super) fn json_lines(host: &str, events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let line = json!({
            "time": event.at.to_string(),
            "host": host,
            "observation": event.observation,
            "decision": event.decision,
            "action": event.action,
            "result": event.result,
        });
        let _ = writeln!(text, "{line}");
    }
    text
}
