//! A host's state into rows: those of before are replaced, in one transaction, events added to it.

use std::collections::BTreeSet;

use rusqlite::{Connection, Params, Transaction, TransactionBehavior};

use super::error::Trouble;
use super::files::Files;
use super::values::{from_data, from_moment, from_optional_moment};
use crate::crash;
use crate::pki::{Certificate, Sha256Digest};
use crate::ports::Event;
use crate::rollover::history::{Content, History, Service, Unanswered, Version};
use crate::rollover::presentable::Presentable;
use crate::rollover::served::Served;
use crate::rollover::state::{
    Bundle, BundleCredential, BundleId, Failure, HostState, KeyMade, Rollover, Step, Target,
};
use crate::tlsa::{Record, TlsaOwner};

/// What a save replaces; the rows of other tables go with those that they belong to.
const REPLACED: [&str; 9] = [
    "DELETE FROM owner WHERE host = ?1",
    "DELETE FROM presence WHERE host = ?1",
    "DELETE FROM deployment WHERE host = ?1",
    "DELETE FROM bundle WHERE host = ?1",
    "DELETE FROM standby WHERE host = ?1",
    "DELETE FROM barred WHERE host = ?1",
    "DELETE FROM rollover WHERE host = ?1",
    "DELETE FROM failure WHERE host = ?1",
    "DELETE FROM revocation WHERE host = ?1",
];

/// Writes the files that the rows of `state` will name.
pub(super) fn keep_files(files: &Files, state: &HostState) -> Result<(), Trouble> {
    for presence in &state.served.presences {
        match &presence.chain {
            Presentable::Issued(chain) => files.keep_chain(chain)?,
            Presentable::Expected(_) => return Err(Trouble::NotIssued),
        }
    }
    for credential in state.bundles.values().flat_map(|bundle| bundle.credentials.values()) {
        files.keep_public_key(&credential.key.spki)?;
        if let Some(issued) = &credential.issued {
            files.keep_chain(&issued.chain)?;
            issued.anchor.as_ref().map_or(Ok(()), |anchor| files.keep_certificate(anchor))?;
        }
    }
    for key in state.standby.values() {
        files.keep_public_key(&key.spki)?;
    }
    for barred in &state.barred {
        files.keep_certificate(&barred.certificate)?;
    }
    for revocation in &state.to_revoke {
        files.keep_chain(&revocation.chain)?;
    }
    Ok(())
}

/// Replaces the rows of a host and adds to its history, both or neither.
pub(super) fn save(
    connection: &mut Connection,
    host: &str,
    state: &HostState,
    events: &[Event],
) -> Result<(), Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let writer = Writer { transaction: &transaction, host };
    writer.host(state)?;
    for sql in REPLACED {
        writer.run(sql, [host])?;
    }
    for (owner, history) in &state.histories {
        writer.history(owner, history)?;
    }
    for (id, bundle) in &state.bundles {
        writer.bundle(*id, bundle)?;
    }
    writer.served(&state.served)?;
    writer.plans(state)?;
    for (step, failure) in &state.failures {
        writer.failure(*step, failure)?;
    }
    for event in events {
        writer.event(event)?;
    }
    crash::point("ledger: before the commit");
    transaction.commit()?;
    crash::point("ledger: committed");
    Ok(())
}

/// A bundle's number as a column holds it.
fn number(id: BundleId) -> i64 {
    id.0.cast_signed()
}

/// A key's name as a column holds it.
fn key_digest(key: &KeyMade) -> String {
    Sha256Digest::of(&key.spki).to_string()
}

/// A certificate's name as a column holds it.
fn certificate_digest(certificate: &Certificate) -> String {
    Sha256Digest::of(certificate.der()).to_string()
}

/// Writes the rows of one host.
struct Writer<'a> {
    /// What they are written in.
    transaction: &'a Transaction<'a>,
    /// The host.
    host: &'a str,
}

