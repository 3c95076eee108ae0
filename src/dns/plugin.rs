//! A provider of zones behind an executable: newline-delimited JSON, one request and one answer a
//! line (the manual's section on plugins is the contract).
//!
//! It is started when a pass first needs it, and again after it failed; at the pass's end its input
//! ends, and so does it. What it was asked and did not answer may have been done: that is as good as
//! an update whose answer was lost.

pub(super) mod answer;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::answer::Fault;
use crate::command::{self, Standing, Talk, TalkError};
use crate::name::DnsName;
use crate::ports::{HeldRrset, PublishError, Publisher, RrsetChange};
use crate::time::{Span, Ttl};
use crate::tlsa::TlsaRrset;

/// The protocol that is spoken.
pub const PROTOCOL: &str = "rollover-dns/1";

/// How long after a plugin was given up what it was asked can still be done by its provider.
const DELAY_BEYOND_LIMIT: Span = Span::from_seconds(300);

/// A provider of zones behind an executable.
pub struct Plugin {
    /// The provider's name in the configuration.
    name: String,
    /// The executable and its arguments.
    command: Vec<String>,
    /// What it is told in the first line.
    credentials: Option<Zeroizing<String>>,
    /// How long it may take for each answer.
    limit: Span,
    /// The zone, where the configuration names it.
    zone: Option<DnsName>,
    /// The process, while it is of use.
    process: Mutex<Option<Process>>,
}

/// A plugin that has been greeted.
struct Process {
    /// The conversation.
    talk: Talk,
    /// Whether it replaces an RRset only where it is as expected.
    compares: bool,
}

/// What a plugin was configured with.
pub struct PluginSettings {
    /// The executable and its arguments.
    pub command: Vec<String>,
    /// What it is told in the first line.
    pub credentials: Option<Zeroizing<String>>,
    /// How long it may take for each answer.
    pub limit: Span,
    /// The zone, where the configuration names it.
    pub zone: Option<DnsName>,
}

impl Plugin {
    /// The provider `name` of the configuration.
    pub fn new(name: &str, settings: PluginSettings) -> Self {
        let PluginSettings { command, credentials, limit, zone } = settings;
        let process = Mutex::default();
        Self { name: name.to_owned(), command, credentials, limit, zone, process }
    }

    /// The provider, for messages.
    fn server(&self) -> String {
        format!("the plugin `{}` ({})", self.name, command::quoted(&self.command))
    }

    /// The zone to name in requests.
    fn zone<'a>(&'a self, found: &'a DnsName) -> &'a DnsName {
        self.zone.as_ref().unwrap_or(found)
    }

    /// Starts the process, and greets it.
    async fn start(&self) -> Result<Process, Fault> {
        let mut talk =
            Talk::start(&self.name, &self.command).map_err(|e| Fault::Unasked(e.to_string()))?;
        let mut hello = json!({ "protocol": PROTOCOL, "op": "hello" });
        if let Some(credentials) = &self.credentials {
            hello["credentials"] = json!(credentials.trim_end());
        }
        let line = Zeroizing::new(hello.to_string());
        let answer = talk.ask(&line, self.limit).await;
        let answer = answer.map_err(|error| Fault::Unasked(format!("to the greeting {error}")))?;
        let answer = answer::read(&answer).map_err(|fault| match fault {
            Fault::Unanswered(what) => Fault::Unasked(format!("to the greeting {what}")),
            Fault::Declined { error, message } => {
                Fault::Unasked(format!("it refused the greeting ({error}): {message}"))
            }
            other @ Fault::Unasked(_) => other,
        })?;
        Ok(Process { talk, compares: answer::compares(&answer) })
    }

