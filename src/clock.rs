//! The one place that asks the time, and waits for it.

use async_trait::async_trait;

use crate::pki::Sha256Digest;
use crate::ports::Clock;
use crate::time::{Moment, Span, Timestamp};

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    /// Which boot of the machine this is.
    boot: u64,
}

impl SystemClock {
    /// The machine's clocks.
    pub fn new() -> Self {
        let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let Sha256Digest(digest) = Sha256Digest::of(&id);
        let first: [u8; 8] = std::array::from_fn(|position| digest[position]);
        Self { boot: u64::from_be_bytes(first) }
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
        let read = |clock| {
            let time = rustix::time::clock_gettime(clock);
            time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
        };
        let uptime = read(rustix::time::ClockId::Boottime);
        Moment {
            wall: Timestamp::from_millis(read(rustix::time::ClockId::Realtime)),
            boot: self.boot,
            uptime: Span::from_millis(u64::try_from(uptime).unwrap_or(0)),
        }
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }
}
