//! A Pebble with its own challenge name server, on ports of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

/// A running Pebble. Ends with the value.
pub(crate) struct Pebble {
    /// Where its files are.
    directory: TempDir,
    /// The HTTPS address.
    pub(crate) address: SocketAddr,
    /// The HTTPS address of its management.
    pub(crate) management: SocketAddr,
    /// Where TXT records are set.
    pub(crate) challenges: SocketAddr,
    /// Where it looks for proofs by HTTP, of every name.
    pub(crate) http: SocketAddr,
    /// Environment of each start.
    environment: Vec<(&'static str, &'static str)>,
    /// The name server.
    _name_server: Process,
    /// Pebble itself.
    process: Option<Process>,
    /// The number of starts.
    starts: u32,
}

/// A process that ends with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address on loopback that nobody listens on, and that no other call returns: below the ports
/// that Linux gives to connections, one of which could take it before its listener does.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], NEXT.fetch_add(1, Ordering::Relaxed)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Starts a program with its output in a file.
#[expect(clippy::disallowed_methods, reason = "the lab's daemons are processes")]
fn start(program: &str, arguments: &[&str], environment: &[(&str, &str)], log: &Path) -> Process {
    let file = fs::File::options().create(true).append(true).open(log).unwrap();
    let child = std::process::Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stderr(file.try_clone().unwrap())
        .stdout(file)
        .spawn();
    Process(child.unwrap_or_else(|e| panic!("{program} (package `pebble`) is not there: {e}")))
}

/// Waits until something listens at `address`.
async fn listening(address: SocketAddr, log: &Path) {
    for _ in 0..400 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let log = fs::read_to_string(log).unwrap_or_default();
    panic!("nobody listens at {address}:\n{log}");
}

impl Pebble {
    /// A Pebble that presents this certificate, with these settings beside the usual ones.
    pub(crate) async fn start(
        certificate: &Path,
        key: &Path,
        environment: &[(&'static str, &'static str)],
        settings: &serde_json::Value,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (address, management) = (free_address(), free_address());
        let (challenges, dns) = (free_address(), free_address());
        let http = free_address();
        let log = directory.path().join("challtestsrv.log");
        let name_server = start(
            "pebble-challtestsrv",
            &[
                "-dns01",
                &dns.to_string(),
                "-management",
                &challenges.to_string(),
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-defaultIPv6",
                "",
            ],
            &[],
            &log,
        );
        listening(challenges, &log).await;
        let mut config = serde_json::json!({ "pebble": {
            "listenAddress": address.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": certificate,
            "privateKey": key,
            "httpPort": http.port(),
            "tlsPort": 5001,
        }});
        for (name, value) in settings.as_object().into_iter().flatten() {
            config["pebble"][name] = value.clone();
        }
        put(&directory.path().join("config.json"), &config.to_string());
        put(&directory.path().join("dns"), &dns.to_string());
        let mut pebble = Self {
            directory,
            address,
            management,
            challenges,
            http,
            environment: environment.to_vec(),
            _name_server: name_server,
            process: None,
            starts: 0,
        };
        pebble.restart().await;
        pebble
    }

    /// Starts it, or starts it again: it forgets accounts, orders and its own keys.
    pub(crate) async fn restart(&mut self) {
        self.process = None;
        self.starts += 1;
        let dns = fs::read_to_string(self.path("dns")).unwrap();
        let config = self.path("config.json");
        let mut environment = vec![("PEBBLE_VA_NOSLEEP", "1")];
        environment.extend(&self.environment);
        self.process = Some(start(
            "pebble",
            &["-strict", "-config", config.to_str().unwrap(), "-dnsserver", &dns],
            &environment,
            &self.path("pebble.log"),
        ));
        for address in [self.management, self.address] {
            listening(address, &self.path("pebble.log")).await;
        }
    }

    /// How many certificates it has issued, by its own log.
    pub(crate) fn issued(&self) -> usize {
        let log = fs::read_to_string(self.path("pebble.log")).unwrap();
        log.matches("Issued certificate serial").count()
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("pebble.log")).unwrap()
    }

    /// A file of its own.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Writes a file of the lab's.
fn put(path: &Path, text: &str) {
    rollover::durable::write_private(path, text.as_bytes()).unwrap();
}
