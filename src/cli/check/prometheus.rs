//! An audit as metrics, for Prometheus' textfile collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::audit::{Audit, Severity};
use crate::pki::KeyType;

/// One metric with its samples.
struct Metric {
    /// Its name.
    name: &'static str,
    /// What it says.
    help: &'static str,
    /// A value for each set of labels; where several subjects share a server, the one that alarms.
    samples: BTreeMap<String, i64>,
}

impl Metric {
    /// A metric without samples.
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, samples: BTreeMap::new() }
    }

    /// Takes the larger of several values for the same labels.
    fn at_least(&mut self, labels: &[(&str, &str)], value: i64) {
        let sample = self.samples.entry(written(labels)).or_insert(value);
        *sample = value.max(*sample);
    }

    /// Takes the smaller of several values for the same labels.
    fn at_most(&mut self, labels: &[(&str, &str)], value: i64) {
        let sample = self.samples.entry(written(labels)).or_insert(value);
        *sample = value.min(*sample);
    }

    /// The metric in the text format; nothing where it has no samples.
    fn write(&self, text: &mut String) {
        let Self { name, help, samples } = self;
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
}

/// Labels in braces; nothing where there are none.
fn written(labels: &[(&str, &str)]) -> String {
    let escaped =
        |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

/// The whole audit.
pub(super) fn text(audit: &Audit) -> String {
    let mut expiry = Metric::new(
        "rollover_certificate_expiration_timestamp_seconds",
        "When a presented certificate expires.",
    );
    let mut matching = Metric::new(
        "rollover_tlsa_matching_records",
        "How many TLSA records fit what is presented at an address.",
    );
    let mut attention =
        Metric::new("rollover_attention", "Whether a mail server needs attention: 0 or 1.");
    let mut severity = Metric::new(
        "rollover_check_status",
        "How bad what was checked is: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    );
    let mut at = Metric::new("rollover_check_timestamp_seconds", "When it was checked.");
    at.at_least(&[], audit.at.as_seconds());
    for subject in &audit.subjects {
        let labels = [("name", subject.name.as_str()), ("kind", subject.kind.as_str())];
        severity.at_least(&labels, i64::from(subject.severity().exit_code()));
        for server in &subject.servers {
            let host = server.name.to_string();
            attention.at_least(&[("host", &host)], i64::from(server.severity() != Severity::Ok));
            for certificate in &server.certificates {
                let key_type = certificate.key_type.map_or("other", KeyType::as_str);
                let labels = [("host", host.as_str()), ("key_type", key_type)];
                expiry.at_most(&labels, certificate.not_after.as_seconds());
            }
            let port = server.owner.port().to_string();
            for listener in &server.listeners {
                let address = listener.address.ip().to_string();
                let labels = [("host", host.as_str()), ("port", &port), ("address", &address)];
                if let Some(count) = listener.matching_records {
                    matching.at_most(&labels, i64::try_from(count).unwrap_or(i64::MAX));
                }
            }
        }
    }
    let mut text = String::new();
    for metric in [&expiry, &matching, &attention, &severity, &at] {
        metric.write(&mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(written(&[("host", "a\"b\\c")]), r#"{host="a\"b\\c"}"#);
        assert_eq!(written(&[]), "");
    }
}
