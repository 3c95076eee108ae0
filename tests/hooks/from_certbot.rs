//! `docs/from-certbot.md`, word for word: a set-up that was there before is led under rollover, and back,
//! while mail goes on.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::client::{Scene, lab};
use crate::lab::authority::key_record;
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::drift::DriftingCa;
use crate::lab::judge::Demand;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::pebble::Pebble;
use crate::lab::{HOST, Lab, OWNER, PRIMARY};
use crate::stage::Stage;

/// The page.
const PAGE: &str = include_str!("../../docs/from-certbot.md");

/// The program under test.
const ROLLOVER: &str = env!("CARGO_BIN_EXE_rollover");

/// The commands of a section of the page, one after the other.
fn commands(section: &str) -> String {
    let (_, rest) = PAGE.split_once(&format!("## {section}")).expect("the section is there");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let is_output = |line: &str| line.starts_with("mail.example.nl  ") || line.starts_with("  ");
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    // A command that goes on has a backslash before it; output is indented or names the host.
    let mut text = String::new();
    let mut goes_on = false;
    for line in lines.filter(|line| !line.is_empty()) {
        if goes_on || !is_output(line) {
            let _ = writeln!(text, "{line}");
        }
        goes_on = line.ends_with('\\');
    }
    text
}

/// Programs of the usual names that do what they are told in the lab.
fn wrap_programs(lab: &Lab, pebble: &Pebble) {
    let directory = lab.path("bin");
    std::fs::create_dir_all(&directory).expect("a directory for programs");
    let certbot = lab.path("letsencrypt").display().to_string();
    let postfix = lab.path("postfix").display().to_string();
    let programs = [
        (
            "certbot",
            format!(
                "export REQUESTS_CA_BUNDLE={}\nexec /usr/bin/certbot \"$@\" --non-interactive \
                 --no-random-sleep-on-renew --config-dir {certbot} --work-dir {certbot}/work \
                 --logs-dir {certbot}/logs",
                pebble.ca_file().display()
            ),
        ),
        ("postfix", format!("exec /usr/sbin/postfix -c {postfix} \"$@\"")),
        ("postconf", format!("exec /usr/sbin/postconf -c {postfix} \"$@\"")),
        // The proof of the set-up that is there, which knows nothing of rollover.
        (
            "prove",
            format!(
                "printf 'server {PRIMARY}\\nzone example.nl.\\nupdate add _acme-challenge.%s. 1 TXT \
                 \"%s\"\\nsend\\n' \"$CERTBOT_DOMAIN\" \"$CERTBOT_VALIDATION\" | nsupdate -k {}\n\
                 sleep 1",
                lab.bind.tsig_key().display()
            ),
        ),
        (
            "clean",
            format!(
                "printf 'server {PRIMARY}\\nzone example.nl.\\nupdate delete _acme-challenge.%s. \
                 TXT\\nsend\\n' \"$CERTBOT_DOMAIN\" | nsupdate -k {}",
                lab.bind.tsig_key().display()
            ),
        ),
    ];
    let link = directory.join("rollover");
    std::os::unix::fs::symlink(ROLLOVER, link).expect("the program under test");
    for (name, text) in programs {
        let path = directory.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a program");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("it may be run");
    }
}

