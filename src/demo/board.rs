//! What is shown while it happens: a line for each event ([`story`]), and a row of the state of
//! things.
//!
//! On a terminal the row is drawn again in place; in a pipe it is written every other second.

mod story;

use std::collections::BTreeSet;
use std::io::Write;

use rustls::pki_types::UnixTime;

use super::cast::{self, Cast, Certified};
use super::change::Note;
use super::chart::{Chart, Sample};
use super::gate::Gate;
use super::paint::{Ink, Paint, tenths};
use super::sender::{CACHES, Delivery};
use super::stage::{LAG, Stage};
use super::verdict::Unfit;
use super::witness::Recorded;
use crate::rollover::state::HostState;
use crate::time::{Moment, Span, Timestamp};
use crate::tlsa::{Record, TlsaRrset};

/// How often the row is written in a pipe.
const ROW_PAUSE: Span = Span::from_millis(2000);

/// What stands in the row: the time, what each process presents and each name server serves, what
/// every cache holds, the gate, and deliveries.
const HEADS: &str = "  time  mx ns what 32 caches hold              gate      deliveries";

/// How the row of the state of things is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Screen {
    /// In a pipe: every other second, as a line of its own.
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
    /// The latest moment that was told of.
    told: Span,
    /// When the row was last written in a pipe.
    row_at: Option<Span>,
    /// Whether some delivery has failed.
    failing: bool,
    /// Whether nothing but the last wait is left.
    resting: bool,
    /// Whether the row stands below what was written last, on a terminal.
    drawn: bool,
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
            told: Span::ZERO,
            row_at: None,
            failing: false,
            resting: false,
            drawn: false,
            unread: false,
        }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Writes text, above the row.
    pub(super) fn write(&mut self, text: &str) {
        // Two lines up is where the row begins, with the heads of its columns.
        let clear = if std::mem::take(&mut self.drawn) { "\x1b[2A\r\x1b[J" } else { "" };
        let written = self.out.write_all(format!("{clear}{text}").as_bytes());
        self.unread |= written.and_then(|()| self.out.flush()).is_err();
    }

    /// Writes what happened at a moment.
    ///
    /// What is seen a moment later than it happened is told with what was seen before it.
    fn tell(&mut self, at: Span, text: &str) {
        self.told = self.told.max(at);
        let at = self.told;
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
        let rrset = stage.zone.served(Span::ZERO);
        let letter = self.cast.letter(&rrset);
        let records = self.cast.records(&rrset.records);
        let old = self.paint.ink(Ink::Cyan, "O");
        self.tell(Span::ZERO, &format!("the mail server presents {old}, issued by Old CA"));
        self.explain(&format!("the DNS has {letter}: {records}"));
        if self.screen == Screen::Lines {
            self.write(&format!("{HEADS}\n"));
        }
    }

    /// Looks at everything, and shows what is new.
    pub(super) fn refresh(&mut self, stage: &Stage, notes: &[(Moment, Note)]) {
        let now = stage.clock.now();
        self.cast.letter(&stage.zone.served(Span::ZERO));
        for (at, note) in notes {
            self.tell_note(stage, note, at);
        }
        for Recorded { state, done } in stage.witness.take() {
            self.cast.meet(&state);
            self.state = state;
            for event in &done {
                self.tell_event(stage, event, &now);
            }
            self.tell_gate(stage, &now);
        }
        self.tell_processes(stage, &now);
        self.tell_gate(stage, &now);
        self.tell_rest(stage, &now);
        self.tell_first_failure(&stage.senders.deliveries());
        let sample = self.sample(stage, &now);
        self.draw_row(&sample, &stage.senders.deliveries(), &now);
        self.chart.add(sample);
    }

    /// By which parameters an RRset accepts the old certificate, and the new one, there or not.
    fn fits(&self, records: &BTreeSet<Record>, now: &Moment) -> (String, String) {
        let seconds = u64::try_from(now.wall.as_seconds()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let old = self.cast.accepted_by(Certified::Old, records, time).unwrap_or_default();
        let new = self.cast.accepted_by(Certified::New, records, time);
        let expected = || {
            let (_, target) = self.state.target()?;
            let credential = target.credentials.values().next()?;
            Some(self.cast.would_be_accepted_by(&credential.key.spki, "New CA", records))
        };
        (old, new.or_else(expected).unwrap_or_default())
    }

    /// The letters of RRsets.
    fn letters(&mut self, rrsets: &[TlsaRrset]) -> String {
        let letters: BTreeSet<char> = rrsets.iter().map(|rrset| self.cast.letter(rrset)).collect();
        match letters.is_empty() {
            true => "what was there before the first look".to_owned(),
            false => listed(&letters.into_iter().collect::<Vec<_>>()),
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
                let heads = self.paint.ink(Ink::Faint, HEADS);
                self.write(&format!("{heads}\n{row}\n"));
                self.drawn = true;
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
            let (old, new) = self.fits(&records, &now);
            let fits = format!("O fits it by {old}, N by {new}");
            self.write(&format!("  {letter}  {described}\n     {fits}\n"));
        }
    }

    /// The RRsets that a certificate does not fit, as letters, and whether caches held one of them
    /// while some process presented it.
    pub(super) fn unfit(&self, stage: &Stage, certified: Certified) -> Unfit {
        let now = stage.clock.now();
        let fits_nothing = |records: &BTreeSet<Record>| {
            let (old, new) = self.fits(records, &now);
            let by = if certified == Certified::Old { old } else { new };
            by == cast::NOTHING
        };
        let rrsets = self.cast.rrsets().filter(|(_, records)| fits_nothing(records));
        let letters: Vec<char> = rrsets.map(|(letter, _)| letter).collect();
        let met = letters.iter().any(|letter| self.chart.met(certified, *letter));
        Unfit { letters: listed(&letters), met }
    }
}

/// Letters in a sentence: `A and B`.
fn listed(letters: &[char]) -> String {
    letters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
