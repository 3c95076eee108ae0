//! Where another client brings the certificates: what begins, what does not, and who is told.

use super::*;
use crate::rollover::action::{Begin, KeySource, Problem};
use crate::rollover::state::{Issued, KeyMade, Kind};
use crate::rollover::{Brought, take};

/// What was brought: one chain.
fn brought(chain: &Chain) -> Brought {
    Brought { chains: [(KeyType::EcdsaP256, chain.clone())].into(), ..Brought::default() }
}

impl Host {
    /// The same host, with its issuer external.
    fn external(policy: &str) -> Self {
        let mut host = Self::settled(policy);
        host.spec.external = BTreeSet::from(["house".to_owned()]);
        host.spec.known_anchors = [("house".to_owned(), Vec::new())].into();
        host
    }

    /// What is decided where this was brought, and its own records and chain are seen.
    fn decide_with(&mut self, brought: Brought, now: Moment) -> Decision {
        let records = records::settled(&self.spec, &self.state, self.state.current().unwrap());
        let seen = self.seen(&records, &[&self.chain.clone()], now);
        self.state.observe(&self.spec, &seen);
        let intent = Intent { brought, ..Intent::default() };
        decide(&self.spec, &intent, &self.state, &seen, now).unwrap()
    }

    /// The rollover that this begins.
    #[track_caller]
    fn begins(&mut self, brought: Brought) -> Begin {
        let decision = self.decide_with(brought, at(100_000));
        let Decision::Act(Action::Begin(begin)) = decision else { panic!("{decision:?}") };
        begin
    }

    /// Begins it, with the key of what was brought.
    fn take(&mut self, chain: &Chain) {
        let begin = self.begins(brought(chain));
        let key = KeyMade { spki: chain.leaf().spki().to_vec(), at: at(100_000).wall };
        let keys = [(KeyType::EcdsaP256, key)].into();
        transition::begin(&mut self.state, &begin, keys, at(100_000).wall);
    }

    /// Marks what was brought as issued to the target.
    fn issue(&mut self, chain: &Chain) {
        let (id, _) = self.state.target().unwrap();
        let anchor = chain.authorities().first().cloned();
        let issued = Issued { chain: chain.clone(), anchor };
        transition::conclude_issue(&mut self.state, id, KeyType::EcdsaP256, issued);
    }
}

#[test]
fn a_certificate_begins_a_rollover_by_its_arrival_and_with_its_own_key() {
    let mut host = Host::external("ncsc");
    let present = brought(&host.chain);
    for nothing_new in [Brought::default(), present] {
        let decision = host.decide_with(nothing_new, at(100_000));
        assert!(matches!(decision, Decision::Idle { .. }), "{decision:?}");
    }
    let chain = host.house.chain();
    let begin = host.begins(brought(&chain));
    assert_eq!(begin.kind, Kind::Renewal);
    let Toward::New { issuer, keys } = begin.toward else { panic!("{begin:?}") };
    assert_eq!(issuer, "house");
    assert_eq!(keys, [(KeyType::EcdsaP256, KeySource::Brought)].into());
}

/// Nobody announced that the client's CA is another: its chain tells, and is held until records fit.
#[test]
fn another_ca_of_the_client_is_a_change_of_ca_and_bridged() {
    let mut host = Host::external("ncsc");
    let chain = host.other.chain();
    assert_eq!(host.begins(brought(&chain)).kind, Kind::CaChange);
    host.take(&chain);
    let next = host.decide_with(brought(&chain), at(100_010));
    assert!(matches!(next, Decision::Act(Action::Issue { .. })), "{next:?}");
    host.issue(&chain);
    assert_eq!(host.state.rollover.as_ref().unwrap().kind, Kind::CaChange);
    let records = BTreeSet::from([host.house.record(), key_record(&host.chain)]);
    let own = host.chain.clone();
    let decision = host.decide(None, &records, &[&own], at(100_020));
    let Decision::Act(Action::Publish { changes, .. }) = decision else { panic!("{decision:?}") };
    assert_eq!(host.named(&changes[0].desired.records), "2 1 1 other, 3 1 1 old");
}

#[test]
fn two_kinds_of_key_are_waited_for() {
    let mut host = Host::external("ncsc");
    host.spec.key_types.push(KeyType::Rsa2048);
    let decision = host.decide_with(brought(&host.house.chain()), at(100_000));
    let Decision::Stuck(problems) = decision else { panic!("{decision:?}") };
    assert!(problems[0].message.contains("key types (ecdsa-p256, rsa-2048)"), "{problems:?}");
    let mut both = brought(&host.house.chain());
    both.chains.insert(KeyType::Rsa2048, host.house.chain());
    let Toward::New { keys, .. } = host.begins(both).toward else { panic!("nothing new") };
    assert_eq!(keys.len(), 2);
}

/// A newer certificate does not disturb a rollover that goes on; it takes the place of one that
/// cannot, and of one whose certificate is gone.
#[test]
fn a_newer_certificate_supersedes_what_cannot_go_on() {
    let mut host = Host::external("ncsc");
    let (first, second) = (host.house.chain(), host.house.chain());
    host.take(&first);
    let gone = host.decide_with(brought(&second), at(100_000));
    assert!(matches!(gone, Decision::Act(Action::Begin(_))), "{gone:?}");
    host.issue(&first);
    let goes_on = host.decide_with(brought(&second), at(100_000));
    assert!(matches!(goes_on, Decision::Act(Action::Deploy { .. })), "{goes_on:?}");

    let mut host = Host::external("ncsc");
    let without_ca = Chain::new(vec![host.house.chain().leaf().clone()]).unwrap();
    host.take(&without_ca);
    host.issue(&without_ca);
    let stuck = host.decide_with(brought(&without_ca), at(100_000));
    assert!(matches!(stuck, Decision::Stuck(_)), "{stuck:?}");
    let mended = host.decide_with(brought(&second), at(100_000));
    assert!(matches!(mended, Decision::Act(Action::Begin(_))), "{mended:?}");
}

