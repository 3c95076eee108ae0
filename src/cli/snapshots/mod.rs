//! What operators read, pinned: `status`, `plan`, `history` and the errors, as they stand on a terminal of
//! eighty columns.
//!
//! To change one: change the program, run `UPDATE_EXPECT=1 cargo test --lib snapshots`, and read what came
//! of it as somebody who was woken at three.

mod emergency;
mod errors;
mod pages;
mod passes;
mod plan;
mod stage;
mod status;

use expect_test::Expect;

use super::layout::WIDTH;
use crate::ports::PublishError;
use crate::rollover::action::Request;

/// Holds a text against what is pinned; no line of it may be too long that could have been shorter.
#[track_caller]
fn pin(expected: &Expect, text: &str) {
    for line in text.lines() {
        let words = line.split_whitespace().count();
        let is_excerpt = line.contains(" | ");
        assert!(line.chars().count() <= WIDTH || words == 1 || is_excerpt, "too long: {line}");
        assert_eq!(line, line.trim_end(), "blanks at the end");
    }
    expected.assert_eq(text);
}

/// A change of CA.
fn new_ca() -> Option<Request> {
    Some(Request::NewCa(Some("other".to_owned())))
}

/// A primary that does not know the key.
fn unknown_key() -> PublishError {
    let server = "192.0.2.53:53".to_owned();
    PublishError::BadKey { server, key: "rollover".to_owned() }
}
