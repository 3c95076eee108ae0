//! A search under way: every state that was come to, what can happen in each, and how it ends.

use std::collections::{BTreeMap, VecDeque};

use super::fingerprint::{self, Fingerprint};
use super::model::{
    Explored, Finding, Limits, Move, PASSES_MAX, Passed, Procedure, Script, Search, next_moment,
};
use super::pool::Authority;
use super::story::Story;
use super::world::World;
use crate::pass::PassError;
use crate::rollover::action::{Decision, Request};

/// A world, and what may still happen in it.
#[derive(Clone)]
struct Node {
    /// The world.
    world: World,
    /// How many things may go wrong yet.
    faults: u8,
    /// How often the operator may ask for something else yet.
    changes_of_mind: u8,
}

/// How one state was come to.
struct Origin {
    /// From this one; `None`: it was the first.
    from: Option<usize>,
    /// By this.
    by: Move,
}

/// A search under way.
pub(super) struct Tour<'a> {
    /// The search.
    search: &'a Search,
    /// How each state was come to.
    origins: Vec<Origin>,
    /// The states that were reached, with what may still happen in each, by their numbers.
    seen: BTreeMap<(Fingerprint, u8, u8), usize>,
    /// From which states it ends, and after how many passes.
    ends: BTreeMap<Fingerprint, u32>,
    /// The states that were not looked at yet.
    frontier: VecDeque<(usize, Node)>,
    /// What it came to so far.
    explored: Explored,
    /// Where it began.
    first: World,
}

impl<'a> Tour<'a> {
    /// A search that begins in this world.
    pub(super) fn from(search: &'a Search, first: World) -> Self {
        Self {
            search,
            origins: Vec::new(),
            seen: BTreeMap::new(),
            ends: BTreeMap::new(),
            frontier: VecDeque::new(),
            explored: Explored::default(),
            first,
        }
    }

    /// Goes on until there is nothing new.
    ///
    /// # Errors
    ///
    /// With how it came about, where a sender is stranded, or it does not end.
    pub(super) fn go(mut self, procedure: Procedure, limits: Limits) -> Result<Explored, Finding> {
        let node = Node {
            world: self.first.clone(),
            faults: limits.faults,
            changes_of_mind: limits.changes_of_mind,
        };
        // The first request is made in the first pass, and what can go wrong goes wrong in it too.
        self.passes(None, &node, procedure.request())?;
        while let Some((number, node)) = self.frontier.pop_front() {
            if limits.states <= self.seen.len() {
                self.explored.is_cut_short = true;
                break;
            }
            self.moves(number, &node)?;
        }
        self.explored.states = self.seen.len();
        Ok(self.explored)
    }

    /// Tries everything that can happen in a state.
    fn moves(&mut self, number: usize, node: &Node) -> Result<(), Finding> {
        self.passes(Some(number), node, None)?;
        if 0 < node.changes_of_mind {
            let changed = Node { changes_of_mind: node.changes_of_mind - 1, ..node.clone() };
            for request in other_requests() {
                self.passes(Some(number), &changed, Some(request))?;
            }
        }
        for server in 0..node.world.servers.len() {
            if node.world.lags(server) {
                self.happens(number, node, Move::ServerFollows(server))?;
            }
        }
        for address in 0..node.world.processes.len() {
            if node.world.is_about_to_read(address) {
                self.happens(number, node, Move::ProcessesRead(address))?;
            }
        }
        if !node.world.under_way.is_empty() {
            self.happens(number, node, Move::UpdateArrives)?;
        }
        if next_moment(&self.search.given.timing, &node.world).is_some() {
            self.happens(number, node, Move::TimePasses)?;
        }
        Ok(())
    }

    /// Lets something happen that is no pass.
    fn happens(&mut self, from: usize, node: &Node, by: Move) -> Result<(), Finding> {
        let world = self.search.replay(node.world.clone(), &by)?.world;
        self.arrive(Some(from), by, Node { world, ..node.clone() })
    }

