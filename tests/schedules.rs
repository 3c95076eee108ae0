//! Worlds made by hand, for what drawn ones seldom come to: each leads to the one moment at which a
//! single guard of the program stands between a sender and a chain that his RRset does not fit.
//!
//! The stage and the judge are those of `adversary.rs`; what happens in them is told, not drawn.
//! `tests/mutants.py` takes each of these guards away, and somebody is stranded here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

use rollover::pass::Report;
use rollover::pki::{Chain, KeyType};
use rollover::policy::{Policy, shipped};
use rollover::ports::Credential;
use rollover::rollover::action::{Decision, Request};
use rollover::sim::chance::{Chance, Chooser, Lag};
use rollover::sim::pool::{Authority, Pool};
use rollover::sim::ports::{Port, Scene};
use rollover::sim::world::{Constants, LONGEST_DELAY, TTL, World};
use rollover::time::Span;
use rollover::tlsa::{Parameters, Record, TlsaRrset};

/// Longer than caches hold anything and old processes live, shorter than an update can be under way.
const A_WHILE: Span = Span::from_seconds(60);

/// How many passes it takes at most until a rollover ends where everything works.
const PATIENCE: u32 = 60;

/// What happens is what was told for this pass, and nothing else.
#[derive(Default)]
struct Told {
    /// What happens, and at which of its places in the pass, counted from one.
    happens: Vec<(Chance, usize)>,
    /// How many places there were so far at which each could have happened.
    places: BTreeMap<Chance, usize>,
    /// Whether servers and updates wait until they are told to go on.
    servers_wait: bool,
    /// Whether processes that are to read their file wait until they are told to.
    processes_wait: bool,
}

impl Chooser for Told {
    fn happens(&mut self, chance: Chance) -> bool {
        let place = self.places.entry(chance).or_default();
        *place += 1;
        self.happens.contains(&(chance, *place))
    }

    fn server_lag(&mut self) -> Lag {
        if self.servers_wait { Lag::UntilTold } else { Lag::For(Span::ZERO) }
    }

    fn process_lag(&mut self) -> Lag {
        if self.processes_wait { Lag::UntilTold } else { Lag::For(Span::ZERO) }
    }

    fn below(&mut self, _: u64) -> u64 {
        0
    }
}

/// A world on its stage, and the program before it.
struct Stage {
    /// The stage.
    port: Port<Told>,
    /// What the program is given, and the judge asks for.
    policy: Arc<Policy>,
}

impl Stage {
    /// A quiet world under a shipped policy with short waits, which the program has not seen yet.
    fn new(policy: &str) -> Self {
        let mut policy = shipped::by_name(policy).expect("a shipped policy");
        policy.timing.margin = Span::ZERO;
        policy.timing.drain = Span::from_seconds(9);
        policy.timing.probe_timeout = Span::from_seconds(20);
        let constants = Constants {
            pool: Pool::new(&[KeyType::EcdsaP256], 6).expect("keys"),
            old_process_lives: policy.timing.drain,
            policy: policy.clone(),
            key_types: vec![KeyType::EcdsaP256],
        };
        let port = Port::new(Scene {
            world: World::new(Arc::new(constants)),
            chooser: Told::default(),
            pace: 100,
            sleeper: Box::new(|world, _, span| world.pass_time(span)),
            events: Vec::new(),
        });
        Self { port, policy: Arc::new(policy) }
    }

    /// The same, once the program has known the host for long.
    fn settled(policy: &str) -> Self {
        let stage = Self::new(policy);
        stage.end();
        stage
    }

