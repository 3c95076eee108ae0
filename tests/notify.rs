//! Notices through real programs and a real web server: what arrives, and what waits when it fails.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]
#![allow(clippy::disallowed_methods, reason = "a test writes the programs that it has run")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rollover::config::{NotifyConfig, Occasions};
use rollover::ledger::PassLock;
use rollover::notify::{News, Outbox, Undelivered};
use rollover::time::{Span, Timestamp};
use serde_json::Value;

/// Whose turn it is. A program that one test is starting shares, until it runs, the open files of all:
/// another's script would be busy, and another's lock held.
static TURN: Mutex<()> = Mutex::new(());

/// A state directory, with programs that take notices.
struct Desk {
    /// Where everything is.
    directory: tempfile::TempDir,
    /// Who is told.
    config: NotifyConfig,
    /// Until this is dropped, no other test runs.
    _turn: MutexGuard<'static, ()>,
}

impl Desk {
    /// Nobody is told yet.
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let config = NotifyConfig {
            command: None,
            webhook: None,
            sendmail: None,
            sendmail_program: directory.path().join("sendmail"),
            on: Occasions::Both,
            repeat: Span::from_seconds(86_400),
        };
        Self { directory, config, _turn: turn }
    }

    /// A path here.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a shell script, and returns where it is.
    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// A pass at this second that brought this.
    fn pass(&self, at: i64, trouble: &str, changes: &str) -> Vec<Undelivered> {
        let lock = PassLock::acquire(&self.path("state")).unwrap();
        let outbox = Outbox::open(&self.path("state"), &lock);
        let news = News {
            host: "mail.example.nl".to_owned(),
            trouble: trouble.to_owned(),
            changes: changes.to_owned(),
        };
        outbox.post(&[news], &self.config, Timestamp::from_seconds(at)).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(outbox.deliver(&self.config))
    }

    /// The notices that wait.
    fn waiting(&self) -> usize {
        let entries = std::fs::read_dir(self.path("state/notices")).unwrap();
        entries.filter(|e| e.as_ref().unwrap().file_name() != "troubles.json").count()
    }
}

/// The kinds of the notices in a file of JSON objects.
fn kinds(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    values.map(|value| value.unwrap()["kind"].as_str().unwrap().to_owned()).collect()
}

/// Takes so many requests on loopback, answers each with its status, and returns what was posted.
fn web_server(statuses: &'static [u16]) -> (String, JoinHandle<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?secret=hunter2", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut posted = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut block) = (Vec::new(), [0; 4096]);
            loop {
                let count = stream.read(&mut block).unwrap();
                request.extend_from_slice(&block[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                assert!(head.starts_with("POST /hook?secret=hunter2 HTTP/1.1"), "{head}");
                assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
                if let Ok(value) = serde_json::from_str(body) {
                    posted.push(value);
                    break;
                }
            }
            let answer =
                format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
        posted
    });
    (url, serving)
}

#[test]
fn a_command_reads_each_notice_until_all_is_clear() {
    let mut desk = Desk::new();
    let log = desk.path("log");
    let tell = desk.script("tell", "cat >> \"$1\"");
    desk.config.command = Some([tell, log.clone()].map(|p| p.display().to_string()).into());
    for (at, trouble, changes) in
        [(1, "", ""), (2, "", "published"), (3, "bad", ""), (4, "bad", ""), (5, "", "")]
    {
        assert_eq!(desk.pass(at, trouble, changes), []);
    }
    assert_eq!(kinds(&log), ["change", "trouble", "cleared"]);
    assert_eq!(desk.waiting(), 0);
    let text = std::fs::read_to_string(&log).unwrap();
    let last = serde_json::Deserializer::from_str(&text).into_iter::<Value>().last();
    let last = last.unwrap().unwrap();
    assert_eq!(last["since"], "1970-01-01T00:00:03Z", "{last}");
    assert_eq!(last["text"], "It is over. It was:\nbad");
}

#[test]
fn a_command_that_fails_loses_nothing() {
    let mut desk = Desk::new();
    let log = desk.path("log");
    let tell = desk.script("tell", "echo 'no route' >&2; exit 7");
    desk.config.command = Some([tell, log.clone()].map(|path| path.display().to_string()).into());
    let failed = desk.pass(1, "bad", "published");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].waiting, 2, "the second was not tried");
    assert_eq!(failed[0].reason, "exited with status 7: no route");
    assert_eq!(desk.pass(2, "", "").first().map(|failed| failed.waiting), Some(3));
    assert_eq!(desk.waiting(), 3);
    desk.script("tell", "cat >> \"$1\"");
    assert_eq!(desk.pass(3, "", ""), []);
    assert_eq!(kinds(&log), ["change", "trouble", "cleared"], "the oldest first");
    assert_eq!(desk.waiting(), 0);
}

/// What one channel took is not given to it again because another failed.
#[test]
fn each_channel_gets_each_notice_once() {
    let mut desk = Desk::new();
    let log = desk.path("log");
    let tell = desk.script("tell", "cat >> \"$1\"");
    desk.config.command = Some([tell, log.clone()].map(|p| p.display().to_string()).into());
    let (url, serving) = web_server(&[503, 204]);
    desk.config.webhook = Some(url);
    let failed = desk.pass(1, "bad", "");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].reason.starts_with("answered 503"), "{failed:?}");
    assert!(!failed[0].channel.contains("hunter2"), "a secret: {failed:?}");
    assert_eq!(desk.pass(2, "bad", ""), []);
    let posted = serving.join().unwrap();
    assert_eq!(posted.len(), 2);
    assert_eq!(
        (&posted[1]["host"], &posted[1]["kind"]),
        (&"mail.example.nl".into(), &"trouble".into())
    );
    assert_eq!(kinds(&log), ["trouble"]);
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn sendmail_gets_a_mail() {
    let mut desk = Desk::new();
    let mail = desk.path("mail");
    desk.script("sendmail", &format!("echo \"$@\" > {0}; cat >> {0}", mail.display()));
    desk.config.sendmail = Some("hostmaster@example.nl".to_owned());
    assert_eq!(desk.pass(1, "ns2 is silent", ""), []);
    let text = std::fs::read_to_string(mail).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[0], "-t -i");
    assert_eq!(lines[1], "To: hostmaster@example.nl");
    assert_eq!(lines[2], "Subject: rollover: mail.example.nl needs attention");
    assert!(lines.contains(&"Auto-Submitted: auto-generated"));
    assert!(body.starts_with("ns2 is silent\n"), "{body}");
}