    /// Asks one thing; of a new process where the last one failed.
    async fn ask(&self, request: &Value) -> Result<Value, Fault> {
        let mut process = self.process.lock().await;
        let mut greeted = self.ready(process.take()).await?;
        let line = request.to_string();
        match greeted.talk.ask(&line, self.limit).await {
            Ok(answer) => {
                let answer = answer::read(&answer);
                // One that does not keep to the protocol is not asked again.
                if !matches!(answer, Err(Fault::Unanswered(_))) {
                    *process = Some(greeted);
                }
                answer
            }
            Err(TalkError::Start(error)) => Err(Fault::Unasked(error.to_string())),
            Err(error) => Err(Fault::Unanswered(error.to_string())),
        }
    }

    /// A process that waits for a question: this one, or a new one where it has ended. One that has
    /// said something unasked is ended, for its next line would be taken for an answer.
    async fn ready(&self, process: Option<Process>) -> Result<Process, Fault> {
        let Some(mut process) = process else { return self.start().await };
        match process.talk.standing().await {
            Standing::Ready => Ok(process),
            Standing::Gone => self.start().await,
            Standing::Chatty => {
                Err(Fault::Unasked("it answered more than it was asked".to_owned()))
            }
        }
    }

    /// Whether the provider replaces an RRset only where it is as expected.
    async fn greets_as_comparing(&self) -> Result<bool, Fault> {
        let mut process = self.process.lock().await;
        let greeted = self.ready(process.take()).await?;
        Ok(process.insert(greeted).compares)
    }

    /// What the provider holds: the TTL it gave, and the records as text.
    async fn get(
        &self,
        zone: &DnsName,
        name: &DnsName,
        kind: &str,
    ) -> Result<(Option<u32>, Vec<String>), Fault> {
        let request = json!({
            "op": "get",
            "zone": self.zone(zone).absolute(),
            "owner": name.absolute(),
            "type": kind,
        });
        answer::records(&self.ask(&request).await?)
    }

    /// The TLSA RRset that the provider holds.
    async fn tlsa(&self, zone: &DnsName, name: &DnsName) -> Result<TlsaRrset, Fault> {
        let (ttl, texts) = self.get(zone, name, "TLSA").await?;
        answer::tlsa(ttl, &texts)
    }

    /// Replaces an RRset, given as texts.
    async fn put(
        &self,
        (zone, name, kind): (&DnsName, &DnsName, &str),
        ttl: Ttl,
        expect: &[String],
        records: &[String],
    ) -> Result<(), Fault> {
        let request = json!({
            "op": "replace",
            "zone": self.zone(zone).absolute(),
            "owner": name.absolute(),
            "type": kind,
            "ttl": ttl.as_seconds(),
            "expect": expect,
            "records": records,
        });
        self.ask(&request).await.map(|_| ())
    }

    /// Makes one change. A provider that does not compare is read before it and after it.
    async fn change(&self, zone: &DnsName, change: &RrsetChange) -> Result<(), Fault> {
        let compares = self.greets_as_comparing().await?;
        if !compares && self.tlsa(zone, &change.name).await?.records != change.observed.records {
            let message = "the RRset is not as it was observed".to_owned();
            return Err(Fault::Declined { error: "conflict".to_owned(), message });
        }
        let texts = |rrset: &TlsaRrset| -> Vec<String> {
            rrset.records.iter().map(ToString::to_string).collect()
        };
        let (expect, records) = (texts(&change.observed), texts(&change.desired));
        let place = (zone, &change.name, "TLSA");
        self.put(place, change.desired.ttl, &expect, &records).await?;
        if !compares && self.tlsa(zone, &change.name).await?.records != change.desired.records {
            let what = "it said that it replaced the RRset, and reads it back as another";
            return Err(Fault::Unanswered(what.to_owned()));
        }
        Ok(())
    }

