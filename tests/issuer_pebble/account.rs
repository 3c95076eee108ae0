//! Accounts: what the CA has of them, and other keys for them, with a crash at each place.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rollover::issuer::{AccountView, AcmeAccount};
use sha2::Digest as _;

use super::*;

/// The account of the lab's issuer, as a new process would have it.
fn account(lab: &Lab) -> AcmeAccount {
    let clock = Arc::new(RealClock::start());
    let limit = Span::from_seconds(10);
    AcmeAccount::new("pebble", &lab.config(), lab.state.path(), clock, limit)
}

/// What the CA has of it.
async fn view(lab: &Lab) -> AccountView {
    account(lab).view().await.unwrap().expect("there is an account")
}

/// Makes sure that the account can be used, and is still the one at `url`.
async fn expect_usable(lab: &Lab, id: &str, url: &str) {
    let (acme, order) = (lab.acme(), mail(id));
    let chain = acme.issue(&order).await.unwrap_or_else(|e| panic!("{id}: {e}"));
    check(&acme, &order, &chain);
    let record = std::fs::read_to_string(lab.path("accounts/pebble.json")).unwrap();
    assert!(record.contains(url), "{id}: {record}");
    assert_eq!(view(lab).await.url, url, "{id}");
}

/// Gives the account another key until the front hangs, then drops everything: a crash. Says whether
/// it came to that.
async fn crash(lab: &Lab) -> bool {
    let account = account(lab);
    tokio::select! {
        outcome = account.change_key() => {
            outcome.unwrap();
            false
        }
        () = lab.front.hanging() => true,
    }
}

/// The thumbprint of a key in a file (RFC 7638), of the coordinates that OpenSSL prints.
#[expect(clippy::disallowed_methods, reason = "OpenSSL is asked")]
fn thumbprint(file: &Path) -> String {
    let command = ["pkey", "-pubout", "-outform", "der", "-in"];
    let output = Command::new("openssl").args(command).arg(file).output().unwrap();
    let (x, y) = output.stdout[output.stdout.len() - 64..].split_at(32);
    let (x, y) = (BASE64.encode(x), BASE64.encode(y));
    let key = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    BASE64.encode(sha2::Sha256::digest(key))
}

#[tokio::test]
async fn an_account_is_shown_as_the_ca_has_it_and_not_made_by_looking() {
    let lab = Lab::start(&CALM).await;
    assert_eq!(account(&lab).view().await.unwrap(), None);
    assert_eq!(account(&lab).change_key().await.unwrap(), None);
    assert!(lab.front.seen().is_empty() && !lab.path("accounts").exists());
    lab.acme().issue(&mail("shown")).await.unwrap();
    let view = view(&lab).await;
    assert!(view.url.contains(&lab.front.address.to_string()), "{view:?}");
    assert_eq!((&*view.status, &view.contact), ("valid", &lab.config().contact));
    assert_eq!(view.thumbprint, thumbprint(&lab.path("accounts/pebble.key")));
    assert!(!view.is_next_key_unknown);
}

#[tokio::test]
async fn an_account_gets_another_key_and_stays_the_same() {
    // With nonces that are refused now and then.
    let lab = Lab::start(&[("PEBBLE_WFE_NONCEREJECT", "30")]).await;
    lab.acme().issue(&mail("before")).await.unwrap();
    let (before, old) = (view(&lab).await, lab.path("old.key"));
    std::fs::copy(lab.path("accounts/pebble.key"), &old).unwrap();
    let after = account(&lab).change_key().await.unwrap().expect("there is an account");
    assert_eq!(after.url, before.url);
    assert_ne!(after.thumbprint, before.thumbprint);
    assert_eq!(after.thumbprint, thumbprint(&lab.path("accounts/pebble.key")));
    assert!(!lab.path("accounts/pebble.next.key").exists());
    expect_usable(&lab, "after", &before.url).await;

    // The CA knows no account by the old key any more.
    std::fs::copy(&old, lab.path("accounts/pebble.key")).unwrap();
    assert_eq!(account(&lab).view().await.unwrap(), None);
}

