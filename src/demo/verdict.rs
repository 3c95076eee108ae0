//! What came of it, in numbers.

use super::change::Manner;
use super::paint::tenths;
use super::sender::Delivery;
use super::stage::TTL;
use crate::time::Span;

/// What became of mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    /// How many deliveries were tried.
    tried: usize,
    /// How many of them failed.
    pub(super) failed: usize,
    /// From the first that failed to the last.
    outage: Span,
    /// Why the first failed.
    reason: String,
}

impl Verdict {
    /// Counts deliveries.
    pub(super) fn of(deliveries: &[Delivery]) -> Self {
        let failures = deliveries.iter().filter(|delivery| delivery.failure.is_some());
        let moments = || failures.clone().map(|delivery| delivery.at);
        let (first, last) = (moments().min(), moments().max());
        let outage = last.unwrap_or_default().saturating_sub(first.unwrap_or_default());
        let reason = failures.clone().find_map(|delivery| delivery.failure.clone());
        let reason = reason.unwrap_or_default();
        Self { tried: deliveries.len(), failed: failures.count(), outage, reason }
    }

    /// The verdict in words; `took` is how long the change took.
    pub(super) fn text(&self, manner: Manner, took: Span) -> String {
        let Self { tried, failed, outage, reason } = self;
        let took = tenths(took);
        match (manner, failed) {
            (_, 0) => format!(
                "Verdict: {tried} deliveries, 0 failed. The change of CA took {took}, and mail never \
                 stopped.\n\
                 At no moment could a cache hold records that a presented certificate did not fit.\n"
            ),
            (Manner::Rollover, _) => format!(
                "Verdict: {tried} deliveries, {failed} failed. This must not happen: please report \
                 it.\nThe first failure: {reason}\n"
            ),
            (Manner::Naive, _) => format!(
                "Verdict: {tried} deliveries, {failed} failed, over {}.\n\
                 The new certificate was live while caches still held the old records. With a TTL \
                 of\n1h instead of {TTL}, this outage lasts an hour, and nobody is told.\n\
                 The same change without it: rollover demo\n",
                tenths(*outage)
            ),
        }
    }
}
