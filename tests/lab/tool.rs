//! The program under test, run as an operator runs it, and the end state as others see it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Lab;
use super::daemon::run;

/// The program: beside tests cargo says where it is; an example stands in a folder beside it.
fn binary() -> PathBuf {
    match option_env!("CARGO_BIN_EXE_rollover") {
        Some(path) => path.into(),
        None => {
            let own = std::env::current_exe().expect("the example knows where it is");
            own.ancestors().nth(2).expect("target/PROFILE/examples/").join("rollover")
        }
    }
}

/// What a run of the tool came to.
#[derive(Debug)]
pub struct Run {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// Fails with all that was said unless the exit code is this one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

impl Lab {
    /// A command line of the tool.
    pub fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = self.namespace.command(binary());
        command.arg("--config").arg(self.path("rollover.toml")).args(arguments);
        command.env_remove("ROLLOVER_CONFIG").env("NO_COLOR", "1");
        command
    }

    /// Runs the tool to its end.
    pub fn rollover(&self, arguments: &[&str]) -> Run {
        self.rollover_with(arguments, &[])
    }

    /// Runs the tool to its end with these variables in its environment.
    pub fn rollover_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command = self.tool(arguments);
        command.envs(environment.iter().copied());
        let output = command.stdin(Stdio::null()).output().expect("the tool runs");
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the tool to its end on a terminal of its own; all that is written there.
    pub fn rollover_on_terminal(&self, arguments: &[&str]) -> Run {
        let tool = self.tool(arguments);
        let words = std::iter::once(tool.get_program()).chain(tool.get_args());
        let words: Vec<String> =
            words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
        command.env("TERM", "xterm").stdin(Stdio::null());
        let output = command.output().expect("script runs");
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the tool, to be killed or waited for.
    pub fn start_rollover(&self, arguments: &[&str]) -> Child {
        let mut command = self.tool(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the tool starts")
    }

    /// `status --json` of the only host.
    pub fn status(&self) -> serde_json::Value {
        let run = self.rollover(&["status", "--json"]).expect_code(0);
        let status: serde_json::Value =
            serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}:\n{}", run.out));
        assert_eq!(status["version"], 1);
        status["hosts"][0].clone()
    }

    /// The digest of the key that a mail server presents, as a `3 1 1` record, by OpenSSL alone.
    pub fn presented(&self, address: &str) -> String {
        self.presented_at(address, 25, &["-starttls", "smtp", "-name", "lab.example"])
    }

    /// The same at another port, with what OpenSSL's `s_client` is given to get as far as TLS.
    pub fn presented_at(&self, address: &str, port: u16, how: &[&str]) -> String {
        let target = match address.contains(':') {
            true => format!("[{address}]:{port}"),
            false => format!("{address}:{port}"),
        };
        let mut command = self.namespace.command("openssl");
        command.args(["s_client", "-connect", &target]).args(how);
        let output = command.stdin(Stdio::null()).output().expect("openssl runs");
        let file = self.path(&format!("presented-{}.pem", address.replace(':', "-")));
        std::fs::write(&file, &output.stdout).expect("the presented chain");
        super::authority::key_record(&file)
    }
}

/// Writes a file that nobody else may read.
pub fn write_private(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.write_all(text.as_bytes()).expect("a private file is written");
    run(Command::new("chmod").arg("600").arg(path));
}
