//! `rollover policy list|show|check`: the policies that are part of the program, and any other.

use std::io::Write;

use super::Failure;
use super::args::PolicyCommand;
use crate::policy::shipped;

/// Lists them, prints one, or checks one.
pub(super) async fn run(
    command: &PolicyCommand,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check(arguments) => super::policy_check::run(arguments, out).await,
        PolicyCommand::List => {
            for policy in shipped::list() {
                let description = policy.policy().description;
                let _ = writeln!(out, "{:<14} {description}", policy.name());
            }
            Ok(())
        }
        PolicyCommand::Show { name } if name == "template" => {
            let _ = out.write_all(shipped::TEMPLATE.as_bytes());
            Ok(())
        }
        PolicyCommand::Show { name } => match shipped::text(name) {
            Some(text) => {
                let _ = out.write_all(text.text().as_bytes());
                Ok(())
            }
            None => {
                let names: Vec<&str> = shipped::names().collect();
                Err(Failure::Usage(format!(
                    "there is no shipped policy `{name}`; there are: {}",
                    names.join(", ")
                )))
            }
        },
    }
}
