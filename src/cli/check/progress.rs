//! One line on a terminal that says how far a check has come.

use std::io::{IsTerminal as _, Write as _};

use crate::audit::{Progress, Severity};

/// A line that is written over and over; nothing where standard error is no terminal.
pub(super) struct Line {
    /// How many subjects there are.
    total: usize,
    /// How bad those are that are done.
    done: Vec<Severity>,
    /// Whether it is shown.
    is_shown: bool,
}

impl Line {
    /// A line for this many subjects.
    pub(super) fn new(total: usize, quiet: bool) -> Self {
        let is_shown = 1 < total && !quiet && std::io::stderr().is_terminal();
        let line = Self { total, done: Vec::new(), is_shown };
        line.show("looking");
        line
    }

    /// Writes it anew.
    fn show(&self, name: &str) {
        if self.is_shown {
            let mut err = std::io::stderr();
            let _ = write!(err, "\r\x1b[K{}", self.words(name));
            let _ = err.flush();
        }
    }

    /// What it says.
    fn words(&self, name: &str) -> String {
        let count = |severity| self.done.iter().filter(|other| **other == severity).count();
        let mut words = format!("{} of {} checked", self.done.len(), self.total);
        for severity in Severity::ALL.into_iter().rev().filter(|s| *s != Severity::Ok) {
            if 0 < count(severity) {
                words += &format!(", {} {}", count(severity), severity.as_str());
            }
        }
        format!("{words}: {name}").chars().take(79).collect()
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Progress for Line {
    fn done(&mut self, name: &str, severity: Severity) {
        self.done.push(severity);
        self.show(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_what_is_wrong_the_worst_first() {
        let mut line = Line { total: 400, done: Vec::new(), is_shown: false };
        for severity in [Severity::Ok, Severity::Warning, Severity::Critical, Severity::Ok] {
            line.done("example.nl", severity);
        }
        assert_eq!(line.words("example.nl"), "4 of 400 checked, 1 CRITICAL, 1 WARNING: example.nl");
    }
}
