//! Zones that are signed badly: below the lab's `example.nl.`, on name servers of their own.

use std::path::PathBuf;
use std::process::Command;

use crate::lab::daemon::{Daemon, run, wait_until};
use crate::world::World;

/// The first name server of these zones.
pub const ONE: &str = "127.0.0.3";
/// The second.
pub const OTHER: &str = "127.0.0.4";
/// One that nobody is at.
pub const NOBODY: &str = "127.0.0.5";

/// A name server.
#[derive(Debug)]
pub struct Nameserver {
    /// The process.
    _daemon: Daemon,
}

/// Until when a zone is signed, as `dnssec-signzone` has it.
#[derive(Clone, Copy, Debug)]
pub enum Signed {
    /// For a month.
    Long,
    /// For six hours more.
    SixHours,
    /// Until an hour ago.
    Expired,
}

/// A zone under construction.
pub struct Zone {
    /// Its name, with the dot at the end.
    name: String,
    /// Where its files are.
    directory: PathBuf,
    /// Its key's file.
    key: PathBuf,
}

impl Zone {
    /// A zone below `example.nl.`, delegated to these name servers.
    pub fn new(world: &mut World, label: &str, servers: &[&str]) -> Self {
        let name = format!("{label}.example.nl.");
        let directory = world.lab.path(label);
        std::fs::create_dir_all(&directory).expect("the zone's directory");
        for (number, address) in servers.iter().enumerate() {
            world.record(&format!("{name} 60 NS ns{number}.{name}"));
            world.record(&format!("ns{number}.{name} 60 A {address}"));
        }
        let stem = run(Command::new("dnssec-keygen")
            .args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K"])
            .arg(&directory)
            .arg(&name));
        let key = directory.join(format!("{}.key", stem.trim()));
        Self { name, directory, key }
    }

    /// Publishes its DS record in the parent.
    pub fn trusted(&self, world: &mut World) {
        let ds = run(Command::new("dnssec-dsfromkey").arg("-2").arg(&self.key));
        let data = ds.split_once(" DS ").expect("a DS record").1;
        world.record(&format!("{} 60 DS {}", self.name, data.trim()));
    }

    /// Writes the zone with these records beside those of its servers, unsigned.
    pub fn write(&self, file: &str, servers: &[&str], records: &str) -> (String, PathBuf) {
        let mut text = format!(
            "$ORIGIN {0}\n$TTL 60\n@ SOA ns0.{0} hostmaster.{0} 1 60 5 86400 5\n",
            self.name
        );
        for (number, address) in servers.iter().enumerate() {
            text += &format!("@ NS ns{number}\nns{number} A {address}\n");
        }
        let path = self.directory.join(file);
        std::fs::write(&path, text + records).expect("a zone file");
        (self.name.clone(), path)
    }

    /// Writes the zone, signed.
    pub fn sign(
        &self,
        file: &str,
        servers: &[&str],
        records: &str,
        signed: Signed,
    ) -> (String, PathBuf) {
        let key = std::fs::read_to_string(&self.key).expect("the key");
        let (name, path) = self.write(file, servers, &(records.to_owned() + "\n" + &key));
        let (start, end) = match signed {
            Signed::Long => ("now-3600", "now+2592000"),
            Signed::SixHours => ("now-3600", "now+21600"),
            Signed::Expired => ("now-864000", "now-3600"),
        };
        let output = path.with_extension("signed");
        // `-d`: else a file of DS records is left in the directory that the tests run in.
        run(Command::new("dnssec-signzone")
            .arg("-d")
            .arg(&self.directory)
            .args(["-q", "-P", "-z", "-O", "full", "-s", start, "-e", end, "-o", &name, "-f"])
            .arg(&output)
            .arg(&path)
            .arg(&self.key));
        (name, output)
    }
}

impl Zone {
    /// Writes the zone, signed for long but for its TLSA records, whose signatures have expired.
    pub fn sign_tlsa_formerly(
        &self,
        file: &str,
        servers: &[&str],
        records: &str,
    ) -> (String, PathBuf) {
        let (_, expired) = self.sign("expired", servers, records, Signed::Expired);
        let (name, path) = self.sign(file, servers, records, Signed::Long);
        let read = |path| std::fs::read_to_string(path).expect("a signed zone");
        let is_signature = |line: &&str| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            fields.windows(2).any(|pair| pair == ["RRSIG", "TLSA"])
        };
        let (valid, expired): (String, String) = (read(&path), read(&expired));
        let mut lines: Vec<&str> = valid.lines().filter(|line| !is_signature(line)).collect();
        lines.extend(expired.lines().filter(is_signature));
        std::fs::write(&path, lines.join("\n") + "\n").expect("a zone file");
        (name, path)
    }
}

impl Nameserver {
    /// Starts a name server for these zones.
    pub fn start(world: &World, address: &str, zones: &[(String, PathBuf)]) -> Self {
        let directory = world.lab.path(&format!("nsd-{address}"));
        std::fs::create_dir_all(&directory).expect("NSD's directory");
        let path = directory.display();
        let mut text = format!(
            "server:\n  ip-address: {address}\n  server-count: 1\n  username: \"\"\n  chroot: \
             \"\"\n  database: \"\"\n  pidfile: \"{path}/pid\"\n  xfrdfile: \"{path}/xfrd\"\n  \
             xfrdir: \"{path}\"\n  zonelistfile: \"{path}/zones\"\nremote-control:\n  \
             control-enable: no\n"
        );
        for (name, file) in zones {
            text += &format!("zone:\n  name: {name}\n  zonefile: \"{}\"\n", file.display());
        }
        let file = directory.join("nsd.conf");
        std::fs::write(&file, text).expect("nsd.conf");
        let mut command = world.lab.namespace.command("nsd");
        command.arg("-d").arg("-c").arg(&file);
        let mut daemon = Daemon::start("NSD", command, &directory.join("log"));
        for (name, _) in zones {
            daemon.wait_until("the zone is served", || answers(world, address, name));
        }
        Self { _daemon: daemon }
    }
}

/// Whether a name server answers for a zone.
fn answers(world: &World, address: &str, zone: &str) -> bool {
    let mut command = world.lab.namespace.command("dig");
    command.args([&format!("@{address}"), zone, "SOA", "+short", "+time=1", "+tries=1"]);
    let output = command.output().expect("dig runs");
    String::from_utf8_lossy(&output.stdout).contains("hostmaster")
}

/// Waits until a resolver can find a name.
pub fn wait_until_found(world: &World, resolver: &str, name: &str) {
    wait_until("the resolver finds the zone", || {
        let mut command = world.lab.namespace.command("dig");
        command.args([&format!("@{resolver}"), name, "MX", "+short", "+cd", "+time=2", "+tries=1"]);
        !command.output().expect("dig runs").stdout.is_empty()
    });
}
