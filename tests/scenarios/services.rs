//! Servers other than Postfix, each with a certificate file and a key file that switch together: Exim
//! (25), Dovecot (143 and 993, under two names) and nginx (443). Three hosts in one zone, renewed in
//! one pass.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::lab::authority::{Authority, key_record};
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::daemon::{run, wait_until};
use crate::lab::dovecot::Dovecot;
use crate::lab::exim::Exim;
use crate::lab::judge::{Demand, Judge};
use crate::lab::nginx::Nginx;
use crate::lab::{Lab, PRIMARY, SECONDARY, tool};

/// How `s_client` gets as far as TLS at each port.
const WAYS: [(u16, &[&str]); 4] = [
    (25, &["-starttls", "smtp", "-name", "lab.example"]),
    (143, &["-starttls", "imap"]),
    (443, &[]),
    (993, &[]),
];

/// A host of this scenario.
struct Host {
    /// Its names.
    names: &'static [&'static str],
    /// Where it listens.
    address: &'static str,
    /// Its ports.
    ports: &'static [u16],
    /// Who reads its key: the group of its files.
    group: &'static str,
}

/// The three of them.
const HOSTS: [Host; 3] = [
    Host {
        names: &["mx.hosts.example.nl"],
        address: "127.0.26.1",
        ports: &[25],
        group: "Debian-exim",
    },
    Host {
        names: &["imap.hosts.example.nl", "mail.hosts.example.nl"],
        address: "127.0.26.2",
        ports: &[143, 993],
        group: "root",
    },
    Host {
        names: &["mta-sts.hosts.example.nl"],
        address: "127.0.26.3",
        ports: &[443],
        group: "www-data",
    },
];

impl Host {
    /// Its certificate file.
    fn certificate(&self, lab: &Lab) -> PathBuf {
        lab.path(&format!("{}.crt", self.names[0]))
    }

    /// Its key file.
    fn key(&self, lab: &Lab) -> PathBuf {
        lab.path(&format!("{}.key", self.names[0]))
    }

    /// What makes its server read them.
    fn reload(&self, lab: &Lab) -> PathBuf {
        lab.path(&format!("{}.reload", self.names[0]))
    }

    /// The owners of its records.
    fn owners(&self) -> Vec<String> {
        let of = |name| self.ports.iter().map(move |port| format!("_{port}._tcp.{name}."));
        self.names.iter().flat_map(of).collect()
    }

    /// A first certificate as an operator would have it, in two files.
    fn issue(&self, lab: &Lab, house: &Authority) {
        let bundle = lab.path("bundle.pem");
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        house.issue_for(self.names, &bundle, &new_key);
        let text = std::fs::read_to_string(&bundle).expect("the bundle");
        let (key, chain) = text.split_at(text.find("-----BEGIN CERT").expect("a certificate"));
        std::fs::write(self.certificate(lab), chain).expect("the certificate");
        tool::write_private(&self.key(lab), key);
        run(std::process::Command::new("chgrp").arg(self.group).arg(self.key(lab)));
        run(std::process::Command::new("chmod").arg("640").arg(self.key(lab)));
    }

    /// Its part of the configuration.
    fn configuration(&self, lab: &Lab) -> String {
        let name = self.names[0];
        format!(
            "\n[hosts.\"{name}\"]\nnames = {:?}\nports = {:?}\naddresses = [\"{}\"]\n\n\
             [hosts.\"{name}\".deploy]\ntype = \"files\"\ncertificate-file = {:?}\nkey-file = \
             {:?}\nowner = \"root\"\ngroup = \"{}\"\nmode = \"0640\"\nreload = [{:?}]\n",
            self.names,
            self.ports,
            self.address,
            self.certificate(lab),
            self.key(lab),
            self.group,
            self.reload(lab)
        )
    }

    /// Lets a script reload its server.
    fn reload_by(&self, lab: &Lab, lines: &str) {
        let path = self.reload(lab);
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("a script");
        run(std::process::Command::new("chmod").arg("755").arg(&path));
    }

