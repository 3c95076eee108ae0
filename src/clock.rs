//! The one place that asks the clock: wall time, the time since boot, and which boot it is.
//!
//! The wall clock can be set, the boot-time clock cannot; a wait is over when both say so (see
//! [`Moment`]). Nothing here decides what time it should be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};

use crate::pki::Sha256Digest;
use crate::ports::Clock;
use crate::time::{Moment, Span, Timestamp};

/// Where Linux says which boot this is: random, and the same until the next one.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// How long one sleep is before the boot-time clock is asked again. Timers stand still while a
/// machine is suspended, that clock does not.
const LONGEST_NAP: Span = Span::from_seconds(30);

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    /// Which boot this is.
    boot: u64,
}

impl SystemClock {
    /// Looks up which boot this is.
    ///
    /// Where the kernel does not say, every boot counts as the same one. That is safe: the time
    /// since boot then starts anew with a reboot, which makes a wait longer, never shorter.
    pub fn new() -> Self {
        let boot = std::fs::read(BOOT_ID_FILE).map_or(0, |id| digest(id.trim_ascii()));
        Self { boot }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { wall: wall(), boot: self.boot, uptime: uptime() }
    }

    async fn sleep(&self, span: Span) {
        let end = uptime() + span;
        loop {
            let rest = end.saturating_sub(uptime());
            if rest == Span::ZERO {
                return;
            }
            let nap = rest.min(LONGEST_NAP);
            tokio::time::sleep(Duration::from_millis(nap.as_millis())).await;
        }
    }
}

/// The first eight octets of a boot's identifier, hashed.
fn digest(boot_id: &[u8]) -> u64 {
    let Sha256Digest(octets) = Sha256Digest::of(boot_id);
    octets.iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet))
}

/// What the wall clock says. A clock set before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The time since boot, suspended time included.
fn uptime() -> Span {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000;
    Span::from_seconds(seconds) + Span::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_of_one_boot_agree_on_it() {
        let first = SystemClock::new().now();
        let second = SystemClock::new().now();
        assert_eq!(first.boot, second.boot);
        assert!(first.uptime <= second.uptime);
        // written in 2026: a clock of before that is not the wall clock
        assert!(Timestamp::from_seconds(1_767_225_600) < first.wall);
    }

    #[test]
    fn boots_differ_by_their_identifier() {
        assert_ne!(digest(b"a3c5"), digest(b"a3c6"));
        assert_eq!(digest(b"a3c5"), digest(b"a3c5"));
    }

    #[tokio::test]
    async fn a_sleep_is_never_too_short() {
        let clock = SystemClock::new();
        let before = clock.now();
        clock.sleep(Span::from_millis(20)).await;
        assert!(Span::from_millis(20) <= clock.now().uptime.saturating_sub(before.uptime));
        clock.sleep(Span::ZERO).await;
    }
}
