//! Whether a client that holds a TLSA RRset accepts a chain, after RFC 7671 and RFC 7672.
//!
//! The question is never whether *some* client would accept it but whether *every* client that
//! keeps to the standards does. Where clients may differ, the narrowest of them counts:
//!
//! - A client may do without SHA2-512, which it need not know (RFC 6698, section 6).
//! - A client may leave out SHA2-256 where a record of the same usage and selector has SHA2-512
//!   (digest agility, RFC 7671, section 9).
//! - A client may know no other reference name than the TLSA base domain.
//! - A client may walk from issuer to issuer without ever turning back (`path.rs`).
//!
//! Any other client sees all that one of the first two sees, so what both accept, all do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::path::{Path, PathError, called};
use super::record::{Association, MatchingType, Parameters, Record, Selector, Unusable, Usage};
use crate::name::DnsName;
use crate::pki::{Certificate, Chain};
use crate::time::Timestamp;

/// How well an RRset fits a chain, the lesser degree first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fit {
    /// Some record of the RRset validates the chain, for every client.
    Any,
    /// For each combination of usage, selector and matching type in the RRset, some record does
    /// (RFC 7671, section 8).
    Each,
}

/// What a client makes of one record and a chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It validates the chain.
    Matches(Matched),
    /// It names a certificate or key that the server does not send.
    DoesNotMatch,
    /// It is a trust anchor's by its usage, and names the server's own certificate, which is none.
    NamesServer,
    /// It is a trust anchor's, matches nothing that is sent, and may name the one certificate that
    /// is missing: the issuer of the topmost.
    AnchorNotSent {
        /// That issuer.
        issuer: String,
    },
    /// It names an anchor that is there, but the way up to it does not hold.
    PathInvalid(PathError),
    /// Clients leave it out of account.
    Unusable(Unusable),
}

/// What a record matched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Matched {
    /// A certificate of the chain, by its place; the server's own has 0.
    Sent {
        /// Its place.
        depth: usize,
    },
    /// A certificate or key that is not sent, since the record holds all of it.
    Carried,
}

/// How well `records` fit `chain` for clients that connect to `base` at `now`; `None` if some would
/// not deliver.
///
/// Without any records senders use TLS without DANE, and every chain fits. With none but unusable
/// ones most still deliver (RFC 7672, section 2.2), but those that insist on DANE do not: `None`.
pub fn fit(
    records: &BTreeSet<Record>,
    chain: &Chain,
    base: &DnsName,
    now: Timestamp,
) -> Option<Fit> {
    if records.is_empty() {
        return Some(Fit::Each);
    }
    super::memo::fit(records, chain, base, now, || {
        fit_for(records, chain, std::slice::from_ref(base), now)
    })
}

/// The same for clients that expect any of `names`, as [`judge`] has it.
pub fn fit_for(
    records: &BTreeSet<Record>,
    chain: &Chain,
    names: &[DnsName],
    now: Timestamp,
) -> Option<Fit> {
    if records.is_empty() {
        return Some(Fit::Each);
    }
    let usable: Vec<Association> =
        records.iter().filter_map(|record| record.association().ok()).collect();
    let mut combinations: BTreeMap<Parameters, bool> = BTreeMap::new();
    for association in &usable {
        let validates = combinations.entry(association.parameters).or_default();
        if !*validates {
            let verdict = judge_association(association, chain, names, now);
            *validates = matches!(verdict, Verdict::Matches(_));
        }
    }
    degree(&combinations)
}

/// What a client that expects one of `names` makes of each record at `now`, in the records' order.
///
/// A client's reference names for usage 2 are the TLSA base domain and, for mail, the domain that it
/// delivers to (RFC 7672, section 3.2.2).
pub fn judge(
    records: &BTreeSet<Record>,
    chain: &Chain,
    names: &[DnsName],
    now: Timestamp,
) -> Vec<(Record, Verdict)> {
    records
        .iter()
        .map(|record| {
            let verdict = match record.association() {
                Ok(association) => judge_association(&association, chain, names, now),
                Err(reason) => Verdict::Unusable(reason),
            };
            (record.clone(), verdict)
        })
        .collect()
}

/// The degree to which all clients are served, from whether each combination of parameters is.
fn degree(combinations: &BTreeMap<Parameters, bool>) -> Option<Fit> {
    if combinations.is_empty() {
        return None;
    }
    if combinations.values().all(|validates| *validates) {
        return Some(Fit::Each);
    }
    let validated_for = |sees: &dyn Fn(&Parameters) -> bool| {
        let mut seen = combinations.iter().filter(|(parameters, _)| sees(parameters));
        seen.any(|(_, validates)| *validates)
    };
    let without_sha512 =
        |parameters: &Parameters| parameters.matching_type != MatchingType::Sha2_512;
    // Left with nothing by its lack of SHA2-512, a client takes the records for unusable and
    // delivers all the same, but for those that insist; who publishes nothing else has chosen that.
    let sees_nothing = !combinations.keys().any(without_sha512);
    let agile = |parameters: &Parameters| {
        let stronger = Parameters { matching_type: MatchingType::Sha2_512, ..*parameters };
        parameters.matching_type != MatchingType::Sha2_256 || !combinations.contains_key(&stronger)
    };
    let accepted = (sees_nothing || validated_for(&without_sha512)) && validated_for(&agile);
    accepted.then_some(Fit::Any)
}

