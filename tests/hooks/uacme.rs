//! uacme: its hook for challenges, and the line that an operator writes after it.

use crate::client::Scene;
use crate::lab::HOST;

#[test]
fn it_proves_through_us_and_its_wrapper_hands_over() {
    let scene = Scene::new("ncsc");
    let directory = scene.path("uacme");
    // It asks the machine's roots about the CA's own HTTPS: in a mount namespace, these are others.
    let script =
        "mount --bind \"$1\" /etc/ssl/certs/ca-certificates.crt && shift && exec uacme \"$@\"";
    let run = |command_line: &[&str]| {
        let mut command = scene.command("unshare");
        command.args(["--mount", "sh", "-c", script, "uacme"]).arg(scene.pebble.ca_file());
        command.args(["-v", "-y", "-a", &scene.pebble.directory_url()]);
        command.args(["-c", &directory, "-h"]).arg(scene.hook_program()).args(command_line);
        scene.run(command).expect_well()
    };
    run(&["new", "hostmaster@example.nl"]);
    let judge = scene.judge();
    run(&["issue", HOST]);
    let mut command = scene.command(env!("CARGO_BIN_EXE_rollover"));
    command.args(["hook", "uacme", "deploy", HOST, &directory]);
    let said = scene.run(command).expect_well().said;
    assert!(said.contains("staged for mail.example.nl"), "{said}");
    assert!(said.contains("rsa-2048 certificate"), "its default: {said}");
    scene.cron();
    scene.stage.finish(judge).expect_clean(60);
    scene.expect_live(&scene.lab().path(&format!("uacme/{HOST}/cert.pem")));
}
