//! Removes files that no row has named for a while.
//!
//! A key that has just gone out of use may be wanted again: by an operator who puts yesterday's
//! ledger back, or who finds that the new certificate was a mistake. So a file is marked when a
//! sweep first finds that no row names it, and removed by the first sweep after [`RETENTION`]; it
//! is forgotten that it was marked when a row names it again.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::Trouble;
use super::files::{
    CERTIFICATES, CHAINS, Files, KEYS, certificate_name, chain_name, key_name, public_key_name,
};
use super::values::{to_chain_id, to_digest};
use crate::pki::Sha256Digest;
use crate::time::{Span, Timestamp};

/// How long a file is kept after no row names it: 30 days. No official reference.
const RETENTION: Span = Span::from_seconds(30 * 24 * 3600);

/// What the columns that name files hold, by kind of file.
const NAMED: [(&str, Kind); 5] = [
    ("SELECT chain FROM presence", Kind::Chain),
    ("SELECT chain FROM credential WHERE chain IS NOT NULL", Kind::Chain),
    ("SELECT anchor FROM credential WHERE anchor IS NOT NULL", Kind::Certificate),
    ("SELECT certificate FROM barred", Kind::Certificate),
    ("SELECT key FROM credential UNION SELECT key FROM standby", Kind::Key),
];

/// A kind of file.
#[derive(Clone, Copy)]
enum Kind {
    /// A chain.
    Chain,
    /// A certificate.
    Certificate,
    /// A private key, and its public half.
    Key,
}

/// Removes what no row has named for [`RETENTION`], and returns the names of what was removed.
pub(super) fn sweep(
    connection: &mut Connection,
    files: &Files,
    now: Timestamp,
) -> Result<BTreeSet<String>, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let named = named(&transaction, files)?;
    let present = present(files)?;
    let retired: BTreeSet<&String> = present.difference(&named).collect();
    let due = mark(&transaction, &retired, now)?;
    // The files first: a mark that is left without a file goes with the next sweep.
    for name in &due {
        files.remove(name)?;
        transaction.execute("DELETE FROM retired WHERE file = ?1", [name])?;
    }
    transaction.commit()?;
    remove_leftovers(files)?;
    Ok(due)
}

/// Marks what is retired and unmarks the rest; returns what has been retired for long enough.
fn mark(
    transaction: &Transaction<'_>,
    retired: &BTreeSet<&String>,
    now: Timestamp,
) -> Result<BTreeSet<String>, Trouble> {
    let mut statement = transaction.prepare("SELECT file, since FROM retired")?;
    let marked: Vec<(String, i64)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut due = BTreeSet::new();
    for (name, since) in marked {
        if !retired.contains(&name) {
            transaction.execute("DELETE FROM retired WHERE file = ?1", [&name])?;
        } else if Timestamp::from_millis(since) + RETENTION <= now {
            due.insert(name);
        }
    }
    for name in retired {
        let sql = "INSERT INTO retired (file, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        transaction.execute(sql, (name, now.as_millis()))?;
    }
    Ok(due)
}

/// The files that rows name.
fn named(transaction: &Transaction<'_>, files: &Files) -> Result<BTreeSet<String>, Trouble> {
    let mut names = BTreeSet::new();
    for (sql, kind) in NAMED {
        for text in column(transaction, sql)? {
            let digest = to_digest("credential", &text)?;
            names.extend(names_of(kind, &digest));
        }
    }
    // A certificate is revoked with its key, which no other row need name any more.
    for text in column(transaction, "SELECT chain FROM revocation")? {
        let id = to_chain_id("revocation", &text)?;
        names.insert(chain_name(&id));
        names.extend(names_of(Kind::Key, &files.chain(&id)?.leaf().spki_sha256()));
    }
    Ok(names)
}

/// The names of the files that this digest stands for.
fn names_of(kind: Kind, digest: &Sha256Digest) -> Vec<String> {
    match kind {
        Kind::Chain => vec![chain_name(&crate::pki::ChainId(*digest))],
        Kind::Certificate => vec![certificate_name(digest)],
        Kind::Key => vec![key_name(digest), public_key_name(digest)],
    }
}

/// What a query for one column of text answers.
fn column(transaction: &Transaction<'_>, sql: &str) -> Result<Vec<String>, Trouble> {
    let mut statement = transaction.prepare(sql)?;
    let texts = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(texts)
}

/// The files that are there, and that could be named by a row. Others are none of our business.
fn present(files: &Files) -> Result<BTreeSet<String>, Trouble> {
    let mut names = BTreeSet::new();
    for directory in [KEYS, CHAINS, CERTIFICATES] {
        for name in list(files, directory)? {
            let stem = name.strip_suffix(".pem").or_else(|| name.strip_suffix(".pub"));
            if stem.is_some_and(|stem| Sha256Digest::from_hex(stem).is_some()) {
                names.insert(format!("{directory}/{name}"));
            }
        }
    }
    Ok(names)
}

/// Removes what a process that was killed while it wrote a file has left: part of a key, perhaps.
///
/// Nobody else writes here meanwhile: the sweep has the ledger's lock.
fn remove_leftovers(files: &Files) -> Result<(), Trouble> {
    for directory in [KEYS, CHAINS, CERTIFICATES] {
        for name in list(files, directory)? {
            if name.starts_with(".rollover-") && name.ends_with(".new") {
                files.remove(&format!("{directory}/{name}"))?;
            }
        }
    }
    Ok(())
}

/// The names in one directory; none where it is missing.
fn list(files: &Files, directory: &str) -> Result<Vec<String>, Trouble> {
    let path = files.path(directory);
    let failed = |source| Trouble::System { action: "list", path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}
