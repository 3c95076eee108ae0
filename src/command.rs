//! The one place that starts processes: an argv, a time limit, and what was printed.
//!
//! A command gets no shell and no terminal, and nothing to read but what it is told ([`feed`],
//! [`exchange`], [`Talk`]). It runs in a process group of its own, so that a script that hangs is ended
//! together with what it waits for. Its output is read to the end however long it is, and only the
//! last of it is kept: a reload command says last why it failed.

mod talk;
mod told;

pub(crate) use talk::next_line;
pub use talk::{Standing, Talk, TalkError};
pub use told::{Answer, exchange, feed};

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::time::Span;

/// How much of a command's output is kept.
const KEPT_OUTPUT: usize = 4096;

/// How long a command that is told to end by SIGTERM has before SIGKILL.
const GRACE: Duration = Duration::from_secs(3);

/// How long after a command's end its output is still read. What it leaves running in the
/// background may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a command ended that did not exit with status 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no program in the argv.
    #[error("cannot be run: it names no program")]
    Empty,
    /// It could not be started.
    #[error("cannot be run: {0}")]
    Start(#[source] io::Error),
    /// It ran, and said no or was ended.
    #[error("{end}")]
    Failed {
        /// How it ended.
        end: End,
        /// The last of what it printed.
        output: String,
    },
}

impl CommandError {
    /// The last of what the command printed; empty if it did not run.
    pub fn output(&self) -> &str {
        match self {
            Self::Empty | Self::Start(_) => "",
            Self::Failed { output, .. } => output,
        }
    }
}

/// How a process ended without success.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// It exited with this status.
    Exited(i32),
    /// A signal that we did not send ended it.
    Killed(i32),
    /// It took longer than this and was ended, with its whole process group.
    TimedOut(Span),
    /// The system could not say how it ended.
    Unknown,
}

/// Written to follow the command: `postfix reload` exited with status 1.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
            Self::TimedOut(limit) => write!(f, "did not end within {limit}, and was killed"),
            Self::Unknown => f.write_str("ended in a way that the system did not report"),
        }
    }
}

/// An argv as one would type it: words that a shell would split or expand are quoted. For people;
/// no shell ever sees it.
pub fn quoted(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let words: Vec<String> = argv
        .iter()
        .map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        })
        .collect();
    words.join(" ")
}

/// Runs a command until it exits, at most for `limit`, and returns the last of what it printed to
/// stdout and stderr, in the order in which it did.
///
/// Where the returned future is dropped, the command is killed with its process group.
///
/// # Errors
///
/// Where it cannot be started, or does not exit with status 0.
pub async fn run(argv: &[String], limit: Span) -> Result<String, CommandError> {
    let (program, arguments) = argv.split_first().ok_or(CommandError::Empty)?;
    // One pipe for both streams, so that their lines keep their order.
    let (sender, receiver) = pipe::pipe().map_err(CommandError::Start)?;
    let writer = sender.into_blocking_fd().map_err(CommandError::Start)?;
    let mut group = Group::start(program, arguments, writer).map_err(CommandError::Start)?;
    let reading = Reading::start(receiver);

    let ended = timeout(Duration::from_millis(limit.as_millis()), group.child.wait()).await;
    let end = match ended {
        Ok(status) => {
            group.running = None;
            end_of(status)
        }
        Err(_) => {
            group.end().await;
            Some(End::TimedOut(limit))
        }
    };
    let output = reading.finish().await;
    match end {
        None => Ok(output),
        Some(end) => Err(CommandError::Failed { end, output }),
    }
}

/// What a process's status says, where it is not success.
fn end_of(status: io::Result<ExitStatus>) -> Option<End> {
    use std::os::unix::process::ExitStatusExt;
    let Ok(status) = status else {
        return Some(End::Unknown);
    };
    if status.success() {
        return None;
    }
    let exited = status.code().map(End::Exited);
    let end = exited.or_else(|| status.signal().map(End::Killed));
    Some(end.unwrap_or(End::Unknown))
}

