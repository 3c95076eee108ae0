//! The ports of a pass, each standing for its part of the stage.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;

use super::{BEGINNING, Stage, authority, certificate, key};
use crate::keys::{KeyError, PrivateKey};
use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyFamily, KeyType, Sha256Digest};
use crate::ports::{
    Clock, Credential, DeployError, Deployed, Deployer, Dns, Event, HeldRrset, IssueError, Issuer,
    Keymaker, Ledger, LedgerError, LookupError, Order, Probe, Protocol, PublishError, Publisher,
    Revocation, RrsetChange,
};
use crate::rollover::observation::{
    Answer, Listener, OwnerAnswers, OwnerSight, PresentedChain, Serial, ServerAddress, Sight,
    Unreadable,
};
use crate::rollover::state::HostState;
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::TlsaOwner;

#[async_trait]
impl Clock for Stage {
    fn now(&self) -> Moment {
        let seconds = self.paper().seconds;
        let uptime = Span::from_seconds(seconds);
        Moment { wall: Timestamp::from_seconds(BEGINNING - 86_400) + uptime, boot: 1, uptime }
    }

    /// Whole seconds: a pass that looks again soon does so in the next one.
    async fn sleep(&self, span: Span) {
        self.wait(span.as_seconds());
    }
}

impl Keymaker for Stage {
    fn make(&self, _: KeyType) -> Result<PrivateKey, KeyError> {
        let mut paper = self.paper();
        paper.keys += 100;
        Ok(key(paper.keys))
    }
}

#[async_trait]
impl Dns for Stage {
    async fn look(&self, owner: &TlsaOwner, _: &[String]) -> OwnerSight {
        let paper = self.paper();
        let zone: DnsName = "example.nl".parse().unwrap();
        if paper.faults.unsigned {
            return OwnerSight::Unsigned { zone };
        }
        let server = |number: u8| ServerAddress {
            name: format!("ns{number}.example.nl").parse().unwrap(),
            address: [192, 0, 2, 52 + number].into(),
        };
        let second = match paper.faults.silent {
            Some(reason) => Answer::Silent { reason: reason.to_owned() },
            None => Answer::Secure(paper.secondary.clone()),
        };
        let first = Answer::Secure(paper.primary.clone());
        OwnerSight::Seen(OwnerAnswers {
            zone,
            target: owner.name().clone(),
            answers: [(server(1), first), (server(2), second)].into(),
            serials: BTreeMap::<ServerAddress, Serial>::new(),
            at_primary: Err(Unreadable::default()),
        })
    }

    async fn txt_is_everywhere(&self, _: &DnsName, _: &str, _: &[String]) -> bool {
        true
    }

    async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        Ok(name.clone())
    }

    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        Ok(name.clone())
    }

    async fn addresses(&self, _: &DnsName) -> Result<Vec<IpAddr>, LookupError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Publisher for Stage {
    async fn read(&self, _: &DnsName, _: &DnsName) -> Result<HeldRrset, PublishError> {
        Ok(self.paper().primary.clone().into())
    }

    async fn replace(&self, _: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        let mut paper = self.paper();
        if let Some(refusal) = &paper.faults.refusal {
            return Err(refusal.clone());
        }
        paper.primary = changes[0].desired.clone();
        if !paper.faults.lags {
            paper.secondary = paper.primary.clone();
        }
        Ok(())
    }

    fn longest_delay(&self) -> Span {
        Span::from_seconds(360)
    }

    async fn add_txt(&self, _: &DnsName, _: &DnsName, _: &str, _: Ttl) -> Result<(), PublishError> {
        Ok(())
    }

    async fn remove_txt(&self, _: &DnsName, _: &DnsName, _: &str) -> Result<(), PublishError> {
        Ok(())
    }
}

/// A CA of the stage.
pub(super) struct Ca {
    /// The stage.
    pub(super) stage: Stage,
    /// Its name in the configuration.
    pub(super) name: String,
}

#[async_trait]
impl Issuer for Ca {
    fn known_anchors(&self) -> Vec<Certificate> {
        vec![authority(&self.name).0]
    }

    async fn issue(&self, order: &Order) -> Result<Chain, IssueError> {
        if let Some(error) = &self.stage.paper().faults.order {
            return Err(error.clone());
        }
        let now = self.stage.now().wall;
        Ok(certificate(&self.name, self.stage.name, &order.key, now))
    }

    fn trust_anchor(&self, chain: &Chain) -> Option<Certificate> {
        chain.authorities().first().cloned()
    }

    async fn revoke(&self, _: &Certificate, _: &PrivateKey) -> Result<Revocation, IssueError> {
        Ok(Revocation::NotOffered)
    }
}

#[async_trait]
impl Deployer for Stage {
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        Ok(self.paper().files.clone())
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        let mut paper = self.paper();
        if let Some(error) = &paper.faults.reload {
            return Err(error.clone());
        }
        paper.files = credentials.to_vec();
        Ok(Deployed::default())
    }
}

#[async_trait]
impl Probe for Stage {
    async fn look(&self, listener: &Listener, _: Protocol) -> Sight {
        if listener.family == KeyFamily::Rsa {
            return Sight::NotOffered;
        }
        let paper = self.paper();
        let files = paper.files.iter().map(|file| file.chain.clone()).collect();
        let presented = paper.elsewhere.clone().map_or(files, |chain| vec![chain]);
        Sight::Presented(presented.into_iter().map(PresentedChain).collect())
    }
}

impl Ledger for Stage {
    fn load(&self, _: &str) -> Result<HostState, LedgerError> {
        Ok(self.paper().ledger.clone())
    }

    fn save(&self, _: &str, state: &HostState, events: &[Event]) -> Result<(), LedgerError> {
        let mut paper = self.paper();
        paper.ledger = state.clone();
        paper.events.extend_from_slice(events);
        Ok(())
    }

    fn history(&self, _: &str, _: usize) -> Result<Vec<Event>, LedgerError> {
        Ok(self.events())
    }

    fn store_key(&self, _: &PrivateKey) -> Result<(), LedgerError> {
        Ok(())
    }

    fn load_key(&self, spki: &Sha256Digest) -> Result<PrivateKey, LedgerError> {
        let found = (1..=u8::MAX).map(key).find(|key| key.spki_sha256() == *spki);
        found.ok_or_else(|| LedgerError { message: "no such key".to_owned(), hint: String::new() })
    }
}
