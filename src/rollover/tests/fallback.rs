//! Where an issuer fails again and again: which one takes its place, when, and for how long.

use super::*;
use crate::rollover::action::{Begin, KeySource};
use crate::rollover::state::{IssuerOverride, Kind};
use crate::rollover::transition::FailureReport;

impl Host {
    /// A host whose renewal by `house` is under way, with these issuers behind it.
    fn renewing(policy: &str, fallbacks: &[&str]) -> Self {
        let mut host = Self::settled(policy);
        host.spec.known_anchors.insert("third".to_owned(), Vec::new());
        host.spec.fallback_issuers = fallbacks.iter().map(|&name| name.to_owned()).collect();
        host.begin(&Request::Renew);
        host
    }

    /// Lets the order fail.
    fn fail(&mut self, by_issuer: bool, seconds: u64) {
        let report = FailureReport {
            message: "no".to_owned(),
            hint: "wait".to_owned(),
            needs_operator: false,
            not_before: None,
            by_issuer,
        };
        transition::fail(&self.spec, &mut self.state, Step::Issue, report, at(seconds));
    }

    /// What is decided where its own records and chain are seen.
    fn decide_at(&mut self, seconds: u64) -> Decision {
        let chain = self.chain.clone();
        let records = records::settled(&self.spec, &self.state, self.state.current().unwrap());
        self.decide(None, &records, &[&chain], at(seconds))
    }

    /// The rollover that takes the failed issuer's place.
    #[track_caller]
    fn falls_back(&mut self, seconds: u64) -> Begin {
        let decision = self.decide_at(seconds);
        let Decision::Act(Action::Begin(begin)) = decision else { panic!("{decision:?}") };
        begin
    }

    /// Begins it, with a key of its own.
    fn follow(&mut self, begin: &Begin, seconds: u64) {
        let key = crate::rollover::state::KeyMade { spki: b"next".to_vec(), at: at(0).wall };
        let keys = [(KeyType::EcdsaP256, key)].into();
        transition::begin(&mut self.state, begin, keys, at(seconds).wall);
    }
}

/// How often the issuer fails in a row counts, and nothing that fails beside it.
#[test]
fn three_failures_of_the_issuer_itself_lead_to_the_next() {
    for (failures, falls_back) in [
        (&[true, true][..], false),
        (&[true, true, true], true),
        (&[false, false, false, false], false),
        (&[true, true, false], false),
        (&[true, true, false, true], false),
        (&[false, true, true, true], true),
    ] {
        let mut host = Host::renewing("ncsc", &["other"]);
        for failed in failures {
            host.fail(*failed, 100_100);
        }
        let decision = host.decide_at(100_101);
        let begins = matches!(decision, Decision::Act(Action::Begin(_)));
        assert_eq!(begins, falls_back, "{failures:?}: {decision:?}");
        if !falls_back {
            assert!(matches!(decision, Decision::Wait(_)), "{failures:?}: {decision:?}");
        }
    }
}

#[test]
fn it_is_a_change_of_ca_like_any_other_and_says_why() {
    let mut host = Host::renewing("ncsc", &["other"]);
    for _ in 0..3 {
        host.fail(true, 100_100);
    }
    let begin = host.falls_back(100_101);
    expect![
        "begin a change of CA by other with a new ecdsa-p256 key, since house failed 3 times in a row"
    ]
    .assert_eq(&begin.to_string());
    host.follow(&begin, 100_101);
    assert_eq!(host.state.issuer(&host.spec), "other");
    assert_eq!(host.state.failures.get(&Step::Issue), None, "the next one begins anew");
    // Its CA is known: the bridge comes first.
    let decision = host.decide_at(100_102);
    let Decision::Act(Action::Publish { changes, .. }) = decision else { panic!("{decision:?}") };
    expect!["2 1 1 other, 3 1 1 old"].assert_eq(&host.named(&changes[0].desired.records));
}

