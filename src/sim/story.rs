//! How a state of the model came about, as a timeline that a mail operator can read.

use std::fmt;

use super::model::{Finding, Move, Passed, Search};
use super::world::{Stranded, World};
use crate::rollover::action::Request;
use crate::rollover::brief;
use crate::time::{Span, Timestamp};

/// A line of a timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// How long after the beginning.
    pub after: Span,
    /// What happened.
    pub text: String,
}

/// A timeline, and the pair that it led to.
#[derive(Clone, Debug)]
pub struct Story {
    /// What happened, in order.
    pub lines: Vec<Line>,
    /// The pair that does not fit, where it led to one.
    pub stranded: Option<Stranded>,
}

impl Story {
    /// Tells what happened in `world` by these moves.
    pub(super) fn tell(search: &Search, world: World, moves: &[Move]) -> Result<Self, Finding> {
        let began = world.now;
        let mut story = Self { lines: Vec::new(), stranded: None };
        let mut world = world;
        for by in moves {
            let since = |at: Timestamp| at.since(began);
            if let Some(text) = describe(by) {
                story.add(since(world.now), text);
            }
            let Passed { world: after, events, trail, .. } = search.replay(world, by)?;
            for event in events {
                // An act is written down before and after: what counts is what came of it.
                if !event.result.is_empty() {
                    story.add(since(event.at), format!("{}: {}", event.action, event.result));
                }
            }
            for (chance, _) in trail.iter().filter(|(_, happened)| *happened) {
                story.add(since(after.now), chance.describe().to_owned());
            }
            world = after;
        }
        story.stranded = world.stranded;
        Ok(story)
    }

    /// Adds a line.
    fn add(&mut self, after: Span, text: String) {
        self.lines.push(Line { after, text });
    }
}

/// What a move is, in words; `None` where the lines of the pass say all.
fn describe(by: &Move) -> Option<String> {
    Some(match by {
        Move::Pass { request: None, .. } | Move::FairPass | Move::TimePasses => return None,
        Move::Pass { request: Some(request), .. } => match request {
            Request::Renew => "the operator: rollover --renew".to_owned(),
            Request::NewCa(issuer) => {
                format!("the operator: rollover --new-ca {}", issuer.as_deref().unwrap_or_default())
            }
            Request::CompromisedKey => "the operator: rollover --compromised key".to_owned(),
            Request::CompromisedCa(_) => "the operator: rollover --compromised ca".to_owned(),
            Request::Abort => "the operator: rollover --abort".to_owned(),
            Request::Withdraw => "the operator: rollover --withdraw".to_owned(),
        },
        Move::ServerFollows(number) => format!("ns{} transfers the zone", number + 1),
        Move::ProcessesRead(number) => {
            format!("the mail server at address {} reads its files", number + 1)
        }
        Move::UpdateArrives => "the update that was under way arrives at the primary".to_owned(),
    })
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { after, text } in &self.lines {
            let text = text.replace('\n', "\n            ");
            writeln!(f, "  {:>8}  {text}", format!("+{after}"))?;
        }
        if let Some(Stranded { rrset, chain, .. }) = &self.stranded {
            let leaf = chain.leaf();
            writeln!(
                f,
                "  => a cache still holds {} (TTL {}),\n     and a process presents a \
                 certificate of {} with the key {}:\n     mail to it is not delivered",
                brief(rrset),
                rrset.ttl,
                leaf.issuer(),
                leaf.spki_sha256().short()
            )?;
        }
        Ok(())
    }
}
