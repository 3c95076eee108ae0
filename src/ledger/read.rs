//! Rows back into a host's state. What makes no sense is an error with its table: nothing is guessed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction};

use super::error::Trouble;
use super::files::Files;
use super::values::{
    self, to_chain_id, to_data, to_digest, to_key_type, to_kind, to_moment, to_optional_moment,
    to_step, to_usage,
};
use crate::name::DnsName;
use crate::pki::{ChainId, KeyType};
use crate::ports::Event;
use crate::rollover::history::{Content, History, Service, Unanswered, Version};
use crate::rollover::observation::Serial;
use crate::rollover::presentable::Presentable;
use crate::rollover::served::{Deployment, Presence, Served};
use crate::rollover::state::{
    Barred, Bundle, BundleCredential, BundleId, Failure, HostState, Issued, IssuerOverride,
    KeyMade, Revocation, Rollover, Step, Target,
};
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::{Record, TlsaOwner, TlsaRrset};

/// What the ledger holds of a host, all as it was at one moment.
pub(super) fn load(
    connection: &mut Connection,
    files: &Files,
    host: &str,
) -> Result<HostState, Trouble> {
    let transaction = connection.transaction()?;
    let reader = Reader { transaction: &transaction, files, host };
    let Some(mut state) = reader.host()? else {
        return Ok(HostState::default());
    };
    state.histories = reader.histories()?;
    state.served = reader.served()?;
    state.bundles = reader.bundles()?;
    state.rollover = reader.rollover()?;
    state.standby = reader.standby()?;
    state.barred = reader.barred()?;
    state.failures = reader.failures()?;
    state.to_revoke = reader.revocations()?;
    Ok(state)
}

/// The last `limit` events of a host, oldest first.
pub(super) fn history(
    connection: &Connection,
    host: &str,
    limit: usize,
) -> Result<Vec<Event>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT at, observation, decision, action, result FROM event WHERE host = ?1 \
         ORDER BY id DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((host, limit), |row| {
        Ok(Event {
            at: Timestamp::from_millis(row.get(0)?),
            observation: row.get(1)?,
            decision: row.get(2)?,
            action: row.get(3)?,
            result: row.get(4)?,
        })
    })?;
    let mut events: Vec<Event> = rows.collect::<Result<_, _>>()?;
    events.reverse();
    Ok(events)
}

/// A bundle's number from its column.
fn number(column: i64) -> BundleId {
    BundleId(column.cast_unsigned())
}

/// A moment from three columns, the first of which is the `first`.
fn moment(row: &Row<'_>, first: usize) -> rusqlite::Result<values::MomentColumns> {
    Ok((row.get(first)?, row.get(first + 1)?, row.get(first + 2)?))
}

/// A moment that may not have come, from three columns.
fn optional_moment(row: &Row<'_>, first: usize) -> rusqlite::Result<values::OptionalMomentColumns> {
    Ok((row.get(first)?, row.get(first + 1)?, row.get(first + 2)?))
}

/// Reads the rows of one host.
struct Reader<'a> {
    /// What they are read in.
    transaction: &'a Transaction<'a>,
    /// The files that they name.
    files: &'a Files,
    /// The host.
    host: &'a str,
}