/// What a client makes of a usable record.
fn judge_association(
    association: &Association,
    chain: &Chain,
    names: &[DnsName],
    now: Timestamp,
) -> Verdict {
    match association.parameters.usage {
        Usage::DaneEe => judge_end_entity(association, chain),
        Usage::DaneTa => judge_trust_anchor(association, chain, names, now),
    }
}

/// DANE-EE(3): a plain comparison, whatever the names and dates ([RFC 7671, section 5.1]).
///
/// [RFC 7671, section 5.1]: https://www.rfc-editor.org/rfc/rfc7671#section-5.1
fn judge_end_entity(association: &Association, chain: &Chain) -> Verdict {
    if association.matches(chain.leaf()) {
        Verdict::Matches(Matched::Sent { depth: 0 })
    } else {
        Verdict::DoesNotMatch
    }
}

/// DANE-TA(2): a path to the anchor that the record names, which must be sent unless the record
/// itself carries it ([RFC 7671, section 5.2]).
///
/// [RFC 7671, section 5.2]: https://www.rfc-editor.org/rfc/rfc7671#section-5.2
fn judge_trust_anchor(
    association: &Association,
    chain: &Chain,
    names: &[DnsName],
    now: Timestamp,
) -> Verdict {
    let carried = carried_certificate(association);
    let authorities = chain.authorities();
    // Signatures cost a thousand comparisons: no path is looked for where nothing is named.
    let sent = authorities.iter().find(|certificate| association.matches(certificate));
    if sent.is_none() && association.parameters.matching_type != MatchingType::Full {
        return unmatched(association, chain, now);
    }
    let pool = authorities.iter().chain(&carried);
    let Some(path) = Path::walk(chain.leaf(), pool, now) else {
        return Verdict::DoesNotMatch;
    };
    let height = path.find(|certificate| association.matches(certificate));
    let outcome = match (height, sent) {
        (Some(height), _) => {
            let anchor = path.at(height);
            let depth = chain.certificates().iter().position(|c| c == anchor);
            let matched = depth.map_or(Matched::Carried, |depth| Matched::Sent { depth });
            path.verify_to(height, names, now).map(|()| matched)
        }
        (None, Some(anchor)) => Err(PathError::OffPath { subject: called(anchor) }),
        (None, None) if may_be_bare_key(association, chain) => {
            match path.verify_to_key(&association.data, names, now) {
                Ok(()) => Ok(Matched::Carried),
                // Some other key's: nothing is wrong with the path as such.
                Err(PathError::Refused { .. }) => return unmatched(association, chain, now),
                Err(error) => Err(error),
            }
        }
        (None, None) => return unmatched(association, chain, now),
    };
    match outcome {
        Ok(matched) => Verdict::Matches(matched),
        Err(error) => Verdict::PathInvalid(error),
    }
}

/// Whether the record is a `2 1 0` with a key whose holder may have issued the topmost certificate
/// without being sent.
///
/// The server's own key is no authority's, even where it signed itself.
fn may_be_bare_key(association: &Association, chain: &Chain) -> bool {
    let Parameters { selector, matching_type, .. } = association.parameters;
    selector == Selector::Spki
        && matching_type == MatchingType::Full
        && association.data != chain.leaf().spki()
}

/// The certificate that a `2 0 0` record holds; `None` for any other record.
fn carried_certificate(association: &Association) -> Option<Certificate> {
    match association.parameters {
        Parameters { selector: Selector::Cert, matching_type: MatchingType::Full, .. } => {
            Certificate::from_der(&association.data).ok()
        }
        _ => None,
    }
}

/// The verdict on a usage 2 record that matches nothing that is sent above the server's certificate.
fn unmatched(association: &Association, chain: &Chain, now: Timestamp) -> Verdict {
    if association.matches(chain.leaf()) {
        return Verdict::NamesServer;
    }
    let path = Path::walk(chain.leaf(), chain.authorities().iter(), now);
    match path.as_ref().and_then(Path::missing_issuer) {
        Some(issuer) => Verdict::AnchorNotSent { issuer: issuer.to_owned() },
        None => Verdict::DoesNotMatch,
    }
}

impl Verdict {
    /// Whether a client accepts the chain by this record.
    pub fn validates(&self) -> bool {
        matches!(self, Self::Matches(_))
    }
}

/// Written so that it follows the record: `3 1 1 0a1b... matches the server's certificate`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matches(Matched::Sent { depth: 0 }) => {
                f.write_str("matches the server's certificate")
            }
            Self::Matches(Matched::Sent { depth }) => {
                write!(f, "matches the CA certificate sent at depth {depth}")
            }
            Self::Matches(Matched::Carried) => {
                f.write_str("holds the trust anchor that the chain leads to")
            }
            Self::DoesNotMatch => f.write_str("matches nothing that the server sends"),
            Self::NamesServer => f.write_str(
                "names the server's own certificate, where usage 2 must name a CA's \
                 (RFC 7671, section 5.2)",
            ),
            Self::AnchorNotSent { issuer } => write!(
                f,
                "matches no CA certificate that the server sends; if it names `{issuer}`, the \
                 server must send that certificate too (RFC 7671, section 5.2.2)"
            ),
            Self::PathInvalid(error) => write!(f, "does not validate the chain: {error}"),
            Self::Unusable(reason) => write!(f, "is left out by clients: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests;
