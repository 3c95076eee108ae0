//! A resolver that lies: it hands on what the true server says, and changes it on the way. What it says
//! of a signed zone is not believed, and what is not believed is named.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use rollover::clock::SystemClock;
use rollover::dns::{Anchors, Authority};
use rollover::ports::Dns as _;
use rollover::tlsa::TlsaOwner;
use tokio::net::UdpSocket;

use crate::World;
use crate::judges::{Verdict, inside, verdict};
use crate::lab::PRIMARY;
use crate::zones::zone;

/// What the liar does to an answer.
type Lie = fn(&mut Message);

/// Hands on questions to the true server, and its answers changed by `lie`.
async fn tell(liar: SocketAddr, lie: Lie) {
    let server: SocketAddr = format!("{PRIMARY}:53").parse().unwrap();
    let socket = UdpSocket::bind(liar).await.unwrap();
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        upstream.send_to(&buffer[..length], server).await.unwrap();
        let length = upstream.recv(&mut buffer).await.unwrap();
        let mut message = Message::from_vec(&buffer[..length]).unwrap();
        lie(&mut message);
        socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
    }
}

/// What a look at `mail.p256.test.` through the liar comes to. Each has an address of its own: what
/// another test starts at the same moment may hold the last one open.
fn seen(world: &World, number: usize, lie: Lie) -> Verdict {
    let liar: SocketAddr = format!("127.0.0.{}:53", 2 + number).parse().unwrap();
    let anchors = Anchors::parse(&world.anchor(".", ".").records()).unwrap();
    inside(&world.namespace, async move {
        let telling = tokio::spawn(tell(liar, lie));
        let authority = Authority::new(&[liar], anchors, Arc::new(SystemClock::new()));
        let owner = TlsaOwner::new("mail.p256.test".parse().unwrap(), 25).unwrap();
        let verdict = verdict(authority.look(&owner, &[]).await);
        telling.abort();
        verdict
    })
}

/// Changes the records of one type in an answer.
fn change(message: &mut Message, kind: RecordType, change: impl Fn(&mut Record)) {
    message.answers.iter_mut().filter(|record| record.record_type() == kind).for_each(change);
}

/// Takes the records of some types out of every section.
fn strip(message: &mut Message, kinds: &[RecordType]) {
    for section in [&mut message.answers, &mut message.authorities] {
        section.retain(|record| !kinds.contains(&record.record_type()));
    }
}

/// Whether an answer is to a question of this type.
fn asks(message: &Message, kind: RecordType) -> bool {
    message.queries.iter().any(|query| query.query_type() == kind)
}

/// Lies, and what is said of each.
const LIES: [(Lie, &str); 7] = [
    (
        |message| strip(message, &[RecordType::RRSIG, RecordType::NSEC]),
        "cannot look up keys of .: . DNSKEY is not signed",
    ),
    (
        |message| {
            if asks(message, RecordType::DS) {
                strip(message, &[RecordType::DS, RecordType::RRSIG, RecordType::NSEC]);
            }
        },
        "cannot look up keys of p256.test.: the signature of the denial of test. DS \
         does not validate: its NSEC or NSEC3 records do not prove it",
    ),
    (
        |message| {
            let elsewhere = Name::from_ascii("liar.test.").unwrap();
            change(message, RecordType::NS, |record| {
                record.data = RData::NS(hickory_proto::rr::rdata::NS(elsewhere.clone()));
            });
        },
        "cannot look up name servers of p256.test.: the signature of p256.test. NS \
         does not validate: key ",
    ),
    (
        |message| {
            let elsewhere = RData::A("127.0.0.99".parse().unwrap());
            change(message, RecordType::A, |record| record.data = elsewhere.clone());
        },
        "its address cannot be looked up: the signature of ns.test. A does not \
         validate: key ",
    ),
    (
        |message| {
            if asks(message, RecordType::A) {
                strip(message, &[RecordType::A, RecordType::RRSIG]);
            }
        },
        "its address cannot be looked up: the signature of the denial of ns.test. A \
         does not validate: its NSEC or NSEC3 records do not prove it",
    ),
    (
        |message| {
            if asks(message, RecordType::AAAA) {
                let host = Name::from_ascii("ns.test.").unwrap();
                let elsewhere = RData::AAAA("::1".parse().unwrap());
                message.answers.push(Record::from_rdata(host, 60, elsewhere));
            }
        },
        "its address cannot be looked up: ns.test. AAAA is not signed",
    ),
    (
        |message| {
            if asks(message, RecordType::AAAA) {
                message.authorities.clear();
            }
        },
        "its address cannot be looked up: the signature of the denial of ns.test. AAAA \
         does not validate: its NSEC or NSEC3 records do not prove it",
    ),
];

#[test]
fn a_resolver_that_lies_about_a_signed_zone_is_not_believed() {
    let zones = vec![
        (zone("."), &[] as &[&str]),
        (zone("test.").more("ns A 127.0.0.1"), &[]),
        (zone("p256.test."), &[]),
    ];
    let world = World::start_with(zones);
    assert_eq!(seen(&world, LIES.len(), |_| ()), Verdict::Secure(1));
    for (number, (lie, told)) in LIES.into_iter().enumerate() {
        let Verdict::Bogus(reason) = seen(&world, number, lie) else {
            panic!("believed: no {told}")
        };
        // Of a key that is new each time only the number is left out.
        assert!(reason == told || told.ends_with("key ") && reason.starts_with(told), "{reason}");
    }
}
