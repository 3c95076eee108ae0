//! Rows become a host's state again; what makes no sense is an error, never a guess.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::files::{Files, chain_id};
use super::{explain, nonsense};
use crate::pki::{ChainId, KeyType};
use crate::ports::LedgerError;
use crate::rollover::history::{Content, History, Service, Version};
use crate::rollover::presentable::Presentable;
use crate::rollover::served::{Deployment, Presence, Served};
use crate::rollover::state::{
    Barred, Bundle, BundleCredential, BundleId, Failure, HostState, Issued, KeyMade, Kind,
    Revocation, Rollover, Step, Target,
};
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::{Record, TlsaOwner, TlsaRrset, Usage};

/// Reads one host within one transaction.
pub(super) struct Reader<'a> {
    /// The transaction.
    pub(super) transaction: &'a Transaction<'a>,
    /// What stands beside the database.
    pub(super) files: &'a Files,
    /// The database, for messages.
    pub(super) path: &'a Path,
    /// The host.
    pub(super) host: &'a str,
}

/// A moment from three columns.
fn moment(row: &Row<'_>, first: usize) -> rusqlite::Result<Moment> {
    let uptime: i64 = row.get(first + 2)?;
    Ok(Moment {
        wall: Timestamp::from_millis(row.get(first)?),
        boot: row.get::<_, i64>(first + 1)?.cast_unsigned(),
        uptime: Span::from_millis(u64::try_from(uptime).unwrap_or(0)),
    })
}

