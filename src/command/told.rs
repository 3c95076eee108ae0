//! Commands that are told something on their standard input.
//!
//! What they are told, and what [`exchange`] is answered, can be a secret: it is on no command line,
//! in no environment, and in no message.

use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{CommandError, End, Group, LAST_WORDS, Reading, end_of};
use crate::time::Span;

/// The most octets that are read of an answer.
const ANSWER_MAX: u64 = 1 << 20;

/// What a command answered on its standard output; perhaps a secret.
pub type Answer = Zeroizing<Vec<u8>>;

/// As [`super::run`], with `input` on the command's standard input. A command that does not read it
/// to its end is none the worse for it.
///
/// # Errors
///
/// Where it cannot be started, or does not exit with status 0.
pub async fn feed(argv: &[String], input: &[u8], limit: Span) -> Result<String, CommandError> {
    let (sender, receiver) = pipe::pipe().map_err(CommandError::Start)?;
    let writer = sender.into_blocking_fd().map_err(CommandError::Start)?;
    let out = writer.try_clone().map_err(CommandError::Start)?;
    let (group, stdin, _) = start(argv, out.into(), writer)?;
    let reading = Reading::start(receiver);
    let end = wait(group, tell(stdin, input), limit).await;
    let output = reading.finish().await;
    match end {
        None => Ok(output),
        Some(end) => Err(CommandError::Failed { end, output }),
    }
}

/// As [`feed`], and returns what the command wrote to its standard output, which is in no message;
/// what it wrote to its standard error is in that of a failure.
///
/// # Errors
///
/// As [`feed`].
pub async fn exchange(argv: &[String], input: &[u8], limit: Span) -> Result<Answer, CommandError> {
    let (sender, receiver) = pipe::pipe().map_err(CommandError::Start)?;
    let writer = sender.into_blocking_fd().map_err(CommandError::Start)?;
    let (group, stdin, stdout) = start(argv, Stdio::piped(), writer)?;
    let reading = Reading::start(receiver);
    let answer = tokio::spawn(read(stdout));
    let end = wait(group, tell(stdin, input), limit).await;
    let output = reading.finish().await;
    let stop = answer.abort_handle();
    let answer = timeout(LAST_WORDS, answer).await;
    stop.abort();
    match (end, answer) {
        (None, Ok(Ok(answer))) => Ok(answer),
        (None, _) => Err(CommandError::Failed { end: End::Unknown, output }),
        (Some(end), _) => Err(CommandError::Failed { end, output }),
    }
}

/// Starts a command as the leader of a new process group, to be told something.
#[expect(clippy::disallowed_methods, reason = "part of the one place that starts processes")]
pub(super) fn start(
    argv: &[String],
    stdout: Stdio,
    stderr: OwnedFd,
) -> Result<(Group, Option<ChildStdin>, Option<ChildStdout>), CommandError> {
    let (program, arguments) = argv.split_first().ok_or(CommandError::Empty)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(CommandError::Start)?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    Ok((Group { child, running: id.and_then(Pid::from_raw) }, stdin, stdout))
}

/// Begins to tell a command its input, and closes it.
fn tell(stdin: Option<ChildStdin>, input: &[u8]) -> JoinHandle<()> {
    let input = Zeroizing::new(input.to_vec());
    tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // Whether the command read on is for its exit status to say.
            let _closed = stdin.write_all(&input).await;
            let _closed = stdin.shutdown().await;
        }
    })
}

/// Waits for a command's end, at most for `limit`; `None` where it was success.
async fn wait(mut group: Group, telling: JoinHandle<()>, limit: Span) -> Option<End> {
    let ended = timeout(Duration::from_millis(limit.as_millis()), group.child.wait()).await;
    telling.abort();
    match ended {
        Ok(status) => {
            group.running = None;
            end_of(status)
        }
        Err(_) => {
            group.end().await;
            Some(End::TimedOut(limit))
        }
    }
}

/// Reads an answer to its end.
async fn read(stdout: Option<ChildStdout>) -> Answer {
    // With room for all that is taken: a vector that grows leaves copies behind.
    let mut answer = Zeroizing::new(Vec::with_capacity(1 << 16));
    if let Some(stdout) = stdout {
        // What came before an error is judged like any other answer.
        let _read = stdout.take(ANSWER_MAX).read_to_end(&mut answer).await;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AMPLE, shell};
    use super::*;

    #[tokio::test]
    async fn a_command_reads_what_it_is_told_and_its_output_is_kept() {
        let output = feed(&shell("cat; echo done >&2"), b"told\n", AMPLE).await;
        assert_eq!(output.unwrap(), "told\ndone");
    }

    #[tokio::test]
    async fn a_command_need_not_read() {
        let much = vec![b'x'; 1 << 20];
        assert_eq!(feed(&shell("echo deaf"), &much, AMPLE).await.unwrap(), "deaf");
        let failure = feed(&shell("echo no; exit 4"), &much, AMPLE).await.unwrap_err();
        assert_eq!(
            (failure.to_string().as_str(), failure.output()),
            ("exited with status 4", "no")
        );
    }

    #[tokio::test]
    async fn a_command_that_neither_reads_nor_ends_is_ended() {
        let much = vec![b'x'; 1 << 20];
        let limit = Span::from_millis(300);
        let failure = feed(&shell("sleep 600"), &much, limit).await.unwrap_err();
        assert_eq!(failure.to_string(), "did not end within 300ms, and was killed");
    }

    #[tokio::test]
    async fn an_answer_is_in_no_message() {
        let answer = exchange(&shell("echo why >&2; cat"), b"secret", AMPLE).await.unwrap();
        assert_eq!(&answer[..], b"secret");
        let failure = exchange(&shell("cat; echo why >&2; exit 1"), b"secret", AMPLE).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.output(), "why");
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}
