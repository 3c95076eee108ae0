//! The ledger's schema, by version: each migration once, in order, all of them in one transaction.
//!
//! A migration that has been released never changes. `PRAGMA user_version` says which the file has;
//! the table `migration` says which program made each, so that a program that is too old can name
//! the one that is needed.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::error::Trouble;

/// Tells a ledger from other SQLite databases: "rlvr" in ASCII, where `file(1)` looks for it.
const APPLICATION_ID: i32 = 0x726c_7672;

/// What makes each version of the schema out of the one before; the first makes version 1.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema/v1.sql"),
    include_str!("schema/v2.sql"),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
];

/// The version that this program reads and writes.
pub(super) fn latest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// A new ledger as the content of a file.
pub(super) fn blank() -> Result<Vec<u8>, Trouble> {
    let mut connection = Connection::open_in_memory()?;
    create(&mut connection)?;
    Ok(connection.serialize(rusqlite::MAIN_DB)?.to_vec())
}

/// Makes a ledger of an empty database.
pub(super) fn create(connection: &mut Connection) -> Result<(), Trouble> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(connection)
}

/// Makes sure that the database is a ledger, of a version that this program knows.
///
/// Returns the version, which [`migrate`] may have to raise.
pub(super) fn recognise(connection: &Connection) -> Result<i64, Trouble> {
    let found: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if found != APPLICATION_ID {
        return Err(Trouble::Foreign);
    }
    let version = version(connection)?;
    if latest() < version {
        let program = program(connection, version)?;
        return Err(Trouble::TooNew { found: version, known: latest(), program });
    }
    Ok(version)
}

/// Brings the schema to the latest version. Of several processes that try at once, one does it.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let present = version(&transaction)?;
    for (number, sql) in (1_i64..).zip(MIGRATIONS) {
        if present < number {
            apply(&transaction, number, sql)?;
        }
    }
    Ok(transaction.commit()?)
}

/// Applies one migration.
fn apply(transaction: &Transaction<'_>, number: i64, sql: &str) -> Result<(), Trouble> {
    transaction.execute_batch(sql)?;
    transaction.execute(
        "INSERT INTO migration (version, program) VALUES (?1, ?2)",
        (number, env!("CARGO_PKG_VERSION")),
    )?;
    Ok(transaction.pragma_update(None, "user_version", number)?)
}

/// The version of the database's schema.
fn version(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Which version of the program made this version of the schema, if the database says it in a way
/// that can be understood.
fn program(connection: &Connection, version: i64) -> Result<Option<String>, Trouble> {
    let sql = "SELECT program FROM migration WHERE version = ?1";
    match connection.query_row(sql, [version], |row| row.get(0)).optional() {
        Ok(program) => Ok(program),
        // A later schema may keep it elsewhere.
        Err(rusqlite::Error::SqliteFailure(_, _)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new ledger in memory.
    fn ledger() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        create(&mut connection).unwrap();
        connection
    }

    #[test]
    fn a_new_ledger_has_the_latest_version_and_says_who_made_it() {
        let mut connection = ledger();
        assert_eq!(recognise(&connection).unwrap(), latest());
        let program = program(&connection, latest()).unwrap();
        assert_eq!(program.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), latest(), "a second time changes nothing");
    }

    #[test]
    fn what_version_2_wrote_is_kept() {
        let mut connection = Connection::open_in_memory().unwrap();
        let transaction = connection.transaction().unwrap();
        for (number, sql) in (1_i64..).zip(&MIGRATIONS[..2]) {
            apply(&transaction, number, sql).unwrap();
        }
        let host = "INSERT INTO host (name, withdrawn, issuer_override, next_bundle) \
                    VALUES ('mx', 0, 'other', 0)";
        let failure = "INSERT INTO failure VALUES ('mx', 'issue', 2, 0, 0, 0, 0, '', '', 0)";
        transaction.execute_batch(&format!("{host}; {failure}")).unwrap();
        transaction.commit().unwrap();
        migrate(&mut connection).unwrap();
        let sql = "SELECT issuer_override, override_instead_of, count, by_issuer \
                   FROM host JOIN failure ON host = name";
        let row: (String, Option<String>, u32, u32) = connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        assert_eq!(row, ("other".to_owned(), None, 2, 0));
    }

    #[test]
    fn every_table_is_strict() {
        let sql = "SELECT group_concat(name) FROM pragma_table_list \
                   WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND NOT strict";
        let loose: Option<String> = ledger().query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(loose, None);
    }

    #[test]
    fn history_is_only_ever_added_to() {
        let connection = ledger();
        let host = "INSERT INTO host (name, withdrawn, next_bundle) VALUES ('mx', 0, 0)";
        let event = "INSERT INTO event VALUES (1, 'mx', 0, '', '', '', '')";
        connection.execute_batch(&format!("{host}; {event}")).unwrap();
        for sql in ["UPDATE event SET result = 'better'", "DELETE FROM event"] {
            let error = connection.execute_batch(sql).unwrap_err().to_string();
            assert!(error.contains("history is only ever added to"), "{sql}: {error}");
        }
    }

    #[test]
    fn a_version_from_the_future_is_refused_with_the_program_that_made_it() {
        let connection = ledger();
        let make = "INSERT INTO migration VALUES (7, '9.8.7'); PRAGMA user_version = 7";
        connection.execute_batch(make).unwrap();
        let error = recognise(&connection).unwrap_err();
        let Trouble::TooNew { found: 7, known, program } = error else {
            panic!("{error:?}");
        };
        assert_eq!((known, program.as_deref()), (latest(), Some("9.8.7")));
        connection.execute_batch("DROP TABLE migration").unwrap();
        let error = recognise(&connection).unwrap_err();
        assert!(matches!(error, Trouble::TooNew { program: None, .. }), "{error:?}");
    }
}
