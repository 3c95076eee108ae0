//! lego: as a hook, and behind its DNS providers `exec` and `httpreq`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::client::{ROLLOVER, Ran, Scene};
use crate::lab::daemon::wait_until;
use crate::lab::tool::write_private;
use crate::lab::{HOST, RESOLVER};

/// Runs lego, which proves by its provider `exec`.
fn lego(scene: &Scene, command_line: &[&str]) -> Ran {
    let mut command = command(scene, "exec", command_line);
    command.env("EXEC_PATH", scene.hook_program());
    scene.run(command).expect_well()
}

/// A command line of lego's with this DNS provider.
fn command(scene: &Scene, provider: &str, command_line: &[&str]) -> Command {
    let mut command = scene.command("lego");
    command.env("LEGO_CA_CERTIFICATES", scene.pebble.ca_file());
    command.args(["--server", &scene.ca.directory_url(), "--path", &scene.path("lego")]);
    command.args(["--email", "hostmaster@example.nl", "--accept-tos", "--domains", HOST]);
    command.args(["--dns", provider, "--dns.disable-cp"]);
    command.args(["--dns.resolvers", &format!("{RESOLVER}:53")]);
    command.args(command_line);
    command
}

/// Obtains the first certificate.
pub fn obtain(scene: &Scene, hook: &str) -> Ran {
    lego(scene, &["run", "--run-hook", hook])
}

/// Where it has its certificate.
fn certificate(scene: &Scene) -> PathBuf {
    scene.lab().path(&format!("lego/certificates/{HOST}.crt"))
}

/// Each renewal is of another intermediate: held until the records lead. The first proof goes by `exec`,
/// those of the renewals by `httpreq`, in both its modes.
#[test]
fn it_proves_through_us_and_hands_over() {
    let scene = Scene::new("ncsc");
    let file = certificate(&scene);
    let hook = scene.hook("lego");
    let judge = scene.judge();
    scene.expect_held(|| obtain(&scene, &hook), &file);
    let renew = ["renew", "--days", "4000", "--no-random-sleep", "--renew-hook", &hook];
    let listener = Listener::start(&scene);
    for mode in ["", "RAW"] {
        let renew = || {
            let mut command = command(&scene, "httpreq", &renew);
            listener.tell(&mut command, &listener.password);
            scene.run(command.env("HTTPREQ_MODE", mode)).expect_well()
        };
        scene.expect_held(renew, &file);
    }
    // Without the password nothing is proved.
    let mut command = command(&scene, "httpreq", &renew);
    write_private(&scene.lab().path("other"), "another password\n");
    listener.tell(&mut command, &scene.lab().path("other"));
    let ran = scene.run(command);
    assert!(!ran.well && ran.said.contains("the user's name and password are others"), "{ran:?}");
    scene.stage.finish(judge).expect_clean(100);
    listener.expect_end();
}

/// What lego's provider `httpreq` asks.
struct Listener {
    /// The process.
    child: Child,
    /// What it said: where it listens.
    endpoint: String,
    /// The file with the password.
    password: PathBuf,
}

impl Listener {
    /// Starts it at a port that it chooses.
    fn start(scene: &Scene) -> Self {
        let password = scene.lab().path("password");
        write_private(&password, "a password of the lab\n");
        let arguments = ["hook", "lego-httpreq", "--listen", "127.0.0.1:0"];
        let refused = scene.command(ROLLOVER).args(arguments).output().expect("it runs");
        assert_eq!(refused.status.code(), Some(2), "without a password: {refused:?}");
        let mut command = scene.command(ROLLOVER);
        command.args(arguments).stdout(Stdio::piped());
        command.env("HTTPREQ_USERNAME", "lego").env("HTTPREQ_PASSWORD_FILE", &password);
        let mut child = command.spawn().expect("the listener starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it speaks");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let endpoint = line.trim().rsplit_once('=').expect("a variable").1.to_owned();
        Self { child, endpoint, password }
    }

    /// Tells lego of it.
    fn tell(&self, lego: &mut Command, password: &Path) {
        lego.env("HTTPREQ_ENDPOINT", &self.endpoint).env("HTTPREQ_USERNAME", "lego");
        lego.env("HTTPREQ_PASSWORD_FILE", password);
    }

    /// Fails unless it ends well when it is told to.
    fn expect_end(mut self) {
        crate::lab::daemon::send("TERM", self.child.id());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// It ends with the process that started it.
#[test]
fn its_listener_ends_with_its_parent() {
    let directory = tempfile::tempdir().expect("a directory");
    let password = directory.path().join("password");
    write_private(&password, "a password of the lab\n");
    let script = format!("{ROLLOVER} hook lego-httpreq --listen 127.0.0.1:0 & echo $!; read line");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    shell.env("HTTPREQ_USERNAME", "lego").env("HTTPREQ_PASSWORD_FILE", &password);
    // One that lives on holds nothing open that somebody reads.
    let mut shell = shell.stderr(Stdio::null()).spawn().expect("a shell");
    let mut lines = BufReader::new(shell.stdout.take().expect("it speaks")).lines();
    let lines: Vec<String> = lines.by_ref().take(2).map(|line| line.expect("a line")).collect();
    let id = lines.iter().find(|line| !line.contains('=')).expect("its process id");
    let process = PathBuf::from(format!("/proc/{id}"));
    assert!(process.exists(), "{lines:?}");
    drop(shell.stdin.take());
    shell.wait().expect("the shell ends");
    let is_gone = || match std::fs::read_to_string(process.join("stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    wait_until("the listener has ended", is_gone);
}
