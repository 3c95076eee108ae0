//! Tables of the core: how long a version is cached, what the gates say, which records a bridge has,
//! and what is decided from where things stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expect_test::{Expect, expect};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::action::{Action, Decision, Problem, Reason, Request, Toward};
use super::history::{Content, History, Until};
use super::observation::{
    Answer, Installed, Listener, Observation, OwnerAnswers, OwnerSight, PresentedChain, Serial,
    ServerAddress, Sight,
};
use super::phase::Phase;
use super::spec::{ForeignRecords, HostSpec};
use super::state::{BundleId, HostState, Issued, Step};
use super::{Intent, brief, decide, records, request, safety, transition};
use crate::pki::{Certificate, Chain, KeyFamily, KeyType};
use crate::policy::{Policy, shipped};
use crate::time::{Moment, Span, Timestamp, Ttl};
use crate::tlsa::{Parameters, Record, TlsaOwner, TlsaRrset};

mod delivery;
mod fallback;

/// A CA.
struct Ca(Issuer<'static, KeyPair>, Certificate);

/// A CA of this name.
fn ca(name: &str) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = Certificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap();
    Ca(Issuer::new(parameters, key), certificate)
}

impl Ca {
    /// A chain under this CA.
    fn chain(&self) -> Chain {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
        let leaf = parameters.signed_by(&key, &self.0).unwrap();
        Chain::new(vec![Certificate::from_der(leaf.der()).unwrap(), self.1.clone()]).unwrap()
    }

    /// Its `2 1 1` record.
    fn record(&self) -> Record {
        Parameters::TA_SPKI_SHA256.associate(&self.1).into()
    }
}

/// The `3 1 1` record of a chain.
fn key_record(chain: &Chain) -> Record {
    Parameters::EE_SPKI_SHA256.associate(chain.leaf()).into()
}

/// A moment, in seconds after the tests' beginning.
fn at(seconds: u64) -> Moment {
    Moment {
        wall: Timestamp::from_seconds(1_800_000_000) + Span::from_seconds(seconds),
        boot: 1,
        uptime: Span::from_seconds(seconds),
    }
}

/// The owner of the tests' host.
fn owner() -> TlsaOwner {
    TlsaOwner::new("mail.example.nl".parse().unwrap(), 25).unwrap()
}

/// A host under a shipped policy without margin, with two CAs known beforehand.
struct Host {
    /// What the configuration says.
    spec: HostSpec,
    /// The ledger.
    state: HostState,
    /// The CA of its certificate.
    house: Ca,
    /// Another CA.
    other: Ca,
    /// Its chain.
    chain: Chain,
}

impl Host {
    /// A host that serves a chain of `house`, with the policy's records published for long.
    fn settled(policy: &str) -> Self {
        let (house, other) = (ca("house"), ca("other"));
        let chain = house.chain();
        let mut policy: Policy = shipped::by_name(policy).unwrap();
        policy.timing.margin = Span::ZERO;
        let known = [("house", &house.1), ("other", &other.1)];
        let known_anchors =
            known.map(|(name, certificate)| (name.to_owned(), vec![certificate.clone()])).into();
        let spec = HostSpec {
            name: "mail.example.nl".to_owned(),
            names: vec!["mail.example.nl".parse().unwrap()],
            owners: vec![owner()],
            key_types: vec![KeyType::EcdsaP256],
            policy: Arc::new(policy),
            issuer: "house".to_owned(),
            fallback_issuers: Vec::new(),
            known_anchors,
            external: BTreeSet::new(),
            tlsa_ttl: None,
            foreign_records: ForeignRecords::Keep,
            longest_delay: LONGEST_DELAY,
        };
        let installed = Installed {
            key_type: KeyType::EcdsaP256,
            chain: chain.clone(),
            anchor: Some(house.1.clone()),
        };
        let mut host = Self { spec, state: HostState::default(), house, other, chain };
        transition::adopt(&mut host.state, &[installed], "house", at(0));
        let records = records::settled(&host.spec, &host.state, host.state.current().unwrap());
        for moment in [0, 100_000] {
            let seen = host.seen(&records, &[&host.chain.clone()], at(moment));
            host.state.observe(&host.spec, &seen);
        }
        host
    }

