//! A mail server whose certificates another client obtains, and what all clients' tests share.

use std::borrow::BorrowMut;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::authority::key_record;
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::daemon::wait_until;
use crate::lab::drift::DriftingCa;
use crate::lab::judge::{Demand, Judge};
use crate::lab::pebble::Pebble;
use crate::lab::{HOST, Lab, Options, PRIMARY};
use crate::stage::Stage;

/// The program under test.
pub const ROLLOVER: &str = env!("CARGO_BIN_EXE_rollover");

/// A mail server, a CA, and rollover between them.
pub struct Scene {
    /// The CA, which signs with another intermediate each time.
    pub ca: DriftingCa,
    /// What is behind it.
    pub pebble: Pebble,
    /// The mail server and its world.
    pub stage: Stage,
}

/// A world with a TTL that is short even for a lab: clients are slow enough.
pub fn lab() -> Lab {
    Lab::start(Options { tlsa_ttl: 2, ..Options::default() })
}

/// What a run of a client came to.
#[derive(Debug)]
pub struct Ran {
    /// Whether it ended well.
    pub well: bool,
    /// All that it said.
    pub said: String,
}

impl Ran {
    /// Fails with all that was said, unless the client ended well.
    #[track_caller]
    pub fn expect_well(self) -> Self {
        assert!(self.well, "the client failed:\n{}", self.said);
        self
    }
}

impl Scene {
    /// A mail server with a certificate of its old CA, both records published, and rollover acquainted
    /// with it: the next certificates will come through hooks.
    pub fn new(policy: &str) -> Self {
        let scene = Self::at_first_sight(lab(), policy);
        scene.stage.get_acquainted();
        scene
    }

    /// The same in a world of its own, before rollover has looked.
    pub fn at_first_sight(lab: Lab, policy: &str) -> Self {
        let scene = Self::around(Stage::new(lab));
        let stage = &scene.stage;
        stage.publish(&[stage.house.record(), stage.key_in_file()]);
        scene.configure(policy, "");
        scene
    }

    /// A CA beside what is there.
    pub fn around(stage: Stage) -> Self {
        let pebble = Pebble::start_for_others(&stage.lab, "pebble", 14_000);
        let ca = DriftingCa::start(&stage.lab, &pebble, 14_443);
        Self { ca, pebble, stage }
    }

    /// Writes the configuration of a host whose issuer is external.
    pub fn configure(&self, policy: &str, lines: &str) {
        self.configure_files(policy, lines, &[&self.stage.bundle]);
    }

    /// The same with a file for each key type.
    pub fn configure_files(&self, policy: &str, lines: &str, files: &[&Path]) {
        let stage = &self.stage;
        let policy = quick_policy(&stage.lab, policy);
        let lines =
            format!("issuer = \"other-client\"\npolicy = \"{}\"\n{lines}", policy.display());
        Configuration::new(&stage.lab)
            .more("\n[issuers.other-client]\ntype = \"external\"\n")
            .host_with_files(&lines, files, &stage.postfix.reload())
            .write(&stage.lab);
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.stage.lab
    }

    /// A path as text.
    pub fn path(&self, name: &str) -> String {
        self.lab().path(name).display().to_string()
    }

    /// A hook line for clients that take one.
    pub fn hook(&self, words: &str) -> String {
        format!("{ROLLOVER} hook {words}").trim_end().to_owned()
    }

    /// The program under the name that makes it a hook alone.
    pub fn hook_program(&self) -> PathBuf {
        let path = self.lab().path("rollover-hook");
        if !path.exists() {
            std::os::unix::fs::symlink(ROLLOVER, &path).expect("a link to the program");
        }
        path
    }

    /// A command in the lab, with the configuration that hooks find.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.lab().namespace.command(program);
        command.env("ROLLOVER_CONFIG", self.lab().path("rollover.toml")).env("NO_COLOR", "1");
        command
    }

    /// Runs a client to its end.
    pub fn run(&self, mut command: impl BorrowMut<Command>) -> Ran {
        let output = command.borrow_mut().stdin(Stdio::null()).output().expect("the client runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        Ran { well: output.status.success(), said }
    }

    /// Sends a judge to work.
    pub fn judge(&self) -> Judge {
        self.stage.judge(Demand::Any)
    }

    /// What cron does until nothing is in flight.
    #[track_caller]
    pub fn cron(&self) {
        self.lab().rollover(&["--wait"]).expect_code(0);
    }

    /// Waits with `tick` until nothing is in flight: what waits gets on by it alone.
    #[track_caller]
    pub fn until_idle(&self, mut tick: impl FnMut()) {
        wait_until("nothing is in flight", || {
            std::thread::sleep(std::time::Duration::from_secs(1));
            tick();
            self.lab().status()["rollover"].is_null()
        });
    }

    /// Obtains a certificate of another CA than the one in place, and has cron do the rest: it is held
    /// until the records lead.
    #[track_caller]
    pub fn expect_held(&self, obtain: impl FnOnce() -> Ran, file: &Path) {
        let before = self.stage.presented();
        let said = obtain().said;
        assert!(said.contains("publish (bridge)"), "{said}\n{}", self.ca.tail());
        assert_eq!(self.stage.presented(), before, "not before caches have let go");
        self.cron();
        self.expect_live(file);
    }

    /// Fails unless the mail server presents the certificate in `file`, its two records are all that
    /// is published, and no proof was left behind.
    #[track_caller]
    pub fn expect_live(&self, file: &Path) {
        let stage = &self.stage;
        let key = key_record(file);
        assert_eq!(stage.presented(), key, "it is presented");
        assert_eq!(stage.key_in_file(), key, "it is in the mail server's file");
        let status = self.lab().status();
        assert_eq!(status["phase"], "idle", "{status:#}");
        let anchor = status["certificates"][0]["anchor_spki_sha256"].as_str().expect("an anchor");
        stage.expect_records(&[format!("2 1 1 {anchor}"), key]);
        let left = stage.lab.bind.txt(PRIMARY, &format!("_acme-challenge.{HOST}."));
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}
