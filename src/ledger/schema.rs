//! The tables, and how an older ledger becomes a newer one.

use std::path::Path;

use rusqlite::Connection;

use super::{BROKEN_HINT, explain};
use crate::ports::LedgerError;

/// What marks the file as a ledger of ours: `roll` in ASCII.
const APPLICATION: i64 = 0x726f_6c6c;

/// Each version's changes, the first from an empty file. A released one is never edited.
const MIGRATIONS: [&str; 1] = [FIRST];

/// The first version. A moment is three columns: wall clock and uptime in milliseconds, and which
/// boot it was.
const FIRST: &str = "
CREATE TABLE host (
  name TEXT PRIMARY KEY,
  current INTEGER,
  next_bundle INTEGER NOT NULL,
  withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
  issuer_override TEXT,
  wake INTEGER
) STRICT;
CREATE INDEX host_wake ON host (wake);
CREATE TABLE version (
  id INTEGER PRIMARY KEY,
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  base TEXT NOT NULL,
  port INTEGER NOT NULL,
  content TEXT NOT NULL CHECK (content IN ('rrset', 'unknown')),
  ttl INTEGER NOT NULL CHECK (ttl >= 0),
  service TEXT NOT NULL CHECK (service IN ('sent', 'ongoing', 'ended')),
  wall INTEGER NOT NULL, boot INTEGER NOT NULL, uptime INTEGER NOT NULL,
  longest_delay INTEGER CHECK ((longest_delay IS NOT NULL) = (service = 'sent'))
) STRICT;
CREATE INDEX version_host ON version (host);
CREATE TABLE version_record (
  version INTEGER NOT NULL REFERENCES version (id) ON DELETE CASCADE,
  usage INTEGER NOT NULL, selector INTEGER NOT NULL, matching_type INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE INDEX version_record_version ON version_record (version);
CREATE TABLE version_fit (
  version INTEGER NOT NULL REFERENCES version (id) ON DELETE CASCADE,
  chain TEXT NOT NULL
) STRICT;
CREATE INDEX version_fit_version ON version_fit (version);
CREATE TABLE presence (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  chain TEXT NOT NULL,
  wall INTEGER, boot INTEGER, uptime INTEGER,
  PRIMARY KEY (host, chain)
) STRICT;
CREATE TABLE deployment (
  host TEXT PRIMARY KEY REFERENCES host (name) ON DELETE CASCADE,
  bundle INTEGER NOT NULL,
  begun_wall INTEGER NOT NULL, begun_boot INTEGER NOT NULL, begun_uptime INTEGER NOT NULL,
  done_wall INTEGER, done_boot INTEGER, done_uptime INTEGER,
  shown INTEGER NOT NULL CHECK (shown IN (0, 1))
) STRICT;
CREATE TABLE deployment_chain (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  chain TEXT NOT NULL
) STRICT;
CREATE TABLE bundle (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  id INTEGER NOT NULL,
  issuer TEXT NOT NULL,
  created INTEGER NOT NULL,
  PRIMARY KEY (host, id)
) STRICT;
CREATE TABLE credential (
  host TEXT NOT NULL,
  bundle INTEGER NOT NULL,
  key_type TEXT NOT NULL,
  spki BLOB NOT NULL,
  made INTEGER NOT NULL,
  chain TEXT,
  anchor TEXT CHECK (anchor IS NULL OR chain IS NOT NULL),
  PRIMARY KEY (host, bundle, key_type),
  FOREIGN KEY (host, bundle) REFERENCES bundle (host, id) ON DELETE CASCADE
) STRICT;
CREATE TABLE standby (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  key_type TEXT NOT NULL,
  spki BLOB NOT NULL,
  made INTEGER NOT NULL,
  PRIMARY KEY (host, key_type)
) STRICT;
CREATE TABLE rollover (
  host TEXT PRIMARY KEY REFERENCES host (name) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  started INTEGER NOT NULL,
  target INTEGER,
  from_bundle INTEGER,
  took_standby INTEGER NOT NULL CHECK (took_standby IN (0, 1))
) STRICT;
CREATE TABLE barred (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  usage INTEGER NOT NULL CHECK (usage IN (2, 3)),
  certificate TEXT NOT NULL
) STRICT;
CREATE TABLE revocation (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  issuer TEXT NOT NULL,
  chain TEXT NOT NULL
) STRICT;
CREATE TABLE failure (
  host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
  step TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 1),
  wall INTEGER NOT NULL, boot INTEGER NOT NULL, uptime INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  message TEXT NOT NULL,
  hint TEXT NOT NULL,
  needs_operator INTEGER NOT NULL CHECK (needs_operator IN (0, 1)),
  PRIMARY KEY (host, step)
) STRICT;
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host TEXT NOT NULL,
  at INTEGER NOT NULL,
  observation TEXT NOT NULL,
  decision TEXT NOT NULL,
  action TEXT NOT NULL,
  result TEXT NOT NULL
) STRICT;
CREATE INDEX event_host ON event (host, id);
";

/// Refuses what is no ledger, a broken one, and one of a newer version.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let refuse = |message: String| LedgerError {
        message: format!("the ledger {}: {message}", path.display()),
        hint: BROKEN_HINT.to_owned(),
    };
    let version = number("user_version").map_err(explain)?;
    let application = number("application_id").map_err(explain)?;
    if version == 0 && application == 0 {
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(explain)?;
        if 0 < tables {
            return Err(refuse("it is a database of another program".to_owned()));
        }
        return Ok(());
    }
    if application != APPLICATION {
        return Err(refuse("it is a database of another program".to_owned()));
    }
    let known = MIGRATIONS.len();
    if i64::try_from(known).unwrap_or(0) < version {
        return Err(LedgerError {
            message: format!(
                "the ledger {} is of version {version}, and this program knows versions up to {known}",
                path.display()
            ),
            hint: "run the newer rollover that wrote it; mail is not affected".to_owned(),
        });
    }
    let verdict: String =
        connection.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(explain)?;
    if verdict != "ok" {
        return Err(refuse(format!("it is broken: {verdict}")));
    }
    Ok(())
}

/// Brings a ledger to the present version, each version in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(0);
    for (position, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        let version = i64::try_from(position + 1).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
