//! The deployer that places files on other machines by the system's OpenSSH.
//!
//! A deployment is made on every machine or on none. First the files are *staged* on each: written
//! whole, with their access, under another name. Only when every machine has them are they
//! *switched* to, one machine after another or all at once: renamed, and the reload command run. A
//! machine where that fails puts back what it had, and those that had switched already are led back.
//! Last, what was there before is no longer *kept*.
//!
//! Whether every machine *presents* the new chain is not claimed here: the probe looks at every
//! address, and the old records stay until it has seen each.
//!
//! On the far side a fixed script runs (`far_side.sh`), by `/bin/sh`. Everything else, key material
//! above all, it is told on its standard input: no command line and no environment is made of it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::bundle;
use super::place::{self, Content};
use crate::command::{self, Answer, CommandError, End};
use crate::config::{MachineOrder, Place, SshConfig};
use crate::pki::KeyType;
use crate::ports::{Credential, DeployError, Deployed, Deployer};
use crate::time::Span;

/// What runs on the far side.
const FAR_SIDE: &str = include_str!("ssh/far_side.sh");

/// With what status ssh exits where it is ssh that failed, and not the command on the far side.
const SSH_FAILED: i32 = 255;

/// What a machine is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operation {
    /// Write the files under another name.
    Stage,
    /// Forget what was staged.
    Discard,
    /// Give the staged files their names, and reload.
    Switch,
    /// Put back what was there before, and reload.
    Back,
    /// Forget what was there before.
    Keep,
    /// Print what is there.
    Read,
}

impl Operation {
    /// Its name on the wire.
    fn as_str(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Discard => "discard",
            Self::Switch => "switch",
            Self::Back => "back",
            Self::Keep => "keep",
            Self::Read => "read",
        }
    }
}

/// Deploys onto other machines.
///
/// Only one may deploy to a machine's files at a time: the ledger's lock sees to that.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// What the configuration says.
    config: Arc<SshConfig>,
    /// The host's key types, in the order of its chain files.
    key_types: Vec<KeyType>,
}

/// What came of an operation on one machine.
struct Outcome {
    /// The machine's number in the list.
    at: usize,
    /// What it printed, or what failed.
    result: Result<String, Fault>,
}

/// Why an operation failed on one machine.
#[derive(Clone, Debug)]
struct Fault {
    /// The machine, and what happened.
    message: String,
    /// Whether the machine itself said so; where the connection failed, nobody knows what it did.
    said_by_machine: bool,
}

impl Ssh {
    /// A deployer for a host with these key types.
    pub fn new(config: SshConfig, key_types: Vec<KeyType>) -> Self {
        Self { config: Arc::new(config), key_types }
    }

