//! `rollover account`: the accounts at ACME CAs, and other keys for them.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use clap::Args;

use super::Failure;
use super::args::Global;
use super::world::read_configuration;
use crate::clock::SystemClock;
use crate::config::{AcmeConfig, Configuration, IssuerConfig};
use crate::issuer::{AccountView, AcmeAccount, Limits};
use crate::ledger::PassLock;
use crate::ports::Clock;

/// What `rollover account` takes.
#[derive(Args, Clone, Debug)]
pub struct AccountArgs {
    /// The issuers, as the configuration names them; every ACME issuer where none is named
    #[arg(value_name = "ISSUER")]
    issuers: Vec<String>,
    /// Give the account another key (RFC 8555, section 7.3.5)
    #[arg(long)]
    new_key: bool,
}

/// Shows accounts, or gives them other keys.
pub(super) async fn run(
    global: &Global,
    arguments: &AccountArgs,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let configuration = read_configuration(global)?;
    let chosen = choose(&arguments.issuers, &configuration)?;
    let changes = arguments.new_key && !global.dry_run;
    // No pass may use an account while its key changes.
    let _lock = match changes {
        true => Some(PassLock::acquire(&configuration.state_dir)?),
        false => None,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let exchange = Limits::default().exchange;
    let mut failed = false;
    for (name, config) in chosen {
        let state_dir = &configuration.state_dir;
        let account = AcmeAccount::new(name, config, state_dir, Arc::clone(&clock), exchange);
        let outcome = if changes { account.change_key().await } else { account.view().await };
        match outcome {
            Ok(Some(view)) => {
                let mut text = describe(name, config, &view);
                if arguments.new_key && !changes {
                    let _ = writeln!(text, "  would     get another key");
                }
                let _ = out.write_all(text.as_bytes());
            }
            Ok(None) => {
                let _ = writeln!(out, "{name}  no account yet: the next order makes one");
            }
            Err(error) => {
                failed = true;
                let _ = writeln!(err, "rollover: {error}\n  hint: {}", error.hint);
            }
        }
    }
    if failed { Err(Failure::Attention) } else { Ok(()) }
}

/// The ACME issuers of these names; all of them where none is named.
fn choose<'a>(
    names: &'a [String],
    configuration: &'a Configuration,
) -> Result<Vec<(&'a str, &'a AcmeConfig)>, Failure> {
    let acme = configuration.issuers.iter().filter_map(|(name, issuer)| match issuer {
        IssuerConfig::Acme(config) => Some((name.as_str(), config)),
        IssuerConfig::External(_) | IssuerConfig::OwnCa(_) => None,
    });
    let acme: Vec<_> = acme.collect();
    if names.is_empty() {
        return Ok(acme);
    }
    let one = |name: &'a String| {
        let found = acme.iter().find(|(known, _)| known == name).copied();
        found.ok_or_else(|| {
            let known: Vec<&str> = acme.iter().map(|(known, _)| *known).collect();
            Failure::Usage(format!(
                "there is no ACME issuer `{name}` in the configuration; there are: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
        })
    };
    names.iter().map(one).collect()
}

/// An account in a few lines.
fn describe(name: &str, config: &AcmeConfig, view: &AccountView) -> String {
    let contacts = |list: &[String]| match list {
        [] => "none".to_owned(),
        list => list.join(", "),
    };
    let mut text = String::new();
    let _ = writeln!(text, "{name}  {}", view.url);
    let _ = writeln!(text, "  status    {}", view.status);
    let _ = writeln!(text, "  contact   {}", contacts(&view.contact));
    if view.contact != config.contact {
        let wanted = contacts(&config.contact);
        let _ = writeln!(text, "            the next order tells the CA: {wanted}");
    }
    let _ = writeln!(text, "  key       thumbprint {}", view.thumbprint);
    if view.is_next_key_unknown {
        let _ = writeln!(
            text,
            "            a next key is stored that the CA does not know: \
             `rollover account {name} --new-key` goes on with it"
        );
    }
    text
}