/// Runs what an operator would type, with the lab's directories in the place of the machine's.
#[track_caller]
fn type_in(lab: &Lab, text: &str) -> String {
    let within = |path: &Path| path.display().to_string();
    let text = text
        .replace("/etc/letsencrypt", &within(&lab.path("letsencrypt")))
        .replace("/etc/postfix/tls", &within(&lab.path("tls")))
        .replace("/usr/local/bin", &within(&lab.path("bin")));
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").expect("a path"));
    let mut command: Command = lab.namespace.command("sh");
    command.args(["-exc", &text]).env("PATH", path).env("NO_COLOR", "1");
    command.env("ROLLOVER_CONFIG", lab.path("rollover.toml"));
    let output = command.output().expect("a shell");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = format!("{}{}", said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{text}\n{said}");
    said
}

/// What certbot obtained, and Postfix reads, before anybody thought of rollover.
fn existing(lab: Lab) -> Scene {
    let pebble = Pebble::start_for_others(&lab, "pebble", 14_000);
    let ca = DriftingCa::start(&lab, &pebble, 14_443);
    wrap_programs(&lab, &pebble);
    type_in(
        &lab,
        &format!(
            "certbot certonly --agree-tos -m hostmaster@example.nl -d {HOST} --server {} --manual \
             --preferred-challenges dns --manual-auth-hook prove --manual-cleanup-hook clean",
            ca.directory_url()
        ),
    );
    let live = lab.path("letsencrypt/live").join(HOST);
    let stage = Stage::new_with(lab, |lab, bundle| {
        // The lab's own CA has no part in this.
        let house = crate::lab::authority::Authority::new(lab.directory(), "house");
        std::fs::create_dir_all(bundle.parent().expect("a directory")).expect("it is made");
        let files = [live.join("privkey.pem"), live.join("fullchain.pem")];
        (house, Postfix::start(lab, &[&files[0], &files[1]], Tls::Offered))
    });
    stage.lab.bind.publish(
        OWNER,
        stage.lab.options.tlsa_ttl,
        &[key_record(&live.join("cert.pem"))],
    );
    stage.wait_until_equal();
    Scene { ca, pebble, stage }
}

#[test]
fn the_page_leads_there_and_back_while_mail_goes_on() {
    let scene = existing(lab());
    let (lab, stage) = (scene.lab(), &scene.stage);
    let live = lab.path("letsencrypt/live").join(HOST).join("cert.pem");
    let judge = stage.judge(Demand::Any);

    type_in(lab, &commands("1. Give Postfix a file of its own"));
    let deployed = lab.path("tls/mail.pem");
    assert_eq!(stage.presented(), key_record(&deployed));
    let before = stage.presented();

    // Step 2, with what is different in the lab: waits, addresses of servers, the reload command.
    let policy = quick_policy(lab, "ncsc");
    let lines = format!("issuer = \"certbot\"\npolicy = \"{}\"", policy.display());
    Configuration::new(lab)
        .more("\n[issuers.certbot]\ntype = \"external\"\n")
        .host(&lines, &deployed, &stage.postfix.reload())
        .write(lab);

    let said = type_in(lab, &commands("3. Look, then let it run"));
    assert!(said.contains("  now      adopt the certificate in place"), "{said}");
    assert!(said.contains(&format!("{HOST}  idle")), "{said}");
    stage.get_acquainted();
    assert_eq!(stage.presented(), before, "nothing has changed for senders");

    let said = type_in(lab, &commands("4. Let certbot hand over"));
    assert!(said.contains("begin a"), "{said}");
    scene.cron();
    assert_ne!(stage.presented(), before, "it was renewed");
    assert_eq!(stage.presented(), key_record(&live));
    assert_eq!(key_record(&deployed), key_record(&live));
    assert_eq!(stage.records(PRIMARY).len(), 2, "2 1 1 and 3 1 1: {:?}", stage.records(PRIMARY));

    type_in(lab, &commands("The way back"));
    assert_eq!(stage.records(PRIMARY), [""; 0], "no records any more");
    assert_eq!(stage.presented(), key_record(&live));
    let said =
        type_in(lab, "certbot renew --force-renewal --cert-name mail.example.nl && postfix reload");
    assert!(!said.contains("staged"), "the hook is gone: {said}");
    let verdict = stage.finish(judge);
    assert_eq!((verdict.failures, verdict.unreachable), (0, 0), "{verdict:#?}");
    assert!(100 < verdict.attempts, "too few attempts to prove anything: {verdict:#?}");
}