    /// A look: both servers and the primary have these records, both addresses these chains.
    fn seen(&self, records: &BTreeSet<Record>, chains: &[&Chain], at: Moment) -> Observation {
        let rrset = TlsaRrset::new(records.iter().cloned(), Ttl::from_seconds(3600));
        let presented = chains.iter().map(|chain| PresentedChain((*chain).clone())).collect();
        let listener = |last: u8| Listener {
            owner: owner(),
            address: ([127, 0, 25, last], 25).into(),
            family: KeyFamily::Ecdsa,
        };
        let sight = Sight::Presented(presented);
        Observation {
            at,
            owners: [(owner(), answers(&[Some(&rrset), Some(&rrset)], &rrset))].into(),
            listeners: [1, 2].map(|last| (listener(last), sight.clone())).into(),
            installed: Vec::new(),
        }
    }

    /// What is decided on a look at these records and chains.
    fn decide(
        &mut self,
        request: Option<Request>,
        records: &BTreeSet<Record>,
        chains: &[&Chain],
        now: Moment,
    ) -> Decision {
        let seen = self.seen(records, chains, now);
        self.state.observe(&self.spec, &seen);
        let intent = Intent { request, ..Intent::default() };
        decide(&self.spec, &intent, &self.state, &seen, now).unwrap()
    }

    /// Begins what a request comes to, with a key of its own.
    fn begin(&mut self, request: &Request) {
        let request::Answer::Begin(begin) =
            request::answer(&self.spec, &self.state, request, at(100_000).wall).unwrap()
        else {
            panic!("nothing begins");
        };
        let keys: BTreeMap<_, _> = match &begin.toward {
            Toward::New { keys, .. } => keys
                .keys()
                .map(|key_type| {
                    let key = super::state::KeyMade { spki: b"new".to_vec(), at: at(0).wall };
                    (*key_type, key)
                })
                .collect(),
            Toward::Existing(_) | Toward::NoRecords => BTreeMap::new(),
        };
        transition::begin(&mut self.state, &begin, keys, at(100_000).wall);
    }

    /// Records in words that do not depend on keys.
    fn named(&self, records: &BTreeSet<Record>) -> String {
        let new = Parameters::EE_SPKI_SHA256.matching_type.present(b"new");
        let name = |record: &Record| match record {
            record if *record == self.house.record() => "2 1 1 house",
            record if *record == self.other.record() => "2 1 1 other",
            record if *record == key_record(&self.chain) => "3 1 1 old",
            record if record.data == new => "3 1 1 new",
            _ => "?",
        };
        let mut names: Vec<&str> = records.iter().map(name).collect();
        names.sort_unstable();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }
}

/// What servers answered; `None` is silence.
fn answers(servers: &[Option<&TlsaRrset>], primary: &TlsaRrset) -> OwnerSight {
    let answer = |(number, rrset): (usize, &Option<&TlsaRrset>)| {
        let name = format!("ns{number}.example.nl").parse().unwrap();
        let address = ServerAddress { name, address: [127, 0, 0, 1].into() };
        let answer = match rrset {
            Some(rrset) => Answer::Secure((*rrset).clone()),
            None => Answer::Silent { reason: "no answer".to_owned() },
        };
        (address, answer)
    };
    OwnerSight::Seen(OwnerAnswers {
        serials: BTreeMap::new(),
        zone: "example.nl".parse().unwrap(),
        target: owner().name().clone(),
        answers: servers.iter().enumerate().map(answer).collect(),
        at_primary: Ok(primary.clone()),
    })
}

/// How long an update can be under way.
const LONGEST_DELAY: Span = Span::from_seconds(360);

/// What two servers answered from copies of the zone with these serial numbers.
fn copies(first: (&TlsaRrset, u32), second: (&TlsaRrset, u32)) -> OwnerSight {
    let OwnerSight::Seen(mut answers) = answers(&[Some(first.0), Some(second.0)], first.0) else {
        unreachable!("it was seen");
    };
    let serials = [Serial(first.1), Serial(second.1)];
    answers.serials = answers.answers.keys().cloned().zip(serials).collect();
    OwnerSight::Seen(answers)
}

