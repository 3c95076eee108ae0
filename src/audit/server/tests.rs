//! What senders meet, from facts made by hand.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::audit::Severity;
use crate::audit::facts::Target;
use crate::dns::{OwnerView, ServerView};
use crate::pki::Chain;
use crate::probe::TlsVersion;
use crate::rollover::observation::{Answer, ServerAddress};
use crate::time::{Span, Ttl};
use crate::tlsa::{Parameters, Record, TlsaOwner};
use support::{NOW, ca, key, self_signed, server as leaf, signed};

#[path = "../../../tests/support/test_pki.rs"]
#[allow(clippy::duplicate_mod, reason = "as in the tests of tlsa::validation")]
mod support;

/// The server's name.
fn host() -> DnsName {
    "mail.example.nl".parse().unwrap()
}

/// A chain under a new CA, and its `2 1 1` and `3 1 1` records.
fn chain() -> (Chain, Vec<Record>) {
    let (ca, ca_key, leaf_key) = (ca("CA"), key(), key());
    let certificate = signed(&leaf(&["mail.example.nl"]), &leaf_key, (&ca, &ca_key));
    let chain = Chain::from_der(&[certificate, self_signed(&ca, &ca_key)]).unwrap();
    let records = vec![
        Parameters::TA_SPKI_SHA256.associate(&chain.certificates()[1]).into(),
        Parameters::EE_SPKI_SHA256.associate(chain.leaf()).into(),
    ];
    (chain, records)
}

/// A chain as it was shown.
fn shown(chain: &Chain) -> Shown {
    let family = KeyFamily::of_spki(chain.leaf().spki());
    Shown { chain: chain.clone(), family, version: TlsVersion::Tls13 }
}

/// What one name server answers.
fn answer(name: &str, records: &[Record]) -> ServerView {
    let address = IpAddr::from(Ipv4Addr::LOCALHOST);
    let rrset = TlsaRrset::new(records.iter().cloned(), Ttl::from_seconds(3600));
    ServerView {
        server: ServerAddress { name: name.parse().unwrap(), address },
        answer: Answer::Secure(rrset),
        signed_until: None,
        is_lame: false,
    }
}

/// The facts of a server with one listener.
fn facts(portrait: Portrait, servers: Vec<ServerView>) -> Facts {
    let owner = TlsaOwner::new(host(), 25).unwrap();
    let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, 25));
    Facts {
        target: Target::smtp(host()),
        addresses: Ok(Resolved {
            records: vec![address],
            aliases: Vec::new(),
            exists: true,
            security: Security::Secure,
        }),
        tlsa: Ok(OwnerView::Seen { target: owner.name().clone(), servers }),
        owner,
        listeners: vec![(SocketAddr::new(address, 25), portrait)],
    }
}

/// A listener that shows one chain to everybody.
fn portrait(chain: &Chain) -> Portrait {
    Portrait { with_sni: Ok(vec![shown(chain)]), without_sni: Ok(shown(chain)), other_family: None }
}

/// The server, judged at `now`.
fn judged(facts: &Facts, now: Timestamp) -> Server {
    let (names, wanted) = (vec![host()], Wanted::TwoRecords);
    Judgement { facts, preference: Some(10), names, wanted, now }.judge()
}

/// The severity of a kind of finding; `None` where there is none.
fn found(server: &Server, code: Code) -> Option<Severity> {
    server.findings.iter().find(|finding| finding.code == code).map(|finding| finding.severity)
}

#[test]
fn clients_without_sni_are_thought_of() {
    let (good, records) = chain();
    let (other, _) = chain();
    let now = Timestamp::from_seconds(NOW);
    let without = |without_sni| {
        let portrait = Portrait { without_sni, ..portrait(&good) };
        judged(&facts(portrait, vec![answer("ns1.example.nl", &records)]), now)
    };
    assert_eq!(without(Ok(shown(&good))).severity(), Severity::Ok);
    let misled = without(Ok(shown(&other)));
    assert_eq!(found(&misled, Code::SniNeeded), Some(Severity::Warning));
    let refused = Trouble::Fails { reason: "it refused the handshake".to_owned() };
    assert_eq!(found(&without(Err(refused)), Code::SniNeeded), Some(Severity::Warning));
}

#[test]
fn the_fewest_records_over_all_answers_and_certificates_count() {
    let (good, records) = chain();
    let (_, other) = chain();
    let now = Timestamp::from_seconds(NOW);
    let late = [records[0].clone(), other[1].clone()];
    let servers = vec![answer("ns1.example.nl", &records), answer("ns2.example.nl", &late)];
    let server = judged(&facts(portrait(&good), servers), now);
    assert_eq!(server.listeners[0].matching_records, Some(1));
    assert_eq!(found(&server, Code::TlsaDiffers), Some(Severity::Warning));
    assert_eq!(found(&server, Code::FitsSome), Some(Severity::Warning));
    // a name server that has none of the records leads senders to do without DANE, and not astray
    let servers = vec![answer("ns1.example.nl", &records), answer("ns2.example.nl", &[])];
    let server = judged(&facts(portrait(&good), servers), now);
    assert_eq!(server.listeners[0].matching_records, Some(2));
    assert_eq!(found(&server, Code::TlsaDiffers), Some(Severity::Warning));
}

#[test]
fn a_certificate_is_due_a_sixth_of_its_life_before_its_end() {
    let (good, records) = chain();
    let facts = facts(portrait(&good), vec![answer("ns1.example.nl", &records)]);
    let before = |days: u64| good.leaf().not_after() - Span::from_seconds(days * 24 * 60 * 60);
    assert_eq!(judged(&facts, before(15)).severity(), Severity::Ok);
    let soon = judged(&facts, before(13));
    assert_eq!(found(&soon, Code::CertificateSoon), Some(Severity::Warning));
    // 3 1 1 goes on when 2 1 1 has ended
    let over = judged(&facts, good.leaf().not_after() + Span::from_seconds(1));
    assert_eq!(found(&over, Code::CertificateExpired), Some(Severity::Warning));
    assert_eq!(found(&over, Code::FitsSome), Some(Severity::Warning));
}

#[test]
fn no_tls_is_critical_where_senders_expect_it_and_a_silent_server_is_not_known() {
    let (good, records) = chain();
    let now = Timestamp::from_seconds(NOW);
    let judged_with = |trouble: Trouble, records: &[Record]| {
        let portrait = Portrait {
            with_sni: Err(trouble.clone()),
            without_sni: Err(trouble),
            other_family: None,
        };
        judged(&facts(portrait, vec![answer("ns1.example.nl", records)]), now)
    };
    let reason = || "STARTTLS is not among its extensions".to_owned();
    let expected = judged_with(Trouble::NoTls { reason: reason() }, &records);
    assert_eq!(found(&expected, Code::StartTlsMissing), Some(Severity::Critical));
    let open = judged_with(Trouble::NoTls { reason: reason() }, &[]);
    assert_eq!(found(&open, Code::StartTlsMissing), Some(Severity::Warning));
    assert_eq!(open.protection, Protection::Open);
    let silent = judged_with(Trouble::Silent { reason: reason() }, &records);
    assert_eq!(silent.severity(), Severity::Unknown);
    assert_eq!(silent.protection, Protection::Protected);
    let unsure =
        Portrait { other_family: Some(Trouble::Silent { reason: reason() }), ..portrait(&good) };
    let unsure = judged(&facts(unsure, vec![answer("ns1.example.nl", &records)]), now);
    assert_eq!(unsure.severity(), Severity::Unknown);
}
