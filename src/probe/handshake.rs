//! One TLS handshake: what it showed, or in which way it failed.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, Error, InvalidMessage, ProtocolVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::deadline::{Deadline, Fault};
use super::dialogue::farewell;
use super::report::TlsVersion;
use super::verifier::{PresentationError, client};
use super::visit::{Sni, Visit};
use crate::pki::Chain;

/// How long a server may take to answer a farewell.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// A connection on which a chain was presented, still open.
pub(super) struct Session {
    /// What was presented.
    pub(super) chain: Chain,
    /// Over which version of TLS.
    pub(super) version: TlsVersion,
    /// The connection.
    stream: Box<TlsStream<TcpStream>>,
}

/// How a handshake ended, where it did not fail.
#[derive(Debug)]
pub(super) enum Greeted {
    /// With a chain.
    Presented(Session),
    /// With the server's word that nothing was offered which it could sign.
    NotOffered,
    /// Without a word: it closed the connection. Dovecot does so where others send that alert.
    HungUp {
        /// What the system said.
        reason: String,
    },
}

impl Session {
    /// Shakes hands over a connection on which TLS may begin.
    pub(super) async fn begin(
        stream: TcpStream,
        deadline: &mut Deadline,
        visit: &Visit,
    ) -> Result<Greeted, Fault> {
        let fault = |reason: String| Fault::Handshake { reason };
        let client = client(visit.family, visit.sni).map_err(|error| fault(error.to_string()))?;
        // Without SNI this name goes nowhere; one is needed all the same.
        let name = match visit.sni {
            Sni::Sent => visit.name.as_str(),
            Sni::Omitted => "not-sent.invalid",
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_invalid| fault(format!("`{name}` cannot be sent as SNI")))?;
        let connecting = TlsConnector::from(Arc::new(client)).connect(name, stream);
        let stream = match deadline.grant("end of the TLS handshake", connecting).await {
            Ok(stream) => stream,
            Err(Fault::Broken { awaited, source }) => return explain(awaited, source),
            Err(other) => return Err(other),
        };
        let (_, connection) = stream.get_ref();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
            Some(_) | None => TlsVersion::Tls12,
        };
        let chain = Chain::from_der(connection.peer_certificates().unwrap_or_default())
            .map_err(|error| fault(PresentationError::from(error).to_string()))?;
        Ok(Greeted::Presented(Self { chain, version, stream: Box::new(stream) }))
    }

    /// Takes leave, so that the server logs no lost connection; it is not waited for long.
    pub(super) async fn end(mut self, visit: Visit) {
        let leaving = async {
            if let Some(line) = farewell(visit.protocol, visit.address.port()) {
                self.stream.write_all(line.as_bytes()).await?;
                // To the end: what is left unread makes the system reset the connection.
                tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await?;
            }
            self.stream.shutdown().await
        };
        // Whether it worked changes nothing.
        let _left: Result<io::Result<()>, _> = tokio::time::timeout(FAREWELL_LIMIT, leaving).await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, {})", self.chain.leaf(), self.version)
    }
}

/// What a failed handshake says.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's own words will do for the rest")]
fn explain(awaited: &'static str, error: io::Error) -> Result<Greeted, Fault> {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        let fault = Fault::Broken { awaited, source: error };
        return match &fault {
            Fault::Broken { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Greeted::HungUp { reason: fault.to_string() })
            }
            _ => Err(fault),
        };
    };
    let reason = match tls {
        // The alert for "no acceptable parameters" (RFC 8446, section 6.2). That it was the family,
        // and nothing else, is for the caller to find out.
        Error::AlertReceived(AlertDescription::HandshakeFailure) => return Ok(Greeted::NotOffered),
        Error::AlertReceived(alert) => format!("it refused the handshake (alert {alert:?})"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what came is not TLS; perhaps another protocol is spoken on this port".to_owned()
        }
        Error::Other(other) => match other.0.downcast_ref::<PresentationError>() {
            Some(PresentationError::OtherFamily) => return Ok(Greeted::NotOffered),
            Some(presentation) => presentation.to_string(),
            None => tls.to_string(),
        },
        other => other.to_string(),
    };
    Err(Fault::Handshake { reason })
}
