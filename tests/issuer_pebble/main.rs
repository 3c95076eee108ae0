//! The ACME issuer against a real Pebble, and against servers that misbehave.
//!
//! Each test has a Pebble, a zone and a state directory of its own. Pebble forgets everything when
//! it is restarted, refuses nonces on purpose, and counts in its log what it issued: that log, and
//! not what the issuer believes, says how often an order was filled.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without may panic")]

mod abilities;
mod account;
mod front;
mod hostile;
mod pebble;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use front::{Action, Front, Identity, answer};
use pebble::{Pebble, free_address};
use rollover::config::{AcmeConfig, AnchorChoice, KnownAnchors, ProofConfig};
use rollover::issuer::{Acme, Limits, Listeners, Surroundings};
use rollover::keys::PrivateKey;
use rollover::pki::{Chain, KeyType};
use rollover::ports::{Blame, IssueError, Issuer, Order, Remedy, Revocation};
use rollover::time::Span;
use tempfile::TempDir;
use world::{RealClock, Zone};

/// No random behaviour: for tests that count.
const CALM: [(&str, &str); 2] = [("PEBBLE_WFE_NONCEREJECT", "0"), ("PEBBLE_AUTHZREUSE", "0")];

/// A Pebble, a front before it, a zone, and a state directory.
struct Lab {
    identity: Identity,
    pebble: Pebble,
    front: Front,
    zone: Arc<Zone>,
    state: TempDir,
}

impl Lab {
    async fn start(environment: &[(&'static str, &'static str)]) -> Self {
        Self::start_with(environment, serde_json::Value::Null).await
    }

    async fn start_with(
        environment: &[(&'static str, &'static str)],
        settings: serde_json::Value,
    ) -> Self {
        let identity = Identity::new();
        let (certificate, key) = (identity.certificate(), identity.key());
        let pebble = Pebble::start(&certificate, &key, environment, &settings).await;
        Self {
            front: Front::start(&identity, Some(pebble.address)).await,
            zone: Arc::new(Zone::new(Some(pebble.challenges))),
            state: tempfile::tempdir().unwrap(),
            pebble,
            identity,
        }
    }

    fn config(&self) -> AcmeConfig {
        config(&self.identity, &format!("https://{}/dir", self.front.address))
    }

    /// An issuer as a new process would have it.
    fn acme(&self) -> Acme {
        self.acme_with(&self.config())
    }

    fn acme_with(&self, config: &AcmeConfig) -> Acme {
        acme(config, self.state.path(), &self.zone, brisk())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.state.path().join(name)
    }

    /// Issues until the front or the zone hangs, then drops everything: a crash. Says whether it
    /// came to that.
    async fn crash(&self, order: &Order) -> bool {
        let acme = self.acme();
        tokio::select! {
            outcome = acme.issue(order) => {
                outcome.unwrap();
                false
            }
            () = self.front.hanging() => true,
            () = self.zone.hanging.notified() => true,
        }
    }
}

/// Looks often: a Pebble does not mind.
fn brisk() -> Limits {
    Limits { look: Span::from_millis(20), ..Limits::default() }
}

fn config(identity: &Identity, directory_url: &str) -> AcmeConfig {
    AcmeConfig {
        directory_url: directory_url.to_owned(),
        contact: vec!["mailto:hostmaster@example.nl".to_owned()],
        ca_file: Some(identity.root()),
        proof: ProofConfig::Dns,
        profile: None,
        preferred_chain: None,
        external_account: None,
        trust_anchor: AnchorChoice::IssuingCa,
        known_anchors: Vec::new(),
    }
}

fn acme(config: &AcmeConfig, state: &Path, zone: &Arc<Zone>, limits: Limits) -> Acme {
    let around = Surroundings {
        state_dir: state.to_owned(),
        publisher: zone.clone(),
        dns: zone.clone(),
        ignored_name_servers: Vec::new(),
        listeners: Listeners::default(),
        clock: Arc::new(RealClock::start()),
    };
    Acme::new("pebble", config, around, limits).unwrap()
}

fn order(id: &str, key_type: KeyType, names: &[&str]) -> Order {
    Order {
        replaces: None,
        id: id.to_owned(),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        key: PrivateKey::generate(key_type).unwrap(),
    }
}