/// An RRset of one record, with a TTL of a minute.
fn rrset(text: &str) -> TlsaRrset {
    TlsaRrset::new([text.parse().unwrap()], Ttl::from_seconds(60))
}

/// A look in which every server holds the same.
fn settled_at(history: &mut History, held: &TlsaRrset, seconds: u64) {
    let sight = answers(&[Some(held), Some(held)], held);
    history.observe(&sight, &BTreeSet::new(), at(seconds), LONGEST_DELAY);
}

/// An update is sent, and the primary takes it.
fn take(history: &mut History, present: &TlsaRrset, desired: &TlsaRrset, at: Moment) {
    let before = history.clone();
    history.intend(Some(present), desired, at, LONGEST_DELAY);
    history.answer(desired, &before);
}

/// A bridge that was taken back at once: what the lagging secondary shows is what was there before
/// the bridge, and the bridge is still to come.
#[test]
fn a_secondary_that_lags_may_still_come_to_what_was_taken_back() {
    let host = Host::settled("ncsc");
    let timing = host.spec.policy.timing;
    let (old, bridge, served) = (rrset("3 1 1 00"), rrset("3 1 1 01"), BTreeSet::new());
    let run = |serials: [u32; 3]| {
        let [first, second, third] = serials;
        let mut history = History::default();
        history.observe(&copies((&old, first), (&old, first)), &served, at(0), LONGEST_DELAY);
        take(&mut history, &old, &bridge, at(10));
        history.observe(&copies((&bridge, second), (&old, first)), &served, at(20), LONGEST_DELAY);
        take(&mut history, &bridge, &old, at(30));
        history.observe(&copies((&old, third), (&old, first)), &served, at(40), LONGEST_DELAY);
        let cached = |history: &History, now| {
            history.cached(&timing, &at(now)).any(|(version, _)| version.rrset() == Some(&bridge))
        };
        let lagging = cached(&history, 100_000);
        history.observe(&copies((&old, third), (&old, third)), &served, at(50), LONGEST_DELAY);
        (lagging, cached(&history, 50 + 60), cached(&history, 50 + 61))
    };
    assert_eq!(run([1, 2, 3]), (true, true, false), "until it has caught up");
    let around = [u32::MAX, 0, 1];
    assert_eq!(run(around), (true, true, false), "serial numbers go round");
    assert_eq!(run([1, 1, 1]), (false, false, false), "a constant serial number tells nothing");
}

/// A TTL of one hour, counted in whole seconds, from the moment the last server let go.
#[test]
fn a_version_is_cached_until_its_ttl_after_the_last_server_let_go() {
    let host = Host::settled("dane-ee");
    let timing = host.spec.policy.timing;
    let rrset = |text: &str| TlsaRrset::new([text.parse().unwrap()], Ttl::from_seconds(3600));
    let (old, new) = (rrset("3 1 1 00"), rrset("3 1 1 01"));
    let served = BTreeSet::new();
    let mut history = History::default();
    let until = |history: &History, rrset: &TlsaRrset, now: u64| {
        let version = history.versions.iter().find(|v| v.rrset() == Some(rrset)).unwrap();
        version.cached_until(&timing, &at(now))
    };
    history.observe(&answers(&[Some(&old), Some(&old)], &old), &served, at(0), LONGEST_DELAY);
    history.intend(Some(&old), &new, at(10), LONGEST_DELAY);
    assert_eq!(until(&history, &new, 10), Some(Until::Unseen), "cached before it is sent");
    history.observe(&answers(&[Some(&new), Some(&old)], &new), &served, at(20), LONGEST_DELAY);
    assert_eq!(until(&history, &old, 20), Some(Until::Unseen), "a server lags");
    history.observe(&answers(&[Some(&new), None], &new), &served, at(5000), LONGEST_DELAY);
    assert_eq!(until(&history, &old, 5000), Some(Until::Unseen), "silence is not consent");
    history.observe(&answers(&[Some(&new), Some(&new)], &new), &served, at(6000), LONGEST_DELAY);
    assert_eq!(until(&history, &old, 6000), Some(Until::At(at(6000 + 3601).wall)));
    assert_eq!(until(&history, &old, 6000 + 3600), Some(Until::At(at(6000 + 3601).wall)));
    assert_eq!(until(&history, &old, 6000 + 3601), None);
    history.observe(&answers(&[Some(&new), Some(&old)], &new), &served, at(7000), LONGEST_DELAY);
    assert_eq!(until(&history, &old, 7000), Some(Until::Unseen), "it came back");
}

