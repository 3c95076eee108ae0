//! Trust anchors: the IANA root's, built in, or DS and DNSKEY records of any zone from a file.

use std::collections::BTreeMap;

use hickory_proto::dnssec::rdata::{DNSKEY, DS};
use hickory_proto::dnssec::{Algorithm, DigestType, PublicKeyBuf};
use hickory_proto::rr::Name;

use super::wire::to_wire;
use crate::name::DnsName;
use crate::pki::unhex;

/// The root's keys of 2017 and 2024, as IANA publishes them (root-anchors.xml).
const IANA: &str = "\
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";

/// What is trusted to begin with.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// Per zone, the records that one of its keys must fit.
    zones: BTreeMap<DnsName, Vec<Anchor>>,
}

/// One trust anchor.
#[derive(Clone, Debug)]
pub(super) enum Anchor {
    /// A key's digest.
    Ds(DS),
    /// A key.
    Key(DNSKEY),
}

/// Why a text holds no trust anchors.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// A line is no DS or DNSKEY record.
    #[error("line {line}: `{text}` is no DS or DNSKEY record as a zone file has it")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// There is no record at all.
    #[error("there is no DS or DNSKEY record in it")]
    Empty,
}

impl Anchors {
    /// The anchors of the IANA root.
    pub fn iana() -> Self {
        Self::parse(IANA).expect("the built-in anchors are records")
    }

    /// Reads DS and DNSKEY records in zone-file format, one a line; `;` begins a comment.
    ///
    /// # Errors
    ///
    /// With the first line that is anything else.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let mut anchors = Self::default();
        for (number, whole) in text.lines().enumerate() {
            let line = whole.split(';').next().unwrap_or_default().trim();
            // `$TTL` and the like say nothing that matters here.
            if line.is_empty() || line.starts_with('$') {
                continue;
            }
            let (zone, anchor) = record(line).ok_or_else(|| AnchorError::Line {
                line: number + 1,
                text: whole.trim().to_owned(),
            })?;
            anchors.zones.entry(zone).or_default().push(anchor);
        }
        match anchors.zones.is_empty() {
            true => Err(AnchorError::Empty),
            false => Ok(anchors),
        }
    }

    /// The zones that have an anchor, the highest first.
    pub(super) fn zones(&self) -> impl Iterator<Item = &DnsName> {
        self.zones.keys()
    }

    /// The anchors of the closest zone above `name`, or of `name` itself.
    pub(super) fn closest(&self, name: &DnsName) -> Option<(&DnsName, &[Anchor])> {
        let above = self.zones.iter().filter(|(zone, _)| name.is_within(zone));
        above.max_by_key(|(zone, _)| zone.label_count()).map(|(zone, a)| (zone, a.as_slice()))
    }
}

impl Anchor {
    /// Whether it stands for this key of `zone`.
    pub(super) fn fits(&self, zone: &Name, key: &DNSKEY) -> bool {
        match self {
            Self::Ds(ds) => {
                key.calculate_key_tag().is_ok_and(|tag| tag == ds.key_tag())
                    && ds.covers(zone, key).unwrap_or(false)
            }
            Self::Key(own) => own == key,
        }
    }
}

/// Reads one record: owner, perhaps a TTL and a class, type and data.
fn record(line: &str) -> Option<(DnsName, Anchor)> {
    let mut fields = line.split_ascii_whitespace().peekable();
    let zone: DnsName = fields.next()?.parse().ok()?;
    if fields.peek().is_some_and(|field| field.bytes().all(|b| b.is_ascii_digit())) {
        fields.next();
    }
    if fields.peek().is_some_and(|field| field.eq_ignore_ascii_case("IN")) {
        fields.next();
    }
    let kind = fields.next()?.to_ascii_uppercase();
    let numbers: Vec<u16> = fields.by_ref().take(3).filter_map(|f| f.parse().ok()).collect();
    let [first, second, third] = numbers[..] else { return None };
    let data: String = fields.filter(|field| !matches!(*field, "(" | ")")).collect();
    let anchor = match kind.as_str() {
        "DS" => {
            let (algorithm, digest) = (u8::try_from(second).ok()?, u8::try_from(third).ok()?);
            let (algorithm, digest) = (Algorithm::from_u8(algorithm), DigestType::from(digest));
            Anchor::Ds(DS::new(first, algorithm, digest, unhex(&data)?))
        }
        "DNSKEY" if second == 3 => {
            let algorithm = Algorithm::from_u8(u8::try_from(third).ok()?);
            let key = PublicKeyBuf::new(base64(&data)?, algorithm);
            Anchor::Key(DNSKEY::with_flags(first, key))
        }
        _ => return None,
    };
    let _ = to_wire(&zone);
    Some((zone, anchor))
}

/// Octets from base64 (RFC 4648, section 4).
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut octets = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if 8 <= count {
            count -= 8;
            octets.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_anchors_are_built_in() {
        let anchors = Anchors::iana();
        let (zone, both) = anchors.closest(&"mail.example.nl".parse().unwrap()).unwrap();
        assert_eq!((zone, both.len()), (&DnsName::root(), 2));
    }

    #[test]
    fn a_file_may_name_any_zone_and_the_closest_counts() {
        let text = "; comment\n$TTL 60\nexample.nl. 60 IN DNSKEY 257 3 13 AAAA BBBB ; a key\n. DS 1 13 2 00ff\n";
        let anchors = Anchors::parse(text).unwrap();
        let closest = |name: &str| anchors.closest(&name.parse().unwrap()).unwrap().0.to_string();
        assert_eq!(closest("mail.example.nl"), "example.nl");
        assert_eq!(closest("mail.example.org"), ".");
    }

    #[test]
    fn what_is_no_anchor_is_refused_with_its_line() {
        let error = Anchors::parse("\n. IN A 192.0.2.1\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: `. IN A 192.0.2.1` is no DS or DNSKEY record as a zone file has it"
        );
        assert_eq!(Anchors::parse("; nothing\n").unwrap_err(), AnchorError::Empty);
    }

    #[test]
    fn base64_is_read() {
        assert_eq!(base64("aGVsbG8=").unwrap(), b"hello");
        assert_eq!(base64("aGVsbG8h").unwrap(), b"hello!");
        assert_eq!(base64("a*"), None);
    }
}