/// The order is that of the configuration; who cannot be turned to is passed over.
#[test]
fn who_follows_whom() {
    let follows = |host: &Host, failed: &str| {
        let begin = request::fallback(&host.spec, &host.state, failed, at(100_000).wall)?;
        let Toward::New { issuer, keys } = begin.toward else { panic!("{:?}", begin.toward) };
        assert_eq!(keys[&KeyType::EcdsaP256], KeySource::New);
        Some(issuer)
    };
    let host = Host::renewing("ncsc", &["other", "third"]);
    for (failed, next) in [
        ("house", Some("other")),
        ("other", Some("third")),
        ("third", None),
        ("beside", Some("other")),
    ] {
        assert_eq!(follows(&host, failed).as_deref(), next, "after {failed}");
    }
    assert_eq!(follows(&Host::renewing("ncsc", &[]), "house"), None);

    // One whose CA was compromised, and one that is not in the configuration any more.
    let mut host = Host::renewing("ncsc", &["other", "gone", "third"]);
    let barred = host.other.1.clone();
    transition::bar(&mut host.state, &[(crate::tlsa::Usage::DaneTa, barred)]);
    assert_eq!(follows(&host, "house").as_deref(), Some("third"));

    // One that nothing is known of beforehand, but for what it issued.
    let mut host = Host::renewing("ncsc", &["third"]);
    let current = host.state.current.unwrap();
    host.state.bundles.get_mut(&current).unwrap().issuer = "third".to_owned();
    let barred = host.house.1.clone();
    transition::bar(&mut host.state, &[(crate::tlsa::Usage::DaneTa, barred)]);
    assert_eq!(follows(&host, "house"), None);
}

/// A failed order uses up no standby key: the next issuer is asked for a certificate for the same one, which
/// is in every cache.
#[test]
fn the_standby_key_goes_along() {
    let mut host = Host::settled("current-next");
    host.spec.fallback_issuers = vec!["other".to_owned()];
    let standby = crate::rollover::state::KeyMade { spki: b"next".to_vec(), at: at(0).wall };
    transition::add_standby(&mut host.state, KeyType::EcdsaP256, standby);
    let renewal = request::renewal(&host.spec, &host.state, "house", at(100_000).wall);
    host.follow(&renewal, 100_000);
    assert!(host.state.standby.is_empty(), "the order has taken it");
    for _ in 0..3 {
        host.fail(true, 100_100);
    }
    let begin = host.falls_back(100_101);
    let Toward::New { keys, .. } = &begin.toward else { panic!("{begin:?}") };
    assert_eq!(keys[&KeyType::EcdsaP256], KeySource::Standby);
    host.follow(&begin, 100_101);
    assert!(host.state.standby.is_empty() && host.state.rollover.as_ref().unwrap().took_standby);
}

/// A compromise stays one: whoever gives it up takes back what it bars.
#[test]
fn a_compromise_stays_one() {
    let mut host = Host::settled("ncsc");
    host.spec.fallback_issuers = vec!["other".to_owned()];
    host.begin(&Request::CompromisedKey);
    for _ in 0..3 {
        host.fail(true, 100_100);
    }
    let begin =
        request::fallback(&host.spec, &host.state, "house", at(100_100).wall).expect("the other");
    assert_eq!(begin.kind, Kind::Compromise);
}

/// A machine that sees nothing of the zone may itself be cut off.
#[test]
fn no_issuer_is_left_while_nothing_is_seen() {
    let mut host = Host::renewing("ncsc", &["other"]);
    for _ in 0..3 {
        host.fail(true, 100_100);
    }
    let mut seen = host.seen(&BTreeSet::new(), &[&host.chain.clone()], at(100_101));
    let reason = "no answer".to_owned();
    seen.owners = [(owner(), OwnerSight::Unknown { reason })].into();
    let decision = decide(&host.spec, &Intent::default(), &host.state, &seen, at(100_101)).unwrap();
    assert!(matches!(decision, Decision::Wait(_)), "{decision:?}");
}

/// Another issuer than the configured one stays until the configuration is edited, or an operator goes
/// back.
#[test]
fn an_override_lasts_until_the_configuration_is_edited() {
    let mut host = Host::renewing("ncsc", &["other"]);
    for _ in 0..3 {
        host.fail(true, 100_100);
    }
    let begin = host.falls_back(100_101);
    host.follow(&begin, 100_101);
    let wanted = IssuerOverride {
        issuer: "other".to_owned(),
        instead_of: "house".to_owned(),
        after: Some("house".to_owned()),
    };
    assert_eq!(host.state.issuer_override, Some(wanted));
    transition::finish(&mut host.state);
    assert_eq!(host.state.issuer(&host.spec), "other", "also for the next renewal");

    let before = host.state.clone();
    host.spec.issuer = "third".to_owned();
    assert_eq!(host.state.issuer(&host.spec), "third");
    let _ = host.decide_at(100_200);
    assert_eq!(host.state.issuer_override, None, "it does not come back with a later edit");

    (host.spec.issuer, host.state) = ("house".to_owned(), before);
    host.begin(&Request::NewCa(Some("house".to_owned())));
    assert_eq!(host.state.issuer_override, None);
    assert_eq!(host.state.issuer(&host.spec), "house");
}
