//! The controls: the hook that users of each client write today, and the outage that it shows.
//!
//! It deploys, reloads, and then updates the records: the certificate is new at once, and caches are
//! not. Proofs go through rollover's hook here too, so that the runs differ in that order alone.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::client::{Ran, Scene};
use crate::lab::{HOST, Lab, OWNER, Options, PRIMARY};
use crate::{certbot, dehydrated, lego, uacme};

/// The TTL of the records, in seconds: long beside what a slow machine needs between the two steps.
const TTL: u32 = 8;

/// A world that rollover has no part in beyond proofs.
fn scene() -> Scene {
    let lab = Lab::start(Options { tlsa_ttl: TTL, ..Options::default() });
    Scene::at_first_sight(lab, "ncsc")
}

/// The hand-made hook. `find` is a line of shell that sets `key` and `chain` to the client's files.
fn hand_made_hook(scene: &Scene, find: &str) -> PathBuf {
    let script = scene.lab().path("hand-made-hook");
    let text = format!(
        "#!/bin/sh -e\n{find}\ncat \"$key\" \"$chain\" > {}\n{}\n\
         digest() {{ openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }}\n\
         leaf=$(digest < \"$chain\")\nca=$(sed '1,/END CERT/d' \"$chain\" | digest)\n\
         nsupdate -k {} <<EOF\nserver {PRIMARY}\nzone example.nl.\nupdate delete {OWNER} TLSA\n\
         update add {OWNER} {TTL} TLSA 3 1 1 $leaf\nupdate add {OWNER} {TTL} TLSA 2 1 1 $ca\nsend\nEOF\n",
        scene.stage.bundle.display(),
        scene.stage.postfix.reload().join(" "),
        scene.lab().bind.tsig_key().display()
    );
    std::fs::write(&script, text).expect("the hook");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("it runs");
    script
}

/// Obtains a certificate of another CA with this hook, and expects senders to be stranded for about a
/// TTL, and no longer.
#[track_caller]
fn expect_outage(scene: &Scene, find: &str, obtain: impl FnOnce(&Path) -> Ran) {
    let hook = hand_made_hook(scene, find);
    let before = scene.stage.presented();
    let judge = scene.judge();
    let said = obtain(&hook).said;
    let after = scene.stage.presented();
    assert_ne!(after, before, "it is deployed: {said}");
    let records = scene.stage.records(PRIMARY);
    assert!(records.contains(&after), "it is published: {records:?}\n{said}");
    let verdict = scene.stage.finish(judge);
    println!(
        "{} of {} failed, the longest outage {} s of a TTL of {TTL} s",
        verdict.failures, verdict.attempts, verdict.longest_outage
    );
    assert!(10 < verdict.failures, "{verdict:#?}");
    let about_a_ttl = f64::from(TTL / 2)..f64::from(TTL * 2);
    assert!(about_a_ttl.contains(&verdict.longest_outage), "{verdict:#?}");
}

#[test]
fn certbot_then_nsupdate_strands_senders_for_a_ttl() {
    let scene = scene();
    let find = "key=$RENEWED_LINEAGE/privkey.pem chain=$RENEWED_LINEAGE/fullchain.pem";
    expect_outage(&scene, find, |hook| certbot::obtain(&scene, &hook.display().to_string(), &[]));
}

#[test]
fn dehydrated_then_nsupdate_strands_senders_for_a_ttl() {
    let scene = scene();
    let find = format!(
        "case $1 in deploy_cert) key=$3 chain=$5;; *_challenge) exec {} \"$@\";; *) exit 0;; esac",
        scene.hook_program().display()
    );
    expect_outage(&scene, &find, |hook| {
        dehydrated::register(&scene, hook);
        dehydrated::obtain(&scene)
    });
}

#[test]
fn lego_then_nsupdate_strands_senders_for_a_ttl() {
    let scene = scene();
    let find = "key=$LEGO_CERT_KEY_PATH chain=$LEGO_CERT_PATH";
    expect_outage(&scene, find, |hook| lego::obtain(&scene, &hook.display().to_string()));
}

#[test]
fn uacme_then_nsupdate_strands_senders_for_a_ttl() {
    let scene = scene();
    let directory = uacme::directory(&scene);
    let find = format!("key={directory}/private/{HOST}/key.pem chain={directory}/{HOST}/cert.pem");
    expect_outage(&scene, &find, |hook| {
        uacme::register(&scene);
        uacme::obtain(&scene);
        scene.run(scene.command(&hook.display().to_string())).expect_well()
    });
}
