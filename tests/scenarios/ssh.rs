//! Several machines behind one name, which get their files by ssh: a deployment is made on every one
//! of them or on none, and the old record goes when each serves the new chain.

use std::path::PathBuf;
use std::time::Duration;

use crate::lab::authority::{Authority, key_record};
use crate::lab::configuration::{Configuration, quick_policy_with};
use crate::lab::judge::{Demand, Judge};
use crate::lab::mail::{Postfix, Tls};
use crate::lab::sshd::{self, Machine};
use crate::lab::{HOST, Lab, MAIL, Options};
use crate::stage::{Stage, between};

/// The second machine's address.
const SECOND: &str = "127.0.25.2";

/// Two machines, each with a mail server of its own.
struct Cluster {
    /// The machines, in the order in which they switch.
    machines: [Machine; 2],
    /// The second machine's mail server; the first one's is the stage's.
    second: Postfix,
    /// The stage.
    stage: Stage,
}

impl Cluster {
    /// Starts both, with a certificate of `house`, and lets rollover look after them.
    fn start(order: &str) -> Self {
        let addresses = vec![MAIL.to_owned(), SECOND.to_owned()];
        let lab = Lab::start(Options { addresses, ..Options::default() });
        let machines = [MAIL, SECOND].map(|address| Machine::start(&lab, address));
        let house = Authority::new(lab.directory(), "house");
        let other = Authority::new(lab.directory(), "other");
        let bundles: [PathBuf; 2] = [0, 1].map(|at| machines[at].own.join("mail.pem"));
        house.issue(HOST, &bundles[0]);
        std::fs::copy(&bundles[0], &bundles[1]).expect("both have the same");
        let [first, second] = [0, 1].map(|at| {
            let address = [MAIL, SECOND][at].to_owned();
            let name = format!("postfix-{at}");
            Postfix::start_at(&lab, &name, &[address], &[&bundles[at]], Tls::Offered)
        });
        machines[0].script("reload", &format!("exec {}", first.reload().join(" ")));
        machines[1].script("reload", &format!("exec {}", second.reload().join(" ")));
        let bundle = bundles[0].clone();
        let stage = Stage { postfix: first, house, other, bundle, lab };
        let cluster = Self { machines, second, stage };
        let stage = &cluster.stage;
        stage.publish(&[stage.house.record(), stage.key_in_file()]);
        cluster.configure(order);
        stage.get_acquainted();
        cluster
    }

    /// Writes the configuration.
    fn configure(&self, order: &str) {
        let lab = &self.stage.lab;
        let list = |words: Vec<String>| {
            words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
        };
        let shared = sshd::shared(lab);
        let policy = quick_policy_with(lab, "ncsc", &[("timing.probe-timeout", "15s")]);
        Configuration::new(lab)
            .own_ca("house", &self.stage.house)
            .own_ca("other", &self.stage.other)
            .more(&format!(
                "\n[hosts.\"{HOST}\"]\ndns = \"primary\"\nissuer = \"house\"\npolicy = \"{}\"\n\n\
                 [hosts.\"{HOST}\".deploy]\ntype = \"ssh\"\nmachines = [\"{MAIL}\", \
                 \"root@{SECOND}\"]\nssh = [{}]\norder = \"{order}\"\nchain-file = \"{}\"\ngroup = \
                 \"postfix\"\nmode = \"0640\"\nreload = [\"{}\"]\nconnect-timeout = \"3s\"\n",
                policy.display(),
                list(sshd::arguments(lab)),
                shared.join("mail.pem").display(),
                shared.join("reload").display()
            ))
            .write(lab);
    }

    /// The keys in the machines' files.
    fn keys(&self) -> [String; 2] {
        [0, 1].map(|at| key_record(&self.machines[at].own.join("mail.pem")))
    }

    /// Fails unless the machines have nothing but what they should.
    #[track_caller]
    fn expect_tidy(&self) {
        for machine in &self.machines {
            let entries = std::fs::read_dir(&machine.own).expect("the machine's directory");
            let mut names: Vec<_> =
                entries.map(|entry| entry.expect("a name").file_name()).collect();
            names.sort();
            assert_eq!(names, ["mail.pem", "reload"], "{}", machine.own.display());
        }
    }

    /// Sends a judge to both addresses.
    fn judge(&self) -> Judge {
        self.stage.judge(Demand::Any)
    }
}

/// The reload of one machine shows three seconds after it said that it was done.
#[test]
fn the_old_record_waits_for_the_machine_that_reloads_late() {
    let cluster = Cluster::start("together");
    let stage = &cluster.stage;
    let old = cluster.keys();
    assert_eq!(old[0], old[1]);
    let late = cluster.second.reload().join(" ");
    cluster.machines[1].script("reload", &format!("(sleep 3; {late}) >/dev/null 2>&1 &"));
    let judge = cluster.judge();
    let run = stage.lab.rollover(&["--renew", "--host", HOST, "--wait", "-v"]).expect_code(0);
    assert!(!(run.out + &run.err).contains("PRIVATE KEY"));
    stage.finish(judge).expect_clean(60);
    let new = cluster.keys();
    assert!(new[0] == new[1] && new[0] != old[0], "{new:?}");
    assert_eq!(stage.lab.presented(SECOND), new[1]);
    stage.expect_settled(&stage.house);
    cluster.expect_tidy();
    let events = stage.events();
    let of = |decision: &str| events.iter().rfind(|event| event.done(decision));
    let (deployed, settled) = (of("deploy"), of("publish"));
    let waited = between(deployed.expect("a deployment"), settled.expect("records"));
    assert!(Duration::from_secs(2) <= waited, "the old record waits for the last: {events:#?}");
}

/// A machine that cannot be reached, and one whose reload fails: each is named, every machine has
/// what it had, and mail goes on; once they are mended, the next pass ends it.
#[test]
fn a_deployment_is_on_every_machine_or_on_none() {
    let mut cluster = Cluster::start("one-by-one");
    let old = cluster.keys();
    let judge = cluster.judge();
    cluster.machines[1].cut_off();
    let run = cluster.stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    let words = "root@127.0.25.2 cannot be reached by ssh: ssh: connect to host 127.0.25.2 port 22: \
                 Connection refused; no machine was changed";
    assert!(run.err.contains(words), "{}", run.err);
    assert!(run.err.contains("mail goes on"), "{}", run.err);
    assert!(!run.err.contains("former"), "nothing had to be put back: {}", run.err);
    assert_eq!(cluster.keys(), old);
    let lab = &cluster.stage.lab;
    cluster.machines[1].boot(lab);

    let reload = cluster.second.reload().join(" ");
    cluster.machines[1].script("reload", "echo 'fatal: no' >&2; exit 5");
    let run = cluster.stage.lab.rollover(&[]).expect_code(1);
    assert!(run.err.contains("root@127.0.25.2 says: fatal: no; "), "{}", run.err);
    assert!(run.err.contains("exited with status 5"), "{}", run.err);
    assert!(run.err.contains("127.0.25.1 had switched, and is back to what it had"), "{}", run.err);
    assert_eq!(cluster.keys(), old);
    cluster.expect_tidy();

    cluster.machines[1].script("reload", &format!("exec {reload}"));
    cluster.stage.lab.rollover(&["--wait"]).expect_code(0);
    cluster.stage.finish(judge).expect_clean(100);
    let new = cluster.keys();
    assert!(new[0] == new[1] && new[0] != old[0], "{new:?}");
    assert_eq!(cluster.stage.lab.presented(SECOND), new[1]);
    cluster.stage.expect_settled(&cluster.stage.house);
    cluster.expect_tidy();
}
