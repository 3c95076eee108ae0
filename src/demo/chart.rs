//! The picture at the end: who served what, what caches held, and what became of mail, over time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cast::Certified;
use super::paint::{Ink, Paint};
use super::sender::{CACHES, Delivery};
use crate::time::Span;

/// How many columns the picture has.
const COLUMNS: usize = 64;

/// What was so at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When, by the time since boot.
    pub(super) at: Span,
    /// What each process presented.
    pub(super) presented: Vec<Certified>,
    /// The RRset at each name server.
    pub(super) published: Vec<char>,
    /// How many caches held each RRset.
    pub(super) cached: BTreeMap<char, usize>,
    /// Whether rollover kept the new certificate back.
    pub(super) shut: bool,
}

/// Everything that was so.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    /// The moments, the earliest first.
    samples: Vec<Sample>,
}

impl Chart {
    /// Takes in a moment.
    pub(super) fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Whether some cache held an RRset while some process presented a certificate.
    pub(super) fn met(&self, certified: Certified, letter: char) -> bool {
        self.samples.iter().any(|sample| {
            sample.presented.contains(&certified) && sample.cached.contains_key(&letter)
        })
    }

    /// Draws everything.
    pub(super) fn draw(&self, deliveries: &[Delivery], paint: Paint) -> String {
        let (Some(first), Some(last)) = (self.samples.first(), self.samples.last()) else {
            return String::new();
        };
        let (begin, whole) = (first.at, last.at.saturating_sub(first.at).as_millis().max(1));
        let column = |at: Span| -> usize {
            let part = at.saturating_sub(begin).as_millis() * COLUMNS as u64 / whole;
            usize::try_from(part).unwrap_or(0).min(COLUMNS - 1)
        };
        let mut columns: Vec<Vec<&Sample>> = vec![Vec::new(); COLUMNS];
        for sample in &self.samples {
            columns[column(sample.at)].push(sample);
        }
        // A column without a moment of its own is as the one before it.
        for position in 1..COLUMNS {
            if columns[position].is_empty() {
                columns[position] = columns[position - 1].last().copied().into_iter().collect();
            }
        }
        let mut text = axis(whole);
        self.draw_served(&mut text, &columns, paint);
        self.draw_published(&mut text, &columns);
        self.draw_cached(&mut text, &columns);
        self.draw_gate(&mut text, &columns, paint);
        draw_mail(&mut text, deliveries, column, paint);
        text
    }

    /// What the mail server presents: both letters in one column while its processes differ.
    fn draw_served(&self, text: &mut String, columns: &[Vec<&Sample>], paint: Paint) {
        for certified in [Certified::Old, Certified::New] {
            let presents = |s: &&Sample| s.presented.contains(&certified);
            let mark = certified.letter();
            let cells = columns.iter().map(|c| if c.iter().any(presents) { mark } else { ' ' });
            let cells: String = cells.collect();
            let ink = match certified {
                Certified::Old => Ink::Cyan,
                Certified::New => Ink::Magenta,
            };
            let _ = writeln!(text, "  served   {mark}  {}", paint.ink(ink, cells.trim_end()));
        }
    }

    /// What each name server serves.
    fn draw_published(&self, text: &mut String, columns: &[Vec<&Sample>]) {
        let servers = self.samples.first().map_or(0, |sample| sample.published.len());
        for server in 0..servers {
            let cell = |c: &Vec<&Sample>| c.last().map_or(' ', |sample| sample.published[server]);
            let cells: String = columns.iter().map(cell).collect();
            let _ = writeln!(text, "  ns{}         {cells}", server + 1);
        }
    }

    /// What caches hold: a line for each RRset.
    fn draw_cached(&self, text: &mut String, columns: &[Vec<&Sample>]) {
        let mut letters: Vec<char> =
            self.samples.iter().flat_map(|sample| sample.cached.keys().copied()).collect();
        letters.sort_unstable();
        letters.dedup();
        for letter in letters {
            let cell = |c: &Vec<&Sample>| {
                let most = c.iter().filter_map(|s| s.cached.get(&letter)).max();
                match most.copied().unwrap_or(0) {
                    0 => ' ',
                    few if few * 2 < CACHES => letter.to_ascii_lowercase(),
                    _ => letter,
                }
            };
            let cells: String = columns.iter().map(cell).collect();
            let _ = writeln!(text, "  cached   {letter}  {}", cells.trim_end());
        }
    }

