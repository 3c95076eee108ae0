//! lego: as a hook, and as the program of its DNS provider `exec`.

use std::path::PathBuf;

use crate::client::{Ran, Scene};
use crate::lab::{HOST, RESOLVER};

/// Runs lego.
fn lego(scene: &Scene, command_line: &[&str]) -> Ran {
    let mut command = scene.command("lego");
    command.env("LEGO_CA_CERTIFICATES", scene.pebble.ca_file());
    command.env("EXEC_PATH", scene.hook_program());
    command.args(["--server", &scene.ca.directory_url(), "--path", &scene.path("lego")]);
    command.args(["--email", "hostmaster@example.nl", "--accept-tos", "--domains", HOST]);
    command.args(["--dns", "exec", "--dns.disable-cp"]);
    command.args(["--dns.resolvers", &format!("{RESOLVER}:53")]);
    command.args(command_line);
    scene.run(command).expect_well()
}

/// Obtains the first certificate.
pub fn obtain(scene: &Scene, hook: &str) -> Ran {
    lego(scene, &["run", "--run-hook", hook])
}

/// Where it has its certificate.
fn certificate(scene: &Scene) -> PathBuf {
    scene.lab().path(&format!("lego/certificates/{HOST}.crt"))
}

/// Each renewal is of another intermediate: held until the records lead.
#[test]
fn it_proves_through_us_and_hands_over() {
    let scene = Scene::new("ncsc");
    let file = certificate(&scene);
    let hook = scene.hook("lego");
    let judge = scene.judge();
    scene.expect_held(|| obtain(&scene, &hook), &file);
    let renew = ["renew", "--days", "4000", "--no-random-sleep", "--renew-hook", &hook];
    scene.expect_held(|| lego(&scene, &renew), &file);
    scene.stage.finish(judge).expect_clean(100);
}
