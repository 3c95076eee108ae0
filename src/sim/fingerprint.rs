//! What tells one world of the model from another: all that can ever make a difference, and nothing
//! else, so that a search comes to an end.
//!
//! Times are told from now on, and only as far as anything is counted from them; serial numbers from
//! the present one on; bundles by their order.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::pki::{Chain, KeyType, Sha256Digest};
use crate::policy::Policy;
use crate::rollover::history::{Content, History, Service, Version, hold};
use crate::rollover::observation::Serial;
use crate::rollover::presentable::Presentable;
use crate::rollover::request::FAILURES_UNTIL_FALLBACK;
use crate::rollover::state::{BundleId, HostState, Kind, Target};
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::{Record, TlsaRrset};

/// After how long it makes no difference any more since when a version has been served.
const ANCIENT: Span = Span::from_seconds(10);

/// What tells a world from another.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Fingerprint(Sha256Digest);

/// The fingerprint of a world whose program is given `policy`.
pub(super) fn of(world: &World, policy: &Policy) -> Fingerprint {
    let mut writer = Writer { octets: Vec::with_capacity(2048), world, policy };
    writer.world();
    writer.ledger(&world.ledger);
    Fingerprint(Sha256Digest::of(&writer.octets))
}

/// Writes down what makes a difference.
struct Writer<'a> {
    /// What was written.
    octets: Vec<u8>,
    /// The world.
    world: &'a World,
    /// What the program is given.
    policy: &'a Policy,
}

