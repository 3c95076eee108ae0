//! What is shown while it happens: a line for each event, and a row of the state of things.
//!
//! On a terminal the row is drawn again in place; in a pipe it is written once a second.

use std::fmt::Write as _;
use std::io::Write;

use rustls::pki_types::UnixTime;

use super::cast::{Cast, Certified};
use super::change::Note;
use super::chart::{Chart, Sample};
use super::gate::Gate;
use super::paint::{Ink, Paint, tenths};
use super::sender::{CACHES, Delivery};
use super::stage::{LAG, Stage};
use crate::pass::DONE;
use crate::pki::Chain;
use crate::ports::Event;
use crate::rollover::state::HostState;
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::TlsaRrset;

/// How often the row is written in a pipe.
const ROW_PAUSE: Span = Span::from_millis(1000);

/// The longest line of text, its time aside.
const LINE: usize = 71;

/// How the row of the state of things is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Screen {
    /// In a pipe: once a second, as a line of its own.
    Lines,
    /// On a terminal: drawn again in place.
    Live,
}

/// What is shown.
pub(super) struct Board<'a> {
    /// Where it is shown.
    out: &'a mut (dyn Write + Send),
    /// In which colours.
    paint: Paint,
    /// How the row is shown.
    screen: Screen,
    /// When the show began.
    begun: Moment,
    /// Who is who.
    cast: Cast,
    /// The picture at the end.
    chart: Chart,
    /// What each process was last seen to present.
    presented: Vec<Certified>,
    /// Where the gate was last seen.
    gate: Gate,
    /// What rollover recorded last.
    state: HostState,
    /// When the row was last written in a pipe.
    row_at: Option<Span>,
    /// Whether nobody reads any more.
    unread: bool,
}

