//! From what an operator asked for to the rollover that begins; and the one that is due by itself.

use std::collections::BTreeMap;

use super::action::{Begin, KeySource, Request, RequestError, Toward};
use super::records;
use super::spec::HostSpec;
use super::state::{Bundle, HostState, IssuerOverride, Kind};
use crate::pki::{Certificate, KeyType};
use crate::policy::OnRenewal;
use crate::time::Timestamp;
use crate::tlsa::Usage;

/// After how many failures in a row an issuer's next one in the configuration takes its place.
pub const FAILURES_UNTIL_FALLBACK: u32 = 3;

/// What a request comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A rollover is to be begun.
    Begin(Begin),
    /// The rollover in flight does what was asked for.
    InFlight,
}

/// What `request` comes to for a host in this state.
///
/// # Errors
///
/// Where it makes no sense for this host.
pub fn answer(
    spec: &HostSpec,
    state: &HostState,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, RequestError> {
    match request {
        Request::Renew => renew(spec, state, now),
        Request::NewCa(issuer) => new_ca(spec, state, issuer.as_deref(), now),
        Request::CompromisedKey => compromised_key(spec, state, now),
        Request::CompromisedCa(issuer) => compromised_ca(spec, state, issuer.as_deref(), now),
        Request::Abort => abort(state),
        Request::Withdraw => Ok(withdraw(state)),
    }
}

/// The rollover to the next certificate of `issuer`.
pub fn renewal(spec: &HostSpec, state: &HostState, issuer: &str, now: Timestamp) -> Begin {
    let kind = match state.current() {
        Some(current) if changes_ca(spec, current, issuer) => Kind::CaChange,
        Some(_) | None => Kind::Renewal,
    };
    Begin {
        kind,
        toward: Toward::New { issuer: issuer.to_owned(), keys: keys(spec, state, now) },
        bar: Vec::new(),
        revoke: false,
        issuer_override: None,
        reenters: false,
    }
}

/// The rollover to the issuer after `failed` in the order that the configuration gives, which may take
/// its place; `None` where there is none left.
///
/// What was begun for a compromise stays one: giving it up takes its bars back.
pub fn fallback(spec: &HostSpec, state: &HostState, failed: &str, now: Timestamp) -> Option<Begin> {
    let order: Vec<&String> = std::iter::once(&spec.issuer).chain(&spec.fallback_issuers).collect();
    // An issuer that an operator named beside the order is followed by the first of it.
    let next = order.iter().position(|issuer| *issuer == failed).map_or(1, |place| place + 1);
    let is_usable = |issuer: &&&String| {
        spec.known_anchors.contains_key(**issuer)
            && **issuer != failed
            && refuse_barred(spec, state, issuer).is_ok()
            && !issued_what_is_barred(state, issuer)
    };
    let issuer = order.get(next..)?.iter().find(is_usable)?;
    // The standby keys that the failed order took are given back, and taken again.
    let mut then = state.clone();
    super::transition::return_standby(&mut then);
    let mut begin = renewal(spec, &then, issuer, now);
    if state.rollover.as_ref().is_some_and(|rollover| rollover.kind == Kind::Compromise) {
        begin.kind = Kind::Compromise;
    }
    begin.issuer_override = Some(IssuerOverride {
        issuer: (*issuer).clone(),
        instead_of: spec.issuer.clone(),
        after: Some(failed.to_owned()),
    });
    Some(begin)
}

/// Whether a certificate of `issuer` that is at hand is of a CA that is barred.
fn issued_what_is_barred(state: &HostState, issuer: &str) -> bool {
    let barred = |ca: &&Certificate| {
        let mut cas = state.barred.iter().filter(|barred| barred.usage == Usage::DaneTa);
        cas.any(|barred| barred.certificate.spki() == ca.spki())
    };
    let mut bundles = state.bundles.values().filter(|bundle| bundle.issuer == issuer);
    bundles.any(|bundle| bundle.anchors().iter().any(barred))
}

/// The issuer that an operator named, where the configuration names another.
fn override_by(spec: &HostSpec, issuer: &str) -> Option<IssuerOverride> {
    (issuer != spec.issuer).then(|| IssuerOverride {
        issuer: issuer.to_owned(),
        instead_of: spec.issuer.clone(),
        after: None,
    })
}

/// Whether a certificate of `issuer` will surely be of another CA than `current`.
fn changes_ca(spec: &HostSpec, current: &Bundle, issuer: &str) -> bool {
    let known = spec.known_anchors(issuer);
    let is_known = |anchor: &&Certificate| known.iter().any(|other| other.spki() == anchor.spki());
    if known.is_empty() {
        return !current.issuer.is_empty() && current.issuer != issuer;
    }
    !current.anchors().iter().all(is_known)
}

/// Where the next keys come from: the present ones where the policy keeps them, else the standby
/// keys, else new ones. A key that is barred is never taken again.
fn keys(spec: &HostSpec, state: &HostState, now: Timestamp) -> BTreeMap<KeyType, KeySource> {
    let source = |key_type: &KeyType| {
        let present = state.current().and_then(|bundle| bundle.credentials.get(key_type));
        let may_stay = present.is_some_and(|credential| {
            let barred = state.barred.iter().any(|barred| {
                barred.usage == Usage::DaneEe && barred.certificate.spki() == credential.key.spki
            });
            let kept = match spec.policy.key.on_renewal {
                OnRenewal::New => false,
                OnRenewal::Reuse { rotate_every: None } => true,
                OnRenewal::Reuse { rotate_every: Some(age) } => now < credential.key.at + age,
            };
            kept && !barred
        });
        match (may_stay, state.standby.contains_key(key_type)) {
            (true, _) => KeySource::Present,
            (false, true) => KeySource::Standby,
            (false, false) => KeySource::New,
        }
    };
    spec.key_types.iter().map(|key_type| (*key_type, source(key_type))).collect()
}

/// Whether the rollover in flight leads to a new certificate of `issuer`. One that no record may name leads
/// nowhere: a CA may have signed with a key that was compromised, and sign with another next time.
fn in_flight_to(spec: &HostSpec, state: &HostState, issuer: &str, now: Timestamp) -> bool {
    let leads_there = matches!(
        state.rollover.as_ref().map(|rollover| rollover.kind),
        Some(Kind::Renewal | Kind::CaChange | Kind::Compromise)
    );
    let is_of_use =
        |bundle: &Bundle| !bundle.is_issued() || records::may_name(spec, state, bundle, now);
    let target = state.target().filter(|(_, bundle)| bundle.issuer == issuer);
    leads_there && target.is_some_and(|(_, bundle)| is_of_use(bundle))
}

/// Refuses an issuer whose CA is known, and barred.
fn refuse_barred(spec: &HostSpec, state: &HostState, issuer: &str) -> Result<(), RequestError> {
    let is_barred = |ca: &Certificate| {
        let mut cas = state.barred.iter().filter(|barred| barred.usage == Usage::DaneTa);
        cas.any(|barred| barred.certificate.spki() == ca.spki())
    };
    match spec.known_anchors(issuer).iter().any(is_barred) {
        true => Err(RequestError::BarredIssuer(issuer.to_owned())),
        false => Ok(()),
    }
}

/// `--renew`
fn renew(spec: &HostSpec, state: &HostState, now: Timestamp) -> Result<Answer, RequestError> {
    let issuer = state.issuer(spec);
    if in_flight_to(spec, state, issuer, now) {
        return Ok(Answer::InFlight);
    }
    refuse_barred(spec, state, issuer)?;
    let mut begin = renewal(spec, state, issuer, now);
    begin.reenters = true;
    Ok(Answer::Begin(begin))
}

/// The issuer to change to: the one named, else the configuration's.
fn issuer_to<'a>(spec: &'a HostSpec, named: Option<&'a str>) -> Result<&'a str, RequestError> {
    let issuer = named.unwrap_or(&spec.issuer);
    if !spec.known_anchors.contains_key(issuer) {
        return Err(RequestError::UnknownIssuer(issuer.to_owned()));
    }
    Ok(issuer)
}

/// `--new-ca`
fn new_ca(
    spec: &HostSpec,
    state: &HostState,
    named: Option<&str>,
    now: Timestamp,
) -> Result<Answer, RequestError> {
    let issuer = issuer_to(spec, named)?;
    if in_flight_to(spec, state, issuer, now) {
        return Ok(Answer::InFlight);
    }
    if let Some(current) = state.current()
        && current.issuer == issuer
        && !changes_ca(spec, current, issuer)
    {
        return Err(RequestError::SameIssuer(issuer.to_owned()));
    }
    refuse_barred(spec, state, issuer)?;
    let mut begin = renewal(spec, state, issuer, now);
    begin.kind = Kind::CaChange;
    begin.reenters = true;
    begin.issuer_override = override_by(spec, issuer);
    Ok(Answer::Begin(begin))
}

/// `--compromised key`
fn compromised_key(
    spec: &HostSpec,
    state: &HostState,
    now: Timestamp,
) -> Result<Answer, RequestError> {
    let current = state.current().ok_or(RequestError::NoCertificate)?;
    let bar: Vec<(Usage, Certificate)> =
        current.chains().map(|chain| (Usage::DaneEe, chain.leaf().clone())).collect();
    let mut barred = state.clone();
    super::transition::bar(&mut barred, &bar);
    let mut begin = renewal(spec, &barred, state.issuer(spec), now);
    begin.kind = Kind::Compromise;
    begin.reenters = true;
    begin.bar = bar;
    begin.revoke = true;
    Ok(Answer::Begin(begin))
}

/// `--compromised ca`
fn compromised_ca(
    spec: &HostSpec,
    state: &HostState,
    named: Option<&str>,
    now: Timestamp,
) -> Result<Answer, RequestError> {
    let current = state.current().ok_or(RequestError::NoCertificate)?;
    let issuer = issuer_to(spec, named)?;
    let anchors: Vec<Certificate> = current.anchors().into_iter().cloned().collect();
    let known = spec.known_anchors(issuer);
    let same_key = |a: &Certificate, b: &Certificate| a.spki() == b.spki();
    if current.issuer == issuer && known.is_empty()
        || known.iter().any(|ca| anchors.iter().any(|anchor| same_key(ca, anchor)))
    {
        return Err(RequestError::BarredIssuer(issuer.to_owned()));
    }
    let mut begin = renewal(spec, state, issuer, now);
    begin.kind = Kind::Compromise;
    begin.reenters = true;
    begin.bar = anchors.into_iter().map(|anchor| (Usage::DaneTa, anchor)).collect();
    begin.revoke = true;
    begin.issuer_override = override_by(spec, issuer);
    Ok(Answer::Begin(begin))
}

/// A rollover that needs no new certificate.
fn without_certificate(kind: Kind, toward: Toward) -> Answer {
    let reenters = kind != Kind::Withdrawal;
    let bar = Vec::new();
    Answer::Begin(Begin { kind, toward, bar, revoke: false, issuer_override: None, reenters })
}

/// `--abort`
fn abort(state: &HostState) -> Result<Answer, RequestError> {
    let rollover = state.rollover.as_ref().ok_or(RequestError::NothingInFlight)?;
    Ok(match (rollover.kind, rollover.from) {
        (Kind::Abort, _) => Answer::InFlight,
        // To give up a first publication is to stay out of DANE.
        (Kind::FirstPublication, _) => without_certificate(Kind::Withdrawal, Toward::NoRecords),
        (_, Some(from)) => without_certificate(Kind::Abort, Toward::Existing(from)),
        // There is nothing to go back to: what has been published so far is taken back.
        (_, None) => without_certificate(Kind::Abort, Toward::NoRecords),
    })
}

/// `--withdraw`
fn withdraw(state: &HostState) -> Answer {
    match state.rollover.as_ref().map(|rollover| rollover.kind) {
        Some(Kind::Withdrawal) => Answer::InFlight,
        _ => without_certificate(Kind::Withdrawal, Toward::NoRecords),
    }
}
