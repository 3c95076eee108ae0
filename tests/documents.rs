//! What documents tell operators to write into files is what the programs take that read these files.
//!
//! The commands that they tell them to type are held against the command line beside it
//! (`src/cli/said.rs`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test starts processes and writes files")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rollover::config::{self, CloudProvider, Environment};
use rollover::policy::{file, shipped};
use tempfile::TempDir;
use toml::{Table, Value};

/// The crate's directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents for operators: their names and texts.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// The fenced blocks of a text, each with what stands behind its fence.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.to_owned(), indent, String::new())),
            (Some((_, indent, text)), None) => {
                *text += line.get(*indent..).unwrap_or_default();
                text.push('\n');
            }
            (Some((kind, _, text)), Some(_)) => {
                found.push((std::mem::take(kind), std::mem::take(text)));
                open = None;
            }
            (None, None) => {}
        }
    }
    found
}

/// A table of a table, made where it is not there.
fn table<'a>(within: &'a mut Table, name: &str) -> &'a mut Table {
    let entry = within.entry(name).or_insert_with(|| Value::Table(Table::new()));
    entry.as_table_mut().unwrap()
}

/// A table as it is written.
fn written(text: &str) -> Value {
    Value::Table(text.parse().unwrap())
}

/// Makes a part of a configuration whole: a host where it has none; where a host has no `deploy`, the
/// README's; an issuer and a provider where none is named, and their tables where those are missing.
fn complete(mut fragment: Table, directory: &Path) -> Table {
    fragment.insert("state-dir".to_owned(), directory.display().to_string().into());
    let first = |fragment: &Table, tables: &str, other: &str| {
        let tables = fragment.get(tables).and_then(Value::as_table);
        tables.and_then(|tables| tables.keys().next()).map_or(other, String::as_str).to_owned()
    };
    let defaults = fragment.get("defaults").and_then(Value::as_table).cloned().unwrap_or_default();
    let parties = [
        ("issuer", "issuers", first(&fragment, "issuers", "house")),
        ("dns", "dns", first(&fragment, "dns", "primary")),
    ];
    let hosts = table(&mut fragment, "hosts");
    if hosts.is_empty() {
        table(hosts, "mail.example.nl");
    }
    let mut named = Vec::new();
    for (_, host) in hosts.iter_mut() {
        let host = host.as_table_mut().unwrap();
        for (key, tables, name) in &parties {
            let name = host
                .get(*key)
                .or_else(|| defaults.get(*key))
                .cloned()
                .unwrap_or_else(|| name.clone().into());
            named.push((*tables, name.as_str().unwrap().to_owned()));
            host.insert((*key).to_owned(), name);
        }
        let deploy =
            "type = \"files\"\nchain-file = \"mail.pem\"\nreload = [\"postfix\", \"reload\"]";
        host.entry("deploy").or_insert_with(|| written(deploy));
    }
    for (tables, name) in named {
        let missing = match tables {
            "issuers" => "type = \"external\"",
            _ => "type = \"rfc2136\"\nserver = \"192.0.2.53:53\"\ntsig-key-file = \"made-up.key\"",
        };
        table(&mut fragment, tables).entry(name).or_insert_with(|| written(missing));
    }
    fragment
}

/// The provider of this name.
fn provider(name: &str) -> CloudProvider {
    CloudProvider::ALL.into_iter().find(|provider| provider.name() == name).expect("a provider")
}

/// Credentials of a provider, made up.
fn credentials(name: &str) -> String {
    provider(name).required().iter().map(|key| format!("{key} = \"made up\"\n")).collect()
}

