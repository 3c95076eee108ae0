//! The command line: from arguments to an exit code. It knows every adapter and no rule.
//!
//! [`args`] is what can be written, [`world`] puts the adapters together as the configuration says,
//! and each command has a file of its own: [`run`] (a pass, `--wait`), [`plan`], [`status`],
//! [`history`], [`hook`] (other ACME clients), [`policy`], [`tlsa`], [`check`], [`plugin`], [`init`],
//! [`manual`], [`demo`], [`account`]. What people read is worded in [`report`] and has the shape of
//! [`layout`].

pub mod account;
pub mod args;
pub mod check;
mod countdown;
pub mod demo;
mod history;
mod hook;
mod html;
mod httpreq;
pub mod init;
mod layout;
mod live;
mod manual;
mod notices;
mod page;
mod plan;
pub mod plugin;
mod policy;
pub mod policy_check;
mod report;
mod run;
#[cfg(test)]
mod said;
#[cfg(test)]
mod snapshots;
mod status;
pub mod tlsa;
mod world;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::ports::Ledger as _;
use args::{Cli, Command, Global, LogFormat};
use layout::Colours;
use world::World;

/// How a command ended that did not end well.
#[derive(Debug)]
enum Failure {
    /// Some server needs attention; standard error says which (exit 1).
    Attention,
    /// The command line, configuration or policy is wrong, and nothing was done (exit 2).
    Usage(String),
    /// Another pass holds the ledger (exit 3).
    Held(String),
    /// Somebody stopped a demonstration (exit 130, as a shell has it).
    Stopped,
    /// `check` found this, and has said it (a monitoring plugin's exit code).
    Verdict(u8),
    /// The ledger is broken, or the like (exit 1).
    Broken {
        /// What happened.
        message: String,
        /// What to do.
        hint: String,
    },
}

impl Failure {
    /// Says it, unless it has been said.
    fn tell(&self, err: &mut dyn Write) {
        let text = layout::shown(self.text(), &std::io::stderr());
        let _ = err.write_all(text.as_bytes());
    }

    /// What is to be said; nothing where it has been.
    fn text(&self) -> String {
        match self {
            Self::Attention | Self::Stopped | Self::Verdict(_) => String::new(),
            Self::Usage(message) | Self::Held(message) => format!("rollover: {message}\n"),
            Self::Broken { message, hint } => format!("rollover: {message}\n  hint: {hint}\n"),
        }
    }

    /// The exit code.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Attention | Self::Broken { .. } => 1,
            Self::Usage(_) => 2,
            Self::Held(_) => 3,
            Self::Stopped => 130,
            Self::Verdict(code) => *code,
        }
    }
}