fn mail(id: &str) -> Order {
    order(id, KeyType::EcdsaP256, &["mail.example.nl"])
}

fn check(acme: &Acme, order: &Order, chain: &Chain) {
    assert_eq!(chain.leaf().spki(), order.key.spki());
    let mut names: Vec<&str> = order.names.iter().map(|n| n.as_str()).collect();
    names.sort_unstable();
    let mut found = chain.leaf().dns_names().to_vec();
    found.sort_unstable();
    assert_eq!(found, names);
    let anchor = acme.trust_anchor(chain).unwrap();
    assert_eq!(&anchor, &chain.certificates()[1]);
    assert_eq!(anchor.subject(), chain.leaf().issuer());
}

#[tokio::test]
async fn certificates_of_both_families_and_with_several_names_are_issued() {
    let lab = Lab::start(&[]).await;
    let acme = lab.acme();
    let ecdsa = order("a-1", KeyType::EcdsaP384, &["mail.example.nl", "mx.example.nl"]);
    let rsa = order("a-2", KeyType::Rsa2048, &["mail.example.nl"]);
    let chain = acme.issue(&ecdsa).await.unwrap();
    check(&acme, &ecdsa, &chain);
    let chain = acme.issue(&rsa).await.unwrap();
    check(&acme, &rsa, &chain);
    assert!(lab.zone.records().is_empty(), "{:?}", lab.zone.records());

    // Asked again, the chain comes from the disk: Pebble need not even be there.
    lab.front.plan(|_, _| unreachable!("nobody is to be asked"));
    assert_eq!(lab.acme().issue(&rsa).await.unwrap(), chain);
    assert_eq!(lab.pebble.issued(), 2);
}

#[tokio::test]
async fn orders_side_by_side_share_one_account() {
    let lab = Lab::start(&CALM).await;
    let acme = lab.acme();
    let side =
        |name| order(&format!("s-{name}"), KeyType::EcdsaP256, &[&format!("{name}.example.nl")]);
    let orders = [side("a"), side("b"), side("c")];
    let (a, b, c) =
        tokio::join!(acme.issue(&orders[0]), acme.issue(&orders[1]), acme.issue(&orders[2]));
    for (order, chain) in orders.iter().zip([a, b, c]) {
        check(&acme, order, &chain.unwrap());
    }
    assert_eq!(lab.front.seen().iter().filter(|l| l.contains("sign-me-up")).count(), 1);
}

#[tokio::test]
async fn a_third_of_all_nonces_refused_stops_nothing() {
    let lab = Lab::start(&[("PEBBLE_WFE_NONCEREJECT", "30")]).await;
    for number in 0..4 {
        let order = mail(&format!("n-{number}"));
        let acme = lab.acme();
        check(&acme, &order, &acme.issue(&order).await.unwrap());
    }
    assert_eq!(lab.pebble.issued(), 4);
}

/// Stops at the request that `is_it` recognises by its number and first line, as `action` says, and goes on
/// with a new issuer on the same state directory. Returns which request that was, if there was one.
async fn crash_at(
    lab: &mut Lab,
    name: &str,
    action: fn() -> Action,
    mut is_it: impl FnMut(usize, &str) -> bool + Send + 'static,
) -> Option<String> {
    lab.state = tempfile::tempdir().unwrap();
    let issued = lab.pebble.issued();
    let order = mail(&format!("crash-{name}"));
    lab.front.plan(move |n, line| if is_it(n, line) { action() } else { Action::Pass });
    if !lab.crash(&order).await {
        return None;
    }
    let stopped_at = lab.front.seen().last().cloned();
    lab.front.plan(|_, _| Action::Pass);
    let acme = lab.acme();
    let chain = acme.issue(&order).await;
    let chain = chain.unwrap_or_else(|e| panic!("after {stopped_at:?}: {e}"));
    check(&acme, &order, &chain);
    assert_eq!(lab.pebble.issued(), issued + 1, "after {stopped_at:?}");
    assert!(lab.zone.records().is_empty(), "after {stopped_at:?}");
    stopped_at
}

