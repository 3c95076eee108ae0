//! Between the program's own names and records and those of the DNS library.

use hickory_proto::rr::rdata::TLSA;
use hickory_proto::rr::{Name, RData, Record as WireRecord, RecordType};

use crate::name::DnsName;
use crate::tlsa::Record;

/// A name as the library has it. As text it would refuse a label that begins with a hyphen, which the
/// DNS allows.
pub(super) fn to_wire(name: &DnsName) -> Name {
    let labels = name.as_str().split('.').filter(|label| !label.is_empty());
    Name::from_labels(labels.map(str::as_bytes)).expect("a name that was parsed is a name")
}

/// A name as the program has it; `None` for one that no host can have.
pub(super) fn from_wire(name: &Name) -> Option<DnsName> {
    if name.is_root() {
        return Some(DnsName::root());
    }
    let label = |octets| std::str::from_utf8(octets).ok().filter(|label| !label.contains('.'));
    let labels: Option<Vec<&str>> = name.iter().map(label).collect();
    labels?.join(".").parse().ok()
}

/// A TLSA record's data.
pub(super) fn tlsa(record: &Record) -> RData {
    RData::TLSA(TLSA::new(
        record.usage.into(),
        record.selector.into(),
        record.matching_type.into(),
        record.data.clone(),
    ))
}

/// The TLSA record in some data.
pub(super) fn from_tlsa(data: &RData) -> Option<Record> {
    match data {
        RData::TLSA(tlsa) => Some(Record {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching_type: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        _ => None,
    }
}

/// The records of a type at a name.
pub(super) fn of_type<'a>(
    records: &'a [WireRecord],
    name: &'a Name,
    kind: RecordType,
) -> impl Iterator<Item = &'a WireRecord> {
    records.iter().filter(move |record| record.record_type() == kind && record.name == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anybody may have such a mail server or name server.
    #[test]
    fn every_name_that_is_read_can_be_asked_for() {
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        for text in [".", "nl", "-a.example.nl", "a-.-.example.nl", "_25._tcp.1.-", &long] {
            let name: DnsName = text.parse().unwrap();
            let wire = to_wire(&name);
            assert_eq!(from_wire(&wire), Some(name.clone()), "{text}");
            assert!(wire.is_fqdn(), "{text}");
        }
    }

    #[test]
    fn what_no_host_can_have_is_no_name() {
        let of = |labels: &[&[u8]]| from_wire(&Name::from_labels(labels.to_vec()).unwrap());
        assert_eq!(of(&[b"MAIL", b"nl"]), "mail.nl".parse().ok());
        for odd in [&b"a.b"[..], b"a b", b"\xff", b"*", b"\\"] {
            assert_eq!(of(&[odd, b"nl"]), None, "{odd:?}");
        }
    }
}
