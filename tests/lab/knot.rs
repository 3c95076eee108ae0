//! Knot DNS as the primary of a zone that it signs, changed by updates or through `knotc`.

use std::path::{Path, PathBuf};

use super::Lab;
use super::child::{self, CHILD_PRIMARY, CHILD_SECONDARY, Listed, ZONE};
use super::clock::Clock;
use super::daemon::Daemon;
use super::nsd::Nsd;

/// A primary, with its secondary.
#[derive(Debug)]
pub struct Knot {
    /// The secondary.
    pub nsd: Nsd,
    /// The process.
    daemon: Daemon,
    /// Its files.
    directory: PathBuf,
    /// The file of its TSIG key.
    pub key: PathBuf,
    /// Its clock, where that is not the machine's.
    pub clock: Option<Clock>,
}

impl Knot {
    /// Starts the zone with these TLSA records, and delegates it.
    pub fn start(lab: &Lab, listed: Listed, algorithm: &str, records: &[String]) -> Self {
        let directory = lab.path("knot");
        std::fs::create_dir_all(directory.join("db")).expect("Knot's directory");
        for address in [CHILD_PRIMARY, CHILD_SECONDARY] {
            lab.namespace.add_address(address);
        }
        child::write_zone(lab, &directory.join("zone"), listed, records);
        let (key, secret) = child::tsig_key(&directory, algorithm);
        let file = directory.join("knot.conf");
        let text = configuration(&directory, algorithm, &secret);
        super::tool::write_private(&file, &text);
        let mut command = lab.namespace.command("knotd");
        command.arg("-c").arg(&file);
        let clock = lab.options.own_clock.then(|| Clock::new(&directory));
        if let Some(clock) = &clock {
            clock.give_to(&mut command);
        }
        let mut daemon = Daemon::start("Knot", command, &directory.join("log"));
        daemon.wait_until("the zone is signed", || child::is_signed(lab, CHILD_PRIMARY));
        let nsd = child::delegate(lab, &directory, listed);
        Self { nsd, daemon, directory, key, clock }
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("knot.sock")
    }

    /// What it said last.
    pub fn tail(&self) -> String {
        self.daemon.tail()
    }
}

/// knot.conf: the key may change two owners, as the documentation recommends.
fn configuration(directory: &Path, algorithm: &str, secret: &str) -> String {
    let path = directory.display();
    format!(
        "server:\n  rundir: {path}\n  listen: [{CHILD_PRIMARY}@53, ::1@53]\n\
         control:\n  listen: {path}/knot.sock\n\
         database:\n  storage: {path}/db\n\
         log:\n  - target: stderr\n    any: info\n\
         key:\n  - id: rollover\n    algorithm: {algorithm}\n    secret: {secret}\n\
         remote:\n  - id: secondary\n    address: {CHILD_SECONDARY}\n\
         acl:\n  - id: rollover\n    key: rollover\n    action: update\n    \
         update-type: [TLSA, TXT]\n    update-owner: name\n    update-owner-match: equal\n    \
         update-owner-name: [_25._tcp.{ZONE}, _acme-challenge.{ZONE}]\n  \
         - id: secondary\n    address: 127.0.0.0/8\n    action: transfer\n\
         policy:\n  - id: lab\n    algorithm: ecdsap256sha256\n\
         zone:\n  - domain: {ZONE}\n    file: {path}/zone\n    dnssec-signing: on\n    \
         dnssec-policy: lab\n    notify: secondary\n    acl: [rollover, secondary]\n"
    )
}
