//! Exim as the mail server, with a certificate file and a key file that its own user reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Lab;
use super::daemon::{Daemon, run};

/// Where `install-daemons.sh` unpacks it, beside Postfix.
const PROGRAM: &str = "/opt/rollover-lab/usr/sbin/exim4";

/// Where its configuration is.
const ETC: &str = "/etc/exim4";

/// A mail server.
#[derive(Debug)]
pub struct Exim {
    /// The process.
    daemon: Daemon,
    /// Its files.
    directory: PathBuf,
}

impl Exim {
    /// Starts a mail server at this address.
    pub fn start(lab: &Lab, address: &str, certificate: &Path, key: &Path) -> Self {
        let directory = lab.path("exim");
        for part in ["spool", "log"] {
            std::fs::create_dir_all(directory.join(part)).expect("Exim's directories");
        }
        run(Command::new("chown").args(["-R", "Debian-exim:Debian-exim"]).arg(&directory));
        let path = directory.display();
        let configuration = format!(
            "exim_path = {PROGRAM}\nprimary_hostname = mail.example.nl\nspool_directory = {path}/spool\nlog_file_path = \
             {path}/log/%s\npid_file_path = {path}/pid\nlocal_interfaces = {address}\n\
             daemon_smtp_ports = 25\ntls_advertise_hosts = *\ntls_certificate = \
             {}\ntls_privatekey = {}\nhost_lookup =\nrfc1413_hosts =\nkeep_environment =\n\
             smtp_accept_max = 0\nqueue_run_in_order = false\nbegin acl\n",
            certificate.display(),
            key.display()
        );
        // At the place that is compiled in, in a mount namespace of its own: told of another place,
        // Exim gives up root when it starts anew, and with it port 25.
        let etc = lab.path("exim-etc");
        for part in [&etc, Path::new(ETC)] {
            std::fs::create_dir_all(part).expect("a directory for exim4.conf");
        }
        std::fs::write(etc.join("exim4.conf"), configuration).expect("exim4.conf");
        let mut command = lab.namespace.command("sh");
        command.args(["-c", "mount --bind \"$1\" \"$2\" && exec \"$3\" -bdf", "sh"]);
        command.arg(&etc).args([ETC, PROGRAM]);
        let daemon = Daemon::start("Exim", command, &lab.path("exim.console"));
        let mut exim = Self { daemon, directory };
        exim.daemon.wait_until("Exim answers", || super::mail::greets(lab, address));
        exim
    }

    /// A script that makes it read its files.
    pub fn reload(&self) -> String {
        format!("exec kill -HUP \"$(cat {}/pid)\"", self.directory.display())
    }

    /// What it said last.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.directory.join("log/main")) + &self.daemon.tail()
    }
}