    /// The scene.
    fn scene(&self) -> MutexGuard<'_, Scene<Told>> {
        self.port.scene()
    }

    /// Somebody changes the zone by hand.
    fn edit(&self, records: impl IntoIterator<Item = Record>) {
        let mut scene = self.scene();
        let Scene { world, chooser, .. } = &mut *scene;
        world.apply(TlsaRrset::new(records, TTL), chooser);
    }

    /// What the primary holds.
    fn records(&self) -> BTreeSet<Record> {
        self.scene().world.primary.records.clone()
    }

    /// The chain in place.
    fn chain(&self) -> Chain {
        self.scene().world.file[&KeyType::EcdsaP256].chain.clone()
    }

    /// A pass in which this happens; nothing where the program was killed in it.
    #[track_caller]
    fn pass(&self, request: Option<Request>, happens: &[(Chance, usize)]) -> Option<Report> {
        {
            let chooser = &mut self.scene().chooser;
            chooser.happens = happens.to_vec();
            chooser.places.clear();
        }
        let host = self.port.host(&self.policy);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let run = runtime.block_on(async {
            tokio::select! {
                run = host.run(request) => Some(run),
                () = self.port.crashed() => None,
            }
        });
        self.judge();
        let places = &self.scene().chooser.places;
        for (chance, place) in happens {
            let reached = places.get(chance).is_some_and(|reached| place <= reached);
            assert!(reached, "the pass has no such place for {chance:?}: {places:?}");
        }
        run.map(|report| report.expect("a pass"))
    }

    /// A pass that comes to its end.
    #[track_caller]
    fn decide(&self, request: Option<Request>) -> Decision {
        self.pass(request, &[]).expect("nobody kills it").decision
    }

    /// A pass that is killed at this place.
    #[track_caller]
    fn pass_killed(&self, request: Option<Request>, happens: &[(Chance, usize)]) {
        assert!(self.pass(request, happens).is_none(), "it was not killed");
    }

    /// Time passes.
    #[track_caller]
    fn wait(&self, span: Span) {
        self.scene().world.pass_time(span);
        self.judge();
    }

    /// An update that was under way arrives at the primary, which was waiting for it.
    #[track_caller]
    fn let_update_arrive(&self) {
        {
            let mut scene = self.scene();
            let Scene { world, chooser, .. } = &mut *scene;
            chooser.servers_wait = false;
            let (_, _, desired, _) = world.under_way[0].clone();
            world.let_update_arrive(chooser);
            assert_eq!(world.primary, desired, "it does not arrive");
        }
        self.judge();
    }

    /// Everything works from here on: what is in flight ends, and all caches forget the rest.
    #[track_caller]
    fn end(&self) {
        for _ in 0..PATIENCE {
            {
                let mut scene = self.scene();
                (scene.chooser.servers_wait, scene.chooser.processes_wait) = (false, false);
                scene.world.let_all_follow();
            }
            let report = self.pass(None, &[]).expect("nobody kills it");
            self.wait(A_WHILE);
            if !report.is_in_flight() && matches!(report.decision, Decision::Idle { .. }) {
                return;
            }
        }
        panic!("it does not end, though everything works");
    }

    /// Fails if some sender met a pair that does not fit.
    #[track_caller]
    fn judge(&self) {
        let stranded = self.scene().world.stranded.clone();
        if let Some(stranded) = stranded {
            panic!(
                "a sender is stranded: a cache holds {} while {} is presented",
                stranded.rrset,
                stranded.chain.leaf().issuer()
            );
        }
    }
}

/// The record that names a chain's key.
fn key_record(chain: &Chain) -> Record {
    Parameters::EE_SPKI_SHA256.associate(chain.leaf()).into()
}

/// A change to the other CA.
fn to_other() -> Option<Request> {
    Some(Request::NewCa(Some(Authority::Other.issuer().to_owned())))
}

/// An operator names the CA in the zone, and renews at once: caches hold the RRset without it, which the
/// program has never seen.
#[test]
fn what_was_there_before_the_first_look_is_waited_for() {
    let stage = Stage::new("ncsc");
    let records = stage.records();
    stage.edit([key_record(&stage.chain())]);
    stage.wait(A_WHILE);
    stage.edit(records);
    let decision = stage.decide(Some(Request::Renew));
    assert!(matches!(decision, Decision::Wait(_)), "{decision:?}");
    stage.end();
}

/// The program is killed while a bridge to another CA is under way, the change is given up, and a renewal
/// begins, which the present records fit and the bridge does not. Then the bridge arrives.
#[test]
fn an_update_that_nobody_saw_arrive_is_waited_for() {
    let stage = Stage::settled("ncsc");
    stage.scene().chooser.servers_wait = true;
    // Two looks, and the moments before and after the update is sent.
    stage.pass_killed(to_other(), &[(Chance::UpdateTarries, 1), (Chance::Crash, 4)]);
    stage.decide(Some(Request::Abort));
    stage.wait(A_WHILE);
    stage.decide(Some(Request::Renew));
    stage.let_update_arrive();
    stage.end();
}

/// The answer to a bridge is lost, and the bridge is sent once more and taken back. Then the first one
/// arrives: the primary holds again what it expects.
#[test]
fn an_update_that_was_sent_twice_may_arrive_twice() {
    let stage = Stage::settled("ncsc");
    let records = stage.records();
    stage.scene().chooser.servers_wait = true;
    stage.pass(to_other(), &[(Chance::UpdateTarries, 1)]).expect("nobody kills it");
    stage.scene().chooser.servers_wait = false;
    stage.decide(None);
    assert_ne!(stage.records(), records);
    stage.decide(Some(Request::Abort));
    assert_eq!(stage.records(), records);
    stage.wait(A_WHILE);
    stage.decide(None);
    stage.decide(Some(Request::Renew));
    stage.let_update_arrive();
    stage.end();
}

