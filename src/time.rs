//! Moments, spans and TTLs as plain values: nothing here asks a clock.
//!
//! A moment is kept in milliseconds, so that a wait of one TTL is never a second too short by
//! rounding. Every sum saturates: a time too far away to be written is simply far away.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// A moment in UTC, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment: before everything.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment: a wait until then never ends by itself.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` seconds after 1970-01-01T00:00:00Z, as X.509 and DNSSEC count.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl Add<Ttl> for Timestamp {
    type Output = Self;

    fn add(self, ttl: Ttl) -> Self {
        self + ttl.span()
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

/// Written as RFC 3339 in UTC, to the second, as `status --json` has it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_seconds()) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => f.write_str(if self.0 < 0 { "the distant past" } else { "never" }),
        }
    }
}

/// A length of time, in milliseconds; never negative.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of `seconds` seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The span in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The span in whole seconds, rounded up: a wait that is announced is never too short.
    pub const fn as_seconds(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// This span `factor` times.
    pub const fn times(self, factor: u32) -> Self {
        Self(self.0.saturating_mul(factor as u64))
    }

    /// This span less `other`; zero if that is longer.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The part `numerator / denominator` of this span, rounded down.
    pub fn fraction(self, numerator: u32, denominator: u32) -> Self {
        let part = u128::from(self.0) * u128::from(numerator) / u128::from(denominator.max(1));
        Self(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

/// A moment as two clocks saw it: the wall clock, and the one that counts from the machine's start.
///
/// A wait is over when the wall clock says so *and*, within one boot, the boot clock has advanced as
/// far. So a jump of the wall clock can make a wait longer, never shorter.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Moment {
    /// What the wall clock said.
    pub wall: Timestamp,
    /// Which boot of the machine this was: compared, never ordered.
    pub boot: u64,
    /// Time since that boot, suspended time included.
    pub uptime: Span,
}

impl Moment {
    /// How much time has surely passed since `earlier`.
    pub fn elapsed_since(&self, earlier: &Self) -> Span {
        let by_wall = self.wall.since(earlier.wall);
        if self.boot != earlier.boot {
            return by_wall;
        }
        by_wall.min(self.uptime.saturating_sub(earlier.uptime))
    }

    /// When, by the wall clock, `span` will surely have passed since `earlier`, if no clock jumps;
    /// `None` if it has.
    pub fn until_elapsed(&self, earlier: &Self, span: Span) -> Option<Timestamp> {
        let missing = span.saturating_sub(self.elapsed_since(earlier));
        (missing > Span::ZERO).then(|| self.wall + missing)
    }
}

/// The units in which spans are written, largest first, in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Written as systemd and Postfix do, without blanks: `1d12h`, `90s` as `1m30s`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        // Weeks are read but never written: operators count certificates in days.
        for (unit, length) in &UNITS[1..] {
            if rest / length > 0 {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

/// Why a text is not a span.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not a duration such as `60s`, `2h`, `1d12h` or `90d`")]
pub struct SpanError {
    /// What was written.
    text: String,
}

/// Reads one or more numbers with units, largest or smallest first: `60s`, `1h30m`, `90d`.
///
/// A bare number is refused: whether it means seconds or days is for the reader to guess, and a
/// guess at a wait is how mail gets lost.
impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let error = || SpanError { text: text.to_owned() };
        let mut total = 0_u64;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(error());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let length = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
            let number: u64 = number.parse().map_err(|_| error())?;
            total = number
                .checked_mul(length)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(error)?;
            rest = tail.trim_start();
        }
        Ok(Self(total))
    }
}

/// How long a cache may hold an RRset, in seconds ([RFC 2181, section 8]).
///
/// [RFC 2181, section 8]: https://www.rfc-editor.org/rfc/rfc2181#section-8
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ttl(u32);

impl Ttl {
    /// The TTL that new TLSA RRsets get where nothing else is configured.
    pub const NEW_RRSET: Self = Self(3600);

    /// A TTL of `seconds` seconds. The most significant bit means zero, as RFC 2181, section 8 has it.
    pub const fn from_seconds(seconds: u32) -> Self {
        if seconds > i32::MAX as u32 { Self(0) } else { Self(seconds) }
    }

    /// The TTL in seconds.
    pub const fn as_seconds(self) -> u32 {
        self.0
    }

    /// The TTL as a span of time.
    pub const fn span(self) -> Span {
        Span::from_seconds(self.0 as u64)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, seconds, written) in [
            ("60s", 60, "1m"),
            ("1h30m", 5400, "1h30m"),
            ("90d", 7_776_000, "90d"),
            ("2w", 1_209_600, "14d"),
            ("0s", 0, "0s"),
            ("1d 12h", 129_600, "1d12h"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, Span::from_seconds(seconds), "{text}");
            assert_eq!(span.to_string(), written);
        }
        for text in ["", "60", "s", "1x", "-1s", "1.5h", "99999999999999999999s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        assert_eq!(Timestamp::MAX + Span::from_seconds(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Span::ZERO);
        assert_eq!(Timestamp::MAX.to_string(), "never");
    }

    #[test]
    fn an_announced_wait_is_rounded_up_and_a_moment_down() {
        assert_eq!(Span::from_millis(1001).as_seconds(), 2);
        assert_eq!(Timestamp::from_millis(1999).as_seconds(), 1);
        assert_eq!(Timestamp::from_seconds(0).to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_jump_of_the_wall_clock_never_shortens_a_wait() {
        let moment = |wall, boot, uptime| Moment {
            wall: Timestamp::from_seconds(wall),
            boot,
            uptime: Span::from_seconds(uptime),
        };
        let start = moment(1000, 1, 50);
        let ten = Span::from_seconds(10);
        assert_eq!(moment(1010, 1, 60).until_elapsed(&start, ten), None);
        // forward by an hour: the boot clock decides
        assert!(moment(4605, 1, 55).until_elapsed(&start, ten).is_some());
        // back by an hour: the wall clock decides
        assert!(moment(-2590, 1, 60).until_elapsed(&start, ten).is_some());
        // after another boot there is only the wall clock
        assert_eq!(moment(1010, 2, 1).until_elapsed(&start, ten), None);
    }

    #[test]
    fn a_ttl_with_the_top_bit_set_is_zero() {
        assert_eq!(Ttl::from_seconds(0x8000_0000), Ttl::from_seconds(0));
    }
}
