//! An audit as one page for browsers: nothing is loaded from elsewhere, and nothing runs.
//!
//! What is wrong is open, what is well is folded up.

use std::fmt::Write as _;

use super::super::page::{self, escape};
use super::style::SHEET;
use crate::audit::{Audit, Finding, Kind, Server, Severity, Subject};

/// The whole page.
pub(in crate::cli) fn page(audit: &Audit) -> String {
    let mut body = String::new();
    let worst = audit.severity();
    let _ = write!(body, "<h1>DANE check {}</h1>\n<p class=\"soft\">", badge(worst));
    let _ = writeln!(body, "{} by rollover {}</p>", audit.at, env!("CARGO_PKG_VERSION"));
    body += "<ul class=\"counts\">\n";
    for severity in Severity::ALL.into_iter().rev() {
        let count = audit.subjects.iter().filter(|s| s.severity() == severity).count();
        if 0 < count {
            let _ = writeln!(body, "<li>{count} {}</li>", badge(severity));
        }
    }
    body += "</ul>\n";
    let mut subjects: Vec<&Subject> = audit.subjects.iter().collect();
    subjects.sort_by_key(|subject| std::cmp::Reverse(subject.severity()));
    for subject in subjects {
        write_subject(&mut body, subject, audit.subjects.len());
    }
    let title = match &audit.subjects[..] {
        [only] => format!("{}: DANE {}", only.name, worst.as_str()),
        all => format!("DANE {} of {}", worst.as_str(), all.len()),
    };
    page::page(&title, SHEET, &format!("<main>\n{body}</main>\n"))
}

/// One subject, folded up where all is well and there are others.
fn write_subject(body: &mut String, subject: &Subject, all: usize) {
    let severity = subject.severity();
    let open = if severity == Severity::Ok && 1 < all { "" } else { " open" };
    let _ = writeln!(
        body,
        "<section><details{open}><summary><h2>{}</h2> {}</summary>",
        escape(&subject.name),
        badge(severity)
    );
    write_findings(body, &subject.findings);
    for server in &subject.servers {
        write_server(body, subject.kind, server);
    }
    body.push_str("</details></section>\n");
}

/// One mail server.
fn write_server(body: &mut String, kind: Kind, server: &Server) {
    let what = match (server.preference, kind) {
        (Some(preference), _) => format!("MX {preference}"),
        (None, Kind::Domain) => "its own address".to_owned(),
        (None, Kind::Host | Kind::Machine) => format!("port {}", server.owner.port()),
    };
    let name = escape(server.name.as_str());
    let badge = badge(server.severity());
    let _ = writeln!(body, "<h3>{name} <span class=\"soft\">({what})</span> {badge}</h3>");
    write_findings(body, &server.findings);
    if server.records.is_empty() && server.listeners.is_empty() {
        return;
    }
    body.push_str("<table>\n");
    for record in &server.records {
        let owner = escape(&server.owner.to_string());
        let record = escape(record);
        let _ = writeln!(body, "<tr><th>{owner}</th><td><code>{record}</code></td></tr>");
    }
    for listener in &server.listeners {
        let address = escape(&listener.address.to_string());
        let (class, fit) = fit(listener.matching_records, server.records.len());
        let versions: Vec<String> = listener.versions.iter().map(ToString::to_string).collect();
        let versions = match versions.is_empty() {
            true => "no TLS".to_owned(),
            false => versions.join(", "),
        };
        let picture = picture(class, &fit, listener.matching_records, server.records.len());
        let _ = writeln!(body, "<tr><th>{address}</th><td>{versions}: {fit}{picture}</td></tr>");
    }
    body.push_str("</table>\n");
}

/// How many of its records fit what an address presents, as a class and in words.
fn fit(fitting: Option<usize>, all: usize) -> (&'static str, String) {
    match fitting {
        Some(0) if 0 < all => ("gap", "GAP: no record fits".to_owned()),
        Some(1) => ("fits", "1 record fits".to_owned()),
        Some(count) => ("fits", format!("{count} records fit")),
        None => ("unknown", "no record to fit".to_owned()),
    }
}

/// The same as a bar, a part of it for each record that fits; red and twice as high where none does.
fn picture(class: &str, words: &str, fitting: Option<usize>, all: usize) -> String {
    let shown = match class {
        "fits" => fitting.unwrap_or_default(),
        _ => all.max(1),
    };
    let (y, height) = if class == "fits" { (2, 4) } else { (0, 8) };
    let width = 100 / all.max(shown).max(1);
    let bar = |number| {
        format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>",
            number * width,
            width - 1
        )
    };
    let bars: String = (0..shown).map(bar).collect();
    format!(
        "<svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{words}\">{bars}</svg>"
    )
}

/// Findings.
fn write_findings(body: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    body.push_str("<ul class=\"findings\">\n");
    for finding in findings {
        let place = match finding.at.is_empty() {
            true => String::new(),
            false => format!("<span class=\"soft\">{}:</span> ", escape(&finding.at.join(", "))),
        };
        let seen = escape(&finding.seen);
        let _ = write!(body, "<li>{} {place}{seen}", badge(finding.severity));
        let parts =
            [("mail", finding.meaning()), ("do", finding.remedy()), ("see", finding.reference())];
        if finding.severity == Severity::Ok {
            let _ = write!(body, " <span class=\"soft\">[{}]</span>", escape(finding.reference()));
        } else {
            body.push_str("\n<dl>");
            for (label, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
                let _ = write!(body, "<dt>{label}</dt><dd>{}</dd>", escape(text));
            }
            body.push_str("</dl>");
        }
        body.push_str("</li>\n");
    }
    body.push_str("</ul>\n");
}

/// A severity as a badge.
fn badge(severity: Severity) -> String {
    let word = severity.as_str();
    format!("<span class=\"badge {word}\">{word}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Code;
    use crate::time::Timestamp;

    #[test]
    fn what_the_world_says_cannot_become_part_of_the_page() {
        let finding = Finding::critical(Code::FitsNone, "<script>alert(\"1\")</script> & more");
        let subject = Subject {
            name: "<b>".to_owned(),
            kind: Kind::Domain,
            findings: vec![finding],
            servers: Vec::new(),
        };
        let page = page(&Audit { at: Timestamp::from_seconds(0), subjects: vec![subject] });
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; more"));
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere");
    }
}
