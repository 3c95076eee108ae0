//! A small world in which everything happens that can: an exhaustive search.
//!
//! One host with one key, two addresses and two name servers; the real pass runs over it, from every
//! state that was ever reached, with every order of events. Between two passes a secondary follows or
//! does not, processes read their file one address after the other, an update that was lost arrives,
//! time passes to the next moment that makes a difference; in a pass any one thing goes wrong, as
//! often as the [`Limits`] say. An operator asks for one thing, and for any other thing at any moment
//! after it. Two questions are asked of every state:
//!
//! - *Always*: is there no sender who holds an RRset that does not fit a chain he may be shown?
//! - *Eventually*: from here on, if everything works, does the rollover end?
//!
//! Caches need no choices: each of them may have been filled at the worst moment, and all of them
//! count. Nor do old processes: they live as long as the policy allows, and no probe meets them.

use std::sync::Arc;

use super::chance::{Chance, Chooser, Lag};
use super::pool::{Authority, Pool, PoolError};
use super::ports::{Port, Scene};
use super::story::Story;
use super::tour::Tour;
use super::world::{Constants, World};
use crate::pass::{PassError, Report};
use crate::pki::KeyType;
use crate::policy::{Policy, Timing};
use crate::ports::Event;
use crate::rollover::action::Request;
use crate::rollover::history::{Service, hold};
use crate::time::{Span, Timestamp};
use crate::tlsa::TlsaRrset;

/// How many keys there are: the present one, a standby, those of three rollovers, and compromised
/// ones.
const KEYS: usize = 10;

/// How many passes a rollover may take in a world in which everything works.
pub(super) const PASSES_MAX: u32 = 60;

/// For how long a pass watches for what was just done to show.
const PATIENCE: Span = Span::from_seconds(5);

/// How far a search goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How many things go wrong at most on the way to a state.
    pub faults: u8,
    /// How often the operator asks for something else at most.
    pub changes_of_mind: u8,
    /// How many states are looked at at most.
    pub states: usize,
}

/// What a search begins with.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Procedure {
    /// A host without records enters DANE.
    FirstPublication,
    /// Another certificate of the same CA.
    Renewal,
    /// A certificate of another CA that is known beforehand.
    CaChange,
    /// A certificate of a CA that only its certificates tell.
    UnknownCa,
    /// The key is compromised.
    CompromisedKey,
    /// The CA is compromised.
    CompromisedCa,
    /// The host leaves DANE.
    Withdrawal,
}

impl Procedure {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::FirstPublication,
        Self::Renewal,
        Self::CaChange,
        Self::UnknownCa,
        Self::CompromisedKey,
        Self::CompromisedCa,
        Self::Withdrawal,
    ];

    /// What the operator asks for; a first publication begins by itself.
    pub(super) fn request(self) -> Option<Request> {
        let other = || Some(Authority::Other.issuer().to_owned());
        match self {
            Self::FirstPublication => None,
            Self::Renewal => Some(Request::Renew),
            Self::CaChange => Some(Request::NewCa(other())),
            Self::UnknownCa => {
                let drifting = Authority::Drifting { generation: 0 };
                Some(Request::NewCa(Some(drifting.issuer().to_owned())))
            }
            Self::CompromisedKey => Some(Request::CompromisedKey),
            Self::CompromisedCa => Some(Request::CompromisedCa(other())),
            Self::Withdrawal => Some(Request::Withdraw),
        }
    }

    /// The name, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstPublication => "first publication",
            Self::Renewal => "renewal",
            Self::CaChange => "change of CA",
            Self::UnknownCa => "change to an unknown CA",
            Self::CompromisedKey => "compromised key",
            Self::CompromisedCa => "compromised CA",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Ways from one to another, each tried.
    pub transitions: usize,
    /// States from which only an operator can lead on.
    pub stuck: usize,
    /// The largest number of passes that it took from any state to the end, if everything worked.
    pub passes: u32,
    /// Whether there were more states than were looked at.
    pub is_cut_short: bool,
}

