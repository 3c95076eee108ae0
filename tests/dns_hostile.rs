//! Resolvers that lie without DNSSEC, and servers that never end: nothing is believed, and the look ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test measures how long a look takes")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollover::clock::SystemClock;
use rollover::dns::{Anchors, Authority};
use rollover::ports::Dns as _;
use rollover::rollover::observation::OwnerSight;
use rollover::tlsa::TlsaOwner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What a look through this resolver alone comes to: why nothing is known.
async fn unknown_by(resolver: SocketAddr) -> String {
    let authority = Authority::new(&[resolver], Anchors::iana(), Arc::new(SystemClock::new()));
    let owner = TlsaOwner::new("mail.example.nl".parse().unwrap(), 25).unwrap();
    let started = Instant::now();
    let sight = authority.look(&owner, &[]).await;
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
    match sight {
        OwnerSight::Unknown { reason } => reason,
        other @ (OwnerSight::Seen(_) | OwnerSight::Unsigned { .. }) => {
            panic!("believed: {other:?}")
        }
    }
}

/// UDP and TCP on the same port.
async fn sockets() -> (UdpSocket, TcpListener, SocketAddr) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        if let Ok(udp) = UdpSocket::bind(address).await {
            return (udp, tcp, address);
        }
    }
}

/// The answer to a question: its header and question with these flags, and these records.
fn answer(question: &[u8], flags: [u8; 2], answers: u16, records: &[u8]) -> Vec<u8> {
    let name = question[12..].iter().position(|octet| *octet == 0).unwrap();
    let end = 12 + name + 5;
    let mut octets = question[..end].to_vec();
    octets[2..4].copy_from_slice(&flags);
    octets[6..8].copy_from_slice(&answers.to_be_bytes());
    octets[8..12].fill(0);
    octets.extend_from_slice(records);
    octets
}

/// Every name has an SOA record, a DS record and whatever else is asked for, "authenticated" (AD).
#[tokio::test]
async fn a_resolver_that_says_it_has_validated_is_not_believed() {
    let (udp, _tcp, address) = sockets().await;
    let server = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            let question = &buffer[..length];
            let end = 12 + question[12..].iter().position(|octet| *octet == 0).unwrap() + 1;
            let kind = [question[end], question[end + 1]];
            let data: Vec<u8> = match kind {
                // SOA: both names are the root
                [0, 6] => [&[0, 0][..], &[0; 20]].concat(),
                // DNSKEY 257 3 13, and a key of zeros
                [0, 48] => [&[1, 1, 3, 13][..], &[0; 64]].concat(),
                _ => [&[3, 1, 1][..], &[0; 32]].concat(),
            };
            let length = u16::try_from(data.len()).unwrap().to_be_bytes();
            let head = [0xc0, 12, kind[0], kind[1], 0, 1, 0, 0, 0, 60, length[0], length[1]];
            let records = [&head[..], &data].concat();
            let said = answer(question, [0x81, 0xa0], 1, &records);
            udp.send_to(&said, from).await.unwrap();
        }
    });
    let reason = unknown_by(address).await;
    assert_eq!(
        reason,
        "cannot look up keys of .: none of them fits the trust anchor or the DS record above"
    );
    server.abort();
}

/// Datagrams without end, none of which answers the question.
#[tokio::test]
async fn datagrams_without_end_are_waited_out() {
    let (udp, tcp, address) = sockets().await;
    drop(tcp);
    let server = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        let (length, mut from) = udp.recv_from(&mut buffer).await.unwrap();
        let mut said = answer(&buffer[..length], [0x81, 0x80], 0, &[]);
        // Another question's number.
        said[0] ^= 0xff;
        said.resize(60_000, 0);
        loop {
            let _ = udp.send_to(&said, from).await;
            if let Ok((_, another)) = udp.try_recv_from(&mut buffer) {
                from = another;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let reason = unknown_by(address).await;
    assert!(reason.starts_with("cannot look up SOA of _25._tcp.mail.example.nl.: "), "{reason}");
    assert!(reason.contains("resolver 127.0.0.1: "), "{reason}");
    server.abort();
}

/// Cut short over UDP; over TCP an answer of the largest size that comes octet by octet, for ever.
#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let (udp, tcp, address) = sockets().await;
    let over_udp = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            let said = answer(&buffer[..length], [0x83, 0x80], 0, &[]);
            udp.send_to(&said, from).await.unwrap();
        }
    });
    let over_tcp = tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&[0xff, 0xff]).await;
                while stream.write_all(&[0]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
    });
    let reason = unknown_by(address).await;
    assert_eq!(
        reason,
        "cannot look up SOA of _25._tcp.mail.example.nl.: resolver 127.0.0.1: no answer"
    );
    over_udp.abort();
    over_tcp.abort();
}
