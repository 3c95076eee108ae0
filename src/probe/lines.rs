//! A connection read line by line, with limits on everything a server can say.
//!
//! Octets that were read and not asked for end the conversation, wherever they stand. Before TLS
//! anybody on the way can send them, and a client that keeps them takes a forger's words for the
//! server's ([CVE-2011-0411]).
//!
//! [CVE-2011-0411]: https://www.postfix.org/CVE-2011-0411.html

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::deadline::{Deadline, Fault};

/// The longest line in octets: four times what RFC 5321, section 4.5.3.1.5 allows a reply.
const LINE_OCTETS_MAX: usize = 2048;

/// The most lines of one answer.
pub(super) const LINES_MAX: usize = 100;

/// How much of what a server said is quoted.
const QUOTED_CHARS_MAX: usize = 200;

/// A connection on which lines are exchanged.
#[derive(Debug)]
pub(super) struct Lines<S> {
    /// The connection.
    stream: S,
    /// The time that is left for all of it.
    deadline: Deadline,
    /// What was read and not used yet.
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// Reads lines of `stream`, as long as there is time.
    pub(super) fn new(stream: S, deadline: Deadline) -> Self {
        Self { stream, deadline, buffer: Vec::new() }
    }

    /// Sends a command, `awaited` being the answer to it.
    pub(super) async fn send(
        &mut self,
        command: &'static str,
        argument: &str,
        awaited: &'static str,
    ) -> Result<(), Fault> {
        self.expect_silence(command)?;
        let blank = if argument.is_empty() { "" } else { " " };
        let line = format!("{command}{blank}{argument}\r\n");
        self.deadline.grant(awaited, self.stream.write_all(line.as_bytes())).await
    }

    /// Reads one line, and returns it without its end.
    pub(super) async fn line(&mut self, awaited: &'static str) -> Result<String, Fault> {
        loop {
            if let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if LINE_OCTETS_MAX < self.buffer.len() {
                let limit = format!("{LINE_OCTETS_MAX} octets in a line");
                return Err(Fault::Endless { awaited, limit });
            }
            let reading = self.stream.read_buf(&mut self.buffer);
            if self.deadline.grant(awaited, reading).await? == 0 {
                return Err(Fault::Closed { awaited });
            }
        }
    }

    /// Fails where more was read than was asked for before `command`.
    pub(super) fn expect_silence(&self, command: &'static str) -> Result<(), Fault> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let said = quote(&String::from_utf8_lossy(&self.buffer));
        Err(Fault::Injected { command, said })
    }

    /// The connection and the time left, once nothing of it is left unread.
    pub(super) fn into_parts(self) -> (S, Deadline) {
        assert!(self.buffer.is_empty(), "nothing that came in the clear is carried over into TLS");
        (self.stream, self.deadline)
    }

    /// The connection alone, to hang up.
    pub(super) fn abandon(self) -> S {
        self.stream
    }
}

/// What a server said, fit for a terminal and not too long.
pub(super) fn quote(said: &str) -> String {
    let line = said.trim_end();
    let clean = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut quoted: String = clean.take(QUOTED_CHARS_MAX).collect();
    if line.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push_str(" ...");
    }
    quoted
}
