//! Dovecot as the IMAP server: STARTTLS at port 143, TLS at port 993.

use std::path::{Path, PathBuf};

use super::Lab;
use super::daemon::Daemon;

/// An IMAP server.
#[derive(Debug)]
pub struct Dovecot {
    /// The process.
    daemon: Daemon,
    /// Its configuration.
    configuration: PathBuf,
}

impl Dovecot {
    /// Starts an IMAP server at this address.
    pub fn start(lab: &Lab, address: &str, certificate: &Path, key: &Path) -> Self {
        let directory = lab.path("dovecot");
        std::fs::create_dir_all(&directory).expect("Dovecot's directory");
        let path = directory.display();
        let text = format!(
            "base_dir = {path}/run\nstate_dir = {path}/state\ninstance_name = lab\nlog_path = \
             {path}/log\nlisten = {address}\nprotocols = imap\nssl = yes\nssl_cert = <{}\nssl_key = \
             <{}\npassdb {{\n  driver = static\n  args = nopassword=y\n}}\nuserdb {{\n  driver = \
             static\n  args = uid=nobody gid=nogroup home={path}/home\n}}\nmail_location = \
             maildir:{path}/mail\nservice stats {{\n  chroot =\n}}\n",
            certificate.display(),
            key.display()
        );
        let configuration = directory.join("dovecot.conf");
        std::fs::write(&configuration, text).expect("dovecot.conf");
        let mut command = lab.namespace.command("dovecot");
        command.arg("-F").arg("-c").arg(&configuration);
        let mut daemon = Daemon::start("Dovecot", command, &directory.join("console"));
        let mut answered = false;
        daemon.wait_until("Dovecot answers", || {
            answered = answered || super::nginx::connects(lab, address, 993);
            answered
        });
        Self { daemon, configuration }
    }

    /// A script that makes it read its files.
    pub fn reload(&self) -> String {
        format!("exec doveadm -c {} reload", self.configuration.display())
    }

    /// What it said last.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.configuration.with_file_name("log")) + &self.daemon.tail()
    }
}
