//! The way of an answer from octets to a verdict, without a network or a plugin: for `fuzz/` alone.

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use super::authority::judge;
use super::denial;
use super::plugin::answer::{self, Fault};
use super::signature::{ZoneKeys, usable};
use crate::command::next_line;
use crate::time::Timestamp;
use crate::tlsa::TlsaRrset;

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

/// Reads what a plugin says, line by line: the RRset that each line comes to, or what is wrong with it.
pub async fn plugin_answers(mut said: &[u8]) -> Vec<Result<TlsaRrset, String>> {
    let mut read = Vec::new();
    while !said.is_empty() {
        let line = next_line(&mut said).await.map_err(|error| error.to_string());
        read.push(line.and_then(|line| rrset(&line).map_err(in_words)));
    }
    read
}

/// The RRset that an answer comes to, whether it was a greeting or not.
fn rrset(line: &str) -> Result<TlsaRrset, Fault> {
    let answer = answer::read(line)?;
    let _ = answer::compares(&answer);
    let (ttl, texts) = answer::records(&answer)?;
    answer::tlsa(ttl, &texts)
}

/// A fault, in words.
fn in_words(fault: Fault) -> String {
    match fault {
        Fault::Unasked(reason) | Fault::Unanswered(reason) => reason,
        Fault::Declined { error, message } => format!("{error}: {message}"),
    }
}
