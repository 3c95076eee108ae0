//! Pebble: an ACME CA with new keys at each start, whose validation asks the lab's resolver.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::{Daemon, run};
use super::{Lab, RESOLVER};

/// An ACME CA.
#[derive(Debug)]
pub struct Pebble {
    /// The process; none while it is stopped.
    daemon: Option<Daemon>,
    /// Its files.
    directory: PathBuf,
    /// Where it listens.
    port: u16,
    /// Of a hundred nonces, how many it refuses on purpose.
    refused_nonces: &'static str,
}

impl Pebble {
    /// Starts a CA at this port of 127.0.0.1, which refuses one nonce in twenty.
    pub fn start(lab: &Lab, name: &str, port: u16) -> Self {
        Self::start_refusing("5", lab, name, port)
    }

    /// Starts a CA that refuses no nonce: clients of others give up at the first or second, and leave
    /// their proof in the zone.
    pub fn start_for_others(lab: &Lab, name: &str, port: u16) -> Self {
        Self::start_refusing("0", lab, name, port)
    }

    /// Starts a CA that refuses this many nonces in a hundred.
    fn start_refusing(refused_nonces: &'static str, lab: &Lab, name: &str, port: u16) -> Self {
        let directory = lab.path(name);
        std::fs::create_dir_all(&directory).expect("Pebble's directory");
        make_https_certificate(&directory);
        let path = directory.display();
        let text = format!(
            r#"{{"pebble": {{
  "listenAddress": "127.0.0.1:{port}", "managementListenAddress": "127.0.0.1:{}",
  "certificate": "{path}/https.pem", "privateKey": "{path}/https.key",
  "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
  "externalAccountBindingRequired": false, "certificateValidityPeriod": 7776000
}}}}"#,
            port + 1000
        );
        std::fs::write(directory.join("config.json"), text).expect("Pebble's configuration");
        let mut pebble = Self { daemon: None, directory, port, refused_nonces };
        pebble.restart(lab);
        pebble
    }

    /// Ends it and starts it again: another CA under the same directory, without its accounts.
    pub fn restart(&mut self, lab: &Lab) {
        self.daemon = None;
        let mut command = lab.namespace.command("pebble");
        command.arg("-config").arg(self.directory.join("config.json"));
        command.args(["-strict", "-dnsserver", &format!("{RESOLVER}:53")]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", self.refused_nonces);
        // Each time a name is proved anew, and not by chance in half of the cases.
        command.env("PEBBLE_AUTHZREUSE", "0");
        let mut daemon = Daemon::start("Pebble", command, &self.directory.join("log"));
        daemon.wait_until("the CA listens", || listens(lab, self.port));
        self.daemon = Some(daemon);
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.daemon = None;
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its directory.
    pub fn directory_url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A file among its own: `https.pem`, `https.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The root of its own HTTPS.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.join("https-ca.pem")
    }
}

/// Whether somebody listens at this port of 127.0.0.1.
pub fn listens(lab: &Lab, port: u16) -> bool {
    let script = "import socket,sys;socket.create_connection(('127.0.0.1',int(sys.argv[1])),2)";
    let mut probe = lab.namespace.command("python3");
    probe.args(["-c", script, &port.to_string()]).output().is_ok_and(|o| o.status.success())
}

/// Makes the certificate that the CA's own HTTPS uses.
fn make_https_certificate(directory: &Path) {
    let file = |name: &str| directory.join(name).display().to_string();
    run(Command::new("openssl").args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=HTTPS CA of the lab",
        "-keyout",
        &file("https-ca.key"),
        "-out",
        &file("https-ca.pem"),
    ]));
    run(Command::new("openssl").args([
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=127.0.0.1",
        "-keyout",
        &file("https.key"),
        "-out",
        &file("https.csr"),
    ]));
    std::fs::write(directory.join("https.ext"), "subjectAltName=IP:127.0.0.1\n")
        .expect("https.ext");
    run(Command::new("openssl").args([
        "x509",
        "-req",
        "-days",
        "30",
        "-in",
        &file("https.csr"),
        "-CA",
        &file("https-ca.pem"),
        "-CAkey",
        &file("https-ca.key"),
        "-CAcreateserial",
        "-extfile",
        &file("https.ext"),
        "-out",
        &file("https.pem"),
    ]));
}
