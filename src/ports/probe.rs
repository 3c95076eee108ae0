//! What mail servers present.

use std::fmt;

use async_trait::async_trait;

use crate::rollover::observation::{Listener, Sight};

/// Looks at what listeners present.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Connects several times, with the owner's base domain as SNI and without, and offers only
    /// signatures of the listener's family.
    ///
    /// Never fails: what cannot be found out is part of the sight.
    async fn look(&self, listener: &Listener, protocol: Protocol) -> Sight;
}

/// What is spoken on a port before, or instead of, TLS.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// SMTP with STARTTLS (RFC 3207).
    Smtp,
    /// IMAP with STARTTLS (RFC 9051, section 6.2.1).
    Imap,
    /// POP3 with STLS (RFC 2595, section 4).
    Pop3,
    /// TLS from the first octet.
    Tls,
}

impl Protocol {
    /// What is spoken on a well-known port; `None` for others.
    pub fn of_port(port: u16) -> Option<Self> {
        match port {
            25 | 587 => Some(Self::Smtp),
            465 | 993 | 995 | 443 => Some(Self::Tls),
            143 => Some(Self::Imap),
            110 => Some(Self::Pop3),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Tls => "tls",
        })
    }
}
