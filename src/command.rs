//! The one place that starts processes: an argv, never a shell line, with a time limit and its
//! output kept.

use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::time::Span;

/// How much of a command's output is kept: its end, where errors stand.
const OUTPUT_KEPT: usize = 4096;

/// How long output is still read after a command has ended: a child of it may hold the pipe open.
const OUTPUT_GRACE: Span = Span::from_millis(500);

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Why it counts as failed: `exited with status 1`, `was not found`; `None` if it exited 0.
    pub failure: Option<String>,
    /// The end of what it printed on both outputs.
    pub output: String,
}

/// Runs a command to its end, or to its time limit; then all its processes are killed.
///
/// # Panics
///
/// Where the argv is empty.
pub async fn run(argv: &[String], limit: Span) -> Ended {
    let (program, arguments) = argv.split_first().expect("an argv has a program");
    #[expect(clippy::disallowed_methods, reason = "this is where processes are started")]
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that the limit ends what the command started as well.
    command.process_group(0).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            return Ended { failure: Some(not_started(&error)), output: String::new() };
        }
    };
    let group = child.id();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = tokio::spawn(async move { tokio::join!(read_end(out), read_end(err)) });
    let failure = match tokio::time::timeout(limit.into(), child.wait()).await {
        Ok(Ok(status)) if status.success() => None,
        Ok(Ok(status)) => Some(describe(status)),
        Ok(Err(error)) => Some(format!("could not be waited for: {error}")),
        Err(_) => {
            kill_group(group);
            let _ = child.wait().await;
            Some(format!("did not end within {limit} and was killed"))
        }
    };
    let grace = tokio::time::timeout(OUTPUT_GRACE.into(), reading).await;
    let output = match grace {
        Ok(Ok((out, err))) => [out, err].concat(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    Ended { failure, output: String::from_utf8_lossy(&output).trim_end().to_owned() }
}

/// Why a command did not start.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system has more errors than people tell apart"
)]
fn not_started(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "was not found".to_owned(),
        std::io::ErrorKind::PermissionDenied => "may not be executed".to_owned(),
        _ => format!("could not be started: {error}"),
    }
}

/// How a command ended that did not succeed.
fn describe(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}

/// Kills every process of a group.
fn kill_group(leader: Option<u32>) {
    let leader =
        leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(leader) = leader {
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

/// Reads an output to its end, and keeps the last of it.
async fn read_end<R: AsyncRead + Unpin>(output: Option<R>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut output) = output else { return kept };
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = output.read(&mut part).await {
        kept.extend_from_slice(&part[..length]);
        if OUTPUT_KEPT < kept.len() {
            kept.drain(..kept.len() - OUTPUT_KEPT);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell line as an argv, for tests alone.
    fn shell(line: &str) -> Vec<String> {
        ["sh", "-c", line].map(str::to_owned).into()
    }

    #[tokio::test]
    async fn a_command_that_succeeds_has_its_output_kept() {
        let ended = run(&shell("echo out; echo err >&2"), Span::from_seconds(10)).await;
        assert_eq!(ended, Ended { failure: None, output: "out\nerr".to_owned() });
    }

    #[tokio::test]
    async fn each_way_to_fail_is_told_apart() {
        let failure = async |argv: Vec<String>, limit| run(&argv, limit).await.failure.unwrap();
        let long = Span::from_seconds(10);
        assert_eq!(failure(shell("exit 3"), long).await, "exited with status 3");
        assert_eq!(failure(shell("kill -9 $$"), long).await, "was ended by signal 9");
        assert_eq!(failure(vec!["/nonexistent/x".to_owned()], long).await, "was not found");
        let limit = Span::from_millis(100);
        let hanging = failure(shell("sleep 60 & wait"), limit).await;
        assert_eq!(hanging, "did not end within 100ms and was killed");
    }

    #[tokio::test]
    async fn endless_output_is_cut_and_a_held_pipe_does_not_hang() {
        let ended =
            run(&shell("head -c 100000 /dev/zero | tr '\\0' x; echo end"), Span::from_seconds(10))
                .await;
        assert!(ended.output.len() <= OUTPUT_KEPT && ended.output.ends_with("end"));
        let ended = run(&shell("sleep 5 & exit 0"), Span::from_seconds(2)).await;
        assert_eq!(ended.failure, None);
    }
}