    /// Changes the TXT RRset at a name; the value of a challenge comes and goes beside others.
    async fn change_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        ttl: Ttl,
        wanted: impl Fn(Vec<String>) -> Vec<String>,
    ) -> Result<(), Fault> {
        let (_, present) = self.get(zone, name, "TXT").await?;
        let records = wanted(present.clone());
        if records == present {
            return Ok(());
        }
        self.put((zone, name, "TXT"), ttl, &present, &records).await?;
        if !self.greets_as_comparing().await?
            && !same_texts(&self.get(zone, name, "TXT").await?.1, &records)
        {
            let what = "it said that it replaced the RRset, and reads it back as another";
            return Err(Fault::Unanswered(what.to_owned()));
        }
        Ok(())
    }

    /// A fault, as it is to be acted upon.
    fn error(&self, fault: Fault, what: String) -> PublishError {
        let server = self.server();
        match fault {
            Fault::Unasked(reason) => PublishError::Unreachable { server, what, reason },
            Fault::Unanswered(reason) => PublishError::Unanswered { server, what, reason },
            Fault::Declined { error, message } => match error.as_str() {
                "conflict" => PublishError::Conflict { server, what },
                "temporary" => {
                    let reason = format!("it says that this may pass: {message}");
                    PublishError::Unanswered { server, what, reason }
                }
                _ => {
                    let reason = format!("{error}: {message}");
                    PublishError::Declined { server, what, reason }
                }
            },
        }
    }
}

/// A TXT record as a zone file has it.
fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

/// Whether a TXT record says `value`, in quotation marks or not.
fn says(record: &str, value: &str) -> bool {
    record.trim_matches('"') == value
}

/// Whether two TXT RRsets are the same, in any order, in quotation marks or not.
fn same_texts(one: &[String], other: &[String]) -> bool {
    let values = |records: &[String]| -> BTreeSet<String> {
        records.iter().map(|record| record.trim_matches('"').to_owned()).collect()
    };
    values(one) == values(other)
}

#[async_trait]
impl Publisher for Plugin {
    async fn read(&self, zone: &DnsName, name: &DnsName) -> Result<HeldRrset, PublishError> {
        let rrset = self.tlsa(zone, name).await.map(HeldRrset::from);
        rrset.map_err(|fault| self.error(fault, format!("{} TLSA", name.absolute())))
    }

    async fn replace(&self, zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        let needed = changes.iter().filter(|change| change.observed != change.desired);
        for (number, change) in needed.enumerate() {
            let what = format!("{} TLSA", change.name.absolute());
            match self.change(zone, change).await {
                Ok(()) => {}
                Err(fault) if number == 0 => return Err(self.error(fault, what)),
                Err(fault) => {
                    let error = self.error(fault, what.clone());
                    return Err(error.after_others(self.server(), what));
                }
            }
        }
        Ok(())
    }

    fn longest_delay(&self) -> Span {
        self.limit + DELAY_BEYOND_LIMIT
    }

    async fn leave(&self) {
        if let Some(process) = self.process.lock().await.take()
            && !process.talk.end().await
        {
            tracing::warn!(plugin = self.name, "it did not exit at the end of its input: killed");
        }
    }

    async fn compares(&self) -> bool {
        self.greets_as_comparing().await.unwrap_or(false)
    }

    async fn caveat(&self) -> Option<String> {
        match self.greets_as_comparing().await {
            Ok(true) => None,
            Ok(false) => Some(super::cannot_swap(&self.server())),
            Err(fault) => Some(self.error(fault, "a zone".to_owned()).to_string()),
        }
    }

    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        ttl: Ttl,
    ) -> Result<(), PublishError> {
        let add = |mut records: Vec<String>| {
            if !records.iter().any(|record| says(record, value)) {
                records.push(quoted(value));
            }
            records
        };
        let changed = self.change_txt(zone, name, ttl, add).await;
        changed.map_err(|fault| self.error(fault, format!("{} TXT", name.absolute())))
    }

    async fn remove_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError> {
        let remove = |mut records: Vec<String>| {
            records.retain(|record| !says(record, value));
            records
        };
        let changed = self.change_txt(zone, name, Ttl::from_seconds(60), remove).await;
        changed.map_err(|fault| self.error(fault, format!("{} TXT", name.absolute())))
    }
}
