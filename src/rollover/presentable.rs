//! A chain that a server presents now, or will once it is issued: what records are held against.
//!
//! A change of CA bridges before anything is issued where the new CA is known beforehand, so the
//! gates must be able to judge a chain of which only the key and the possible anchors are known.

use std::collections::BTreeSet;

use crate::name::DnsName;
use crate::pki::{Certificate, Chain, ChainId, Sha256Digest};
use crate::time::Timestamp;
use crate::tlsa::{self, Association, Fit, Parameters, Record, Selector, Usage};

/// A chain that a server presents, or will.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Presentable {
    /// It exists.
    Issued(Chain),
    /// It does not exist yet.
    Expected(Expected),
}

/// What is known of a chain before it is issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The DER of the SubjectPublicKeyInfo of its key.
    pub spki: Vec<u8>,
    /// The certificates of which one will be its trust anchor; empty: nobody knows.
    pub anchors: Vec<Certificate>,
}

impl Presentable {
    /// What tells this chain from another; an expected one is told by its key.
    pub fn id(&self) -> ChainId {
        match self {
            Self::Issued(chain) => chain.id(),
            Self::Expected(expected) => ChainId(Sha256Digest::of(&expected.spki)),
        }
    }

    /// The DER of the SubjectPublicKeyInfo of the server's own key.
    pub fn spki(&self) -> &[u8] {
        match self {
            Self::Issued(chain) => chain.leaf().spki(),
            Self::Expected(expected) => &expected.spki,
        }
    }

    /// How well `records` fit this chain for a client that connects to `base` at `now`; `None` if
    /// it would not deliver.
    pub fn fit(&self, records: &BTreeSet<Record>, base: &DnsName, now: Timestamp) -> Option<Fit> {
        match self {
            Self::Issued(chain) => tlsa::fit(records, chain, base, now),
            Self::Expected(expected) => expected.fit(records),
        }
    }

    /// What a record with `parameters` says of this chain, given its trust anchors; none where that
    /// cannot be known yet.
    pub fn associations(
        &self,
        parameters: Parameters,
        anchors: &[Certificate],
    ) -> Vec<Association> {
        match (parameters.usage, self) {
            (Usage::DaneTa, _) => anchors.iter().map(|ca| parameters.associate(ca)).collect(),
            (Usage::DaneEe, Self::Issued(chain)) => vec![parameters.associate(chain.leaf())],
            (Usage::DaneEe, Self::Expected(expected)) => {
                expected.key_association(parameters).into_iter().collect()
            }
        }
    }
}

impl Expected {
    /// The record that names the key, where the selector needs no more than the key.
    fn key_association(&self, parameters: Parameters) -> Option<Association> {
        match parameters.selector {
            Selector::Spki => {
                Some(Association { parameters, data: parameters.matching_type.present(&self.spki) })
            }
            Selector::Cert => None,
        }
    }

    /// Whether `association` will match, whichever of the possible anchors it turns out to be.
    fn is_matched_by(&self, associations: &[&Association]) -> bool {
        let names_key = |association: &&Association| {
            association.parameters.usage == Usage::DaneEe
                && self.key_association(association.parameters).as_ref() == Some(*association)
        };
        let names = |anchor: &Certificate| {
            associations.iter().any(|association| {
                association.parameters.usage == Usage::DaneTa && association.matches(anchor)
            })
        };
        associations.iter().any(names_key)
            || (!self.anchors.is_empty() && self.anchors.iter().all(names))
    }

    /// How well `records` will fit the chain once it is issued as expected.
    fn fit(&self, records: &BTreeSet<Record>) -> Option<Fit> {
        if records.is_empty() {
            return Some(Fit::Each);
        }
        let usable: Vec<Association> =
            records.iter().filter_map(|record| record.association().ok()).collect();
        let all: Vec<&Association> = usable.iter().collect();
        let combinations: BTreeSet<Parameters> = usable.iter().map(|a| a.parameters).collect();
        let each = combinations.iter().all(|parameters| {
            let same: Vec<&Association> =
                usable.iter().filter(|a| a.parameters == *parameters).collect();
            self.is_matched_by(&same)
        });
        match (each && !usable.is_empty(), self.is_matched_by(&all)) {
            (true, _) => Some(Fit::Each),
            (false, true) => Some(Fit::Any),
            (false, false) => None,
        }
    }
}
