//! The command line: names and meanings as the manual has them, nothing acted upon.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::rollover::action::Request;

/// Replaces the certificates of mail servers under DANE without stranding a sender.
///
/// Without a command it makes one pass over every server: what a cron line or a systemd timer runs.
/// It is safe to run as often as one likes, and silent where nothing happened.
#[derive(Clone, Debug, Parser)]
#[command(name = "rollover", version, max_term_width = 100)]
#[command(after_help = EXIT_STATUS)]
pub struct Cli {
    /// What it works on and how it speaks.
    #[command(flatten)]
    pub global: Global,
    /// What a pass begins with.
    #[command(flatten)]
    pub start: Start,
    /// A command, instead of a pass.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The exit codes, at the end of the help.
const EXIT_STATUS: &str = "Exit status:
  0  all that could be done now is done
  1  some server needs attention: stderr says which, why and what to do
  2  the command line, configuration or policy is wrong, and nothing was done
  3  another pass holds the ledger";

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The configuration
    #[arg(long, value_name = "FILE", global = true, env = "ROLLOVER_CONFIG")]
    #[arg(default_value = "/etc/rollover/rollover.toml")]
    pub config: PathBuf,
    /// A server to work on, by its name in the configuration (repeatable; default: all)
    #[arg(long = "host", value_name = "NAME", global = true)]
    pub hosts: Vec<String>,
    /// Show what would be done, and change nothing anywhere: the same as `plan`
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Say more (repeatable)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print errors alone
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", global = true, default_value = "text")]
    pub log_format: LogFormat,
    /// Whether to use colours (also NO_COLOR)
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a pass begins with.
#[derive(Args, Clone, Debug)]
pub struct Start {
    /// Stay until every rollover in flight is done
    #[arg(long, global = true)]
    pub wait: bool,
    /// Start a change of CA: to ISSUER, else to the issuer that the configuration now names
    #[arg(long, value_name = "ISSUER", num_args = 0..=1, global = true)]
    pub new_ca: Option<Option<String>>,
    /// Replace the certificates now, due or not (with --host or --all)
    #[arg(long, global = true, conflicts_with_all = ["new_ca", "compromised"])]
    pub renew: bool,
    /// Replace what is not to be trusted any more, bar its records, and revoke the certificate
    #[arg(long, value_name = "WHAT", global = true)]
    pub compromised: Option<Compromised>,
    /// Give up the rollover in flight, and lead back safely
    #[arg(long, global = true, conflicts_with_all = ["new_ca", "renew", "compromised"])]
    pub abort: bool,
    /// Leave DANE: remove the TLSA records, and wait until no cache holds one
    #[arg(long, global = true, conflicts_with_all = ["new_ca", "renew", "compromised", "abort"])]
    pub withdraw: bool,
    /// Work on every server of the configuration
    #[arg(long, global = true, conflicts_with = "hosts")]
    pub all: bool,
}

/// What is not to be trusted any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Compromised {
    /// The server's key.
    Key,
    /// The CA.
    Ca,
}

impl Start {
    /// What the operator asked for; `None` where a pass shall only go on.
    pub fn request(&self) -> Option<Request> {
        match (self.compromised, &self.new_ca) {
            (Some(Compromised::Key), _) => return Some(Request::CompromisedKey),
            (Some(Compromised::Ca), issuer) => {
                return Some(Request::CompromisedCa(issuer.clone().flatten()));
            }
            (None, Some(issuer)) => return Some(Request::NewCa(issuer.clone())),
            (None, None) => {}
        }
        if self.renew {
            Some(Request::Renew)
        } else if self.abort {
            Some(Request::Abort)
        } else if self.withdraw {
            Some(Request::Withdraw)
        } else {
            None
        }
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// What the next pass would do, and the timeline after it; changes nothing anywhere
    Plan,
    /// Each server: certificate, records, and what it waits for, until when and why
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// As one page with a picture, into this file
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        html: Option<PathBuf>,
    },
    /// The ledger of decisions: time, observation, decision, action, result
    History {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
        /// At most this many of the latest lines of each server
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: usize,
    },
    /// The accounts at ACME CAs: URL, status, contacts, key; or another key for them
    Account(super::account::AccountArgs),
    /// What other ACME clients call as their hook: certbot, dehydrated, lego, acme.sh or uacme
    Hook {
        /// The client's name, and what it passes; without a name it is recognised
        #[arg(value_name = "CLIENT [ARGUMENT]", trailing_var_arg = true)]
        #[arg(allow_hyphen_values = true)]
        call: Vec<String>,
    },
    /// Print the TLSA records for a certificate file or a live server
    Tlsa(super::tlsa::TlsaArgs),
    /// The shipped policies, and the exhaustive check of any
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// DNS provider plugins
    #[command(subcommand)]
    Plugin(super::plugin::PluginCommand),
    /// A whole change of CA on a small world of its own, on this machine, without any set-up
    Demo(super::demo::DemoArgs),
    /// What is wrong with the DANE of mail domains or servers, anybody's; changes nothing
    Check(super::check::CheckArgs),
    /// Look at a mail domain, and write a configuration for its servers
    Init(super::init::InitArgs),
    /// Print the completions of a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    Man {
        /// The directory, which is made where it is missing
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// What can be asked of policies.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// Search every state that a rollover under a policy can come to, for a stranded sender
    Check(super::policy_check::CheckArgs),
    /// The names of the shipped policies, and what each is for
    List,
    /// The text of a shipped policy, to start an own one from
    Show {
        /// Its name; `template` documents every key
        name: String,
    },
}
