//! uacme: its hook for challenges, and the line that an operator writes after it.

use crate::client::{Ran, Scene};
use crate::lab::HOST;

/// Runs uacme.
fn uacme(scene: &Scene, command_line: &[&str]) -> Ran {
    // It asks the machine's roots about the CA's own HTTPS: in a mount namespace, these are others.
    let script =
        "mount --bind \"$1\" /etc/ssl/certs/ca-certificates.crt && shift && exec uacme \"$@\"";
    let mut command = scene.command("unshare");
    command.args(["--mount", "sh", "-c", script, "uacme"]).arg(scene.pebble.ca_file());
    command.args(["-v", "-y", "-a", &scene.ca.directory_url()]);
    command.args(["-c", &directory(scene), "-h"]).arg(scene.hook_program()).args(command_line);
    scene.run(command).expect_well()
}

/// Where it has everything.
pub fn directory(scene: &Scene) -> String {
    scene.path("uacme")
}

/// Makes an account.
pub fn register(scene: &Scene) {
    uacme(scene, &["new", "hostmaster@example.nl"]);
}

/// Obtains a certificate, or another one: what cron does, for certificates of 90 days.
pub fn obtain(scene: &Scene) -> Ran {
    uacme(scene, &["-d", "100", "issue", HOST])
}

/// Each certificate is of another intermediate. The first is held until the records lead; the second is
/// for the same key, as uacme renews, so that the records name it already.
#[test]
fn it_proves_through_us_and_its_wrapper_hands_over() {
    let scene = Scene::new("ncsc");
    let file = scene.lab().path(&format!("uacme/{HOST}/cert.pem"));
    register(&scene);
    let judge = scene.judge();
    let issue = || {
        obtain(&scene);
        let mut command = scene.command(env!("CARGO_BIN_EXE_rollover"));
        command.args(["hook", "uacme", "deploy", HOST, &directory(&scene)]);
        let ran = scene.run(command).expect_well();
        let words = "staged for mail.example.nl: rsa-2048 certificate";
        assert!(ran.said.contains(words), "its default: {}", ran.said);
        ran
    };
    scene.expect_held(issue, &file);
    let before = scene.stage.serial();
    let said = issue().said;
    assert!(
        said.contains("put the new certificate in place") && !said.contains("(bridge)"),
        "{said}"
    );
    scene.cron();
    scene.expect_live(&file);
    assert_ne!(scene.stage.serial(), before);
    scene.stage.finish(judge).expect_clean(100);
}
