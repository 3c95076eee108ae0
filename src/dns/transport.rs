//! One question to one server: over UDP, and over TCP where the answer is cut short or lost.

use std::net::SocketAddr;

use hickory_proto::op::{Edns, Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::time::Span;

/// The payload that is offered for UDP: what passes everywhere unfragmented (DNS flag day 2020).
const PAYLOAD: u16 = 1232;
/// How long an answer over UDP may take, before the question is repeated.
const UDP_LIMIT: Span = Span::from_millis(1000);
/// How often a question is sent over UDP.
const UDP_TRIES: u32 = 2;
/// How long an exchange over TCP may take.
const TCP_LIMIT: Span = Span::from_millis(2500);

/// Who is to do the work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Recursion {
    /// The server answers from its own zones.
    Off,
    /// The server finds the answer, and leaves its validation to us (CD).
    Desired,
    /// The server finds the answer, and says whether it validated it (AD).
    Validated,
}

/// Why no answer came.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum TransportError {
    /// No connection: nothing was sent.
    #[error("cannot connect over TCP: {0}")]
    Connect(String),
    /// The connection broke, or there was an answer that is none.
    #[error("{0}")]
    Broken(String),
    /// Nothing came in time.
    #[error("no answer")]
    TimeOut,
}

/// Asks one server one question.
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursion: Recursion,
) -> Result<Message, TransportError> {
    let mut message = Message::query();
    message.metadata.recursion_desired = recursion != Recursion::Off;
    message.metadata.authentic_data = recursion == Recursion::Validated;
    message.metadata.checking_disabled = recursion == Recursion::Desired;
    message.add_query(Query::query(name.clone(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_version(0).set_dnssec_ok(true);
    message.set_edns(edns);
    for _ in 0..UDP_TRIES {
        match over_udp(server, &message).await {
            Ok(answer) if answer.metadata.truncation => break,
            Ok(answer) => return Ok(answer),
            // A port that refuses, and one that says nothing, may still answer over TCP.
            Err(TransportError::Broken(_)) => break,
            Err(TransportError::TimeOut | TransportError::Connect(_)) => {}
        }
    }
    let octets = encode(&message)?;
    let answer = over_tcp(server, &octets, TCP_LIMIT).await?;
    let answer = Message::from_vec(&answer).map_err(broken)?;
    match answers(&message, &answer) {
        true => Ok(answer),
        false => Err(TransportError::Broken("it answered another question".to_owned())),
    }
}

/// A message as octets.
pub(super) fn encode(message: &Message) -> Result<Vec<u8>, TransportError> {
    message.to_vec().map_err(broken)
}

/// An error in words.
fn broken(error: impl std::fmt::Display) -> TransportError {
    TransportError::Broken(error.to_string())
}

/// Whether a message answers a question: anybody can send a datagram.
fn answers(question: &Message, answer: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.queries == question.queries
}

/// Sends a question in one datagram and waits for its answer.
async fn over_udp(server: SocketAddr, message: &Message) -> Result<Message, TransportError> {
    let octets = encode(message)?;
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let exchange = async {
        let socket = UdpSocket::bind(any).await.map_err(broken)?;
        socket.connect(server).await.map_err(broken)?;
        socket.send(&octets).await.map_err(broken)?;
        let mut buffer = vec![0; usize::from(u16::MAX)];
        loop {
            let length = socket.recv(&mut buffer).await.map_err(broken)?;
            // What cannot be read or answers nothing was sent by somebody else: wait on.
            if let Ok(answer) = Message::from_vec(&buffer[..length])
                && answers(message, &answer)
            {
                return Ok(answer);
            }
        }
    };
    match tokio::time::timeout(UDP_LIMIT.into(), exchange).await {
        Ok(result) => result,
        Err(_) => Err(TransportError::TimeOut),
    }
}

/// Sends octets over TCP and returns the octets of the answer (RFC 1035, section 4.2.2).
pub(super) async fn over_tcp(
    server: SocketAddr,
    octets: &[u8],
    limit: Span,
) -> Result<Vec<u8>, TransportError> {
    let length = u16::try_from(octets.len()).map_err(broken)?;
    let connecting = tokio::time::timeout(limit.into(), TcpStream::connect(server));
    let mut stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(TransportError::Connect(error.to_string())),
        Err(_) => return Err(TransportError::Connect(format!("no answer within {limit}"))),
    };
    let exchange = async {
        let framed = [&length.to_be_bytes()[..], octets].concat();
        stream.write_all(&framed).await.map_err(broken)?;
        let length = stream.read_u16().await.map_err(broken)?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.map_err(broken)?;
        Ok(answer)
    };
    match tokio::time::timeout(limit.into(), exchange).await {
        Ok(result) => result,
        Err(_) => Err(TransportError::TimeOut),
    }
}
