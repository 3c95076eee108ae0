//! A command that is talked to: a line is said, and a line is answered, in turn.

use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::told::start;
use super::{CommandError, Group};
use crate::time::Span;

/// The longest line that a command may answer with.
const LINE_MAX: u64 = 1 << 20;

/// How long a command has to end once it was told that there is no more.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long it is looked whether a command has said something. What it said or that it ended is known
/// at once; this only lets the system be asked.
const GLANCE: Duration = Duration::from_millis(1);

/// How much of a line of a command's standard error is logged; a line may have no end.
const LOGGED_LINE_MAX: u64 = 1000;

/// A command that waits for the next line. Dropped, it is killed with its process group.
pub struct Talk {
    /// The command.
    group: Group,
    /// What it reads.
    stdin: ChildStdin,
    /// What it writes.
    stdout: BufReader<ChildStdout>,
}

/// How a command stands between two lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It waits for the next line.
    Ready,
    /// It has ended.
    Gone,
    /// It said something that nobody asked for: its next line would answer nothing.
    Chatty,
}

/// Why a command did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TalkError {
    /// It could not be started: nothing was said.
    #[error("{0}")]
    Start(#[from] CommandError),
    /// It stopped reading or writing.
    #[error("it ended before it answered: {0}")]
    Ended(std::io::Error),
    /// It said nothing.
    #[error("it did not answer within {0}, and was killed")]
    Late(Span),
    /// Its line has no end.
    #[error("it answered with more than {LINE_MAX} octets in one line, and was killed")]
    Endless,
    /// Its line is no text.
    #[error("it answered with octets that are no text")]
    NoText,
}

impl Talk {
    /// Starts a command. What it prints to standard error is logged under `name`.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn start(name: &str, argv: &[String]) -> Result<Self, TalkError> {
        let (sender, receiver) = pipe::pipe().map_err(CommandError::Start)?;
        let writer = sender.into_blocking_fd().map_err(CommandError::Start)?;
        let (group, stdin, stdout) = start(argv, std::process::Stdio::piped(), writer)?;
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(CommandError::Empty.into());
        };
        tokio::spawn(log(name.to_owned(), receiver));
        Ok(Self { group, stdin, stdout: BufReader::new(stdout) })
    }

    /// Says a line, and returns the line that is answered.
    ///
    /// # Errors
    ///
    /// Where none comes in time. The command is of no more use then.
    pub async fn ask(&mut self, line: &str, limit: Span) -> Result<String, TalkError> {
        let exchange = async {
            let said = async {
                self.stdin.write_all(line.as_bytes()).await?;
                self.stdin.write_all(b"\n").await?;
                self.stdin.flush().await
            };
            said.await.map_err(TalkError::Ended)?;
            next_line(&mut self.stdout).await
        };
        match timeout(Duration::from_millis(limit.as_millis()), exchange).await {
            Ok(answer) => answer,
            Err(_) => {
                // Asked first: it may have something to put back.
                self.group.end().await;
                Err(TalkError::Late(limit))
            }
        }
    }

    /// How the command stands, before it is asked anything more.
    pub async fn standing(&mut self) -> Standing {
        match timeout(GLANCE, self.stdout.fill_buf()).await {
            Err(_) => Standing::Ready,
            Ok(Ok([]) | Err(_)) => Standing::Gone,
            Ok(Ok(_)) => Standing::Chatty,
        }
    }

    /// Tells the command that there is no more, and waits until it has ended; `false` where it had
    /// to be killed.
    pub async fn end(self) -> bool {
        let Self { mut group, stdin, stdout } = self;
        drop((stdin, stdout));
        let ended = timeout(FAREWELL, group.child.wait()).await.is_ok();
        match ended {
            true => group.running = None,
            false => group.end().await,
        }
        ended
    }
}

/// The next line that a command says.
///
/// # Errors
///
/// Where it ends before its line does, or the line is too long or no text.
pub(crate) async fn next_line(said: &mut (impl AsyncBufRead + Unpin)) -> Result<String, TalkError> {
    let mut octets = Vec::new();
    let mut limited = said.take(LINE_MAX);
    limited.read_until(b'\n', &mut octets).await.map_err(TalkError::Ended)?;
    match octets.pop() {
        Some(b'\n') => String::from_utf8(octets).map_err(|_| TalkError::NoText),
        Some(_) if limited.limit() == 0 => Err(TalkError::Endless),
        Some(_) | None => Err(TalkError::Ended(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Logs what a command prints to standard error. Of a long line the beginning is logged.
async fn log(name: String, receiver: pipe::Receiver) {
    let mut lines = BufReader::new(receiver);
    let mut line = Vec::new();
    let mut goes_on = false;
    loop {
        line.clear();
        let read = (&mut lines).take(LOGGED_LINE_MAX).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        if !goes_on {
            let text: String =
                String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).collect();
            tracing::warn!(plugin = name, "{text}");
        }
        goes_on = line.last() != Some(&b'\n');
    }
}
