//! `mail.example.nl.` as a zone of its own at a primary that is not BIND, with a secondary of its own.
//!
//! The mail server's name and its owner stay what they are, so that judges and stages work unchanged.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::daemon::{run, wait_until};
use super::nsd::Nsd;
use super::{HOST, Lab, MAIL, OWNER};

/// The zone.
pub const ZONE: &str = "mail.example.nl.";
/// The address of its primary.
pub const CHILD_PRIMARY: &str = "127.0.0.3";
/// The address of its secondary, an NSD.
pub const CHILD_SECONDARY: &str = "127.0.0.4";

/// Who is a name server of the zone as the world knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listed {
    /// Primary and secondary.
    Both,
    /// The secondary alone: a hidden primary.
    SecondaryAlone,
}

impl Listed {
    /// The addresses of the name servers.
    pub fn addresses(self) -> &'static [&'static str] {
        match self {
            Self::Both => &[CHILD_PRIMARY, CHILD_SECONDARY],
            Self::SecondaryAlone => &[CHILD_SECONDARY],
        }
    }
}

/// Writes the zone file, with these TLSA records. The SOA names the hidden primary, as it would.
pub fn write_zone(lab: &Lab, file: &Path, listed: Listed, records: &[String]) {
    let mut text = format!(
        "$ORIGIN {ZONE}\n$TTL 60\n@ 60 IN SOA ns1.{ZONE} hostmaster.{ZONE} 1 60 5 86400 {}\n\
         @ IN A {MAIL}\nns2 IN A {CHILD_SECONDARY}\n@ IN NS ns2\n",
        lab.options.negative_ttl
    );
    if listed == Listed::Both {
        text += &format!("@ IN NS ns1\nns1 IN A {CHILD_PRIMARY}\n");
    }
    for record in records {
        text += &format!("{OWNER} {} IN TLSA {record}\n", lab.options.tlsa_ttl);
    }
    std::fs::write(file, text).expect("the child's zone file");
}

/// Makes a TSIG key of this algorithm; its file and its secret.
pub fn tsig_key(directory: &Path, algorithm: &str) -> (PathBuf, String) {
    let text = run(Command::new("tsig-keygen").args(["-a", algorithm, "rollover"]));
    let file = directory.join("rollover.key");
    super::tool::write_private(&file, &text);
    let secret = text.split('"').nth(3).expect("a key file has a secret").to_owned();
    (file, secret)
}

/// What `dig` prints inside the lab.
fn dig(lab: &Lab, arguments: &[&str]) -> String {
    let mut command = lab.namespace.command("dig");
    command.args(arguments).args(["+time=1", "+tries=1"]).stdin(Stdio::null());
    let output = command.output().expect("dig runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a server answers the zone signed.
pub fn is_signed(lab: &Lab, server: &str) -> bool {
    let server = format!("@{server}");
    dig(lab, &[&server, ZONE, "SOA", "+dnssec", "+norecurse"]).contains("RRSIG")
}

/// Starts the secondary, and delegates the zone to its servers, with the DS of its keys.
pub fn delegate(lab: &Lab, directory: &Path, listed: Listed) -> Nsd {
    let nsd = Nsd::start_for(
        &lab.namespace,
        &directory.join("nsd"),
        (ZONE, CHILD_SECONDARY, CHILD_PRIMARY),
    );
    wait_until("the child's secondary serves it signed", || is_signed(lab, CHILD_SECONDARY));
    let keys = dig(lab, &[&format!("@{CHILD_PRIMARY}"), ZONE, "DNSKEY", "+noall", "+answer"]);
    let file = directory.join("dnskey");
    std::fs::write(&file, keys).expect("the child's keys");
    let ds = run(Command::new("dnssec-dsfromkey").arg("-2").arg("-f").arg(&file).arg(ZONE));
    let mut lines = format!(
        "update delete {ZONE} A\nupdate add {ZONE} 60 NS ns2.{ZONE}\n\
         update add ns2.{ZONE} 60 A {CHILD_SECONDARY}\n"
    );
    if listed == Listed::Both {
        lines += &format!(
            "update add {ZONE} 60 NS ns1.{ZONE}\nupdate add ns1.{ZONE} 60 A {CHILD_PRIMARY}\n"
        );
    }
    for line in ds.lines() {
        let data = line.split(" DS ").nth(1).expect("a DS record");
        lines += &format!("update add {ZONE} 60 DS {data}\n");
    }
    lab.bind.edit(&lines);
    wait_until("every resolver validates the child", || {
        [super::RESOLVER, super::LATE_RESOLVER].iter().all(|resolver| {
            let text = dig(lab, &[&format!("@{resolver}"), HOST, "A", "+dnssec"]);
            text.lines().any(|line| line.contains("flags:") && line.contains(" ad"))
        })
    });
    nsd
}
