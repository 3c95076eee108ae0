//! The zone: what its primary and its lagging secondary serve, and the provider that changes it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::wire::{Carrier, Facts, Signer, WireError};
use crate::name::DnsName;
use crate::ports::{Clock, HeldRrset, PublishError, Publisher};
use crate::rollover::action::RrsetChange;
use crate::time::{Span, Ttl};
use crate::tlsa::TlsaRrset;

/// What the provider is called in errors.
const PROVIDER: &str = "the demonstration's zone";

/// The zone, with every version of its TLSA RRset.
pub(super) struct Zone {
    /// What never changes.
    pub(super) facts: Facts,
    /// The key.
    signer: Signer,
    /// The time.
    clock: Arc<dyn Clock>,
    /// The versions, the latest last, each with when it was made; never empty.
    versions: Mutex<Vec<(Span, TlsaRrset)>>,
}

impl Zone {
    /// A zone with these TLSA records, served everywhere.
    pub(super) fn new(
        facts: Facts,
        signer: Signer,
        clock: Arc<dyn Clock>,
        rrset: TlsaRrset,
    ) -> Self {
        Self { facts, signer, clock, versions: Mutex::new(vec![(Span::ZERO, rrset)]) }
    }

    /// What a server serves that is `lag` behind the primary.
    pub(super) fn served(&self, lag: Span) -> TlsaRrset {
        let now = self.clock.now().uptime;
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let arrived = versions.iter().rev().find(|(at, _)| *at + lag <= now);
        let (_, rrset) = arrived.or_else(|| versions.first()).expect("there is a first version");
        rrset.clone()
    }

    /// Changes the RRset at the primary.
    pub(super) fn put(&self, rrset: TlsaRrset) {
        let now = self.clock.now().uptime;
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).push((now, rrset));
    }

    /// Answers a question as a server does that is `lag` behind.
    pub(super) fn answer(&self, question: (&[u8], Carrier), lag: Span) -> Option<Vec<u8>> {
        let now = self.clock.now().wall;
        self.signer.answer(&self.facts, &self.served(lag), question, now)
    }

    /// The trust anchor, as a file would hold it.
    pub(super) fn anchor(&self) -> Result<String, WireError> {
        self.signer.anchor()
    }

    /// The zone's key, for a validator.
    pub(super) fn key(&self) -> super::wire::ZoneKey {
        self.signer.zone_key()
    }
}

/// Changes the zone at its primary, in the process.
pub(super) struct Provider(pub(super) Arc<Zone>);

impl Provider {
    /// The refusal of anything but TLSA records at the one owner.
    fn refuse<T>(&self, name: &DnsName) -> Result<T, PublishError> {
        Err(PublishError::Refused {
            server: PROVIDER.to_owned(),
            what: name.absolute(),
            rcode: "it holds TLSA records of one mail server alone".to_owned(),
        })
    }
}

#[async_trait]
impl Publisher for Provider {
    async fn read(&self, _zone: &DnsName, name: &DnsName) -> Result<HeldRrset, PublishError> {
        match *name == self.0.facts.owner {
            true => Ok(self.0.served(Span::ZERO).into()),
            false => self.refuse(name),
        }
    }

    async fn replace(&self, _zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        for change in changes {
            if change.name != self.0.facts.owner {
                return self.refuse(&change.name);
            }
            let present = self.0.served(Span::ZERO);
            if present == change.desired {
                continue;
            }
            if present.records != change.observed.records {
                let (server, what) = (PROVIDER.to_owned(), change.name.absolute());
                return Err(PublishError::Conflict { server, what });
            }
            self.0.put(change.desired.clone());
        }
        Ok(())
    }

    fn longest_delay(&self) -> Span {
        Span::from_seconds(1)
    }

    async fn add_txt(
        &self,
        _zone: &DnsName,
        name: &DnsName,
        _value: &str,
        _ttl: Ttl,
    ) -> Result<(), PublishError> {
        self.refuse(name)
    }

    async fn remove_txt(
        &self,
        _zone: &DnsName,
        name: &DnsName,
        _value: &str,
    ) -> Result<(), PublishError> {
        self.refuse(name)
    }
}
