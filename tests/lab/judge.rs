//! The judge: a sender that is not our code, at work all the while (see `judge.py`).

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use super::{LATE_RESOLVER, Lab, PRIMARY, RESOLVER, SECONDARY};

/// What a sender asks of an RRset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// Some record fits.
    Any,
    /// Some record of each combination of parameters fits.
    Each,
}

/// A judge at work.
#[derive(Debug)]
pub struct Judge {
    /// The process.
    child: Child,
    /// What it says at the end.
    out: BufReader<ChildStdout>,
    /// Its attempts, a line each.
    log: PathBuf,
}

/// What a judge found.
#[derive(Debug)]
pub struct Verdict {
    /// Deliveries tried with a TLSA RRset in hand.
    pub attempts: u64,
    /// Those that OpenSSL's DANE verification refused.
    pub failures: u64,
    /// Deliveries without a TLSA RRset.
    pub unprotected: u64,
    /// Connections that were refused, or without TLS.
    pub unreachable: u64,
    /// Questions that a resolver did not answer, or not securely.
    pub dns_failures: u64,
    /// The longest time from a first failure to the last in a row of failures, in seconds.
    pub longest_outage: f64,
    /// What changed when, and the first failures.
    pub details: String,
}

impl Judge {
    /// Sends a judge to work, and waits until it has tried once through every cache.
    pub fn start(lab: &Lab, demand: Demand) -> Self {
        Self::start_at(lab, demand, super::HOST, &lab.options.addresses)
    }

    /// The same where these are the name servers of the mail server's zone.
    pub fn start_asking(lab: &Lab, demand: Demand, servers: &[&str]) -> Self {
        Self::start_whole(lab, demand, (super::HOST, &lab.options.addresses), servers)
    }

    /// The same for another mail server, at port 25 of these addresses.
    pub fn start_at(lab: &Lab, demand: Demand, host: &str, addresses: &[String]) -> Self {
        Self::start_whole(lab, demand, (host, addresses), &[PRIMARY, SECONDARY])
    }

    /// Sends a judge to work on a mail server, filling caches from these name servers.
    fn start_whole(
        lab: &Lab,
        demand: Demand,
        (host, addresses): (&str, &[String]),
        servers: &[&str],
    ) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/judge.py");
        let log = lab.path(&format!("judge-{host}-{demand:?}.jsonl"));
        let owner = format!("_25._tcp.{host}.");
        let mut command = lab.namespace.command("python3");
        command.arg(script).arg("--log").arg(&log).args(["--owner", &owner, "--host", host]);
        for address in addresses {
            command.args(["--address", address]);
        }
        for resolver in [RESOLVER, LATE_RESOLVER] {
            command.args(["--resolver", resolver]);
        }
        for server in servers {
            command.args(["--server", server]);
        }
        if demand == Demand::Each {
            command.arg("--each");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the judge starts (python3)");
        let mut out = BufReader::new(child.stdout.take().expect("the judge speaks"));
        let mut line = String::new();
        out.read_line(&mut line).expect("the judge says that it is ready");
        assert_eq!(line.trim(), "ready", "the judge did not start");
        Self { child, out, log }
    }

    /// Lets it work on for a while: one TTL after the last change.
    pub fn go_on(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Ends its work.
    pub fn finish(mut self) -> Verdict {
        super::daemon::send("TERM", self.child.id());
        let mut line = String::new();
        self.out.read_line(&mut line).expect("the judge's verdict");
        let _ = self.child.wait();
        let verdict: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the judge said `{line}`: {error}"));
        let number = |key: &str| verdict[key].as_u64().unwrap_or(0);
        Verdict {
            attempts: number("attempts"),
            failures: number("failures"),
            unprotected: number("unprotected"),
            unreachable: number("unreachable"),
            dns_failures: number("dns_failures"),
            longest_outage: verdict["longest_outage"].as_f64().unwrap_or(0.0),
            details: format!("{:#}", verdict["details"]),
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Verdict {
    /// Fails unless every one of at least `attempts` deliveries was made.
    #[track_caller]
    pub fn expect_clean(&self, attempts: u64) {
        assert_eq!(self.failures, 0, "{self:#?}");
        assert_eq!(self.unreachable, 0, "{self:#?}");
        assert!(attempts <= self.attempts, "too few attempts to prove anything: {self:#?}");
    }
}
