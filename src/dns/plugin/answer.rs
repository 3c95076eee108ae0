//! What a plugin answers: one line of JSON, and what it means. A plugin may say anything.

use serde_json::Value;

use crate::time::Ttl;
use crate::tlsa::{Record, TlsaRrset};

/// What is kept of a message.
const MESSAGE_MAX: usize = 400;

/// Why a plugin gave no good answer.
pub(in crate::dns) enum Fault {
    /// It could not be started or greeted: nothing was asked of it.
    Unasked(String),
    /// Nobody knows what it did.
    Unanswered(String),
    /// It said no, for this reason.
    Declined {
        /// One of the protocol's errors.
        error: String,
        /// What it said.
        message: String,
    },
}

/// Something a plugin said, not longer than anybody wants to read.
pub(in crate::dns) fn cut(said: impl ToString) -> String {
    let said = said.to_string();
    let text: String = said.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect();
    if text.len() < said.len() { format!("{text}...") } else { text }
}

/// Reads an answer.
pub(in crate::dns) fn read(line: &str) -> Result<Value, Fault> {
    let answer: Value = serde_json::from_str(line)
        .map_err(|error| Fault::Unanswered(format!("it answered with no JSON ({error})")))?;
    match answer["ok"].as_bool() {
        Some(true) => Ok(answer),
        Some(false) => {
            let said = |key: &str| answer[key].as_str().map(cut).unwrap_or_default();
            Err(Fault::Declined { error: said("error"), message: said("message") })
        }
        None => Err(Fault::Unanswered(format!("it answered without `ok`: {}", cut(&answer)))),
    }
}

/// Whether a plugin greets as one that replaces an RRset only where it is as expected.
pub(in crate::dns) fn compares(greeting: &Value) -> bool {
    let capabilities = greeting["capabilities"].as_array();
    capabilities.is_some_and(|all| all.iter().any(|one| one == "compare-and-swap"))
}

/// What a provider holds: the TTL it gave, and the records as text.
pub(in crate::dns) fn records(answer: &Value) -> Result<(Option<u32>, Vec<String>), Fault> {
    let wrong = |what: &str| Fault::Unanswered(format!("it answered {what}: {}", cut(answer)));
    let records = answer["records"].as_array().ok_or_else(|| wrong("without `records`"))?;
    let texts: Option<Vec<String>> =
        records.iter().map(|record| record.as_str().map(str::to_owned)).collect();
    let ttl = answer["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok());
    Ok((ttl, texts.ok_or_else(|| wrong("with records that are no text"))?))
}

/// The TLSA RRset that a provider holds.
pub(in crate::dns) fn tlsa(ttl: Option<u32>, texts: &[String]) -> Result<TlsaRrset, Fault> {
    let records: Result<Vec<Record>, _> = texts.iter().map(|text| text.parse()).collect();
    let records = records.map_err(|error| {
        Fault::Unanswered(format!("it answered with what is no TLSA record: {}", cut(error)))
    })?;
    match (ttl, records.is_empty()) {
        (None, false) => Err(Fault::Unanswered("it answered without a `ttl`".to_owned())),
        (ttl, _) => Ok(TlsaRrset::new(records, Ttl::from_seconds(ttl.unwrap_or(0)))),
    }
}
