//! The zone's two name servers: real DNS over UDP and TCP, one of them behind the other.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::wire::Carrier;
use super::zone::Zone;
use crate::time::Span;

/// How often another port is tried, where the first is taken at some address.
const PORT_TRIES: u32 = 64;

/// Sockets at one address.
pub(super) struct Sockets {
    /// For datagrams.
    udp: UdpSocket,
    /// For connections.
    tcp: TcpListener,
}

/// Opens the same port at every address, for datagrams and connections.
pub(super) async fn open(addresses: &[Ipv4Addr]) -> io::Result<(u16, Vec<Sockets>)> {
    let mut failure = io::Error::other("there is no address to listen at");
    for _ in 0..PORT_TRIES {
        match try_open(addresses).await {
            Ok(opened) => return Ok(opened),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Opens a port that the system chooses for the first socket.
async fn try_open(addresses: &[Ipv4Addr]) -> io::Result<(u16, Vec<Sockets>)> {
    let (mut port, mut opened) = (0, Vec::new());
    for address in addresses {
        let tcp = TcpListener::bind((*address, port)).await?;
        port = tcp.local_addr()?.port();
        let udp = UdpSocket::bind((*address, port)).await?;
        opened.push(Sockets { udp, tcp });
    }
    Ok((port, opened))
}

impl Sockets {
    /// Answers until the task is ended, with what the zone was `lag` ago.
    pub(super) async fn serve(self, zone: Arc<Zone>, lag: Span) {
        let Self { udp, tcp } = self;
        tokio::join!(datagrams(udp, Arc::clone(&zone), lag), connections(tcp, zone, lag));
    }
}

/// Answers datagrams.
async fn datagrams(socket: UdpSocket, zone: Arc<Zone>, lag: Span) {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        // An error here is about an earlier answer that nobody took.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(answer) = zone.answer((&buffer[..length], Carrier::Udp), lag) {
            let _lost = socket.send_to(&answer, from).await;
        }
    }
}

/// Answers over connections.
async fn connections(listener: TcpListener, zone: Arc<Zone>, lag: Span) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    open.spawn(connection(stream, Arc::clone(&zone), lag));
                }
            }
            Some(_) = open.join_next() => {}
        }
    }
}

/// Answers over one connection until the other side closes it (RFC 1035, section 4.2.2).
async fn connection(mut stream: TcpStream, zone: Arc<Zone>, lag: Span) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await?;
        let Some(answer) = zone.answer((&question, Carrier::Tcp), lag) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await?;
    }
}

/// Asks a server one question over UDP; the answer to it, and to no other.
pub(super) async fn ask(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if buffer[..length].get(..2) == question.get(..2) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}
