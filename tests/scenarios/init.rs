//! From nothing but what `init` writes and says: a look, the first passes, a renewal, all watched.

use std::process::{Command, Stdio};

use crate::lab::configuration::quick_policy;
use crate::lab::daemon::run;
use crate::lab::judge::Demand;
use crate::lab::pebble::Pebble;
use crate::lab::{HOST, Lab, PRIMARY, RESOLVER};
use crate::stage::Stage;

/// Runs the tool where Postfix's own directory is that of the lab, as it is on an operator's machine.
fn rollover(lab: &Lab, arguments: &[&str]) -> (i32, String) {
    let mut command = lab.namespace.command(env!("CARGO_BIN_EXE_rollover"));
    command.arg("--config").arg(lab.path("rollover.toml")).args(arguments);
    command.env("MAIL_CONFIG", lab.path("postfix")).env("STATE_DIRECTORY", lab.path("state"));
    let output = command.stdin(Stdio::null()).output().expect("the tool runs");
    let said = [output.stdout, output.stderr].map(|s| String::from_utf8_lossy(&s).into_owned());
    (output.status.code().unwrap_or(-1), said.concat())
}

/// As [`rollover`], which must succeed.
#[track_caller]
fn succeed(lab: &Lab, arguments: &[&str]) -> String {
    let (code, said) = rollover(lab, arguments);
    assert_eq!(code, 0, "{arguments:?}:\n{said}");
    said
}

/// `status --html`, as it is written.
fn page(lab: &Lab) -> String {
    let file = lab.path("page.html").display().to_string();
    succeed(lab, &["status", "--html", &file]);
    std::fs::read_to_string(file).expect("a page")
}

/// The arguments of `init` for the lab and its CA.
fn arguments<'a>(anchor: &'a str, directory_url: &'a str, ca_file: &'a str) -> Vec<&'a str> {
    let (anchor, ca) = (["--trust-anchor-file", anchor], ["--acme-ca-file", ca_file]);
    let mut all = vec!["init", "example.nl", "--resolver", RESOLVER];
    all.extend(anchor.into_iter().chain(["--acme-directory", directory_url]).chain(ca));
    all
}

#[test]
fn what_init_writes_and_says_is_enough_for_a_renewal() {
    let stage = Stage::new(Lab::usual());
    let lab = &stage.lab;
    let present = [stage.house.record(), stage.key_in_file()];
    stage.publish(&present);
    lab.bind.edit("update add example.nl. 60 MX 10 mail.example.nl.");
    lab.bind.edit("update add example.nl. 60 MX 20 mx.elsewhere.nl.");
    let pebble = Pebble::start(lab, "pebble-a", 14_000);
    // The key that the name server knows; `init` takes the one that is there.
    run(Command::new("cp").arg("-p").arg(lab.bind.tsig_key()).arg(lab.path("rollover.key")));
    let (anchor, url, ca) = (lab.bind.trust_anchor(), pebble.directory_url(), pebble.ca_file());
    let (anchor, ca) = (anchor.display().to_string(), ca.display().to_string());

    let said = succeed(lab, &arguments(&anchor, &url, &ca));
    let written = std::fs::read_to_string(lab.path("rollover.toml")).expect("a configuration");
    for part in [
        "grant rollover name _25._tcp.mail.example.nl. TLSA;",
        "grant rollover name _acme-challenge.mail.example.nl. TXT;",
        "mail.example.nl: nothing. Postfix reads",
        "*/10 * * * *",
        "somebody else's: mx.elsewhere.nl.",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}\n{written}");
    }
    assert!(written.contains(&format!("chain-file = [\"{}\"]", stage.bundle.display())));
    assert!(written.contains("The MX records are signed, and valid."), "{written}");

    // A second `init` overwrites nothing.
    let (code, refused) = rollover(lab, &arguments(&anchor, &url, &ca));
    assert_eq!((code, refused.contains("exists, and is left as it is")), (2, true), "{refused}");
    let again = std::fs::read_to_string(lab.path("rollover.toml")).expect("a configuration");
    assert_eq!(again, written);

    let plan = succeed(lab, &["plan"]);
    assert!(plan.contains("mail.example.nl"), "{plan}");
    let judge = stage.judge(Demand::Any);
    // The lab's TTLs are of seconds, and so are the waits of its policies.
    let quick = quick_policy(lab, "ncsc");
    let quickly =
        written.replace("policy = \"ncsc\"", &format!("policy = \"{}\"", quick.display()));
    assert_ne!(quickly, written);
    std::fs::write(lab.path("rollover.toml"), quickly).expect("the lab's policy");
    succeed(lab, &[]);
    let mut adopted = present.to_vec();
    adopted.sort();
    assert_eq!(stage.records(PRIMARY), adopted, "what was there is left as it is");
    assert_eq!(stage.presented(), present[1]);
    std::thread::sleep(stage.ttl());
    succeed(lab, &["--renew", "--host", HOST, "--wait"]);
    stage.finish(judge).expect_clean(20);
    assert_ne!(stage.presented(), present[1]);
    assert_eq!(stage.presented(), stage.key_in_file());
    assert!(stage.records(PRIMARY).contains(&stage.presented()));

    let page = page(lab);
    assert!(page.contains("<svg") && page.contains("class=\"fits\""), "{page}");
    assert!(!page.contains("GAP") && !page.contains("<script"), "{page}");
    // Somebody breaks it by hand: that is to be seen.
    stage.publish(&[format!("3 1 1 {}", "ab".repeat(32))]);
    assert!(self::page(lab).contains("class=\"now\""));
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (_, said) = rollover(lab, &[]);
    let page = self::page(lab);
    assert!(page.contains("class=\"gap\""), "{said}\n{page}");
}

/// Without Postfix on this machine, and without a key: both are named, and the key is made.
#[test]
fn what_is_missing_is_named() {
    let stage = Stage::new(Lab::usual());
    let lab = &stage.lab;
    let anchor = lab.bind.trust_anchor().display().to_string();
    let mut command = lab.namespace.command(env!("CARGO_BIN_EXE_rollover"));
    let output = lab.path("etc/rollover/first.toml");
    command.args(["init", HOST, "--resolver", RESOLVER, "--trust-anchor-file", &anchor]);
    command.arg("--output").arg(&output).env("MAIL_CONFIG", "/nonexistent");
    let init = command.output().expect("the tool runs");
    let said = String::from_utf8_lossy(&init.stdout).into_owned();
    assert_eq!(init.status.code(), Some(0), "{}", String::from_utf8_lossy(&init.stderr));
    assert!(said.contains("smtpd_tls_chain_files=/etc/postfix/tls/mail.example.nl.pem"), "{said}");
    assert!(said.contains("tsig-keygen rollover >"), "{said}");
    let key = output.with_file_name("rollover.key");
    // BIND itself reads the key that was made.
    run(Command::new("named-checkconf").arg(key));
    let mut plan = lab.namespace.command(env!("CARGO_BIN_EXE_rollover"));
    plan.arg("--config").arg(&output).arg("plan").env("STATE_DIRECTORY", lab.path("state"));
    let plan = plan.output().expect("the tool runs");
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stderr));
    assert!(said.contains("begin a renewal by acme"), "whose key is not at hand: {said}");
}
