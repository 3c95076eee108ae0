//! What documents and messages tell operators to type is what the program takes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;

use super::args::Cli;

/// The files below a directory with this ending.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// The commands in a text: between backquotes, and on lines of their own in a block.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut found: Vec<String> = joined
        .lines()
        .filter_map(|line| {
            line.strip_prefix("    ").or_else(|| line.strip_prefix("rollover ").map(|_| line))
        })
        .map(|line| line.trim_start_matches("$ ").trim_start_matches("# ").to_owned())
        .collect();
    let folded = joined.split_whitespace().collect::<Vec<_>>().join(" ");
    found.extend(folded.split('`').skip(1).step_by(2).map(str::to_owned));
    found.retain(|command| command.starts_with("rollover "));
    found
}

/// The words of a command, without what the shell or the reader makes of the rest.
fn words(command: &str) -> Vec<String> {
    // Two spaces or more before a remark, as documents have them.
    let command = command.split("  ").next().unwrap_or_default();
    let ends =
        |word: &&str| !matches!(*word, "|" | ">" | "#" | "&&" | "(") && !word.starts_with('#');
    command.split_whitespace().take_while(ends).map(|word| word.replace('"', "")).collect()
}

#[test]
fn every_command_that_is_named_anywhere_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = files(&root.join("docs"), "md");
    all.push(root.join("README.md"));
    all.push(root.join("CHANGELOG.md"));
    all.extend(files(&root.join("src"), "rs"));
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        // A document's line of code begins with four spaces; a program's lines all do.
        let is_program = file.extension().is_some_and(|extension| extension == "rs");
        for command in commands(&text) {
            let words = words(&command);
            let has_choice =
                |word: &String| word.contains(['|', '[', '{', '%', '\\', '…']) || word == "...";
            let is_placeholder = |word: &String| word.chars().all(char::is_uppercase);
            let is_shorthand = words.iter().any(has_choice)
                || words.get(1).is_some_and(is_placeholder)
                || (is_program && !text.contains(&format!("`{command}`")));
            if is_shorthand || words.len() < 2 {
                continue;
            }
            tried += 1;
            let Err(error) = Cli::try_parse_from(&words) else { continue };
            let is_unknown =
                matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand);
            let is_invalid = error.kind() == ErrorKind::InvalidValue;
            if is_unknown || (is_invalid && !words.iter().any(is_placeholder)) {
                wrong.push(format!("{}: {command}: {}", file.display(), error.kind()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(100 < tried, "only {tried} commands were found");
}
