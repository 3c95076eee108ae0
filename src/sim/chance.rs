//! What may go wrong, and who decides whether it does.

use std::collections::BTreeMap;

use crate::time::Span;

/// Something that may happen at one place of a pass, or between two.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Chance {
    /// The program ends here, for ever.
    Crash,
    /// The primary applies an update, and its answer is lost.
    LosesAnswer,
    /// An update stays under way: it is applied later, and nobody says so.
    UpdateTarries,
    /// A name server says nothing for a while.
    FallsSilent,
    /// A listener does not answer a probe.
    ProbeFails,
    /// An address is cut off for minutes: whoever probes it meets silence, and senders elsewhere meet
    /// what its processes present.
    CutOff,
    /// Somebody edits the zone by hand between a look at it and an update.
    EditsBetween,
    /// A CA turns an order down.
    IssuerFails,
    /// A CA whose anchors nobody knows beforehand signs with another key than last time.
    CaDrifts,
    /// The reload command fails, and no process reads the file.
    ReloadFails,
    /// The reload command succeeds, and no process reads the file.
    ReloadWithoutEffect,
    /// The reload command succeeds, and the processes behind one address do not hear of it.
    MissesReload,
    /// A process reads a replaced file without being asked.
    ReadsUnasked,
    /// A probe meets a process that still presents an old chain.
    MeetsElder,
    /// Secondaries and processes follow while a pass watches for it.
    Follows,
}

impl Chance {
    /// Each of them.
    const ALL: [Self; 15] = [
        Self::Crash,
        Self::LosesAnswer,
        Self::UpdateTarries,
        Self::FallsSilent,
        Self::ProbeFails,
        Self::CutOff,
        Self::EditsBetween,
        Self::IssuerFails,
        Self::CaDrifts,
        Self::ReloadFails,
        Self::ReloadWithoutEffect,
        Self::MissesReload,
        Self::ReadsUnasked,
        Self::MeetsElder,
        Self::Follows,
    ];

    /// Of how many times it happens once, in a world that is drawn.
    fn odds(self) -> u64 {
        match self {
            Self::CutOff => 200,
            Self::Crash | Self::ProbeFails => 60,
            Self::LosesAnswer | Self::UpdateTarries => 15,
            Self::FallsSilent | Self::EditsBetween | Self::MissesReload => 25,
            Self::IssuerFails | Self::ReloadFails | Self::ReloadWithoutEffect => 12,
            Self::CaDrifts => 3,
            Self::ReadsUnasked => 4,
            Self::MeetsElder | Self::Follows => 2,
        }
    }

    /// Whether it is a fault, which a fair world does not have: the others are habits.
    pub(crate) fn is_fault(self) -> bool {
        !matches!(self, Self::CaDrifts | Self::MeetsElder | Self::Follows)
    }

    /// Whether only drawn worlds have it. Searched ones have what it comes to, or leave it out: each
    /// look may miss an address, and each process may be the last to read its file.
    pub(crate) fn is_only_drawn(self) -> bool {
        matches!(self, Self::MeetsElder | Self::CutOff | Self::EditsBetween | Self::MissesReload)
    }

    /// What an operator would say of it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Crash => "rollover is killed",
            Self::LosesAnswer => "the primary applies the update, and its answer is lost",
            Self::UpdateTarries => "the update stays under way; nobody answers",
            Self::FallsSilent => "a name server does not answer",
            Self::ProbeFails => "an address of the mail server does not answer",
            Self::CutOff => "an address of the mail server is cut off for minutes",
            Self::EditsBetween => "somebody edits the zone just before an update",
            Self::IssuerFails => "the CA turns the order down",
            Self::CaDrifts => "the CA signs with another key than last time",
            Self::ReloadFails => "the reload command fails",
            Self::ReloadWithoutEffect => "the reload command succeeds without effect",
            Self::MissesReload => "the processes behind one address miss a reload",
            Self::ReadsUnasked => "a mail process reads the new file unasked",
            Self::MeetsElder => "an old mail process still answers",
            Self::Follows => "name servers and mail processes follow",
        }
    }
}

/// How long something takes to follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lag {
    /// This long.
    For(Span),
    /// Until the world is told to let it follow.
    UntilTold,
}

/// Who decides what happens.
pub trait Chooser: Send {
    /// Whether this happens here.
    fn happens(&mut self, chance: Chance) -> bool;

    /// How long a secondary takes to follow the primary.
    fn server_lag(&mut self) -> Lag;

    /// How long a mail process takes to read a replaced file after it was told to.
    fn process_lag(&mut self) -> Lag;

    /// A number below `limit`, which is not zero.
    fn below(&mut self, limit: u64) -> u64;

    /// How long something lasts that lasts at most so long.
    fn span_below(&mut self, limit: Span) -> Span {
        Span::from_millis(self.below(limit.as_millis().max(1)))
    }
}

/// How often something happens in one world, beside how often it does in most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Frequency {
    /// It does not.
    Never,
    /// As in most.
    Usual,
    /// It is what this world suffers from.
    Often,
}

/// Draws from a seed.
///
/// Every world has troubles of its own: some it never has, others all the time. Worlds that all have
/// a little of everything seldom come to what takes the same trouble three times in a row.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// Where the generator stands; never zero.
    state: u64,
    /// What this world is like.
    troubles: BTreeMap<Chance, Frequency>,
    /// Whether everything works from now on.
    fair: bool,
}

impl Seeded {
    /// A chooser whose draws follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut drawn = Self { state, troubles: BTreeMap::new(), fair: false };
        for chance in Chance::ALL {
            let frequency = match drawn.below(4) {
                0 => Frequency::Never,
                1 => Frequency::Often,
                _ => Frequency::Usual,
            };
            drawn.troubles.insert(chance, frequency);
        }
        drawn
    }

    /// This is what the world suffers from, whatever was drawn.
    pub fn suffer_from(&mut self, chance: Chance) {
        self.troubles.insert(chance, Frequency::Often);
    }

    /// From now on everything works.
    pub fn be_fair(&mut self) {
        self.fair = true;
    }

    /// Of how many times this happens once in this world; `None`: it does not.
    fn odds(&self, chance: Chance) -> Option<u64> {
        match self.troubles.get(&chance) {
            Some(Frequency::Never) if chance.is_fault() => None,
            Some(Frequency::Often) => Some((chance.odds() / 6).max(2)),
            Some(Frequency::Never | Frequency::Usual) | None => Some(chance.odds()),
        }
    }
}

impl Chooser for Seeded {
    fn happens(&mut self, chance: Chance) -> bool {
        let Some(odds) = self.odds(chance) else { return false };
        let drawn = self.below(odds) == 0;
        drawn && !(self.fair && chance.is_fault())
    }

    fn server_lag(&mut self) -> Lag {
        let slow = !self.fair && self.below(3) == 0;
        let limit = Span::from_seconds(if slow { 90 } else { 2 });
        Lag::For(self.span_below(limit))
    }

    fn process_lag(&mut self) -> Lag {
        Lag::For(self.span_below(Span::from_seconds(3)))
    }

    /// Xorshift64.
    fn below(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % limit
    }
}
