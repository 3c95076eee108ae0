//! The shape of what people read: eighty columns, labels in a column of their own, times by the clock
//! and as a distance, and colours that say nothing that no word says.

use std::fmt::Write as _;
use std::io::IsTerminal;

use crate::time::{Span, Timestamp};

/// How wide a line may be.
pub(super) const WIDTH: usize = 80;

/// How far what stands beside a label is from the left.
const FIELD: usize = 11;

/// Whether words are coloured as well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Colours {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// What a word is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// Something is under way, or wants to be looked at.
    Busy,
    /// Something is wrong.
    Bad,
    /// Nobody knows.
    Unknown,
    /// What the eye looks for.
    Strong,
}

impl Colours {
    /// A word in its colour.
    pub(super) fn paint(self, tone: Tone, word: &str) -> String {
        let code = match (self, tone) {
            (Self::Off, _) => return word.to_owned(),
            (Self::On, Tone::Good) => "1;32",
            (Self::On, Tone::Busy) => "1;33",
            (Self::On, Tone::Bad) => "1;31",
            (Self::On, Tone::Unknown) => "1;35",
            (Self::On, Tone::Strong) => "1",
        };
        format!("\x1b[{code}m{word}\x1b[0m")
    }
}

/// Writes words up to the width, the lines after the first indented. What has no blank, such as an
/// address or a path, is never broken.
pub(super) fn wrap(text: &mut String, words: &str, indent: usize) {
    wrap_from(text, words, indent, indent);
}

/// Writes words as [`wrap`] does, where the first line has come as far as `column`.
fn wrap_from(text: &mut String, words: &str, column: usize, indent: usize) {
    let mut column = column;
    for (position, word) in words.split_whitespace().enumerate() {
        let length = word.chars().count();
        if 0 < position && WIDTH < column + 1 + length {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if 0 < position {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

/// Writes a label and what is to be said, each of its lines up to the width. A label that is painted
/// already is as wide as `label`.
pub(super) fn field(text: &mut String, label: &str, painted: &str, words: &str) {
    let _ = write!(text, "  {painted}{:1$}", "", (FIELD - 2).saturating_sub(label.len()));
    for (position, line) in words.lines().enumerate() {
        if 0 < position {
            let _ = write!(text, "{:FIELD$}", "");
        }
        wrap(text, line, FIELD);
    }
}

/// A text for `stream`: on a terminal no line is too long, elsewhere each stays one line, as those who
/// search logs want it.
pub(super) fn shown(text: String, stream: &impl IsTerminal) -> String {
    if stream.is_terminal() { fold(&text) } else { text }
}

/// A text whose lines are too long, each up to the width, what follows indented by four blanks more. The
/// excerpts of a file that stand in it stay as they are: a caret points into them.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::new();
    for line in text.lines() {
        let gutter = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        if line.chars().count() <= WIDTH || gutter.starts_with(" | ") {
            folded.push_str(line);
            folded.push('\n');
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let _ = write!(folded, "{:indent$}", "");
        wrap_from(&mut folded, line, indent, indent + 4);
    }
    folded
}

/// A moment to the second, in UTC.
pub(super) fn clock_time(at: Timestamp) -> String {
    at.to_string().replace('T', " ")
}

/// A moment as an operator reads it off a clock on the wall: without the date where it is today.
pub(super) fn time_of_day(at: Timestamp, now: Timestamp) -> String {
    let text = clock_time(at);
    let today = clock_time(now);
    let (Some((day, time)), Some((this_day, _))) = (text.split_once(' '), today.split_once(' '))
    else {
        return text;
    };
    let time = time.trim_end_matches('Z');
    if day == this_day { format!("{time} UTC") } else { format!("{day} {time} UTC") }
}

/// A moment by the clock and as a distance: `14:05:10 UTC (in 31 min)`.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", time_of_day(at, now), distance(at, now))
}

/// How far a moment is from now, in words.
pub(super) fn distance(at: Timestamp, now: Timestamp) -> String {
    if at == Timestamp::MAX || at == Timestamp::MIN {
        return "at no known time".to_owned();
    }
    if now < at {
        return format!("in {}", rough(at.since(now)));
    }
    match now.since(at).as_seconds() {
        0 => "now".to_owned(),
        _ => format!("{} ago", rough(now.since(at))),
    }
}

/// A span as people say it. Rounded up as far as minutes count: a wait that is announced is never too
/// short.
fn rough(span: Span) -> String {
    let seconds = span.as_seconds();
    let minutes = seconds.div_ceil(60);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7200 => format!("{minutes} min"),
        7201..=172_800 => match (minutes / 60, minutes % 60) {
            (hours, 0) => format!("{hours} h"),
            (hours, rest) => format!("{hours} h {rest} min"),
        },
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_not_wider_than_eighty_columns_but_for_what_cannot_be_broken() {
        let mut text = String::new();
        let words = "word ".repeat(40) + &"x".repeat(90) + " end";
        wrap(&mut text, &words, 14);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH || line.contains("xxx"), "{line}");
        }
        assert!(text.lines().skip(1).all(|line| line.starts_with("              ")), "{text}");
    }

    #[test]
    fn folded_text_keeps_its_shape_and_every_excerpt() {
        let long = "word ".repeat(30);
        let text = format!("rollover: {long}\n  hint: {long}\n  | {long}\n12 | {long}\nshort\n");
        let folded = fold(&text);
        let excerpts = |line: &&str| line.contains(" | ");
        assert!(folded.lines().filter(|l| !excerpts(l)).all(|l| l.chars().count() <= WIDTH));
        assert_eq!(folded.lines().filter(excerpts).count(), 2, "{folded}");
        assert!(folded.contains("\n    word") && folded.contains("\n      word"), "{folded}");
        assert!(folded.ends_with("\nshort\n"), "{folded}");
    }

    #[test]
    fn times_are_by_the_clock_and_as_a_distance() {
        let now = Timestamp::from_seconds(1_800_000_000);
        for (seconds, words) in [
            (0, "08:00:00 UTC (now)"),
            (45, "08:00:45 UTC (in 45 s)"),
            (119, "08:01:59 UTC (in 119 s)"),
            (1860, "08:31:00 UTC (in 31 min)"),
            (1861, "08:31:01 UTC (in 32 min)"),
            (9000, "10:30:00 UTC (in 2 h 30 min)"),
            (57_600, "2027-01-16 00:00:00 UTC (in 16 h)"),
            (4_320_000, "2027-03-06 08:00:00 UTC (in 50 days)"),
            (-1800, "07:30:00 UTC (30 min ago)"),
        ] {
            let at = Timestamp::from_seconds(1_800_000_000 + seconds);
            assert_eq!(moment(at, now), words);
        }
        assert_eq!(moment(Timestamp::MAX, now), "never (at no known time)");
    }
}
