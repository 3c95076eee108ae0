//! One function for each kind of foreign input: any octets must come to a value or to an error.
//!
//! Shared by the fuzz targets and by `tests/fuzz_corpus.rs`, which runs them on the seeds in CI.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rollover::config::{Environment, Files};
use rollover::dns::{Anchors, TsigKey};
use rollover::hook::{Call, Challenge, Obtained, Surroundings};
use rollover::ledger::SqliteLedger;
use rollover::name::DnsName;
use rollover::pki::{Certificate, Chain};
use rollover::ports::{Ledger as _, Protocol};
use rollover::rollover::state::HostState;
use rollover::secret::SecretError;
use rollover::time::Timestamp;
use rollover::tlsa::{Parameters, Record, Usage, fit, judge};

/// When all this happens: the seeds' signatures and certificates are valid then.
const NOW: i64 = 1_795_478_400;

/// A function that takes any octets.
pub type Body = fn(&[u8]);

/// All of them, each with the folder of its seeds.
pub const ALL: [(&str, Body); 11] = [
    ("configuration", configuration),
    ("policy", policy),
    ("key_file", key_file),
    ("trust_anchors", trust_anchors),
    ("dns_answer", dns_answer),
    ("dialogue", dialogue),
    ("chain", chain),
    ("plugin_answers", plugin_answers),
    ("hook_call", hook_call),
    ("ledger_rows", ledger_rows),
    ("tlsa_text", tlsa_text),
];

/// A file system in which every file holds the same text.
struct Everywhere<'a>(&'a str);

impl Files for Everywhere<'_> {
    fn read(&self, _: &Path) -> io::Result<String> {
        Ok(self.0.to_owned())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(vec!["rollover.toml".to_owned(), "more.toml".to_owned()])
    }

    fn inspect(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn inspect_secret(&self, _: &Path) -> Result<(), SecretError> {
        Ok(())
    }
}

/// A configuration; what is wrong with it can be shown.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let environment = Environment {
        state_directory: Some("/var/lib/rollover".to_owned()),
        credentials_directory: Some(PathBuf::from("/run/credentials")),
    };
    let path = Path::new("/etc/rollover/rollover.toml");
    match rollover::config::parse(path, &Everywhere(&text), &environment) {
        Ok(configuration) => drop(format!("{configuration:?}")),
        Err(found) => {
            assert!(!found.is_empty(), "refused without a reason");
            found.iter().for_each(|diagnostic| drop(diagnostic.to_string()));
        }
    }
}

/// A policy file.
pub fn policy(data: &[u8]) {
    if let Err(found) = rollover::policy::file::parse(&String::from_utf8_lossy(data), "fuzz.toml") {
        assert!(!found.is_empty(), "refused without a reason");
        found.iter().for_each(|diagnostic| drop(diagnostic.to_string()));
    }
}

/// A key file as tsig-keygen writes it; no error shows what may be the secret.
pub fn key_file(data: &[u8]) {
    drop(TsigKey::parse(&String::from_utf8_lossy(data), "fuzz.key").map_err(|e| e.to_string()));
}

/// A file of trust anchors.
pub fn trust_anchors(data: &[u8]) {
    drop(Anchors::parse(&String::from_utf8_lossy(data)).map_err(|e| e.to_string()));
}

/// Takes a piece off the front: two octets of length, and so many more.
fn piece<'d>(data: &mut &'d [u8]) -> &'d [u8] {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return &[] };
    let (piece, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
    *data = rest;
    piece
}

/// The keys of a zone, a name, and the answer of a server for it: two messages, a name between them.
pub fn dns_answer(data: &[u8]) {
    let mut rest = data;
    let (keys, name) = (piece(&mut rest), piece(&mut rest));
    let name = String::from_utf8_lossy(name);
    let now = Timestamp::from_seconds(NOW);
    drop(rollover::dns::fuzzing::judge_answer(keys, rest, &name, now));
}

