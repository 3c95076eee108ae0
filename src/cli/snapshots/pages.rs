//! The pages for browsers, pinned as files: `tests/pages.rs` looks at these in a browser.

use expect_test::expect_file;

use super::super::status::Status;
use super::super::{check, html};
use super::stage::{Faults, Stage};
use super::{new_ca, unknown_key};
use crate::audit::{Audit, Code, Finding, Kind, ListenerSummary, Protection, Server, Subject};
use crate::ports::Clock as _;
use crate::probe::TlsVersion;
use crate::rollover::action::Request;
use crate::time::Timestamp;
use crate::tlsa::TlsaOwner;

/// The page of these servers.
fn page_of(stages: &[&Stage]) -> String {
    let seen: Vec<_> =
        stages.iter().map(|stage| (stage.host(), stage.preview(None), stage.events())).collect();
    let hosts: Vec<_> = seen
        .iter()
        .map(|(host, report, events)| (Status { spec: host.spec(), report }, events.clone()))
        .collect();
    html::page(&hosts, &stages[0].now())
}

/// A change of CA under way, one that is over, and one that somebody has to mend: never a gap.
#[test]
fn the_page_of_servers_that_are_well_looked_after() {
    let (busy, done) = (Stage::usual(), Stage::new("mx.example.nl", "ncsc"));
    let wrong = Stage::new("a-very-long-name-of-a-mail-server.department.example.nl", "ncsc");
    busy.wait(13_000);
    busy.pass(new_ca());
    busy.wait(1800);
    done.pass(new_ca());
    for _ in 0..4 {
        done.wait(3700);
        done.pass(None);
    }
    wrong.suffer(Faults { refusal: Some(unknown_key()), ..Faults::default() });
    wrong.pass(new_ca());
    wrong.wait(14_800);
    let page = page_of(&[&done, &busy, &wrong]);
    assert!(!page.contains("class=\"gap\""), "no gap");
    expect_file!["../../../tests/pages/status.html"].assert_eq(&page);
}

/// A server that read another client's file for a while, and its records did not fit that.
#[test]
fn the_page_of_a_server_with_a_gap() {
    let stage = Stage::usual();
    stage.read_elsewhere(true);
    stage.wait(600);
    stage.pass(Some(Request::Renew));
    stage.wait(5400);
    let page = page_of(&[&stage]);
    assert!(page.contains("class=\"gap\""), "a gap");
    expect_file!["../../../tests/pages/status-gap.html"].assert_eq(&page);
}

/// A mail server with these findings, and an address that so many of its records fit.
fn server(name: &str, preference: u16, findings: Vec<Finding>, fitting: [usize; 2]) -> Server {
    let owner = TlsaOwner::new(name.parse().unwrap(), 25).unwrap();
    let listener = |(address, fitting)| ListenerSummary {
        address: std::net::SocketAddr::new(address, 25),
        matching_records: Some(fitting),
        versions: vec![TlsVersion::Tls12, TlsVersion::Tls13],
    };
    let addresses = [[192, 0, 2, 25].into(), "2001:db8::25".parse().unwrap()];
    let record = |usage: u8| format!("{usage} 1 1 {}", "0123456789abcdef".repeat(4));
    Server {
        name: name.parse().unwrap(),
        preference: Some(preference),
        owner,
        records: vec![record(2), record(3)],
        protection: Protection::Protected,
        findings,
        listeners: addresses.into_iter().zip(fitting).map(listener).collect(),
        certificates: Vec::new(),
    }
}

/// An audit of a domain that is well, and of one at which some senders do not deliver.
#[test]
fn the_page_of_an_audit() {
    let fits = |address: &str| {
        Finding::ok(Code::FitsAll, "2 1 1 and 3 1 1 fit the certificate").at(address)
    };
    let broken = Finding::critical(Code::FitsNone, "no record fits the certificate of CN=mx2")
        .at("[2001:db8::25]:25");
    let well = Subject {
        name: "example.nl".to_owned(),
        kind: Kind::Domain,
        findings: vec![Finding::ok(Code::ZoneSigned, "the zone is signed")],
        servers: vec![server("mx1.example.nl", 10, vec![fits("192.0.2.25:25")], [2, 2])],
    };
    let bad = Subject {
        name: "a-rather-long-domain-for-mail.example.org".to_owned(),
        kind: Kind::Domain,
        findings: vec![Finding::ok(Code::ZoneSigned, "the zone is signed")],
        servers: vec![server("mx2.example.org", 10, vec![fits("192.0.2.25:25"), broken], [2, 0])],
    };
    let at = Timestamp::from_seconds(1_800_000_000);
    let page = check::html::page(&Audit { at, subjects: vec![well, bad] });
    expect_file!["../../../tests/pages/check.html"].assert_eq(&page);
}
