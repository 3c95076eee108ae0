//! A daemon that the lab started: ended with it, and quoted when something goes wrong.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take to do what it is asked; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// What it is, for messages.
    name: String,
    /// The process.
    child: Child,
    /// What it says.
    log: PathBuf,
}

impl Daemon {
    /// Starts a daemon that stays in the foreground.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let file = File::create(log).expect("the log opens");
        let errors = file.try_clone().expect("the log opens twice");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` says so.
    pub fn wait_until(&mut self, what: &str, ready: impl FnMut() -> bool) {
        let name = self.name.clone();
        let (child, log) = (&mut self.child, &self.log);
        wait_until_with(what, ready, || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{name} ended with {status}:\n{}", tail(log));
            }
            format!("{name}:\n{}", tail(log))
        });
    }

    /// Sends a signal by name to the process and all its descendants.
    pub fn signal_all(&self, signal: &str) {
        for id in descendants(self.id()).into_iter().chain([self.id()]) {
            send(signal, id);
        }
    }

    /// Sends a signal by name to the process alone.
    pub fn signal(&self, signal: &str) {
        send(signal, self.id());
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let family = descendants(self.id());
        send("CONT", self.id());
        send("TERM", self.id());
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(2) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        for id in family {
            send("KILL", id);
        }
    }
}

/// Sends a signal.
pub fn send(signal: &str, id: u32) {
    let _ =
        Command::new("kill").args(["-s", signal, &id.to_string()]).stderr(Stdio::null()).status();
}

/// All descendants of a process.
fn descendants(id: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children: Vec<u32> = children
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect();
    children.iter().flat_map(|child| descendants(*child)).chain(children.clone()).collect()
}

/// Waits until `ready` says so; on time-out fails with `what` and `details`.
pub fn wait_until(what: &str, ready: impl FnMut() -> bool) {
    wait_until_with(what, ready, String::new);
}

/// Waits until `ready` says so, asking for `details` each time it does not.
fn wait_until_with(
    what: &str,
    mut ready: impl FnMut() -> bool,
    mut details: impl FnMut() -> String,
) {
    let started = Instant::now();
    while !ready() {
        let details = details();
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}\n{details}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The last lines of a file.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Runs a command to its end; fails with its output if it does.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}