thread_local! {
    /// Runs the conversations.
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    /// A ledger, and a connection of somebody who writes anything into it.
    static LEDGER: RefCell<(tempfile::TempDir, SqliteLedger, rusqlite::Connection)> =
        RefCell::new(spoilt_ledger());
}

/// What a mail server says up to TLS.
pub fn dialogue(data: &[u8]) {
    let Some((first, said)) = data.split_first() else { return };
    let protocols = [Protocol::Smtp, Protocol::Imap, Protocol::Pop3];
    let protocol = protocols[usize::from(*first) % protocols.len()];
    RUNTIME.with(|runtime| drop(runtime.block_on(rollover::probe::fuzzing::talk(said, protocol))));
}

/// Certificates, each with its length before it: what fits by a record of one of them validates too.
pub fn chain(data: &[u8]) {
    let mut rest = data;
    let mut certificates = Vec::new();
    while 2 < rest.len() && certificates.len() < 8 {
        if let Ok(certificate) = Certificate::from_der(piece(&mut rest)) {
            certificates.push(certificate);
        }
    }
    let Some(chain) = Chain::new(certificates) else { return };
    let base: DnsName = "mail.example.nl".parse().expect("a name");
    let now = Timestamp::from_seconds(NOW);
    for parameters in ["3 1 1", "3 0 1", "2 0 0", "2 1 0", "2 1 1", "2 0 2"] {
        let parameters: Parameters = parameters.parse().expect("parameters");
        for certificate in chain.certificates() {
            let records = [Record::from(parameters.associate(certificate))].into();
            let fits = fit(&records, &chain, &base, now).is_some();
            drop(format!("{:?}", judge(&records, &chain, std::slice::from_ref(&base), now)));
            let own = parameters.usage == Usage::DaneEe && certificate == chain.leaf();
            assert!(fits || !own, "a key's own record fits whatever the certificate says");
        }
    }
}

/// What is the longest that anybody reads of a message.
const MESSAGE_MAX: usize = 1000;

/// What a plugin says, line by line: an RRset is written as it can be read again, and a message fits
/// a terminal.
pub fn plugin_answers(data: &[u8]) {
    let answers =
        RUNTIME.with(|runtime| runtime.block_on(rollover::dns::fuzzing::plugin_answers(data)));
    for answer in answers {
        match answer {
            Ok(rrset) => {
                for record in &rrset.records {
                    assert_eq!(record.to_string().parse().as_ref(), Ok(record));
                }
            }
            Err(message) => {
                assert!(!message.chars().any(char::is_control), "{message:?}");
                assert!(message.chars().count() <= MESSAGE_MAX, "{message}");
            }
        }
    }
}

/// How a client calls: its arguments, one a line, an empty line, and its variables, one a line. What is
/// understood can be done.
pub fn hook_call(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (arguments, variables) = text.split_once("\n\n").unwrap_or((&text, ""));
    let arguments = arguments.lines().map(str::to_owned).collect();
    let variables: BTreeMap<String, String> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match rollover::hook::understand(Surroundings { arguments, variables }) {
        Ok(Call::Certificate(obtained)) => names_files(&obtained),
        Ok(Call::Challenges(challenges)) => {
            assert!(!challenges.is_empty(), "a call that asks for nothing");
            challenges.iter().for_each(can_be_published);
        }
        Ok(Call::Either(challenge, obtained)) => {
            can_be_published(&challenge);
            names_files(&obtained);
        }
        Ok(Call::Nothing | Call::Decline) => {}
        Err(error) => drop(error.to_string()),
    }
}

/// What was obtained is somewhere.
fn names_files(obtained: &Obtained) {
    assert!(!obtained.chain.is_empty(), "a certificate without a file");
    for path in obtained.chain.iter().chain([&obtained.key]).chain(&obtained.next_key) {
        assert!(!path.as_os_str().is_empty(), "a file without a path");
    }
}

