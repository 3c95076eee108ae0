//! What no lint sees: the size of files, their first lines, and who may know of whom.
//!
//! The rules are those that `src/lib.rs` gives under "What never happens"; where one has to give way,
//! it is changed there and here.

#![allow(clippy::disallowed_methods, reason = "a test reads files")]

use std::path::{Path, PathBuf};

/// The most lines of a file, without the tests in it.
const LINES_MAX: usize = 500;

/// The core: no port, file, socket, clock, async, thread or hash order.
const CORE: [&str; 6] = ["rollover/", "policy/", "tlsa/", "pki.rs", "name.rs", "time.rs"];

/// A crate or a call, and the only places that may name it.
const ROOMS: [(&str, &[&str]); 10] = [
    ("hickory_", &["dns/", "demo/wire.rs"]),
    ("dns_update", &["dns/cloud"]),
    ("instant_acme", &["issuer/"]),
    ("rusqlite", &["ledger/"]),
    ("rcgen", &["issuer/", "keys.rs", "demo/", "sim/pool.rs", "randomness.rs"]),
    ("clap::", &["cli/"]),
    ("Command::new", &["command.rs", "command/"]),
    ("SystemTime::now", &["clock.rs"]),
    ("Instant::now", &["clock.rs"]),
    ("process::exit", &[]),
];

/// Source files with their texts, by their paths below `src`.
fn sources() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![source.clone()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory of the source") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let name = path.strip_prefix(&source).expect("it is below").display().to_string();
                files.push((name, text));
            }
        }
    }
    assert!(200 < files.len(), "the source is there");
    files
}

/// A file without its tests and comments, each line with its number.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").zip(1..);
    let code = lines.map(|(line, number)| (number, line.split("//").next().unwrap_or_default()));
    code.filter(|(_, line)| !line.trim().is_empty())
}

/// Whether a file holds nothing but tests.
fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/") || name.contains("/snapshots/")
}

/// Fails with all that was found at once.
#[track_caller]
fn expect_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_file_begins_with_what_it_is() {
    let without = |(name, text): (String, String)| (!text.starts_with("//! ")).then_some(name);
    expect_none(&sources().into_iter().filter_map(without).collect::<Vec<_>>());
}

#[test]
fn each_file_has_one_subject() {
    let long = |(name, text): &(String, String)| {
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let is_long = LINES_MAX < lines && !is_test(name);
        is_long.then(|| format!("{name}: {lines} lines; look for the second subject in it"))
    };
    expect_none(&sources().iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let marks = ["TODO", "FIXME", "XXX", "unimplemented!", "todo!"];
    let left = |(name, text): &(String, String)| {
        marks.iter().find(|mark| text.contains(**mark)).map(|mark| format!("{name}: {mark}"))
    };
    expect_none(&sources().iter().filter_map(left).collect::<Vec<_>>());
}

#[test]
fn the_core_knows_nothing_outside_itself() {
    let outside = [
        "tokio",
        "async ",
        ".await",
        "std::fs",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "std::os",
        "TcpStream",
        "HashMap",
        "HashSet",
        "rand::",
        "crate::ports",
        "crate::dns",
        "crate::ledger",
        "crate::config",
        "crate::pass",
        "crate::cli",
    ];
    let mut found = Vec::new();
    for (name, text) in sources() {
        if !CORE.iter().any(|room| name.starts_with(room)) || is_test(&name) {
            continue;
        }
        for (number, line) in code(&text) {
            if let Some(word) = outside.iter().find(|word| line.contains(**word)) {
                found.push(format!("{name}:{number}: {word}"));
            }
        }
    }
    expect_none(&found);
}

#[test]
fn each_library_is_named_in_its_room_alone() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        for (word, rooms) in ROOMS {
            if is_test(&name) || rooms.iter().any(|room| name.starts_with(room)) {
                continue;
            }
            let named = code(&text).filter(|(_, line)| line.contains(word));
            found.extend(named.map(|(number, _)| format!("{name}:{number}: {word}")));
        }
    }
    expect_none(&found);
}

/// Adapters are put together by the command line alone.
#[test]
fn adapters_do_not_know_each_other() {
    let adapters = ["dns", "issuer", "deploy", "probe", "ledger"];
    let mut found = Vec::new();
    for (name, text) in sources() {
        let Some(own) = adapters.iter().find(|own| name.starts_with(&format!("{own}/"))) else {
            continue;
        };
        for other in adapters.iter().filter(|other| *other != own) {
            let named = code(&text).filter(|(_, line)| line.contains(&format!("crate::{other}::")));
            found.extend(named.map(|(number, _)| format!("{name}:{number}: {other}")));
        }
    }
    expect_none(&found);
}

/// The loop knows ports, and no adapter.
#[test]
fn the_pass_knows_ports_alone() {
    let adapters = ["dns", "issuer", "deploy", "probe", "ledger", "cli", "clock", "durable"];
    let mut found = Vec::new();
    for (name, text) in sources() {
        if !name.starts_with("pass/") || is_test(&name) {
            continue;
        }
        for adapter in adapters {
            let word = format!("crate::{adapter}");
            let named = code(&text).filter(|(_, line)| line.contains(&word));
            found.extend(named.map(|(number, _)| format!("{name}:{number}: {word}")));
        }
    }
    expect_none(&found);
}
