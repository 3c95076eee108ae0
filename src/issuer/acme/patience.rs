//! How often and how long one order is tried within one pass: enough to outlast a hiccup.
//!
//! What lasts longer is the pass's matter, which comes again by the policy's `[retry]`, and not
//! before the moment that the CA asked for.

use super::Limits;
use super::failure::{Cause, Failure};
use crate::time::Span;

/// The most steps that an order can take; a dozen is usual.
const STEPS_MOST: u32 = 100;

/// The most refused nonces in a row. Pebble refuses some on purpose; at a third of all, this many in
/// a row never happen.
const NONCES_MOST: u32 = 20;

/// The first pause after a failure; each one after it is twice as long.
const FIRST_PAUSE: Span = Span::from_millis(500);

/// The longest pause that a server can ask for and get within a pass.
const PAUSE_LONGEST: Span = Span::from_seconds(10);

/// The longest pause between two looks that nobody asked for.
const LOOK_LONGEST: Span = Span::from_seconds(2);

/// What is left of the patience with one order.
#[derive(Debug)]
pub(super) struct Patience {
    /// What it began with.
    limits: Limits,
    /// Steps taken.
    steps: u32,
    /// Passing failures in a row.
    failures: u32,
    /// Refused nonces in a row.
    nonces: u32,
    /// The rhythm of looks at an order that the CA works on.
    looks: Looks,
}

/// The rhythm of looks at something that takes its time.
#[derive(Debug)]
pub(super) struct Looks {
    /// The next pause.
    next: Span,
    /// All pauses so far.
    total: Span,
    /// The most that they may add up to.
    limit: Span,
}

impl Patience {
    /// Patience for one order.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            steps: 0,
            failures: 0,
            nonces: 0,
            looks: Looks::new(limits.look, limits.decision),
        }
    }

    /// A step was taken.
    pub(super) fn step(&mut self) -> Result<(), Failure> {
        self.failures = 0;
        self.nonces = 0;
        self.steps += 1;
        if STEPS_MOST < self.steps {
            return Err(Failure::of("obtain the certificate")(Cause::Unsettled(STEPS_MOST)));
        }
        Ok(())
    }

    /// How long to wait before the next look at an order that the CA works on; `asked` is what it
    /// asked for.
    pub(super) fn look(&mut self, asked: Option<Span>) -> Result<Span, Failure> {
        self.step()?;
        let limit = self.limits.decision;
        self.looks
            .pause(asked)
            .ok_or_else(|| Failure::of("obtain the certificate")(Cause::Undecided(limit)))
    }

    /// How long to pause after a failure; the failure itself where another try is of no use now.
    pub(super) fn endure(&mut self, failure: Failure) -> Result<Span, Failure> {
        if !failure.is_passing() {
            return Err(failure);
        }
        if failure.kind() == "badNonce" {
            self.nonces += 1;
            return if self.nonces < NONCES_MOST { Ok(Span::ZERO) } else { Err(failure) };
        }
        self.failures += 1;
        let pause = failure
            .retry_after()
            .unwrap_or_else(|| FIRST_PAUSE.times(1 << (self.failures - 1).min(4)));
        if self.limits.tries <= self.failures || PAUSE_LONGEST < pause {
            return Err(failure);
        }
        Ok(pause)
    }
}

impl Looks {
    /// Looks with a first pause of `first`, which may take `limit` in all.
    pub(super) fn new(first: Span, limit: Span) -> Self {
        Self { next: first, total: Span::ZERO, limit }
    }

    /// The next pause, longer than the last, and as long as was `asked` for, within bounds; `None`
    /// once they add up to the limit.
    pub(super) fn pause(&mut self, asked: Option<Span>) -> Option<Span> {
        if self.limit <= self.total {
            return None;
        }
        let pause = self.next.max(asked.unwrap_or(Span::ZERO)).min(PAUSE_LONGEST);
        self.next = self.next.fraction(3, 2).min(LOOK_LONGEST);
        self.total = self.total + pause;
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::acme::http::HttpFailure;

    fn problem(kind: &str, retry_after: Option<u64>) -> Failure {
        let text = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}"}}"#);
        Failure::of("test")(Cause::Http(Box::new(HttpFailure::Problem {
            problem: serde_json::from_str(&text).unwrap(),
            status: hyper::StatusCode::BAD_REQUEST,
            retry_after: retry_after.map(Span::from_seconds),
        })))
    }

    #[test]
    fn a_passing_failure_is_tried_again_with_growing_pauses_and_then_reported() {
        let mut patience = Patience::new(Limits { tries: 3, ..Limits::default() });
        let mut endure = || patience.endure(problem("serverInternal", None));
        assert_eq!(endure().unwrap(), Span::from_millis(500));
        assert_eq!(endure().unwrap(), Span::from_millis(1000));
        assert_eq!(endure().unwrap_err().kind(), "serverInternal");
    }

    #[test]
    fn what_the_server_asks_for_is_given_if_it_is_short_and_reported_if_it_is_long() {
        let mut patience = Patience::new(Limits::default());
        let short = patience.endure(problem("serverInternal", Some(7)));
        assert_eq!(short.unwrap(), Span::from_seconds(7));
        let long = patience.endure(problem("serverInternal", Some(3600)));
        assert_eq!(long.unwrap_err().retry_after(), Some(Span::from_seconds(3600)));
    }

    #[test]
    fn a_rate_limit_is_never_tried_again_at_once() {
        let mut patience = Patience::new(Limits::default());
        assert!(patience.endure(problem("rateLimited", None)).is_err());
    }

    #[test]
    fn refused_nonces_are_tried_again_many_times_but_not_for_ever() {
        let mut patience = Patience::new(Limits::default());
        let endured =
            (0..100).take_while(|_| patience.endure(problem("badNonce", None)).is_ok()).count();
        assert_eq!(endured, 19);
    }

    #[test]
    fn looks_grow_apart_and_end() {
        let mut looks = Looks::new(Span::from_millis(250), Span::from_seconds(10));
        let pauses: Vec<u64> =
            std::iter::from_fn(|| looks.pause(None)).map(Span::as_millis).collect();
        assert_eq!(pauses[..3], [250, 375, 562]);
        assert_eq!(pauses.last(), Some(&2000));
        assert!((10_000..12_000).contains(&pauses.iter().sum::<u64>()));
    }

    #[test]
    fn steps_without_an_end_end() {
        let mut patience = Patience::new(Limits::default());
        let steps = (0..1000).take_while(|_| patience.step().is_ok()).count();
        assert_eq!(steps, 100);
    }
}
