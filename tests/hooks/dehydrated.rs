//! dehydrated: one hook for all its operations, and its own cron line as the only clock.

use std::time::Duration;

use crate::client::{Ran, Scene};
use crate::lab::HOST;

/// How often a run is tried: Pebble rejects some nonces, and dehydrated gives up on the first.
const TRIES: usize = 8;

/// The negative TTL of the zone, and a little more.
const FORGETTING: Duration = Duration::from_millis(2500);

/// Runs dehydrated until it ends well.
fn dehydrated(scene: &Scene, arguments: &[&str]) -> Ran {
    let configuration = scene.path("dehydrated/config");
    let mut last = None;
    for _ in 0..TRIES {
        let mut command = scene.command("dehydrated");
        command.args(arguments).args(["-f", &configuration]);
        let ran = scene.run(command);
        if ran.well {
            return ran;
        }
        assert!(ran.said.contains("nonce"), "{}", ran.said);
        // What the CA's resolver heard of the proof that came to nothing has to be forgotten.
        std::thread::sleep(FORGETTING);
        last = Some(ran);
    }
    last.expect("it was tried").expect_well()
}

/// Configures dehydrated, and registers it.
fn register(scene: &Scene) {
    let base = scene.path("dehydrated");
    std::fs::create_dir_all(&base).expect("dehydrated's directory");
    let text = format!(
        "CA={}\nBASEDIR={base}\nCHALLENGETYPE=dns-01\nHOOK={}\nCONTACT_EMAIL=hostmaster@example.nl\n\
         CURL_OPTS=\"--cacert {}\"\nIP_VERSION=4\n",
        scene.pebble.directory_url(),
        scene.hook_program().display(),
        scene.pebble.ca_file().display()
    );
    std::fs::write(scene.path("dehydrated/config"), text).expect("its configuration");
    dehydrated(scene, &["--register", "--accept-terms"]);
}

/// Another CA behind the same URL: the account there is gone.
fn change_ca(scene: &mut Scene) {
    let Scene { pebble, stage } = scene;
    pebble.restart(&stage.lab);
    std::fs::remove_dir_all(stage.lab.path("dehydrated/accounts")).expect("its accounts");
    register(scene);
}

#[test]
fn its_own_cron_line_carries_it_through_changes_of_ca() {
    let mut scene = Scene::new("ncsc");
    scene.pebble.refuse_no_nonces(&scene.stage.lab);
    // With its default kind of key, which is another than ours.
    register(&scene);
    let judge = scene.judge();
    let certificate = scene.lab().path(&format!("dehydrated/certs/{HOST}/fullchain.pem"));
    for _ in 0..2 {
        let before = scene.stage.presented();
        let said = dehydrated(&scene, &["-c", "-x", "-d", HOST]).said;
        assert!(said.contains("staged for mail.example.nl"), "{said}");
        assert_eq!(scene.stage.presented(), before, "another CA: the records lead");
        // Nothing else runs: `unchanged_cert` is enough.
        scene.until_idle(|| drop(dehydrated(&scene, &["-c", "-d", HOST])));
        scene.expect_live(&certificate);
        change_ca(&mut scene);
    }
    scene.stage.finish(judge).expect_clean(200);
}
