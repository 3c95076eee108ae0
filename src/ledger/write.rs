//! A host's state becomes rows: the former ones are replaced, the history only grows.

use rusqlite::{Transaction, params};

use super::files::name_of;
use crate::pki::hex;
use crate::ports::Event;
use crate::rollover::history::{Content, Service, Version};
use crate::rollover::presentable::Presentable;
use crate::rollover::state::{HostState, Target};
use crate::time::{Moment, Span};
use crate::tlsa::TlsaOwner;

/// Writes one host within one transaction.
pub(super) struct Writer<'a> {
    /// The transaction.
    pub(super) transaction: &'a Transaction<'a>,
    /// The host.
    pub(super) host: &'a str,
}

/// A moment as three columns.
fn columns(moment: &Moment) -> (i64, i64, i64) {
    (moment.wall.as_millis(), moment.boot.cast_signed(), millis(moment.uptime))
}

/// A moment that may be missing as three columns.
fn optional(moment: Option<&Moment>) -> (Option<i64>, Option<i64>, Option<i64>) {
    moment.map(columns).map_or((None, None, None), |(w, b, u)| (Some(w), Some(b), Some(u)))
}

/// A span in milliseconds.
fn millis(span: Span) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// A number of a bundle.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Writer<'_> {
    /// Replaces the host's rows and adds events.
    pub(super) fn replace(&self, state: &HostState, events: &[Event]) -> rusqlite::Result<()> {
        self.transaction.execute("DELETE FROM host WHERE name = ?1", [self.host])?;
        self.transaction.execute(
            "INSERT INTO host (name, current, next_bundle, withdrawn, issuer_override)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                self.host,
                state.current.map(|id| number(id.0)),
                number(state.next_bundle),
                state.withdrawn,
                state.issuer_override
            ],
        )?;
        for (owner, history) in &state.histories {
            for version in &history.versions {
                self.version(owner, version)?;
            }
        }
        self.served(state)?;
        self.bundles(state)?;
        self.rollover(state)?;
        self.obligations(state)?;
        self.failures(state)?;
        events.iter().try_for_each(|event| self.event(event))
    }

    /// One version of an RRset.
    fn version(&self, owner: &TlsaOwner, version: &Version) -> rusqlite::Result<()> {
        let (service, at, delay) = match &version.service {
            Service::Sent { at, longest_delay } => ("sent", at, Some(millis(*longest_delay))),
            Service::Ongoing { since } => ("ongoing", since, None),
            Service::Ended { at } => ("ended", at, None),
        };
        let content = match &version.content {
            Content::Rrset(_) => "rrset",
            Content::Unknown { .. } => "unknown",
        };
        let (wall, boot, uptime) = columns(at);
        self.transaction.execute(
            "INSERT INTO version (host, base, port, content, ttl, service, wall, boot, uptime,
               longest_delay) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                self.host,
                owner.base().as_str(),
                owner.port(),
                content,
                version.content.ttl().as_seconds(),
                service,
                wall,
                boot,
                uptime,
                delay
            ],
        )?;
        let id = self.transaction.last_insert_rowid();
        match &version.content {
            Content::Rrset(rrset) => {
                for record in &rrset.records {
                    self.transaction.execute(
                        "INSERT INTO version_record (version, usage, selector, matching_type, data)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![
                            id,
                            record.usage,
                            record.selector,
                            record.matching_type,
                            record.data
                        ],
                    )?;
                }
            }
            Content::Unknown { fits, .. } => {
                for chain in fits {
                    self.transaction.execute(
                        "INSERT INTO version_fit (version, chain) VALUES (?1, ?2)",
                        params![id, chain.to_string()],
                    )?;
                }
            }
        }
        Ok(())
    }

    /// What may be presented.
    fn served(&self, state: &HostState) -> rusqlite::Result<()> {
        for presence in &state.served.presences {
            // What was never issued was never presented.
            let Presentable::Issued(chain) = &presence.chain else { continue };
            let (wall, boot, uptime) = optional(presence.ended.as_ref());
            self.transaction.execute(
                "INSERT INTO presence (host, chain, wall, boot, uptime) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![self.host, chain.id().to_string(), wall, boot, uptime],
            )?;
        }
        let Some(deployment) = &state.served.deployment else { return Ok(()) };
        let (wall, boot, uptime) = columns(&deployment.begun);
        let (done_wall, done_boot, done_uptime) = optional(deployment.done.as_ref());
        self.transaction.execute(
            "INSERT INTO deployment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                self.host,
                number(deployment.bundle.0),
                wall,
                boot,
                uptime,
                done_wall,
                done_boot,
                done_uptime,
                deployment.shown
            ],
        )?;
        for chain in &deployment.chains {
            self.transaction.execute(
                "INSERT INTO deployment_chain VALUES (?1, ?2)",
                params![self.host, chain.to_string()],
            )?;
        }
        Ok(())
    }

    /// Bundles, and standby keys.
    fn bundles(&self, state: &HostState) -> rusqlite::Result<()> {
        for (id, bundle) in &state.bundles {
            self.transaction.execute(
                "INSERT INTO bundle VALUES (?1, ?2, ?3, ?4)",
                params![self.host, number(id.0), bundle.issuer, bundle.created.as_millis()],
            )?;
            for (key_type, credential) in &bundle.credentials {
                let issued = credential.issued.as_ref();
                let anchor = issued.and_then(|issued| issued.anchor.as_ref()).map(name_of);
                self.transaction.execute(
                    "INSERT INTO credential VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        self.host,
                        number(id.0),
                        key_type.as_str(),
                        credential.key.spki,
                        credential.key.at.as_millis(),
                        issued.map(|issued| issued.chain.id().to_string()),
                        anchor.map(|digest| hex(&digest.0))
                    ],
                )?;
            }
        }
        for (key_type, key) in &state.standby {
            self.transaction.execute(
                "INSERT INTO standby VALUES (?1, ?2, ?3, ?4)",
                params![self.host, key_type.as_str(), key.spki, key.at.as_millis()],
            )?;
        }
        Ok(())
    }

    /// The rollover in flight.
    fn rollover(&self, state: &HostState) -> rusqlite::Result<()> {
        let Some(rollover) = &state.rollover else { return Ok(()) };
        let target = match rollover.target {
            Target::Bundle(id) => Some(number(id.0)),
            Target::NoRecords => None,
        };
        self.transaction.execute(
            "INSERT INTO rollover VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.host,
                rollover.kind.as_str(),
                rollover.started.as_millis(),
                target,
                rollover.from.map(|id| number(id.0)),
                rollover.took_standby
            ],
        )?;
        Ok(())
    }

    /// What is barred, and what is to be revoked.
    fn obligations(&self, state: &HostState) -> rusqlite::Result<()> {
        for barred in &state.barred {
            self.transaction.execute(
                "INSERT INTO barred VALUES (?1, ?2, ?3)",
                params![self.host, barred.usage.number(), name_of(&barred.certificate).to_string()],
            )?;
        }
        for revocation in &state.to_revoke {
            self.transaction.execute(
                "INSERT INTO revocation VALUES (?1, ?2, ?3)",
                params![self.host, revocation.issuer, revocation.chain.id().to_string()],
            )?;
        }
        Ok(())
    }

    /// What failed last time.
    fn failures(&self, state: &HostState) -> rusqlite::Result<()> {
        for (step, failure) in &state.failures {
            let (wall, boot, uptime) = columns(&failure.at);
            self.transaction.execute(
                "INSERT INTO failure VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    self.host,
                    step.as_str(),
                    failure.count,
                    wall,
                    boot,
                    uptime,
                    failure.not_before.as_millis(),
                    failure.message,
                    failure.hint,
                    failure.needs_operator
                ],
            )?;
        }
        Ok(())
    }

    /// One line of the history.
    fn event(&self, event: &Event) -> rusqlite::Result<()> {
        self.transaction.execute(
            "INSERT INTO event (host, at, observation, decision, action, result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.host,
                event.at.as_millis(),
                event.observation,
                event.decision,
                event.action,
                event.result
            ],
        )?;
        Ok(())
    }
}