/// What a search found, or why there was none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// Some sender meets a pair that does not fit.
    #[error("a sender is stranded:\n{0}")]
    Stranded(Box<Story>),
    /// Everything works, and the rollover does not end.
    #[error("it does not end, though everything works:\n{story}  => {decision}\n")]
    Endless {
        /// How it came about.
        story: Box<Story>,
        /// What was decided last.
        decision: String,
    },
    /// The program gave up.
    #[error("{0}")]
    Pass(#[from] PassError),
    /// The world could not be made.
    #[error("{0}")]
    Pool(#[from] PoolError),
    /// No runtime.
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Something that happens between two states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Move {
    /// A pass, in which things happen at these places.
    Pass {
        /// What the operator asks for.
        request: Option<Request>,
        /// At each place where something could go wrong, whether it does.
        script: Vec<bool>,
        /// Whether a fault could happen at all.
        may_fail: bool,
    },
    /// Everything follows that was told to, and a pass in which everything works.
    FairPass,
    /// A secondary transfers the next copy of the zone.
    ServerFollows(usize),
    /// The processes behind an address read the file.
    ProcessesRead(usize),
    /// An update that was lost arrives.
    UpdateArrives,
    /// Time passes to the next moment that makes a difference.
    TimePasses,
}

/// A pass that was made.
pub(super) struct Passed {
    /// The world after it.
    pub(super) world: World,
    /// What came of it; `None`: the program was killed.
    pub(super) report: Option<Report>,
    /// What was written down.
    pub(super) events: Vec<Event>,
    /// At each place where something could go wrong, what, and whether it did.
    pub(super) trail: Vec<(Chance, bool)>,
}

/// Things go wrong as a script says.
pub(super) struct Script {
    /// The script; what it does not say does not happen.
    lines: Vec<bool>,
    /// What could have happened so far, and whether it did.
    trail: Vec<(Chance, bool)>,
    /// Whether a fault may happen yet.
    may_fail: bool,
    /// Whether all that is told to follow does so.
    is_fair: bool,
}

impl Script {
    /// What happens is what these lines say; nothing fails where nothing may.
    pub(super) fn of(lines: Vec<bool>, may_fail: bool) -> Self {
        Self { lines, trail: Vec::new(), may_fail, is_fair: false }
    }

    /// Everything works.
    pub(super) fn fair() -> Self {
        Self { is_fair: true, ..Self::of(Vec::new(), false) }
    }
}

impl Chooser for Script {
    fn happens(&mut self, chance: Chance) -> bool {
        if self.is_fair {
            return chance == Chance::Follows;
        }
        let counts = chance.is_fault();
        if chance.is_only_drawn() || counts && !self.may_fail {
            return false;
        }
        let happens = self.lines.get(self.trail.len()).copied().unwrap_or(false);
        self.trail.push((chance, happens));
        self.may_fail &= !(counts && happens);
        happens
    }

    fn server_lag(&mut self) -> Lag {
        Lag::UntilTold
    }

    fn process_lag(&mut self) -> Lag {
        Lag::UntilTold
    }

    fn below(&mut self, _: u64) -> u64 {
        0
    }
}

/// A search.
pub struct Search {
    /// The policy that the program is given.
    pub(super) given: Arc<Policy>,
    /// What never changes in its worlds.
    constants: Arc<Constants>,
    /// What passes run on: one thread.
    runtime: tokio::runtime::Runtime,
}

impl Search {
    /// A search through the worlds of `policy`.
    ///
    /// # Errors
    ///
    /// Where no keys can be made.
    pub fn new(policy: Policy) -> Result<Self, Finding> {
        let key_types = vec![KeyType::EcdsaP256];
        let constants = Constants {
            pool: Pool::new(&key_types, KEYS)?,
            old_process_lives: policy.timing.drain,
            policy: policy.clone(),
            key_types,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { given: Arc::new(policy), constants: Arc::new(constants), runtime })
    }

    /// The same worlds, in which the program is given another policy than the judge.
    #[must_use]
    pub fn misled_by(self, given: Policy) -> Self {
        Self { given: Arc::new(given), ..self }
    }

    /// Looks at every state that can be reached.
    ///
    /// # Errors
    ///
    /// With how it came about, where a sender is stranded in one, or it does not end from there.
    pub fn explore(&self, procedure: Procedure, limits: Limits) -> Result<Explored, Finding> {
        Tour::from(self, self.first_world(procedure)?).go(procedure, limits)
    }

    /// The world that a procedure begins in: the program knows the host, and all is quiet.
    fn first_world(&self, procedure: Procedure) -> Result<World, Finding> {
        let world = World::new(Arc::clone(&self.constants));
        if procedure == Procedure::FirstPublication {
            return Ok(world.without_records());
        }
        let mut world = world;
        for _ in 0..PASSES_MAX {
            let passed = self.pass(world, None, Script::fair())?;
            world = passed.world;
            if !self.time_passes(&mut world) {
                break;
            }
        }
        Ok(world)
    }

    /// Makes a pass over the host of `world`, in which what the script says happens.
    pub(super) fn pass(
        &self,
        world: World,
        request: Option<Request>,
        script: Script,
    ) -> Result<Passed, Finding> {
        let timing = self.given.timing;
        let sleeper = move |world: &mut World, chooser: &mut dyn Chooser, span: Span| {
            if chooser.happens(Chance::Follows) {
                world.let_all_follow();
            }
            let next = next_moment(&timing, world).unwrap_or(world.now + span);
            world.come_to(next);
        };
        let scene = Scene {
            world,
            chooser: script,
            pace: 0,
            sleeper: Box::new(sleeper),
            events: Vec::new(),
        };
        let port = Port::new(scene);
        let host = port.host(&self.given);
        let run = self.runtime.block_on(async {
            tokio::select! {
                run = host.run(request) => Some(run),
                () = port.crashed() => None,
            }
        });
        let report = run.transpose()?;
        drop(host);
        let mut scene = port.scene();
        // A server that falls silent says nothing for the rest of this pass.
        for server in &mut scene.world.servers {
            server.silent_until = Timestamp::MIN;
        }
        Ok(Passed {
            world: scene.world.clone(),
            report,
            events: std::mem::take(&mut scene.events),
            trail: std::mem::take(&mut scene.chooser.trail),
        })
    }

    /// Lets time pass to the next moment that makes a difference; `false` if there is none.
    pub(super) fn time_passes(&self, world: &mut World) -> bool {
        match next_moment(&self.given.timing, world) {
            Some(moment) => {
                world.come_to(moment);
                true
            }
            None => false,
        }
    }

    /// Does what a move says to a world; with what the program wrote down, where it was a pass.
    pub(super) fn replay(&self, mut world: World, by: &Move) -> Result<Passed, Finding> {
        let mut told = Script::of(Vec::new(), true);
        match by {
            Move::Pass { request, script, may_fail } => {
                let script = Script::of(script.clone(), *may_fail);
                return self.pass(world, request.clone(), script);
            }
            Move::FairPass => {
                world.let_all_follow();
                return self.pass(world, None, Script::fair());
            }
            Move::ServerFollows(number) => world.let_server_follow(*number),
            Move::ProcessesRead(number) => world.let_processes_read(*number),
            Move::UpdateArrives => world.let_update_arrive(&mut told),
            Move::TimePasses => {
                self.time_passes(&mut world);
            }
        }
        Ok(Passed { world, report: None, events: Vec::new(), trail: Vec::new() })
    }
}

/// The next moment at which something ends: for caches and processes, or in the ledger.
pub(super) fn next_moment(timing: &Timing, world: &World) -> Option<Timestamp> {
    let is_served = |rrset: &TlsaRrset| world.servers.iter().any(|s| s.rrset == *rrset);
    let cached = world.cached.iter().filter(|(rrset, _)| !is_served(rrset)).map(|(_, at)| *at);
    let mut moments: Vec<Timestamp> = cached.collect();
    moments.extend(world.under_way.iter().map(|(.., until)| *until));
    let elders = world.processes.iter().filter_map(|each| each.elder.as_ref());
    moments.extend(elders.map(|(_, until)| *until));
    for version in world.ledger.histories.values().flat_map(|history| &history.versions) {
        let since = version.since().wall;
        moments.push(since + PATIENCE);
        moments.push(match version.service {
            Service::Sent { longest_delay, .. } => since + longest_delay,
            Service::Ended { .. } => since + hold(version.content.ttl(), timing),
            Service::Ongoing { .. } => since,
        });
        let unanswered = version.unanswered.iter();
        moments.extend(unanswered.map(|update| update.sent.wall + update.longest_delay));
    }
    let served = &world.ledger.served;
    let ended = served.presences.iter().filter_map(|presence| presence.ended);
    moments.extend(ended.map(|at| at.wall + timing.drain));
    let done = served.deployment.as_ref().and_then(|deployment| deployment.done);
    moments.extend(done.map(|at| at.wall + timing.probe_timeout));
    moments.extend(world.ledger.failures.values().map(|failure| failure.not_before));
    moments.into_iter().filter(|moment| world.now < *moment).min()
}