/// Stops at each request in turn. How often a CA is asked whether it is done differs from one order to
/// the next: what was missed for that is stopped at by its name.
async fn crash_at_each_request(action: fn() -> Action) {
    let mut lab = Lab::start(&CALM).await;
    let mut stopped_at = Vec::new();
    for number in 1.. {
        let is_it = move |n: usize, _: &str| n == number;
        let Some(line) = crash_at(&mut lab, &number.to_string(), action, is_it).await else {
            break;
        };
        stopped_at.push(line);
    }
    for step in ["/dir", "nonce-plz", "sign-me-up", "order-plz", "chalZ", "finalize-order", "certZ"]
    {
        if !stopped_at.iter().any(|line| line.contains(step)) {
            let is_it = move |_: usize, line: &str| line.contains(step);
            let name = step.trim_start_matches('/').to_ascii_lowercase();
            let line = crash_at(&mut lab, &name, action, is_it).await;
            assert!(line.is_some(), "{step}: {stopped_at:?}");
        }
    }
}

#[tokio::test]
async fn a_crash_before_any_request_leads_to_one_certificate() {
    crash_at_each_request(|| Action::HangBefore).await;
}

#[tokio::test]
async fn a_crash_after_any_request_leads_to_one_certificate() {
    crash_at_each_request(|| Action::HangAfter).await;
}

#[tokio::test]
async fn a_crash_while_the_proof_is_in_the_dns_leaves_nothing_there_in_the_end() {
    let lab = Lab::start(&CALM).await;
    let order = mail("txt");
    lab.zone.hangs.store(true, Ordering::SeqCst);
    assert!(lab.crash(&order).await);
    assert_eq!(lab.zone.records().len(), 1);
    lab.zone.hangs.store(false, Ordering::SeqCst);
    lab.acme().issue(&order).await.unwrap();
    assert!(lab.zone.records().is_empty());
    assert_eq!(lab.pebble.issued(), 1);
    assert_eq!(lab.front.seen().iter().filter(|l| l.contains("order-plz")).count(), 1);
}

#[tokio::test]
async fn a_proof_that_could_not_be_removed_is_removed_the_next_time() {
    let lab = Lab::start(&CALM).await;
    let order = mail("left");
    lab.zone.refuses_removal.store(true, Ordering::SeqCst);
    lab.acme().issue(&order).await.unwrap();
    assert_eq!(lab.zone.records().len(), 1);
    lab.zone.refuses_removal.store(false, Ordering::SeqCst);
    lab.acme().issue(&order).await.unwrap();
    assert!(lab.zone.records().is_empty());
}

#[tokio::test]
async fn lost_answers_are_outlasted_without_ordering_twice() {
    let lab = Lab::start(&CALM).await;
    let mut broken = std::collections::BTreeSet::new();
    // The answer to each kind of request is lost once.
    lab.front.plan(move |_, line| {
        let kind = line.split('/').nth(1).unwrap_or_default().to_owned();
        let kind = kind.split(' ').next().unwrap_or_default().to_owned();
        if broken.insert(kind) { Action::BreakAfter } else { Action::Pass }
    });
    let order = mail("lost");
    let mut outcome = lab.acme().issue(&order).await;
    for _ in 0..5 {
        if outcome.is_err() {
            outcome = lab.acme().issue(&order).await;
        }
    }
    outcome.unwrap();
    assert_eq!(lab.pebble.issued(), 1);
}

#[tokio::test]
async fn a_ca_that_forgot_account_and_order_gets_both_again() {
    let mut lab = Lab::start(&CALM).await;
    let first = mail("before");
    lab.acme().issue(&first).await.unwrap();
    let key = std::fs::read(lab.path("accounts/pebble.key")).unwrap();

    // In the middle of an order: its URL is on disk, and the CA knows of nothing.
    let second = mail("across");
    lab.zone.hangs.store(true, Ordering::SeqCst);
    assert!(lab.crash(&second).await);
    lab.zone.hangs.store(false, Ordering::SeqCst);
    lab.pebble.restart().await;
    let acme = lab.acme();
    check(&acme, &second, &acme.issue(&second).await.unwrap());
    assert_eq!(lab.pebble.issued(), 2);
    assert!(lab.zone.records().is_empty());
    let record = std::fs::read_to_string(lab.path("orders/across.json")).unwrap();
    assert!(record.contains("given-up") && record.contains("reason"), "{record}");
    assert_eq!(std::fs::read(lab.path("accounts/pebble.key")).unwrap(), key);

    // And under an issuer that holds the session open all along.
    lab.pebble.restart().await;
    let third = mail("after");
    check(&acme, &third, &acme.issue(&third).await.unwrap());
}