#[test]
fn an_update_that_was_never_seen_may_be_under_way_until_it_cannot() {
    let host = Host::settled("dane-ee");
    let timing = host.spec.policy.timing;
    let (old, new) = (rrset("3 1 1 00"), rrset("3 1 1 01"));
    let mut history = History::default();
    let sight = answers(&[Some(&old), Some(&old)], &old);
    history.observe(&sight, &BTreeSet::new(), at(0), LONGEST_DELAY);
    let before = history.clone();
    history.intend(Some(&old), &new, at(10), LONGEST_DELAY);
    let mut retracted = history.clone();
    retracted.retract(&new, &before);
    assert_eq!(retracted, before, "an update that was surely without effect is forgotten");
    let cached = |history: &History, now| {
        history.cached(&timing, &at(now)).any(|(version, _)| version.rrset() == Some(&new))
    };
    history.observe(&sight, &BTreeSet::new(), at(300), LONGEST_DELAY);
    assert!(cached(&history, 100_000), "it may still be applied");
    history.observe(&sight, &BTreeSet::new(), at(370), LONGEST_DELAY);
    assert!(cached(&history, 370 + 60) && !cached(&history, 370 + 61));
}

/// An update without an answer that is sent again, seen, and taken back: it may be applied a second time,
/// as long as the primary holds what it expects, and as long as it can be under way.
#[test]
fn an_update_without_an_answer_may_arrive_after_it_was_seen() {
    let timing = Host::settled("dane-ee").spec.policy.timing;
    let (old, new, third) = (rrset("3 1 1 00"), rrset("3 1 1 01"), rrset("3 1 1 02"));
    let mut history = History::default();
    let look = |history: &mut History, held: &TlsaRrset, seconds| {
        settled_at(history, held, seconds);
        history.forget_expired(&timing, &at(seconds));
        history.cached(&timing, &at(seconds)).any(|(version, _)| version.rrset() == Some(&new))
    };
    assert!(!look(&mut history, &old, 0));
    history.intend(Some(&old), &new, at(10), LONGEST_DELAY);
    assert!(look(&mut history, &old, 11));
    take(&mut history, &old, &new, at(12));
    assert!(look(&mut history, &new, 13));
    take(&mut history, &new, &third, at(14));
    assert!(look(&mut history, &third, 15));
    assert!(!look(&mut history, &third, 15 + 61), "it expects what the primary does not hold");
    take(&mut history, &third, &old, at(80));
    assert!(history.cached(&timing, &at(80)).any(|(v, _)| v.rrset() == Some(&new)), "it may come");
    assert!(look(&mut history, &old, 81) && look(&mut history, &old, 369));
    assert!(look(&mut history, &old, 370), "none is under way, and caches may hold it");
    assert!(!look(&mut history, &old, 370 + 61));
}

/// A provider that cannot compare does what it was asked whenever it comes to it.
#[test]
fn an_update_that_expects_nothing_may_arrive_whatever_is_there() {
    let timing = Host::settled("dane-ee").spec.policy.timing;
    let (old, new, third) = (rrset("3 1 1 00"), rrset("3 1 1 01"), rrset("3 1 1 02"));
    let mut history = History::default();
    let look = |history: &mut History, held: &TlsaRrset, seconds| {
        settled_at(history, held, seconds);
        history.forget_expired(&timing, &at(seconds));
        history.cached(&timing, &at(seconds)).any(|(version, _)| version.rrset() == Some(&new))
    };
    assert!(!look(&mut history, &old, 0));
    history.intend(None, &new, at(10), LONGEST_DELAY);
    assert!(look(&mut history, &new, 12));
    take(&mut history, &new, &third, at(14));
    assert!(look(&mut history, &third, 15) && look(&mut history, &third, 369));
    assert!(look(&mut history, &third, 370), "none is under way, and caches may hold it");
    assert!(!look(&mut history, &third, 370 + 61));
}

