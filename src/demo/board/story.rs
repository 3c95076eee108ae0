//! The events, told one a line.

use std::fmt::Write as _;

use super::super::change::Note;
use super::super::gate::Gate;
use super::super::paint::{Ink, tenths};
use super::super::sender::{Delivery, Failure};
use super::super::stage::{LAG, Stage};
use super::Board;
use crate::pass::DONE;
use crate::pki::Chain;
use crate::ports::Event;
use crate::rollover::history::Until;
use crate::time::{Moment, Span};
use crate::tlsa::TlsaRrset;

/// What the history has of an update that the primary took, which says nothing new here.
const TAKEN: &str = "the primary took it";

/// The longest line of text, its time aside.
const LINE: usize = 71;

impl Board<'_> {
    /// Shows a step that was taken by hand.
    pub(super) fn tell_note(&mut self, stage: &Stage, note: &Note, now: &Moment) {
        let at = self.elapsed(now);
        match note {
            Note::Command(command) => {
                let command = self.paint.ink(Ink::Strong, command);
                self.tell(at, &command);
            }
            Note::Deploy => self.tell(at, "put the new certificate in place and reload"),
            Note::Publish => {
                self.tell(at, "publish the new records");
                self.explain_rrset(&stage.zone.served(Span::ZERO), now);
            }
        }
    }

    /// Shows what rollover did, in its own words.
    pub(super) fn tell_event(&mut self, stage: &Stage, event: &Event, now: &Moment) {
        let owner = format!(" {}:", stage.zone.facts.owner.absolute());
        let mut text = self.cast.reworded(&event.action.replace(&owner, ""));
        if !matches!(event.result.as_str(), DONE | TAKEN) && event.decision != "issue" {
            let _ = write!(text, ": {}", event.result);
        }
        self.tell(self.since_begin(event.at), &shortened(&text));
        if event.decision == "publish" {
            self.explain_rrset(&stage.zone.served(Span::ZERO), now);
        }
    }

    /// Says what an RRset is, and which certificates fit it.
    fn explain_rrset(&mut self, rrset: &TlsaRrset, now: &Moment) {
        let letter = self.cast.letter(rrset);
        let records = self.cast.records(&rrset.records);
        self.explain(&format!("{letter}: {records}"));
        let (old, new) = self.fits(&rrset.records, now);
        self.explain(&format!("O fits {letter} by {old}, N by {new}"));
    }

    /// Shows which process presents something else than before.
    pub(super) fn tell_processes(&mut self, stage: &Stage, now: &Moment) {
        for (position, process) in stage.processes.iter().enumerate() {
            let presented = process.presented();
            if let Ok(chain) = Chain::from_der(&presented.chain) {
                self.cast.meet_chain(&chain);
            }
            let certified = self.cast.certified(&presented.chain);
            if self.presented[position] != certified {
                self.presented[position] = certified;
                let letter = self.paint.ink(Ink::Magenta, &certified.letter().to_string());
                let number = position + 1;
                let text = format!("process {number} of the mail server now presents {letter}");
                self.tell(self.elapsed(now), &text);
            }
        }
    }

    /// Shows whether the gate before the new certificate is where it was.
    pub(super) fn tell_gate(&mut self, stage: &Stage, now: &Moment) {
        let gate = Gate::of(&stage.pass, &self.state, now);
        let before = std::mem::replace(&mut self.gate, gate.clone());
        if std::mem::discriminant(&before) == std::mem::discriminant(&gate) {
            return;
        }
        let at = self.elapsed(now);
        let shut = self.paint.ink(Ink::Yellow, "GATE SHUT");
        match &gate {
            Gate::Absent | Gate::Passed => {}
            Gate::ShutUnseen(rrsets) => {
                let letters = self.letters(rrsets);
                let servers = self.laggards(stage, rrsets);
                self.tell(at, &format!("{shut}: N does not fit {letters}, served by {servers}"));
            }
            Gate::ShutUntil(rrsets, until) => {
                let letters = self.letters(rrsets);
                let until = tenths(self.since_begin(*until));
                self.tell(at, &format!("{shut} until {until}: caches may hold {letters}"));
                self.explain("for a TTL after the last name server let go of it, and a margin");
            }
            Gate::Open => {
                let open = self.paint.ink(Ink::Green, "GATE OPEN");
                self.tell(at, &format!("{open}: N fits everything that a cache may hold"));
            }
        }
    }

    /// Shows that mail has begun to fail, and why.
    pub(super) fn tell_first_failure(&mut self, deliveries: &[Delivery]) {
        let failure = deliveries.iter().find_map(|d| Some((d.at, d.failure.as_ref()?)));
        let Some((at, failure)) = failure.filter(|_| !self.failing) else { return };
        self.failing = true;
        let why = match failure {
            Failure::Unfit(rrset) => {
                let letter = self.cast.letter(rrset);
                format!("a sender's cache holds {letter}, and what it is shown does not fit")
            }
            Failure::Other(reason) => reason.clone(),
        };
        let fails = self.paint.ink(Ink::Red, "MAIL FAILS");
        let at = at.saturating_sub(self.begun.uptime);
        self.tell(at, &format!("{fails}: {}", shortened(&why)));
    }

    /// Shows what is waited for last: that nothing but the final records is held by any cache.
    pub(super) fn tell_rest(&mut self, stage: &Stage, now: &Moment) {
        let primary = stage.zone.served(Span::ZERO);
        if self.gate != Gate::Passed || self.resting {
            return;
        }
        let timing = stage.pass.spec().policy.timing;
        let cached = self.state.histories.values().flat_map(|h| h.cached(&timing, now));
        let others = cached.filter_map(|(version, until)| match until {
            Until::At(at) => version.rrset().filter(|r| **r != primary).map(|r| (r.clone(), at)),
            Until::Unseen => None,
        });
        let Some((rrset, until)) = others.max_by_key(|(_, until)| *until) else { return };
        self.resting = true;
        let (letter, until) = (self.cast.letter(&rrset), tenths(self.since_begin(until)));
        let at = self.elapsed(now);
        self.tell(
            at,
            &format!("caches may hold {letter} until {until}; N fits it, so mail is safe"),
        );
    }

    /// The name servers that serve one of these RRsets still.
    fn laggards(&self, stage: &Stage, rrsets: &[TlsaRrset]) -> String {
        let behind = [("ns1", Span::ZERO), ("ns2", LAG)].into_iter().filter(|(_, lag)| {
            let served = stage.zone.served(*lag);
            rrsets.iter().any(|rrset| rrset.records == served.records)
        });
        let names: Vec<&str> = behind.map(|(name, _)| name).collect();
        match names.is_empty() {
            true => "a name server perhaps".to_owned(),
            false => names.join(" and "),
        }
    }
}

/// A text cut to the width of the page.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
