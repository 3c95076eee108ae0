//! A network namespace: ports and loopback addresses of its own.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts the namespaces of this process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A network namespace, deleted when dropped.
#[derive(Debug)]
pub struct Namespace {
    /// Its name: which process it belongs to, and which of that process's it is.
    name: String,
}

/// Runs `ip` with these arguments.
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip runs (iproute2)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said} (the lab needs root)", arguments.join(" "));
}

impl Namespace {
    /// Makes a namespace, and removes those that dead processes left behind.
    pub fn new() -> Self {
        sweep();
        let name =
            format!("rollover-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        Self { name }
    }

    /// Gives the loopback interface another address: BIND and Postfix bind only what is there.
    pub fn add_address(&self, address: &str) {
        if address == "127.0.0.1" || address == "::1" {
            return;
        }
        let prefix = if address.contains(':') { 128 } else { 32 };
        ip(&["-n", &self.name, "address", "replace", &format!("{address}/{prefix}"), "dev", "lo"]);
    }

    /// The file that stands for it.
    pub fn file(&self) -> std::path::PathBuf {
        std::path::Path::new("/run/netns").join(&self.name)
    }

    /// A command that runs inside. `ip` replaces itself by the program, so that the process id is
    /// the program's own.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

/// Removes the namespaces of processes that are gone.
fn sweep() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix("rollover-").and_then(|n| n.split('-').next()) else {
            continue;
        };
        if !std::path::Path::new("/proc").join(process).exists() {
            let _ = Command::new("ip").args(["netns", "delete", &name]).status();
        }
    }
}
