//! dehydrated: one hook for all its operations, and its own cron line as the only clock.

use std::path::Path;
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

/// Configures dehydrated with this hook, and registers it.
pub fn register(scene: &Scene, hook: &Path) {
    let base = scene.path("dehydrated");
    std::fs::create_dir_all(&base).expect("dehydrated's directory");
    let text = format!(
        "CA={}\nBASEDIR={base}\nCHALLENGETYPE=dns-01\nHOOK={}\nCONTACT_EMAIL=hostmaster@example.nl\n\
         CURL_OPTS=\"--cacert {}\"\nIP_VERSION=4\n",
        scene.ca.directory_url(),
        hook.display(),
        scene.pebble.ca_file().display()
    );
    std::fs::write(scene.path("dehydrated/config"), text).expect("its configuration");
    dehydrated(scene, &["--register", "--accept-terms"]);
}

/// Obtains a certificate, or renews the one there is.
pub fn obtain(scene: &Scene) -> Ran {
    dehydrated(scene, &["-c", "-x", "-d", HOST])
}

#[test]
fn its_own_cron_line_carries_it_through_changes_of_ca() {
    let scene = Scene::new("ncsc");
    // With its default kind of key, which is another than ours.
    register(&scene, &scene.hook_program());
    let judge = scene.judge();
    let certificate = scene.lab().path(&format!("dehydrated/certs/{HOST}/fullchain.pem"));
    for _ in 0..2 {
        let before = scene.stage.presented();
        let said = obtain(&scene).said;
        assert!(said.contains("staged for mail.example.nl"), "{said}");
        assert_eq!(scene.stage.presented(), before, "another CA: the records lead");
        // Nothing else runs: `unchanged_cert` is enough.
        scene.until_idle(|| drop(dehydrated(&scene, &["-c", "-d", HOST])));
        scene.expect_live(&certificate);
    }
    scene.stage.finish(judge).expect_clean(200);
}