#[tokio::test]
async fn a_refused_proof_is_reported_with_what_the_ca_said_and_replaced_the_next_time() {
    let lab = Lab::start(&CALM).await;
    // The zone believes that it is published, and the CA finds nothing.
    let blind = Arc::new(Zone::new(None));
    let order = mail("refused");
    let error =
        acme(&lab.config(), lab.state.path(), &blind, brisk()).issue(&order).await.unwrap_err();
    assert!(error.message.contains("did not accept the proof for mail.example.nl"), "{error}");
    assert!(error.message.contains("No TXT records found"), "{error}");
    assert!(matches!(error.remedy, Remedy::RetryLater { .. }), "{error:?}");
    assert_eq!(error.blame, Blame::Surroundings, "the CA is right");
    assert!(blind.records().is_empty());
    lab.acme().issue(&order).await.unwrap();
    assert_eq!(lab.pebble.issued(), 1);
}

#[tokio::test]
async fn a_name_server_that_lags_is_waited_for_and_then_named() {
    let lab = Lab::start(&CALM).await;
    lab.zone.lags.store(true, Ordering::SeqCst);
    let limits = Limits { propagation: Span::from_millis(600), ..brisk() };
    let order = mail("lag");
    let error =
        acme(&lab.config(), lab.state.path(), &lab.zone, limits).issue(&order).await.unwrap_err();
    assert!(error.message.contains("not every name server of example.nl served"), "{error}");
    assert!(matches!(error.remedy, Remedy::RetryLater { .. }));
    assert_eq!(error.blame, Blame::Surroundings);
    assert!(lab.zone.records().is_empty());

    // The same order goes on once it has caught up: the CA was never called to look in vain.
    lab.zone.lags.store(false, Ordering::SeqCst);
    lab.acme().issue(&order).await.unwrap();
    assert_eq!(lab.front.seen().iter().filter(|l| l.contains("order-plz")).count(), 1);
}

#[tokio::test]
async fn a_certificate_is_revoked_and_once_more() {
    let lab = Lab::start(&[]).await;
    let acme = lab.acme();
    let order = mail("revoke");
    let chain = acme.issue(&order).await.unwrap();
    for _ in 0..2 {
        let revoked = acme.revoke(chain.leaf(), &order.key).await;
        assert_eq!(revoked, Ok(Revocation::Revoked));
    }
    assert!(lab.pebble.log().contains("revoke"), "{}", lab.pebble.log());
}

#[tokio::test]
async fn changed_contacts_are_told() {
    let lab = Lab::start(&CALM).await;
    lab.acme().issue(&mail("c-1")).await.unwrap();
    let mut config = lab.config();
    config.contact = vec!["mailto:postmaster@example.nl".to_owned()];
    lab.front.plan(|_, _| Action::Pass);
    lab.acme_with(&config).issue(&mail("c-2")).await.unwrap();
    assert_eq!(lab.front.seen().iter().filter(|l| l.contains("my-account")).count(), 1);
    lab.front.plan(|_, _| Action::Pass);
    lab.acme_with(&config).issue(&mail("c-3")).await.unwrap();
    assert_eq!(lab.front.seen().iter().filter(|l| l.contains("my-account")).count(), 0);
    let record = std::fs::read_to_string(lab.path("accounts/pebble.json")).unwrap();
    assert!(record.contains("postmaster"), "{record}");
}

