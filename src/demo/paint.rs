//! Colours, which carry no meaning alone: everything reads the same without them.

use crate::time::Span;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paint {
    /// Text as it is.
    Plain,
    /// ANSI sequences.
    Colours,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ink {
    /// What is less important.
    Faint,
    /// What is more important.
    Strong,
    /// What went well.
    Green,
    /// What did not.
    Red,
    /// What is waited for.
    Yellow,
    /// The old certificate.
    Cyan,
    /// The new certificate.
    Magenta,
}

impl Paint {
    /// A piece of text in a colour.
    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Faint => 2,
            Ink::Strong => 1,
            Ink::Green => 32,
            Ink::Red => 31,
            Ink::Yellow => 33,
            Ink::Cyan => 36,
            Ink::Magenta => 35,
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// A span in seconds and tenths: `12.3s`.
pub(super) fn tenths(span: Span) -> String {
    let tenths = span.as_millis() / 100;
    format!("{}.{}s", tenths / 10, tenths % 10)
}