/// Runs the command that the program's arguments ask for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(hook::command_line(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { usage_code() } else { ExitCode::SUCCESS };
        }
    };
    start_log(&cli.global);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "rollover: cannot start: {error}");
            return ExitCode::from(1);
        }
    };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    match runtime.block_on(dispatch(&cli, &mut out, &mut err)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(&mut err);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The exit code of a command line that makes no sense: to those who monitor by `check`, 2 is not that
/// but CRITICAL.
fn usage_code() -> ExitCode {
    let is_check = std::env::args().any(|argument| argument == "check");
    ExitCode::from(if is_check { 3 } else { 2 })
}

/// Sends log lines to standard error: warnings, and with `-v` more.
fn start_log(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "error",
        (false, 1) => "rollover=info,warn",
        (false, 2) => "rollover=debug,info",
        (false, _) => "trace",
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(std::io::stderr)
        // Asked for colours, it panics: the library is built without them.
        .with_ansi(false);
    match global.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// Whether what is written to `stream` has colours.
fn colours(global: &Global, stream: &impl IsTerminal) -> Colours {
    let wanted = match global.color {
        args::Color::Always => true,
        args::Color::Never => false,
        args::Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    if wanted { Colours::On } else { Colours::Off }
}

/// Runs one command.
async fn dispatch(
    cli: &Cli,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    match &cli.command {
        Some(Command::Policy(command)) => policy::run(command, out).await,
        Some(Command::Plugin(command)) => plugin::run(command, out).await,
        Some(Command::Demo(arguments)) => demo::run(&cli.global, arguments, out).await,
        Some(Command::Check(arguments)) => check::run(&cli.global, arguments, out, err).await,
        Some(Command::Tlsa(arguments)) => show_tlsa(&cli.global, arguments, out, err).await,
        Some(Command::History { json, limit }) => {
            let world = World::open_for_reading(&cli.global)?;
            show_history(&world, *json, *limit, out)
        }
        Some(Command::Status { html: Some(file), .. }) => {
            let world = World::open_for_reading(&cli.global)?;
            html::write(&world, file).await
        }
        Some(Command::Status { json, html: None }) => {
            let world = World::open_for_reading(&cli.global)?;
            show_status(&cli.global, &world, *json, out).await
        }
        Some(Command::Hook { call }) => hook::run(&cli.global, call, out, err).await,
        Some(Command::Account(arguments)) => account::run(&cli.global, arguments, out, err).await,
        Some(Command::Init(arguments)) => init::run(&cli.global, arguments, out).await,
        Some(Command::Completions { shell }) => manual::completions(*shell, out),
        Some(Command::Man { directory }) => manual::write(directory),
        Some(Command::Plan) => show_plan(cli, out).await,
        None if cli.global.dry_run => show_plan(cli, out).await,
        None => {
            refuse_unnamed(cli)?;
            let world = World::open(&cli.global)?;
            run::run(cli, &world, out, err).await
        }
    }
}

/// `rollover tlsa`
async fn show_tlsa(
    global: &Global,
    arguments: &tlsa::TlsaArgs,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let Some(path) = &arguments.certificate else {
        return live::run(global, arguments, out, err).await;
    };
    tlsa::run(arguments, path, out, err).map_err(|error| {
        use std::error::Error as _;
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Failure::Usage(format!("{error}{source}"))
    })
}

/// Refuses to replace every certificate by accident.
fn refuse_unnamed(cli: &Cli) -> Result<(), Failure> {
    let named = cli.start.all || !cli.global.hosts.is_empty();
    if cli.start.renew && !named {
        let message = "--renew needs --host NAME (repeatable), or --all";
        return Err(Failure::Usage(message.to_owned()));
    }
    Ok(())
}

/// `rollover plan`
async fn show_plan(cli: &Cli, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    refuse_unnamed(cli)?;
    let world = World::open_for_reading(&cli.global)?;
    let request = cli.start.request();
    let colours = colours(&cli.global, &std::io::stdout());
    for (position, (host, report)) in world.preview(request.clone()).await?.iter().enumerate() {
        let (spec, now) = (host.spec(), report.seen.at);
        let mut text = plan::text(spec, report, request.as_ref(), now, colours);
        if let Some(caveat) = host.caveat().await {
            layout::field(&mut text, "note", "note", &caveat);
        }
        let between = if position == 0 { "" } else { "\n" };
        let _ = write!(out, "{between}{text}");
    }
    world.leave().await;
    Ok(())
}

/// `rollover status`
async fn show_status(
    global: &Global,
    world: &World,
    json: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let reports = world.preview(None).await?;
    world.leave().await;
    let now = world.clock.now();
    let statuses: Vec<_> =
        reports.iter().map(|(host, report)| status::Status { spec: host.spec(), report }).collect();
    if json {
        let _ = writeln!(out, "{:#}", status::json(&statuses, &now));
        return Ok(());
    }
    let colours = colours(global, &std::io::stdout());
    let _ = out.write_all(status::text(&statuses, &now, colours).as_bytes());
    Ok(())
}

/// `rollover history`
fn show_history(
    world: &World,
    json: bool,
    limit: usize,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    for host in &world.hosts {
        let name = &host.spec().name;
        let events = world.ledger.history(name, limit).map_err(Failure::from)?;
        let text = match json {
            true => history::json_lines(name, &events),
            false => layout::shown(history::text(name, &events), &std::io::stdout()),
        };
        let _ = out.write_all(text.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_makes_sense() {
        super::Cli::command().debug_assert();
    }
}
