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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::demo::wire::{Facts, Signer};
    use crate::name::DnsName;
    use crate::time::Ttl;
    use crate::tlsa::TlsaRrset;

    /// Where the test's server listens.
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 9);

    /// A zone with a TLSA record and a name server.
    fn zone() -> Arc<Zone> {
        let name = |text: &str| -> DnsName { text.parse().unwrap() };
        let facts = Facts {
            servers: vec![(name("ns1.example.nl"), ADDRESS)],
            host: name("mail.example.nl"),
            addresses: vec![Ipv4Addr::new(127, 0, 25, 1)],
            owner: name("_25._tcp.mail.example.nl"),
            ttl: Ttl::from_seconds(3),
        };
        let signer = Signer::generate(&name("example.nl")).unwrap();
        let record = format!("3 1 1 {}", "ab".repeat(32)).parse().unwrap();
        let rrset = TlsaRrset::new([record], Ttl::from_seconds(3));
        Arc::new(Zone::new(facts, signer, Arc::new(SystemClock::new()), rrset))
    }

    /// What BIND's validator makes of the zone.
    #[expect(clippy::disallowed_methods, reason = "a judge that is not our code is a process")]
    async fn delv(anchors: &std::path::Path, port: u16, question: &[&str]) -> String {
        let mut command = tokio::process::Command::new("delv");
        command.arg(format!("@{ADDRESS}")).args(["-p", &port.to_string(), "+root=example.nl"]);
        command.arg("-a").arg(anchors).args(question);
        let output = command.output().await.expect("delv is installed");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn another_validator_accepts_every_answer_and_every_denial() {
        let zone = zone();
        let (port, sockets) = open(&[ADDRESS]).await.unwrap();
        let mut tasks = JoinSet::new();
        for sockets in sockets {
            tasks.spawn(sockets.serve(Arc::clone(&zone), Span::ZERO));
        }
        let anchor = zone.anchor().unwrap();
        let fields: Vec<&str> = anchor.split_ascii_whitespace().collect();
        let [owner, "IN", "DS", tag, algorithm, kind, digest] = fields[..] else {
            panic!("{anchor}")
        };
        let anchors = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "trust-anchors {{ \"{owner}\" static-ds {tag} {algorithm} {kind} \"{digest}\"; }};\n"
        );
        io::Write::write_all(&mut anchors.as_file(), text.as_bytes()).unwrap();
        let denied = "; negative response, fully validated";
        for (question, expected) in [
            (&["_25._tcp.mail.example.nl", "TLSA"][..], "; fully validated"),
            (&["+tcp", "_25._tcp.mail.example.nl", "TLSA"], "; fully validated"),
            (&["example.nl", "NS"], "; fully validated"),
            (&["mail.example.nl", "A"], "; fully validated"),
            // The name is there, and has none.
            (&["mail.example.nl", "AAAA"], denied),
            // The name is between others, with nothing at it.
            (&["_tcp.mail.example.nl", "TLSA"], denied),
            // The name is not there: before all others, between them, and after them.
            (&["_465._tcp.mail.example.nl", "TLSA"], denied),
            (&["a.example.nl", "A"], denied),
            (&["zzz.example.nl", "A"], denied),
            (&["deep.below.ns1.example.nl", "A"], denied),
        ] {
            let answer = delv(anchors.path(), port, question).await;
            assert!(answer.contains(expected), "{question:?}: {answer}");
        }
        let missing = delv(anchors.path(), port, &["a.example.nl", "A"]).await;
        assert!(missing.contains("ncache nxdomain"), "{missing}");
        let between = delv(anchors.path(), port, &["_tcp.mail.example.nl", "TLSA"]).await;
        assert!(between.contains("ncache nxrrset"), "{between}");
    }
}
