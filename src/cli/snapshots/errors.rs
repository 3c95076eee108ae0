//! What is said where nothing was done: with the exit code, the place, and what helps.

use std::path::Path;

use clap::Parser as _;
use expect_test::{Expect, expect};

use super::super::args::Cli;
use super::super::{Failure, dispatch};
use super::pin;
use crate::ledger::PassLock;

/// A configuration in which all is well but for what a test puts into it.
const GOOD: &str = r#"
state-dir = "state"

[issuers.house]
type = "external"
trust-anchor = "issuing-ca"

[dns.primary]
type = "rfc2136"
server = "192.0.2.53:53"
tsig-key-file = "rollover.key"

[hosts."mail.example.nl"]
issuer = "house"
dns = "primary"

[hosts."mail.example.nl".deploy]
type = "files"
chain-file = "mail.pem"
reload = ["true"]
"#;

/// A directory with this configuration and a key.
fn set_up(configuration: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let key = "key \"rollover\" {\n  algorithm hmac-sha256;\n  secret \"c2VjcmV0\";\n};\n";
    std::fs::create_dir(directory.path().join("state")).unwrap();
    for (name, text) in [("rollover.toml", configuration), ("rollover.key", key)] {
        let path = directory.path().join(name);
        crate::durable::write(&path, text.as_bytes(), crate::durable::Access::with_mode(0o600))
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

/// What a command says that ends in an error, and its exit code; the directory is called `DIR`.
fn said(directory: &Path, arguments: &[&str]) -> String {
    let file = directory.join("rollover.toml").display().to_string();
    let words = ["rollover", "--config", &file].into_iter().chain(arguments.iter().copied());
    let cli = Cli::try_parse_from(words).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failure: Failure =
        runtime.block_on(dispatch(&cli, &mut out, &mut err)).expect_err("it is refused");
    // Shorter than the real one, so that lines are not cut in another place for each run.
    let text = failure.text().replace(&directory.display().to_string(), "/etc/rollover");
    let code = failure.exit_code();
    format!("{}(exit {code})\n", super::super::layout::fold(&text))
}

/// Holds what a command says against what is pinned.
#[track_caller]
fn refused(configuration: &str, arguments: &[&str], expected: &Expect) {
    let directory = set_up(configuration);
    pin(expected, &said(directory.path(), arguments));
}

#[test]
fn a_configuration_with_several_mistakes() {
    let configuration = GOOD
        .replace("tsig-key-file", "tsig-keyfile")
        .replace("issuer = \"house\"", "issuer = \"hause\"")
        .replace("\"issuing-ca\"", "90");
    refused(
        &configuration,
        &[],
        &expect![[r#"
        rollover: /etc/rollover/rollover.toml:6:16: `trust-anchor` takes a string, not
            an integer
          |
        6 | trust-anchor = 90
          |                ^^
        /etc/rollover/rollover.toml:8:6: `tsig-key-file` is missing
          |
        8 | [dns.primary]
          |      ^^^^^^^
        hint: name a BIND key file, as `tsig-keygen` writes it
        /etc/rollover/rollover.toml:11:1: unknown key `tsig-keyfile`
           |
        11 | tsig-keyfile = "rollover.key"
           | ^^^^^^^^^^^^
        hint: did you mean `tsig-key-file`?
        /etc/rollover/rollover.toml:14:10: unknown issuer `hause`
           |
        14 | issuer = "hause"
           |          ^^^^^^^
        hint: did you mean `house`?
        nothing was done, and mail goes on as it is
        (exit 2)
    "#]],
    );
}

#[test]
fn a_policy_that_cannot_be_met() {
    let configuration =
        GOOD.replace("dns = \"primary\"", "dns = \"primary\"\npolicy = \"own.toml\"");
    let directory = set_up(&configuration);
    let policy = "name = \"own\"\ndescription = \"mine\"\nrecords = [\"3 1 1\"]\nfit = \"each\"\n\
                  bridge = \"replace\"\n";
    let path = directory.path().join("own.toml");
    crate::durable::write(&path, policy.as_bytes(), crate::durable::Access::with_mode(0o644))
        .unwrap();
    pin(
        &expect![[r#"
        rollover: /etc/rollover/own.toml:5:10: fit = "each" cannot be met with bridge =
            "replace": while it stands, the records of usage 2 fit only the chain that
            comes and those of usage 3 only the one that is served
          |
        5 | bridge = "replace"
          |          ^^^^^^^^^
        hint: write bridge = "overlap"
        nothing was done, and mail goes on as it is
        (exit 2)
    "#]],
        &said(directory.path(), &[]),
    );
}

#[test]
fn a_host_that_nobody_knows() {
    refused(
        GOOD,
        &["--host", "mial.example.nl"],
        &expect![[r#"
        rollover: there is no host `mial.example.nl` in /etc/rollover/rollover.toml
          hint: did you mean `mail.example.nl`?
        (exit 2)
    "#]],
    );
}

#[test]
fn a_file_that_is_not_there() {
    refused(
        &GOOD.replace("\"rollover.key\"", "\"rolover.key\""),
        &[],
        &expect![[r#"
        rollover: /etc/rollover/rollover.toml:11:17: cannot read the secret file
            `/etc/rollover/rolover.key`: No such file or directory (os error 2)
           |
        11 | tsig-key-file = "rolover.key"
           |                 ^^^^^^^^^^^^^
        nothing was done, and mail goes on as it is
        (exit 2)
    "#]],
    );
    let directory = set_up(GOOD);
    std::fs::remove_file(directory.path().join("rollover.toml")).unwrap();
    pin(
        &expect![[r#"
            rollover: /etc/rollover/rollover.toml: cannot read the configuration: No such
                file or directory (os error 2)
            hint: `rollover init DOMAIN` writes one; `--config FILE` names another
            nothing was done, and mail goes on as it is
            (exit 2)
        "#]],
        &said(directory.path(), &["status"]),
    );
}

#[test]
fn a_renewal_of_everything_by_accident() {
    refused(
        GOOD,
        &["--renew"],
        &expect![[r#"
        rollover: --renew needs --host NAME (repeatable), or --all
        (exit 2)
    "#]],
    );
}

#[test]
fn a_ledger_that_another_pass_holds() {
    let directory = tempfile::tempdir().unwrap();
    let _held = PassLock::acquire(directory.path()).unwrap();
    let failure = Failure::from(PassLock::acquire(directory.path()).unwrap_err());
    let text = failure.text().replace(&directory.path().display().to_string(), "/var/lib/rollover");
    let text = text.replace(&std::process::id().to_string(), "4711");
    let shown = format!("{}(exit {})\n", super::super::layout::fold(&text), failure.exit_code());
    pin(
        &expect![[r#"
        rollover: another pass holds the ledger (process 4711): `/var/lib/rollover/lock`
            is locked
          hint: try again when it is done; `ps -fp 4711` shows what it is. The lock ends
              with that process: never remove the file
        (exit 3)
    "#]],
        &shown,
    );
}
