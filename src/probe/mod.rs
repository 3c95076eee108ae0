//! Looks at what listeners present: each address, each family of keys, with and without SNI, on
//! several connections.
//!
//! [`dialogue`] speaks up to the point where TLS begins, [`handshake`] takes what is presented and
//! accepts any certificate, since an invalid one is worth seeing too. A process seen once says
//! little: servers keep processes with an old certificate beside new ones.

mod dialogue;
mod handshake;

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio::net::TcpStream;

use self::dialogue::DialogueError;
use self::handshake::{Handshake, HandshakeError};
use crate::name::DnsName;
use crate::ports::{Probe, Protocol};
use crate::rollover::observation::{Listener, PresentedChain, Sight};
use crate::time::Span;

/// Connections with the base domain as SNI, in one look.
const WITH_NAME: usize = 3;
/// Connections without SNI: such a client must be shown a chain that fits as well (RFC 7672,
/// section 8.1).
const WITHOUT_NAME: usize = 2;

/// Looks at listeners over the network.
#[derive(Clone, Debug)]
pub struct TlsProbe {
    /// How long one connection may take.
    limit: Span,
}

/// What one connection showed.
enum Seen {
    /// This chain, over this version of TLS.
    Presented(Handshake),
    /// TLS, but no certificate of this family.
    NotOffered,
    /// No TLS.
    NoTls(String),
    /// Nothing that can be relied on.
    Silent(String),
}

impl TlsProbe {
    /// A probe that gives each connection this long.
    pub fn new(limit: Span) -> Self {
        Self { limit }
    }

    /// Makes one connection.
    async fn connect(
        &self,
        listener: &Listener,
        protocol: Protocol,
        name: Option<&DnsName>,
    ) -> Seen {
        let seen = self.talk(listener, protocol, name);
        match tokio::time::timeout(self.limit.into(), seen).await {
            Ok(seen) => seen,
            Err(_) => Seen::Silent(format!("no TLS within {}", self.limit)),
        }
    }

    /// Connects, talks up to TLS, and takes what is presented.
    async fn talk(&self, listener: &Listener, protocol: Protocol, name: Option<&DnsName>) -> Seen {
        let mut stream = match TcpStream::connect(listener.address).await {
            Ok(stream) => stream,
            Err(error) => return Seen::Silent(format!("cannot connect: {error}")),
        };
        match dialogue::up_to_tls(&mut stream, protocol).await {
            Ok(()) => {}
            Err(DialogueError::NotOffered(said)) => return Seen::NoTls(said),
            Err(error) => return Seen::Silent(error.to_string()),
        }
        match handshake::look(stream, name, listener.family, protocol).await {
            Ok(handshake) => Seen::Presented(handshake),
            Err(HandshakeError::NoCertificate) => Seen::NotOffered,
            Err(error) => Seen::Silent(error.to_string()),
        }
    }
}

#[async_trait]
impl Probe for TlsProbe {
    async fn look(&self, listener: &Listener, protocol: Protocol) -> Sight {
        let mut chains = BTreeSet::new();
        let (mut presented, mut not_offered) = (0_u32, 0_u32);
        for number in 0..WITH_NAME + WITHOUT_NAME {
            let name = (number < WITH_NAME).then(|| listener.owner.base());
            match self.connect(listener, protocol, name).await {
                Seen::Presented(handshake) => {
                    tracing::debug!(
                        address = %listener.address, version = handshake.version,
                        key = %handshake.chain.leaf().spki_sha256().short(), "presented"
                    );
                    chains.insert(PresentedChain(handshake.chain));
                    presented += 1;
                }
                Seen::NotOffered => not_offered += 1,
                // One answer that cannot be relied on is enough: what it hides may be the old chain.
                Seen::NoTls(reason) => return Sight::NoTls { reason },
                Seen::Silent(reason) => return Sight::Silent { reason },
            }
        }
        match (presented, not_offered) {
            (0, _) => Sight::NotOffered,
            (_, 0) => Sight::Presented(chains),
            (_, _) => Sight::Silent {
                reason: format!(
                    "it presents an {} certificate on some connections and none on others",
                    listener.family
                ),
            },
        }
    }
}