/// A command and whatever it started in its process group.
struct Group {
    /// The command itself.
    child: Child,
    /// The group's number as long as the command has not been waited for. After that the number
    /// may be somebody else's, and what still runs was left running on purpose.
    running: Option<Pid>,
}

impl Group {
    /// Starts a command as the leader of a new process group, both output streams at `writer`.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    fn start(program: &str, arguments: &[String], writer: OwnedFd) -> io::Result<Self> {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self { child, running: id.and_then(Pid::from_raw) })
    }

    /// Ends the whole group: asked first, so that a script can tidy up; then without asking.
    async fn end(&mut self) {
        self.signal(Signal::TERM);
        // As long as the leader has not been waited for, the group's number is surely still ours:
        // hence the look without waiting, and SIGKILL before the wait.
        let _ended_in_time = timeout(GRACE, exited(self.running)).await;
        self.signal(Signal::KILL);
        // A process in an uninterruptible call outlives even SIGKILL; it is not waited for longer.
        if timeout(GRACE, self.child.wait()).await.is_ok() {
            self.running = None;
        }
    }

    /// Sends a signal to every member. That there is none left is fine.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.running {
            let _gone = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    /// Leaves nothing running that nobody waits for any more.
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Returns when a child process has ended, and leaves it to be waited for.
async fn exited(child: Option<Pid>) {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let Some(child) = child else { return };
    while let Ok(None) = waitid(WaitId::Pid(child), look) {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// A command's output while it is being read.
struct Reading {
    /// Reads to the end of the pipe; returns what it has when told to stop.
    task: JoinHandle<Tail>,
    /// Dropped to tell it to stop.
    stop: Option<oneshot::Sender<()>>,
}

impl Reading {
    /// Begins to read, so that a command that prints much is never held up.
    fn start(receiver: pipe::Receiver) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { task: tokio::spawn(read(receiver, stopped)), stop: Some(stop) }
    }

    /// What was printed, as text.
    async fn finish(mut self) -> String {
        if let Ok(tail) = timeout(LAST_WORDS, &mut self.task).await {
            return tail.map(Tail::into_text).unwrap_or_default();
        }
        drop(self.stop.take());
        self.task.await.map(Tail::into_text).unwrap_or_default()
    }
}

/// Reads to the end, or until it is told to stop.
async fn read(mut receiver: pipe::Receiver, mut stopped: oneshot::Receiver<()>) -> Tail {
    let mut tail = Tail::default();
    let mut block = [0; KEPT_OUTPUT];
    loop {
        let count = tokio::select! {
            count = receiver.read(&mut block) => count.unwrap_or(0),
            _ = &mut stopped => 0,
        };
        if count == 0 {
            return tail;
        }
        tail.push(&block[..count]);
    }
}

/// The last of a stream of octets.
#[derive(Default)]
struct Tail {
    /// At most [`KEPT_OUTPUT`] octets.
    octets: Vec<u8>,
    /// How many came before them and were let go.
    lost: usize,
}

impl Tail {
    /// Takes more, and lets go of the oldest.
    fn push(&mut self, more: &[u8]) {
        self.octets.extend_from_slice(more);
        let excess = self.octets.len().saturating_sub(KEPT_OUTPUT);
        self.octets.drain(..excess);
        self.lost += excess;
    }

    /// What is kept, as whole lines fit for a terminal; says so where something is missing.
    fn into_text(self) -> String {
        let text = String::from_utf8_lossy(&self.octets);
        let text: String = text
            .chars()
            .map(|c| match c {
                '\n' | '\t' => c,
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            })
            .collect();
        let text = text.trim_end();
        if self.lost == 0 {
            return text.to_owned();
        }
        let whole = text.split_once('\n').map_or(text, |(_cut, rest)| rest);
        format!("[the beginning is left out]\n{whole}")
    }
}

#[cfg(test)]
mod tests;
