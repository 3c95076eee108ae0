//! What came of it, in numbers.

use super::change::Manner;
use super::paint::tenths;
use super::sender::{Delivery, Failure};
use super::stage::TTL;
use crate::time::Span;

/// What became of mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    /// Which way the CA was changed.
    manner: Manner,
    /// How many deliveries were tried.
    tried: usize,
    /// How many of them failed.
    failed: usize,
    /// From the first that failed to the last.
    outage: Span,
    /// Why the first failed.
    reason: String,
    /// What the old certificate does not fit.
    old: Unfit,
    /// What the new certificate does not fit.
    new: Unfit,
}

/// The RRsets that a certificate does not fit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unfit {
    /// Their letters; empty where it fits all.
    pub(super) letters: String,
    /// Whether some cache held one of them while the certificate was presented.
    pub(super) met: bool,
}

impl Verdict {
    /// Counts deliveries.
    pub(super) fn of(manner: Manner, deliveries: &[Delivery], old: Unfit, new: Unfit) -> Self {
        let failures = deliveries.iter().filter(|delivery| delivery.failure.is_some());
        let moments = || failures.clone().map(|delivery| delivery.at);
        let (first, last) = (moments().min(), moments().max());
        let outage = last.unwrap_or_default().saturating_sub(first.unwrap_or_default());
        let reason = match failures.clone().find_map(|delivery| delivery.failure.as_ref()) {
            Some(Failure::Unfit(_)) => "no record that a cache held did fit".to_owned(),
            Some(Failure::Other(reason)) => reason.clone(),
            None => String::new(),
        };
        let (tried, failed) = (deliveries.len(), failures.count());
        Self { manner, tried, failed, outage, reason, old, new }
    }

    /// Whether mail was safe: nothing failed, and nothing could have, had a sender come at another
    /// moment.
    pub(super) fn is_sound(&self) -> bool {
        self.failed == 0 && !self.old.met && !self.new.met && 0 < self.tried
    }

    /// The numbers.
    pub(super) fn line(&self) -> String {
        let Self { tried, failed, .. } = self;
        format!("Verdict: {tried} deliveries, {failed} failed.")
    }

    /// What they mean, and why; `took` is how long the change took.
    pub(super) fn explanation(&self, took: Span) -> String {
        let Self { manner, failed, outage, reason, old, new, .. } = self;
        match manner {
            Manner::Rollover if self.is_sound() => {
                format!(
                    "The CA changed in {}, and mail never stopped.\n{}",
                    tenths(took),
                    why_it_worked(&old.letters, &new.letters)
                )
            }
            Manner::Rollover if 0 < *failed => {
                format!("This must not happen: please report it.\nThe first failure: {reason}\n")
            }
            Manner::Rollover => {
                "A cache held records that did not fit what was presented, and no sender came at\n\
                 that moment. This must not happen: please report it.\n"
                    .to_owned()
            }
            Manner::Naive => {
                let new = &new.letters;
                format!(
                    "Mail was failing for {}.\n\
                     Why: N does not fit {new}, and was presented while caches still held {new}.\n\
                     With a TTL of 1h instead of {TTL}, it lasts an hour, and nobody is told.\n\
                     The same change without it: rollover demo\n",
                    tenths(*outage)
                )
            }
        }
    }
}

/// Why no sender was stranded.
fn why_it_worked(old: &str, new: &str) -> String {
    let mut text = match new {
        "" => "Why: N fits all that was ever published, so its gate was open from the start.\n"
            .to_owned(),
        _ => format!(
            "Why: N does not fit {new}, and was not presented before {new} had left every cache.\n"
        ),
    };
    if !old.is_empty() {
        text.push_str(&format!(
            "     O does not fit {old}, and {old} was not published before O was out of service.\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on deliveries that failed or not, where the new certificate does not fit A.
    fn verdict(manner: Manner, failed: &[bool], met: bool) -> Verdict {
        let delivery = |(second, failed): (u64, &bool)| Delivery {
            at: Span::from_seconds(second),
            failure: failed.then(|| Failure::Other("it broke".to_owned())),
        };
        let deliveries: Vec<Delivery> = (0..).zip(failed).map(delivery).collect();
        let old = Unfit { letters: String::new(), met: false };
        let new = Unfit { letters: "A".to_owned(), met };
        Verdict::of(manner, &deliveries, old, new)
    }

    #[test]
    fn mail_was_safe_only_if_nothing_failed_and_nothing_could_have() {
        let failures: &[bool] = &[false, true, false, true];
        for (failed, met, sound) in [
            (&[false, false][..], false, true),
            (&[false, false], true, false),
            (failures, false, false),
            // Nothing was sent: nothing was shown.
            (&[], false, false),
        ] {
            let verdict = verdict(Manner::Rollover, failed, met);
            assert_eq!(verdict.is_sound(), sound, "{failed:?}, {met}");
            let text = verdict.explanation(Span::from_seconds(9));
            assert_eq!(text.contains("mail never stopped"), sound, "{text}");
        }
    }

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_last() {
        let verdict = verdict(Manner::Naive, &[false, true, false, true, false], true);
        assert_eq!(verdict.line(), "Verdict: 5 deliveries, 2 failed.");
        let text = verdict.explanation(Span::from_seconds(9));
        assert!(text.starts_with("Mail was failing for 2.0s.\nWhy: N does not fit A, "), "{text}");
    }
}
