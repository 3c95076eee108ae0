//! `docs/recovery.md` has an entry for everything that the program says somebody has to do something
//! about, and none for what it does not say.
//!
//! The texts are taken from the source: what stands as the message of a problem or of a failure, and what
//! ports say of themselves. An entry's words are matched piece by piece, since both leave places open:
//! `{owner}` there, `OWNER` or `...` here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// The page.
const PAGE: &str = include_str!("../docs/recovery.md");

/// The least number of letters that say what an entry is about.
const LETTERS_MIN: usize = 10;

/// The source files in which problems and failures are worded.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["rollover", "pass"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    paths.extend(["ports/publisher.rs", "ports/deployer.rs"].map(|path| root.join(path)));
    // Requests that make no sense (`action.rs`) end a command before anything is done.
    paths.retain(|path| !path.ends_with("rollover/tests.rs") && !path.ends_with("action.rs"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
        (path.strip_prefix(&root).unwrap().display().to_string(), text)
    };
    paths.into_iter().map(read).collect()
}

/// The string literal that begins at the first quote of a text, as the compiler reads it.
fn literal(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text[text.find('"').unwrap() + 1..].chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => break,
            '\\' => match rest.next() {
                Some('n') => found.push(' '),
                Some('\n') => rest = rest.as_str().trim_start().chars(),
                Some(other) => found.push(other),
                None => {}
            },
            other => found.push(other),
        }
    }
    found
}

/// The texts of problems and failures in a source file.
fn messages(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for mark in ["message: ", "let message = ", "#[error("] {
        for (at, _) in source.match_indices(mark) {
            let rest = &source[at + mark.len()..];
            let is_text = ["format!(", "\"", "\n"].iter().any(|start| rest.starts_with(start));
            if is_text && rest.find('"').is_some_and(|quote| quote < 60) {
                found.push(literal(rest));
            }
        }
    }
    found.retain(|text| letters(&pieces(text)) >= LETTERS_MIN);
    found
}

/// What stands between the places that a text leaves open: braces, dots, and names in capitals.
fn pieces(text: &str) -> Vec<String> {
    let mut open = String::new();
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                open.push('\u{0}');
            }
            '…' => open.push('\u{0}'),
            other if depth == 0 => open.push(other),
            _ => {}
        }
    }
    let open = open.replace("...", "\u{0}");
    let is_name = |word: &str| {
        let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
        1 < letters.len()
            && letters.chars().all(|c| c.is_uppercase() || c == '-')
            && !["TLS", "TLSA", "CA", "TSIG", "DANE", "ACME", "TTL"].contains(&letters)
            || letters == "N"
    };
    let words = open.split(' ').map(|word| {
        if is_name(word) {
            word.replace(|c: char| c.is_alphanumeric() || c == '-', "\u{0}")
        } else {
            word.to_owned()
        }
    });
    let open = words.collect::<Vec<_>>().join(" ");
    let parts = open.split('\u{0}').map(|part| part.replace('`', "").trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

/// How many letters there are.
fn letters(pieces: &[String]) -> usize {
    pieces.iter().flat_map(|piece| piece.chars()).filter(|c| c.is_alphabetic()).count()
}

/// The entries of the page: what stands between backquotes in the first column of its table.
fn entries() -> Vec<String> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let first = rows.filter_map(|row| row.trim_start_matches("| ").split(" | ").next());
    let quoted = first.flat_map(|cell| {
        // Backquotes within a text are doubled at its ends.
        let cell = cell.replace("`` ", "\u{1}").replace(" ``", "\u{1}");
        let mark = if cell.contains('\u{1}') { '\u{1}' } else { '`' };
        cell.split(mark).skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    });
    quoted.collect()
}

/// Whether an entry is about a text: all its pieces are there, in order.
fn is_about(entry: &str, text: &str) -> bool {
    let said = pieces(text).join("\u{0}");
    let mut rest = said.as_str();
    let wanted = pieces(entry);
    LETTERS_MIN <= letters(&wanted)
        && wanted.iter().all(|piece| match rest.find(piece.as_str()) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
}

#[test]
fn every_problem_has_an_entry_and_every_entry_a_problem() {
    let mut all = Vec::new();
    for (name, source) in sources() {
        all.extend(messages(&source).into_iter().map(|text| (name.clone(), text)));
    }
    assert!(30 <= all.len(), "only {} texts were found", all.len());
    let entries = entries();
    let has_entry = |text: &str| entries.iter().any(|entry| is_about(entry, text));
    let missing = all.iter().filter(|(_, text)| !has_entry(text));
    let missing: Vec<String> = missing.map(|(name, text)| format!("{name}: {text}")).collect();
    assert!(missing.is_empty(), "without a way out:\n{}", missing.join("\n"));
    let is_said = |entry: &&String| all.iter().any(|(_, text)| is_about(entry, text));
    let stale: Vec<&String> = entries.iter().filter(|entry| !is_said(entry)).collect();
    assert!(stale.is_empty(), "nobody says: {stale:#?}");
}
