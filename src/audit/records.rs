//! What TLSA records say by themselves: the same everywhere, of use to mail servers, signed for long.
//!
//! Whether they fit a certificate is another question (`server.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Code, Finding};
use super::subject::Protection;
use crate::dns::{OwnerView, ServerView};
use crate::ports::LookupError;
use crate::rollover::observation::Answer;
use crate::rollover::{Brief, brief};
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::{MatchingType, Parameters, Record, Selector, TlsaOwner, TlsaRrset, Usage};

/// The most records of one host that a large sender takes.
const RECORDS_MAX: usize = 12;

/// The longest TTL that leaves a way out of an emergency within a day.
const TTL_MAX: Ttl = Ttl::from_seconds(24 * 60 * 60);

/// How long a signature should still hold: a night in which nobody looks.
const SIGNED_FOR: Span = Span::from_seconds(12 * 60 * 60);

/// What senders may be told at a TLSA owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    /// The RRsets that some server answers, each once; one without records stands for none.
    pub(super) versions: Vec<TlsaRrset>,
    /// Whether senders use what is there: it is signed, and validates at some server.
    pub(super) is_secure: bool,
    /// What is to be said of them.
    pub(super) findings: Vec<Finding>,
}

impl Published {
    /// The records of all versions.
    pub(super) fn records(&self) -> BTreeSet<Record> {
        self.versions.iter().flat_map(|version| version.records.clone()).collect()
    }

    /// Whether senders use DANE here.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_secure && self.versions.iter().any(|version| !version.is_absent())
    }

    /// Whether senders that use DANE are kept from everybody else.
    pub(super) fn protection(&self) -> Protection {
        let unknown =
            [Code::LookupFailed, Code::NameServerSilent, Code::TlsaUntrusted, Code::Bogus];
        let usable = |version: &TlsaRrset| version.records.iter().any(|r| r.association().is_ok());
        if self.is_in_use() && self.versions.iter().any(usable) {
            Protection::Protected
        } else if self.findings.iter().any(|finding| unknown.contains(&finding.code)) {
            Protection::Unknown
        } else {
            Protection::Open
        }
    }

    /// Judges what was found at an owner.
    pub(super) fn judge(
        owner: &TlsaOwner,
        view: &Result<OwnerView, LookupError>,
        now: Timestamp,
    ) -> Self {
        let only = |finding| Self { findings: vec![finding], ..Self::default() };
        match view {
            Err(error) => only(Finding::unknown(Code::LookupFailed, error.to_string())),
            Ok(OwnerView::Bogus { reason }) => only(Finding::critical(Code::Bogus, reason.clone())),
            Ok(OwnerView::Unsigned { zone, records }) if records.is_empty() => {
                only(Finding::warning(
                    Code::ServerUnsigned,
                    format!("{} is not signed", zone.absolute()),
                ))
            }
            Ok(OwnerView::Unsigned { zone, records }) => {
                let (count, zone) = (count(records.len(), "record"), zone.absolute());
                let seen = format!("{owner} has {count}, and {zone} is not signed");
                only(Finding::warning(Code::TlsaUnsigned, seen))
            }
            Ok(OwnerView::Seen { target, servers }) => {
                let mut published = Self { is_secure: true, ..Self::default() };
                if target != owner.name() {
                    let seen = format!("{owner} is an alias of {}", target.absolute());
                    published.findings.push(Finding::ok(Code::TlsaAlias, seen));
                }
                published.judge_servers(servers, now);
                published.judge_records();
                published
            }
        }
    }

    /// Judges the answers of the authoritative servers.
    fn judge_servers(&mut self, servers: &[ServerView], now: Timestamp) {
        if servers.is_empty() {
            let seen = "no name server has an address that may be asked";
            self.findings.push(Finding::unknown(Code::NameServerSilent, seen));
        }
        let mut by_records: BTreeMap<&BTreeSet<Record>, (Ttl, Vec<&ServerView>)> = BTreeMap::new();
        for view in servers {
            match &view.answer {
                Answer::Silent { reason } if view.is_lame => {
                    let finding = match servers.iter().any(|other| other.rrset().is_some()) {
                        true => Finding::warning(Code::NameServerLame, reason.clone()),
                        false => Finding::critical(Code::NameServerLame, reason.clone()),
                    };
                    self.findings.push(finding.at(&view.server));
                }
                Answer::Silent { reason } => {
                    let finding = Finding::unknown(Code::NameServerSilent, reason.clone());
                    self.findings.push(finding.at(&view.server));
                }
                Answer::Untrusted { reason } => {
                    let finding = Finding::critical(Code::TlsaUntrusted, reason.clone());
                    self.findings.push(finding.at(&view.server));
                }
                Answer::Wildcard(rrset) => {
                    let seen = format!("{} comes from a wildcard", brief(rrset));
                    self.findings.push(Finding::warning(Code::TlsaWildcard, seen).at(&view.server));
                }
                Answer::Secure(_) => {}
            }
            if let Some(rrset) = view.rrset() {
                let (ttl, views) = by_records.entry(&rrset.records).or_default();
                *ttl = rrset.ttl.max(*ttl);
                views.push(view);
            }
        }
        self.versions = by_records
            .iter()
            .map(|(records, (ttl, _))| TlsaRrset { records: (*records).clone(), ttl: *ttl })
            .collect();
        self.is_secure = !by_records.is_empty();
        let answering: Vec<&ServerView> =
            servers.iter().filter(|view| view.rrset().is_some()).collect();
        match &self.versions[..] {
            [] => {}
            [only] => self.findings.push(same(only, &answering)),
            _ => {
                let versions: Vec<String> =
                    by_records.values().map(|(_, views)| told(views)).collect();
                self.findings.push(Finding::warning(Code::TlsaDiffers, versions.join("; ")));
            }
        }
        self.findings.extend(servers.iter().filter_map(|view| signature(view, now)));
    }

    /// Judges the records as such.
    fn judge_records(&mut self) {
        let records = self.records();
        let mut usable = 0;
        let mut kinds = BTreeSet::new();
        let mut unusable = Vec::new();
        for record in &records {
            match record.association() {
                Ok(association) => {
                    usable += 1;
                    kinds.insert(association.parameters);
                    self.findings.extend(doubts(record, association.parameters));
                }
                Err(reason) => unusable.push((record, reason)),
            }
        }
        for (record, reason) in unusable {
            let seen = format!("{}: {reason}", short(record));
            self.findings.push(match usable {
                0 => Finding::critical(Code::TlsaUnusable, seen),
                _ => Finding::warning(Code::TlsaUnusable, seen),
            });
        }
        for kind in &kinds {
            let weaker = Parameters { matching_type: MatchingType::Sha2_256, ..*kind };
            if kind.matching_type == MatchingType::Sha2_512 && !kinds.contains(&weaker) {
                let seen = format!("{kind} is there without {weaker}");
                self.findings.push(Finding::warning(Code::TlsaSha512Alone, seen));
            }
        }
        if RECORDS_MAX < records.len() {
            let seen = format!("{} records", records.len());
            self.findings.push(Finding::warning(Code::TlsaTooMany, seen));
        }
        let longest = self.versions.iter().filter(|v| !v.is_absent()).map(|v| v.ttl).max();
        if let Some(ttl) = longest.filter(|ttl| TTL_MAX < *ttl) {
            self.findings.push(Finding::warning(Code::TlsaTtlLong, format!("the TTL is {ttl}")));
        }
    }
}

