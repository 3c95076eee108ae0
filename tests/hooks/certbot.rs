//! certbot: issue, renewal, and a CA that is another overnight; RSA and ECDSA side by side.

use std::path::PathBuf;
use std::process::Command;

use crate::client::{Ran, Scene, lab};
use crate::lab::HOST;
use crate::lab::authority::key_record;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::pebble::Pebble;
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
    let url = scene.pebble.directory_url();
    let (auth, cleanup) = (scene.hook("certbot"), scene.hook("certbot"));
    let mut arguments = vec!["certonly", "--force-renewal", "--agree-tos", "--server", &url];
    arguments.extend(["-m", "hostmaster@example.nl", "-d", HOST]);
    arguments.extend(["--manual", "--preferred-challenges", "dns"]);
    arguments.extend(["--manual-auth-hook", &auth, "--manual-cleanup-hook", &cleanup]);
    arguments.extend(["--deploy-hook", deploy_hook]);
    arguments.extend(more);
    scene.run(certbot(scene, &arguments)).expect_well()
}

/// Another CA behind the same URL: certbot's account there is gone.
fn change_ca(scene: &mut Scene) {
    let Scene { pebble, stage } = scene;
    pebble.restart(&stage.lab);
    std::fs::remove_dir_all(stage.lab.path("certbot-config/accounts")).expect("its accounts");
}

/// The file of a lineage.
fn lineage(scene: &Scene, name: &str) -> PathBuf {
    scene.lab().path(&format!("certbot-config/live/{name}/fullchain.pem"))
}

#[test]
fn from_the_first_certificate_to_another_ca() {
    let mut scene = Scene::new("ncsc");
    let judge = scene.judge();

    // Another CA than the one of the certificate in place: held until the records lead.
    let before = scene.stage.presented();
    let said = obtain(&scene, &scene.hook("certbot"), &[]).said;
    assert!(said.contains("staged for mail.example.nl: ecdsa-p256 certificate"), "{said}");
    assert!(said.contains("publish (bridge)"), "{said}");
    assert_eq!(scene.stage.presented(), before, "not before caches have let go");
    scene.cron();
    scene.expect_live(&lineage(&scene, HOST));

    // By its own timer, from the same CA: live before the hook is done.
    let renew = ["renew", "--force-renewal", "--no-random-sleep-on-renew"];
    scene.run(certbot(&scene, &renew)).expect_well();
    assert_eq!(scene.stage.presented(), key_record(&lineage(&scene, HOST)));
    scene.cron();
    scene.expect_live(&lineage(&scene, HOST));

    change_ca(&mut scene);
    let before = scene.stage.presented();
    obtain(&scene, &scene.hook("certbot"), &[]);
    assert_eq!(scene.stage.presented(), before);
    scene.cron();
    scene.stage.finish(judge).expect_clean(200);
    scene.expect_live(&lineage(&scene, HOST));
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
    let scene = Scene { pebble: Pebble::start(&stage.lab, "pebble", 14_000), stage };
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
    let renew = ["renew", "--force-renewal", "--no-random-sleep-on-renew"];
    scene.run(certbot(&scene, &renew)).expect_well();
    scene.cron();
    for (file, name) in [(&scene.stage.bundle, "ecdsa"), (&rsa, "rsa")] {
        assert_eq!(key_record(file), key_record(&lineage(&scene, name)), "renewed: {name}");
    }
    scene.stage.finish(judge).expect_clean(100);
    let status = scene.lab().status();
    assert_eq!(status["certificates"].as_array().map(Vec::len), Some(2), "{status:#}");
    assert_eq!(status["published"][0]["records"].as_array().map(Vec::len), Some(3), "{status:#}");
}