impl Reader<'_> {
    /// What a query answers, each row as `read` takes it.
    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, Trouble>,
    ) -> Result<Vec<T>, Trouble> {
        self.transaction.prepare_cached(sql)?.query_and_then(parameters, read)?.collect()
    }

    /// The host's own row, if the host was ever heard of.
    fn host(&self) -> Result<Option<HostState>, Trouble> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT current_bundle, withdrawn, next_bundle, issuer_override, override_instead_of, \
             override_after FROM host WHERE name = ?1",
        )?;
        let state = statement.query_row([self.host], |row| {
            Ok(HostState {
                current: row.get::<_, Option<i64>>(0)?.map(number),
                withdrawn: row.get(1)?,
                next_bundle: row.get::<_, i64>(2)?.cast_unsigned(),
                issuer_override: issuer_override(row)?,
                ..HostState::default()
            })
        });
        Ok(state.optional()?)
    }

    /// Per owner, the versions of its RRset.
    fn histories(&self) -> Result<BTreeMap<TlsaOwner, History>, Trouble> {
        let sql = "SELECT id, base, port FROM owner WHERE host = ?1";
        let owners = self.rows(sql, [self.host], |row| {
            let senseless = |reason: String| Trouble::Row { table: "owner", reason };
            let base: String = row.get(1)?;
            let base: DnsName = base.parse().map_err(|e| senseless(format!("{e}")))?;
            let owner = TlsaOwner::new(base, row.get(2)?).map_err(|e| senseless(format!("{e}")))?;
            Ok((row.get::<_, i64>(0)?, owner))
        })?;
        let histories = owners.into_iter().map(|(id, owner)| {
            let versions = self.versions(id)?;
            Ok((owner, History { versions }))
        });
        histories.collect()
    }

    /// The versions of one owner's RRset.
    fn versions(&self, owner: i64) -> Result<Vec<Version>, Trouble> {
        let sql = "SELECT id, content, ttl, service, at_wall, at_boot, at_uptime, longest_delay, \
                   serial, is_coming FROM version WHERE owner = ?1 ORDER BY position";
        self.rows(sql, [owner], |row| {
            let ttl = Ttl::from_seconds(row.get(2)?);
            let content = self.content(row.get(0)?, &row.get::<_, String>(1)?, ttl)?;
            let serial = row.get::<_, Option<u32>>(8)?.map(Serial);
            let unanswered = self.unanswered(row.get(0)?)?;
            let (service, is_coming) = (service(row)?, row.get(9)?);
            Ok(Version { content, service, serial, is_coming, unanswered })
        })
    }

    /// The updates to one version of which no answer came.
    fn unanswered(&self, version: i64) -> Result<Vec<Unanswered>, Trouble> {
        let sql = "SELECT id, sent_wall, sent_boot, sent_uptime, longest_delay, is_conditional \
                   FROM unanswered WHERE version = ?1 ORDER BY position";
        self.rows(sql, [version], |row| {
            let sql = "SELECT usage, selector, matching_type, data FROM unanswered_record \
                       WHERE unanswered = ?1";
            let expected = self.records("unanswered_record", sql, row.get(0)?)?;
            Ok(Unanswered {
                expects: row.get::<_, bool>(5)?.then(|| expected.into_iter().collect()),
                sent: to_moment(moment(row, 1)?),
                longest_delay: Span::from_millis(row.get::<_, i64>(4)?.cast_unsigned()),
            })
        })
    }

    /// What one version says.
    fn content(&self, version: i64, kind: &str, ttl: Ttl) -> Result<Content, Trouble> {
        match kind {
            "rrset" => {
                let sql = "SELECT usage, selector, matching_type, data FROM version_record \
                           WHERE version = ?1";
                let records = self.records("version_record", sql, version)?;
                Ok(Content::Rrset(TlsaRrset::new(records, ttl)))
            }
            "unknown" => {
                let sql = "SELECT chain FROM version_fit WHERE version = ?1";
                let fits = self.chain_ids("version_fit", sql, [version])?;
                Ok(Content::Unknown { ttl, fits })
            }
            other => Err(Trouble::Row { table: "version", reason: format!("content `{other}`") }),
        }
    }

    /// The records that belong to one row of another table.
    fn records(&self, table: &'static str, sql: &str, of: i64) -> Result<Vec<Record>, Trouble> {
        self.rows(sql, [of], |row| {
            Ok(Record {
                usage: row.get(0)?,
                selector: row.get(1)?,
                matching_type: row.get(2)?,
                data: to_data(table, &row.get::<_, String>(3)?)?,
            })
        })
    }

    /// What tells chains from each other, of a query for nothing else.
    fn chain_ids(
        &self,
        table: &'static str,
        sql: &str,
        parameters: impl Params,
    ) -> Result<BTreeSet<ChainId>, Trouble> {
        let ids =
            self.rows(sql, parameters, |row| to_chain_id(table, &row.get::<_, String>(0)?))?;
        Ok(ids.into_iter().collect())
    }

    /// What may be presented.
    fn served(&self) -> Result<Served, Trouble> {
        let sql = "SELECT chain, ended_wall, ended_boot, ended_uptime FROM presence \
                   WHERE host = ?1 ORDER BY position";
        let presences = self.rows(sql, [self.host], |row| {
            let id = to_chain_id("presence", &row.get::<_, String>(0)?)?;
            let ended = to_optional_moment(optional_moment(row, 1)?);
            Ok(Presence { chain: Presentable::Issued(self.files.chain(&id)?), ended })
        })?;
        let sql = "SELECT bundle, begun_wall, begun_boot, begun_uptime, done_wall, done_boot, \
                   done_uptime, shown FROM deployment WHERE host = ?1";
        let deployment = self.rows(sql, [self.host], |row| {
            let sql = "SELECT chain FROM deployment_chain WHERE host = ?1";
            Ok(Deployment {
                bundle: number(row.get(0)?),
                chains: self.chain_ids("deployment_chain", sql, [self.host])?,
                begun: to_moment(moment(row, 1)?),
                done: to_optional_moment(optional_moment(row, 4)?),
                shown: row.get(7)?,
            })
        })?;
        Ok(Served { presences, deployment: deployment.into_iter().next() })
    }

    /// Certificates and keys that are at hand or on order.
    fn bundles(&self) -> Result<BTreeMap<BundleId, Bundle>, Trouble> {
        let sql = "SELECT number, issuer, created FROM bundle WHERE host = ?1";
        let bundles = self.rows(sql, [self.host], |row| {
            let column: i64 = row.get(0)?;
            let bundle = Bundle {
                issuer: row.get(1)?,
                created: Timestamp::from_millis(row.get(2)?),
                credentials: self.credentials(column)?,
            };
            Ok((number(column), bundle))
        })?;
        Ok(bundles.into_iter().collect())
    }

    /// The credentials of one bundle.
    fn credentials(&self, bundle: i64) -> Result<BTreeMap<KeyType, BundleCredential>, Trouble> {
        let sql = "SELECT key_type, key, key_at, chain, anchor FROM credential \
                   WHERE host = ?1 AND bundle = ?2";
        let credentials = self.rows(sql, (self.host, bundle), |row| {
            let (key_type, key) = self.key("credential", row)?;
            let issued = match row.get::<_, Option<String>>(3)? {
                Some(chain) => Some(self.issued(&chain, row.get(4)?)?),
                None => None,
            };
            Ok((key_type, BundleCredential { key, issued }))
        })?;
        Ok(credentials.into_iter().collect())
    }

    /// A key with its type, from the first three columns.
    fn key(&self, table: &'static str, row: &Row<'_>) -> Result<(KeyType, KeyMade), Trouble> {
        let key_type = to_key_type(table, &row.get::<_, String>(0)?)?;
        let digest = to_digest(table, &row.get::<_, String>(1)?)?;
        let at = Timestamp::from_millis(row.get(2)?);
        Ok((key_type, KeyMade { spki: self.files.public_key(&digest)?, at }))
    }

    /// A chain that was issued.
    fn issued(&self, chain: &str, anchor: Option<String>) -> Result<Issued, Trouble> {
        let chain = self.files.chain(&to_chain_id("credential", chain)?)?;
        let anchor = match anchor {
            Some(digest) => Some(self.files.certificate(&to_digest("credential", &digest)?)?),
            None => None,
        };
        Ok(Issued { chain, anchor })
    }

    /// The rollover in flight.
    fn rollover(&self) -> Result<Option<Rollover>, Trouble> {
        let sql = "SELECT kind, started, target_bundle, from_bundle, took_standby FROM rollover \
                   WHERE host = ?1";
        let rollover = self.rows(sql, [self.host], |row| {
            let target = row.get::<_, Option<i64>>(2)?.map(number);
            Ok(Rollover {
                kind: to_kind("rollover", &row.get::<_, String>(0)?)?,
                started: Timestamp::from_millis(row.get(1)?),
                target: target.map_or(Target::NoRecords, Target::Bundle),
                from: row.get::<_, Option<i64>>(3)?.map(number),
                took_standby: row.get(4)?,
            })
        })?;
        Ok(rollover.into_iter().next())
    }

    /// Keys made in advance.
    fn standby(&self) -> Result<BTreeMap<KeyType, KeyMade>, Trouble> {
        let sql = "SELECT key_type, key, key_at FROM standby WHERE host = ?1";
        Ok(self.rows(sql, [self.host], |row| self.key("standby", row))?.into_iter().collect())
    }

    /// Keys and CAs that must not be named.
    fn barred(&self) -> Result<Vec<Barred>, Trouble> {
        let sql = "SELECT usage, certificate FROM barred WHERE host = ?1 ORDER BY position";
        self.rows(sql, [self.host], |row| {
            let digest = to_digest("barred", &row.get::<_, String>(1)?)?;
            let usage = to_usage("barred", row.get(0)?)?;
            Ok(Barred { usage, certificate: self.files.certificate(&digest)? })
        })
    }

    /// How steps failed.
    fn failures(&self) -> Result<BTreeMap<Step, Failure>, Trouble> {
        let sql = "SELECT step, count, at_wall, at_boot, at_uptime, not_before, message, hint, \
                   needs_operator, by_issuer FROM failure WHERE host = ?1";
        let failures = self.rows(sql, [self.host], |row| {
            let step = to_step("failure", &row.get::<_, String>(0)?)?;
            let failure = Failure {
                count: row.get(1)?,
                at: to_moment(moment(row, 2)?),
                not_before: Timestamp::from_millis(row.get(5)?),
                message: row.get(6)?,
                hint: row.get(7)?,
                needs_operator: row.get(8)?,
                by_issuer: row.get(9)?,
            };
            Ok((step, failure))
        })?;
        Ok(failures.into_iter().collect())
    }

    /// Certificates to be revoked.
    fn revocations(&self) -> Result<Vec<Revocation>, Trouble> {
        let sql = "SELECT issuer, chain FROM revocation WHERE host = ?1 ORDER BY position";
        self.rows(sql, [self.host], |row| {
            let id = to_chain_id("revocation", &row.get::<_, String>(1)?)?;
            Ok(Revocation { issuer: row.get(0)?, chain: self.files.chain(&id)? })
        })
    }
}

/// The issuer in the place of the configured one, from the columns after the number of the next bundle.
fn issuer_override(row: &Row<'_>) -> rusqlite::Result<Option<IssuerOverride>> {
    let Some(issuer) = row.get(3)? else { return Ok(None) };
    let instead_of = row.get::<_, Option<String>>(4)?.unwrap_or_default();
    Ok(Some(IssuerOverride { issuer, instead_of, after: row.get(5)? }))
}

/// Who may serve a version, from the columns after its TTL.
fn service(row: &Row<'_>) -> Result<Service, Trouble> {
    let at = to_moment(moment(row, 4)?);
    let delay: Option<i64> = row.get(7)?;
    let kind: String = row.get(3)?;
    match (kind.as_str(), delay) {
        ("sent", Some(delay)) => {
            let longest_delay = Span::from_millis(delay.cast_unsigned());
            Ok(Service::Sent { at, longest_delay })
        }
        ("ongoing", None) => Ok(Service::Ongoing { since: at }),
        ("ended", None) => Ok(Service::Ended { at }),
        (other, _) => Err(Trouble::Row { table: "version", reason: format!("service `{other}`") }),
    }
}