/// A moment that may be missing from three columns.
fn optional(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Moment>> {
    match row.get::<_, Option<i64>>(first)? {
        Some(_) => moment(row, first).map(Some),
        None => Ok(None),
    }
}

/// A bundle's number.
fn bundle_id(number: i64) -> BundleId {
    BundleId(u64::try_from(number).unwrap_or(0))
}

impl Reader<'_> {
    /// The host's state; that of first sight where it was never heard of.
    pub(super) fn state(&self) -> Result<HostState, LedgerError> {
        let row = self
            .transaction
            .query_row(
                "SELECT current, next_bundle, withdrawn, issuer_override FROM host WHERE name = ?1",
                [self.host],
                |row| {
                    let current: Option<i64> = row.get(0)?;
                    Ok((current, row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?))
                },
            )
            .optional()
            .map_err(|error| self.error(&error))?;
        let Some((current, next_bundle, withdrawn, issuer_override)) = row else {
            return Ok(HostState::default());
        };
        Ok(HostState {
            histories: self.histories()?,
            served: self.served()?,
            bundles: self.bundles()?,
            current: current.map(bundle_id),
            rollover: self.rollover()?,
            standby: self.standby()?,
            barred: self.barred()?,
            withdrawn,
            issuer_override,
            failures: self.failures()?,
            to_revoke: self.revocations()?,
            next_bundle: bundle_id(next_bundle).0,
        })
    }

    /// An error of the database.
    fn error(&self, error: &rusqlite::Error) -> LedgerError {
        explain(self.path, error)
    }

    /// A value that makes no sense.
    fn nonsense(&self, what: &str) -> LedgerError {
        nonsense(self.path, &format!("{what}, of host {}", self.host))
    }

    /// All rows of a query that takes the host.
    fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        self.rows_of(query, params![self.host], read)
    }

    /// All rows of a query.
    fn rows_of<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut statement = self.transaction.prepare(query).map_err(|error| self.error(&error))?;
        let rows = statement.query_map(parameters, read).map_err(|error| self.error(&error))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|error| self.error(&error))
    }

    /// Per owner, the versions of its RRset.
    fn histories(&self) -> Result<BTreeMap<TlsaOwner, History>, LedgerError> {
        let rows = self.rows(
            "SELECT id, base, port, content, ttl, service, longest_delay, wall, boot, uptime
             FROM version WHERE host = ?1 ORDER BY id",
            |row| {
                let owner: (String, u16) = (row.get(1)?, row.get(2)?);
                let (content, service): (String, String) = (row.get(3)?, row.get(5)?);
                let delay: Option<i64> = row.get(6)?;
                Ok((
                    row.get::<_, i64>(0)?,
                    owner,
                    content,
                    row.get(4)?,
                    service,
                    delay,
                    moment(row, 7)?,
                ))
            },
        )?;
        let mut histories: BTreeMap<TlsaOwner, History> = BTreeMap::new();
        for (id, (base, port), content, ttl, service, delay, at) in rows {
            let owner = base.parse().ok().and_then(|base| TlsaOwner::new(base, port).ok());
            let owner =
                owner.ok_or_else(|| self.nonsense(&format!("the owner {port} of {base}")))?;
            let ttl = Ttl::from_seconds(ttl);
            let content = match content.as_str() {
                "rrset" => Content::Rrset(TlsaRrset::new(self.records(id)?, ttl)),
                _ => Content::Unknown { ttl, fits: self.fits(id)? },
            };
            let service = match (service.as_str(), delay) {
                ("sent", Some(delay)) => {
                    let longest_delay = Span::from_millis(u64::try_from(delay).unwrap_or(0));
                    Service::Sent { at, longest_delay }
                }
                ("ended", _) => Service::Ended { at },
                (_, _) => Service::Ongoing { since: at },
            };
            histories.entry(owner).or_default().versions.push(Version { content, service });
        }
        Ok(histories)
    }

    /// The records of a version.
    fn records(&self, version: i64) -> Result<Vec<Record>, LedgerError> {
        self.rows_of(
            "SELECT usage, selector, matching_type, data FROM version_record WHERE version = ?1",
            [version],
            |row| {
                Ok(Record {
                    usage: row.get(0)?,
                    selector: row.get(1)?,
                    matching_type: row.get(2)?,
                    data: row.get(3)?,
                })
            },
        )
    }

    /// The chains that an unknown version is taken to fit.
    fn fits(&self, version: i64) -> Result<BTreeSet<ChainId>, LedgerError> {
        let query = "SELECT chain FROM version_fit WHERE version = ?1";
        let names = self.rows_of(query, [version], |row| row.get::<_, String>(0))?;
        names.iter().map(|name| self.chain_id(name)).collect()
    }

    /// The identity of a chain from its name.
    fn chain_id(&self, name: &str) -> Result<ChainId, LedgerError> {
        chain_id(name).ok_or_else(|| self.nonsense(&format!("the chain `{name}`")))
    }

    /// What may be presented.
    fn served(&self) -> Result<Served, LedgerError> {
        let rows = self.rows(
            "SELECT chain, wall, boot, uptime FROM presence WHERE host = ?1 ORDER BY rowid",
            |row| Ok((row.get::<_, String>(0)?, optional(row, 1)?)),
        )?;
        let mut presences = Vec::new();
        for (name, ended) in rows {
            let chain = Presentable::Issued(self.files.load_chain(&name)?);
            presences.push(Presence { chain, ended });
        }
        let chains = self.rows("SELECT chain FROM deployment_chain WHERE host = ?1", |r| {
            r.get::<_, String>(0)
        })?;
        let chains: Result<BTreeSet<ChainId>, _> =
            chains.iter().map(|name| self.chain_id(name)).collect();
        let chains = chains?;
        let deployments = self.rows(
            "SELECT bundle, shown, begun_wall, begun_boot, begun_uptime, done_wall, done_boot,
               done_uptime FROM deployment WHERE host = ?1",
            |row| {
                Ok(Deployment {
                    bundle: bundle_id(row.get(0)?),
                    chains: chains.clone(),
                    begun: moment(row, 2)?,
                    done: optional(row, 5)?,
                    shown: row.get(1)?,
                })
            },
        )?;
        Ok(Served { presences, deployment: deployments.into_iter().next() })
    }

    /// A key type from its name.
    fn key_type(&self, name: &str) -> Result<KeyType, LedgerError> {
        KeyType::from_name(name).ok_or_else(|| self.nonsense(&format!("the key type `{name}`")))
    }

    /// Certificates and keys at hand or on order.
    fn bundles(&self) -> Result<BTreeMap<BundleId, Bundle>, LedgerError> {
        let rows = self.rows("SELECT id, issuer, created FROM bundle WHERE host = ?1", |row| {
            let created = Timestamp::from_millis(row.get(2)?);
            let bundle = Bundle { issuer: row.get(1)?, created, credentials: BTreeMap::new() };
            Ok((bundle_id(row.get(0)?), bundle))
        })?;
        let mut bundles: BTreeMap<BundleId, Bundle> = rows.into_iter().collect();
        let credentials = self.rows(
            "SELECT bundle, key_type, spki, made, chain, anchor FROM credential WHERE host = ?1",
            |row| {
                let key = KeyMade { spki: row.get(2)?, at: Timestamp::from_millis(row.get(3)?) };
                let names: (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
                Ok((bundle_id(row.get(0)?), row.get::<_, String>(1)?, key, names))
            },
        )?;
        for (id, key_type, key, (chain, anchor)) in credentials {
            let anchor = anchor.map(|name| self.files.load_certificate(&name)).transpose()?;
            let chain = chain.map(|name| self.files.load_chain(&name)).transpose()?;
            let issued = chain.map(|chain| Issued { chain, anchor });
            let credential = BundleCredential { key, issued };
            let bundle = bundles.get_mut(&id).ok_or_else(|| self.nonsense("a lost credential"))?;
            bundle.credentials.insert(self.key_type(&key_type)?, credential);
        }
        Ok(bundles)
    }

    /// The standby keys.
    fn standby(&self) -> Result<BTreeMap<KeyType, KeyMade>, LedgerError> {
        let rows =
            self.rows("SELECT key_type, spki, made FROM standby WHERE host = ?1", |row| {
                let key = KeyMade { spki: row.get(1)?, at: Timestamp::from_millis(row.get(2)?) };
                Ok((row.get::<_, String>(0)?, key))
            })?;
        rows.into_iter().map(|(name, key)| Ok((self.key_type(&name)?, key))).collect()
    }

    /// The rollover in flight.
    fn rollover(&self) -> Result<Option<Rollover>, LedgerError> {
        let rows = self.rows(
            "SELECT kind, started, target, from_bundle, took_standby FROM rollover WHERE host = ?1",
            |row| {
                let target = row.get::<_, Option<i64>>(2)?.map(bundle_id);
                let from = row.get::<_, Option<i64>>(3)?.map(bundle_id);
                let started = Timestamp::from_millis(row.get(1)?);
                Ok((row.get::<_, String>(0)?, started, target, from, row.get(4)?))
            },
        )?;
        let Some((name, started, target, from, took_standby)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
        let kind = kind.ok_or_else(|| self.nonsense(&format!("the rollover `{name}`")))?;
        let target = target.map_or(Target::NoRecords, Target::Bundle);
        Ok(Some(Rollover { kind, started, target, from, took_standby }))
    }

    /// What is barred.
    fn barred(&self) -> Result<Vec<Barred>, LedgerError> {
        let rows = self.rows(
            "SELECT usage, certificate FROM barred WHERE host = ?1 ORDER BY rowid",
            |row| Ok((row.get::<_, u8>(0)?, row.get::<_, String>(1)?)),
        )?;
        rows.into_iter()
            .map(|(usage, name)| {
                let usage = if usage == 2 { Usage::DaneTa } else { Usage::DaneEe };
                Ok(Barred { usage, certificate: self.files.load_certificate(&name)? })
            })
            .collect()
    }

    /// What is to be revoked.
    fn revocations(&self) -> Result<Vec<Revocation>, LedgerError> {
        let rows = self
            .rows("SELECT issuer, chain FROM revocation WHERE host = ?1 ORDER BY rowid", |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
        rows.into_iter()
            .map(|(issuer, chain)| Ok(Revocation { issuer, chain: self.files.load_chain(&chain)? }))
            .collect()
    }

    /// What failed last time.
    fn failures(&self) -> Result<BTreeMap<Step, Failure>, LedgerError> {
        let rows = self.rows(
            "SELECT step, count, not_before, message, hint, needs_operator, wall, boot, uptime
             FROM failure WHERE host = ?1",
            |row| {
                let failure = Failure {
                    count: row.get(1)?,
                    at: moment(row, 6)?,
                    not_before: Timestamp::from_millis(row.get(2)?),
                    message: row.get(3)?,
                    hint: row.get(4)?,
                    needs_operator: row.get(5)?,
                };
                Ok((row.get::<_, String>(0)?, failure))
            },
        )?;
        rows.into_iter()
            .map(|(name, failure)| {
                let step = Step::ALL.into_iter().find(|step| step.as_str() == name);
                Ok((step.ok_or_else(|| self.nonsense(&format!("the step `{name}`")))?, failure))
            })
            .collect()
    }
}
