//! Machines that can be logged in to: real sshds, each with a directory of its own under a path that
//! all of them share, as `/etc/postfix/tls` is another directory on each machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Lab;
use super::daemon::{Daemon, run};

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// Its sshd; `None` while it is down.
    daemon: Option<Daemon>,
    /// Where it can be reached.
    address: String,
    /// What its directory is called from outside.
    pub own: PathBuf,
}

/// The directory that each machine has for its own.
pub fn shared(lab: &Lab) -> PathBuf {
    lab.path("machine")
}

/// A file of the key of the operator, or beside it.
fn key(lab: &Lab) -> PathBuf {
    lab.path("ssh/operator")
}

/// Makes a key unless there is one.
fn make_key(path: &Path) {
    if !path.exists() {
        let mut command = Command::new("ssh-keygen");
        run(command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path));
    }
}

/// What ssh is given to reach the machines as an operator who has confirmed their keys.
pub fn arguments(lab: &Lab) -> Vec<String> {
    let known = lab.path("ssh/known_hosts");
    let text = |path: PathBuf| path.display().to_string();
    [
        "-F".to_owned(),
        "none".to_owned(),
        "-i".to_owned(),
        text(key(lab)),
        "-o".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "-o".to_owned(),
        format!("UserKnownHostsFile={}", text(known)),
    ]
    .into()
}

impl Machine {
    /// Starts a machine at this address.
    pub fn start(lab: &Lab, address: &str) -> Self {
        std::fs::create_dir_all("/run/sshd").expect("sshd's own directory");
        let own = lab.path(&format!("machine-{address}"));
        for directory in [&own, &shared(lab), &lab.path("ssh")] {
            std::fs::create_dir_all(directory).expect("a machine's directory");
        }
        make_key(&key(lab));
        let host_key = lab.path(&format!("ssh/host-{address}"));
        make_key(&host_key);
        let public = |path: &Path| {
            let text = std::fs::read_to_string(path.with_extension("pub"));
            text.or_else(|_| std::fs::read_to_string(format!("{}.pub", path.display())))
                .expect("a public key")
        };
        let known = lab.path("ssh/known_hosts");
        let before = std::fs::read_to_string(&known).unwrap_or_default();
        let line = format!("{address} {}", public(&host_key));
        std::fs::write(&known, before + &line).expect("known_hosts");
        std::fs::write(lab.path("ssh/authorized_keys"), public(&key(lab))).expect("the key's half");
        let configuration = format!(
            "ListenAddress {address}\nPort 22\nHostKey {}\nPidFile none\nAuthorizedKeysFile \
             {}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin \
             prohibit-password\nUseDNS no\n",
            host_key.display(),
            lab.path("ssh/authorized_keys").display()
        );
        std::fs::write(Self::configuration(lab, address), configuration).expect("sshd_config");
        let mut machine = Self { daemon: None, address: address.to_owned(), own };
        machine.boot(lab);
        machine
    }

    /// The configuration of a machine's sshd.
    fn configuration(lab: &Lab, address: &str) -> PathBuf {
        lab.path(&format!("ssh/sshd-{address}.conf"))
    }

    /// Starts its sshd, in a mount namespace where the shared directory is its own.
    pub fn boot(&mut self, lab: &Lab) {
        let script = "mount --bind \"$1\" \"$2\" && exec /usr/sbin/sshd -D -e -f \"$3\"";
        let mut command = lab.namespace.command("sh");
        command.args(["-c", script, "sh"]).arg(&self.own).arg(shared(lab));
        command.arg(Self::configuration(lab, &self.address));
        let log = lab.path(&format!("ssh/log-{}", self.address));
        let mut daemon = Daemon::start("sshd", command, &log);
        daemon.wait_until("sshd answers", || {
            let mut command = lab.namespace.command("ssh");
            command.args(arguments(lab)).args(["-o", "BatchMode=yes", &self.address, "true"]);
            command.output().is_ok_and(|output| output.status.success())
        });
        self.daemon = Some(daemon);
    }

    /// Takes it off the net: its mail server runs on.
    pub fn cut_off(&mut self) {
        self.daemon = None;
    }

    /// Puts a script at this name into its directory.
    pub fn script(&self, name: &str, lines: &str) {
        let path = self.own.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("a script");
        run(Command::new("chmod").arg("755").arg(&path));
    }
}
