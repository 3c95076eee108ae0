//! Which records belong to what: the final RRset of a bundle, the bridge to it, and what is foreign.

use std::collections::BTreeSet;

use super::presentable::Presentable;
use super::spec::{ForeignRecords, HostSpec};
use super::state::{Bundle, HostState};
use crate::pki::Certificate;
use crate::policy::Bridge;
use crate::time::{Timestamp, Ttl};
use crate::tlsa::{Association, Fit, Parameters, Record, TlsaOwner, TlsaRrset, Usage};

/// More records than a large sender can take at one owner; it defers mail beyond that.
pub const RECORDS_MAX: usize = 12;

/// A chain with the certificates that a usage 2 record for it would name.
#[derive(Clone, Debug)]
pub struct Anchored {
    /// The chain.
    pub chain: Presentable,
    /// Its trust anchors: one where it is issued, the possible ones where it is expected.
    pub anchors: Vec<Certificate>,
}

impl Anchored {
    /// The records with these parameters that name this chain.
    fn records(&self, parameters: Parameters) -> impl Iterator<Item = Record> {
        let associations: Vec<Association> = self.chain.associations(parameters, &self.anchors);
        associations.into_iter().map(Record::from)
    }
}

/// The chains of a bundle, each with its trust anchors. What the issuer is known to use is named
/// with it, so that its next certificate needs no bridge.
pub fn anchored(spec: &HostSpec, bundle: &Bundle) -> Vec<Anchored> {
    let known = spec.known_anchors(&bundle.issuer);
    let credentials = bundle.credentials.values();
    let own = credentials.map(|c| c.issued.as_ref().and_then(|issued| issued.anchor.clone()));
    let chains = bundle.presentables(known).into_iter().zip(own);
    chains
        .map(|(chain, own)| {
            let own = own.filter(|anchor| !known.contains(anchor));
            Anchored { chain, anchors: own.into_iter().chain(known.iter().cloned()).collect() }
        })
        .collect()
}

/// The chains that may be presented now, each with its trust anchor: that of its bundle, else the
/// certificate after the server's own.
pub fn served_anchored(
    spec: &HostSpec,
    state: &HostState,
    now: &crate::time::Moment,
) -> Vec<Anchored> {
    state
        .served
        .possible(spec.policy.timing.drain, now)
        .map(|(chain, _)| Anchored { chain: chain.clone(), anchors: anchors_of(state, chain) })
        .collect()
}

/// The trust anchors of a chain that is presented.
fn anchors_of(state: &HostState, chain: &Presentable) -> Vec<Certificate> {
    let of_bundle = state.bundles.values().flat_map(|b| b.credentials.values()).find_map(|c| {
        let issued = c.issued.as_ref()?;
        (issued.chain.id() == chain.id()).then(|| issued.anchor.clone())
    });
    match (of_bundle, chain) {
        (Some(anchor), _) => anchor.into_iter().collect(),
        (None, Presentable::Issued(chain)) => {
            chain.authorities().first().cloned().into_iter().collect()
        }
        (None, Presentable::Expected(expected)) => expected.anchors.clone(),
    }
}

/// The records of a settled host: the policy's for each chain of `bundle`, and the standby keys'.
pub fn settled(spec: &HostSpec, state: &HostState, bundle: &Bundle) -> BTreeSet<Record> {
    let chains = anchored(spec, bundle);
    let named = spec
        .policy
        .records
        .iter()
        .flat_map(|parameters| chains.iter().flat_map(|chain| chain.records(*parameters)));
    named.chain(standby(spec, state)).filter(|record| !state.bars(record)).collect()
}

/// Whether the records of a settled host would fit `bundle`: what they would name it by is not barred, and
/// it is valid for the host.
pub fn may_name(spec: &HostSpec, state: &HostState, bundle: &Bundle, now: Timestamp) -> bool {
    let records = settled(spec, state, bundle);
    let chains = bundle.presentables(&[]);
    let fits = |owner: &TlsaOwner| {
        chains.iter().all(|chain| chain.fit(&records, owner.base(), now).is_some())
    };
    !records.is_empty() && spec.owners.iter().all(fits)
}

