//! The way of an answer from octets to a verdict, without a network: for `fuzz/` alone.

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use super::authority::judge;
use super::denial;
use super::signature::{ZoneKeys, usable};
use crate::time::Timestamp;

/// Judges `answer` about `name` by the keys that stand in `keys`, both as messages, and returns what
/// came of it in words; `None` where one is no message.
pub fn judge_answer(keys: &[u8], answer: &[u8], name: &str, now: Timestamp) -> Option<String> {
    let (keys, answer) = (Message::from_vec(keys).ok()?, Message::from_vec(answer).ok()?);
    let name = Name::from_ascii(name).ok()?;
    let zone = keys.answers.first()?.name.clone();
    let found = keys.answers.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key.clone()),
        _ => None,
    });
    let own = ZoneKeys { zone: zone.clone(), keys: usable(found) };
    let keys_are_signed = own.validate(&keys.answers, &zone, RecordType::DNSKEY, now).is_ok();
    let denials = [RecordType::TLSA, RecordType::DS]
        .map(|kind| denial::prove_unsigned(&zone, &answer.authorities, &name, kind));
    let reply = judge(&own, &answer, &name, now);
    Some(format!("{keys_are_signed} {denials:?} {reply:?}"))
}