/// Stops at each request in turn, as `action` says, and uses the account each time before going on.
async fn change_with_a_crash_at_each_request(action: fn() -> Action) {
    let lab = Lab::start(&CALM).await;
    lab.acme().issue(&mail("first")).await.unwrap();
    let url = view(&lab).await.url;
    let mut stopped_at = Vec::new();
    for number in 1.. {
        lab.front.plan(move |n, _| if n == number { action() } else { Action::Pass });
        if !crash(&lab).await {
            break;
        }
        stopped_at.extend(lab.front.seen().last().cloned());
        lab.front.plan(|_, _| Action::Pass);
        expect_usable(&lab, &format!("after-{number}"), &url).await;
    }
    for step in ["/dir", "nonce-plz", "rollover-account-key"] {
        assert!(stopped_at.iter().any(|l| l.contains(step)), "{step}: {stopped_at:?}");
    }
    assert!(!lab.path("accounts/pebble.next.key").exists(), "it came to its end");
    expect_usable(&lab, "last", &url).await;
}

#[tokio::test]
async fn a_crash_before_any_request_of_a_change_leaves_a_usable_account() {
    change_with_a_crash_at_each_request(|| Action::HangBefore).await;
}

#[tokio::test]
async fn a_crash_after_any_request_of_a_change_leaves_a_usable_account() {
    change_with_a_crash_at_each_request(|| Action::HangAfter).await;
}

/// The next use finds out which key the CA accepts: the old one where the request never came, the next
/// one where the answer was lost.
#[tokio::test]
async fn the_ca_tells_which_of_two_keys_it_accepts() {
    let actions: [(fn() -> Action, bool); 2] =
        [(|| Action::HangBefore, false), (|| Action::HangAfter, true)];
    for (action, arrived) in actions {
        let lab = Lab::start(&CALM).await;
        lab.acme().issue(&mail("first")).await.unwrap();
        let url = view(&lab).await.url;
        let (key, next) = (lab.path("accounts/pebble.key"), lab.path("accounts/pebble.next.key"));
        let old = thumbprint(&key);
        lab.front.plan(move |_, line| match line.contains("rollover-account-key") {
            true => action(),
            false => Action::Pass,
        });
        assert!(crash(&lab).await);
        lab.front.plan(|_, _| Action::Pass);
        let staged = thumbprint(&next);
        assert_eq!(thumbprint(&key), old, "nothing was exchanged before the answer");
        let seen = view(&lab).await;
        assert_eq!(&seen.thumbprint, if arrived { &staged } else { &old });
        assert_eq!(seen.is_next_key_unknown, !arrived);
        expect_usable(&lab, "next", &url).await;
        assert_eq!(next.exists(), !arrived, "a request may still be under way");
        account(&lab).change_key().await.unwrap();
        if !arrived {
            assert_eq!(thumbprint(&key), staged, "what was begun is gone on with");
        }
    }
}

/// Cut off between the two files, the exchange is ended at the next use.
#[tokio::test]
async fn a_next_key_that_is_the_accounts_already_is_put_away() {
    let lab = Lab::start(&CALM).await;
    lab.acme().issue(&mail("first")).await.unwrap();
    let url = view(&lab).await.url;
    let next = lab.path("accounts/pebble.next.key");
    std::fs::copy(lab.path("accounts/pebble.key"), &next).unwrap();
    expect_usable(&lab, "next", &url).await;
    assert!(!next.exists());
}

#[tokio::test]
async fn a_ca_that_refuses_another_key_keeps_the_old_one() {
    let lab = Lab::start(&CALM).await;
    lab.acme().issue(&mail("first")).await.unwrap();
    let url = view(&lab).await.url;
    lab.front.plan(|_, line| match line.contains("rollover-account-key") {
        true => answer(
            "403 Forbidden",
            "",
            r#"{"type":"urn:ietf:params:acme:error:unauthorized","detail":"not on Sundays"}"#,
        ),
        false => Action::Pass,
    });
    let error = account(&lab).change_key().await.unwrap_err();
    assert!(error.message.contains("give the account another key"), "{error}");
    assert!(error.message.contains("not on Sundays"), "{error}");
    expect_usable(&lab, "next", &url).await;
}