/// The records of the standby keys.
fn standby(spec: &HostSpec, state: &HostState) -> Vec<Record> {
    if !spec.policy.key.standby {
        return Vec::new();
    }
    let keys = state.standby.values().map(|key| Anchored {
        chain: Presentable::Expected(super::presentable::Expected {
            spki: key.spki.clone(),
            anchors: Vec::new(),
        }),
        anchors: Vec::new(),
    });
    let ee = spec.policy.records.iter().filter(|p| p.usage == Usage::DaneEe);
    let ee: Vec<Parameters> = ee.copied().collect();
    keys.flat_map(|key| ee.iter().flat_map(|p| key.records(*p)).collect::<Vec<_>>()).collect()
}

/// The records that fit both what is served and the target, in the form that the policy chose,
/// without what is barred.
pub fn bridge(
    spec: &HostSpec,
    state: &HostState,
    target: &Bundle,
    owner: &TlsaOwner,
    now: &crate::time::Moment,
) -> BTreeSet<Record> {
    let served = served_anchored(spec, state, now);
    let target = anchored(spec, target);
    let form = |parameters: &Parameters| -> BTreeSet<Record> {
        let of_served = served.iter().flat_map(|chain| chain.records(*parameters));
        let of_target = target.iter().flat_map(|chain| chain.records(*parameters));
        let records: BTreeSet<Record> = match (spec.policy.bridge, parameters.usage) {
            (Bridge::Overlap, _) => of_served.chain(of_target).collect(),
            (Bridge::Replace, Usage::DaneEe) => of_served.collect(),
            (Bridge::Replace, Usage::DaneTa) => of_target.collect(),
        };
        records.into_iter().filter(|record| !state.bars(record)).collect()
    };
    let all: Vec<&Anchored> = served.iter().chain(&target).collect();
    let combinations: Vec<BTreeSet<Record>> = spec.policy.records.iter().map(form).collect();
    let whole: BTreeSet<Record> =
        combinations.iter().flatten().cloned().chain(standby(spec, state)).collect();
    if state.barred.is_empty() {
        return whole;
    }
    without_barred(spec, state, &combinations, &all, owner, now.wall).unwrap_or(whole)
}

/// The bridge where something is barred: what the policy asks for may then not fit any more.
///
/// Where each combination must fit, those that no longer can are left out. Where that leaves
/// nothing, or some chain still without a record, each such chain is named by whatever is not
/// barred: its key, else its CA; and where nothing is left to name it, nothing is published, which
/// fits everything. `None` where the policy's own form does.
fn without_barred(
    spec: &HostSpec,
    state: &HostState,
    combinations: &[BTreeSet<Record>],
    chains: &[&Anchored],
    owner: &TlsaOwner,
    now: Timestamp,
) -> Option<BTreeSet<Record>> {
    let fits = |records: &BTreeSet<Record>, chain: &Anchored, degree: Fit| {
        !records.is_empty() && Some(degree) <= chain.chain.fit(records, owner.base(), now)
    };
    let whole: BTreeSet<Record> = combinations.iter().flatten().cloned().collect();
    if chains.iter().all(|chain| fits(&whole, chain, spec.policy.fit)) {
        return None;
    }
    let complete = combinations
        .iter()
        .filter(|records| chains.iter().all(|chain| fits(records, chain, Fit::Any)));
    let mut records: BTreeSet<Record> = match spec.policy.fit {
        Fit::Each => complete.flatten().cloned().collect(),
        Fit::Any => whole,
    };
    for chain in chains {
        for parameters in [Parameters::EE_SPKI_SHA256, Parameters::TA_SPKI_SHA256] {
            if !fits(&records, chain, Fit::Any) {
                let more = chain.records(parameters).filter(|record| !state.bars(record));
                records.extend(more);
            }
        }
    }
    // Where all that could name a chain is barred, no record can be published for a while.
    match chains.iter().all(|chain| fits(&records, chain, Fit::Any)) {
        true => Some(records),
        false => Some(BTreeSet::new()),
    }
}

