//! What was judged once is not judged again: how well an RRset fits a chain changes with neither.
//!
//! A gate holds every cached RRset against every chain, at every step, and most of that is reading
//! certificates and verifying signatures over and over. The answer depends on the time only through
//! the dates of the certificates, so it holds from one of these dates to the next. A memo is kept
//! per thread, is bounded, and shows in nothing but speed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::record::{MatchingType, Record};
use super::validation::Fit;
use crate::name::DnsName;
use crate::pki::{Chain, ChainId};
use crate::time::{Span, Timestamp};

/// How many answers are kept.
const ANSWERS_MAX: usize = 4096;

/// Clients compare whole seconds: that near to a date nothing is taken from the memo.
const NEAR: Span = Span::from_seconds(2);

/// What an answer depends on, but for the time.
type Question = (ChainId, DnsName, BTreeSet<Record>);

/// An answer, and the dates between which it holds.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// The answer.
    fit: Option<Fit>,
    /// The last date before it.
    after: Timestamp,
    /// The first date behind it.
    before: Timestamp,
}

thread_local! {
    /// The answers.
    static ANSWERS: RefCell<BTreeMap<Question, Answer>> = const { RefCell::new(BTreeMap::new()) };
}

/// What `judge` says of `records` and `chain`, unless it has said it.
pub(super) fn fit(
    records: &BTreeSet<Record>,
    chain: &Chain,
    base: &DnsName,
    now: Timestamp,
    judge: impl FnOnce() -> Option<Fit>,
) -> Option<Fit> {
    let Some((after, before)) = dates_around(records, chain, now) else {
        return judge();
    };
    let question = (chain.id(), base.clone(), records.clone());
    let known = ANSWERS.with_borrow(|answers| answers.get(&question).copied());
    if let Some(answer) = known.filter(|answer| (answer.after, answer.before) == (after, before)) {
        return answer.fit;
    }
    let fit = judge();
    ANSWERS.with_borrow_mut(|answers| {
        if ANSWERS_MAX <= answers.len() {
            answers.clear();
        }
        answers.insert(question, Answer { fit, after, before });
    });
    fit
}

/// The dates of the chain's certificates on both sides of `now`; `None` where one is near, or where
/// a record carries a certificate with dates of its own.
fn dates_around(
    records: &BTreeSet<Record>,
    chain: &Chain,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    if records.iter().any(|record| record.matching_type == MatchingType::Full.number()) {
        return None;
    }
    let (mut after, mut before) = (Timestamp::MIN, Timestamp::MAX);
    for certificate in chain.certificates() {
        for date in [certificate.not_before(), certificate.not_after()] {
            if date + NEAR < now {
                after = after.max(date);
            } else if now < date - NEAR {
                before = before.min(date);
            } else {
                return None;
            }
        }
    }
    Some((after, before))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::pki::Certificate;
    use crate::tlsa::Parameters;

    /// A chain of one certificate that is valid for the second day of 1970, and the second after it.
    fn chain() -> Chain {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(1970, 1, 2);
        parameters.not_after = rcgen::date_time_ymd(1970, 1, 3);
        let der = parameters.self_signed(&key).unwrap();
        Chain::new(vec![Certificate::from_der(der.der()).unwrap()]).unwrap()
    }

    #[test]
    fn an_answer_holds_from_one_date_to_the_next() {
        let (chain, base) = (chain(), "mail.example.nl".parse().unwrap());
        let records =
            BTreeSet::from([Record::from(Parameters::EE_SPKI_SHA256.associate(chain.leaf()))]);
        let asked = Cell::new(0);
        let at = |seconds| {
            let judge = || {
                asked.set(asked.get() + 1);
                Some(Fit::Each)
            };
            fit(&records, &chain, &base, Timestamp::from_seconds(seconds), judge);
            asked.get()
        };
        assert_eq!([at(100_000), at(110_000), at(172_790)], [1, 1, 1]);
        assert_eq!([at(172_799), at(172_800), at(172_801)], [2, 3, 4], "too near to a date");
        assert_eq!([at(200_000), at(300_000)], [5, 5], "behind it the answer may be another");
    }
}