    /// How ssh is called for a machine.
    fn argv(&self, machine: &str) -> Vec<String> {
        let timeout = self.config.connect_timeout.as_seconds();
        let mut argv: Vec<String> = ["ssh", "-T", "-o", "BatchMode=yes"].map(str::to_owned).into();
        // Of several values of an option ssh takes the first: the operator's come before ours.
        argv.extend(self.config.arguments.iter().cloned());
        let options = [
            format!("ConnectTimeout={timeout}"),
            "ServerAliveInterval=15".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ForwardX11=no".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        argv.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
        argv.extend(["--".to_owned(), machine.to_owned()]);
        argv.push(format!("exec /bin/sh -c '{FAR_SIDE}'"));
        argv
    }

    /// What the far side is told.
    fn told(&self, operation: Operation, contents: &[(PathBuf, Content)]) -> Content {
        let files = &self.config.files;
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let size: usize = contents.iter().map(|(_, content)| content.len() + 4200).sum();
        let mut told = Zeroizing::new(Vec::with_capacity(size + 65536));
        let mut line = |text: &str| {
            told.extend_from_slice(text.as_bytes());
            told.push(b'\n');
        };
        line(&format!("rollover-ssh/1 {}", operation.as_str()));
        line(&name(&files.owner));
        line(&name(&files.group));
        line(&format!("{:04o}", files.mode));
        line(&contents.len().to_string());
        for (path, content) in contents {
            told.extend_from_slice(path.to_string_lossy().as_bytes());
            told.push(b'\n');
            if operation == Operation::Stage {
                told.extend_from_slice(format!("{}\n", content.len()).as_bytes());
                told.extend_from_slice(content);
            }
        }
        for word in &files.reload {
            told.extend_from_slice(word.as_bytes());
            told.push(b'\n');
        }
        told
    }

    /// How long an operation may take: the connection, and what is done.
    fn limit(&self) -> Span {
        let (connect, done) = (self.config.connect_timeout, self.config.files.reload_timeout);
        Span::from_millis(connect.as_millis().saturating_add(done.as_millis()))
    }

    /// Has one machine do what it is told.
    async fn ask(&self, at: usize, told: Content) -> Outcome {
        let machine = &self.config.machines[at];
        let result = command::feed(&self.argv(machine), &told, self.limit()).await;
        Outcome { at, result: result.map_err(|error| self.fault(machine, &error)) }
    }

    /// Has several machines do something side by side; what came of it, in their order.
    async fn ask_all(
        &self,
        machines: &[usize],
        operation: Operation,
        contents: &[(PathBuf, Content)],
    ) -> Vec<Outcome> {
        let mut asked = JoinSet::new();
        for at in machines.iter().copied() {
            let (ssh, told) = (self.clone(), self.told(operation, contents));
            asked.spawn(async move { ssh.ask(at, told).await });
        }
        let mut outcomes = asked.join_all().await;
        outcomes.sort_by_key(|outcome| outcome.at);
        outcomes
    }

    /// What a failed call of ssh means.
    fn fault(&self, machine: &str, error: &CommandError) -> Fault {
        // ssh ends its own lines as terminals have it, with what is shown as a stray character.
        let trimmed = |line: &str| line.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned();
        let lines: Vec<String> = error.output().trim().lines().map(trimmed).collect();
        let last = lines.last().map_or("ssh said nothing", String::as_str);
        let by_ssh = |what: String| Fault { message: what, said_by_machine: false };
        match error {
            CommandError::Empty | CommandError::Start(_) => by_ssh(format!("`ssh` {error}")),
            CommandError::Failed { end: End::Exited(SSH_FAILED), .. } => {
                by_ssh(format!("{machine} cannot be reached by ssh: {last}"))
            }
            CommandError::Failed { end: End::Exited(_), .. } => {
                let message = format!("{machine} says: {}", lines.join("; "));
                Fault { message, said_by_machine: true }
            }
            CommandError::Failed { end, .. } => by_ssh(format!("ssh to {machine} {end}")),
        }
    }

    /// Switches the machines in their order; stops after the first failure.
    async fn switch(&self, contents: &[(PathBuf, Content)]) -> Vec<Outcome> {
        let all: Vec<usize> = (0..self.config.machines.len()).collect();
        match self.config.order {
            MachineOrder::Together => self.ask_all(&all, Operation::Switch, contents).await,
            MachineOrder::OneByOne => {
                let mut outcomes = Vec::new();
                for at in all {
                    let told = self.told(Operation::Switch, contents);
                    let outcome = self.ask(at, told).await;
                    let failed = outcome.result.is_err();
                    outcomes.push(outcome);
                    if failed {
                        break;
                    }
                }
                outcomes
            }
        }
    }

    /// Leads every machine back to what it had, after some did not switch; says what failed.
    async fn lead_back(
        &self,
        outcomes: Vec<Outcome>,
        contents: &[(PathBuf, Content)],
    ) -> DeployError {
        let machines = &self.config.machines;
        let mut said: Vec<String> = Vec::new();
        let (mut back, mut untouched) = (Vec::new(), Vec::new());
        for at in 0..machines.len() {
            match outcomes.iter().find(|outcome| outcome.at == at).map(|outcome| &outcome.result) {
                None => untouched.push(at),
                Some(Ok(_)) => back.push(at),
                Some(Err(fault)) => {
                    said.push(fault.message.clone());
                    if !fault.said_by_machine {
                        back.push(at);
                    }
                }
            }
        }
        let named = |numbers: &[usize]| {
            numbers.iter().map(|at| machines[*at].as_str()).collect::<Vec<_>>().join(", ")
        };
        let outcomes = self.ask_all(&back, Operation::Back, contents).await;
        let (led, stuck): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|o| o.result.is_ok());
        if !led.is_empty() {
            let led: Vec<usize> = led.iter().map(|outcome| outcome.at).collect();
            said.push(format!("{} had switched, and is back to what it had", named(&led)));
        }
        for fault in stuck.into_iter().filter_map(|outcome| outcome.result.err()) {
            said.push(format!("and cannot be led back now: {}", fault.message));
        }
        self.ask_all(&untouched, Operation::Discard, contents).await;
        DeployError::Machines { reason: said.join("; ") }
    }