impl Writer<'_> {
    /// Runs one statement.
    fn run(&self, sql: &str, parameters: impl Params) -> Result<(), Trouble> {
        self.transaction.prepare_cached(sql)?.execute(parameters)?;
        Ok(())
    }

    /// Writes the host's own row; when it wants to be woken is left as it is.
    fn host(&self, state: &HostState) -> Result<(), Trouble> {
        let other = state.issuer_override.as_ref();
        self.run(
            "INSERT INTO host (name, current_bundle, withdrawn, issuer_override, next_bundle, \
             override_instead_of, override_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (name) DO UPDATE SET current_bundle = excluded.current_bundle, \
             withdrawn = excluded.withdrawn, issuer_override = excluded.issuer_override, \
             next_bundle = excluded.next_bundle, \
             override_instead_of = excluded.override_instead_of, \
             override_after = excluded.override_after",
            (
                self.host,
                state.current.map(number),
                state.withdrawn,
                other.map(|other| &other.issuer),
                state.next_bundle.cast_signed(),
                other.map(|other| &other.instead_of),
                other.and_then(|other| other.after.as_ref()),
            ),
        )
    }

    /// Writes the versions of one owner's RRset.
    fn history(&self, owner: &TlsaOwner, history: &History) -> Result<(), Trouble> {
        let base = owner.base().to_string();
        self.run(
            "INSERT INTO owner (host, base, port) VALUES (?1, ?2, ?3)",
            (self.host, base, owner.port()),
        )?;
        let row = self.transaction.last_insert_rowid();
        for (position, version) in (0_i64..).zip(&history.versions) {
            self.version(row, position, version)?;
        }
        Ok(())
    }

    /// Writes one version.
    fn version(&self, owner: i64, position: i64, version: &Version) -> Result<(), Trouble> {
        let (service, at, longest_delay) = match &version.service {
            Service::Sent { at, longest_delay } => ("sent", at, Some(longest_delay.as_millis())),
            Service::Ongoing { since } => ("ongoing", since, None),
            Service::Ended { at } => ("ended", at, None),
        };
        let content = match &version.content {
            Content::Rrset(_) => "rrset",
            Content::Unknown { .. } => "unknown",
        };
        let (wall, boot, uptime) = from_moment(at);
        self.run(
            "INSERT INTO version (owner, position, content, ttl, service, at_wall, at_boot, \
             at_uptime, longest_delay, serial, is_coming) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            (
                owner,
                position,
                content,
                version.content.ttl().as_seconds(),
                service,
                wall,
                boot,
                uptime,
                longest_delay.map(u64::cast_signed),
                version.serial.map(|serial| serial.0),
                version.is_coming,
            ),
        )?;
        let row = self.transaction.last_insert_rowid();
        for (position, update) in (0_i64..).zip(&version.unanswered) {
            self.unanswered(row, position, update)?;
        }
        match &version.content {
            Content::Rrset(rrset) => self.records("version", row, &rrset.records),
            Content::Unknown { fits, .. } => fits.iter().try_for_each(|chain| {
                let sql = "INSERT INTO version_fit (version, chain) VALUES (?1, ?2)";
                self.run(sql, (row, chain.to_string()))
            }),
        }
    }

    /// Writes an update of which no answer came.
    fn unanswered(&self, version: i64, position: i64, update: &Unanswered) -> Result<(), Trouble> {
        let (wall, boot, uptime) = from_moment(&update.sent);
        let delay = update.longest_delay.as_millis().cast_signed();
        self.run(
            "INSERT INTO unanswered (version, position, sent_wall, sent_boot, sent_uptime, \
             longest_delay, is_conditional) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (version, position, wall, boot, uptime, delay, update.expects.is_some()),
        )?;
        let row = self.transaction.last_insert_rowid();
        update.expects.as_ref().map_or(Ok(()), |records| self.records("unanswered", row, records))
    }

    /// Writes the records that belong to one row of this table.
    fn records(&self, table: &str, of: i64, records: &BTreeSet<Record>) -> Result<(), Trouble> {
        let sql = format!(
            "INSERT INTO {table}_record ({table}, usage, selector, matching_type, data) \
             VALUES (?1, ?2, ?3, ?4, ?5)"
        );
        records.iter().try_for_each(|record| {
            self.run(
                &sql,
                (of, record.usage, record.selector, record.matching_type, from_data(&record.data)),
            )
        })
    }

    /// Writes a bundle with its credentials.
    fn bundle(&self, id: BundleId, bundle: &Bundle) -> Result<(), Trouble> {
        self.run(
            "INSERT INTO bundle (host, number, issuer, created) VALUES (?1, ?2, ?3, ?4)",
            (self.host, number(id), &bundle.issuer, bundle.created.as_millis()),
        )?;
        for (key_type, BundleCredential { key, issued }) in &bundle.credentials {
            let chain = issued.as_ref().map(|issued| issued.chain.id().to_string());
            let anchor = issued.as_ref().and_then(|issued| issued.anchor.as_ref());
            self.run(
                "INSERT INTO credential (host, bundle, key_type, key, key_at, chain, anchor) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    self.host,
                    number(id),
                    key_type.as_str(),
                    key_digest(key),
                    key.at.as_millis(),
                    chain,
                    anchor.map(certificate_digest),
                ),
            )?;
        }
        Ok(())
    }

    /// Writes what may be presented.
    fn served(&self, served: &Served) -> Result<(), Trouble> {
        for (position, presence) in (0_i64..).zip(&served.presences) {
            let (wall, boot, uptime) = from_optional_moment(presence.ended.as_ref());
            self.run(
                "INSERT INTO presence (host, position, chain, ended_wall, ended_boot, \
                 ended_uptime) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (self.host, position, presence.chain.id().to_string(), wall, boot, uptime),
            )?;
        }
        let Some(deployment) = &served.deployment else {
            return Ok(());
        };
        let begun = from_moment(&deployment.begun);
        let done = from_optional_moment(deployment.done.as_ref());
        self.run(
            "INSERT INTO deployment (host, bundle, begun_wall, begun_boot, begun_uptime, \
             done_wall, done_boot, done_uptime, shown) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                self.host,
                number(deployment.bundle),
                begun.0,
                begun.1,
                begun.2,
                done.0,
                done.1,
                done.2,
                deployment.shown,
            ),
        )?;
        deployment.chains.iter().try_for_each(|chain| {
            let sql = "INSERT INTO deployment_chain (host, chain) VALUES (?1, ?2)";
            self.run(sql, (self.host, chain.to_string()))
        })
    }

    /// Writes what is in flight, kept ready, barred, and to be revoked.
    fn plans(&self, state: &HostState) -> Result<(), Trouble> {
        if let Some(rollover) = &state.rollover {
            self.rollover(rollover)?;
        }
        for (key_type, key) in &state.standby {
            self.run(
                "INSERT INTO standby (host, key_type, key, key_at) VALUES (?1, ?2, ?3, ?4)",
                (self.host, key_type.as_str(), key_digest(key), key.at.as_millis()),
            )?;
        }
        for (position, barred) in (0_i64..).zip(&state.barred) {
            let certificate = certificate_digest(&barred.certificate);
            self.run(
                "INSERT INTO barred (host, position, usage, certificate) VALUES (?1, ?2, ?3, ?4)",
                (self.host, position, barred.usage.number(), certificate),
            )?;
        }
        for (position, revocation) in (0_i64..).zip(&state.to_revoke) {
            self.run(
                "INSERT INTO revocation (host, position, issuer, chain) VALUES (?1, ?2, ?3, ?4)",
                (self.host, position, &revocation.issuer, revocation.chain.id().to_string()),
            )?;
        }
        Ok(())
    }

    /// Writes the rollover in flight.
    fn rollover(&self, rollover: &Rollover) -> Result<(), Trouble> {
        let target = match rollover.target {
            Target::Bundle(id) => Some(number(id)),
            Target::NoRecords => None,
        };
        self.run(
            "INSERT INTO rollover (host, kind, started, target_bundle, from_bundle, took_standby) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                self.host,
                rollover.kind.as_str(),
                rollover.started.as_millis(),
                target,
                rollover.from.map(number),
                rollover.took_standby,
            ),
        )
    }

    /// Writes how a step failed.
    fn failure(&self, step: Step, failure: &Failure) -> Result<(), Trouble> {
        let (wall, boot, uptime) = from_moment(&failure.at);
        self.run(
            "INSERT INTO failure (host, step, count, at_wall, at_boot, at_uptime, not_before, \
             message, hint, needs_operator, by_issuer) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            (
                self.host,
                step.as_str(),
                failure.count,
                wall,
                boot,
                uptime,
                failure.not_before.as_millis(),
                &failure.message,
                &failure.hint,
                failure.needs_operator,
                failure.by_issuer,
            ),
        )
    }

    /// Adds to the history.
    fn event(&self, event: &Event) -> Result<(), Trouble> {
        self.run(
            "INSERT INTO event (host, at, observation, decision, action, result) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                self.host,
                event.at.as_millis(),
                &event.observation,
                &event.decision,
                &event.action,
                &event.result,
            ),
        )
    }
}
