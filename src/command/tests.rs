//! Commands that behave, and commands that do not.

use std::fs;
use std::path::Path;

use super::*;

/// A limit that no well-behaved command of these tests reaches.
pub(super) const AMPLE: Span = Span::from_seconds(60);

/// An argv that lets the shell run `script`: the tests' commands, not the program's.
pub(super) fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

/// Whether the process whose number stands in `file` still runs. A zombie does not.
fn runs(file: &Path) -> bool {
    let pid = fs::read_to_string(file).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Returns once `condition` holds; the test's own limit is the harness's.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn both_streams_are_kept_in_order() {
    let output = run(&shell("echo one; echo two >&2; echo three"), AMPLE).await;
    assert_eq!(output.unwrap(), "one\ntwo\nthree");
}

#[tokio::test]
async fn there_is_nothing_to_read() {
    assert_eq!(run(&shell("cat; echo done"), AMPLE).await.unwrap(), "done");
}

#[tokio::test]
async fn a_status_other_than_zero_is_a_failure_with_its_output() {
    let failure = run(&shell("echo no such service; exit 3"), AMPLE).await.unwrap_err();
    assert_eq!(failure.to_string(), "exited with status 3");
    assert_eq!(failure.output(), "no such service");
}

#[tokio::test]
async fn a_signal_is_a_failure() {
    let failure = run(&shell("kill -SEGV $$"), AMPLE).await.unwrap_err();
    assert_eq!(failure.to_string(), "was killed by signal 11");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_run() {
    let argv = ["/nowhere/reload".to_owned()];
    let failure = run(&argv, AMPLE).await.unwrap_err().to_string();
    assert_eq!(failure, "cannot be run: No such file or directory (os error 2)");
    assert!(matches!(run(&[], AMPLE).await, Err(CommandError::Empty)));
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_all_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let member = directory.path().join("member");
    // The leader ends at SIGTERM; its child ignores it and holds the output open.
    let script = format!(
        "sh -c 'trap \"\" TERM; echo $$ > {0}; mv {0} {1}; while :; do sleep 1; done' & \
         echo waiting; while [ ! -e {1} ]; do sleep 0.01; done; wait",
        directory.path().join("new").display(),
        member.display()
    );
    let limit = Span::from_seconds(2);
    let failure = run(&shell(&script), limit).await.unwrap_err();
    assert_eq!(failure.to_string(), "did not end within 2s, and was killed");
    assert_eq!(failure.output(), "waiting");
    until(|| !runs(&member)).await;
}

#[tokio::test]
async fn what_is_left_running_on_purpose_neither_holds_up_nor_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = directory.path().join("daemon");
    let script = format!("sleep 600 & echo $! > {}; echo started", daemon.display());
    assert_eq!(run(&shell(&script), AMPLE).await.unwrap(), "started");
    assert!(runs(&daemon));
    let pid: i32 = fs::read_to_string(&daemon).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    let new = directory.path().join("new");
    let script = format!("echo $$ > {0}; mv {0} {1}; sleep 600", new.display(), pid.display());
    let argv = shell(&script);
    let running = tokio::spawn(async move { run(&argv, AMPLE).await });
    until(|| pid.exists()).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    until(|| !runs(&pid)).await;
}

#[tokio::test]
async fn of_much_output_the_last_whole_lines_are_kept() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 1";
    let failure = run(&shell(script), AMPLE).await.unwrap_err();
    let output = failure.output();
    assert!(output.len() < KEPT_OUTPUT + 100, "{}", output.len());
    assert!(output.starts_with("[the beginning is left out]\nline 19"), "{output}");
    assert!(output.ends_with("\nline 19999"), "{output}");
}

#[tokio::test]
async fn output_cannot_control_the_terminal() {
    let output = run(&shell(r"printf '\033[2Jgone\r\nnext\377'"), AMPLE).await;
    assert_eq!(output.unwrap(), "\u{fffd}[2Jgone\u{fffd}\nnext\u{fffd}");
}

#[test]
fn an_argv_is_shown_so_that_it_could_be_typed() {
    let argv = ["postfix", "-c", "/etc/my mail", "it's", "", "$HOME"].map(str::to_owned);
    assert_eq!(quoted(&argv), r"postfix -c '/etc/my mail' 'it'\''s' '' '$HOME'");
}
