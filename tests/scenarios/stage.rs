//! The usual stage: a mail server under an own CA with both records, and rollover acquainted with it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::lab::authority::{Authority, key_record};
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::judge::{Demand, Judge, Verdict};
use crate::lab::mail::{Postfix, Tls};
use crate::lab::{HOST, Lab, OWNER, PRIMARY, SECONDARY, daemon};

/// A line of the history.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// When.
    pub time: SystemTime,
    /// What followed from what was seen.
    pub decision: String,
    /// What was done.
    pub action: String,
    /// What came of it; empty in the line before the act.
    pub result: String,
}

impl HistoryLine {
    /// Whether it tells of something that was done.
    pub fn is_done(&self) -> bool {
        !self.result.is_empty() && !self.result.starts_with("failed")
    }

    /// Whether it tells that this was done.
    pub fn done(&self, decision: &str) -> bool {
        self.is_done() && self.decision == decision
    }
}

/// How long after one line another was written.
pub fn between(one: &HistoryLine, other: &HistoryLine) -> Duration {
    other.time.duration_since(one.time).expect("the history is in order")
}

/// A mail server that rollover looks after.
pub struct Stage {
    /// The mail server.
    pub postfix: Postfix,
    /// The CA that its first certificate is of.
    pub house: Authority,
    /// Another CA.
    pub other: Authority,
    /// What the mail server reads.
    pub bundle: PathBuf,
    /// The world.
    pub lab: Lab,
}

impl Stage {
    /// A mail server with a certificate of `house`.
    pub fn new(lab: Lab) -> Self {
        Self::new_with(lab, |lab, bundle| {
            let house = Authority::new(lab.directory(), "house");
            house.issue(HOST, bundle);
            (house, Postfix::start(lab, &[bundle], Tls::Offered))
        })
    }

    /// A mail server that `start` starts, given where its first bundle goes.
    pub fn new_with(lab: Lab, start: impl FnOnce(&Lab, &Path) -> (Authority, Postfix)) -> Self {
        let other = Authority::new(lab.directory(), "other");
        let bundle = lab.path("mail.pem");
        let (house, postfix) = start(&lab, &bundle);
        Self { postfix, house, other, bundle, lab }
    }

    /// Publishes these records by hand, and waits until every server has them.
    pub fn publish(&self, records: &[String]) {
        self.lab.bind.publish(OWNER, self.lab.options.tlsa_ttl, records);
        self.wait_until_equal();
    }

    /// Waits until both servers answer the same.
    pub fn wait_until_equal(&self) {
        daemon::wait_until("both servers have the same records", || {
            self.records(SECONDARY) == self.records(PRIMARY)
        });
    }

    /// The records that a server answers.
    pub fn records(&self, server: &str) -> Vec<String> {
        self.lab.bind.tlsa(server, OWNER)
    }

    /// The record of the key that the mail server presents.
    pub fn presented(&self) -> String {
        self.lab.presented(crate::lab::MAIL)
    }

    /// The record of the key in the mail server's file.
    pub fn key_in_file(&self) -> String {
        key_record(&self.bundle)
    }

    /// Writes the configuration: both own CAs, and these lines for the host.
    pub fn configure(&self, lines: &str) {
        self.configuration(lines).write(&self.lab);
    }

    /// The configuration, to be added to.
    pub fn configuration(&self, lines: &str) -> Configuration {
        Configuration::new(&self.lab)
            .own_ca("house", &self.house)
            .own_ca("other", &self.other)
            .host(lines, &self.bundle, &self.postfix.reload())
    }

    /// Lets rollover look after the server under a shipped policy without its margins, and waits
    /// until it is acquainted: what caches held before the first look has left them.
    pub fn acquaint(&self, policy: &str) {
        let policy = quick_policy(&self.lab, policy);
        self.configure(&format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()));
        self.get_acquainted();
    }

    /// Makes passes until nothing is in flight and one TTL has passed.
    pub fn get_acquainted(&self) {
        self.lab.rollover(&["--wait"]).expect_code(0);
        std::thread::sleep(self.ttl());
        self.lab.rollover(&["--wait"]).expect_code(0);
    }

    /// The TTL of the records, and a little more: caches count in whole seconds.
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(u64::from(self.lab.options.tlsa_ttl) * 1000 + 1500)
    }

    /// The usual stage: both records published, rollover acquainted.
    pub fn usual(policy: &str) -> Self {
        let stage = Self::new(Lab::usual());
        stage.publish(&[stage.house.record(), stage.key_in_file()]);
        stage.acquaint(policy);
        stage
    }

    /// Sends a judge to work.
    pub fn judge(&self, demand: Demand) -> Judge {
        Judge::start(&self.lab, demand)
    }

    /// Ends a judge's work one TTL after the last change.
    pub fn finish(&self, judge: Judge) -> Verdict {
        judge.go_on(self.ttl());
        judge.finish()
    }

    /// Lets rollover do this to its end, while the secondary lags by three TTLs; with what it said.
    pub fn lead_through_a_lag(&self, judge: &Judge, arguments: &[&str]) -> String {
        self.lab.nsd.lag();
        self.lead_on(judge, arguments, self.ttl() * 3, || self.lab.nsd.catch_up())
    }

    /// Lets rollover do this to its end, while the secondary is silent for six TTLs, in which each look
    /// takes one; with what it said.
    pub fn lead_through_a_silence(&self, judge: &Judge, arguments: &[&str]) -> String {
        self.lab.nsd.silence();
        self.lead_on(judge, arguments, self.ttl() * 6, || self.lab.nsd.wake())
    }

    /// Lets rollover do this to its end, with something mended after this time.
    #[track_caller]
    fn lead_on(
        &self,
        judge: &Judge,
        arguments: &[&str],
        time: Duration,
        mend: impl FnOnce(),
    ) -> String {
        let arguments = [arguments, &["--wait"]].concat();
        let child = self.lab.start_rollover(&arguments);
        judge.go_on(time);
        mend();
        let output = child.wait_with_output().expect("the tool ends");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The serial number of the certificate that is presented.
    pub fn serial(&self) -> String {
        self.lab.status()["certificates"][0]["serial"].to_string()
    }

    /// The history of the mail server, what was adopted at first sight left out.
    pub fn events(&self) -> Vec<HistoryLine> {
        let text = self.lab.rollover(&["history", "--json"]).expect_code(0).out;
        let lines = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            let text = |key: &str| line[key].as_str().expect("a text").to_owned();
            let time: jiff::Timestamp = text("time").parse().expect("a time");
            HistoryLine {
                time: SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_second().unsigned_abs()),
                decision: text("decision"),
                action: text("action"),
                result: text("result"),
            }
        });
        lines.filter(|line| line.decision != "adopt").collect()
    }

    /// Fails unless these records are what every server answers.
    #[track_caller]
    pub fn expect_records(&self, records: &[String]) {
        let mut wanted = records.to_vec();
        wanted.sort();
        for server in [PRIMARY, SECONDARY] {
            assert_eq!(self.records(server), wanted, "at {server}");
        }
    }

    /// Fails unless the mail server presents what is in its file, under this CA, with both records.
    #[track_caller]
    pub fn expect_settled(&self, ca: &Authority) {
        assert_eq!(self.presented(), self.key_in_file(), "the file is what is presented");
        self.expect_records(&[ca.record(), self.key_in_file()]);
        let status = self.lab.status();
        assert_eq!(status["phase"], "idle", "{status:#}");
        assert!(status["rollover"].is_null(), "{status:#}");
        assert!(status["attention"].is_null(), "{status:#}");
    }
}
