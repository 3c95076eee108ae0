//! `rollover plugin test`: whether an executable keeps to the protocol of DNS provider plugins.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use crate::command::{Standing, Talk};
use crate::dns::PROTOCOL;
use crate::name::DnsName;
use crate::secret;
use crate::time::Span;

/// What can be asked of plugins.
#[derive(Clone, Debug, Subcommand)]
pub enum PluginCommand {
    /// Try a plugin on a scratch name: it is read, written, swapped and removed
    Test(TestArgs),
}

/// Which plugin, and where it may write.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// The zone
    #[arg(long, value_name = "ZONE", default_value = "example.nl")]
    pub zone: DnsName,
    /// The owner to write at; what stands there is removed (default: _25._tcp.rollover-test.ZONE)
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// A file whose content is handed over in the first message
    #[arg(long, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,
    /// How long the plugin may take for each answer
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    pub timeout: Span,
    /// The plugin: an executable and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// A conversation under test.
struct Trial<'a> {
    /// Which plugin, and where it may write.
    arguments: &'a TestArgs,
    /// The plugin.
    talk: Talk,
    /// The owner to write at.
    owner: String,
    /// What was found.
    out: &'a mut (dyn Write + Send),
    /// How many checks failed.
    failed: u32,
    /// The TTL that was given where another was asked for.
    other_ttl: Option<u64>,
}

/// Two records that no server ever had.
const RECORDS: [&str; 2] = [
    "3 1 1 00000000000000000000000000000000000000000000000000000000000000aa",
    "2 1 1 00000000000000000000000000000000000000000000000000000000000000bb",
];

/// The TTL that is asked for.
const TTL: u64 = 300;

/// Runs the command.
pub(super) async fn run(
    command: &PluginCommand,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let PluginCommand::Test(arguments) = command;
    let credentials = arguments.credentials_file.as_deref().map(secret::read).transpose();
    let credentials = credentials.map_err(|error| Failure::Usage(error.to_string()))?;
    let talk = Talk::start("test", &arguments.command)
        .map_err(|error| Failure::Usage(format!("the plugin {error}")))?;
    let owner = arguments
        .owner
        .clone()
        .unwrap_or_else(|| format!("_25._tcp.rollover-test.{}", arguments.zone.absolute()));
    let owner = if owner.ends_with('.') { owner } else { format!("{owner}.") };
    let mut trial = Trial { arguments, talk, owner, out, failed: 0, other_ttl: None };
    let mut hello = json!({ "protocol": PROTOCOL, "op": "hello" });
    if let Some(credentials) = &credentials {
        hello["credentials"] = json!(credentials.trim_end());
    }
    let answered = trial.converse(&hello).await;
    let failed = match answered {
        // One that does not answer in turn cannot be asked any further.
        Err(problem) => {
            trial.verdict("it goes on answering", Err(problem));
            trial.failed
        }
        Ok(()) => trial.finish().await,
    };
    match failed {
        0 => {
            let _ = writeln!(out, "\nthe plugin keeps to {PROTOCOL}");
            Ok(())
        }
        failed => {
            let _ = writeln!(out, "\n{failed} of the checks failed");
            Err(Failure::Verdict(1))
        }
    }
}