/// A bridge is taken back while a server lags, and the answer is lost; the server follows to the bridge,
/// and the change goes on after all. Then what was to take it back arrives.
#[test]
fn a_server_that_lags_is_no_answer() {
    let stage = Stage::settled("ncsc");
    stage.scene().chooser.servers_wait = true;
    stage.decide(to_other());
    let bridge = stage.records();
    stage.pass(Some(Request::Abort), &[(Chance::UpdateTarries, 1)]).expect("nobody kills it");
    stage.scene().world.let_all_follow();
    stage.decide(to_other());
    assert_eq!(stage.records(), bridge);
    stage.wait(A_WHILE);
    stage.decide(None);
    stage.let_update_arrive();
    stage.end();
}

/// The program is killed between a rename and the reload after it, and the rollover is given up. Some
/// process reads the new file unasked, if it is still there.
#[test]
fn a_file_that_nobody_was_told_to_read_counts_as_read() {
    let stage = Stage::settled("dane-ee");
    stage.decide(Some(Request::Renew));
    stage.wait(A_WHILE);
    stage.scene().chooser.processes_wait = true;
    // The look, and the moments before and after the rename.
    stage.pass_killed(None, &[(Chance::ReadsUnasked, 1), (Chance::Crash, 3)]);
    stage.scene().chooser.processes_wait = false;
    stage.decide(Some(Request::Abort));
    stage.scene().world.let_processes_read(0);
    stage.judge();
    stage.end();
}

/// A reload succeeds, no process has heard of it yet, and the program is killed while it watches. When old
/// processes would be gone, the rollover is given up; then one of them reads the file, if it is still there.
#[test]
fn a_chain_in_the_file_counts_as_presented_though_nobody_shows_it() {
    let stage = Stage::settled("dane-ee");
    stage.decide(Some(Request::Renew));
    stage.wait(A_WHILE);
    // A look, three moments of the deployment, another look, and the first pause after it.
    let nobody_hears = [(Chance::MissesReload, 1), (Chance::MissesReload, 2)];
    stage.pass_killed(None, &[nobody_hears[0], nobody_hears[1], (Chance::Crash, 6)]);
    stage.wait(stage.policy.timing.drain + Span::from_seconds(1));
    stage.decide(Some(Request::Abort));
    stage.scene().world.let_processes_read(0);
    stage.judge();
    stage.end();
}

/// A bridge is taken back while a server lags: what it shows is what was there before, and it comes to the
/// bridge yet.
#[test]
fn a_server_that_lags_comes_to_what_was_taken_back() {
    let stage = Stage::settled("ncsc");
    stage.scene().chooser.servers_wait = true;
    stage.decide(to_other());
    let bridge = stage.records();
    stage.decide(Some(Request::Abort));
    stage.wait(A_WHILE);
    stage.decide(None);
    stage.decide(Some(Request::Renew));
    stage.scene().world.let_server_follow(1);
    assert_eq!(stage.scene().world.servers[1].rrset.records, bridge);
    stage.judge();
    stage.end();
}

/// The processes behind one address go on with the old chain, unheard of, until somebody starts them anew:
/// from then on, and not before, the old ones die.
#[test]
fn an_address_that_says_nothing_may_present_what_it_did() {
    let stage = Stage::settled("dane-ee");
    stage.decide(Some(Request::Renew));
    stage.wait(A_WHILE);
    {
        let world = &mut stage.scene().world;
        world.processes[1].silent_until = world.now + A_WHILE.times(10);
    }
    stage.pass(None, &[(Chance::MissesReload, 2)]).expect("nobody kills it");
    {
        let world = &mut stage.scene().world;
        world.let_processes_read(1);
        world.processes[1].silent_until = world.now;
        assert!(world.processes[1].elder.is_some(), "the old processes are there");
    }
    stage.decide(None);
    stage.end();
}