/// Behind a hidden primary: what it holds is about to come, however long the servers take, and what it
/// has let go of may be on its way for as long as an update can be.
#[test]
fn what_the_primary_alone_holds_is_about_to_come() {
    let timing = Host::settled("dane-ee").spec.policy.timing;
    let (old, edited, new) = (rrset("3 1 1 00"), rrset("3 1 1 01"), rrset("3 1 1 02"));
    let mut history = History::default();
    let mut cached = |servers: &TlsaRrset, primary: &TlsaRrset, seconds| {
        let sight = answers(&[Some(servers), Some(servers)], primary);
        history.observe(&sight, &BTreeSet::new(), at(seconds), LONGEST_DELAY);
        if seconds == 10_000 {
            history.intend(Some(&edited), &new, at(seconds), LONGEST_DELAY);
        }
        history.cached(&timing, &at(seconds)).any(|(version, _)| version.rrset() == Some(&edited))
    };
    assert!(!cached(&old, &old, 0));
    assert!(cached(&old, &edited, 10), "no server shows it yet");
    assert!(cached(&old, &edited, 10_000), "hours later neither");
    assert!(cached(&old, &new, 10_010), "it was replaced, and may still be under way");
    assert!(cached(&new, &new, 10_369), "until the longest delay has passed");
    assert!(cached(&new, &new, 10_370));
    assert!(cached(&new, &new, 10_370 + 60), "and then for its TTL");
    assert!(!cached(&new, &new, 10_370 + 61));
}

/// What was there before the first look fits what was served then, and nothing else.
#[test]
fn at_first_sight_something_unknown_is_cached_for_one_ttl() {
    let host = Host::settled("ncsc");
    let mut history = History::default();
    let rrset = TlsaRrset::new([host.house.record()], Ttl::from_seconds(3600));
    let served = BTreeSet::from([host.chain.id()]);
    history.observe(&answers(&[Some(&rrset), Some(&rrset)], &rrset), &served, at(0), LONGEST_DELAY);
    let unknown = |now| {
        let timing = host.spec.policy.timing;
        let unknown = |v: &super::history::Version| matches!(v.content, Content::Unknown { .. });
        history.cached(&timing, &at(now)).any(|(version, _)| unknown(version))
    };
    assert!(unknown(3600) && !unknown(3601));
}

#[test]
fn a_settled_host_has_no_gap_and_another_chain_has() {
    let mut host = Host::settled("ncsc");
    assert_eq!(safety::gaps(&host.spec, &host.state, &at(100_000)), []);
    let stray = ca("stray").chain();
    let records = records::settled(&host.spec, &host.state, host.state.current().unwrap());
    let seen = host.seen(&records, &[&host.chain.clone(), &stray], at(100_010));
    host.state.observe(&host.spec, &seen);
    let gaps = safety::gaps(&host.spec, &host.state, &at(100_010));
    assert_eq!(gaps.iter().map(|gap| gap.chain).collect::<Vec<_>>(), [stray.id()]);
}