/// What these servers, which all answer the same, answer.
fn told(views: &[&ServerView]) -> String {
    let servers: Vec<String> = views.iter().map(|view| view.server.to_string()).collect();
    let rrset = views.first().and_then(|view| view.rrset());
    format!("{} at {}", rrset.map(brief).unwrap_or_default(), servers.join(" and "))
}

/// That all servers answer the same.
fn same(rrset: &TlsaRrset, servers: &[&ServerView]) -> Finding {
    let (addresses, names) = (servers.len(), servers.iter().map(|view| &view.server.name));
    let names = names.collect::<BTreeSet<_>>().len();
    let until = servers.iter().filter_map(|view| view.signed_until).min();
    let signed = until.map(|until| format!(", signed until {until}")).unwrap_or_default();
    let of = format!("at {} of {}", count(addresses, "address"), count(names, "name server"));
    match rrset.is_absent() {
        true => Finding::warning(Code::TlsaAbsent, format!("no TLSA records {of}")),
        false => {
            let records = count(rrset.records.len(), "record");
            let seen = format!("{records}, the same {of}, TTL {}{signed}", rrset.ttl);
            Finding::ok(Code::TlsaSame, seen)
        }
    }
}

/// That a signature ends soon.
fn signature(view: &ServerView, now: Timestamp) -> Option<Finding> {
    let (until, ttl) = (view.signed_until?, view.rrset()?.ttl);
    let soon = now + SIGNED_FOR.max(ttl.span());
    (until < soon).then(|| {
        let seen = format!("the signature of the TLSA records ends at {until}");
        Finding::warning(Code::SignatureSoon, seen).at(&view.server)
    })
}

/// What speaks against a usable record's kind.
fn doubts(record: &Record, parameters: Parameters) -> Option<Finding> {
    let Parameters { usage, selector, matching_type } = parameters;
    if matching_type == MatchingType::Full {
        let seen = format!("{} carries {} octets", short(record), record.data.len());
        return Some(Finding::warning(Code::TlsaFullData, seen));
    }
    (usage == Usage::DaneEe && selector == Selector::Cert).then(|| {
        let seen = format!("{} names the whole certificate", short(record));
        Finding::warning(Code::TlsaWholeCertificate, seen)
    })
}

/// A record as people tell it from others.
pub(super) fn short(record: &Record) -> String {
    Brief(record).to_string()
}

/// A number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    let ending = match (number, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{number} {noun}{ending}")
}
