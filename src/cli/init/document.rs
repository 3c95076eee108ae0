//! The configuration that follows from a survey, with the reason of each line.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::files::Paths;
use super::survey::{Host, Published, Survey, Whose};
use super::{InitArgs, LETS_ENCRYPT};
use crate::dns::Provenance;
use crate::name::DnsName;
use crate::pki::KeyType;
use crate::rollover::brief;
use crate::time::Timestamp;

/// What is proposed.
pub(super) struct Plan<'a> {
    /// What was seen.
    survey: &'a Survey,
    /// What was asked for.
    arguments: &'a InitArgs,
    /// Where the files are.
    paths: &'a Paths,
    /// The primaries: the name of each `[dns]` table, the zone, and the server.
    primaries: Vec<Primary>,
    /// The servers to look after.
    pub(super) hosts: Vec<&'a Host>,
}

/// A `[dns]` table.
pub(super) struct Primary {
    /// The table's name: letters, digits and hyphens alone.
    pub(super) name: String,
    /// The zone.
    pub(super) zone: DnsName,
    /// The server, and how it is known; a placeholder where it is not.
    server: String,
    /// How it was found.
    why: String,
}

/// The policy that asks for the records that a host has, and why.
fn policy(host: &Host) -> (&'static str, &'static str) {
    let usages: Vec<u8> = host.records().map(|record| record.usage).collect();
    let usual = host.records().all(|record| (record.selector, record.matching_type) == (1, 1));
    match (usages.is_empty(), usages.contains(&2), usages.contains(&3)) {
        (true, ..) => {
            ("ncsc", "there are no records yet: 2 1 1 and 3 1 1, one of which always fits")
        }
        (_, true, true) if usual => ("ncsc", "2 1 1 and 3 1 1, as published now"),
        (_, true, false) if usual => ("dane-ta", "2 1 1 alone, as published now"),
        (_, false, true) if usual => ("dane-ee", "3 1 1 alone, as published now"),
        _ => (
            "ncsc",
            "LOOK: the records have other parameters; `rollover policy show template` names them all",
        ),
    }
}

/// A text in TOML's quotes.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The day of a moment.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

impl<'a> Plan<'a> {
    /// What follows from a survey.
    pub(super) fn new(survey: &'a Survey, arguments: &'a InitArgs, paths: &'a Paths) -> Self {
        let hosts = survey.own();
        let mut primaries: Vec<Primary> = Vec::new();
        for host in &hosts {
            let Some(zone) = &host.zone else { continue };
            if primaries.iter().any(|known| known.zone == zone.name) {
                continue;
            }
            let name = match primaries.len() {
                0 => "primary".to_owned(),
                _ => zone.name.as_str().replace(['.', '_'], "-"),
            };
            let (server, why) = match &zone.primary {
                Ok((server, address)) => {
                    (address.to_string(), format!("{server}, as the zone's SOA record says"))
                }
                Err(reason) => ("127.0.0.1".to_owned(), format!("LOOK: a guess, as {reason}")),
            };
            primaries.push(Primary { name, zone: zone.name.clone(), server, why });
        }
        if primaries.is_empty() {
            let (name, server) = ("primary".to_owned(), "127.0.0.1".to_owned());
            let why = "LOOK: a guess, as the zone could not be found".to_owned();
            primaries.push(Primary { name, zone: survey.domain.clone(), server, why });
        }
        Self { survey, arguments, paths, primaries, hosts }
    }

    /// The `[dns]` table of a host.
    fn primary(&self, host: &Host) -> &Primary {
        let zone = host.zone.as_ref().map(|zone| &zone.name);
        let of_zone = self.primaries.iter().find(|primary| Some(&primary.zone) == zone);
        of_zone.unwrap_or(&self.primaries[0])
    }

