//! Single values as columns hold them, and back.
//!
//! SQLite's integers are signed. A number that is not keeps its 64 bits; where that would make it
//! negative, a constraint of the column refuses it, but for a boot, which is a name and no quantity.

use crate::pki::{ChainId, KeyType, Sha256Digest, hex, unhex};
use crate::rollover::state::{Kind, Step};
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::Usage;

use super::error::Trouble;

/// The three columns of a moment: wall clock, boot, uptime.
pub(super) type MomentColumns = (i64, i64, i64);

/// The three columns of a moment that may not have come.
pub(super) type OptionalMomentColumns = (Option<i64>, Option<i64>, Option<i64>);

/// A moment as columns.
pub(super) fn from_moment(moment: &Moment) -> MomentColumns {
    let Moment { wall, boot, uptime } = moment;
    (wall.as_millis(), boot.cast_signed(), uptime.as_millis().cast_signed())
}

/// A moment that may not have come as columns.
pub(super) fn from_optional_moment(moment: Option<&Moment>) -> OptionalMomentColumns {
    match moment.map(from_moment) {
        Some((wall, boot, uptime)) => (Some(wall), Some(boot), Some(uptime)),
        None => (None, None, None),
    }
}

/// A moment from its columns.
pub(super) fn to_moment((wall, boot, uptime): MomentColumns) -> Moment {
    Moment {
        wall: Timestamp::from_millis(wall),
        boot: boot.cast_unsigned(),
        uptime: Span::from_millis(uptime.cast_unsigned()),
    }
}

/// A moment that may not have come, from its columns: a constraint keeps them of one mind.
pub(super) fn to_optional_moment(columns: OptionalMomentColumns) -> Option<Moment> {
    let (wall, boot, uptime) = columns;
    Some(to_moment((wall?, boot?, uptime?)))
}

/// What a column that makes no sense is reported as.
fn senseless(table: &'static str, what: &str, found: &dyn ToString) -> Trouble {
    Trouble::Row { table, reason: format!("`{}` is not {what}", found.to_string()) }
}

/// A digest from its hexadecimal digits.
pub(super) fn to_digest(table: &'static str, text: &str) -> Result<Sha256Digest, Trouble> {
    Sha256Digest::from_hex(text).ok_or_else(|| senseless(table, "a SHA-256 digest", &text))
}

/// What tells a chain from others, from its hexadecimal digits.
pub(super) fn to_chain_id(table: &'static str, text: &str) -> Result<ChainId, Trouble> {
    to_digest(table, text).map(ChainId)
}

/// A record's data as a column.
pub(super) fn from_data(data: &[u8]) -> String {
    hex(data)
}

/// A record's data from its column.
pub(super) fn to_data(table: &'static str, text: &str) -> Result<Vec<u8>, Trouble> {
    unhex(text).ok_or_else(|| senseless(table, "hexadecimal", &text))
}

/// A key type from its name.
pub(super) fn to_key_type(table: &'static str, name: &str) -> Result<KeyType, Trouble> {
    KeyType::from_name(name).ok_or_else(|| senseless(table, "a key type", &name))
}

/// A rollover's kind from its name.
pub(super) fn to_kind(table: &'static str, name: &str) -> Result<Kind, Trouble> {
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
    found.ok_or_else(|| senseless(table, "a kind of rollover", &name))
}

/// A step from its name.
pub(super) fn to_step(table: &'static str, name: &str) -> Result<Step, Trouble> {
    let found = Step::ALL.into_iter().find(|step| step.as_str() == name);
    found.ok_or_else(|| senseless(table, "a step", &name))
}

/// A usage from its number.
pub(super) fn to_usage(table: &'static str, number: u8) -> Result<Usage, Trouble> {
    let found = [Usage::DaneTa, Usage::DaneEe].into_iter().find(|usage| usage.number() == number);
    found.ok_or_else(|| senseless(table, "a usage that can be barred", &number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_every_bit_of_its_boot() {
        for boot in [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            let moment = Moment {
                wall: Timestamp::from_millis(-1),
                boot,
                uptime: Span::from_millis(u64::MAX / 2),
            };
            assert_eq!(to_moment(from_moment(&moment)), moment);
            assert_eq!(to_optional_moment(from_optional_moment(Some(&moment))), Some(moment));
        }
        assert_eq!(to_optional_moment(from_optional_moment(None)), None);
    }

    #[test]
    fn every_name_that_is_written_is_read() {
        for kind in Kind::ALL {
            assert_eq!(to_kind("rollover", kind.as_str()).unwrap(), kind);
        }
        for step in Step::ALL {
            assert_eq!(to_step("failure", step.as_str()).unwrap(), step);
        }
        for key_type in KeyType::ALL {
            assert_eq!(to_key_type("credential", key_type.as_str()).unwrap(), key_type);
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_table() {
        let said = to_kind("rollover", "revolution").unwrap_err().to_string();
        assert_eq!(
            said,
            "its table `rollover` holds what makes no sense: `revolution` is not a kind of rollover"
        );
        assert!(to_digest("presence", "ab").is_err());
        assert!(to_usage("barred", 1).is_err());
    }
}
