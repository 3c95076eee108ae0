//! Places at which a test ends the program, to see that the next pass mends what is left.
//!
//! Each effect has one before and one after it: a commit of the ledger, the rename of a file, an
//! update, a reload. In a debug build `ROLLOVER_CRASH_LOG=FILE` writes down each place that the
//! program comes by, and `ROLLOVER_CRASH_AT=N` ends it at the N-th, as `SIGKILL` would. A release
//! build has none of this.

/// A place between two effects.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "a test speaks to the program it runs")]
pub(crate) fn point(name: &str) {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// How many places the program has come by.
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Ok(path) = std::env::var("ROLLOVER_CRASH_LOG")
        && let Ok(mut log) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = writeln!(log, "{name}");
    }
    let wanted = std::env::var("ROLLOVER_CRASH_AT").ok().and_then(|text| text.parse().ok());
    if wanted == Some(number) {
        std::process::abort();
    }
}

/// A place between two effects.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn point(_name: &str) {}