    /// Every zone with the hosts in it.
    pub(super) fn zones(&self) -> Vec<(&Primary, Vec<&'a Host>)> {
        let hosts_of = |primary: &Primary| {
            let in_it = self.hosts.iter().filter(|host| self.primary(host).name == primary.name);
            in_it.copied().collect()
        };
        self.primaries.iter().map(|primary| (primary, hosts_of(primary))).collect()
    }

    /// The files that the mail server is to read, by key type.
    pub(super) fn chain_files(&self, host: &Host) -> Vec<PathBuf> {
        if let Some(files) = &host.chain_files {
            return files.iter().map(|(_, path)| path.clone()).collect();
        }
        let types = host.key_types();
        let file = |key_type: &KeyType| match types.len() {
            1 => format!("/etc/postfix/tls/{}.pem", host.name),
            _ => format!("/etc/postfix/tls/{}-{}.pem", host.name, key_type.as_str()),
        };
        types.iter().map(|key_type| file(key_type).into()).collect()
    }

    /// The whole file.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write_head(&mut text);
        self.write_issuer(&mut text);
        for primary in &self.primaries {
            let _ = write!(
                text,
                "\n# Takes the changes of {}: {}.\n[dns.{}]\ntype = \"rfc2136\"\nserver = {}\n\
                 tsig-key-file = {}\nzone = {}\n",
                primary.zone.absolute(),
                primary.why,
                primary.name,
                quoted(&primary.server),
                quoted(&self.paths.tsig_key.display().to_string()),
                quoted(primary.zone.as_str()),
            );
        }
        for host in &self.hosts {
            self.write_host(&mut text, host);
        }
        self.write_others(&mut text);
        text
    }

    /// What holds for all servers.
    fn write_head(&self, text: &mut String) {
        let Survey { domain, mail, .. } = self.survey;
        let _ = writeln!(text, "# The mail servers of {domain}, as `rollover init` saw them.");
        let _ = writeln!(text, "# Every key: man rollover.toml; a dry run: rollover plan");
        let _ = match &mail.provenance {
            Provenance::Validated => writeln!(text, "# The MX records are signed, and valid."),
            Provenance::Unsigned => writeln!(
                text,
                "# LOOK: {domain} is not signed. Senders make no use of DANE until its zone is signed and\n\
                 # its DS record published (RFC 7672, section 2.2.1)."
            ),
            Provenance::Bogus(reason) => {
                let reason = reason.replace('\n', " ");
                writeln!(text, "# LOOK: the MX records do not validate: {reason}")
            }
        };
        let InitArgs { resolvers, trust_anchor_file, .. } = self.arguments;
        if resolvers.is_empty() && trust_anchor_file.is_none() {
            return;
        }
        text.push_str("\n[resolver]\n");
        if !resolvers.is_empty() {
            let servers: Vec<String> = resolvers.iter().map(|r| quoted(&r.to_string())).collect();
            let _ = writeln!(text, "servers = [{}]", servers.join(", "));
        }
        if let Some(path) = trust_anchor_file {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let _ = writeln!(text, "trust-anchor-file = {}", quoted(&path.display().to_string()));
        }
    }

    /// Where the next certificates come from.
    fn write_issuer(&self, text: &mut String) {
        let InitArgs { acme_directory, acme_ca_file, domain, .. } = self.arguments;
        let leaves = self.hosts.iter().flat_map(|host| &host.presented);
        let mut issuers: Vec<&str> = leaves.map(|(_, chain)| chain.leaf().issuer()).collect();
        issuers.sort_unstable();
        issuers.dedup();
        text.push_str("\n# The CA of the next certificates.");
        if !issuers.is_empty() {
            let _ = write!(text, " The present ones, which stay until\n# they are due, are of");
            for issuer in issuers {
                let _ = write!(text, " `{issuer}`");
            }
            text.push('.');
        }
        let _ = write!(
            text,
            "\n[issuers.acme]\ntype = \"acme\"\ndirectory-url = {}\ncontact = [{}]\n",
            quoted(acme_directory),
            quoted(&format!("mailto:hostmaster@{domain}")),
        );
        text.push_str(match acme_directory == LETS_ENCRYPT {
            true => "# LOOK: read https://letsencrypt.org/repository/ first.\n",
            false => "# LOOK: read the CA's terms first.\n",
        });
        text.push_str("accept-terms = true\n");
        if let Some(path) = acme_ca_file {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let _ = writeln!(text, "ca-file = {}", quoted(&path.display().to_string()));
        }
    }

    /// A server with what was seen of it.
    fn write_host(&self, text: &mut String, host: &Host) {
        let whose = match &host.whose {
            Whose::ThisMachine(address) => {
                format!("yours, as this machine has its address {address}")
            }
            Whose::SameZone => "yours, it seems: its name is in the domain's zone".to_owned(),
            Whose::Another => {
                "LOOK: perhaps not yours, it is neither here nor in the zone".to_owned()
            }
        };
        let _ = write!(text, "\n# {}: {whose}.\n", host.name);
        write_seen(text, host);
        let (policy, why) = policy(host);
        let types: Vec<String> = host.key_types().iter().map(|t| quoted(t.as_str())).collect();
        let ports: Vec<String> = host.published.keys().map(ToString::to_string).collect();
        let _ = write!(
            text,
            "[hosts.{name}]\nissuer = \"acme\"\ndns = {}\nports = [{}]\nkey-types = [{}]\n# {why}.\n\
             policy = {}\n",
            quoted(&self.primary(host).name),
            ports.join(", "),
            types.join(", "),
            quoted(policy),
            name = quoted(host.name.as_str()),
        );
        let files: Vec<String> =
            self.chain_files(host).iter().map(|p| quoted(&p.display().to_string())).collect();
        let from = match host.chain_files {
            Some(_) => "Postfix reads it now, and it holds what is presented",
            None => "key and chain; smtpd_tls_chain_files must name it",
        };
        let _ = write!(
            text,
            "\n[hosts.{}.deploy]\ntype = \"files\"\n# {from}.\nchain-file = [{}]\nmode = \"0600\"\n\
             reload = [\"postfix\", \"reload\"]\n",
            quoted(host.name.as_str()),
            files.join(", "),
        );
    }

    /// The servers that are somebody else's.
    fn write_others(&self, text: &mut String) {
        let others = self.survey.hosts.iter();
        let others = others.filter(|host| !self.hosts.iter().any(|own| own.name == host.name));
        for host in others {
            let _ = write!(
                text,
                "\n# {}: left out, as it is neither on this machine nor in the zone of {}.\n",
                host.name, self.survey.domain
            );
            write_seen(text, host);
        }
    }
}

