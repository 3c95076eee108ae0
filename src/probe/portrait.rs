//! What senders of all kinds are shown at one address: each key family, with SNI and without.
//!
//! A rollover looks for every chain that some process may still present, and so connects often; an
//! audit wants to know what there is, at many addresses. It makes three visits: two that offer
//! everything, with SNI and without, and one that offers only what the first was not shown.

use std::net::SocketAddr;

use super::deadline::Fault;
use super::handshake::Session;
use super::look::TlsProbe;
use super::report::TlsVersion;
use super::visit::{Encounter, Sni, Visit};
use crate::pki::{Chain, KeyFamily};
use crate::ports::Protocol;
use crate::tlsa::TlsaOwner;

/// What senders are shown at one address.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// What a client that sends the base domain as SNI is shown, a chain for each key family.
    pub with_sni: Result<Vec<Shown>, Trouble>,
    /// What one that sends no SNI is shown.
    pub without_sni: Result<Shown, Trouble>,
    /// Why it is not known whether there is a chain of the other key family.
    pub other_family: Option<Trouble>,
}

/// A chain that was presented.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// The chain.
    pub chain: Chain,
    /// The family of its key; `None` where it is neither.
    pub family: Option<KeyFamily>,
    /// Over which version of TLS.
    pub version: TlsVersion,
}

/// Why no chain was presented. The reasons stand after the address, and name it no more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It answers, and offers no TLS.
    NoTls {
        /// What it said instead.
        reason: String,
    },
    /// It offers TLS, and TLS does not come about.
    Fails {
        /// What happened.
        reason: String,
    },
    /// It cannot be said what is there: nobody answers, or somebody who wants nothing to do with
    /// this client.
    Silent {
        /// What happened.
        reason: String,
    },
}

impl Trouble {
    /// What happened.
    pub fn reason(&self) -> &str {
        match self {
            Self::NoTls { reason } | Self::Fails { reason } | Self::Silent { reason } => reason,
        }
    }
}

impl TlsProbe {
    /// Looks at what is presented at an address for a TLSA owner, to clients of all kinds.
    pub async fn portray(
        &self,
        owner: &TlsaOwner,
        address: SocketAddr,
        protocol: Protocol,
    ) -> Portrait {
        let _seats = self.seats(address.ip()).await;
        let settings = self.settings();
        let visit = |sni, family| Visit {
            address,
            protocol,
            name: owner.base().clone(),
            sni,
            family,
            ehlo_name: settings.ehlo_name.clone(),
            limit: settings.limit,
        };
        let (with, without) =
            tokio::join!(show(visit(Sni::Sent, None)), show(visit(Sni::Omitted, None)));
        let mut portrait = Portrait {
            with_sni: with.map(|shown| vec![shown]),
            without_sni: without,
            other_family: None,
        };
        let Ok(shown) = &mut portrait.with_sni else { return portrait };
        let other = match shown[0].family {
            Some(KeyFamily::Ecdsa) => KeyFamily::Rsa,
            Some(KeyFamily::Rsa) => KeyFamily::Ecdsa,
            None => return portrait,
        };
        match show(visit(Sni::Sent, Some(other))).await {
            Ok(second) => shown.push(second),
            // TLS worked a moment ago: that it does not for this family means that there is none.
            Err(Trouble::Fails { .. }) => {}
            Err(trouble) => portrait.other_family = Some(trouble),
        }
        portrait
    }
}

/// Makes a visit to its end.
async fn show(visit: Visit) -> Result<Shown, Trouble> {
    match visit.make().await {
        Ok(Encounter::Presented(session)) => {
            let shown = Shown::of(&session);
            session.end(visit).await;
            Ok(shown)
        }
        Ok(Encounter::NotOffered) => Err(Trouble::Fails {
            reason: "it refuses the handshake: it may know only versions of TLS or cipher suites \
                     that are no longer in use"
                .to_owned(),
        }),
        Ok(Encounter::HungUp { reason }) => Err(Trouble::Fails { reason }),
        Ok(Encounter::NoTls { reason }) => Err(Trouble::NoTls { reason }),
        Err(fault) => Err(trouble(&fault)),
    }
}

impl Shown {
    /// What a session showed.
    fn of(session: &Session) -> Self {
        let chain = session.chain.clone();
        let family = KeyFamily::of_spki(chain.leaf().spki());
        Self { chain, family, version: session.version }
    }
}

/// What a fault says of the listener.
fn trouble(fault: &Fault) -> Trouble {
    /// What is awaited once the server has offered TLS.
    const AFTER_THE_OFFER: [&str; 3] =
        ["answer to STARTTLS", "answer to STLS", "end of the TLS handshake"];
    let reason = fault.to_string();
    let awaited = match fault {
        Fault::Handshake { .. } | Fault::Injected { .. } => return Trouble::Fails { reason },
        Fault::Broken { awaited, .. }
        | Fault::Closed { awaited }
        | Fault::Endless { awaited, .. }
        | Fault::Late { awaited, .. }
        | Fault::Refused { awaited, .. } => awaited,
    };
    match AFTER_THE_OFFER.contains(awaited) {
        true => Trouble::Fails { reason },
        false => Trouble::Silent { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn what_fails_after_the_offer_is_a_failure_of_tls_and_what_fails_before_is_silence() {
        let late = |awaited| trouble(&Fault::Late { awaited, limit: Span::from_seconds(1) });
        assert!(matches!(late("connection"), Trouble::Silent { .. }));
        assert!(matches!(late("greeting"), Trouble::Silent { .. }));
        assert!(matches!(late("end of the TLS handshake"), Trouble::Fails { .. }));
        let said = "454 4.7.0 TLS not available due to local problem".to_owned();
        let refused = trouble(&Fault::Refused { awaited: "answer to STARTTLS", said });
        assert!(matches!(&refused, Trouble::Fails { reason } if reason.contains("454")));
    }
}