/// The bridge of each policy, for a change of CA and for what was compromised.
#[test]
fn bridges() {
    let cases = [
        ("change", Request::NewCa(Some("other".to_owned()))),
        ("key stolen", Request::CompromisedKey),
        ("ca stolen", Request::CompromisedCa(Some("other".to_owned()))),
    ];
    let mut table = String::new();
    for policy in shipped::names() {
        for (name, request) in &cases {
            let mut host = Host::settled(policy);
            host.begin(request);
            let (_, target) = host.state.target().unwrap();
            let bridge = records::bridge(&host.spec, &host.state, target, &owner(), &at(100_000));
            table += &format!("{policy:<13} {name:<11} {}\n", host.named(&bridge));
        }
    }
    let wanted: Expect = expect![[r#"
        ncsc          change      2 1 1 other, 3 1 1 old
        ncsc          key stolen  2 1 1 house
        ncsc          ca stolen   2 1 1 other, 3 1 1 old
        rfc7671       change      2 1 1 house, 2 1 1 other, 3 1 1 new, 3 1 1 old
        rfc7671       key stolen  2 1 1 house
        rfc7671       ca stolen   3 1 1 new, 3 1 1 old
        dane-ee       change      3 1 1 new, 3 1 1 old
        dane-ee       key stolen  2 1 1 house
        dane-ee       ca stolen   3 1 1 new, 3 1 1 old
        current-next  change      3 1 1 new, 3 1 1 old
        current-next  key stolen  2 1 1 house
        current-next  ca stolen   3 1 1 new, 3 1 1 old
        dane-ta       change      2 1 1 house, 2 1 1 other
        dane-ta       key stolen  2 1 1 house
        dane-ta       ca stolen   3 1 1 new, 3 1 1 old
        key-reuse     change      2 1 1 other, 3 1 1 old
        key-reuse     key stolen  2 1 1 house
        key-reuse     ca stolen   2 1 1 other, 3 1 1 old
    "#]];
    wanted.assert_eq(&table);
}

/// An operator who asks for another CA while a stolen key is still presented: the records that name it
/// by its CA alone stay enough, though the policy wants more.
#[test]
fn a_change_of_ca_goes_on_from_a_stolen_key() {
    for policy in ["dane-ee", "current-next", "rfc7671"] {
        let mut host = Host::settled(policy);
        let chain = host.chain.clone();
        host.begin(&Request::CompromisedKey);
        let by_ca = BTreeSet::from([host.house.record()]);
        let _ = host.decide(None, &by_ca, &[&chain], at(100_010));
        host.begin(&Request::NewCa(Some("other".to_owned())));
        let decision = host.decide(None, &by_ca, &[&chain], at(100_020));
        let Decision::Act(Action::Publish { changes, .. }) = decision else {
            panic!("{policy}: {decision:?}")
        };
        let bridge = changes[0].desired.records.clone();
        assert!(bridge.contains(&host.house.record()), "{policy}: {}", host.named(&bridge));
        let decision = host.decide(None, &bridge, &[&chain], at(100_030));
        assert!(matches!(decision, Decision::Wait(_)), "{policy}: {decision:?}");
        let decision = host.decide(None, &bridge, &[&chain], at(104_000));
        assert!(matches!(decision, Decision::Act(Action::Issue { .. })), "{policy}: {decision:?}");
    }
}

/// What is decided first, in words, from a settled host.
#[test]
fn first_decisions() {
    let mut host = Host::settled("ncsc");
    let records = records::settled(&host.spec, &host.state, host.state.current().unwrap());
    let chain = host.chain.clone();
    let idle = host.decide(None, &records, &[&chain], at(100_020));
    assert!(matches!(idle, Decision::Idle { .. }), "{idle:?}");
    assert_eq!(Phase::of(&host.state, &idle), Phase::Idle);

    // Somebody removed 3 1 1 by hand: it comes back.
    let house = BTreeSet::from([host.house.record()]);
    let Decision::Act(Action::Publish { changes, .. }) =
        host.decide(None, &house, &[&chain], at(100_030))
    else {
        panic!("it is not mended");
    };
    assert_eq!(host.named(&changes[0].desired.records), "2 1 1 house, 3 1 1 old");
    assert_eq!(brief(&changes[0].observed).len(), "2 1 1 01234567…".len());

    // A change of CA bridges first, since the new one is known.
    host.begin(&Request::NewCa(Some("other".to_owned())));
    let decision = host.decide(None, &records, &[&chain], at(100_040));
    assert_eq!(Phase::of(&host.state, &decision), Phase::Bridging);
    let Decision::Act(Action::Publish { changes, .. }) = decision else { panic!("no bridge") };
    let bridge = changes[0].desired.records.clone();
    assert_eq!(host.named(&bridge), "2 1 1 other, 3 1 1 old");

    // Published everywhere: the caches are waited for, to the second; then, and not before, issued.
    let decision = host.decide(None, &bridge, &[&chain], at(100_050));
    let Decision::Wait(wait) = &decision else { panic!("{decision:?}") };
    assert_eq!(wait.until, Some(at(100_050 + 3601).wall));
    assert_eq!(Phase::of(&host.state, &decision), Phase::Waiting);
    let early = host.decide(None, &bridge, &[&chain], at(100_050 + 3600));
    assert!(matches!(early, Decision::Wait(_)), "{early:?}");
    let due = host.decide(None, &bridge, &[&chain], at(100_050 + 3601));
    assert!(matches!(due, Decision::Act(Action::Issue { .. })), "{due:?}");
}

/// The issuer's wish wins over the policy's time, but for one that would let the certificate expire.
#[test]
fn a_certificate_is_due_when_its_issuer_says_so() {
    let host = Host::settled("ncsc");
    let chain = host.chain.clone();
    let (from, until) = (chain.leaf().not_before(), chain.leaf().not_after());
    let records = BTreeSet::from([key_record(&chain), host.house.record()]);
    let seen = host.seen(&records, &[&chain], at(200_000));
    for (advised, expected) in [
        (Some(from), "act"),
        (Some(until), "a tenth before the end"),
        (None, "a third before the end"),
    ] {
        let advised = advised.map(|moment| (chain.id(), moment)).into_iter().collect();
        let intent = Intent { advised, ..Intent::default() };
        let due = match decide(&host.spec, &intent, &host.state, &seen, at(200_000)).unwrap() {
            Decision::Idle { until: due } if due < until - until.since(from).fraction(1, 4) => {
                "a third before the end"
            }
            Decision::Idle { .. } => "a tenth before the end",
            Decision::Act(_) | Decision::Wait(_) | Decision::Stuck(_) => "act",
        };
        assert_eq!(due, expected);
    }
}

#[test]
fn requests_that_make_no_sense_say_why() {
    let host = Host::settled("ncsc");
    let error = |request| {
        request::answer(&host.spec, &host.state, &request, at(0).wall).unwrap_err().to_string()
    };
    let house = || Some("house".to_owned());
    expect!["nothing to change to: the present certificate was issued by `house` already"]
        .assert_eq(&error(Request::NewCa(None)));
    expect!["there is no issuer `nobody` in the configuration"]
        .assert_eq(&error(Request::NewCa(Some("nobody".to_owned()))));
    expect!["`house` issues under the CA that was compromised: name another issuer"]
        .assert_eq(&error(Request::CompromisedCa(house())));
    expect!["nothing to give up: no rollover is in flight"].assert_eq(&error(Request::Abort));
}

/// A table of CAs spares a bridge, and is cut short before a host gets more records than senders take.
#[test]
fn no_host_gets_more_records_than_senders_take_because_of_a_table() {
    let mut host = Host::settled("rfc7671");
    let table: Vec<Ca> = (0..14).map(|number| ca(&format!("listed {number}"))).collect();
    let known = table.iter().map(|ca| ca.1.clone()).collect();
    host.spec.known_anchors.insert("house".to_owned(), known);
    let chain = host.chain.clone();
    let published = BTreeSet::from([host.house.record(), key_record(&chain)]);
    let decision = host.decide(None, &published, &[&chain], at(200_000));
    let Decision::Act(Action::Publish { changes, .. }) = decision else { panic!("{decision:?}") };
    let records = changes[0].desired.records.clone();
    assert_eq!(records.len(), records::RECORDS_MAX);
    assert!(published.is_subset(&records), "what is presented is named in any case");
    let decision = host.decide(None, &records, &[&chain], at(300_000));
    assert!(matches!(decision, Decision::Idle { .. }), "{decision:?}");
}

/// A record that fits nothing known is foreign; one of a staged bundle, a CA or a stolen key is not.
#[test]
fn foreign_records() {
    let host = Host::settled("ncsc");
    let foreign = |record: &Record| records::is_foreign(&host.spec, &host.state, record, &at(0));
    for known in [host.house.record(), host.other.record(), key_record(&host.chain)] {
        assert!(!foreign(&known), "{known}");
    }
    for unknown in ["3 1 1 00", "0 0 1 00"] {
        assert!(foreign(&unknown.parse().unwrap()), "{unknown}");
    }
    let stranger = key_record(&ca("stranger").chain());
    assert!(foreign(&stranger));
    let kept = records::rrset_to_write(
        &host.spec,
        &host.state,
        BTreeSet::from([host.house.record()]),
        &TlsaRrset::new([stranger.clone()], Ttl::from_seconds(9)),
        &at(0),
    );
    assert!(kept.records.contains(&stranger) && kept.ttl == Ttl::from_seconds(9));
}

/// At first sight, what could not be read is never taken for nothing.
#[test]
fn what_is_in_place_and_cannot_be_read_is_not_replaced() {
    let mut host = Host::settled("ncsc");
    host.state = HostState::default();
    let seen = host.seen(&BTreeSet::new(), &[&host.chain.clone()], at(0));
    host.state.observe(&host.spec, &seen);
    let message = "the machine does not answer".to_owned();
    let unread = Some(Problem { message, hint: String::new() });
    for request in [None, Some(Request::Renew)] {
        let intent = Intent { request, unread: unread.clone(), ..Intent::default() };
        let decision = decide(&host.spec, &intent, &host.state, &seen, at(0)).unwrap();
        assert_eq!(decision, Decision::Stuck(unread.clone().into_iter().collect()));
    }
    let decision = decide(&host.spec, &Intent::default(), &host.state, &seen, at(0)).unwrap();
    assert!(matches!(decision, Decision::Act(Action::Begin(_))), "{decision:?}");
}

/// A certificate whose key was never read stays in place, and is replaced when it is due; it is not
/// put back, and to lead back to it is for the operator.
#[test]
fn a_certificate_without_its_key_cannot_be_put_back() {
    let mut host = Host::settled("ncsc");
    let records = records::settled(&host.spec, &host.state, host.state.current().unwrap());
    let (old, former) = (host.chain.clone(), host.state.current.unwrap());
    host.begin(&Request::Renew);
    let (target, _) = host.state.target().unwrap();
    let new = host.house.chain();
    let issued = Issued { chain: new.clone(), anchor: Some(host.house.1.clone()) };
    transition::conclude_issue(&mut host.state, target, KeyType::EcdsaP256, issued);
    transition::intend_deployment(&mut host.state, target, at(100_001));
    let after = |host: &mut Host, chain: &Chain, keyless: &[BundleId], tried: &[Step]| {
        let seen = host.seen(&records, &[chain], at(100_002));
        host.state.observe(&host.spec, &seen);
        let (keyless, tried) = (keyless.iter().copied().collect(), tried.iter().copied().collect());
        let intent = Intent { keyless, tried, ..Intent::default() };
        decide(&host.spec, &intent, &host.state, &seen, at(100_002)).unwrap()
    };
    let decision = after(&mut host, &old, &[], &[Step::Deploy]);
    assert!(matches!(decision, Decision::Act(Action::Restore { .. })), "{decision:?}");
    let Decision::Wait(wait) = after(&mut host, &old, &[former], &[Step::Deploy]) else {
        panic!("it cannot be put back")
    };
    assert_eq!(wait.reasons, [Reason::NextPass { step: Step::Deploy }]);

    transition::conclude_deployment(&mut host.state, at(100_002));
    host.begin(&Request::Abort);
    let Decision::Stuck(problems) = after(&mut host, &new, &[former], &[]) else {
        panic!("it cannot be put in place")
    };
    assert!(problems[0].message.contains("its private key was never in"), "{problems:?}");
    let decision = after(&mut host, &new, &[], &[]);
    assert_eq!(decision, Decision::Act(Action::Deploy { bundle: former }));
}
