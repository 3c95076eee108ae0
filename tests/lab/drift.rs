//! An ACME CA that signs with another intermediate each time, unannounced, as public CAs do
//! (`drift.py`, before a Pebble).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Lab;
use super::daemon::{Daemon, run};
use super::pebble::Pebble;

/// Its intermediates.
const INTERMEDIATES: [&str; 3] = ["gen-y1", "gen-y2", "gen-y3"];

/// A CA whose intermediate drifts, under one directory, account and root.
#[derive(Debug)]
pub struct DriftingCa {
    /// The front.
    daemon: Daemon,
    /// Its files.
    directory: PathBuf,
    /// Where it listens.
    port: u16,
}

impl DriftingCa {
    /// Starts it before a Pebble, at this port of 127.0.0.1.
    pub fn start(lab: &Lab, pebble: &Pebble, port: u16) -> Self {
        let directory = lab.path("drift");
        std::fs::create_dir_all(&directory).expect("the CA's directory");
        make_intermediates(&directory);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/drift.py");
        let identity = pebble.ca_file();
        let mut command = lab.namespace.command("python3");
        command.arg(script).args(["--port", &port.to_string()]);
        command.args(["--behind", &pebble.port().to_string()]);
        command.arg("--identity").arg(identity.parent().expect("Pebble's directory"));
        command.arg("--directory").arg(&directory).args(INTERMEDIATES);
        let mut daemon = Daemon::start("the front of the CA", command, &directory.join("log"));
        daemon.wait_until("the CA's front listens", || super::pebble::listens(lab, port));
        Self { daemon, directory, port }
    }

    /// The URL of its directory.
    pub fn directory_url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Keeps to the intermediate that signed last.
    pub fn stay(&self) {
        std::fs::write(self.directory.join("still"), "").expect("the CA stays");
    }

    /// Takes another intermediate each time again.
    pub fn drift(&self) {
        std::fs::remove_file(self.directory.join("still")).expect("the CA drifts");
    }

    /// What it signed, and with which intermediate.
    pub fn tail(&self) -> String {
        self.daemon.tail()
    }
}

/// Makes a root and the intermediates below it.
fn make_intermediates(directory: &Path) {
    let file = |name: &str| directory.join(name).display().to_string();
    let make = |name: &str, more: &[&str]| {
        let (key, certificate) = (file(&format!("{name}.key")), file(&format!("{name}.pem")));
        let subject = format!("/CN={name}");
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-days", "3650", "-subj", &subject]);
        command.args(["-addext", "basicConstraints=critical,CA:TRUE"]);
        command.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        run(command.args(["-keyout", &key, "-out", &certificate]).args(more));
    };
    make("root", &[]);
    let (root, key) = (file("root.pem"), file("root.key"));
    for name in INTERMEDIATES {
        make(name, &["-CA", &root, "-CAkey", &key]);
    }
}