/// What was seen of a server, as comments.
fn write_seen(text: &mut String, host: &Host) {
    let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
    let _ = match addresses.is_empty() {
        true => writeln!(text, "#   LOOK: it has no address"),
        false => writeln!(text, "#   addresses: {}", addresses.join(", ")),
    };
    for (port, published) in &host.published {
        let found = match published {
            Published::Same(rrset) if rrset.is_absent() => "no TLSA records".to_owned(),
            Published::Same(rrset) => format!("{}, TTL {}", brief(rrset), rrset.ttl),
            Published::Different(each) => {
                let each: Vec<&str> = each.iter().map(String::as_str).collect();
                format!("LOOK, not every name server answers the same: {}", each.join("; "))
            }
            Published::Unsigned(zone) => format!("LOOK, {zone} is not signed: no DANE"),
            Published::Unknown(reason) => format!("LOOK, cannot be found out: {reason}"),
        };
        let _ = writeln!(text, "#   port {port}: {}", found.replace('\n', " "));
    }
    for (key_type, chain) in &host.presented {
        let leaf = chain.leaf();
        let (issuer, until) = (leaf.issuer(), day(leaf.not_after()));
        let _ = writeln!(text, "#   presents: {key_type} of `{issuer}`, until {until}");
    }
    for reason in &host.unseen {
        let _ = writeln!(text, "#   LOOK: {}", reason.replace('\n', " "));
    }
}