/// A hidden primary holds a bridge to another CA for longer than an update can be under way, while no
/// server transfers it; the change is given up, and the bridge taken back. Then a server comes to it.
#[test]
fn what_a_hidden_primary_held_may_still_be_on_its_way() {
    let stage = Stage::settled("ncsc");
    {
        let mut scene = stage.scene();
        scene.world.primary_is_hidden = true;
        scene.chooser.servers_wait = true;
    }
    let records = stage.records();
    stage.decide(to_other());
    let bridge = stage.records();
    assert_ne!(bridge, records);
    // Killed at the second look, when it has begun to give the change up, and has not taken it back.
    stage.pass_killed(Some(Request::Abort), &[(Chance::Crash, 2)]);
    assert_eq!(stage.records(), bridge);
    stage.wait(LONGEST_DELAY);
    stage.decide(None);
    assert_eq!(stage.records(), records);
    stage.wait(A_WHILE);
    stage.decide(None);
    stage.decide(Some(Request::Renew));
    stage.scene().world.let_server_follow(0);
    assert_eq!(stage.scene().world.servers[0].rrset.records, bridge);
    stage.judge();
    stage.end();
}

/// The CA is changed while a stolen key is still presented: records that name each of the two chains once,
/// as they have to, are less than the policy asks for.
#[test]
fn a_stolen_key_does_not_hold_up_a_change_of_ca() {
    let stage = Stage::settled("dane-ee");
    stage.decide(Some(Request::CompromisedKey));
    stage.decide(to_other());
    stage.end();
}

/// The same with an edit by hand, which somebody takes back by hand before the program does: it finds
/// none of it in the zone, and cannot know since when.
#[test]
fn what_somebody_took_back_at_a_hidden_primary_may_still_be_on_its_way() {
    let stage = Stage::settled("ncsc");
    {
        let mut scene = stage.scene();
        scene.world.primary_is_hidden = true;
        scene.chooser.servers_wait = true;
    }
    let (records, edited) = (stage.records(), key_record(&stage.chain()));
    stage.edit([edited.clone()]);
    // Killed before it takes the edit back.
    stage.pass_killed(None, &[(Chance::Crash, 2)]);
    stage.wait(LONGEST_DELAY);
    stage.edit(records);
    stage.decide(None);
    stage.wait(A_WHILE);
    stage.decide(None);
    stage.decide(Some(Request::Renew));
    stage.scene().world.let_server_follow(0);
    assert_eq!(stage.scene().world.servers[0].rrset.records, BTreeSet::from([edited]));
    stage.judge();
    stage.end();
}

/// A CA signs with the key that was stolen from it, and then with another: whoever asks for it once more, as the
/// program says, gets on.
#[test]
fn a_ca_that_signed_with_a_stolen_key_can_be_asked_again() {
    let stage = Stage::settled("dane-ta");
    let drifting = || {
        let issuer = Authority::Drifting { generation: 0 }.issuer();
        Some(Request::NewCa(Some(issuer.to_owned())))
    };
    stage.decide(drifting());
    stage.end();
    let house = Authority::House.issuer().to_owned();
    stage.decide(Some(Request::CompromisedCa(Some(house))));
    stage.end();
    let decision = stage.decide(drifting());
    assert!(matches!(decision, Decision::Stuck(_)), "{decision:?}");
    stage.pass(drifting(), &[(Chance::CaDrifts, 1)]).expect("nobody kills it");
    stage.end();
}

/// Somebody renews by hand, as carefully as one should: records first, then the certificate. The program
/// finds records that belong to neither of its own keys, and may not take them away.
#[test]
fn what_somebody_put_in_place_keeps_the_records_that_fit_it() {
    for policy in ["dane-ee", "rfc7671"] {
        let stage = Stage::settled(policy);
        let (key, chain) = {
            let pool = &stage.scene().world.constants.pool;
            let key = pool.keys(KeyType::EcdsaP256)[5].clone();
            let chain = pool.chains(&key, Authority::House)[0].clone();
            (key, chain)
        };
        let (old, new) = (stage.records(), key_record(&chain));
        stage.edit(old.into_iter().chain([new.clone()]));
        stage.wait(A_WHILE);
        stage.decide(None);
        {
            let mut scene = stage.scene();
            let Scene { world, chooser, .. } = &mut *scene;
            let key_type = KeyType::EcdsaP256;
            world.replace_file(&[Credential { key_type, chain, key }], chooser);
            world.reload(chooser);
        }
        stage.wait(A_WHILE);
        let decision = stage.decide(None);
        assert!(matches!(decision, Decision::Stuck(_)), "{policy}: {decision:?}");
        assert!(stage.records().contains(&new), "{policy}");
        // What was put in place is left by a rollover, as ever.
        stage.decide(Some(Request::Renew));
        stage.end();
    }
}