    /// When rollover kept the new certificate back.
    fn draw_gate(&self, text: &mut String, columns: &[Vec<&Sample>], paint: Paint) {
        if !self.samples.iter().any(|sample| sample.shut) {
            return;
        }
        let cell = |c: &Vec<&Sample>| if c.iter().any(|sample| sample.shut) { '#' } else { ' ' };
        let cells: String = columns.iter().map(cell).collect();
        let _ = writeln!(text, "  gate shut   {}", paint.ink(Ink::Yellow, cells.trim_end()));
    }
}

/// The line of seconds above the picture.
fn axis(whole: u64) -> String {
    let step = match whole {
        0..12_000 => 2,
        12_000..40_000 => 5,
        _ => 10,
    };
    let mut line = String::new();
    for second in (0_u64..).step_by(step) {
        let position = usize::try_from(second * 1000 * COLUMNS as u64 / whole).unwrap_or(COLUMNS);
        if COLUMNS <= position + 3 {
            break;
        }
        while line.len() < position {
            line.push(' ');
        }
        let _ = write!(line, "{second}s");
    }
    format!("              {line}\n")
}

/// What became of mail.
fn draw_mail(
    text: &mut String,
    deliveries: &[Delivery],
    column: impl Fn(Span) -> usize,
    paint: Paint,
) {
    let mut cells = [' '; COLUMNS];
    for delivery in deliveries {
        let cell = &mut cells[column(delivery.at)];
        match (&delivery.failure, *cell) {
            (Some(_), _) => *cell = 'x',
            (None, ' ') => *cell = '+',
            (None, _) => {}
        }
    }
    let used = cells.iter().rposition(|cell| *cell != ' ').map_or(0, |last| last + 1);
    let mut line = String::new();
    for run in cells[..used].chunk_by(|a, b| a == b) {
        let ink = if run.contains(&'x') { Ink::Red } else { Ink::Green };
        line.push_str(&paint.ink(ink, &run.iter().collect::<String>()));
    }
    let _ = writeln!(text, "  mail        {line}");
    let _ = writeln!(text, "              + delivered  x failed  (small letters: few caches)");
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::sender::Failure;
    use super::*;

    /// What was so at a second: what both processes presented, both name servers, and the caches.
    fn sample(
        second: u64,
        presented: Certified,
        published: char,
        cached: &[(char, usize)],
    ) -> Sample {
        Sample {
            at: Span::from_seconds(1000 + second),
            presented: vec![presented; 2],
            published: vec![published; 2],
            cached: cached.iter().copied().collect(),
            shut: second == 2,
        }
    }

    #[test]
    fn who_served_what_and_what_caches_held_stand_above_each_other() {
        let mut chart = Chart::default();
        chart.add(sample(0, Certified::Old, 'A', &[('A', 32)]));
        chart.add(sample(2, Certified::Old, 'B', &[('A', 20), ('B', 12)]));
        chart.add(sample(4, Certified::New, 'B', &[('B', 32)]));
        chart.add(sample(8, Certified::New, 'B', &[('B', 32)]));
        let delivery =
            |second: u64, failure| Delivery { at: Span::from_seconds(1000 + second), failure };
        let failure = Failure::Other("no".to_owned());
        let deliveries =
            [delivery(0, None), delivery(1, None), delivery(1, Some(failure)), delivery(3, None)];
        expect![[r#"
            the picture
                          0s              2s              4s              6s
              served   O  OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO
              served   N                                  NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN
              ns1         AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB
              ns2         AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB
              cached   A  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
              cached   B                  bbbbbbbbbbbbbbbbBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB
              gate shut                   ################
              mail        +       x               +
                          + delivered  x failed  (small letters: few caches)
        "#]]
        .assert_eq(&format!("the picture\n{}", chart.draw(&deliveries, Paint::Plain)));
        assert!(chart.met(Certified::Old, 'B') && !chart.met(Certified::New, 'A'));
    }
}