/// The certificates of these tests are valid from 1975 to 4096: due in the last third of that, and
/// overdue in the last sixth.
#[test]
fn a_certificate_near_its_end_without_a_successor_needs_somebody() {
    let mut host = Host::external("ncsc");
    let leaf = host.chain.leaf().clone();
    let (from, until) = (leaf.not_before(), leaf.not_after());
    let life = until.since(from);
    let moment = |wall: Timestamp| Moment { wall, ..at(200_000) };
    let message = |decision: Decision| -> Option<Problem> {
        match decision {
            Decision::Stuck(mut problems) => problems.pop(),
            Decision::Idle { .. } | Decision::Act(_) | Decision::Wait(_) => None,
        }
    };
    for (sixths, told) in [(3, false), (4, false), (5, true)] {
        let now = moment(from + life.fraction(sixths, 6) + Span::from_seconds(60));
        let problem = message(host.decide_with(Brought::default(), now));
        assert_eq!(problem.is_some(), told, "{sixths}/6: {problem:?}");
        if let Some(problem) = problem {
            assert!(problem.message.contains("has brought no other"), "{problem:?}");
            assert!(problem.hint.contains("rollover hook"), "{problem:?}");
        }
    }
    let brought_at_last = brought(&host.house.chain());
    let now = moment(until - Span::from_seconds(60));
    let begun = host.decide_with(brought_at_last, now);
    assert!(matches!(begun, Decision::Act(Action::Begin(_))), "{begun:?}");
}

#[test]
fn without_any_certificate_it_is_said_what_is_missing() {
    let mut host = Host::external("ncsc");
    host.state = HostState::default();
    let seen = host.seen(&BTreeSet::new(), &[], at(0));
    let decision = decide(&host.spec, &Intent::default(), &host.state, &seen, at(0)).unwrap();
    let Decision::Stuck(problems) = decision else { panic!("{decision:?}") };
    expect![[
        "there is no certificate for mail.example.nl yet: the ACME client that obtains it has \
         brought none with a key of type ecdsa-p256"
    ]]
    .assert_eq(&problems[0].message);
}

/// What an operator asks for needs a certificate that is not in place yet, with a key that is not
/// barred.
#[test]
fn requests_take_what_was_brought_or_are_refused() {
    let host = Host::external("ncsc");
    let answer = |request: &Request, brought: &Brought| {
        let answer = request::answer(&host.spec, &host.state, request, at(0).wall).unwrap();
        let request::Answer::Begin(begin) = answer else { panic!("in flight") };
        take(&host.spec, brought, &host.state, begin)
    };
    let (present, other) = (brought(&host.chain), brought(&host.house.chain()));
    for request in [Request::Renew, Request::CompromisedKey] {
        let refused = answer(&request, &present).unwrap_err().to_string();
        assert!(refused.contains("has brought none but the present one"), "{refused}");
        assert!(answer(&request, &other).is_ok(), "{request:?}");
    }
    // A second certificate for the stolen key is no help.
    let leaf = host.chain.leaf().clone();
    let again = Chain::new(vec![leaf, host.other.1.clone()]).unwrap();
    assert!(answer(&Request::Renew, &brought(&again)).is_ok());
    assert!(answer(&Request::CompromisedKey, &brought(&again)).is_err());
}

/// The key that the client prepared is published beforehand, and used up by the certificate for it.
#[test]
fn a_prepared_key_is_the_standby_key() {
    let mut host = Host::external("current-next");
    let next = host.house.chain();
    let spki = next.leaf().spki().to_vec();
    let idle = host.decide_with(Brought::default(), at(100_000));
    assert!(matches!(idle, Decision::Idle { .. }), "none is made here: {idle:?}");
    let prepared =
        Brought { next_keys: [(KeyType::EcdsaP256, spki.clone())].into(), ..brought(&host.chain) };
    let decision = host.decide_with(prepared.clone(), at(100_000));
    assert!(matches!(decision, Decision::Act(Action::MakeStandby { .. })), "{decision:?}");
    let key = KeyMade { spki, at: at(100_000).wall };
    transition::add_standby(&mut host.state, KeyType::EcdsaP256, key);
    let wanted = records::settled(&host.spec, &host.state, host.state.current().unwrap());
    assert!(wanted.contains(&key_record(&next)) && wanted.contains(&key_record(&host.chain)));
    let decision = host.decide_with(prepared, at(100_000));
    assert!(matches!(decision, Decision::Idle { .. }), "{decision:?}");
    host.take(&next);
    assert!(host.state.standby.is_empty());
}

/// The client prepared another key instead: the record of the one before is ours, and goes.
#[test]
fn a_prepared_key_that_is_replaced_leaves_no_record() {
    let mut host = Host::external("current-next");
    let [first, second] = [host.house.chain(), host.house.chain()];
    for chain in [&first, &second] {
        let key = KeyMade { spki: chain.leaf().spki().to_vec(), at: at(100_000).wall };
        transition::add_standby(&mut host.state, KeyType::EcdsaP256, key);
    }
    let own = host.chain.clone();
    let published = [&own, &first].map(key_record).into();
    let seen = host.seen(&published, &[&own], at(100_000));
    host.state.observe(&host.spec, &seen);
    let decision = decide(&host.spec, &Intent::default(), &host.state, &seen, at(100_000)).unwrap();
    let Decision::Act(Action::Publish { changes, .. }) = decision else { panic!("{decision:?}") };
    assert_eq!(changes[0].desired.records, [&own, &second].map(key_record).into());
}
