//! Which record fits which certificate, and the certificates' own names and dates.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Code, Finding};
use super::records::{Published, count, short};
use super::server::{Judgement, kind};
use crate::pki::Certificate;
use crate::probe::Shown;
use crate::time::{Span, Timestamp};
use crate::tlsa::{Matched, Record, Usage, Verdict, judge};

/// How long before its end a certificate is due at the latest, however long it lives.
const DUE_MAX: Span = Span::from_seconds(14 * 24 * 60 * 60);

impl Judgement<'_> {
    /// Judges each record: which certificate it fits, or why it fits none.
    pub(super) fn records(&self, published: &Published) -> Vec<Finding> {
        let (shown, records) = (self.presented(), published.records());
        if shown.is_empty() || !published.is_in_use() {
            return Vec::new();
        }
        let mut verdicts: BTreeMap<&Record, Vec<(&Shown, Verdict)>> = BTreeMap::new();
        for one in &shown {
            for (record, verdict) in judge(&records, &one.chain, &self.names, self.now) {
                let record = records.get(&record).expect("the judge judges these records");
                verdicts.entry(record).or_default().push((one, verdict));
            }
        }
        let (mut findings, mut spare) = (Vec::new(), Vec::new());
        for (record, verdicts) in &verdicts {
            let fits: BTreeSet<String> =
                verdicts.iter().filter_map(|(one, verdict)| called(one, verdict)).collect();
            if !fits.is_empty() {
                let fits = fits.into_iter().collect::<Vec<_>>().join(" and ");
                let seen = format!("{} fits {fits}", short(record));
                findings.push(Finding::ok(Code::RecordFits, seen));
                continue;
            }
            let Some((_, verdict)) = verdicts.first() else { continue };
            if matches!(verdict, Verdict::Unusable(_)) {
                continue; // said already
            }
            if self.is_covered(record, &shown, &records) {
                spare.push(*record);
                continue;
            }
            let is_bare = shown.iter().all(|one| one.chain.authorities().is_empty());
            let code = match matches!(verdict, Verdict::AnchorNotSent { .. }) && is_bare {
                true => Code::ChainIncomplete,
                false => Code::RecordMisfits,
            };
            findings.push(Finding::warning(code, format!("{} {verdict}", short(record))));
        }
        findings.extend(spares(&spare));
        findings
    }

    /// Whether beside a record that fits nothing others of its kind fit all that is presented.
    fn is_covered(&self, record: &Record, shown: &[Shown], records: &BTreeSet<Record>) -> bool {
        let same = |other: &Record| {
            let of = |r: &Record| (r.usage, r.selector, r.matching_type);
            of(other) == of(record)
        };
        shown.iter().all(|one| {
            let verdicts = judge(records, &one.chain, &self.names, self.now);
            verdicts.iter().any(|(other, verdict)| same(other) && verdict.validates())
        })
    }

    /// Judges the certificates' names and dates.
    pub(super) fn certificates(&self, published: &Published) -> Vec<Finding> {
        let by_anchor = |record: &Record| record.usage == Usage::DaneTa.number();
        let names_count = !published.is_in_use() || published.records().iter().any(by_anchor);
        let mut findings = Vec::new();
        for shown in self.presented() {
            let leaf = shown.chain.leaf();
            let who = format!("the {} certificate `{}`", kind(&shown), leaf.subject());
            let (from, until) = (leaf.not_before(), leaf.not_after());
            let due = until.since(from).fraction(1, 6).min(DUE_MAX);
            findings.push(if until < self.now {
                let seen = format!("{who} expired at {until}");
                Finding::warning(Code::CertificateExpired, seen)
            } else if self.now < from {
                let seen = format!("{who} is not valid before {from}");
                Finding::warning(Code::CertificateExpired, seen)
            } else if until < self.now + due {
                let seen = format!("{who} expires at {until}, in {}", rest(until, self.now));
                Finding::warning(Code::CertificateSoon, seen)
            } else {
                let ca = leaf.issuer();
                let seen = format!("{who} of `{ca}`, until {until} (in {})", rest(until, self.now));
                Finding::ok(Code::Certificate, seen)
            });
            if !self.names.iter().any(|name| leaf.is_valid_for(name)) {
                let names = match (leaf.dns_names(), leaf.common_name()) {
                    ([], None) => "no name".to_owned(),
                    ([], Some(name)) => name.to_owned(),
                    (names, _) => names.join(", "),
                };
                let seen = format!("{who} is for {names}, not for {}", self.facts.owner.base());
                findings.push(match names_count {
                    true => Finding::warning(Code::CertificateNames, seen),
                    false => Finding::ok(Code::CertificateNames, seen),
                });
            }
        }
        findings
    }
}

/// What is to be said of records that fit nothing beside others of their kind that do.
///
/// One may be the next key's, published beforehand (RFC 7671, section 8.1); so may be several CAs'.
fn spares(spare: &[&Record]) -> Option<Finding> {
    if spare.is_empty() {
        return None;
    }
    let keys = spare.iter().filter(|record| record.usage == Usage::DaneEe.number()).count();
    let all: Vec<String> = spare.iter().map(|record| short(record)).collect();
    let verb = if all.len() == 1 { "fits" } else { "fit" };
    let seen = format!("{} {verb} nothing that is presented", all.join(", "));
    Some(match keys {
        0 | 1 => Finding::ok(Code::RecordSpare, seen),
        _ => Finding::warning(Code::RecordLeftover, seen),
    })
}

/// What a record that fits names, by its place in the chain.
fn called(shown: &Shown, verdict: &Verdict) -> Option<String> {
    let Verdict::Matches(matched) = verdict else { return None };
    let subject = |certificate: &Certificate| format!("`{}`", certificate.subject());
    Some(match matched {
        Matched::Sent { depth: 0 } => {
            format!("the server's {} certificate {}", kind(shown), subject(shown.chain.leaf()))
        }
        Matched::Sent { depth } => {
            format!("the CA certificate {}", subject(&shown.chain.certificates()[*depth]))
        }
        Matched::Carried => "the CA that it holds itself".to_owned(),
    })
}

/// How long there is left, in whole days or hours.
fn rest(until: Timestamp, now: Timestamp) -> String {
    let hours = until.since(now).as_seconds() / 3600;
    match hours {
        48.. => format!("{} days", hours / 24),
        _ => count(usize::try_from(hours).unwrap_or(0), "hour"),
    }
}
