//! `rollover history`: the ledger of decisions, as text or as one JSON object a line.

use std::fmt::Write as _;

use serde_json::json;

use super::layout;
use crate::ports::Event;

/// The history of a server for people: time, what was done, what came of it, and what was seen.
///
/// Each act is written down before and after it. The line before is left out where the one after
/// follows: what was begun and has no outcome stands out.
pub(super) fn text(host: &str, events: &[Event]) -> String {
    let mut text = String::new();
    let mut seen = "";
    for (position, event) in events.iter().enumerate() {
        let next = events.get(position + 1);
        if event.result.is_empty() && next.is_some_and(|next| next.action == event.action) {
            continue;
        }
        let result = match event.result.as_str() {
            "" => "begun, and its outcome is not known".to_owned(),
            result => result.replace('\n', "\n    "),
        };
        let at = layout::clock_time(event.at);
        let _ = writeln!(text, "{at} {host}: {}: {result}", event.action);
        if !event.observation.is_empty() && event.observation != seen {
            seen = &event.observation;
            let _ = writeln!(text, "    seen: {seen}");
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
