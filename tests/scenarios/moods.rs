//! The moods of a CA, as Let's Encrypt had them: another intermediate whenever it likes, another
//! generation and back, a cross-sign that is signed anew or left out. Each is a renewal like any other
//! for the operator, and nobody announces it.

use std::collections::BTreeSet;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::lab::authority::{Authority, key_record};
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::judge::Demand;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::pebble::Pebble;
use crate::lab::{HOST, Lab, Options, PRIMARY, SECONDARY};
use crate::moody::{Ca, Mood, Moody};
use crate::stage::Stage;

/// The first edition of a CA certificate.
const fn ca(subject: &'static str, by: &'static str) -> Ca {
    Ca { subject, by, edition: 0 }
}

/// The same key and names, signed anew.
const fn again(subject: &'static str, by: &'static str) -> Ca {
    Ca { subject, by, edition: 1 }
}

/// The roots of two generations.
const ROOTS: [Ca; 2] = [ca("X", "X"), ca("Y", "Y")];

/// What the CA sends with one certificate after the other.
const TIMELINE: [(&str, Mood); 8] = [
    ("the first certificate", &[ca("X1", "X")]),
    ("another intermediate, as it comes", &[ca("X2", "X")]),
    ("the same intermediate once more", &[ca("X2", "X")]),
    ("a new generation, below the old root", &[ca("Y1", "Y"), ca("Y", "X")]),
    ("its certificates signed anew, with the same keys", &[again("Y1", "Y"), again("Y", "X")]),
    ("the cross-sign left out", &[again("Y1", "Y")]),
    ("back to the former generation", &[ca("X1", "X")]),
    ("the new generation again, and its backup", &[ca("Y2", "Y"), again("Y", "X")]),
];

/// Which certificate `2 1 1` names, and what is known of it beforehand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Named {
    /// The one that signed, and nothing is known.
    Issuing,
    /// The one that signed, and a table of those that sign as a rule: the old generation.
    Listed,
    /// The root, which the machine knows.
    Root,
}

impl Named {
    /// The CA certificate that `2 1 1` names after a renewal in this mood.
    fn anchor(self, mood: Mood) -> Ca {
        let top = mood.last().expect("a mood names who signs");
        match self {
            Self::Issuing | Self::Listed => mood[0],
            Self::Root => ca(top.by, top.by),
        }
    }

    /// What is published of CAs in this mood.
    fn published(self, mood: Mood) -> Vec<Ca> {
        match self {
            Self::Issuing | Self::Root => vec![self.anchor(mood)],
            Self::Listed => [&LISTED[..], &[self.anchor(mood)]].concat(),
        }
    }
}

/// The CAs in the table of those that sign as a rule.
const LISTED: [Ca; 2] = [ca("X1", "X"), ca("X2", "X")];

/// The records of Let's Encrypt's issuers for ECDSA keys, which a shipped table adds to it: YE1, YE2, YE3.
const SHIPPED: [&str; 3] = [
    "2 1 1 6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e",
    "2 1 1 b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376",
    "2 1 1 a698a20824be04e47a1a33c4fa488731be92011f23a31e900e2ca26c9c2acfce",
];

/// A mail server whose certificates are of a CA with moods.
struct Walk {
    /// The mail server.
    stage: Stage,
    /// The CA.
    moody: Moody,
    /// The shipped policy.
    policy: &'static str,
    /// What `2 1 1` names.
    named: Named,
    /// Proves names to the CA behind it.
    _pebble: Pebble,
}

impl Walk {
    /// Acquaints rollover with the mail server, whose certificate is of an own CA yet.
    fn prepare(policy: &'static str, named: Named) -> Self {
        let options = Options { tlsa_ttl: 2, ..Options::default() };
        let stage = Stage::new(Lab::start(options));
        stage.publish(&[stage.house.record(), stage.key_in_file()]);
        let pebble = Pebble::start(&stage.lab, "pebble", 14_000);
        let moody = Moody::start(&stage.lab, &pebble, TIMELINE[0].1);
        let write = |name: &str, cas: &[Ca]| {
            let text: String = cas.iter().map(|ca| moody.pem(*ca)).collect();
            std::fs::write(stage.lab.path(name), text).expect("certificates of CAs");
            stage.lab.path(name).display().to_string()
        };
        write("roots.pem", &ROOTS);
        let lines = match named {
            Named::Issuing => String::new(),
            Named::Listed => format!(
                "known-anchors = [\"{}\", \"shipped:letsencrypt\"]\n",
                write("known.pem", &LISTED)
            ),
            Named::Root => "trust-anchor = \"root\"\n".to_owned(),
        };
        let quick = quick_policy(&stage.lab, policy);
        Configuration::new(&stage.lab)
            .own_ca("house", &stage.house)
            .acme_with("moody", &pebble, &lines)
            .replaced(&pebble.directory_url(), &moody.directory_url)
            .host(
                &format!("issuer = \"moody\"\npolicy = \"{}\"", quick.display()),
                &stage.bundle,
                &stage.postfix.reload(),
            )
            .write(&stage.lab);
        stage.get_acquainted();
        Self { stage, moody, policy, named, _pebble: pebble }
    }

