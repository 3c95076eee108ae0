//! `rollover policy check`: an exhaustive search of what can happen under a policy.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::policy::{self, Policy, shipped};
use crate::sim::model::{Explored, Finding, Limits, Procedure, Search};

/// What to check, and how far.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// A policy file, or the name of a shipped policy
    pub policy: PathBuf,
    /// How many things go wrong on the way to a state, at most: a crash, a lost answer, a silent
    /// server, a reload that fails ...
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub faults: u8,
    /// How often the operator asks for something else half-way, at most
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub changes_of_mind: u8,
    /// Only this procedure, by the name that the table gives it; each of them if none is named
    #[arg(long, value_name = "NAME")]
    pub procedure: Option<String>,
}

/// How many states are looked at before a search is given up.
const STATES_MAX: usize = 5_000_000;

/// Reads the policy: a text with a slash, or with the ending `.toml`, is a file.
fn read(arguments: &CheckArgs) -> Result<Policy, Failure> {
    let name = arguments.policy.display().to_string();
    if !name.contains('/') && !name.ends_with(".toml") {
        let names: Vec<&str> = shipped::names().collect();
        return shipped::by_name(&name).ok_or_else(|| {
            Failure::Usage(format!(
                "there is no shipped policy `{name}`; there are: {}",
                names.join(", ")
            ))
        });
    }
    let text = std::fs::read_to_string(&arguments.policy).map_err(|error| {
        Failure::Usage(format!("cannot read the policy file `{name}`: {error}"))
    })?;
    policy::file::parse(&text, &name).map_err(|diagnostics| {
        let all: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        Failure::Usage(all.join("\n"))
    })
}

/// The procedures to search.
fn procedures(arguments: &CheckArgs) -> Result<Vec<Procedure>, Failure> {
    let Some(name) = &arguments.procedure else { return Ok(Procedure::ALL.to_vec()) };
    let named = Procedure::ALL.into_iter().find(|procedure| procedure.as_str() == name);
    let all = Procedure::ALL.map(Procedure::as_str).join(", ");
    let procedure = named.ok_or_else(|| {
        Failure::Usage(format!("there is no procedure `{name}`; there are: {all}"))
    })?;
    Ok(vec![procedure])
}

/// Searches, each procedure on a thread of its own.
pub(super) async fn run(
    arguments: &CheckArgs,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let policy = read(arguments)?;
    let procedures = procedures(arguments)?;
    let limits = Limits {
        faults: arguments.faults,
        changes_of_mind: arguments.changes_of_mind,
        states: STATES_MAX,
    };
    let _ = writeln!(out, "{}: {}", policy.name, policy.description);
    let _ = writeln!(
        out,
        "every order of events, with {} and {}\n",
        count(limits.faults, "fault"),
        count(limits.changes_of_mind, "change of mind")
    );
    let _ =
        writeln!(out, "{:<24} {:>9} {:>12} {:>7}", "procedure", "states", "transitions", "passes");
    let searches: Vec<_> = procedures
        .into_iter()
        .map(|procedure| {
            let policy = policy.clone();
            let search = move || Search::new(policy)?.explore(procedure, limits);
            (procedure, tokio::task::spawn_blocking(search))
        })
        .collect();
    let mut total = Explored::default();
    for (procedure, search) in searches {
        let explored = search
            .await
            .expect("a search does not panic")
            .map_err(|found| Failure::Usage(told(&policy, procedure, &found)))?;
        let _ = writeln!(
            out,
            "{:<24} {:>9} {:>12} {:>7}",
            procedure.as_str(),
            explored.states,
            explored.transitions,
            explored.passes
        );
        total.states += explored.states;
        total.transitions += explored.transitions;
        total.is_cut_short |= explored.is_cut_short;
    }
    if total.is_cut_short {
        return Err(Failure::Usage(format!(
            "{}: there is more than {STATES_MAX} states of one procedure to look at, and no fault was \
             found in these; ask for fewer --faults or --changes-of-mind",
            policy.name
        )));
    }
    let _ = writeln!(
        out,
        "\n{} states and {} transitions: no sender is ever stranded, and from every state\n\
         the rollover ends, in at most the passes given, once everything works.",
        total.states, total.transitions
    );
    Ok(())
}

/// At most so many things, or none.
fn count(number: u8, thing: &str) -> String {
    match number {
        0 => format!("no {thing}"),
        1 => format!("at most one {thing}"),
        more => {
            let things = thing.replacen("fault", "faults", 1).replacen("change", "changes", 1);
            format!("at most {more} {things}")
        }
    }
}

/// What was found, as an operator can read it.
fn told(policy: &Policy, procedure: Procedure, found: &Finding) -> String {
    format!("the policy `{}` is not safe in a {}: {found}", policy.name, procedure.as_str())
}
