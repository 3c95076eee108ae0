//! One time limit over a whole visit, and the faults that end one.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::time::Sleep;

use crate::time::Span;

/// Why a visit showed nothing that can be relied on.
///
/// `awaited` is what the server owed: its `greeting`, its `answer to EHLO`. The messages stand after
/// the listener's address, and name it no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The system reported an error.
    #[error("no {awaited}: {source}")]
    Broken {
        /// What the server owed.
        awaited: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server hung up.
    #[error("no {awaited}: it closed the connection")]
    Closed {
        /// What the server owed.
        awaited: &'static str,
    },
    /// A line or a reply that does not end.
    #[error("its {awaited} has more than {limit}")]
    Endless {
        /// What the server owed.
        awaited: &'static str,
        /// What it may have at most.
        limit: String,
    },
    /// TLS failed.
    #[error("no TLS: {reason}")]
    Handshake {
        /// In which way.
        reason: String,
    },
    /// More came in the clear than the answer that TLS should have begun after.
    #[error(
        "it sent `{said}` in the clear after its answer to {command}: somebody on the way, or a \
         broken server, injects this"
    )]
    Injected {
        /// The last command.
        command: &'static str,
        /// What came.
        said: String,
    },
    /// Time is up.
    #[error("no {awaited} within {limit}")]
    Late {
        /// What the server owed.
        awaited: &'static str,
        /// How long the whole visit may take.
        limit: Span,
    },
    /// It answered, and not with what was needed.
    #[error("its {awaited} is `{said}`")]
    Refused {
        /// What it answered.
        awaited: &'static str,
        /// The answer.
        said: String,
    },
}

/// A time limit over several steps.
#[derive(Debug)]
pub(super) struct Deadline {
    /// Ready when time is up.
    over: Pin<Box<Sleep>>,
    /// How long it is in all.
    limit: Span,
}

impl Deadline {
    /// A limit that begins now.
    pub(super) fn after(limit: Span) -> Self {
        Self { over: Box::pin(tokio::time::sleep(limit.into())), limit }
    }

    /// Takes one step, as long as there is time.
    pub(super) async fn grant<T>(
        &mut self,
        awaited: &'static str,
        step: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            biased;
            result = step => result.map_err(|source| Fault::Broken { awaited, source }),
            () = &mut self.over => Err(Fault::Late { awaited, limit: self.limit }),
        }
    }
}
