//! Whether an RRset is signed by a zone's keys, now (RFC 4035, section 5.3).

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{PublicKey, Verifier};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::time::{Timestamp, Ttl};

/// The keys of a zone, validated.
#[derive(Clone, Debug)]
pub(super) struct ZoneKeys {
    /// The zone.
    pub(super) zone: Name,
    /// Its keys, those that may sign zone data and are not revoked.
    pub(super) keys: Vec<DNSKEY>,
}

/// An RRset with a signature that validates.
#[derive(Clone, Debug)]
pub(super) struct Validated<'a> {
    /// Its records.
    pub(super) records: Vec<&'a Record>,
    /// The larger of the TTLs answered and signed: what a cache may have been told.
    pub(super) ttl: Ttl,
    /// Where a wildcard stands behind it, the name one label below the wildcard's parent: nothing of
    /// that name may exist, or the wildcard would not have been asked (RFC 4035, section 5.3.4).
    pub(super) expanded: Option<Name>,
}

/// Why an RRset does not validate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Bogus {
    /// There is no signature.
    #[error("{0} is not signed")]
    Unsigned(String),
    /// No signature is by the zone's keys, valid now, and true.
    #[error("the signature of {what} does not validate: {reason}")]
    Invalid {
        /// Name and type.
        what: String,
        /// What is wrong with the last one looked at.
        reason: String,
    },
}

/// The signatures in a section.
pub(super) fn signatures<'a>(
    section: &'a [Record],
    name: &'a Name,
    kind: RecordType,
) -> impl Iterator<Item = &'a RRSIG> {
    section.iter().filter(move |record| record.name == *name).filter_map(
        move |record| match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(signature))
                if signature.input().type_covered == kind =>
            {
                Some(signature)
            }
            _ => None,
        },
    )
}

impl ZoneKeys {
    /// Validates the RRset of a name and type in a section of an answer.
    pub(super) fn validate<'a>(
        &self,
        section: &'a [Record],
        name: &Name,
        kind: RecordType,
        now: Timestamp,
    ) -> Result<Validated<'a>, Bogus> {
        let records: Vec<&Record> = section
            .iter()
            .filter(|record| record.record_type() == kind && record.name == *name)
            .collect();
        let what = format!("{name} {kind}");
        let mut reason = None;
        for signature in signatures(section, name, kind) {
            match self.check(&records, name, signature, now) {
                Ok(()) => {
                    let input = signature.input();
                    let answered = records.iter().map(|record| record.ttl).max().unwrap_or(0);
                    return Ok(Validated {
                        records,
                        ttl: Ttl::from_seconds(answered.max(input.original_ttl)),
                        expanded: (input.num_labels < name.num_labels())
                            .then(|| name.trim_to(usize::from(input.num_labels) + 1)),
                    });
                }
                Err(error) => reason = Some(error),
            }
        }
        Err(match reason {
            None => Bogus::Unsigned(what),
            Some(reason) => Bogus::Invalid { what, reason },
        })
    }

    /// Checks one signature with each key that could have made it.
    fn check(
        &self,
        records: &[&Record],
        name: &Name,
        signature: &RRSIG,
        now: Timestamp,
    ) -> Result<(), String> {
        let input = signature.input();
        if input.signer_name != self.zone {
            return Err(format!("it is signed by {}, not by {}", input.signer_name, self.zone));
        }
        if name.num_labels() < input.num_labels {
            return Err("it claims more labels than the name has".to_owned());
        }
        in_time(input.sig_inception.get(), input.sig_expiration.get(), now)?;
        let mut reason = format!("no key of the zone has tag {}", input.key_tag);
        for key in &self.keys {
            let same = key.public_key().algorithm() == input.algorithm
                && key.calculate_key_tag().is_ok_and(|tag| tag == input.key_tag);
            if !same {
                continue;
            }
            match key.verify_rrsig(name, DNSClass::IN, signature, records.iter().copied()) {
                Ok(()) => return Ok(()),
                Err(error) => reason = format!("key {} says: {error}", input.key_tag),
            }
        }
        Err(reason)
    }
}

/// Whether a signature is in force, by the serial arithmetic of RFC 4034, section 3.1.5.
fn in_time(inception: u32, expiration: u32, now: Timestamp) -> Result<(), String> {
    let now = u32::try_from(now.as_seconds().rem_euclid(1 << 32)).unwrap_or(0);
    let before = |a: u32, b: u32| a != b && b.wrapping_sub(a) < 1 << 31;
    let at = |seconds: u32| Timestamp::from_seconds(i64::from(seconds));
    if before(now, inception) {
        return Err(format!("it is not valid before {}", at(inception)));
    }
    if before(expiration, now) {
        return Err(format!("it expired at {}", at(expiration)));
    }
    Ok(())
}

/// Keys that may sign zone data: with the zone flag, and not revoked (RFC 4034, section 2.1.1; RFC
/// 5011, section 2.1).
pub(super) fn usable(keys: impl IntoIterator<Item = DNSKEY>) -> Vec<DNSKEY> {
    keys.into_iter().filter(|key| key.zone_key() && !key.revoke()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_in_force_between_its_two_times_also_when_seconds_wrap() {
        let at = Timestamp::from_seconds;
        assert!(in_time(100, 200, at(150)).is_ok());
        assert!(in_time(100, 200, at(99)).unwrap_err().contains("not valid before"));
        assert!(in_time(100, 200, at(201)).unwrap_err().contains("expired"));
        // in 2106 the counter wraps
        assert!(in_time(u32::MAX - 10, 10, at((1 << 32) + 3)).is_ok());
        assert!(in_time(u32::MAX - 10, 10, at((1 << 32) + 11)).is_err());
    }
}