    /// Reads what one machine has in place.
    async fn read(&self, at: usize) -> Result<Vec<Credential>, DeployError> {
        let machine = &self.config.machines[at];
        let paths = place::paths(&self.config.files.place);
        let contents: Vec<_> =
            paths.iter().map(|path| (path.to_path_buf(), Content::default())).collect();
        let told = self.told(Operation::Read, &contents);
        let answer = command::exchange(&self.argv(machine), &told, self.limit()).await;
        let answer = answer.map_err(|error| DeployError::Machines {
            reason: self.fault(machine, &error).message,
        })?;
        let held = split(&answer, paths.len()).ok_or_else(|| DeployError::Machines {
            reason: format!("{machine} printed something else than was asked for"),
        })?;
        let name = |path: &std::path::Path| format!("{machine}:{}", path.display());
        match &self.config.files.place {
            Place::ChainFiles(_) => {
                let files = paths.iter().zip(&held).filter_map(|(p, held)| Some((p, (*held)?)));
                files.map(|(path, held)| bundle::parse(&name(path), held)).collect()
            }
            Place::Separate { certificate_file, .. } => {
                let [Some(key), Some(certificate)] = held[..] else { return Ok(Vec::new()) };
                let both = Zeroizing::new([key, b"\n", certificate].concat());
                Ok(vec![bundle::parse(&name(certificate_file), &both)?])
            }
        }
    }
}

/// Takes an answer to `read` apart: per file its content, or `None` where there is none.
fn split(answer: &Answer, files: usize) -> Option<Vec<Option<&[u8]>>> {
    let mut rest = &answer[..];
    let mut held = Vec::new();
    for _ in 0..files {
        let end = rest.iter().position(|octet| *octet == b'\n')?;
        let line = std::str::from_utf8(&rest[..end]).ok()?.trim();
        rest = &rest[end + 1..];
        if line == "absent" {
            held.push(None);
            continue;
        }
        let (content, after) = rest.split_at_checked(line.parse().ok()?)?;
        held.push(Some(content));
        rest = after;
    }
    rest.is_empty().then_some(held)
}

#[async_trait]
impl Deployer for Ssh {
    /// What the machines hold. They shall hold the same, for they are one host; one that holds
    /// nothing yet is new, and gets what the others have with the next deployment.
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        let mut reads = JoinSet::new();
        for at in 0..self.config.machines.len() {
            let ssh = self.clone();
            reads.spawn(async move { (at, ssh.read(at).await) });
        }
        let mut reads = reads.join_all().await;
        reads.sort_by_key(|(at, _)| *at);
        let mut first: Option<(usize, Vec<Credential>)> = None;
        for (at, held) in reads {
            let held = held?;
            let ids = |held: &[Credential]| held.iter().map(|c| c.chain.id()).collect::<Vec<_>>();
            match &first {
                _ if held.is_empty() => {}
                None => first = Some((at, held)),
                Some((_, other)) if ids(other) == ids(&held) => {}
                Some((other, _)) => {
                    let machines = &self.config.machines;
                    return Err(DeployError::Machines {
                        reason: format!(
                            "{} and {} hold different certificates, and one host has one: copy \
                             key and chain of the one that is to stay to the others, and reload",
                            machines[*other], machines[at]
                        ),
                    });
                }
            }
        }
        Ok(first.map(|(_, held)| held).unwrap_or_default())
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        let contents = place::contents(&self.config.files.place, &self.key_types, credentials)?;
        let machines = &self.config.machines;
        let all: Vec<usize> = (0..machines.len()).collect();
        let staged = self.ask_all(&all, Operation::Stage, &contents).await;
        let faults: Vec<String> = staged
            .iter()
            .filter_map(|outcome| Some(outcome.result.as_ref().err()?.message.clone()))
            .collect();
        if !faults.is_empty() {
            let staged: Vec<usize> =
                staged.iter().filter(|o| o.result.is_ok()).map(|outcome| outcome.at).collect();
            self.ask_all(&staged, Operation::Discard, &contents).await;
            let reason = match machines.len() {
                1 => faults.join("; "),
                _ => format!("{}; no machine was changed", faults.join("; ")),
            };
            return Err(DeployError::Machines { reason }.before_any_change());
        }
        let switched = self.switch(&contents).await;
        if switched.iter().any(|outcome| outcome.result.is_err()) {
            return Err(self.lead_back(switched, &contents).await);
        }
        let mut output: Vec<String> = switched
            .into_iter()
            .filter_map(|outcome| Some((outcome.at, outcome.result.ok()?)))
            .filter(|(_, said)| !said.is_empty())
            .map(|(at, said)| format!("{}: {said}", machines[at]))
            .collect();
        let kept = self.ask_all(&all, Operation::Keep, &contents).await;
        let left = kept.into_iter().filter_map(|outcome| outcome.result.err());
        output.extend(left.map(|fault| format!("the former files stay beside: {}", fault.message)));
        Ok(Deployed { output: output.join("\n") })
    }
}

#[cfg(test)]
mod tests;
