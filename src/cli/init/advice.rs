//! What is still missing after `init`: lines to be put into other programs' configurations.

use std::fmt::Write as _;

use super::document::Plan;
use super::files::Paths;
use super::survey::{Host, Survey};
use crate::durable::Made;

/// All of it, in the order in which it is done.
pub(super) fn text(survey: &Survey, plan: &Plan<'_>, paths: &Paths, key: Made) -> String {
    let mut text = String::new();
    let configuration = paths.configuration.display();
    let names: Vec<String> = plan.hosts.iter().map(|host| host.name.to_string()).collect();
    let _ = writeln!(text, "Wrote {configuration} for {}.", names.join(", "));
    let looks = plan.text().lines().filter(|line| line.contains("LOOK")).count();
    if 0 < looks {
        let _ = writeln!(text, "Read it: {looks} of its lines say LOOK.");
    }
    let _ = writeln!(text, "\nStill missing:\n");
    write_name_server(&mut text, plan, paths, key);
    for host in &plan.hosts {
        write_mail_server(&mut text, plan, host);
    }
    let option = match paths.configuration.as_os_str() == "/etc/rollover/rollover.toml" {
        true => String::new(),
        false => format!(" --config {configuration}"),
    };
    let _ = write!(
        text,
        "Then look, and let it run:\n\n    rollover{option} plan\n    rollover{option}\n\n\
         Every ten minutes, by root's crontab (or the timer of the Debian package):\n\n    \
         */10 * * * *  {}{option}\n",
        program()
    );
    let mine = |host: &Host| plan.hosts.iter().any(|own| own.name == host.name);
    let others: Vec<String> =
        survey.hosts.iter().filter(|h| !mine(h)).map(|host| host.name.to_string()).collect();
    if !others.is_empty() {
        let _ = write!(
            text,
            "\nNot configured, as they seem to be somebody else's: {}. A domain is protected only\n\
             where all of its mail servers are.\n",
            others.join(", ")
        );
    }
    text
}

/// This program's path: cron looks for programs in few places.
fn program() -> String {
    let path = std::env::current_exe().ok();
    path.map_or_else(|| "/usr/bin/rollover".to_owned(), |path| path.display().to_string())
}

/// The key, and the right to change.
fn write_name_server(text: &mut String, plan: &Plan<'_>, paths: &Paths, key: Made) {
    let path = paths.tsig_key.display();
    let _ = match key {
        Made::New => writeln!(
            text,
            "* The name server must know the key {path}, which was made now as\n  \
             `tsig-keygen rollover > {path}` would. Copy it there, for BIND's eyes alone."
        ),
        Made::Existed => writeln!(
            text,
            "* The name server must know the key {path}, which was there already\n  \
             (`tsig-keygen rollover` makes one, mode 0600)."
        ),
    };
    let _ = writeln!(
        text,
        "  In BIND's named.conf; every zone must be signed, and its DS published:\n\n    \
         include \"{path}\";"
    );
    for (primary, hosts) in plan.zones() {
        let zone = &primary.zone;
        let _ = write!(
            text,
            "    zone \"{zone}\" {{\n        // as it is, with type primary, and:\n        \
             dnssec-policy default;\n        inline-signing yes;\n        update-policy {{\n"
        );
        for host in hosts {
            let name = host.name.absolute();
            for port in host.published.keys() {
                let _ = writeln!(text, "            grant rollover name _{port}._tcp.{name} TLSA;");
            }
            let _ = writeln!(text, "            grant rollover name _acme-challenge.{name} TXT;");
        }
        text.push_str("        };\n    };\n");
    }
    text.push_str("\n  and: rndc reconfig\n\n");
}

/// What the mail server must read.
fn write_mail_server(text: &mut String, plan: &Plan<'_>, host: &Host) {
    let files: Vec<String> =
        plan.chain_files(host).iter().map(|path| path.display().to_string()).collect();
    let name = &host.name;
    if host.chain_files.is_some() {
        let _ = writeln!(
            text,
            "* {name}: nothing. Postfix reads {} now, and rollover will\n  write it.\n",
            files.join(", ")
        );
        return;
    }
    let _ = writeln!(
        text,
        "* {name}: Postfix must read what rollover writes, not another client's files. Begin\n  \
         with the present key and chain, so that nothing changes yet:\n\n    \
         install -d -m 0755 /etc/postfix/tls"
    );
    for file in &files {
        let _ = writeln!(text, "    (umask 077; cat PRESENT-KEY PRESENT-CHAIN > {file})");
    }
    let _ = writeln!(
        text,
        "    postconf -e smtpd_tls_security_level=may 'smtpd_tls_chain_files={}'\n    \
         postfix reload\n",
        files.join(", ")
    );
}
