//! Whether a signed denial proves what it is taken to say: NSEC (RFC 4035, section 5.4) and NSEC3
//! (RFC 5155, section 8).

use hickory_proto::dnssec::Nsec3HashAlgorithm;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::signature::{Bogus, ZoneKeys};
use crate::time::Timestamp;

/// More iterations than this prove nothing: the work is an attack on the validator (RFC 9276,
/// section 3.2).
const ITERATIONS_MAX: u16 = 100;

/// What a denial proves of a name and type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denial {
    /// There is no such record at the name, and the name is no delegation.
    NoRecord,
    /// The name is a delegation without DS: what is below it is not signed.
    InsecureDelegation,
}

/// The validated NSEC and NSEC3 records of an answer.
struct Proofs<'a> {
    /// The zone they are of.
    zone: &'a Name,
    /// NSEC records by owner.
    nsec: Vec<(&'a Name, &'a NSEC)>,
    /// NSEC3 records by the hash that is their owner's first label, in lower case.
    nsec3: Vec<(Vec<u8>, &'a NSEC3)>,
}

/// What the authority section proves of `name` and `kind`.
///
/// # Errors
///
/// Where a record's signature does not validate, or all of them together prove nothing.
pub(super) fn prove(
    keys: &ZoneKeys,
    authorities: &[Record],
    name: &Name,
    kind: RecordType,
    now: Timestamp,
) -> Result<Denial, Bogus> {
    let proofs = Proofs::collect(keys, authorities, now)?;
    let what = format!("the denial of {name} {kind}");
    proofs.at_name(name, kind).or_else(|| proofs.of_name(name, kind)).ok_or_else(|| {
        Bogus::Invalid { what, reason: "its NSEC or NSEC3 records do not prove it".to_owned() }
    })
}

/// As [`prove`], of records that are taken for true: fuzzing cannot guess signatures.
pub(super) fn prove_unsigned(
    zone: &Name,
    authorities: &[Record],
    name: &Name,
    kind: RecordType,
) -> Option<Denial> {
    let mut proofs = Proofs { zone, nsec: Vec::new(), nsec3: Vec::new() };
    authorities.iter().for_each(|record| proofs.add(record));
    proofs.at_name(name, kind).or_else(|| proofs.of_name(name, kind))
}

/// Whether the authority section proves that nothing stands at `next_closer` or below it, so that a
/// wildcard rightly answered for a name there.
///
/// # Errors
///
/// Where a record's signature does not validate, or all of them together prove no such thing.
pub(super) fn prove_expansion(
    keys: &ZoneKeys,
    authorities: &[Record],
    next_closer: &Name,
    now: Timestamp,
) -> Result<(), Bogus> {
    let proofs = Proofs::collect(keys, authorities, now)?;
    let unproven = |reason: &str| Bogus::Invalid {
        what: format!("the denial of {next_closer} that its wildcard needs"),
        reason: reason.to_owned(),
    };
    let by_nsec = proofs.nsec.iter().any(|(owner, nsec)| {
        // A name above the next one exists, if only as an empty non-terminal.
        covers(owner, nsec, next_closer, proofs.zone)
            && !next_closer.zone_of(nsec.next_domain_name())
    });
    match proofs.covering(next_closer) {
        _ if by_nsec => Ok(()),
        None => Err(unproven("its NSEC or NSEC3 records do not prove it")),
        Some(nsec3) if nsec3.opt_out() => {
            Err(unproven("an NSEC3 record with opt-out says nothing of unsigned delegations"))
        }
        Some(_) => Ok(()),
    }
}

impl<'a> Proofs<'a> {
    /// Validates every NSEC and NSEC3 record of a section.
    fn collect(keys: &'a ZoneKeys, section: &'a [Record], now: Timestamp) -> Result<Self, Bogus> {
        let mut proofs = Self { zone: &keys.zone, nsec: Vec::new(), nsec3: Vec::new() };
        for record in section {
            let kind = record.record_type();
            if matches!(kind, RecordType::NSEC | RecordType::NSEC3) {
                let valid = keys.validate(section, &record.name, kind, now)?;
                // One that a wildcard gave is not of the name that it stands at.
                if valid.expanded.is_none() {
                    proofs.add(record);
                }
            }
        }
        Ok(proofs)
    }

