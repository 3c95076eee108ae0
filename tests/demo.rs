//! `rollover demo`, as somebody runs it who has nothing but the binary.
//!
//! Each run is the real binary with an empty environment and, where the tests are root's, as a user
//! without any privilege. What is asserted is what an operator goes by: the exit code, the verdict,
//! that it fits the page, and that it leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test starts processes, waits, and writes files")]

use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The user and group that nothing belongs to.
const NOBODY: u32 = 65_534;

/// A run of `rollover demo` with its own directory for temporary files.
struct Run {
    /// The directory.
    directory: TempDir,
    /// How to run it.
    command: Command,
}

impl Run {
    /// A run with these arguments, and with nothing that a user need not have.
    fn new(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("rollover");
        // Where the crate is built may be closed to others.
        let built = env!("CARGO_BIN_EXE_rollover");
        std::fs::hard_link(built, &binary)
            .or_else(|_| std::fs::copy(built, &binary).map(|_| ()))
            .unwrap();
        let temporary = directory.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let mut command = Command::new(&binary);
        command.arg("demo").args(arguments).current_dir("/").env_clear();
        command.env("PATH", "/usr/bin:/bin").env("TMPDIR", &temporary);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&temporary, Some(NOBODY), Some(NOBODY)).unwrap();
            let access = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(directory.path(), access).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
        Self { directory, command }
    }

    /// Starts it.
    fn start(&mut self) -> Child {
        loop {
            match self.command.spawn() {
                Ok(child) => return child,
                // A process that another test was just starting still has the copy open.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Runs it to its end, which must be soon and leave nothing behind.
    fn end(mut self) -> Output {
        let begun = Instant::now();
        let output = self.start().wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
        self.assert_empty();
        output
    }

    /// Nothing is left of it.
    fn assert_empty(&self) {
        let left: Vec<_> = entries(&self.directory.path().join("tmp"));
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// What is in a directory.
fn entries(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// What a run printed, which must be fit for a page of 80 columns without colours.
fn text(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }
    assert!(!text.contains('\x1b'), "{text}");
    text
}

/// The numbers of the verdict: deliveries, and how many of them failed.
fn verdict(text: &str) -> (u32, u32) {
    let line = text.lines().find_map(|line| line.strip_prefix("Verdict: ")).expect("a verdict");
    let words: Vec<&str> = line.split(' ').collect();
    let [tried, "deliveries,", failed, "failed."] = words[..] else { panic!("{line}") };
    (tried.parse().unwrap(), failed.parse().unwrap())
}

/// Runs the demonstration by a policy, and expects that mail never stopped.
fn mail_never_stops(policy: &str) -> String {
    let output = Run::new(&["--policy", policy]).end();
    let text = text(&output);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), error.as_ref()), (Some(0), ""), "{text}");
    let (tried, failed) = verdict(&text);
    assert!(50 < tried && failed == 0, "{text}");
    assert!(text.contains("and mail never stopped."), "{text}");
    // The new certificate was presented in the end, by both processes.
    assert!(text.contains("process 1 of the mail server now presents N"), "{text}");
    assert!(text.contains("process 2 of the mail server now presents N"), "{text}");
    text
}

#[test]
fn a_change_of_ca_by_the_default_policy_strands_nobody() {
    let text = mail_never_stops("ncsc");
    for line in [
        "GATE SHUT until",
        "publish (bridge) add 2 1 1 New CA, delete 2 1 1 Old CA",
        "O fits B by 3 1 1, N by 2 1 1",
        "GATE OPEN",
        "publish (settle) add 3 1 1 new key, delete 3 1 1 old key",
        "Why: N does not fit A, and was not presented before A had left every cache.",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
}

#[test]
fn the_policies_that_overlap_strand_nobody() {
    assert!(mail_never_stops("dane-ee").contains("GATE SHUT until"));
}

#[test]
fn a_standby_key_waits_for_no_cache() {
    let text = mail_never_stops("current-next");
    assert!(!text.contains("GATE SHUT"), "{text}");
    assert!(text.contains("its gate was open from the start"), "{text}");
}

#[test]
fn a_policy_file_is_taken_as_well_and_a_wrong_one_named() {
    let mut run = Run::new(&["--policy", "mine.toml"]);
    run.command.current_dir(run.directory.path());
    let policy = "records = [\"3 1 1\", \"2 0 1\"]\nbridge = \"overlap\"\n";
    std::fs::write(run.directory.path().join("mine.toml"), policy).unwrap();
    let output = run.end();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("by policy mine"), "{text}");
    assert!(text.contains("2 0 1 New CA"), "{text}");
    assert_eq!(verdict(&text).1, 0);

    for (name, message) in [
        ("nonsense", "no shipped policy `nonsense`"),
        ("/none.toml", "cannot read the policy file"),
    ] {
        let output = Run::new(&["--policy", name]).end();
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_wrong_order_fails_for_as_long_as_caches_hold_the_old_records() {
    let output = Run::new(&["--naive"]).end();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let (tried, failed) = verdict(&text);
    assert!(10 < failed && failed < tried, "{text}");
    assert!(text.contains("MAIL FAILS"), "{text}");
    let outage = text.lines().find_map(|line| line.strip_prefix("Mail was failing for "));
    let seconds = outage.and_then(|rest| rest.split('.').next()).expect("how long");
    // The TTL is 3 seconds, and one name server follows a second and a half later.
    assert!((3..10).contains(&seconds.parse::<u32>().unwrap()), "{text}");
}

#[test]
fn who_stops_it_is_left_with_nothing() {
    let mut run = Run::new(&["--color", "always"]);
    let child = run.start();
    let id = rustix::process::Pid::from_child(&child);
    let begun = Instant::now();
    while entries(&run.directory.path().join("tmp")).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1500));
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("\x1b[1mA change of CA"), "{text}");
    assert!(text.ends_with("Stopped: the servers are gone, and so is the directory.\n"), "{text}");
    run.assert_empty();
}