impl Writer<'_> {
    /// Writes a number.
    fn number(&mut self, number: impl TryInto<i64>) {
        let number = number.try_into().unwrap_or(i64::MAX);
        self.octets.extend_from_slice(&number.to_le_bytes());
    }

    /// Writes a text.
    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.octets.extend_from_slice(text.as_bytes());
    }

    /// Writes what tells something from others.
    fn digest(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(&Sha256Digest::of(octets).0[..8]);
    }

    /// Writes how far away a moment is.
    fn until(&mut self, moment: Timestamp) {
        self.number(moment.since(self.world.now).as_millis());
    }

    /// Writes how long ago a moment was, as far as that counts.
    fn age(&mut self, moment: &Moment, counts: Span) {
        self.number(self.world.now.since(moment.wall).min(counts).as_millis());
    }

    /// Writes a serial number, by how far it is behind.
    fn serial(&mut self, serial: Serial) {
        self.number(self.world.serial.0.wrapping_sub(serial.0));
    }

    /// Writes an RRset.
    fn rrset(&mut self, rrset: &TlsaRrset) {
        self.number(rrset.ttl.as_seconds());
        self.records(&rrset.records);
    }

    /// Writes records.
    fn records(&mut self, records: &BTreeSet<Record>) {
        self.number(records.len());
        for record in records {
            self.octets.extend_from_slice(&[record.usage, record.selector, record.matching_type]);
            self.octets.extend(record.data.iter().take(8));
        }
    }

    /// Writes chains.
    fn chains(&mut self, chains: &BTreeMap<KeyType, Chain>) {
        self.number(chains.len());
        for chain in chains.values() {
            self.octets.extend_from_slice(&chain.id().0.0[..8]);
        }
    }

    /// Writes what is so.
    fn world(&mut self) {
        let world = self.world;
        self.rrset(&world.primary);
        for server in &world.servers {
            self.rrset(&server.rrset);
            self.serial(server.serial);
            self.until(server.silent_until);
            self.number(server.coming().len());
            for (_, rrset, serial) in server.coming() {
                self.rrset(rrset);
                self.serial(*serial);
            }
        }
        self.number(world.under_way.len());
        for (_, observed, desired, until) in &world.under_way {
            self.rrset(observed);
            self.rrset(desired);
            self.until(*until);
        }
        self.number(world.cached.len());
        for (rrset, until) in &world.cached {
            self.rrset(rrset);
            self.until(*until);
            self.number(u8::from(world.barring.contains(rrset)));
        }
        let file = world.file.iter().map(|(t, credential)| (*t, credential.chain.clone()));
        self.chains(&file.collect());
        for (number, processes) in world.processes.iter().enumerate() {
            self.chains(&processes.shown);
            self.number(u8::from(world.is_about_to_read(number)));
            if let Some((elder, until)) = &processes.elder {
                self.chains(elder);
                self.until(*until);
            }
        }
        self.number(world.drift);
    }

    /// Writes what the ledger holds.
    fn ledger(&mut self, state: &HostState) {
        for history in state.histories.values() {
            self.history(history);
        }
        self.served(state);
        let place = |id: BundleId| state.bundles.keys().position(|other| *other == id);
        let optional = |id: Option<BundleId>| {
            id.and_then(place).map_or(-1, |p| i64::try_from(p).unwrap_or(-1))
        };
        self.number(state.bundles.len());
        for bundle in state.bundles.values() {
            self.text(&bundle.issuer);
            for credential in bundle.credentials.values() {
                self.digest(&credential.key.spki);
                if let Some(issued) = &credential.issued {
                    self.octets.extend_from_slice(&issued.chain.id().0.0[..8]);
                }
            }
        }
        self.number(optional(state.current));
        if let Some(rollover) = &state.rollover {
            let kind = Kind::ALL.iter().position(|kind| *kind == rollover.kind);
            self.number(kind.unwrap_or(0));
            self.number(match rollover.target {
                Target::Bundle(id) => optional(Some(id)),
                Target::NoRecords => -2,
            });
            self.number(optional(rollover.from));
            self.number(u8::from(rollover.took_standby));
        }
        for key in state.standby.values() {
            self.digest(&key.spki);
        }
        self.number(state.barred.len());
        for barred in &state.barred {
            self.number(barred.usage.number());
            self.digest(barred.certificate.spki());
        }
        self.number(u8::from(state.withdrawn));
        let issuer = state.issuer_override.as_ref().map(|other| other.issuer.as_str());
        self.text(issuer.unwrap_or_default());
        for (step, failure) in &state.failures {
            self.text(step.as_str());
            self.number(failure.by_issuer.min(FAILURES_UNTIL_FALLBACK));
            self.number(self.policy.retry.pause(failure.count).as_millis());
            self.until(failure.not_before);
        }
        for revocation in &state.to_revoke {
            self.octets.extend_from_slice(&revocation.chain.id().0.0[..8]);
        }
    }

    /// Writes the versions of an RRset.
    fn history(&mut self, history: &History) {
        let mut order: Vec<usize> = (0..history.versions.len()).collect();
        order.sort_by_key(|place| (history.versions[*place].since().wall, *place));
        self.number(history.versions.len());
        for place in order {
            self.version(&history.versions[place]);
        }
    }

    /// Writes one version.
    fn version(&mut self, version: &Version) {
        match &version.content {
            Content::Rrset(rrset) => self.rrset(rrset),
            Content::Unknown { ttl, fits } => {
                self.number(-1);
                self.number(ttl.as_seconds());
                for chain in fits {
                    self.octets.extend_from_slice(&chain.0.0[..8]);
                }
            }
        }
        match &version.service {
            Service::Sent { at, longest_delay } => {
                self.number(0);
                self.age(at, *longest_delay);
            }
            Service::Ongoing { since } => {
                self.number(1);
                self.age(since, ANCIENT);
            }
            Service::Ended { at } => {
                self.number(2);
                self.age(at, hold(version.content.ttl(), &self.policy.timing));
            }
        }
        match version.serial {
            None => self.number(-1),
            Some(serial) => self.serial(serial),
        }
        self.number(u8::from(version.is_coming));
        self.number(version.unanswered.len());
        for update in &version.unanswered {
            self.number(u8::from(update.expects.is_some()));
            self.records(update.expects.as_ref().unwrap_or(&BTreeSet::new()));
            self.age(&update.sent, update.longest_delay);
        }
    }

    /// Writes what may be presented.
    fn served(&mut self, state: &HostState) {
        let timing = self.policy.timing;
        self.number(state.served.presences.len());
        for presence in &state.served.presences {
            self.octets.extend_from_slice(&presence.chain.id().0.0[..8]);
            self.number(u8::from(matches!(presence.chain, Presentable::Issued(_))));
            match &presence.ended {
                None => self.number(-1),
                Some(at) => self.age(at, timing.drain),
            }
        }
        if let Some(deployment) = &state.served.deployment {
            let place = state.bundles.keys().position(|id| *id == deployment.bundle);
            self.number(place.unwrap_or(usize::MAX));
            for chain in &deployment.chains {
                self.octets.extend_from_slice(&chain.0.0[..8]);
            }
            match &deployment.done {
                None => self.number(-1),
                Some(at) => self.age(at, timing.probe_timeout),
            }
            self.number(u8::from(deployment.shown));
        }
    }
}