    /// Takes a record that is known to be true.
    fn add(&mut self, record: &'a Record) {
        match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC(data)) => self.nsec.push((&record.name, data)),
            RData::DNSSEC(DNSSECRData::NSEC3(data)) if data.iterations() <= ITERATIONS_MAX => {
                let label = record.name.iter().next().unwrap_or_default().to_ascii_lowercase();
                self.nsec3.push((label, data));
            }
            _ => {}
        }
    }

    /// What a record that stands at the name itself says.
    fn at_name(&self, name: &Name, kind: RecordType) -> Option<Denial> {
        let by_nsec = self.nsec.iter().find(|(owner, _)| *owner == name);
        let types: Vec<RecordType> = match by_nsec {
            Some((_, nsec)) => nsec.type_bit_maps().collect(),
            None => self.matching(name)?.type_bit_maps().collect(),
        };
        let has = |kind| types.contains(&kind);
        if has(kind) || has(RecordType::CNAME) {
            return None;
        }
        let delegation = has(RecordType::NS) && !has(RecordType::SOA);
        match (kind, delegation) {
            // A delegation's NSEC speaks of the DS alone; all else is the child's.
            (RecordType::DS, true) => Some(Denial::InsecureDelegation),
            (_, true) => None,
            // The apex of the child does not speak for the parent.
            (RecordType::DS, false) if has(RecordType::SOA) && name != self.zone => None,
            (_, false) => Some(Denial::NoRecord),
        }
    }

    /// What records around the name say: that it does not exist, nor a wildcard for it.
    fn of_name(&self, name: &Name, kind: RecordType) -> Option<Denial> {
        if let Some((owner, nsec)) = self.nsec.iter().find(|(o, n)| covers(o, n, name, self.zone)) {
            let next = nsec.next_domain_name();
            // A name between two others that lies above the next is an empty non-terminal.
            if name.zone_of(next) {
                return Some(Denial::NoRecord);
            }
            let encloser = common(owner, name).max_by_labels(common(next, name));
            return self.no_wildcard_by_nsec(&encloser, kind);
        }
        self.of_name_by_nsec3(name, kind)
    }

    /// Whether NSEC records show that no wildcard below `encloser` has the type.
    fn no_wildcard_by_nsec(&self, encloser: &Name, kind: RecordType) -> Option<Denial> {
        let wildcard = encloser.prepend_label("*").ok()?;
        let absent = self.nsec.iter().any(|(o, n)| covers(o, n, &wildcard, self.zone));
        let without = self.nsec.iter().any(|(owner, nsec)| {
            **owner == wildcard
                && !nsec.type_bit_maps().any(|t| t == kind || t == RecordType::CNAME)
        });
        (absent || without).then_some(Denial::NoRecord)
    }

    /// The closest encloser proof (RFC 5155, section 8.3), and that no wildcard has the type.
    fn of_name_by_nsec3(&self, name: &Name, kind: RecordType) -> Option<Denial> {
        let mut next_closer = name.clone();
        let mut encloser = name.base_name();
        loop {
            if !self.zone.zone_of(&encloser) {
                return None;
            }
            if self.matching(&encloser).is_some() {
                break;
            }
            // The name above the root is the root again: without this, an answer without proofs in the
            // root's zone would be looked at for ever. (A name without labels that was not written as
            // absolute is no root to the library.)
            encloser.iter().next()?;
            next_closer = encloser.clone();
            encloser = encloser.base_name();
        }
        let covering = self.covering(&next_closer)?;
        if covering.opt_out() && kind == RecordType::DS {
            // Opt-out says nothing of unsigned delegations: there may be one (section 8.6).
            return Some(Denial::InsecureDelegation);
        }
        // Of anything else: had the name a signed record in this zone, its own hash would stand in the
        // chain, opt-out or not. An unsigned delegation there gives senders nothing to rely on either.
        let wildcard = encloser.prepend_label("*").ok()?;
        let absent = self.covering(&wildcard).is_some();
        let without = self.matching(&wildcard).is_some_and(|nsec3| {
            !nsec3.type_bit_maps().any(|t| t == kind || t == RecordType::CNAME)
        });
        (absent || without).then_some(Denial::NoRecord)
    }

    /// The NSEC3 record that stands at a name's hash.
    fn matching(&self, name: &Name) -> Option<&'a NSEC3> {
        let found = self.nsec3.iter().find(|(owner, nsec3)| {
            hash(nsec3, name).is_some_and(|hash| base32hex(&hash) == *owner)
        });
        found.map(|(_, nsec3)| *nsec3)
    }

    /// The NSEC3 record between whose hashes a name's hash lies.
    fn covering(&self, name: &Name) -> Option<&'a NSEC3> {
        let found = self.nsec3.iter().find(|(owner, nsec3)| {
            let Some(hash) = hash(nsec3, name).map(|hash| base32hex(&hash)) else { return false };
            let next = base32hex(nsec3.next_hashed_owner_name());
            match *owner < next {
                true => *owner < hash && hash < next,
                // The last record of the chain leads back to the first.
                false => *owner < hash || hash < next,
            }
        });
        found.map(|(_, nsec3)| *nsec3)
    }
}

/// The longer of two names.
trait Longer {
    /// The one with more labels.
    fn max_by_labels(self, other: Self) -> Self;
}

impl Longer for Name {
    fn max_by_labels(self, other: Self) -> Self {
        if self.num_labels() < other.num_labels() { other } else { self }
    }
}

