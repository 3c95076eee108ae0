//! BIND as the primary of a signed root, `nl.` and `example.nl.`, which takes dynamic updates.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::clock::Clock;
use super::daemon::{Daemon, run, wait_until};
use super::namespace::Namespace;
use super::{FORMER, MAIL, Options, PARENT, PRIMARY, SECONDARY};

/// The zones, parent first.
const ZONES: [&str; 3] = [".", "nl.", "example.nl."];

/// A zone beside them that is not signed.
const UNSIGNED: &str = "unsigned.nl.";

/// The TSIG algorithms, each with a key of its name beside `rollover`, which may change nothing.
pub const ALGORITHMS: [&str; 3] = ["hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// The primary.
#[derive(Debug)]
pub struct Bind {
    /// The process.
    daemon: Daemon,
    /// Its files.
    directory: PathBuf,
    /// How to reach it.
    dig: Dig,
    /// Its clock, where that is not the machine's.
    pub clock: Option<Clock>,
}

/// Asks servers inside the namespace.
#[derive(Debug)]
struct Dig {
    /// `ip netns exec NAME`, as arguments.
    prefix: Vec<String>,
}

/// A zone's file name.
fn file_name(zone: &str) -> String {
    if zone == "." { "root.zone".to_owned() } else { format!("{zone}zone") }
}

impl Bind {
    /// Starts the primary with its zones signed.
    pub fn start(namespace: &Namespace, directory: &Path, options: &Options) -> Self {
        std::fs::create_dir_all(directory.join("keys")).expect("BIND's directory");
        let keys = [("rollover", ALGORITHMS[0]), ("admin", ALGORITHMS[0])];
        for (key, algorithm) in ALGORITHMS.map(|name| (name, name)).into_iter().chain(keys) {
            let text = run(Command::new("tsig-keygen").args(["-a", algorithm, key]));
            super::tool::write_private(&directory.join(format!("{key}.key")), &text);
        }
        std::fs::write(directory.join("named.conf"), configuration(directory)).expect("named.conf");
        let mut anchors = Vec::new();
        for zone in ZONES {
            anchors.push(make_key(directory, zone));
        }
        std::fs::write(directory.join("root.key"), &anchors[0].1).expect("root.key");
        std::fs::write(directory.join("island.key"), &anchors[2].1).expect("island.key");
        write_zones(directory, options, &anchors);
        let mut command = namespace.command("named");
        command.arg("-g").arg("-c").arg(directory.join("named.conf")).args(["-n", "1"]);
        let clock = options.own_clock.then(|| Clock::new(directory));
        if let Some(clock) = &clock {
            clock.give_to(&mut command);
        }
        let daemon = Daemon::start("BIND", command, &directory.join("log"));
        let prefix = namespace.command("dig");
        let prefix = prefix.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        let mut bind = Self { daemon, directory: directory.to_owned(), dig: Dig { prefix }, clock };
        let dig = Dig { prefix: bind.dig.prefix.clone() };
        bind.daemon.wait_until("the zones are signed", || {
            ZONES.iter().all(|zone| {
                dig.ask(PRIMARY, zone, "SOA", &["+dnssec"]).iter().any(|l| l.contains("SOA 13"))
            })
        });
        bind
    }

    /// What it said last.
    pub fn tail(&self) -> String {
        self.daemon.tail()
    }

    /// The file with the root's key, a trust anchor.
    pub fn trust_anchor(&self) -> PathBuf {
        self.directory.join("root.key")
    }

    /// The file with the key of `example.nl.` alone, a trust anchor for an island of security.
    pub fn island_anchor(&self) -> PathBuf {
        self.directory.join("island.key")
    }

    /// The file with the TSIG key of this name.
    pub fn key(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.key"))
    }

    /// The file with the TSIG key that may change only what rollover changes.
    pub fn tsig_key(&self) -> PathBuf {
        self.key("rollover")
    }

    /// Changes the zone by hand, with `nsupdate` lines and a key that may change everything.
    pub fn edit(&self, lines: &str) {
        let script = format!("server {PRIMARY}\nzone example.nl.\n{lines}\nsend\n");
        let mut command = Command::new("ip");
        command.args(&self.dig.prefix[..self.dig.prefix.len() - 1]).arg("nsupdate");
        command.arg("-k").arg(self.directory.join("admin.key"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nsupdate runs");
        let mut stdin = child.stdin.take().expect("nsupdate reads");
        std::io::Write::write_all(&mut stdin, script.as_bytes()).expect("nsupdate reads on");
        drop(stdin);
        let output = child.wait_with_output().expect("nsupdate ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nsupdate: {said}\n{script}");
    }

    /// Replaces an RRset by hand, and waits until the primary serves it.
    pub fn publish(&self, owner: &str, ttl: u32, records: &[String]) {
        let mut lines = format!("update delete {owner} TLSA\n");
        for record in records {
            lines += &format!("update add {owner} {ttl} TLSA {record}\n");
        }
        self.edit(&lines);
        let mut wanted: Vec<String> = records.iter().map(|r| r.to_ascii_lowercase()).collect();
        wanted.sort();
        wait_until("the hand edit is served", || self.tlsa(PRIMARY, owner) == wanted);
    }

    /// The TXT records that a server answers.
    pub fn txt(&self, server: &str, owner: &str) -> Vec<String> {
        self.dig.ask(server, owner, "TXT", &["+short", "+norecurse"])
    }

    /// The TLSA records that a server answers, sorted; empty where it answers none.
    pub fn tlsa(&self, server: &str, owner: &str) -> Vec<String> {
        let mut records: Vec<String> = self
            .dig
            .ask(server, owner, "TLSA", &["+short", "+norecurse"])
            .iter()
            .map(|line| {
                let mut fields = line.split_ascii_whitespace();
                let numbers: Vec<&str> = fields.by_ref().take(3).collect();
                let data: String = fields.collect();
                format!("{} {}", numbers.join(" "), data.to_ascii_lowercase())
            })
            .collect();
        records.sort();
        records
    }
}

impl Dig {
    /// The lines of an answer; empty where none came.
    fn ask(&self, server: &str, name: &str, kind: &str, more: &[&str]) -> Vec<String> {
        let output = Command::new("ip")
            .args(&self.prefix)
            .args([&format!("@{server}"), "-q", name, "-t", kind, "+time=1", "+tries=1"])
            .args(more)
            .output()
            .expect("dig runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter(|line| !line.starts_with(';') && !line.is_empty());
        lines.map(str::to_owned).collect()
    }
}

/// Makes a zone's key before its first load, so that its DS can go into the parent. Returns the
/// zone's DS record and its DNSKEY record.
fn make_key(directory: &Path, zone: &str) -> (String, String) {
    let keys = directory.join("keys");
    let name = run(Command::new("dnssec-keygen")
        .args(["-q", "-k", "lab", "-l"])
        .arg(directory.join("named.conf"))
        .arg("-K")
        .arg(&keys)
        .arg(zone));
    let file = keys.join(format!("{}.key", name.trim()));
    let ds = run(Command::new("dnssec-dsfromkey").args(["-2"]).arg(&file));
    let text = std::fs::read_to_string(&file).expect("the key file");
    let key: Vec<&str> = text.lines().filter(|line| !line.starts_with(';')).collect();
    (ds, key.join("\n") + "\n")
}

/// The zone files: each zone names its servers, and its child's DS.
fn write_zones(directory: &Path, options: &Options, keys: &[(String, String)]) {
    // Where the server of `nl.` may fall silent, resolvers keep what they have long enough.
    let ttl = if options.has_stale_delegation { 600 } else { 60 };
    let head = |negative: u32| {
        format!(
            "$TTL {ttl}\n@ {ttl} IN SOA ns1.example.nl. hostmaster.example.nl. 1 60 5 86400 {negative}\n\
             @ IN NS ns1.example.nl.\n"
        )
    };
    let glue = format!("ns1.example.nl. IN A {PRIMARY}\nns2.example.nl. IN A {SECONDARY}\n");
    let mut root = format!("{}nl. IN NS ns1.example.nl.\n{glue}{}", head(5), keys[1].0);
    let mut nl = format!(
        "{}example.nl. IN NS ns1.example.nl.\nexample.nl. IN NS ns2.example.nl.\n{UNSIGNED} IN \
         NS ns1.example.nl.\n{glue}{}",
        head(5),
        keys[2].0
    );
    if options.has_stale_delegation {
        root = root.replace("nl. IN NS ns1.example.nl.", "nl. IN NS ns.nic.nl.");
        root += &format!("ns.nic.nl. IN A {PARENT}\n");
        nl = nl.replace("@ IN NS ns1.example.nl.", "@ IN NS ns.nic.nl.");
        nl += &format!("ns.nic.nl. IN A {PARENT}\n");
        nl += &format!("example.nl. IN NS ns3.example.nl.\nns3.example.nl. IN A {FORMER}\n");
    }
    let mut example = format!(
        "{}@ IN NS ns2.example.nl.\n{glue}@ IN MX 10 mail.example.nl.\n",
        head(options.negative_ttl)
    );
    for address in &options.addresses {
        let kind = if address.contains(':') { "AAAA" } else { "A" };
        example += &format!("mail.example.nl. IN {kind} {address}\n");
    }
    let unsigned = format!("{}mail.unsigned.nl. IN A {MAIL}\n", head(5));
    std::fs::write(directory.join(file_name(UNSIGNED)), unsigned).expect("a zone file");
    for (zone, text) in ZONES.iter().zip([root, nl, example]) {
        std::fs::write(directory.join(file_name(zone)), text).expect("a zone file");
    }
}

/// named.conf: the `update-policy` is the one of the README.
fn configuration(directory: &Path) -> String {
    let directory = directory.display();
    let mut text = String::new();
    for key in ALGORITHMS.into_iter().chain(["rollover", "admin"]) {
        text += &format!("include \"{directory}/{key}.key\";\n");
    }
    text += &format!(
        r#"options {{
    directory "{directory}";
    listen-on {{ {PRIMARY}; }};
    listen-on-v6 {{ none; }};
    pid-file "{directory}/named.pid";
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    allow-transfer {{ any; }};
    notify explicit;
    notify-source {PRIMARY};
    notify-delay 0;
    notify-rate 1000;
    startup-notify-rate 1000;
    serial-query-rate 1000;
    minimal-responses no;
}};
controls {{ }};
dnssec-policy lab {{
    keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }};
    max-zone-ttl 1h;
    dnskey-ttl 600;
}};
"#
    );
    for zone in ZONES {
        let file = file_name(zone);
        let more = match zone {
            "example.nl." => format!(
                "    also-notify {{ {SECONDARY}; {FORMER}; }};\n    update-policy {{\n        \
                 grant admin zonesub ANY;\n        \
                 grant rollover name _25._tcp.mail.example.nl. TLSA;\n        \
                 grant rollover name _465._tcp.mail.example.nl. TLSA;\n        \
                 grant rollover name _25._tcp.mail2.example.nl. TLSA;\n        \
                 grant rollover name _dane.example.nl. TLSA;\n        \
                 grant rollover subdomain hosts.example.nl. TLSA TXT;\n        \
                 grant rollover name _acme-challenge.mail.example.nl. TXT;\n        \
                 grant rollover name _acme-challenge.mail2.example.nl. TXT;\n    }};\n"
            ),
            _ => String::new(),
        };
        text += &format!(
            "zone \"{zone}\" {{\n    type primary;\n    file \"{file}\";\n    key-directory \
             \"keys\";\n    dnssec-policy lab;\n    inline-signing yes;\n{more}}};\n"
        );
    }
    text += &format!(
        "zone \"{UNSIGNED}\" {{\n    type primary;\n    file \"{}\";\n    allow-update {{ key \
         rollover; }};\n}};\n",
        file_name(UNSIGNED)
    );
    text
}
