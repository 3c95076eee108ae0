//! `rollover demo`: the arguments, and which policy is meant.

use std::io::{IsTerminal as _, Write};
use std::path::Path;

use clap::Args;

use super::Failure;
use super::args::Global;
use super::layout::Colours;
use crate::demo::{self, DemoError, End, Manner, Options, Paint, Screen};
use crate::policy::{Policy, file, shipped};

/// How many columns what is shown takes.
const WIDTH: u16 = 80;

/// What to show.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// The policy to change by: a shipped policy's name, or a policy file. Its waits other than for
    /// the TTL are cut down to the length of a demonstration
    #[arg(long, value_name = "NAME|FILE", default_value = "ncsc")]
    pub policy: String,
    /// Make the same change in the wrong order, and show the outage (exit 1)
    #[arg(long)]
    pub naive: bool,
}

/// Shows a change of CA on a small world of its own.
pub(super) async fn run(
    global: &Global,
    arguments: &DemoArgs,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let stdout = std::io::stdout();
    let colours = super::colours(global, &stdout);
    let options = Options {
        policy: policy(&arguments.policy)?,
        manner: if arguments.naive { Manner::Naive } else { Manner::Rollover },
        paint: if colours == Colours::On { Paint::Colours } else { Paint::Plain },
        screen: if is_wide_enough(&stdout) { Screen::Live } else { Screen::Lines },
    };
    let mut nowhere = std::io::sink();
    let out: &mut (dyn Write + Send) = if global.quiet { &mut nowhere } else { out };
    match demo::run(&options, out).await {
        Ok(End::Delivered) => Ok(()),
        // The verdict has said so.
        Ok(End::Stranded) => Err(Failure::Attention),
        Ok(End::Stopped) => Err(Failure::Stopped),
        Err(error) => Err(Failure::Broken { message: error.to_string(), hint: hint(&error) }),
    }
}

/// Whether a row that is drawn again in place fits on one line.
fn is_wide_enough(stdout: &std::io::Stdout) -> bool {
    stdout.is_terminal()
        && rustix::termios::tcgetwinsize(stdout).is_ok_and(|size| WIDTH <= size.ws_col)
}

/// The policy that is meant: a text with a slash, or with the ending `.toml`, is a file.
fn policy(text: &str) -> Result<Policy, Failure> {
    if !text.contains('/') && Path::new(text).extension().is_none_or(|ending| ending != "toml") {
        return shipped::by_name(text).ok_or_else(|| {
            let names: Vec<&str> = shipped::names().collect();
            let names = names.join(", ");
            Failure::Usage(format!("there is no shipped policy `{text}`; there are: {names}"))
        });
    }
    let contents = std::fs::read_to_string(text).map_err(|error| {
        Failure::Usage(format!("cannot read the policy file `{text}`: {error}"))
    })?;
    file::parse(&contents, text).map_err(|diagnostics| {
        let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        Failure::Usage(texts.join("\n"))
    })
}

/// What to do where there was no demonstration, or no end of it.
fn hint(error: &DemoError) -> String {
    match error {
        DemoError::Setting(_) | DemoError::Ledger(_) => {
            "it needs addresses of 127.0.0.0/8, a writable directory for temporary files \
             (TMPDIR), and `touch`; nothing was left behind"
        }
        DemoError::Unfinished(_) => "a policy that waits many TTLs takes as long here",
        DemoError::Pass(_) | DemoError::Attention(_) => "please report this as a bug",
    }
    .to_owned()
}
