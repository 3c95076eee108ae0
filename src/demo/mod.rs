//! `rollover demo`: a whole change of CA on a small world of its own, on this machine, without any
//! set-up.
//!
//! ```text
//!   stage      the world: zone, name servers, CAs, mail server, senders; and rollover, put together
//!     wire         DNS messages, signed and validated; the one file that knows the DNS library
//!     zone         what primary and secondary serve, and the provider that changes it
//!     name_server  their sockets
//!     mail_server  processes that speak SMTP with STARTTLS, and reload one after the other
//!     sender       caches, and deliveries by what they hold
//!     dane         the senders' own judgement
//!     witness      the real ledger, with a window in it
//!   change     the change: as rollover does it, or in the wrong order
//!   board      what is shown while it happens: story, cast, gate, chart, paint
//!   verdict    what came of it, in numbers
//! ```
//!
//! What is on trial is the real thing: passes, decisions, ledger, look-ups, issuer, deployer, probe.
//! The judge is not: senders share no code with what decides ([`mod@dane`] says why).

mod board;
mod cast;
mod change;
mod chart;
mod dane;
mod gate;
mod mail_server;
mod name_server;
mod paint;
mod sender;
mod stage;
mod verdict;
mod wire;
mod witness;
mod zone;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

pub use board::Screen;
pub use change::Manner;
pub use paint::Paint;

use board::Board;
use cast::{Cast, Certified};
use change::Note;
use paint::Ink;
use stage::{LAG, NEW, OLD, RELOAD_DELAY, Stage, TTL};
use verdict::Verdict;

use crate::pass::PassError;
use crate::policy::Policy;
use crate::ports::{Issuer as _, LedgerError};
use crate::time::Span;

/// How often what is shown is brought up to date.
const REFRESH: Duration = Duration::from_millis(100);

/// What to show, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The policy to change by.
    pub policy: Policy,
    /// Which way to change.
    pub manner: Manner,
    /// In which colours.
    pub paint: Paint,
    /// How the row of the state of things is shown.
    pub screen: Screen,
}

/// How a demonstration ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Every delivery succeeded.
    Delivered,
    /// Some delivery failed.
    Stranded,
    /// Somebody stopped it.
    Stopped,
}

/// Why there was no demonstration, or no end of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The stage could not be set.
    #[error("the demonstration cannot begin: {0}")]
    Setting(String),
    /// The ledger in the temporary directory.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// A pass.
    #[error("{0}")]
    Pass(#[from] PassError),
    /// Rollover asked for its operator.
    #[error("rollover stopped and asked for attention: {0}")]
    Attention(String),
    /// It took too long.
    #[error("the change was not done after {0}: nothing unsafe was done, it only waits")]
    Unfinished(Span),
}

/// Shows a change of CA.
///
/// # Errors
///
/// Where this machine does not let the stage be set, or the change could not be made.
pub async fn run(options: &Options, out: &mut (dyn Write + Send)) -> Result<End, DemoError> {
    let mut stopped = Stop::new()?;
    tokio::select! {
        end = show(options, out) => return end,
        () = stopped.asked() => {}
    }
    let _ = out.write_all(b"\nStopped: the servers are gone, and so is the directory.\n");
    Ok(End::Stopped)
}

/// The signals that ask for an end.
struct Stop([tokio::signal::unix::Signal; 3]);

impl Stop {
    /// Listens for them.
    fn new() -> Result<Self, DemoError> {
        let listen = |kind| signal(kind).map_err(|e| DemoError::Setting(e.to_string()));
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [first, second, third] = kinds.map(listen);
        Ok(Self([first?, second?, third?]))
    }

    /// Returns when one of them came.
    async fn asked(&mut self) {
        let [first, second, third] = &mut self.0;
        tokio::select! {
            _ = first.recv() => {}
            _ = second.recv() => {}
            _ = third.recv() => {}
        }
    }
}

/// Sets the stage, and shows the change on it.
async fn show(options: &Options, out: &mut (dyn Write + Send)) -> Result<End, DemoError> {
    let Options { policy, manner, paint, screen } = options;
    let _ = out.write_all(introduction(options).as_bytes());
    let _ = out.flush();
    let mut stage = Stage::set(policy).await?;
    change::adopt(&stage).await?;
    stage.begin_sending();

    let mut board = Board::new(&stage, cast(&stage)?, (*paint, *screen), out);
    board.begin(&stage);
    let notes = Mutex::new(Vec::new());
    let note = |note: Note| {
        let note = (stage.clock.now(), note);
        notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    };
    let mut refreshing = tokio::time::interval(REFRESH);
    let took = {
        let performing = change::perform(&stage, policy, *manner, &note);
        tokio::pin!(performing);
        loop {
            tokio::select! {
                took = &mut performing => break took?,
                _ = refreshing.tick() => {}
                () = stage.witness.more() => {}
            }
            let new = std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner));
            board.refresh(&stage, &new);
            if board.is_unread() {
                return Ok(End::Stopped);
            }
        }
    };
    board.refresh(&stage, &[]);
    board.draw_picture(&stage);
    let [old, new] = [Certified::Old, Certified::New].map(|which| board.unfit(&stage, which));
    let verdict = Verdict::of(*manner, &stage.senders.deliveries(), old, new);
    let (end, ink) = match verdict.is_sound() {
        true => (End::Delivered, Ink::Green),
        false => (End::Stranded, Ink::Red),
    };
    let line = paint.ink(ink, &verdict.line());
    board.write(&format!("\n{line}\n{}", verdict.explanation(took)));
    Ok(end)
}

/// Who is who on a stage.
fn cast(stage: &Stage) -> Result<Cast, DemoError> {
    let authority = |name: &str, called| {
        let known = stage.authorities[name].known_anchors();
        known.into_iter().map(move |certificate| (called, certificate))
    };
    let authorities = authority(OLD, "Old CA").chain(authority(NEW, "New CA")).collect();
    let host = sender::server_name(stage.senders.host());
    let host = host.map_err(|error| DemoError::Setting(error.to_string()))?;
    let mut cast = Cast::new(stage.chain.clone(), authorities, host);
    for recorded in stage.witness.take() {
        cast.meet(&recorded.state);
    }
    Ok(cast)
}

/// What is going to be seen.
fn introduction(options: &Options) -> String {
    let way = match options.manner {
        Manner::Rollover => format!("by policy {}", options.policy.name),
        Manner::Naive => "in the wrong order".to_owned(),
    };
    let title = format!("A change of CA for mail.example.nl, {way}");
    let title = options.paint.ink(Ink::Strong, &title);
    let (lag, delay) = (paint::tenths(LAG), paint::tenths(RELOAD_DELAY));
    format!(
        "{title}\n\n\
         All of it is in this process, on loopback, and speaks real DNS, SMTP and TLS:\n  \
         ns    two name servers of a DNSSEC-signed zone; the second is {lag} behind\n  \
         mx    two processes of a mail server; the second reloads {delay} later\n  \
         32    caches that keep TLSA records for their TTL of {TTL}, a sender behind each\n\n"
    )
}