/// Whether an NSEC record shows that a name does not exist (RFC 4034, section 6.1).
fn covers(owner: &Name, nsec: &NSEC, name: &Name, zone: &Name) -> bool {
    let next = nsec.next_domain_name();
    let after = owner < name;
    // A delegation or an alias of a tree above says nothing of what is below it.
    let types: Vec<RecordType> = nsec.type_bit_maps().collect();
    let cut = types.contains(&RecordType::NS) && !types.contains(&RecordType::SOA);
    if owner.zone_of(name) && (cut || types.contains(&RecordType::DNAME)) {
        return false;
    }
    // The last record of the chain leads back to the apex.
    after && (name < next || next == zone)
}

/// The longest name above both.
fn common(one: &Name, other: &Name) -> Name {
    let mut at = one.clone();
    while !at.zone_of(other) && at.iter().next().is_some() {
        at = at.base_name();
    }
    at
}

/// A name's hash by the parameters of a record (RFC 5155, section 5).
fn hash(nsec3: &NSEC3, name: &Name) -> Option<Vec<u8>> {
    let digest =
        Nsec3HashAlgorithm::SHA1.hash(nsec3.salt(), &name.to_lowercase(), nsec3.iterations());
    digest.ok().map(|digest| digest.as_ref().to_vec())
}

/// Octets in base32 with the extended hex alphabet, without padding, in lower case (RFC 4648,
/// section 7): it sorts as the octets do.
fn base32hex(octets: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut text = Vec::with_capacity(octets.len() * 8 / 5 + 1);
    let (mut bits, mut count) = (0_u32, 0);
    for octet in octets {
        bits = (bits << 8) | u32::from(*octet);
        count += 8;
        while 5 <= count {
            count -= 5;
            text.push(ALPHABET[usize::try_from((bits >> count) & 31).unwrap_or(0)]);
        }
    }
    if 0 < count {
        text.push(ALPHABET[usize::try_from((bits << (5 - count)) & 31).unwrap_or(0)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32hex_is_that_of_the_standard() {
        // RFC 4648, section 10
        assert_eq!(base32hex(b"foobar"), b"cpnmuoj1e8");
        assert_eq!(base32hex(b"f"), b"co");
        assert_eq!(base32hex(b""), b"");
    }

    /// A name.
    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    #[test]
    fn names_are_hashed_as_the_standard_has_it() {
        // RFC 5155, appendix A
        let salt = vec![0xaa, 0xbb, 0xcc, 0xdd];
        let nsec3 = NSEC3::new(Nsec3HashAlgorithm::SHA1, false, 12, salt, vec![0; 20], []);
        for (text, hashed) in [
            ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("NS1.example.", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
        ] {
            assert_eq!(base32hex(&hash(&nsec3, &name(text)).unwrap()), hashed.as_bytes(), "{text}");
        }
    }

    #[test]
    fn an_nsec_record_covers_what_lies_between_its_names_and_nothing_below_a_cut() {
        let zone = name("example.");
        let plain = |next: &str| NSEC::new(name(next), [RecordType::A]);
        for (owner, next, asked, covered) in [
            ("b.example.", "d.example.", "c.example.", true),
            ("b.example.", "d.example.", "x.b.example.", true),
            ("b.example.", "d.example.", "b.example.", false),
            ("b.example.", "d.example.", "d.example.", false),
            ("b.example.", "d.example.", "a.example.", false),
            ("y.example.", "example.", "z.example.", true),
        ] {
            let found = covers(&name(owner), &plain(next), &name(asked), &zone);
            assert_eq!(found, covered, "{owner} {next} {asked}");
        }
        let cut = NSEC::new(name("d.example."), [RecordType::NS]);
        assert!(!covers(&name("b.example."), &cut, &name("x.b.example."), &zone));
    }

    #[test]
    fn an_answer_of_the_root_without_proofs_proves_nothing_and_comes_to_an_end() {
        let (root, asked) = (Name::root(), name("nl."));
        assert_eq!(prove_unsigned(&root, &[], &asked, RecordType::DS), None);
    }

    #[test]
    fn an_empty_non_terminal_and_an_opt_out_span_are_told_apart() {
        let zone = name("example.");
        let below = NSEC::new(name("_25._tcp.mail.example."), [RecordType::A]);
        let proofs = Proofs { zone: &zone, nsec: vec![(&zone, &below)], nsec3: Vec::new() };
        let denied = proofs.of_name(&name("_tcp.mail.example."), RecordType::TLSA);
        assert_eq!(denied, Some(Denial::NoRecord), "an empty non-terminal exists");

        let salt = Vec::new;
        let apex =
            NSEC3::new(Nsec3HashAlgorithm::SHA1, true, 0, salt(), vec![0; 20], [RecordType::SOA]);
        let own = base32hex(&hash(&apex, &zone).unwrap());
        // One record for the apex that covers everything else, with opt-out.
        let proofs = Proofs { zone: &zone, nsec: Vec::new(), nsec3: vec![(own, &apex)] };
        let asked = name("child.example.");
        assert_eq!(proofs.of_name(&asked, RecordType::DS), Some(Denial::InsecureDelegation));
        let denied = proofs.of_name(&asked, RecordType::TLSA);
        assert_eq!(denied, Some(Denial::NoRecord), "a signed record would stand in the chain");
    }
}
