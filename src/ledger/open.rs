//! From a path to a database that can be relied on, or to the reason why not.
//!
//! A new ledger appears whole, by one rename: so an empty file is one that lost its content, and is
//! refused instead of taken for a new one. What is there is looked at before it is written to:
//! whose it is, of which version, and whether it is intact.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::Access;

use super::directory;
use super::error::{PATIENCE_SECONDS, Trouble};
use super::schema;
use crate::durable;

/// The ledger's file in the state directory.
pub(super) const FILE: &str = "ledger.sqlite";

/// The size of the smallest page, in octets. SQLite takes a shorter file for a new database.
const SHORTEST: u64 = 512;

/// Up to this size, in octets, indices are checked against their tables: it takes no time that
/// anybody would notice.
const THOROUGH_UP_TO: u64 = 16 * 1024 * 1024;

/// How many of the integrity check's findings are shown.
const FINDINGS_MAX: u32 = 3;

/// Opens the ledger to read and write it, and makes it if there is none.
pub(super) fn for_writing(state_dir: &Path) -> Result<Connection, Trouble> {
    directory::prepare(state_dir)?;
    let path = state_dir.join(FILE);
    if directory::find(&path)?.is_none() {
        create(&path)?;
    }
    let size = accept(&path)?;
    directory::permit(&path, Access::READ_OK | Access::WRITE_OK, "write")?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(Duration::from_secs(PATIENCE_SECONDS.into()))?;
    let version = schema::recognise(&connection)?;
    inspect(&connection, size)?;
    configure(&connection)?;
    if version < schema::latest() {
        schema::migrate(&mut connection)?;
    }
    Ok(connection)
}

/// Opens the ledger to read it, changing nothing. Where there is none, an empty one stands in for
/// it: that is what a pass would begin with.
pub(super) fn for_reading(state_dir: &Path) -> Result<Connection, Trouble> {
    let path = state_dir.join(FILE);
    if directory::find(&path)?.is_none() {
        refuse_stray_log(&path)?;
        let mut connection = Connection::open_in_memory()?;
        schema::create(&mut connection)?;
        return Ok(connection);
    }
    let size = accept(&path)?;
    directory::permit(&path, Access::READ_OK, "read")?;
    let (connection, version) = match open_for_reading(&path) {
        Err(Trouble::Sqlite(error)) if lacks_log(&error, &path) => open_unchanging(&path)?,
        result => result?,
    };
    if version < schema::latest() {
        return Err(Trouble::TooOld { found: version, known: schema::latest() });
    }
    inspect(&connection, size)?;
    Ok(connection)
}

/// Makes a new ledger. Of several processes that try at once, one makes it.
fn create(path: &Path) -> Result<(), Trouble> {
    refuse_stray_log(path)?;
    durable::create_private(path, &schema::blank()?)?;
    Ok(())
}

/// Refuses a write-ahead log without its database: it holds the last changes of one that was moved
/// away, and SQLite might take them for those of another.
fn refuse_stray_log(path: &Path) -> Result<(), Trouble> {
    let log = beside(path, "-wal");
    match directory::find(&log)? {
        // An empty log holds nothing: every reader leaves one behind.
        Some(metadata) if 0 < metadata.len() => Err(Trouble::StrayLog { path: log }),
        Some(_) | None => Ok(()),
    }
}

/// Looks at the file as such, and returns its size.
fn accept(path: &Path) -> Result<u64, Trouble> {
    let metadata = directory::metadata(path)?;
    if !metadata.is_file() {
        return Err(Trouble::NotAFile { path: path.to_owned() });
    }
    directory::refuse_exposed(path, &metadata)?;
    match metadata.len() {
        size if size < SHORTEST => Err(Trouble::Cut { size }),
        size => Ok(size),
    }
}

/// Opens the file as readers do, and makes sure that it can be read.
fn open_for_reading(path: &Path) -> Result<(Connection, i64), Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(PATIENCE_SECONDS.into()))?;
    let version = schema::recognise(&connection)?;
    Ok((connection, version))
}

/// Whether reading failed because SQLite could not put a write-ahead log beside the file, and there
/// is none to be read either.
fn lacks_log(error: &rusqlite::Error, path: &Path) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
        && !fs::metadata(beside(path, "-wal")).is_ok_and(|log| 0 < log.len())
}

/// Opens a file that nobody writes to: without a log there is no writer.
fn open_unchanging(path: &Path) -> Result<(Connection, i64), Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(unchanging(path), flags)?;
    let version = schema::recognise(&connection)?;
    Ok((connection, version))
}

/// The URI of a file that nobody writes to.
fn unchanging(path: &Path) -> String {
    let escape = |octet: &u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
            char::from(*octet).to_string()
        }
        other => format!("%{other:02x}"),
    };
    let path: String = path.as_os_str().as_encoded_bytes().iter().map(escape).collect();
    format!("file:{path}?immutable=1")
}

/// The file that SQLite keeps beside the database under this suffix.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes sure that the content is intact.
///
/// SQLite takes what is missing of the last page for zeros, and knows no better than that it is so.
fn inspect(connection: &Connection, size: u64) -> Result<(), Trouble> {
    let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if !size.is_multiple_of(page.into()) {
        return Err(Trouble::Cut { size });
    }
    let check = if size <= THOROUGH_UP_TO { "integrity_check" } else { "quick_check" };
    let mut statement = connection.prepare(&format!("PRAGMA {check}({FINDINGS_MAX})"))?;
    let findings: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    match findings.as_slice() {
        [verdict] if verdict == "ok" => Ok(()),
        _ => Err(Trouble::Damaged { findings: findings.join("; ").replace('\n', " ") }),
    }
}

/// Sets how the database is written. After that a commit survives a loss of power.
fn configure(connection: &Connection) -> Result<(), Trouble> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::NoLog { mode });
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection.pragma_update(None, "trusted_schema", false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_is_synced_and_every_reference_checked() {
        let directory = tempfile::tempdir().unwrap();
        let connection = for_writing(directory.path()).unwrap();
        let setting = |name: &str| -> i64 {
            connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!(setting("synchronous"), 2, "FULL");
        assert_eq!(setting("foreign_keys"), 1);
        assert_eq!(setting("busy_timeout"), 10_000);
        let mode: String =
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn an_earlier_version_is_not_read_before_it_is_brought_up_to_date() {
        let directory = tempfile::tempdir().unwrap();
        let connection = for_writing(directory.path()).unwrap();
        connection.pragma_update(None, "user_version", 0).unwrap();
        let said = for_reading(directory.path()).unwrap_err().to_string();
        let latest = schema::latest();
        let expected =
            format!("it has version 0 of the schema, and this program reads version {latest}");
        assert_eq!(said, expected);
    }

    #[test]
    fn a_path_is_escaped_for_a_uri() {
        let uri = unchanging(Path::new("/var/lib/a b?c%d#é/ledger.sqlite"));
        assert_eq!(uri, "file:/var/lib/a%20b%3fc%25d%23%c3%a9/ledger.sqlite?immutable=1");
    }

    #[test]
    fn a_ledger_that_nobody_writes_to_is_read_without_a_log() {
        let directory = tempfile::tempdir().unwrap();
        drop(for_writing(directory.path()).unwrap());
        let path = directory.path().join(FILE);
        let (connection, version) = open_unchanging(&path).unwrap();
        assert_eq!(version, schema::latest());
        let hosts: i64 =
            connection.query_row("SELECT count(*) FROM host", [], |row| row.get(0)).unwrap();
        assert_eq!(hosts, 0);
        assert!(!beside(&path, "-shm").exists(), "nothing was put beside it");
    }
}
