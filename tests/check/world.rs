//! A world in which many things are wrong: one Postfix with a listener for each mail host, each with
//! certificates of its own; and the lab's signed zone with the records to go with them.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::lab::mail::{Postfix, Tls};
use crate::lab::tool::Run;
use crate::lab::{Lab, MAIL, Options, RESOLVER, SECONDARY, daemon};
use crate::pki::Bundle;

/// A mail host under construction.
pub struct Host<'w> {
    /// The world that it is part of.
    world: &'w mut World,
    /// Its name, without a dot at the end.
    name: String,
}

/// A world in which many things are wrong.
pub struct World {
    /// The mail servers.
    postfix: Postfix,
    /// Lines to add to the zone.
    updates: String,
    /// Lines to add to master.cf.
    listeners: String,
    /// How many mail hosts there are.
    count: u8,
    /// Where all this happens.
    pub lab: Lab,
}

impl World {
    /// A world with nothing in it but a Postfix.
    pub fn new(bundle: &Bundle) -> Self {
        let addresses = vec![MAIL.to_owned(), "::1".to_owned()];
        let lab = Lab::start(Options { addresses, ..Options::default() });
        let path = lab.path("mail.pem");
        bundle.write(&path);
        let postfix = Postfix::start(&lab, &[&path], Tls::Offered);
        Self { postfix, updates: String::new(), listeners: String::new(), count: 1, lab }
    }

    /// Adds a line to the zone.
    pub fn record(&mut self, line: &str) {
        let _ = writeln!(self.updates, "update add {line}");
    }

    /// Adds a mail domain whose only MX host it is, and which has no address yet.
    pub fn host(&mut self, label: &str) -> Host<'_> {
        let name = format!("mx.{label}.example.nl");
        self.record(&format!("{label}.example.nl. 60 MX 10 {name}."));
        Host { world: self, name }
    }

    /// Adds a listener that presents these, and returns its address.
    pub fn listener(&mut self, bundles: &[&Bundle]) -> String {
        let files: Vec<PathBuf> = bundles
            .iter()
            .enumerate()
            .map(|(number, bundle)| {
                let path = self.lab.path(&format!("{}-{number}.pem", self.count));
                bundle.write(&path);
                path
            })
            .collect();
        self.listener_with_files(&files)
    }

    /// Adds a listener that reads these files, and returns its address.
    pub fn listener_with_files(&mut self, files: &[PathBuf]) -> String {
        let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        let level = if files.is_empty() { "none" } else { "may" };
        self.count += 1;
        let address = format!("127.0.25.{}", self.count);
        self.lab.namespace.add_address(&address);
        let _ = writeln!(
            self.listeners,
            "{address}:25 inet n - n - - smtpd\n  -o smtpd_tls_security_level={level}\n  \
             -o smtpd_tls_chain_files={}",
            files.join(",")
        );
        address
    }

    /// Puts everything into service, and waits until every name server has it.
    pub fn open(&mut self) {
        let master = self.lab.path("postfix").join("master.cf");
        let text = std::fs::read_to_string(&master).expect("master.cf");
        std::fs::write(&master, text + &self.listeners).expect("master.cf");
        let reload = self.postfix.reload();
        let mut command = self.lab.namespace.command(&reload[0]);
        daemon::run(command.args(&reload[1..]));
        self.record("ready.example.nl. 60 TXT ready");
        self.lab.bind.edit(&self.updates);
        daemon::wait_until("the secondary has everything", || {
            self.lab.bind.txt(SECONDARY, "ready.example.nl.") == ["\"ready\""]
        });
        let last = format!("127.0.25.{}", self.count);
        daemon::wait_until("the last listener answers", || self.answers(&last));
    }

    /// Whether something greets at an address.
    fn answers(&self, address: &str) -> bool {
        let script = "import socket,sys;s=socket.create_connection((sys.argv[1],25),2)\n\
                      sys.exit(0 if s.recv(9).startswith(b'220') else 1)";
        let output = self.lab.namespace.command("python3").args(["-c", script, address]).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Lab {
    /// Runs a check without a configuration.
    pub fn check(&self, arguments: &[&str]) -> Run {
        let anchor = self.bind.trust_anchor().display().to_string();
        let usual = ["check", "--resolver", RESOLVER, "--trust-anchor-file", &anchor];
        self.rollover(&[&usual[..], arguments].concat())
    }
}

impl Host<'_> {
    /// Gives it a listener that presents these.
    pub fn presents(self, bundles: &[&Bundle]) -> Self {
        let address = self.world.listener(bundles);
        self.at(&address)
    }

    /// Gives it an address.
    pub fn at(self, address: &str) -> Self {
        let kind = if address.contains(':') { "AAAA" } else { "A" };
        self.world.record(&format!("{}. 60 {kind} {address}", self.name));
        self
    }

    /// Publishes TLSA records for it.
    pub fn publishes(self, records: &[String]) -> Self {
        for record in records {
            self.world.record(&format!("_25._tcp.{}. 60 TLSA {record}", self.name));
        }
        self
    }
}