/// Whether nothing that rollover knows of is named by `record`.
pub fn is_foreign(
    spec: &HostSpec,
    state: &HostState,
    record: &Record,
    now: &crate::time::Moment,
) -> bool {
    let Ok(association) = record.association() else {
        return true;
    };
    let bundles = state.bundles.values().flat_map(|bundle| anchored(spec, bundle));
    let served = served_anchored(spec, state, now);
    let mut chains = bundles.chain(served);
    let names = |chain: &Anchored| {
        let certificates = match &chain.chain {
            Presentable::Issued(chain) => chain.certificates().to_vec(),
            Presentable::Expected(_) => Vec::new(),
        };
        certificates.iter().chain(&chain.anchors).any(|c| association.matches(c))
            || chain.chain.associations(association.parameters, &[]).contains(&association)
    };
    let known_anchor =
        || spec.known_anchors.values().flatten().any(|anchor| association.matches(anchor));
    let is_standby = || {
        state
            .standby
            .values()
            .any(|key| association.data == association.parameters.matching_type.present(&key.spki))
    };
    !chains.any(|chain| names(&chain))
        && !known_anchor()
        && !is_standby()
        && !state.bars(record)
        && !state.barred.iter().any(|barred| association.matches(&barred.certificate))
}

/// An RRset without as many records as are too many of those that name CAs which have signed nothing that
/// is at hand: they spare a later bridge, and no more. Where it is still to be issued what they may name,
/// each of them counts.
pub fn without_spares(
    spec: &HostSpec,
    state: &HostState,
    mut rrset: TlsaRrset,
    now: &crate::time::Moment,
) -> TlsaRrset {
    let awaits = state.target().is_some_and(|(_, target)| !target.is_issued());
    if rrset.records.len() <= RECORDS_MAX || awaits {
        return rrset;
    }
    let of_served = served_anchored(spec, state, now);
    let signed: Vec<Certificate> = state
        .bundles
        .values()
        .flat_map(|bundle| bundle.anchors().into_iter().cloned())
        .chain(of_served.into_iter().flat_map(|chain| chain.anchors))
        .collect();
    let is_spare = |record: &&Record| {
        record.association().is_ok_and(|association| {
            let mut known = spec.known_anchors.values().flatten();
            association.parameters.usage == Usage::DaneTa
                && known.any(|ca| association.matches(ca))
                && !signed.iter().any(|ca| association.matches(ca))
        })
    };
    let surplus = rrset.records.len() - RECORDS_MAX;
    let spares: Vec<Record> = rrset.records.iter().rev().filter(is_spare).cloned().collect();
    for record in spares.iter().take(surplus) {
        rrset.records.remove(record);
    }
    rrset
}

/// The RRset to write at an owner: `records`, the foreign ones that stay, and the TTL.
pub fn rrset_to_write(
    spec: &HostSpec,
    state: &HostState,
    records: BTreeSet<Record>,
    present: &TlsaRrset,
    now: &crate::time::Moment,
) -> TlsaRrset {
    let kept = present.records.iter().filter(|record| {
        spec.foreign_records == ForeignRecords::Keep && is_foreign(spec, state, record, now)
    });
    let records: BTreeSet<Record> = kept.cloned().chain(records).collect();
    let kept_ttl = if present.is_absent() { Ttl::NEW_RRSET } else { present.ttl };
    if records.is_empty() {
        return TlsaRrset::absent(present.ttl);
    }
    TlsaRrset { records, ttl: spec.tlsa_ttl.unwrap_or(kept_ttl) }
}
