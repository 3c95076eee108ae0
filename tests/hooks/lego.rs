//! lego: as a hook, and as the program of its DNS provider `exec`.

use crate::client::Scene;
use crate::lab::{HOST, RESOLVER};

#[test]
fn it_proves_through_us_and_hands_over() {
    let scene = Scene::new("ncsc");
    let run = |command_line: &[&str]| {
        let mut command = scene.command("lego");
        command.env("LEGO_CA_CERTIFICATES", scene.pebble.ca_file());
        command.env("EXEC_PATH", scene.hook_program());
        command.args(["--server", &scene.pebble.directory_url(), "--path", &scene.path("lego")]);
        command.args(["--email", "hostmaster@example.nl", "--accept-tos", "--domains", HOST]);
        command.args(["--dns", "exec", "--dns.disable-cp"]);
        command.args(["--dns.resolvers", &format!("{RESOLVER}:53")]);
        command.args(command_line);
        scene.run(command).expect_well()
    };
    let certificate = scene.lab().path(&format!("lego/certificates/{HOST}.crt"));
    let judge = scene.judge();
    let hook = scene.hook("lego");
    run(&["run", "--run-hook", &hook]);
    scene.cron();
    scene.expect_live(&certificate);
    run(&["renew", "--days", "4000", "--no-random-sleep", "--renew-hook", &hook]);
    scene.cron();
    scene.stage.finish(judge).expect_clean(100);
    scene.expect_live(&certificate);
}
