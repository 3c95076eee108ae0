//! An audit as a monitoring plugin says it: a line with performance data, and a line for each thing
//! that is wrong.

use std::fmt::Write as _;

use crate::audit::{Audit, Finding, Severity, Subject};

/// The whole audit.
pub(super) fn text(audit: &Audit) -> String {
    let severity = audit.severity();
    let mut text = format!("DANE {} - {}", severity.as_str(), clean(&summary(audit)));
    let _ = writeln!(text, " | {}", performance(audit));
    for subject in &audit.subjects {
        for (place, finding) in located(subject) {
            if finding.severity != Severity::Ok {
                let line = format!("{} - {place}{}", finding.severity.as_str(), said(finding));
                let _ = writeln!(text, "{}", clean(&line));
            }
        }
    }
    text
}

/// What the first line says: the worst there is, or how much is well.
fn summary(audit: &Audit) -> String {
    let severity = audit.severity();
    let (all, worst) = (audit.subjects.len(), |subject: &&Subject| subject.severity() == severity);
    if severity == Severity::Ok {
        let listeners: usize =
            audit.subjects.iter().flat_map(|s| &s.servers).map(|s| s.listeners.len()).sum();
        let what = match &audit.subjects[..] {
            [only] => only.name.clone(),
            _ => format!("{all} checked"),
        };
        return format!("{what}: all is well at {listeners} listeners");
    }
    let first = audit.subjects.iter().find(worst);
    let finding = first.and_then(|subject| {
        let mut located = located(subject).into_iter();
        located.find(|(_, finding)| finding.severity == severity)
    });
    let name = first.map(|subject| subject.name.as_str()).unwrap_or_default();
    let seen = finding
        .map(|(place, finding)| match place == format!("{name}: ") {
            true => said(finding),
            false => format!("{place}{}", said(finding)),
        })
        .unwrap_or_default();
    match all {
        1 => format!("{name}: {seen}"),
        _ => {
            let count = audit.subjects.iter().filter(worst).count();
            format!("{count} of {all}; {name}: {seen}")
        }
    }
}

/// Every finding of a subject, with what it is of.
fn located(subject: &Subject) -> Vec<(String, &Finding)> {
    let own = subject.findings.iter().map(|finding| (format!("{}: ", subject.name), finding));
    let servers = subject.servers.iter().flat_map(|server| {
        server.findings.iter().map(move |finding| (format!("{}: ", server.name), finding))
    });
    own.chain(servers).collect()
}

/// A finding with its places.
fn said(finding: &Finding) -> String {
    match finding.at.is_empty() {
        true => finding.seen.clone(),
        false => format!("{}: {}", finding.at.join(", "), finding.seen),
    }
}

/// Performance data: how much is how bad, the fewest records that fit, the days that are left.
fn performance(audit: &Audit) -> String {
    let count = |severity| audit.subjects.iter().filter(|s| s.severity() == severity).count();
    let servers = || audit.subjects.iter().flat_map(|subject| &subject.servers);
    let mut data = format!(
        "critical={}c;;;0 warning={}c;;;0 unknown={}c;;;0 ok={}c;;;0",
        count(Severity::Critical),
        count(Severity::Warning),
        count(Severity::Unknown),
        count(Severity::Ok)
    );
    let fit = servers().flat_map(|s| &s.listeners).filter_map(|l| l.matching_records).min();
    if let Some(fit) = fit {
        let _ = write!(data, " matching_records={fit};;;0");
    }
    let end = servers().flat_map(|server| &server.certificates).map(|c| c.not_after).min();
    if let Some(end) = end {
        let _ = write!(data, " certificate={}s", end.since(audit.at).as_seconds());
    }
    data
}

/// A text without what has a meaning in the plugins' output.
fn clean(text: &str) -> String {
    text.replace('|', "/").replace(['\n', '\r'], " ")
}