    /// Fails unless every port presents this key's certificate.
    #[track_caller]
    fn expect_presented(&self, lab: &Lab, key: &str) {
        for (port, how) in WAYS.iter().filter(|(port, _)| self.ports.contains(port)) {
            assert_eq!(lab.presented_at(self.address, *port, how), key, "at port {port}");
        }
    }
}

/// Fails unless the file can be read by its group and no others.
#[track_caller]
fn expect_access(path: &Path, group: &str) {
    let line = run(std::process::Command::new("getent").args(["group", group]));
    let number = line.split(':').nth(2).and_then(|text| text.parse().ok());
    let found = std::fs::metadata(path).expect("the file");
    assert_eq!((found.uid(), Some(found.gid()), found.mode() & 0o7777), (0, number, 0o640));
}

#[test]
fn three_hosts_of_other_servers_are_renewed_in_one_pass() {
    let lab = Lab::usual();
    let house = Authority::new(lab.directory(), "house");
    for host in &HOSTS {
        lab.namespace.add_address(host.address);
        host.issue(&lab, &house);
        let records = [house.record(), key_record(&host.certificate(&lab))];
        for owner in host.owners() {
            lab.bind.publish(&owner, lab.options.tlsa_ttl, &records);
        }
    }
    let [mx, imap, www] = &HOSTS;
    let files = |host: &Host| (host.certificate(&lab), host.key(&lab));
    let of_mx = files(mx);
    let exim = Exim::start(&lab, mx.address, &of_mx.0, &of_mx.1);
    let of_imap = files(imap);
    let dovecot = Dovecot::start(&lab, imap.address, &of_imap.0, &of_imap.1);
    let of_www = files(www);
    let nginx = Nginx::start(&lab, www.address, &of_www.0, &of_www.1);
    for (host, reload) in HOSTS.iter().zip([exim.reload(), dovecot.reload(), nginx.reload()]) {
        host.reload_by(&lab, &reload);
    }
    let policy = quick_policy(&lab, "ncsc");
    let defaults = format!(
        "\n[defaults]\nissuer = \"house\"\ndns = \"primary\"\npolicy = \"{}\"\n",
        policy.display()
    );
    let text: String = HOSTS.iter().map(|host| host.configuration(&lab)).collect();
    Configuration::new(&lab).own_ca("house", &house).more(&defaults).more(&text).write(&lab);
    lab.rollover(&["--wait"]).expect_code(0);
    std::thread::sleep(std::time::Duration::from_millis(5500));
    lab.rollover(&["--wait"]).expect_code(0);

    let old: Vec<String> = HOSTS.iter().map(|host| key_record(&host.certificate(&lab))).collect();
    let judge = Judge::start_at(&lab, Demand::Any, mx.names[0], &[mx.address.to_owned()]);
    let run = lab.rollover(&["--renew", "--all", "--wait"]).expect_code(0);
    judge.go_on(std::time::Duration::from_millis(5500));
    let verdict = judge.finish();
    assert_eq!(verdict.failures, 0, "{verdict:#?}");
    // Exim listens to nobody for the moment in which it starts anew; senders come again.
    assert!(verdict.unreachable < 10 && 60 <= verdict.attempts, "{verdict:#?}");
    for (host, old) in HOSTS.iter().zip(&old) {
        let new = key_record(&host.certificate(&lab));
        assert_ne!(new, *old, "{}\n{}{}{}", run.out, exim.log(), dovecot.log(), nginx.log());
        host.expect_presented(&lab, &new);
        expect_access(&host.key(&lab), host.group);
        let mut wanted = vec![house.record(), new];
        wanted.sort();
        for owner in host.owners() {
            wait_until("the secondary has caught up", || {
                lab.bind.tlsa(SECONDARY, &owner) == wanted
            });
            assert_eq!(lab.bind.tlsa(PRIMARY, &owner), wanted, "{owner}");
        }
    }
    let settled = run.out.lines().filter(|line| line.contains("publish (settle)"));
    let of_imap: Vec<&str> = settled.filter(|line| line.contains("imap.hosts")).collect();
    let [line] = of_imap.as_slice() else { panic!("one update for four owners: {}", run.out) };
    assert!(imap.owners().iter().all(|owner| line.contains(owner.as_str())), "{line}");
}
