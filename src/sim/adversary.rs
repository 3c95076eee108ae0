//! Long lives in a drawn world: what follows from a seed, with an operator who changes his mind.
//!
//! Servers lag and fall silent, processes go on presenting an old chain, reloads fail or have no
//! effect, answers are lost, the program is killed between any two effects, a CA signs with another
//! key, somebody edits the zone by hand, the wall clock jumps, the machine is started anew.

use std::sync::Arc;

use super::chance::{Chance, Chooser as _, Seeded};
use super::edit;
use super::pool::{Authority, Pool};
use super::ports::{Port, Scene};
use super::world::{Constants, Stranded, World};
use crate::pass::{HostPass, PassError, Report};
use crate::pki::KeyType;
use crate::policy::Policy;
use crate::ports::Clock as _;
use crate::rollover::action::{Decision, Request};
use crate::time::{Span, Timestamp};

/// How many times an operator asks for something in one life.
const REQUESTS: u64 = 12;

/// How many passes a fair world takes at most to end what is in flight.
const PATIENCE: u32 = 400;

/// How many keys of each type a life may need.
const KEYS: usize = 16;

/// What came of one life, or of several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Life {
    /// Rollovers that ended.
    pub finished: u64,
    /// Crashes survived.
    pub crashes: u64,
    /// Passes made.
    pub passes: u64,
    /// Hand edits, clock jumps and restarts of the machine.
    pub disturbances: u64,
    /// CAs that another took the place of, since they failed too often.
    pub fallbacks: u64,
    /// How long it was.
    pub span: Span,
}

impl Life {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.finished += other.finished;
        self.crashes += other.crashes;
        self.passes += other.passes;
        self.disturbances += other.disturbances;
        self.fallbacks += other.fallbacks;
        self.span = self.span + other.span;
    }
}

/// How a life went wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mishap {
    /// Some sender met a pair that does not fit.
    #[error(
        "at {} a cache holds {} while {} is presented; before that:\n{story}",
        .stranded.at, .stranded.rrset, .stranded.chain.leaf().issuer()
    )]
    Stranded {
        /// The pair.
        stranded: Box<Stranded>,
        /// What the program did before that.
        story: String,
    },
    /// Everything works, and the rollover does not end.
    #[error("in a fair world it does not end: {decision}; before that:\n{story}")]
    Endless {
        /// The last decision.
        decision: String,
        /// What the program did before that.
        story: String,
    },
    /// The program gave up.
    #[error("{0}")]
    Pass(#[from] PassError),
}

/// Lives of hosts under one policy.
pub struct Adversary {
    /// What never changes.
    constants: Arc<Constants>,
    /// The policy that the program is given: the worlds' own, unless a test lets it misjudge them.
    given: Arc<Policy>,
    /// What every world suffers from, beside what is drawn.
    trouble: Option<Chance>,
}

/// One life under way.
struct Living<'a> {
    /// The lives it is one of.
    adversary: &'a Adversary,
    /// The stage.
    port: Port<Seeded>,
    /// Whether the operator hardly ever waits for the end of what was asked for.
    is_fickle: bool,
    /// The CAs that are turned to where the configured one fails too often.
    fallbacks: &'static [Authority],
    /// What came of it so far.
    life: Life,
}

impl Adversary {
    /// Worlds whose judge asks what `policy` asks, for hosts with these key types.
    ///
    /// # Errors
    ///
    /// Where no keys can be made.
    pub fn new(policy: Policy, key_types: &[KeyType]) -> Result<Self, super::pool::PoolError> {
        let given = Arc::new(policy.clone());
        let constants = Constants {
            pool: Pool::new(key_types, KEYS)?,
            old_process_lives: policy.timing.drain,
            policy,
            key_types: key_types.to_vec(),
        };
        Ok(Self { constants: Arc::new(constants), given, trouble: None })
    }

    /// The same worlds, in which the program is given another policy than the judge.
    #[must_use]
    pub fn misled_by(self, given: Policy) -> Self {
        Self { given: Arc::new(given), ..self }
    }

    /// The same worlds, each of which suffers from this.
    #[must_use]
    pub fn beset_by(self, trouble: Chance) -> Self {
        Self { trouble: Some(trouble), ..self }
    }

