//! CAs that answer, and say nothing of use: they are left in time, and nothing is lost by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rollover::ports::{Issuer as _, Remedy};

use crate::front::{Action, answer};
use crate::{CALM, Lab, check, mail, served};

/// The head of an answer whose length is not known.
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nReplay-Nonce: nonce\r\nTransfer-Encoding: chunked\r\n\r\n";

/// An answer that goes on with `piece` for ever.
fn endless(head: &str, piece: &str, pause: u64) -> Action {
    let pause = Duration::from_millis(pause);
    Action::Endless { head: head.to_owned(), piece: piece.to_owned(), pause }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let dribbles = served(|_, _| endless(CHUNKED, "1\r\nx\r\n", 5)).await;
    assert!(dribbles.message.ends_with("/dir did not answer within 400ms"), "{dribbles}");
    assert_eq!(dribbles.remedy, Remedy::RetryLater { not_before: None });
    let block = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let floods = served(move |_, _| endless(CHUNKED, &block, 0)).await;
    assert!(floods.message.ends_with("length limit exceeded"), "{floods}");
    let filler = format!("X-Filler: {}\r\n", "x".repeat(1000));
    let heads = served(move |_, _| endless("HTTP/1.1 200 OK\r\n", &filler, 0)).await;
    // By its length or by the time, whichever comes first on this machine.
    let given_up = ["message head is too large", "/dir did not answer within 400ms"];
    assert!(given_up.iter().any(|end| heads.message.ends_with(end)), "{heads}");
    assert_eq!(heads.remedy, Remedy::RetryLater { not_before: None });
}

#[tokio::test]
async fn a_redirection_is_not_followed_in_circles() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let error = served(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer("307 Temporary Redirect", "Location: /dir\r\n", "")
    });
    let error = error.await;
    assert!(error.message.ends_with("307 Temporary Redirect"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "{error}");
}

#[tokio::test]
async fn a_page_in_place_of_any_answer_costs_no_second_certificate() {
    let mut lab = Lab::start(&CALM).await;
    let mut told = Vec::new();
    for number in 1.. {
        lab.state = tempfile::tempdir().unwrap();
        let issued = lab.pebble.issued();
        let order = mail(&format!("page-{number}"));
        let reached = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&reached);
        lab.front.plan(move |n, _| {
            if n != number {
                return Action::Pass;
            }
            seen.store(true, Ordering::SeqCst);
            answer("200 OK", "Content-Type: text/html\r\n", "<html>Maintenance</html>")
        });
        let outcome = lab.acme().issue(&order).await;
        if !reached.load(Ordering::SeqCst) {
            break;
        }
        if let Err(error) = outcome {
            told.push(error.message);
            lab.front.plan(|_, _| Action::Pass);
            let acme = lab.acme();
            let chain = acme.issue(&order).await;
            let chain = chain.unwrap_or_else(|e| panic!("after {told:?}: {e}"));
            check(&acme, &order, &chain);
        }
        assert_eq!(lab.pebble.issued(), issued + 1, "after {told:?}");
        assert!(lab.zone.records().is_empty(), "after {told:?}");
    }
    assert!(8 < told.len(), "{told:?}");
    for message in told {
        assert!(message.contains(": the answer cannot be understood: "), "{message}");
    }
}

/// As after a crash: the CA was asked by the process before, and decides before it is asked again.
#[tokio::test]
async fn a_proof_that_the_ca_has_looked_at_meanwhile_is_no_failure() {
    let lab = Lab::start(&CALM).await;
    let mut refused = 0;
    lab.front.plan(move |_, line| {
        if !line.contains("chalZ") || 0 < refused {
            return Action::Pass;
        }
        refused += 1;
        let said = r#"{"type": "urn:ietf:params:acme:error:malformed", "detail":
            "Cannot update challenge with status valid, only status pending"}"#;
        let headers = "Content-Type: application/problem+json\r\n";
        let Action::Answer(text) = answer("400 Bad Request", headers, said) else {
            unreachable!("it is an answer")
        };
        Action::AnswerAfter(text)
    });
    lab.acme().issue(&mail("meanwhile")).await.unwrap();
    assert_eq!(lab.pebble.issued(), 1);
}