/// Makes up the files that a configuration names and that are read with it, secret ones as they must be.
fn make_up_files(value: &Value, directory: &Path) {
    let text = match value.get("provider").and_then(Value::as_str) {
        Some(provider) => credentials(provider),
        None => "key \"rollover\" { algorithm hmac-sha256; secret \"c2VjcmV0\"; };\n".to_owned(),
    };
    let write = |name: &Value| {
        let Some(name) = name.as_str().filter(|name| !name.starts_with('/')) else { return };
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    for (key, value) in value.as_table().into_iter().flatten() {
        match value {
            Value::Table(_) => make_up_files(value, directory),
            Value::Array(names) if key == "known-anchors" => names.iter().for_each(write),
            Value::String(_) if key.ends_with("-file") => write(value),
            Value::Array(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Float(_)
            | Value::Integer(_)
            | Value::String(_) => {}
        }
    }
}

/// All that is wrong with a configuration that is made whole.
fn mistakes(name: &str, text: &str) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let fragment: Table = text.parse().unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    let whole = Value::Table(complete(fragment, directory.path()));
    make_up_files(&whole, directory.path());
    let path = directory.path().join("rollover.toml");
    std::fs::write(&path, toml::to_string(&whole).unwrap()).unwrap();
    let errors = config::load(&path, &Environment::default()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// The same text with each remark in its turn that offers a key and its value, as it would be written.
fn offers(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let offer = |line: &str| {
        let rest = line.trim_start().strip_prefix("# ")?;
        let (key, _) = rest.split_once(" = ")?;
        let is_key = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        is_key.then(|| (key.to_owned(), rest.to_owned()))
    };
    let is_header = |line: &&str| line.trim_start_matches("# ").starts_with('[');
    let offered = |(position, line): (usize, &&str)| {
        let (key, rest) = offer(line)?;
        let start = lines[..position].iter().rposition(is_header);
        if let Some(header) = start.and_then(|start| lines[start].strip_prefix("# ")) {
            // The table that it would stand in is offered itself.
            return Some((rest.clone(), format!("{text}\n{header}\n{rest}\n")));
        }
        // It takes the place of the line with the same key that stands in the same table, if any.
        let is_same = |line: &str| line.trim_start().starts_with(&format!("{key} = "));
        let end = lines[position..].iter().position(is_header);
        let table = start.unwrap_or(0)..end.map_or(lines.len(), |end| position + end);
        let replaced: Vec<&str> = (0..lines.len())
            .filter(|number| {
                *number == position || !(table.contains(number) && is_same(lines[*number]))
            })
            .map(|number| if number == position { rest.as_str() } else { lines[number] })
            .collect();
        Some((rest.clone(), replaced.join("\n") + "\n"))
    };
    lines.iter().enumerate().filter_map(offered).collect()
}

#[test]
fn every_configuration_is_taken() {
    let example = std::fs::read_to_string(root().join("examples/rollover.toml")).unwrap();
    let mut all = vec![("examples/rollover.toml".to_owned(), example)];
    for (name, text) in documents() {
        let written = blocks(&text).into_iter().filter(|(kind, _)| kind == "toml");
        all.extend(written.map(|(_, block)| (name.clone(), block)));
    }
    assert!(8 <= all.len(), "only {} configurations were found", all.len());
    let mut offered = 0;
    for (name, text) in all {
        assert_eq!(mistakes(&name, &text), [""; 0], "{name}");
        for (line, text) in offers(&text) {
            // Some go with a value that another key does not have there; but each is a key.
            let mistakes = mistakes(&name, &text);
            let unknown = mistakes.iter().filter(|mistake| mistake.contains("unknown key"));
            assert_eq!(unknown.count(), 0, "{name}: {line}: {mistakes:#?}");
            offered += 1;
        }
    }
    assert!(20 <= offered, "only {offered} keys were offered in remarks");
}

#[test]
fn every_shipped_policy_is_taken_as_a_file() {
    let directory = root().join("policies");
    for name in shipped::names().chain(["template"]) {
        let path = directory.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let errors = file::parse(&text, name).err();
        assert!(errors.is_none(), "{name}: {errors:?}");
    }
}

/// What stands in `named.conf`, with the files that it includes.
#[test]
fn every_zone_is_taken_by_bind() {
    let mut tried = 0;
    for (name, text) in documents() {
        let is_zone = |(kind, block): &(String, String)| {
            kind.is_empty() && block.contains("zone \"") && block.contains(';')
        };
        for (_, block) in blocks(&text).into_iter().filter(is_zone) {
            let directory = TempDir::new().unwrap();
            let key = directory.path().join("rollover.key");
            let stanza =
                "key \"rollover\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0\";\n};\n";
            std::fs::write(&key, stanza).unwrap();
            let block = block.replace("/etc/rollover/rollover.key", &key.display().to_string());
            let prologue = match block.contains("include") {
                true => String::new(),
                false => stanza.to_owned(),
            };
            let file = directory.path().join("named.conf");
            std::fs::write(&file, prologue + &block).unwrap();
            let output = Command::new("named-checkconf").arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && said.is_empty(), "{name}: {said}\n{block}");
            tried += 1;
        }
    }
    assert!(3 <= tried, "only {tried} zones were found");
}

/// Settings of Postfix in a text: `name = value` between backquotes, and what `postconf -e` is given.
fn postfix_settings(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut found: Vec<String> = joined.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    for line in joined.lines().filter(|line| line.contains("postconf -e ")) {
        let (_, words) = line.split_once("postconf -e ").unwrap();
        found.extend(words.split_whitespace().map(|word| word.replace(['\'', '"', '`'], "")));
    }
    found.retain(|setting| {
        let name = setting.split('=').next().unwrap_or_default().trim_end();
        let is_name =
            name.starts_with("smtp") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_name && setting.contains('=')
    });
    found
}

#[test]
fn every_setting_of_postfix_is_one() {
    let mut all = Vec::new();
    for (name, text) in documents() {
        all.extend(postfix_settings(&text).into_iter().map(|setting| (name.clone(), setting)));
    }
    assert!(5 <= all.len(), "only {} settings were found", all.len());
    // Each run looks for a name of the machine in the DNS, which takes seconds where there is none: so
    // all settings go into one, but for those of which there are several.
    while !all.is_empty() {
        let mut main = BTreeMap::new();
        all.retain(|(name, setting)| {
            let (key, value) = setting.split_once('=').unwrap();
            let entry = (value.trim().to_owned(), name.clone());
            let taken = main.entry(key.trim().to_owned()).or_insert_with(|| entry.clone());
            *taken != entry && taken.0 != entry.0
        });
        let directory = TempDir::new().unwrap();
        let lines: String =
            main.iter().map(|(key, (value, _))| format!("{key} = {value}\n")).collect();
        let text = format!("compatibility_level = 3.6\n{lines}");
        std::fs::write(directory.path().join("main.cf"), text).unwrap();
        std::fs::write(directory.path().join("master.cf"), "").unwrap();
        let mut command = Command::new("postconf");
        let output = command.arg("-n").arg("-c").arg(directory.path()).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{main:#?}: {complaints}");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        for (key, (value, name)) in &main {
            let line = format!("{key} = {value}");
            assert!(
                shown.lines().any(|shown| shown == line.trim_end()),
                "{name}: {line}:\n{shown}"
            );
        }
    }
}

/// A line of cron's: its five fields, within what each may be.
fn is_cron_line(line: &str) -> bool {
    let fields: Vec<&str> = line.split_whitespace().take(5).collect();
    let limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let is_number = |text: &str, (low, high): (u32, u32)| {
        text.parse::<u32>().is_ok_and(|number| low <= number && number <= high)
    };
    fields.len() == 5
        && fields.iter().zip(limits).all(|(field, limits)| {
            field.split(',').all(|part| {
                let (range, step) = part.split_once('/').unwrap_or((part, "1"));
                let ends: Vec<&str> = range.split('-').collect();
                let is_range = range == "*" || ends.iter().all(|end| is_number(end, limits));
                is_range && is_number(step, (1, limits.1))
            })
        })
}

#[test]
fn every_line_of_cron_names_a_time_and_the_program() {
    let mut lines: Vec<(String, String)> = Vec::new();
    let cron = std::fs::read_to_string(root().join("packaging/rollover.cron")).unwrap();
    let mut texts = documents();
    texts.push(("packaging/rollover.cron".to_owned(), cron));
    for (name, text) in texts {
        let found = text.lines().filter_map(|line| {
            let start = line.find("*/")?;
            let line = line[start..].split('\'').next()?.trim_end();
            (line.matches('*').count() == 5).then(|| (name.clone(), line.to_owned()))
        });
        lines.extend(found);
    }
    assert!(3 <= lines.len(), "only {} lines were found", lines.len());
    for (name, line) in lines {
        assert!(is_cron_line(&line), "{name}: {line}");
        let command: Vec<&str> = line.split_whitespace().skip(5).collect();
        // In /etc/cron.d there is a user before the command.
        let program = command.iter().find(|word| word.starts_with('/')).unwrap();
        assert!(program.ends_with("/bin/rollover"), "{name}: {line}");
        assert!(command.len() == 1 || command == ["root", program], "{name}: {line}");
    }
}

/// The units of the package; the program that they start is the one under test.
#[test]
fn every_unit_is_taken_by_systemd() {
    let directory = TempDir::new().unwrap();
    for name in ["rollover.service", "rollover.timer"] {
        let text = std::fs::read_to_string(root().join("packaging").join(name)).unwrap();
        let text = text.replace("/usr/bin/rollover", env!("CARGO_BIN_EXE_rollover"));
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]);
    command.args(["rollover.service", "rollover.timer"].map(|name| directory.path().join(name)));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("rollover")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
    let mut command = Command::new("systemd-analyze");
    // In tenths: each systemd counts a little differently.
    command.args(["security", "--offline=true", "--threshold=30"]);
    let output = command.arg(directory.path().join("rollover.service")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "it is exposed: {said}");
    let mut command = Command::new("systemd-analyze");
    let calendar = command.args(["calendar", "*:0/10"]).output().unwrap();
    assert!(calendar.status.success(), "the timer's OnCalendar");
}

#[test]
fn the_table_of_cloud_providers_is_what_the_program_knows() {
    let documents = documents();
    let (_, text) = documents.iter().find(|(name, _)| name == "docs/plugins.md").unwrap();
    let (_, text) = text.split_once("| provider | credentials | and perhaps |\n").unwrap();
    let words = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let rows = text.lines().skip(1).take_while(|line| line.starts_with('|'));
    let written: Vec<[Vec<String>; 3]> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
            let mut keys = words(cells[1]);
            keys.retain(|key| key != "ovh-eu");
            [words(cells[0]), keys, words(cells[2])]
        })
        .collect();
    let own = |keys: &[&str]| -> Vec<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
    let known = CloudProvider::ALL.map(|provider| {
        [own(&[provider.name()]), own(provider.required()), own(provider.optional())]
    });
    assert_eq!(written, known);
}