    /// Lives through the world of one seed.
    ///
    /// # Errors
    ///
    /// Where a sender was stranded, or a rollover never ends.
    pub async fn live(&self, seed: u64) -> Result<Life, Mishap> {
        let mut world = World::new(Arc::clone(&self.constants));
        let mut chooser = Seeded::new(seed);
        if let Some(trouble) = self.trouble {
            chooser.suffer_from(trouble);
        }
        world.primary_is_hidden = chooser.below(3) == 0;
        let is_fickle = chooser.below(3) == 0;
        if chooser.below(2) == 0 {
            // Somebody was at the zone just before the program sees it first.
            edit::by_hand(&mut world, &mut chooser, None);
        }
        let scene = Scene {
            world,
            chooser,
            pace: 100,
            sleeper: Box::new(|world, _, span| world.pass_time(span)),
            events: Vec::new(),
        };
        let port = Port::new(scene);
        let began = port.scene().world.now;
        let fallbacks: &[Authority] = match seed % 3 {
            0 => &[],
            1 => &[Authority::Drifting { generation: 0 }],
            _ => &[Authority::Other, Authority::Drifting { generation: 0 }],
        };
        let life = Life::default();
        let mut living = Living { adversary: self, port, is_fickle, fallbacks, life };
        living.first_look().await?;
        for _ in 0..REQUESTS {
            living.disturb(seed);
            living.pursue().await?;
            living.pass_idle_time()?;
        }
        living.end_fairly().await?;
        living.life.fallbacks = living.fallbacks_begun();
        living.life.span = living.port.scene().world.now.since(began);
        Ok(living.life)
    }
}

/// What a pass came to, with what holds it.
fn described(report: &Report) -> String {
    let failures = report.state.failures.values().map(|failure| failure.message.as_str());
    let attention = report.attention.iter().map(|problem| problem.message.as_str());
    let lines: Vec<_> = failures.chain(attention).collect();
    format!("{:?}\n{}", report.decision, lines.join("\n"))
}

