//! certbot: issue, renewal, and a CA that is another overnight; RSA and ECDSA side by side.

use std::path::PathBuf;
use std::process::Command;

use crate::client::{Ran, Scene, lab};
use crate::lab::HOST;
use crate::lab::authority::key_record;
use crate::lab::mail::{Postfix, Tls};
use crate::stage::Stage;

/// certbot with these arguments.
fn certbot(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.command("certbot");
    command.env("REQUESTS_CA_BUNDLE", scene.pebble.ca_file());
    command.args(arguments).arg("--non-interactive");
    for directory in ["config", "work", "logs"] {
        command.args([&format!("--{directory}-dir"), &scene.path(&format!("certbot-{directory}"))]);
    }
    command
}

/// Obtains a certificate, whatever there is already.
pub fn obtain(scene: &Scene, deploy_hook: &str, more: &[&str]) -> Ran {
    let url = scene.ca.directory_url();
    let (auth, cleanup) = (scene.hook("certbot"), scene.hook("certbot"));
    let mut arguments = vec!["certonly", "--force-renewal", "--agree-tos", "--server", &url];
    arguments.extend(["-m", "hostmaster@example.nl", "-d", HOST]);
    arguments.extend(["--manual", "--preferred-challenges", "dns"]);
    arguments.extend(["--manual-auth-hook", &auth, "--manual-cleanup-hook", &cleanup]);
    arguments.extend(["--deploy-hook", deploy_hook]);
    arguments.extend(more);
    scene.run(certbot(scene, &arguments)).expect_well()
}

/// The file of a lineage.
fn lineage(scene: &Scene, name: &str) -> PathBuf {
    scene.lab().path(&format!("certbot-config/live/{name}/fullchain.pem"))
}

/// Renews what there is, by certbot's own timer.
fn renew(scene: &Scene) -> Ran {
    let renew = ["renew", "--force-renewal", "--no-random-sleep-on-renew"];
    scene.run(certbot(scene, &renew)).expect_well()
}

#[test]
fn from_the_first_certificate_to_another_intermediate() {
    let scene = Scene::new("ncsc");
    let judge = scene.judge();
    let file = lineage(&scene, HOST);
    // Another CA than the one of the certificate in place.
    let first = || obtain(&scene, &scene.hook("certbot"), &[]);
    scene.expect_held(
        || {
            let ran = first();
            let words = "staged for mail.example.nl: ecdsa-p256 certificate";
            assert!(ran.said.contains(words), "{}", ran.said);
            ran
        },
        &file,
    );

    // From the same intermediate: live before the hook is done.
    scene.ca.stay();
    renew(&scene);
    assert_eq!(scene.stage.presented(), key_record(&file));
    scene.cron();
    scene.expect_live(&file);

    // And from another, which nobody announced.
    scene.ca.drift();
    scene.expect_held(|| renew(&scene), &file);
    scene.stage.finish(judge).expect_clean(200);
}

/// Two lineages for one host: each hook call brings one, and nothing moves until both are there.
#[test]
fn two_lineages_are_one_bundle() {
    let stage = Stage::new_with(lab(), |lab, bundle| {
        let house = crate::lab::authority::Authority::new(lab.directory(), "house");
        let rsa = lab.path("rsa.pem");
        house.issue(HOST, bundle);
        house.issue_with(HOST, &rsa, &["-newkey", "rsa:2048"]);
        (house, Postfix::start(lab, &[&rsa, bundle], Tls::Offered))
    });
    let rsa = stage.lab.path("rsa.pem");
    stage.publish(&[stage.house.record(), stage.key_in_file(), key_record(&rsa)]);
    let scene = Scene::around(stage);
    let key_types = "key-types = [\"ecdsa-p256\", \"rsa-2048\"]";
    scene.configure_files("ncsc", key_types, &[&scene.stage.bundle, &rsa]);
    scene.stage.get_acquainted();
    let judge = scene.judge();
    let hook = scene.hook("certbot");
    let one = obtain(&scene, &hook, &["--cert-name", "ecdsa", "--key-type", "ecdsa"]);
    assert!(one.said.contains("held until one with a key of type rsa-2048"), "{}", one.said);
    assert!(!one.said.contains("begin a"), "{}", one.said);
    let two = obtain(&scene, &hook, &["--cert-name", "rsa", "--key-type", "rsa"]);
    assert!(two.said.contains("begin a change of CA"), "{}", two.said);
    scene.cron();
    for (file, name) in [(&scene.stage.bundle, "ecdsa"), (&rsa, "rsa")] {
        assert_eq!(key_record(file), key_record(&lineage(&scene, name)), "{name}");
    }
    // Both in one run of certbot, which leaves each hook what it set for those before.
    renew(&scene);
    scene.cron();
    for (file, name) in [(&scene.stage.bundle, "ecdsa"), (&rsa, "rsa")] {
        assert_eq!(key_record(file), key_record(&lineage(&scene, name)), "renewed: {name}");
    }
    scene.stage.finish(judge).expect_clean(100);
    let status = scene.lab().status();
    assert_eq!(status["certificates"].as_array().map(Vec::len), Some(2), "{status:#}");
    assert_eq!(status["published"][0]["records"].as_array().map(Vec::len), Some(4), "{status:#}");
}
