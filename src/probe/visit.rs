//! One connection to a listener, from the first packet to the certificate.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::deadline::{Deadline, Fault};
use super::dialogue::{Opening, farewell, up_to_tls};
use super::handshake::{Greeted, Session};
use super::lines::Lines;
use crate::name::DnsName;
use crate::pki::KeyFamily;
use crate::ports::Protocol;
use crate::time::Span;

/// Whether the server is told which name is wanted ([RFC 6066, section 3]).
///
/// [RFC 6066, section 3]: https://www.rfc-editor.org/rfc/rfc6066#section-3
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sni {
    /// It is, as a DANE client does ([RFC 7672, section 8.1]).
    ///
    /// [RFC 7672, section 8.1]: https://www.rfc-editor.org/rfc/rfc7672#section-8.1
    Sent,
    /// It is not, as some clients still do.
    Omitted,
}

/// What to visit, and how.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// Where to connect.
    pub(super) address: SocketAddr,
    /// What is spoken there.
    pub(super) protocol: Protocol,
    /// The name wanted.
    pub(super) name: DnsName,
    /// Whether that is told.
    pub(super) sni: Sni,
    /// The family of signatures to offer; `None`: all.
    pub(super) family: Option<KeyFamily>,
    /// How to introduce oneself; `None`: by address literal.
    pub(super) ehlo_name: Option<String>,
    /// How long all of it may take.
    pub(super) limit: Span,
}

/// What a visit showed.
#[derive(Debug)]
pub(super) enum Encounter {
    /// A chain. The connection is still open.
    Presented(Session),
    /// TLS, and nothing of this family.
    NotOffered,
    /// The end of the connection in the middle of the handshake.
    HungUp {
        /// What the system said.
        reason: String,
    },
    /// No TLS.
    NoTls {
        /// What was said.
        reason: String,
    },
}

impl Visit {
    /// Makes the visit.
    pub(super) async fn make(&self) -> Result<Encounter, Fault> {
        let mut deadline = Deadline::after(self.limit);
        let stream = deadline.grant("connection", TcpStream::connect(self.address)).await?;
        // Else the farewell waits for the server's leave to send it: 40 ms a connection.
        let _at_once = stream.set_nodelay(true);
        let name = self.ehlo_name.clone().unwrap_or_else(|| address_literal(&stream));
        let mut lines = Lines::new(stream, deadline);
        match up_to_tls(&mut lines, self.protocol, &name).await {
            Ok(Opening::Ready) => {}
            Ok(Opening::NoTls { reason }) => {
                self.hang_up(lines).await;
                return Ok(Encounter::NoTls { reason });
            }
            Err(fault) => {
                if matches!(fault, Fault::Refused { .. }) {
                    self.hang_up(lines).await;
                }
                return Err(fault);
            }
        }
        let (stream, mut deadline) = lines.into_parts();
        match Session::begin(stream, &mut deadline, self).await? {
            Greeted::Presented(session) => Ok(Encounter::Presented(session)),
            Greeted::NotOffered => Ok(Encounter::NotOffered),
            Greeted::HungUp { reason } => Ok(Encounter::HungUp { reason }),
        }
    }

    /// Takes leave in the clear. One small write to a live connection does not wait, and what
    /// becomes of it is not of interest.
    async fn hang_up(&self, lines: Lines<TcpStream>) {
        let mut stream = lines.abandon();
        if let Some(line) = farewell(self.protocol, self.address.port()) {
            let _ignored = stream.write_all(line.as_bytes()).await;
        }
    }
}

/// The near end's address, as a client without a name introduces itself ([RFC 5321, section
/// 4.1.3]). A bare label would be refused by many servers (504).
///
/// [RFC 5321, section 4.1.3]: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3
fn address_literal(stream: &TcpStream) -> String {
    match stream.local_addr() {
        Ok(SocketAddr::V4(near)) => format!("[{}]", near.ip()),
        Ok(SocketAddr::V6(near)) => format!("[IPv6:{}]", near.ip()),
        Err(_) => "[127.0.0.1]".to_owned(),
    }
}