    /// Makes a pass, with nothing going wrong, and with each thing that can.
    fn passes(
        &mut self,
        from: Option<usize>,
        node: &Node,
        request: Option<Request>,
    ) -> Result<(), Finding> {
        let mut scripts = vec![Vec::new()];
        while let Some(script) = scripts.pop() {
            let world = node.world.clone();
            let may_fail = 0 < node.faults;
            let lines = Script::of(script.clone(), may_fail);
            let passed = self.search.pass(world, request.clone(), lines);
            let passed = match passed {
                Ok(passed) => passed,
                // What makes no sense here was not asked for.
                Err(Finding::Pass(PassError::Request(_))) => return Ok(()),
                Err(other) => return Err(other),
            };
            for place in script.len()..passed.trail.len() {
                let mut other: Vec<bool> =
                    passed.trail[..place].iter().map(|(_, happens)| *happens).collect();
                other.push(true);
                scripts.push(other);
            }
            let failed = passed.trail.iter().any(|(chance, did)| *did && chance.is_fault());
            let faults = node.faults - u8::from(failed);
            let by = Move::Pass { request: request.clone(), script, may_fail };
            let after = Node { world: passed.world, faults, ..node.clone() };
            self.arrive(from, by, after)?;
        }
        Ok(())
    }

    /// Comes to a state.
    fn arrive(&mut self, from: Option<usize>, by: Move, node: Node) -> Result<(), Finding> {
        self.explored.transitions += 1;
        let print = fingerprint::of(&node.world, &self.search.given);
        let key = (print, node.faults, node.changes_of_mind);
        if self.seen.contains_key(&key) {
            return Ok(());
        }
        let number = self.origins.len();
        self.origins.push(Origin { from, by });
        self.seen.insert(key, number);
        if node.world.stranded.is_some() {
            return Err(Finding::Stranded(Box::new(self.story(number, Vec::new())?)));
        }
        self.expect_end(number, &node.world)?;
        self.frontier.push_back((number, node));
        Ok(())
    }

    /// Makes sure that it ends from a state, if everything works from now on.
    fn expect_end(&mut self, number: usize, world: &World) -> Result<(), Finding> {
        let (mut path, mut moves) = (Vec::new(), Vec::new());
        let mut world = world.clone();
        let left = loop {
            let print = fingerprint::of(&world, &self.search.given);
            if let Some(left) = self.ends.get(&print) {
                break *left;
            }
            path.push(print);
            world.let_all_follow();
            let Passed { world: after, report, .. } =
                self.search.pass(world, None, Script::fair())?;
            world = after;
            moves.push(Move::FairPass);
            if world.stranded.is_some() {
                return Err(Finding::Stranded(Box::new(self.story(number, moves)?)));
            }
            let decision = match &report {
                Some(report) if report.is_in_flight() => &report.decision,
                Some(_) | None => break 0,
            };
            let is_stuck = matches!(decision, Decision::Stuck(_));
            if is_stuck && !world.ledger.barred.is_empty() {
                // What is in flight leads to what was compromised since: the operator has to choose.
                self.explored.stuck += 1;
                break 0;
            }
            let is_long = PASSES_MAX < u32::try_from(path.len()).unwrap_or(u32::MAX);
            if is_long || is_stuck {
                let decision = format!("{decision:?}");
                let story = Box::new(self.story(number, moves)?);
                return Err(Finding::Endless { story, decision });
            }
            if self.search.time_passes(&mut world) {
                moves.push(Move::TimePasses);
            }
        };
        for (passes, print) in (left + 1..).zip(path.into_iter().rev()) {
            self.ends.insert(print, passes);
            self.explored.passes = self.explored.passes.max(passes);
        }
        Ok(())
    }

    /// How a state came about, and what followed.
    fn story(&self, number: usize, after: Vec<Move>) -> Result<Story, Finding> {
        let mut moves: Vec<Move> = after.into_iter().rev().collect();
        let mut at = Some(number);
        while let Some(number) = at {
            let origin = &self.origins[number];
            moves.push(origin.by.clone());
            at = origin.from;
        }
        moves.reverse();
        Story::tell(self.search, self.first.clone(), &moves)
    }
}

/// What an operator may ask for when he changes his mind.
fn other_requests() -> Vec<Request> {
    let issuer = |authority: Authority| Some(authority.issuer().to_owned());
    vec![
        Request::Abort,
        Request::Renew,
        Request::NewCa(issuer(Authority::House)),
        Request::NewCa(issuer(Authority::Other)),
        Request::NewCa(issuer(Authority::Drifting { generation: 0 })),
        Request::CompromisedKey,
        Request::CompromisedCa(issuer(Authority::Other)),
        Request::Withdraw,
    ]
}
