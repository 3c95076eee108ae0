//! An audit for people: a line per finding, grouped by subject and server, eighty columns.

use std::fmt::Write as _;

use super::super::layout::{Colours, Tone, wrap};
use crate::audit::{Audit, Finding, Kind, Server, Severity, Subject};

/// How much is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Detail {
    /// Every finding.
    All,
    /// What is not as it should be.
    Trouble,
}

/// The whole audit.
pub(super) fn text(audit: &Audit, detail: Detail, colours: Colours) -> String {
    let writer = Writer { detail, colours };
    let mut text = String::new();
    for subject in &audit.subjects {
        if detail == Detail::All || subject.severity() != Severity::Ok {
            writer.subject(&mut text, subject);
        }
    }
    if 1 < audit.subjects.len() {
        let counts: Vec<String> = Severity::ALL
            .into_iter()
            .map(|severity| {
                let count = audit.subjects.iter().filter(|s| s.severity() == severity).count();
                format!("{count} {}", severity.as_str())
            })
            .collect();
        let _ = writeln!(text, "{} checked: {}", audit.subjects.len(), counts.join(", "));
    }
    text
}

/// How text is written.
struct Writer {
    /// How much.
    detail: Detail,
    /// In which colours.
    colours: Colours,
}

impl Writer {
    /// One subject.
    fn subject(&self, text: &mut String, subject: &Subject) {
        let _ = writeln!(text, "{}  {}", subject.name, self.severity(subject.severity()));
        self.findings(text, &subject.findings, 2);
        for server in &subject.servers {
            if self.detail == Detail::All || server.severity() != Severity::Ok {
                self.server(text, subject, server);
            }
        }
        text.push('\n');
    }

    /// One mail server.
    fn server(&self, text: &mut String, subject: &Subject, server: &Server) {
        let what = match (server.preference, subject.kind) {
            (Some(preference), _) => format!("MX {preference}"),
            (None, Kind::Domain) => "its own address".to_owned(),
            (None, Kind::Host | Kind::Machine) => format!("port {}", server.owner.port()),
        };
        let severity = self.severity(server.severity());
        let _ = writeln!(text, "  {} ({what})  {severity}", server.name);
        self.findings(text, &server.findings, 4);
    }

    /// Findings, a line each, and what is to be said of those that are not OK.
    fn findings(&self, text: &mut String, findings: &[Finding], indent: usize) {
        for finding in findings {
            if self.detail == Detail::Trouble && finding.severity == Severity::Ok {
                continue;
            }
            let place = match finding.at.is_empty() {
                true => String::new(),
                false => format!("{}: ", finding.at.join(", ")),
            };
            let (hang, word) = (indent + 10, finding.severity.as_str());
            let _ = write!(text, "{:indent$}{}", "", self.severity(finding.severity));
            let _ = write!(text, "{:1$}", "", 10 - word.len());
            let is_ok = finding.severity == Severity::Ok;
            let reference =
                if is_ok { format!(" [{}]", finding.reference()) } else { String::new() };
            wrap(text, &format!("{place}{}{reference}", finding.seen), hang);
            if !is_ok {
                let parts = [
                    ("mail", finding.meaning()),
                    ("do", finding.remedy()),
                    ("see", finding.reference()),
                ];
                for (label, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
                    let _ = write!(text, "{:hang$}{label:<6}", "");
                    wrap(text, part, hang + 6);
                }
            }
        }
    }

    /// A severity in its colour.
    fn severity(&self, severity: Severity) -> String {
        let tone = match severity {
            Severity::Ok => Tone::Good,
            Severity::Warning => Tone::Busy,
            Severity::Unknown => Tone::Unknown,
            Severity::Critical => Tone::Bad,
        };
        self.colours.paint(tone, severity.as_str())
    }
}