#[tokio::test]
async fn a_root_that_is_not_sent_is_added_once_it_is_known() {
    let lab = Lab::start(&[("PEBBLE_CHAIN_LENGTH", "3")]).await;
    let mut config = lab.config();
    config.trust_anchor = AnchorChoice::Root;
    let order = mail("root-1");
    let error = lab.acme_with(&config).issue(&order).await.unwrap_err();
    assert!(error.message.contains("the CA does not send the root above CN=Pebble"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);

    let root = lab.path("root.pem");
    let text = lab.front.fetch(lab.pebble.management, "/roots/0").await;
    rollover::durable::write_private(&root, text.as_bytes()).unwrap();
    config.known_anchors = vec![KnownAnchors::File(root)];
    let acme = lab.acme_with(&config);
    let known = acme.known_anchors();
    let chain = acme.issue(&order).await.unwrap();
    assert_eq!(chain.certificates().len(), 5, "the leaf, three CAs, and the root");
    assert_eq!(acme.trust_anchor(&chain).as_ref(), Some(&known[0]));
    assert_eq!(lab.pebble.issued(), 1, "the certificate that waited is fetched, not ordered anew");
}

#[tokio::test]
async fn an_order_on_disk_for_another_key_is_not_mixed_up() {
    let lab = Lab::start(&CALM).await;
    let order = mail("mixed");
    lab.zone.hangs.store(true, Ordering::SeqCst);
    assert!(lab.crash(&order).await);
    let error = lab.acme().issue(&mail("mixed")).await.unwrap_err();
    assert!(error.message.contains("the order on disk was for key"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);
}

/// What comes of a server that answers everything as `plan` says.
async fn served(plan: impl FnMut(usize, &str) -> Action + Send + 'static) -> IssueError {
    let identity = Identity::new();
    let front = Front::start(&identity, None).await;
    front.plan(plan);
    let config = config(&identity, &format!("https://{}/dir", front.address));
    let state = tempfile::tempdir().unwrap();
    let limits = Limits { exchange: Span::from_millis(400), tries: 2, ..brisk() };
    let acme = acme(&config, state.path(), &Arc::new(Zone::new(None)), limits);
    let issued = tokio::time::timeout(Duration::from_secs(20), acme.issue(&mail("bad"))).await;
    let error = issued.expect("it ends in time").unwrap_err();
    assert!(error.issuer == format!("pebble ({})", front.address), "{error}");
    error
}

/// A directory whose URLs lead back to whom was asked.
fn directory(line_host: &str) -> Action {
    let url = |path: &str| format!("https://{line_host}/{path}");
    answer(
        "200 OK",
        "",
        &serde_json::json!({
            "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order"),
            "revokeCert": url("revoke"), "keyChange": url("key"),
        })
        .to_string(),
    )
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_in_time() {
    let error = served(|_, _| Action::HangBefore).await;
    assert_eq!(error.remedy, Remedy::RetryLater { not_before: None });
    assert!(error.message.contains("did not answer within 400ms"), "{error}");
    assert_eq!(error.blame, Blame::Issuer);
}

#[tokio::test]
async fn a_listener_that_speaks_no_tls_and_one_that_is_not_there_are_left_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let identity = Identity::new();
    for address in [silent.local_addr().unwrap(), free_address()] {
        let config = config(&identity, &format!("https://{address}/dir"));
        let state = tempfile::tempdir().unwrap();
        let limits = Limits { exchange: Span::from_millis(300), tries: 2, ..brisk() };
        let acme = acme(&config, state.path(), &Arc::new(Zone::new(None)), limits);
        let error = acme.issue(&mail("nobody")).await.unwrap_err();
        assert_eq!(error.remedy, Remedy::RetryLater { not_before: None }, "{error}");
        assert!(error.message.contains(&address.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_a_matter_for_the_operator() {
    let lab = Lab::start(&CALM).await;
    let mut config = lab.config();
    let other = Identity::new();
    config.ca_file = Some(other.root());
    let error = lab.acme_with(&config).issue(&mail("untrusted")).await.unwrap_err();
    assert!(error.message.contains("UnknownIssuer"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);
    assert!(error.hint.contains("ca-file"), "{}", error.hint);

    config.ca_file = Some("/nowhere/root.pem".into());
    let error = lab.acme_with(&config).issue(&mail("missing")).await.unwrap_err();
    assert!(error.message.contains("/nowhere/root.pem"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);
}

#[tokio::test]
async fn garbage_is_told_from_acme() {
    let error = served(|_, _| answer("200 OK", "", "<html>It works!</html>")).await;
    assert!(error.message.contains("cannot be understood"), "{error}");
    let error = served(|_, _| answer("404 Not Found", "", "<h1>no such page</h1>")).await;
    assert!(error.message.contains("404 Not Found: `<h1>no such page</h1>`"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);
    let error = served(|_, _| answer("200 OK", "", &"x".repeat(2 << 20))).await;
    assert!(error.message.contains("length limit exceeded"), "{error}");
    let error = served(|_, _| Action::Answer("SSH-2.0-OpenSSH_9.2\r\n".to_owned())).await;
    assert_eq!(error.remedy, Remedy::RetryLater { not_before: None }, "{error}");
    let error = served(|_, _| answer("302 Found", "Location: /elsewhere\r\n", "")).await;
    assert!(error.message.contains("302 Found"), "{error}");
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    let busy =
        |_: usize, _: &str| answer("503 Service Unavailable", "Retry-After: 900\r\n", "busy");
    let error = served(busy).await;
    let quarter = Some(Span::from_seconds(900));
    assert_eq!(error.remedy, Remedy::RetryLater { not_before: quarter });
    assert!(
        error.message.contains("503 Service Unavailable: `busy`; it asks for a pause of 15m"),
        "{error}"
    );
}

#[tokio::test]
async fn a_rate_limit_is_reported_with_the_cas_words_and_not_tried_again() {
    let lab = Lab::start(&CALM).await;
    lab.front.plan(|_, line| {
        if !line.contains("order-plz") {
            return Action::Pass;
        }
        answer(
            "429 Too Many Requests",
            "Retry-After: 86400\r\nContent-Type: application/problem+json\r\n",
            r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates (5) already issued for this exact set of names"}"#,
        )
    });
    let error = lab.acme().issue(&mail("limited")).await.unwrap_err();
    let day = Some(Span::from_seconds(86_400));
    assert_eq!(error.remedy, Remedy::RetryLater { not_before: day });
    assert_eq!(error.blame, Blame::Issuer);
    assert_eq!(
        error.message,
        "cannot place the order for mail.example.nl: the CA says: too many certificates (5) \
         already issued for this exact set of names (rateLimited); it asks for a pause of 1d"
    );
    let asked = lab.front.seen().iter().filter(|l| l.contains("order-plz")).count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_short_hiccup_is_outlasted() {
    let lab = Lab::start(&CALM).await;
    let mut hiccups = 0;
    lab.front.plan(move |_, line| {
        if line.contains("finalize-order") && hiccups < 2 {
            hiccups += 1;
            return answer("503 Service Unavailable", "Retry-After: 0\r\n", "");
        }
        Action::Pass
    });
    lab.acme().issue(&mail("hiccup")).await.unwrap();
    assert_eq!(lab.pebble.issued(), 1);
}

#[tokio::test]
async fn subproblems_are_part_of_the_message() {
    let identity = Identity::new();
    let front = Front::start(&identity, None).await;
    let host = front.address.to_string();
    front.plan(move |_, line| {
        if line.contains("/dir") {
            return directory(&host);
        }
        if line.contains("/nonce") {
            return answer("200 OK", "", "");
        }
        if line.contains("/account") {
            let location = format!("Location: https://{host}/account/1\r\n");
            return answer("201 Created", &location, r#"{"status":"valid"}"#);
        }
        answer(
            "400 Bad Request",
            "",
            r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no",
                "subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids it",
                "identifier":{"type":"dns","value":"mail.example.nl"}}]}"#,
        )
    });
    let config = config(&identity, &format!("https://{}/dir", front.address));
    let state = tempfile::tempdir().unwrap();
    let zone = Arc::new(Zone::new(None));
    let acme = acme(&config, state.path(), &zone, brisk());
    let error = acme.issue(&mail("sub")).await.unwrap_err();
    assert!(
        error.message.ends_with(
            "the CA says: no (rejectedIdentifier); mail.example.nl: CAA forbids it (caa)"
        ),
        "{error}"
    );
    assert_eq!(error.remedy, Remedy::AskOperator);
    assert_eq!(error.blame, Blame::Issuer, "another CA may issue for the name");
    assert!(error.hint.contains("correct `names`"), "{}", error.hint);
}
