//! NSD as the secondary of `example.nl.`: it can lag, fall silent, and come back.

use std::path::Path;

use super::daemon::Daemon;
use super::namespace::Namespace;
use super::{PRIMARY, SECONDARY};

/// The secondary.
#[derive(Debug)]
pub struct Nsd {
    /// The process that transfers zones; its children answer.
    daemon: Daemon,
}

impl Nsd {
    /// Starts the secondary of `example.nl.`, and waits until it serves the zone.
    pub fn start(namespace: &Namespace, directory: &Path) -> Self {
        Self::start_for(namespace, directory, ("example.nl.", SECONDARY, PRIMARY))
    }

    /// Starts a secondary of a zone, given its own address and its primary's.
    pub fn start_for(
        namespace: &Namespace,
        directory: &Path,
        (zone, address, primary): (&str, &str, &str),
    ) -> Self {
        std::fs::create_dir_all(directory).expect("NSD's directory");
        let path = directory.display();
        let text = format!(
            "server:\n  ip-address: {address}\n  server-count: 1\n  username: \"\"\n  chroot: \
             \"\"\n  zonesdir: \"{path}\"\n  database: \"\"\n  pidfile: \"{path}/nsd.pid\"\n  \
             xfrdfile: \"{path}/xfrd.state\"\n  xfrdir: \"{path}\"\n  zonelistfile: \
             \"{path}/zone.list\"\n  xfrd-reload-timeout: 0\n  verbosity: 1\n  \
             hide-version: yes\nremote-control:\n  control-enable: no\nzone:\n  name: \
             {zone}\n  zonefile: {zone}zone\n  request-xfr: {primary}@53 NOKEY\n  \
             allow-notify: 127.0.0.0/8 NOKEY\n  provide-xfr: 127.0.0.0/8 NOKEY\n"
        );
        let file = directory.join("nsd.conf");
        std::fs::write(&file, text).expect("nsd.conf");
        let mut command = namespace.command("nsd");
        command.arg("-d").arg("-c").arg(&file);
        let mut daemon = Daemon::start("NSD", command, &directory.join("log"));
        daemon.wait_until("the secondary serves the zone", || {
            let output = namespace
                .command("dig")
                .args([&format!("@{address}"), zone, "SOA", "+short", "+norecurse"])
                .args(["+time=1", "+tries=1"])
                .output()
                .expect("dig runs");
            String::from_utf8_lossy(&output.stdout).contains("hostmaster.")
        });
        Self { daemon }
    }

    /// What it said last.
    pub fn tail(&self) -> String {
        self.daemon.tail()
    }

    /// Stops transfers; what it has, it goes on serving.
    pub fn lag(&self) {
        self.daemon.signal("STOP");
    }

    /// Transfers what it missed.
    pub fn catch_up(&self) {
        self.daemon.signal("CONT");
    }

    /// Answers nothing at all.
    pub fn silence(&self) {
        self.daemon.signal_all("STOP");
    }

    /// Answers again.
    pub fn wake(&self) {
        self.daemon.signal_all("CONT");
    }
}
