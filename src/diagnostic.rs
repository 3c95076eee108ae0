//! Errors in files that people write: where, the line itself, a caret below it, and what to do.
//!
//! A configuration is read to its end and all that is wrong with it is said at once, so these are
//! values in a list, not the first `Err`. The form is that of compilers, `file:line:column: message`,
//! which editors know how to jump to; the advice stands on a line of its own.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file's name and text, for showing lines of it.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name that is shown.
    pub(crate) name: String,
    /// The whole text.
    pub(crate) text: String,
}

/// Octets of a source.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    /// The file.
    pub(crate) source: Arc<Source>,
    /// From where to where.
    pub(crate) span: Range<usize>,
}

/// Something wrong in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// The file's name.
    file: String,
    /// Where in it; `None` where the whole file is meant.
    excerpt: Option<Excerpt>,
    /// What is wrong.
    message: String,
    /// What to do about it.
    hint: Option<String>,
}

/// A line of a file and the part of it that is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Excerpt {
    /// The line's number, from 1.
    line: usize,
    /// The first character that is meant, from 1.
    column: usize,
    /// The line, without tabs and other control characters, which would move the caret.
    text: String,
    /// How many characters are meant; at least 1.
    width: usize,
}

impl Location {
    /// `file:line`, for naming a second place in a message.
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", self.source.name, self.excerpt().line)
    }

    /// Cuts out the line in which this place begins.
    fn excerpt(&self) -> Excerpt {
        let text = &self.source.text;
        let start = floor(text, self.span.start);
        let end = floor(text, self.span.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let meant = text[start..end.min(line_end).max(start)].trim_end();
        Excerpt {
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end]
                .trim_end()
                .replace(char::is_control, " "),
            width: meant.chars().count().max(1),
        }
    }
}

/// The nearest boundary of a character at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

impl Diagnostic {
    /// Something wrong at a place.
    pub(crate) fn at(place: &Location, message: impl Into<String>) -> Self {
        Self {
            file: place.source.name.clone(),
            excerpt: Some(place.excerpt()),
            message: message.into(),
            hint: None,
        }
    }

    /// Something wrong with a file as a whole.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            excerpt: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with advice.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The file it is about.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line and column it is about, from 1; `None` where the whole file is meant.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.excerpt.as_ref().map(|e| (e.line, e.column))
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.excerpt {
            None => write!(f, "{}: {}", self.file, self.message)?,
            Some(excerpt) => {
                let Excerpt {
                    line,
                    column,
                    text,
                    width,
                } = excerpt;
                let number = line.to_string();
                let gutter = " ".repeat(number.len());
                writeln!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
                writeln!(f, "{gutter} |")?;
                writeln!(f, "{number} | {text}")?;
                let (indent, carets) = (" ".repeat(column - 1), "^".repeat(*width));
                write!(f, "{gutter} | {indent}{carets}")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The name among `known` that `written` was probably meant to be: at most a third of it wrong.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// How many characters must be put in, taken out, exchanged, or swapped with the next one.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (i, l) in left.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let mut least = (last[j] + usize::from(l != *r)).min(last[j + 1] + 1);
            least = least.min(row[j] + 1);
            if 0 < j && previous == Some(*r) && right[j - 1] == l {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        previous = Some(l);
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_shown_with_a_caret_below() {
        let source = Arc::new(Source {
            name: "a.toml".to_owned(),
            text: "x = 1\r\nü = \"süß\"\n".to_owned(),
        });
        let start = source.text.find('"').unwrap();
        let place = Location {
            span: start..source.text.len(),
            source,
        };
        let shown = Diagnostic::at(&place, "too sweet").with_hint("take less");
        expect_test::expect![[r#"
            a.toml:2:5: too sweet
              |
            2 | ü = "süß"
              |     ^^^^^
            hint: take less"#]]
        .assert_eq(&shown.to_string());
    }

    #[test]
    fn the_nearest_name_is_found() {
        for (written, expected) in [
            ("letsencrpyt", Some("letsencrypt")),
            ("hous", Some("house")),
            ("cat", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, ["house", "letsencrypt"]), expected);
        }
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
