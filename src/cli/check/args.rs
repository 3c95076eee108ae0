//! What can be written after `rollover check`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::time::Span;

/// The arguments of `rollover check`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_STATUS)]
pub struct CheckArgs {
    /// Mail domains: each is looked at with all its MX hosts
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Read more mail domains from FILE, one a line; `-` is standard input (repeatable)
    #[arg(long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// Ask this resolver (repeatable; default: the configuration's, else /etc/resolv.conf's)
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = super::resolver_address)]
    pub resolver: Vec<SocketAddr>,
    /// DS or DNSKEY records to trust (default: the configuration's, else the IANA root's)
    #[arg(long, value_name = "FILE")]
    pub trust_anchor_file: Option<PathBuf>,
    /// Look at this machine as a sender too: its resolver, Postfix or Exim
    #[arg(long)]
    pub outbound: bool,
    /// As JSON: the same as `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// In which form to report
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
    /// Write a page for browsers to FILE as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Over IPv4 alone
    #[arg(long, short = '4')]
    pub ipv4: bool,
    /// Over IPv6 alone
    #[arg(long, short = '6')]
    pub ipv6: bool,
    /// How long one connection to a mail server may take
    #[arg(long, value_name = "SPAN", default_value = "20s")]
    pub timeout: Span,
}

/// In which form to report.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// A line for Nagios, Icinga and the like.
    Nagios,
    /// Metrics for Prometheus' textfile collector.
    Prometheus,
}

/// The exit codes, at the end of the help.
const EXIT_STATUS: &str = "Exit status, that of the worst finding, as monitoring plugins have it:
  0  OK
  1  WARNING   mail is delivered, but unprotected or with nothing to spare
  2  CRITICAL  senders that use DANE do not deliver
  3  UNKNOWN   it could not be found out";
