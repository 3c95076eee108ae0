//! PowerDNS Authoritative as the primary of a zone that it signs, changed by updates or its HTTP API.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Lab;
use super::child::{self, CHILD_PRIMARY, CHILD_SECONDARY, Listed, ZONE};
use super::daemon::{Daemon, run};
use super::nsd::Nsd;

/// The key of its HTTP API.
const API_KEY: &str = "a key of the lab";

/// Where Debian's package has the database's tables.
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// A primary, with its secondary.
#[derive(Debug)]
pub struct PowerDns {
    /// The secondary.
    pub nsd: Nsd,
    /// The process.
    daemon: Daemon,
    /// The file of its TSIG key.
    pub key: PathBuf,
    /// The file with the key of its HTTP API.
    pub api_key: PathBuf,
}

impl PowerDns {
    /// Where its HTTP API listens.
    pub const URL: &'static str = "http://127.0.0.1:8081";

    /// Starts the zone with these TLSA records, and delegates it.
    pub fn start(lab: &Lab, listed: Listed, algorithm: &str, records: &[String]) -> Self {
        let directory = lab.path("powerdns");
        std::fs::create_dir_all(&directory).expect("PowerDNS's directory");
        for address in [CHILD_PRIMARY, CHILD_SECONDARY] {
            lab.namespace.add_address(address);
        }
        let zone_file = directory.join("zone");
        child::write_zone(lab, &zone_file, listed, records);
        let (key, secret) = child::tsig_key(&directory, algorithm);
        let api_key = directory.join("api.key");
        super::tool::write_private(&api_key, &format!("{API_KEY}\n"));
        super::tool::write_private(&directory.join("pdns.conf"), &configuration(&directory));
        let database = directory.join("pdns.sqlite3");
        run(Command::new("sqlite3").arg(&database).arg(format!(".read {SCHEMA}")));
        let file = zone_file.display().to_string();
        for words in [
            &["load-zone", ZONE, &file][..],
            &["set-kind", ZONE, "primary"],
            &["secure-zone", ZONE],
            &["import-tsig-key", "rollover", algorithm, &secret],
            &["set-meta", ZONE, "TSIG-ALLOW-DNSUPDATE", "rollover"],
            &["set-meta", ZONE, "NOTIFY-DNSUPDATE", "1"],
            &["set-meta", ZONE, "SOA-EDIT-API", "DEFAULT"],
        ] {
            let mut command = Command::new("pdnsutil");
            run(command.arg("--config-dir").arg(&directory).args(words));
        }
        let mut command = lab.namespace.command("pdns_server");
        command.arg(format!("--config-dir={}", directory.display()));
        let mut daemon = Daemon::start("PowerDNS", command, &directory.join("log"));
        daemon.wait_until("the zone is signed", || child::is_signed(lab, CHILD_PRIMARY));
        let nsd = child::delegate(lab, &directory, listed);
        Self { nsd, daemon, key, api_key }
    }

    /// What it said last.
    pub fn tail(&self) -> String {
        self.daemon.tail()
    }
}

/// pdns.conf: without its caches, which would only make what is tested slower to see.
fn configuration(directory: &Path) -> String {
    let path = directory.display();
    let mut text = String::new();
    for (key, value) in [
        ("launch", "gsqlite3"),
        ("gsqlite3-database", &format!("{path}/pdns.sqlite3")),
        ("gsqlite3-dnssec", "yes"),
        ("local-address", &format!("{CHILD_PRIMARY}, ::1")),
        ("socket-dir", &path.to_string()),
        ("daemon", "no"),
        ("guardian", "no"),
        ("primary", "yes"),
        ("also-notify", CHILD_SECONDARY),
        // Its API alone notifies nobody: it looks by itself whether a zone's serial number has grown.
        ("xfr-cycle-interval", "1"),
        ("allow-axfr-ips", "127.0.0.0/8"),
        ("dnsupdate", "yes"),
        ("allow-dnsupdate-from", "127.0.0.0/8, ::1"),
        ("api", "yes"),
        ("api-key", API_KEY),
        ("webserver-address", "127.0.0.1"),
        ("webserver-port", "8081"),
        ("webserver-allow-from", "127.0.0.1"),
        ("cache-ttl", "0"),
        ("query-cache-ttl", "0"),
        ("negquery-cache-ttl", "0"),
    ] {
        let _ = writeln!(text, "{key}={value}");
    }
    text
}