impl Trial<'_> {
    /// Says what came of a check.
    fn verdict(&mut self, check: &str, result: Result<(), String>) {
        let _ = match result {
            Ok(()) => writeln!(self.out, "ok      {check}"),
            Err(problem) => {
                self.failed += 1;
                writeln!(self.out, "FAILED  {check}\n        {problem}")
            }
        };
    }

    /// Asks one thing.
    async fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let line = request.to_string();
        let answer = self.talk.ask(&line, self.arguments.timeout).await;
        let op = request["op"].as_str().unwrap_or_default();
        let answer = answer.map_err(|error| format!("to `{op}`: {error}"))?;
        serde_json::from_str(&answer)
            .map_err(|error| format!("to `{op}` no JSON ({error}): {answer}"))
    }

    /// A request about the owner.
    fn request(&self, op: &str, kind: &str) -> Value {
        let zone = self.arguments.zone.absolute();
        json!({ "op": op, "zone": zone, "owner": self.owner, "type": kind })
    }

    /// A replacement at the owner.
    fn replacement(&self, kind: &str, expect: &[String], records: &[String]) -> Value {
        let mut request = self.request("replace", kind);
        request["ttl"] = json!(TTL);
        request["expect"] = json!(expect);
        request["records"] = json!(records);
        request
    }

    /// What stands at the owner.
    async fn present(&mut self, kind: &str) -> Result<(Option<u64>, Vec<String>), String> {
        let request = self.request("get", kind);
        let answer = self.ask(&request).await?;
        let records = answer["records"].as_array().map(|records| {
            records.iter().filter_map(|record| record.as_str().map(str::to_owned)).collect()
        });
        match records {
            Some(records) if answer["ok"] == true => Ok((answer["ttl"].as_u64(), records)),
            _ => Err(format!("to `get` it answered {answer}")),
        }
    }

    /// Makes sure that these records stand at the owner.
    async fn expect(&mut self, check: &str, kind: &str, wanted: &[String]) -> Result<(), String> {
        let (ttl, records) = self.present(kind).await?;
        let normal = |texts: &[String]| -> Vec<String> {
            let mut all: Vec<String> =
                texts.iter().map(|text| text.trim_matches('"').to_ascii_lowercase()).collect();
            all.sort();
            all
        };
        let result = if normal(&records) != normal(wanted) {
            Err(format!("it reads back {records:?}, not {wanted:?}"))
        } else if wanted.is_empty() {
            Ok(())
        } else {
            match ttl {
                None => Err("it gives no `ttl`".to_owned()),
                Some(ttl) => {
                    self.other_ttl = (ttl != TTL).then_some(ttl);
                    Ok(())
                }
            }
        };
        self.verdict(check, result);
        Ok(())
    }

    /// Replaces what stands at the owner, and says whether that was taken.
    async fn replace(
        &mut self,
        check: &str,
        (kind, expect, records): (&str, &[String], &[String]),
    ) -> Result<(), String> {
        let request = self.replacement(kind, expect, records);
        let answer = self.ask(&request).await?;
        let result = match answer["ok"] == true {
            true => Ok(()),
            false => Err(format!("it answered {answer}")),
        };
        self.verdict(check, result);
        self.expect(&format!("{check}, and reads it back"), kind, records).await
    }

    /// Asks for a replacement that has to be refused.
    async fn conflict(
        &mut self,
        check: &str,
        expect: &[String],
        records: &[String],
    ) -> Result<(), String> {
        let request = self.replacement("TLSA", expect, records);
        let answer = self.ask(&request).await?;
        let conflict = match answer["ok"] == false && answer["error"] == "conflict" {
            true => Ok(()),
            false => Err(format!("it answered {answer}")),
        };
        self.verdict(check, conflict);
        Ok(())
    }

    /// The conversation; `Err` where it broke down.
    async fn converse(&mut self, hello: &Value) -> Result<(), String> {
        let answer = self.ask(hello).await?;
        let greeted = match (answer["ok"] == true, answer["name"].as_str()) {
            (true, Some(_)) => Ok(()),
            _ => Err(format!("it answered {answer}")),
        };
        self.verdict("it answers the greeting with ok and a name", greeted);
        let compares = answer["capabilities"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == "compare-and-swap"));
        let both = RECORDS.map(str::to_owned);
        let (_, present) = self.present("TLSA").await?;
        self.replace("it removes an RRset", ("TLSA", &present, &[])).await?;
        self.replace("it makes an RRset", ("TLSA", &[], &both[..1])).await?;
        self.replace("it replaces an RRset", ("TLSA", &both[..1], &both)).await?;
        if compares {
            let check = "it refuses to replace what is not as expected: conflict";
            self.conflict(check, &both[1..], &both[1..]).await?;
            self.conflict("it refuses to make what is there: conflict", &[], &both[..1]).await?;
            self.expect("it changed nothing then", "TLSA", &both).await?;
        } else {
            let _ = writeln!(self.out, "--      it cannot compare and swap: read before and after");
        }
        // Some providers have a least TTL. It is no fault: waits are counted from what is served.
        if let Some(ttl) = self.other_ttl {
            let _ = writeln!(self.out, "--      it gives a TTL of {ttl} where {TTL} was asked for");
        }
        let mut extended = self.request("get", "TLSA");
        extended["some-later-field"] = json!(true);
        let answer = self.ask(&extended).await?;
        let ignored = (answer["ok"] == true).then_some(());
        let ignored = ignored.ok_or_else(|| format!("it answered {answer}"));
        self.verdict("it ignores fields that it does not know", ignored);
        self.replace("it removes two records at once", ("TLSA", &both, &[])).await?;
        let challenge = ["\"a-challenge\"".to_owned()];
        let (_, texts) = self.present("TXT").await?;
        self.replace("it makes a TXT RRset", ("TXT", &texts, &challenge)).await?;
        self.replace("it removes a TXT RRset", ("TXT", &challenge, &[])).await?;
        Ok(())
    }

    /// Says that there is no more; how many checks failed.
    async fn finish(mut self) -> u32 {
        let quiet = match self.talk.standing().await {
            Standing::Ready => Ok(()),
            Standing::Gone => Err("it has ended before its input did".to_owned()),
            Standing::Chatty => Err("it goes on after its last answer".to_owned()),
        };
        self.verdict("it answers each request with one line", quiet);
        let ended = self.talk.end().await;
        let _ = match ended {
            true => writeln!(self.out, "ok      it ends at the end of its input"),
            false => {
                self.failed += 1;
                writeln!(self.out, "FAILED  it ends at the end of its input")
            }
        };
        self.failed
    }
}