impl Living<'_> {
    /// A number below `limit`.
    fn below(&self, limit: u64) -> u64 {
        self.port.scene().chooser.below(limit)
    }

    /// The host, in a new process.
    fn host(&self) -> HostPass {
        self.port.host_with_fallbacks(&self.adversary.given, self.fallbacks)
    }

    /// An issuer's name.
    fn issuer(&self) -> String {
        let names = [Authority::House, Authority::Other, Authority::Drifting { generation: 0 }];
        let drawn = usize::try_from(self.below(3)).unwrap_or(0);
        names[drawn].issuer().to_owned()
    }

    /// What the operator asks for next.
    fn request(&self) -> Request {
        if self.is_fickle && self.below(3) == 0 {
            return Request::Abort;
        }
        match self.below(12) {
            0..=3 => Request::Renew,
            4..=7 => Request::NewCa(Some(self.issuer())),
            8 => Request::CompromisedKey,
            9 => Request::CompromisedCa(Some(self.issuer())),
            10 => Request::Abort,
            _ => Request::Withdraw,
        }
    }

    /// One pass, which may be cut off. Whether it is to be followed by others.
    async fn pass(&mut self, request: Option<Request>) -> Result<bool, Mishap> {
        // A new process each time: only the ledger and the world remain.
        let host = self.host();
        self.life.passes += 1;
        let run = tokio::select! {
            run = host.run(request) => Some(run),
            () = self.port.crashed() => None,
        };
        let goes_on = match run {
            None => {
                self.life.crashes += 1;
                true
            }
            Some(Ok(report)) if !report.is_in_flight() => {
                self.life.finished += 1;
                false
            }
            Some(Ok(report)) => {
                self.pass_time_until(report.wake(), Span::from_seconds(30));
                true
            }
            Some(Err(PassError::Request(_))) => false,
            Some(Err(error)) => return Err(error.into()),
        };
        self.expect_nobody_stranded()?;
        Ok(goes_on)
    }

    /// Passes until nothing is in flight, beginning with no request.
    async fn first_look(&mut self) -> Result<(), Mishap> {
        let mut patience = PATIENCE;
        while self.pass(None).await? && 0 < patience {
            patience -= 1;
        }
        Ok(())
    }

    /// Asks for something, and makes passes for it. Half-way the next request may come.
    async fn pursue(&mut self) -> Result<(), Mishap> {
        let mut asked = Some(self.request());
        let gives_up = self.below(if self.is_fickle { 8 } else { 3 });
        let gives_up = if self.is_fickle { gives_up != 0 } else { gives_up == 0 };
        let patience = if gives_up { 1 + self.below(6) } else { PATIENCE.into() };
        for _ in 0..patience {
            if !self.pass(asked.take()).await? {
                break;
            }
        }
        Ok(())
    }

    /// Lets the time pass that a wait asks for, or a part of it.
    fn pass_time_until(&self, wake: Option<Timestamp>, limit: Span) {
        let now = self.port.now().wall;
        let wait = wake.map_or(Span::from_seconds(5), |at| at.since(now)).min(limit);
        self.port.scene().world.pass_time(wait);
    }

    /// Days or a minute in which nobody asks for anything.
    fn pass_idle_time(&self) -> Result<(), Mishap> {
        let seconds = match self.below(3) {
            0 if !self.is_fickle => 86_400 * self.below(60),
            0 => 0,
            _ => self.below(120),
        };
        self.port.scene().world.pass_time(Span::from_seconds(seconds));
        self.expect_nobody_stranded()
    }

    /// Somebody edits the zone, or the machine's clock jumps, or it is started anew; or nothing.
    ///
    /// A clock that is set right only when the machine starts is out of reach for a program that
    /// can compare nothing but wall clocks across a start: one life has jumps, or starts.
    fn disturb(&mut self, seed: u64) {
        match self.below(4) {
            0 => {
                let mut scene = self.port.scene();
                let Scene { world, chooser, .. } = &mut *scene;
                edit::by_hand(world, chooser, None);
            }
            1 => {
                let jump = i64::try_from(self.below(7_200_000)).unwrap_or(0) - 3_600_000;
                let world = &mut self.port.scene().world;
                if seed.is_multiple_of(2) {
                    world.clock_error = jump;
                } else {
                    world.boot += 1;
                    world.booted = world.now;
                }
            }
            _ => return,
        }
        self.life.disturbances += 1;
    }

    /// A fair world at the end: what is in flight ends.
    async fn end_fairly(&mut self) -> Result<(), Mishap> {
        {
            let mut scene = self.port.scene();
            scene.chooser.be_fair();
            for server in &mut scene.world.servers {
                server.silent_until = Timestamp::MIN;
            }
            for processes in &mut scene.world.processes {
                processes.silent_until = Timestamp::MIN;
            }
        }
        let mut decision = String::new();
        for _ in 0..PATIENCE {
            let report = self.host().run(None).await?;
            if !report.is_in_flight() && !matches!(report.decision, Decision::Stuck(_)) {
                self.life.finished += 1;
                return self.expect_nobody_stranded();
            }
            decision = described(&report);
            if matches!(report.decision, Decision::Stuck(_)) {
                // What is asked for next was compromised: the operator has to choose another CA.
                let other = Request::NewCa(Some(self.issuer()));
                let _ = self.host().run(Some(other)).await;
            } else {
                self.pass_time_until(report.wake(), Span::from_seconds(3600));
                self.expect_nobody_stranded()?;
            }
        }
        Err(Mishap::Endless { decision, story: self.story() })
    }

    /// How often a CA took the place of another that had failed too often.
    fn fallbacks_begun(&self) -> u64 {
        let scene = self.port.scene();
        let begun = scene.events.iter().filter(|e| e.action.ends_with("times in a row"));
        begun.count().try_into().unwrap_or(u64::MAX)
    }

    /// What the program did last.
    fn story(&self) -> String {
        let scene = self.port.scene();
        let last = scene.events.len().saturating_sub(12);
        let line = |event: &crate::ports::Event| {
            format!("  {} {}: {}", event.at, event.action, event.result)
        };
        let story: Vec<String> = scene.events[last..].iter().map(line).collect();
        story.join("\n")
    }

    /// Fails if some sender met a pair that does not fit.
    fn expect_nobody_stranded(&self) -> Result<(), Mishap> {
        let stranded = self.port.scene().world.stranded.clone();
        let stranded = stranded.map(Box::new);
        stranded.map_or(Ok(()), |stranded| Err(Mishap::Stranded { stranded, story: self.story() }))
    }
}