impl<'a> Board<'a> {
    /// A board for a show that begins now.
    pub(super) fn new(
        stage: &Stage,
        cast: Cast,
        (paint, screen): (Paint, Screen),
        out: &'a mut (dyn Write + Send),
    ) -> Self {
        Self {
            out,
            paint,
            screen,
            begun: stage.clock.now(),
            cast,
            chart: Chart::default(),
            presented: vec![Certified::Old; stage.processes.len()],
            gate: Gate::Absent,
            state: HostState::default(),
            row_at: None,
            unread: false,
        }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Writes text, above the row.
    pub(super) fn write(&mut self, text: &str) {
        let clear = if self.screen == Screen::Live { "\r\x1b[K" } else { "" };
        let written = self.out.write_all(format!("{clear}{text}").as_bytes());
        self.unread |= written.and_then(|()| self.out.flush()).is_err();
    }

    /// Writes what happened at a moment.
    fn tell(&mut self, at: Span, text: &str) {
        let time = self.paint.ink(Ink::Faint, &format!("{:>6}", tenths(at)));
        self.write(&format!("{time}  {text}\n"));
    }

    /// Writes more about what was just told.
    fn explain(&mut self, text: &str) {
        self.write(&format!("{:>8}{text}\n", ""));
    }

    /// How long the show has lasted.
    fn elapsed(&self, now: &Moment) -> Span {
        now.uptime.saturating_sub(self.begun.uptime)
    }

    /// When something is, counted from the beginning of the show.
    fn since_begin(&self, at: Timestamp) -> Span {
        at.since(self.begun.wall)
    }

    /// Says what there is to begin with.
    pub(super) fn begin(&mut self, stage: &Stage) {
        let _adopted = stage.witness.take();
        let rrset = stage.zone.served(Span::ZERO);
        let letter = self.cast.letter(&rrset);
        let records = self.cast.records(&rrset.records);
        let old = self.paint.ink(Ink::Cyan, "O");
        self.tell(Span::ZERO, &format!("the mail server presents {old}, issued by Old CA"));
        self.explain(&format!("the DNS has {letter}: {records}"));
    }

    /// Looks at everything, and shows what is new.
    pub(super) fn refresh(&mut self, stage: &Stage, notes: &[Note]) {
        let now = stage.clock.now();
        let seen = stage.witness.take();
        self.cast.meet(&seen.state);
        self.state = seen.state;
        self.cast.letter(&stage.zone.served(Span::ZERO));
        for note in notes {
            self.tell_note(stage, note, &now);
        }
        for event in &seen.events {
            self.tell_event(stage, event, &now);
        }
        self.tell_processes(stage, &now);
        self.tell_gate(stage, &now);
        let sample = self.sample(stage, &now);
        self.draw_row(&sample, &stage.senders.deliveries(), &now);
        self.chart.add(sample);
    }

    /// Shows a step that was taken by hand.
    fn tell_note(&mut self, stage: &Stage, note: &Note, now: &Moment) {
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
    fn tell_event(&mut self, stage: &Stage, event: &Event, now: &Moment) {
        let owner = format!(" {}:", stage.zone.facts.owner.absolute());
        let mut text = self.cast.reworded(&event.action.replace(&owner, ""));
        if event.decision != "issue" && event.result != DONE {
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
        let (old, new) = self.fits(rrset, now);
        self.explain(&format!("O fits {letter} by {old}; N fits it by {new}"));
    }

    /// By which parameters an RRset accepts the old certificate, and the new one, there or not.
    fn fits(&self, rrset: &TlsaRrset, now: &Moment) -> (String, String) {
        let seconds = u64::try_from(now.wall.as_seconds()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let records = &rrset.records;
        let old = self.cast.accepted_by(Certified::Old, records, time).unwrap_or_default();
        let new = self.cast.accepted_by(Certified::New, records, time);
        let expected = || {
            let (_, target) = self.state.target()?;
            let credential = target.credentials.values().next()?;
            Some(self.cast.would_be_accepted_by(&credential.key.spki, "New CA", records))
        };
        (old, new.or_else(expected).unwrap_or_default())
    }

    /// Shows which process presents something else than before.
    fn tell_processes(&mut self, stage: &Stage, now: &Moment) {
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
    fn tell_gate(&mut self, stage: &Stage, now: &Moment) {
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
                self.tell(at, &format!("{shut}: N would not fit {letters}, which"));
                let servers = self.laggards(stage, rrsets);
                self.explain(&format!("{servers} still serves and caches take from there"));
            }
            Gate::ShutUntil(rrsets, until) => {
                let letters = self.letters(rrsets);
                let until = tenths(self.since_begin(*until));
                self.tell(at, &format!("{shut} until {until}: caches may hold {letters},"));
                self.explain("a TTL from when the last name server let go of it, and a margin");
            }
            Gate::Open => {
                let open = self.paint.ink(Ink::Green, "GATE OPEN");
                self.tell(at, &format!("{open}: N fits everything that a cache may hold"));
            }
        }
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

    /// The letters of RRsets.
    fn letters(&mut self, rrsets: &[TlsaRrset]) -> String {
        let mut letters: Vec<String> =
            rrsets.iter().map(|rrset| self.cast.letter(rrset).to_string()).collect();
        letters.sort();
        letters.dedup();
        match letters.is_empty() {
            true => "what was there before the first look".to_owned(),
            false => letters.join(" and "),
        }
    }

    /// What is so at this moment.
    fn sample(&mut self, stage: &Stage, now: &Moment) -> Sample {
        let published = [Span::ZERO, LAG].map(|lag| self.cast.letter(&stage.zone.served(lag)));
        let held = stage.senders.cached();
        let held = held.iter().map(|(rrset, count)| (self.cast.letter(rrset), *count));
        Sample {
            at: now.uptime,
            presented: self.presented.clone(),
            published: published.to_vec(),
            cached: held.collect(),
            shut: self.gate.is_shut(),
        }
    }

    /// Draws the row of the state of things.
    fn draw_row(&mut self, sample: &Sample, deliveries: &[Delivery], now: &Moment) {
        let elapsed = self.elapsed(now);
        let due = self.row_at.is_none_or(|at| at + ROW_PAUSE <= elapsed);
        if self.screen == Screen::Lines && !due {
            return;
        }
        self.row_at = Some(elapsed);
        let served: String = sample.presented.iter().map(|c| c.letter()).collect();
        let published: String = sample.published.iter().collect();
        let mut caches = String::with_capacity(CACHES);
        for (letter, count) in &sample.cached {
            caches.extend(std::iter::repeat_n(*letter, *count));
        }
        let gate = match &self.gate {
            Gate::Absent => String::new(),
            Gate::ShutUnseen(_) => "shut".to_owned(),
            Gate::ShutUntil(_, until) => format!("shut {}", tenths(until.since(now.wall))),
            Gate::Open => "open".to_owned(),
            Gate::Passed => "passed".to_owned(),
        };
        let failed = deliveries.iter().filter(|delivery| delivery.failure.is_some()).count();
        let ink = if failed == 0 { Ink::Green } else { Ink::Red };
        let mail = format!("{:>3} ok {failed:>2} failed", deliveries.len() - failed);
        let mail = self.paint.ink(ink, &mail);
        let time = self.paint.ink(Ink::Faint, &format!("{:>6}", tenths(elapsed)));
        let row = format!("{time}  {served} {published} {caches:<CACHES$} {gate:<9} {mail}");
        match self.screen {
            Screen::Live => {
                let written = write!(self.out, "\r\x1b[K{row}").and_then(|()| self.out.flush());
                self.unread |= written.is_err();
            }
            Screen::Lines => self.write(&format!("{row}\n")),
        }
    }

    /// Shows the picture, and what its letters mean.
    pub(super) fn draw_picture(&mut self, stage: &Stage) {
        let now = stage.clock.now();
        let picture = self.chart.draw(&stage.senders.deliveries(), self.paint);
        self.write(&format!("\n{picture}\n"));
        let rrsets: Vec<_> =
            self.cast.rrsets().map(|(letter, records)| (letter, records.clone())).collect();
        for (letter, records) in rrsets {
            let described = self.cast.records(&records);
            let (old, new) = self.fits(&TlsaRrset::new(records, super::stage::TTL), &now);
            self.write(&format!("  {letter}  {described}\n     O fits it by {old}; N by {new}\n"));
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
