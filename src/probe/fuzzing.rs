//! The talk before TLS with a server that says anything at all, without a network: for `fuzz/` alone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::deadline::Deadline;
use super::dialogue::up_to_tls;
use super::lines::Lines;
use crate::ports::Protocol;
use crate::time::Span;

/// Octets that arrive line by line, as those of a server that waits for each command.
struct Said<'a>(&'a [u8]);

impl AsyncRead for Said<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line =
            self.0.iter().position(|octet| *octet == b'\n').map_or(self.0.len(), |end| end + 1);
        let (now, later) = self.0.split_at(line.min(buffer.remaining()));
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

/// Talks with a server that says `octets`, and returns how it ended, in words.
pub async fn talk(octets: &[u8], protocol: Protocol) -> String {
    let stream = tokio::io::join(Said(octets), tokio::io::sink());
    let mut lines = Lines::new(stream, Deadline::after(Span::from_seconds(5)));
    format!("{:?}", up_to_tls(&mut lines, protocol, "fuzz.example").await)
}
