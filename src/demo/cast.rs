//! Who is who: keys, CAs, certificates and RRsets by names that people can follow.
//!
//! `2 1 1 New CA` says more than a digest, and one letter for an RRset fits into a picture.

use std::collections::BTreeSet;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::dane;
use crate::pki::{Certificate, Chain};
use crate::rollover::Brief;
use crate::rollover::state::HostState;
use crate::tlsa::{MatchingType, Parameters, Record, Selector, TlsaRrset, Usage};

/// What keys are called, in the order in which they appear.
const KEYS: [&str; 3] = ["old key", "new key", "next key"];

/// In the place of parameters: no record accepts.
pub(super) const NOTHING: &str = "nothing";

/// One of the two certificates.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Certified {
    /// The one to begin with.
    Old,
    /// The one to change to.
    New,
}

impl Certified {
    /// Its letter.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Old => 'O',
            Self::New => 'N',
        }
    }
}

/// Who has appeared so far.
pub(super) struct Cast {
    /// The CAs, by name.
    authorities: Vec<(&'static str, Certificate)>,
    /// The keys, each as its SubjectPublicKeyInfo, the first to appear first.
    keys: Vec<Vec<u8>>,
    /// The records of each RRset that appeared.
    rrsets: Vec<BTreeSet<Record>>,
    /// The chain to begin with.
    old: Chain,
    /// The chain to change to, once it is there.
    new: Option<Chain>,
    /// The mail server's name.
    host: ServerName<'static>,
}

impl Cast {
    /// The old chain, and both CAs.
    pub(super) fn new(
        old: Chain,
        authorities: Vec<(&'static str, Certificate)>,
        host: ServerName<'static>,
    ) -> Self {
        let keys = vec![old.leaf().spki().to_vec()];
        Self { authorities, keys, rrsets: Vec::new(), old, new: None, host }
    }

    /// Takes in who appears in the ledger.
    pub(super) fn meet(&mut self, state: &HostState) {
        let bundles = state.bundles.values();
        let of_bundles = bundles.flat_map(|bundle| bundle.credentials.values().map(|c| &c.key));
        for key in of_bundles.chain(state.standby.values()) {
            if !self.keys.contains(&key.spki) {
                self.keys.push(key.spki.clone());
            }
        }
        for chain in state.bundles.values().flat_map(|bundle| bundle.chains()) {
            self.meet_chain(chain);
        }
    }

    /// Takes in a chain.
    pub(super) fn meet_chain(&mut self, chain: &Chain) {
        if chain.id() != self.old.id() {
            if !self.keys.iter().any(|key| key == chain.leaf().spki()) {
                self.keys.push(chain.leaf().spki().to_vec());
            }
            self.new = Some(chain.clone());
        }
    }

    /// Which certificate it is that a process presents.
    pub(super) fn certified(&self, chain: &[CertificateDer<'_>]) -> Certified {
        let own = chain.first().map(AsRef::as_ref);
        match own == Some(self.old.leaf().der()) {
            true => Certified::Old,
            false => Certified::New,
        }
    }

    /// The letter of an RRset: A for the first that appeared.
    pub(super) fn letter(&mut self, rrset: &TlsaRrset) -> char {
        let known = self.rrsets.iter().position(|records| *records == rrset.records);
        let position = known.unwrap_or_else(|| {
            self.rrsets.push(rrset.records.clone());
            self.rrsets.len() - 1
        });
        ('A'..='Z').nth(position).unwrap_or('?')
    }

    /// Every RRset that appeared, by letter.
    pub(super) fn rrsets(&self) -> impl Iterator<Item = (char, &BTreeSet<Record>)> {
        ('A'..='Z').zip(&self.rrsets)
    }

    /// Records in words: `2 1 1 New CA, 3 1 1 old key`.
    pub(super) fn records(&self, records: &BTreeSet<Record>) -> String {
        records.iter().map(|record| self.record(record)).collect::<Vec<_>>().join(", ")
    }

    /// A record in words.
    fn record(&self, record: &Record) -> String {
        let Ok(association) = record.association() else { return record.to_string() };
        let parameters = association.parameters;
        let whose = match parameters.usage {
            Usage::DaneTa => {
                let named = self.authorities.iter().find(|(_, ca)| association.matches(ca));
                named.map(|(name, _)| *name)
            }
            Usage::DaneEe => {
                let named = self.keys.iter().position(|key| names_key(record, parameters, key));
                named.and_then(|position| KEYS.get(position).copied())
            }
        };
        match whose {
            Some(whose) => format!("{parameters} {whose}"),
            None => Brief(record).to_string(),
        }
    }

    /// A text of rollover's with names in place of digests.
    pub(super) fn reworded(&self, text: &str) -> String {
        let records = self.rrsets.iter().flatten();
        records.fold(text.to_owned(), |text, record| {
            text.replace(&Brief(record).to_string(), &self.record(record))
        })
    }

    /// By which parameters the sender's own judgement accepts a certificate; `None` while there is
    /// no such certificate yet.
    pub(super) fn accepted_by(
        &self,
        certified: Certified,
        records: &BTreeSet<Record>,
        now: UnixTime,
    ) -> Option<String> {
        let chain = match certified {
            Certified::Old => &self.old,
            Certified::New => self.new.as_ref()?,
        };
        let chain: Vec<CertificateDer<'_>> =
            chain.certificates().iter().map(|c| CertificateDer::from(c.der())).collect();
        let accepting = records.iter().filter(|r| dane::accepts(r, &chain, &self.host, now));
        Some(parameters(accepting))
    }

    /// By which parameters a certificate would be accepted that the new CA issued for the new key.
    pub(super) fn would_be_accepted_by(
        &self,
        spki: &[u8],
        authority: &str,
        records: &BTreeSet<Record>,
    ) -> String {
        let accepting = records.iter().filter(|record| {
            let Ok(association) = record.association() else { return false };
            match association.parameters.usage {
                Usage::DaneTa => self
                    .authorities
                    .iter()
                    .any(|(name, ca)| *name == authority && association.matches(ca)),
                Usage::DaneEe => names_key(record, association.parameters, spki),
            }
        });
        parameters(accepting)
    }
}

/// Whether a record names a key, by digest.
fn names_key(record: &Record, parameters: Parameters, spki: &[u8]) -> bool {
    let digest = |kind: MatchingType| kind.present(spki);
    parameters.selector == Selector::Spki && digest(parameters.matching_type) == record.data
}

/// The parameters of records, in words; `nothing` of none.
fn parameters<'r>(records: impl Iterator<Item = &'r Record>) -> String {
    let texts: Vec<String> = records
        .map(|record| format!("{} {} {}", record.usage, record.selector, record.matching_type))
        .collect();
    match texts.is_empty() {
        true => NOTHING.to_owned(),
        false => texts.join(" and "),
    }
}