    /// Makes a renewal, to its end.
    fn renew(&self, arguments: &[&str]) {
        let roots = self.stage.lab.path("roots.pem").display().to_string();
        // What the machine's own list of roots is made of.
        let run = self.stage.lab.rollover_with(arguments, &[("SSL_CERT_FILE", &roots)]);
        run.expect_code(0);
    }

    /// The record that names a CA's key, by OpenSSL.
    fn record(&self, ca: Ca) -> String {
        record(&self.stage.lab, &self.moody, ca)
    }

    /// How many bridges have been published.
    fn bridges(&self) -> usize {
        let is_bridge = |e: &&crate::stage::HistoryLine| {
            e.done("publish") && e.action.contains("publish (bridge)")
        };
        self.stage.events().iter().filter(is_bridge).count()
    }

    /// Fails unless the mail server presents what the CA sent, and the records are the policy's for it.
    fn expect_arrived(&self, mood: Mood) {
        let stage = &self.stage;
        assert_eq!(stage.presented(), stage.key_in_file(), "the file is what is presented");
        let mut sent: Vec<Vec<u8>> = mood.iter().map(|ca| self.moody.certificate(*ca)).collect();
        if self.named == Named::Root {
            sent.push(self.moody.certificate(self.named.anchor(mood)));
        }
        assert_eq!(certificates(&stage.bundle)[1..], sent, "what is sent with the certificate");

        let key = stage.key_in_file();
        let shipped: &[&str] = if self.named == Named::Listed { &SHIPPED } else { &[] };
        let cas = self.named.published(mood).into_iter().map(|ca| self.record(ca));
        let cas = cas.chain(shipped.iter().map(|&record| record.to_owned()));
        let both = cas.clone().chain([key.clone()]);
        let wanted: BTreeSet<String> = match self.policy {
            "dane-ta" => cas.collect(),
            "dane-ee" => [key].into(),
            "current-next" => {
                let found = stage.records(PRIMARY);
                let next = found.iter().find(|record| **record != key).cloned();
                let next = next.unwrap_or_else(|| panic!("no standby key: {found:?}"));
                assert!(next.starts_with("3 1 1 "), "{found:?}");
                [key, next].into()
            }
            _ => both.collect(),
        };
        for server in [PRIMARY, SECONDARY] {
            let found: BTreeSet<String> = stage.records(server).into_iter().collect();
            assert_eq!(found, wanted, "at {server}");
        }
        let status = stage.lab.status();
        assert_eq!(status["phase"], "idle", "{status:#}");
        assert!(status["attention"].is_null(), "{status:#}");
    }

    /// Whether a renewal in this mood after the other one takes a bridge.
    fn is_bridged(&self, former: Mood, mood: Mood) -> bool {
        let key = |ca: Ca| ca.subject;
        let present = self.named.published(former);
        let is_named = present.iter().any(|ca| key(*ca) == key(self.named.anchor(mood)));
        match self.policy {
            // The key is new, and has to be in every cache beforehand.
            "dane-ee" | "rfc7671" => true,
            // The key is in every cache.
            "current-next" | "key-reuse" => false,
            _ => !is_named,
        }
    }

    /// Walks through all moods, with a judge sending all the while.
    fn through_all_moods(self, demand: Demand) {
        let judge = self.stage.judge(demand);
        let mut former: Option<Mood> = None;
        for (name, mood) in TIMELINE {
            println!("{}, {:?}: {name}", self.policy, self.named);
            self.moody.set(mood);
            let bridges = self.bridges();
            match former {
                None => self.renew(&["--new-ca", "--wait"]),
                Some(_) => self.renew(&["--renew", "--host", HOST, "--wait"]),
            }
            self.expect_arrived(mood);
            if let Some(former) = former {
                let wanted = usize::from(self.is_bridged(former, mood));
                assert_eq!(self.bridges() - bridges, wanted, "bridges: {name}");
            }
            former = Some(mood);
        }
        self.stage.finish(judge).expect_clean(300);
        let text = self.stage.lab.rollover(&["status"]).expect_code(0).out;
        let dated = text.contains("CAs      of the shipped table letsencrypt as of 2026-07-08");
        assert_eq!(dated, self.named == Named::Listed, "{text}");
    }
}

