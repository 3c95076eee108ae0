//! The `[notify]` table: who is told of trouble and of changes.

use std::path::PathBuf;

use super::context::{Item, Table, path, secret_file};
use super::{NotifyConfig, Occasions};
use crate::table::{Complaint, Given, unknown};
use crate::time::Span;

/// How often trouble that lasts is told again, where the table does not say. No official reference.
const DEFAULT_REPEAT: Span = Span::from_seconds(24 * 3600);

/// Where mail is given to, where the table does not say (the place of the Filesystem Hierarchy
/// Standard, and of Postfix).
const DEFAULT_SENDMAIL: &str = "/usr/sbin/sendmail";

/// Reads the `[notify]` table; `None` where it is wrong.
pub(super) fn read(mut table: Table<'_>) -> Option<NotifyConfig> {
    let at = table.at().clone();
    let command = table.given("command", argv);
    let webhook = webhook(&mut table);
    let sendmail = table.given("sendmail", |item| item.parse(address));
    let program = table.given("sendmail-program", path);
    let on = table.given("on", |item| item.parse(occasions));
    let repeat = table.given("repeat", |item| pause(item));
    if command.is_absent() && webhook.is_absent() && sendmail.is_absent() {
        let complaint = Complaint::new("`[notify]` tells nobody")
            .with_hint("write `command`, `webhook` or `sendmail`, or remove the table");
        table.scope().complain(&at, complaint);
        table.finish();
        return None;
    }
    table.finish();
    Some(NotifyConfig {
        command: command.value(),
        webhook: webhook.value(),
        sendmail: sendmail.value(),
        sendmail_program: program.value().unwrap_or_else(|| PathBuf::from(DEFAULT_SENDMAIL)),
        on: on.value().unwrap_or(Occasions::Trouble),
        repeat: repeat.value().unwrap_or(DEFAULT_REPEAT),
    })
}

/// Reads the URL that is posted to, or that of a file: it often is a secret.
fn webhook(table: &mut Table<'_>) -> Given<String> {
    let url = table.given("webhook", |item| item.parse(web_url));
    let of_file = table.given("webhook-file", url_in_file);
    match (url.spot(), of_file.spot()) {
        (Some(_), Some(spot)) => {
            let complaint = Complaint::new("`webhook` says already where to post to");
            table.scope().complain(&spot.at, complaint.with_hint("remove one of the two"));
            Given::Wrong
        }
        _ => url.or(&of_file),
    }
}

/// Reads a URL from a secret file. What it holds is not shown, whatever it is.
fn url_in_file(item: Item<'_>) -> Option<String> {
    let path = secret_file(item)?;
    let text = item.scope().context.files.read(&path).unwrap_or_default();
    web_url(text.trim()).ok().or_else(|| {
        let complaint = Complaint::new(format!("`{}` holds no URL to post to", path.display()));
        item.complain(complaint.with_hint("write `https://HOST/PATH` into it, and nothing else"))
    })
}

/// Reads an argv; a program with a slash is relative to the file.
fn argv(item: Item<'_>) -> Option<Vec<String>> {
    if item.as_str().is_some() {
        let complaint = Complaint::new("`command` takes an argv, never a shell line");
        return item.complain(complaint.with_hint("write `command = [\"PROGRAM\", \"ARGUMENT\"]`"));
    }
    let words = item.list("an argv such as [\"/usr/local/bin/tell\"]", |word| {
        word.parse(|text| match text.contains('\0') {
            true => Err(Complaint::new("no argument has a NUL character")),
            false => Ok(text.to_owned()),
        })
    })?;
    let mut argv: Vec<String> = words.into_iter().map(|word| word.value).collect();
    match argv.first_mut() {
        Some(program) if !program.is_empty() => {
            if program.contains('/') {
                let path = item.scope().context.directory.join(&*program);
                *program = path.to_string_lossy().into_owned();
            }
            Some(argv)
        }
        Some(_) | None => item.complain(Complaint::new("the program to run has no name")),
    }
}

/// Reads a URL that can be posted to.
fn web_url(text: &str) -> Result<String, Complaint> {
    let web = text.starts_with("https://") || text.starts_with("http://");
    match (web, text.parse::<hyper::Uri>()) {
        (true, Ok(url)) if url.host().is_some_and(|host| !host.is_empty()) => Ok(text.to_owned()),
        _ => Err(Complaint::new(format!("`{text}` is no URL to post to"))
            .with_hint("write `https://HOST/PATH`, or `http://` within the machine")),
    }
}

/// Reads a mail address: it goes into a header, and must not bring another.
fn address(text: &str) -> Result<String, Complaint> {
    let plain = |c: char| c.is_ascii_graphic() && !"<>()[],;:\"\\".contains(c);
    match text.split_once('@') {
        Some((local, domain))
            if !local.is_empty() && !domain.is_empty() && text.chars().all(plain) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(Complaint::new(format!("`{text}` is no mail address"))
            .with_hint("write one address, as `hostmaster@example.nl`")),
    }
}

/// Reads what is told.
fn occasions(text: &str) -> Result<Occasions, Complaint> {
    match text {
        "both" => Ok(Occasions::Both),
        "change" => Ok(Occasions::Change),
        "trouble" => Ok(Occasions::Trouble),
        _ => Err(unknown("choice", text, ["trouble", "change", "both"])),
    }
}

/// Reads the pause before trouble is told again.
fn pause(item: Item<'_>) -> Option<Span> {
    let span = item.span()?;
    match span {
        Span::ZERO => item.complain(
            Complaint::new("a pause of nothing would tell it in every pass")
                .with_hint("write a pause such as `repeat = \"1d\"`"),
        ),
        _ => Some(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_posted_to_is_refused() {
        for (url, taken) in [
            ("https://chat.example.org/hooks/1", true),
            ("http://127.0.0.1:8080", true),
            ("https://", false),
            ("ftp://example.org/", false),
            ("chat.example.org", false),
            ("https://example.org/a b", false),
        ] {
            assert_eq!(web_url(url).is_ok(), taken, "{url}");
        }
    }

    /// It becomes a header: nothing in it may become another.
    #[test]
    fn what_is_no_single_address_is_refused() {
        for (text, taken) in [
            ("hostmaster@example.nl", true),
            ("a+b@example.nl", true),
            ("@example.nl", false),
            ("root", false),
            ("a@example.nl, b@example.nl", false),
            ("a@example.nl\nBcc: b@example.nl", false),
        ] {
            assert_eq!(address(text).is_ok(), taken, "{text}");
        }
    }
}