/// A proof is a text that a TXT record can hold, at its name or below it.
fn can_be_published(challenge: &Challenge) {
    let Challenge { owner, domain, value, .. } = challenge;
    assert!(owner.as_str().ends_with(domain.as_str()), "{owner} proves nothing of {domain}");
    let printable = value.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\');
    assert!(printable && (1..=255).contains(&value.len()), "no proof: {value:?}");
}

/// A new ledger with a host that nothing is known of.
fn spoilt_ledger() -> (tempfile::TempDir, SqliteLedger, rusqlite::Connection) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(directory.path()).expect("a ledger");
    ledger.save("mx1", &HostState::default(), &[]).expect("a host");
    let connection = rusqlite::Connection::open(directory.path().join("ledger.sqlite"));
    let connection = connection.expect("a second connection");
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF",
        )
        .expect("settings");
    (directory, ledger, connection)
}

/// One value for a column, out of a few octets: what may well stand there, or anything.
fn value(data: &mut &[u8]) -> rusqlite::types::Value {
    use rusqlite::types::Value;
    let words = [
        "mx1",
        "renewal",
        "ecdsa-p256",
        "rsa-2048",
        "1",
        "",
        "next",
        "current",
        "mail.example.nl",
        "_25._tcp.mail.example.nl.",
        "127.0.0.1:25",
        "ecdsa",
        "rsa",
        "change-of-ca",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    let Some((first, rest)) = data.split_first() else { return Value::Null };
    *data = rest;
    match first {
        0..=59 => Value::Integer(i64::from(*first) - 2),
        60..=180 => Value::Text(words[usize::from(*first) % words.len()].to_owned()),
        181..=210 => Value::Text(String::from_utf8_lossy(piece(data)).into_owned()),
        211..=230 => Value::Blob(piece(data).to_vec()),
        231..=245 => Value::Null,
        _ => Value::Integer(i64::MIN / i64::from(*first) * 3),
    }
}

/// Rows that no program of ours wrote: the host is loaded, or the ledger says what is wrong.
pub fn ledger_rows(data: &[u8]) {
    LEDGER.with_borrow(|(_directory, ledger, connection)| {
        let transaction_sql = "BEGIN IMMEDIATE";
        connection.execute_batch(transaction_sql).expect("a transaction");
        let mut names = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .expect("the schema");
        let tables: Vec<String> =
            names.query_map([], |row| row.get(0)).expect("tables").flatten().collect();
        let mut rest = data;
        while let Some((first, more)) = rest.split_first() {
            rest = more;
            let table = &tables[usize::from(*first) % tables.len()];
            if table == "migration" {
                continue;
            }
            let count = connection
                .query_row("SELECT count(*) FROM pragma_table_info(?1)", [table], |r| {
                    r.get::<_, i64>(0)
                })
                .unwrap_or(0);
            let values: Vec<_> = (0..count).map(|_| value(&mut rest)).collect();
            let marks = vec!["?"; values.len()].join(", ");
            let sql = format!("INSERT OR REPLACE INTO {table} VALUES ({marks})");
            let _ = connection.execute(&sql, rusqlite::params_from_iter(values));
        }
        connection.execute_batch("COMMIT").expect("the rows are there");
        drop(ledger.load("mx1").map_err(|error| error.to_string()));
        drop(ledger.history("mx1", 100).map_err(|error| error.to_string()));
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        for table in tables.iter().filter(|table| *table != "migration") {
            let _ = connection.execute(&format!("DELETE FROM {table}"), []);
        }
        connection.execute_batch("COMMIT").expect("the rows are gone");
    });
}

/// A TLSA record as text; what was read is written and read again as the same.
pub fn tlsa_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(record) = text.parse::<Record>() {
        let again: Record = record.to_string().parse().expect("what was written can be read");
        assert_eq!(again, record);
        drop(record.association().map_err(|error| error.to_string()));
    }
    drop(text.parse::<Parameters>().map_err(|error| error.to_string()));
    drop(text.parse::<DnsName>().map_err(|error| error.to_string()));
}