/// The record that names a CA's key, by OpenSSL.
fn record(lab: &Lab, moody: &Moody, ca: Ca) -> String {
    let file = lab.path("anchor.pem");
    std::fs::write(&file, moody.pem(ca)).expect("a CA's certificate");
    key_record(&file).replacen("3 1 1", "2 1 1", 1)
}

/// The DER of the certificates in a file.
fn certificates(file: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read(file).expect("a bundle");
    let found = CertificateDer::pem_slice_iter(&text);
    found.map(|der| der.expect("a certificate").to_vec()).collect()
}

#[test]
fn every_mood_under_ncsc() {
    Walk::prepare("ncsc", Named::Issuing).through_all_moods(Demand::Any);
}

#[test]
fn every_mood_under_rfc7671() {
    Walk::prepare("rfc7671", Named::Issuing).through_all_moods(Demand::Each);
}

#[test]
fn every_mood_under_dane_ee() {
    Walk::prepare("dane-ee", Named::Issuing).through_all_moods(Demand::Each);
}

#[test]
fn every_mood_under_current_next() {
    Walk::prepare("current-next", Named::Issuing).through_all_moods(Demand::Each);
}

#[test]
fn every_mood_under_dane_ta() {
    Walk::prepare("dane-ta", Named::Issuing).through_all_moods(Demand::Any);
}

#[test]
fn every_mood_under_key_reuse() {
    Walk::prepare("key-reuse", Named::Issuing).through_all_moods(Demand::Any);
}

/// The root changes where the cross-sign is left out, as every record of a root did in February 2024.
#[test]
fn every_mood_where_the_root_is_named() {
    Walk::prepare("ncsc", Named::Root).through_all_moods(Demand::Any);
}

/// A table of CAs spares the bridge as long as it is right; when the CA leaves it, that is a change of CA
/// that nobody announced.
#[test]
fn every_mood_with_a_table_of_the_old_generation() {
    Walk::prepare("ncsc", Named::Listed).through_all_moods(Demand::Any);
}

/// ECDSA keys are signed by one branch of the CA and RSA keys by another, and each picks its issuers as it
/// comes: one certificate of the two may take a bridge, and both wait for it.
#[test]
fn two_kinds_of_keys_each_with_moods_of_its_own() {
    const E1: Mood = &[ca("E1", "X")];
    const E2: Mood = &[ca("E2", "X")];
    const R1: Mood = &[ca("R1", "Y")];
    const R2: Mood = &[ca("R2", "Y")];
    let lab = Lab::start(Options { tlsa_ttl: 2, ..Options::default() });
    let rsa = lab.path("rsa.pem");
    let stage = Stage::new_with(lab, |lab, bundle| {
        let house = Authority::new(lab.directory(), "house");
        house.issue(HOST, bundle);
        house.issue_with(HOST, &rsa, &["-newkey", "rsa:2048"]);
        (house, Postfix::start(lab, &[&rsa, bundle], Tls::Offered))
    });
    stage.publish(&[stage.house.record(), stage.key_in_file(), key_record(&rsa)]);
    let pebble = Pebble::start(&stage.lab, "pebble", 14_000);
    let moody = Moody::start(&stage.lab, &pebble, E1);
    let policy = quick_policy(&stage.lab, "ncsc");
    let lines = format!(
        "issuer = \"moody\"\npolicy = \"{}\"\nkey-types = [\"ecdsa-p256\", \"rsa-2048\"]",
        policy.display()
    );
    // Two orders for the same name, one after the other, and Pebble asks through a cache: the second proof
    // is looked for when the first one has left it.
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .acme("moody", &pebble)
        .replaced(&pebble.directory_url(), &moody.directory_url)
        .host_with_files(&lines, &[&stage.bundle, &rsa], &stage.postfix.reload())
        .write(&stage.lab);
    stage.get_acquainted();
    let judge = stage.judge(Demand::Any);
    let renew: &[&str] = &["--renew", "--host", HOST, "--wait"];
    for (command, ecdsa_mood, rsa_mood) in
        [(&["--new-ca", "--wait"][..], E1, R1), (renew, E2, R1), (renew, E2, R2), (renew, E1, R1)]
    {
        moody.set(ecdsa_mood);
        moody.set_for_rsa(rsa_mood);
        stage.lab.rollover(command).expect_code(0);
        let cas = [ecdsa_mood[0], rsa_mood[0]].map(|ca| record(&stage.lab, &moody, ca));
        stage.expect_records(&[&cas[..], &[stage.key_in_file(), key_record(&rsa)]].concat());
    }
    stage.finish(judge).expect_clean(100);
}
