//! Postfix as the mail server: it offers STARTTLS with what stands in its chain files.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Lab;
use super::daemon::{Daemon, run};

/// A mail server.
#[derive(Debug)]
pub struct Postfix {
    /// The process.
    daemon: Daemon,
    /// Its configuration.
    directory: PathBuf,
}

/// Whether a mail server offers TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tls {
    /// It does.
    Offered,
    /// It does not.
    Off,
}

impl Postfix {
    /// Starts a mail server at the lab's addresses that reads `chain_files`.
    pub fn start(lab: &Lab, chain_files: &[&Path], tls: Tls) -> Self {
        Self::start_at(lab, "postfix", &lab.options.addresses, chain_files, tls)
    }

    /// Starts one of several mail servers, at these addresses.
    pub fn start_at(
        lab: &Lab,
        name: &str,
        addresses: &[String],
        chain_files: &[&Path],
        tls: Tls,
    ) -> Self {
        let directory = lab.path(name);
        for part in ["queue", "data"] {
            std::fs::create_dir_all(directory.join(part)).expect("Postfix's directories");
        }
        run(Command::new("chown").arg("postfix").arg(directory.join("data")));
        let path = directory.display();
        let files: Vec<String> = chain_files.iter().map(|f| f.display().to_string()).collect();
        let level = match tls {
            Tls::Offered => "may",
            Tls::Off => "none",
        };
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {path}/queue\ndata_directory = \
             {path}/data\nmaillog_file = {path}/log\nmaillog_file_prefixes = /tmp, /var, \
             {path}\nmyhostname = mail.example.nl\ninet_interfaces = {}\ninet_protocols = \
             all\nmydestination = example.nl\nlocal_recipient_maps =\nsmtpd_peername_lookup = \
             no\nsmtpd_tls_security_level = {level}\nsmtpd_tls_chain_files = {}\n\
             smtpd_tls_session_cache_database =\nalias_maps =\nalias_database =\n\
             smtpd_client_connection_count_limit = 0\ndefault_process_limit = 40\n\
             multi_instance_enable = no\nsmtpd_relay_restrictions = \
             reject_unauth_destination\nimport_environment = MAIL_CONFIG\n",
            addresses.join(", "),
            files.join(", ")
        );
        std::fs::write(directory.join("main.cf"), main).expect("main.cf");
        std::fs::write(directory.join("master.cf"), MASTER).expect("master.cf");
        let mut command = lab.namespace.command("postfix");
        command.arg("-c").arg(&directory).arg("start-fg");
        let daemon = Daemon::start("Postfix", command, &directory.join("console"));
        let mut postfix = Self { daemon, directory };
        let log = postfix.directory.join("log");
        for address in addresses {
            postfix.daemon.wait_until("the mail server answers", || {
                greets(lab, address) || {
                    assert!(
                        !super::daemon::tail(&log).contains("fatal"),
                        "Postfix: {}",
                        super::daemon::tail(&log)
                    );
                    false
                }
            });
        }
        postfix
    }

    /// The command with which it is made to read its files, as an argv.
    pub fn reload(&self) -> Vec<String> {
        ["postfix", "-c", &self.directory.display().to_string(), "reload"].map(str::to_owned).into()
    }

    /// What it logged last.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.directory.join("log"))
    }
}

/// master.cf: what a receiving server needs.
const MASTER: &str = "smtp      inet  n       -       n       -       -       smtpd
cleanup   unix  n       -       n       -       0       cleanup
rewrite   unix  -       -       n       -       -       trivial-rewrite
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
anvil     unix  -       -       n       -       1       anvil
proxymap  unix  -       -       n       -       -       proxymap
postlog   unix-dgram n  -       n       -       1       postlogd
";

/// Whether a mail server greets at an address.
pub fn greets(lab: &Lab, address: &str) -> bool {
    let script = "import socket,sys\n\
                  s=socket.create_connection((sys.argv[1],25),2);s.settimeout(5)\n\
                  sys.exit(0 if s.recv(512).startswith(b'220') else 1)";
    let output = lab.namespace.command("python3").args(["-c", script, address]).output();
    output.is_ok_and(|output| output.status.success())
}
