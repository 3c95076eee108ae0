//! What CAs can do beyond the usual: proofs by HTTP, accounts bound elsewhere, several chains, profiles.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rollover::config::{AcmeConfig, ExternalAccount, ProofConfig};
use rollover::ports::{Ask, Issuer as _, Order, Remedy};
use serde_json::json;

use crate::front::{Action, answer};
use crate::{CALM, Lab, mail};

/// A web server for the files in a directory. Ends with the value.
struct WebServer(std::process::Child);

impl WebServer {
    #[expect(clippy::disallowed_methods, reason = "the lab's daemons are processes")]
    async fn start(directory: &Path, port: u16) -> Self {
        let child = std::process::Command::new("python3")
            .args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"])
            .arg(directory)
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self(child);
        for _ in 0..400 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the web server does not listen");
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Pebble's directory as its front would say it, with more in it.
async fn directory(lab: &Lab, extend: impl FnOnce(&mut serde_json::Value)) -> String {
    let text = lab.front.fetch(lab.pebble.address, "/dir").await;
    let mut directory = serde_json::from_str(&text).unwrap();
    extend(&mut directory);
    // What is asked for next goes through the front again.
    let (behind, front) = (lab.pebble.address.to_string(), lab.front.address.to_string());
    directory.to_string().replace(&behind, &front)
}

#[tokio::test]
async fn a_name_is_proved_by_a_listener_that_is_there_only_meanwhile() {
    let lab = Lab::start(&CALM).await;
    let config = AcmeConfig { proof: ProofConfig::Listener(lab.pebble.http), ..lab.config() };
    lab.acme_with(&config).issue(&mail("listener")).await.unwrap();
    assert!(lab.zone.records().is_empty());
    assert!(tokio::net::TcpStream::connect(lab.pebble.http).await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_matter_for_the_next_pass() {
    let lab = Lab::start(&CALM).await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proof = ProofConfig::Listener(taken.local_addr().unwrap());
    let config = AcmeConfig { proof, ..lab.config() };
    let order = mail("taken");
    let error = lab.acme_with(&config).issue(&order).await.unwrap_err();
    assert!(
        error.message.contains("cannot prove control for mail.example.nl: cannot listen at"),
        "{error}"
    );
    assert!(matches!(error.remedy, Remedy::RetryLater { .. }), "{error}");
    let config = AcmeConfig { proof: ProofConfig::Listener(lab.pebble.http), ..lab.config() };
    lab.acme_with(&config).issue(&order).await.unwrap();
}

#[tokio::test]
async fn a_name_is_proved_by_a_file_that_is_removed_though_the_process_was_killed() {
    let lab = Lab::start(&CALM).await;
    let webroot = tempfile::tempdir().unwrap();
    let _server = WebServer::start(webroot.path(), lab.pebble.http.port()).await;
    let config =
        AcmeConfig { proof: ProofConfig::Webroot(webroot.path().to_owned()), ..lab.config() };
    let order = mail("webroot");
    lab.front.plan(|_, line| match line.contains("chalZ") {
        true => Action::HangBefore,
        false => Action::Pass,
    });
    {
        let acme = lab.acme_with(&config);
        tokio::select! {
            issued = acme.issue(&order) => panic!("{issued:?}"),
            () = lab.front.hanging() => {}
        }
    }
    assert_eq!(files(webroot.path()).len(), 1);
    lab.front.plan(|_, _| Action::Pass);
    lab.acme_with(&config).issue(&order).await.unwrap();
    assert_eq!(files(webroot.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_ca_that_wants_an_account_elsewhere_gets_one_that_is_bound() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let settings = json!({
        "externalAccountBindingRequired": true,
        "externalAccountMACKeys": { "kid-1": key },
    });
    // A third of the nonces is refused: what is signed here mends that by itself.
    let lab = Lab::start_with(&[("PEBBLE_WFE_NONCEREJECT", "33")], settings).await;
    let error = lab.acme().issue(&mail("unbound")).await.unwrap_err();
    assert!(error.message.contains("externalAccountRequired"), "{error}");
    assert!(error.hint.contains("`eab-kid`"), "{}", error.hint);
    assert_eq!(error.remedy, Remedy::AskOperator);

    let hmac_key_file = lab.path("eab.key");
    let bound = |text: &str| {
        rollover::durable::write_private(&hmac_key_file, text.as_bytes()).unwrap();
        let account =
            ExternalAccount { kid: "kid-1".to_owned(), hmac_key_file: hmac_key_file.clone() };
        AcmeConfig { external_account: Some(account), ..lab.config() }
    };
    for (text, said) in [("%%", "no base64url"), ("\n", "it is empty"), ("AAAA", "the CA says")] {
        let error = lab.acme_with(&bound(text)).issue(&mail("wrong")).await.unwrap_err();
        assert!(error.message.contains(said), "{error}");
        assert_eq!(error.remedy, Remedy::AskOperator, "{error}");
    }
    let config = bound(&format!("{key}\n"));
    lab.acme_with(&config).issue(&mail("bound-1")).await.unwrap();
    // Without the record the key finds the account, which is bound already.
    std::fs::remove_file(lab.path("accounts/pebble.json")).unwrap();
    lab.acme_with(&config).issue(&mail("bound-2")).await.unwrap();
}

#[tokio::test]
async fn of_several_chains_the_preferred_one_is_taken() {
    let lab = Lab::start(&[("PEBBLE_ALTERNATE_ROOTS", "2"), ("PEBBLE_CHAIN_LENGTH", "2")]).await;
    let mut roots = Vec::new();
    for number in 0..3 {
        let text = lab.front.fetch(lab.pebble.management, &format!("/roots/{number}")).await;
        let der = pem::parse(text).unwrap().into_contents();
        roots.push(rollover::pki::Certificate::from_der(&der).unwrap());
    }
    for (number, root) in roots.iter().enumerate() {
        let name = root.subject().trim_start_matches("CN=").to_owned();
        let config = AcmeConfig { preferred_chain: Some(name), ..lab.config() };
        let chain = lab.acme_with(&config).issue(&mail(&format!("chain-{number}"))).await.unwrap();
        assert_eq!(chain.certificates().last().unwrap().issuer(), root.subject());
    }
    let config = AcmeConfig { preferred_chain: Some("Nobody X1".to_owned()), ..lab.config() };
    let chain = lab.acme_with(&config).issue(&mail("chain-none")).await.unwrap();
    assert_eq!(chain.certificates().last().unwrap().issuer(), roots[0].subject());
}

#[tokio::test]
async fn a_profile_is_asked_for_where_the_ca_has_it() {
    let lab = Lab::start(&CALM).await;
    let config = AcmeConfig { profile: Some("tlsserver".to_owned()), ..lab.config() };
    let order = mail("profile");
    let error = lab.acme_with(&config).issue(&order).await.unwrap_err();
    let expected = "the CA has no profile `tlsserver`, only none at all";
    assert!(error.message.contains(expected), "{error}");

    let profiles = json!({ "classic": "as ever", "tlsserver": "short" });
    let text = directory(&lab, |directory| directory["meta"]["profiles"] = profiles).await;
    lab.front.plan(move |_, line| match line.contains("/dir") {
        true => answer("200 OK", "", &text),
        false => Action::Pass,
    });
    let strange = AcmeConfig { profile: Some("shortlived".to_owned()), ..lab.config() };
    let error = lab.acme_with(&strange).issue(&order).await.unwrap_err();
    assert!(error.message.contains("`shortlived`, only classic, tlsserver"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);
    // This Pebble knows no profiles, and so does not mind one.
    lab.acme_with(&config).issue(&order).await.unwrap();
}

/// An answer about a renewal.
fn window(start: &str, end: &str) -> Action {
    let body = json!({
        "suggestedWindow": { "start": start, "end": end },
        "explanationURL": "https://ca.example/why",
    });
    answer("200 OK", "Retry-After: 21600\r\n", &body.to_string())
}

#[tokio::test]
async fn the_ca_says_when_to_renew_and_is_told_what_is_replaced() {
    let lab = Lab::start(&CALM).await;
    let ari = format!("https://{}/ari", lab.front.address);
    let text = directory(&lab, |directory| directory["renewalInfo"] = json!(ari)).await;
    let plan = |start: &'static str, end: &'static str| {
        let text = text.clone();
        move |_: usize, line: &str| match line {
            _ if line.contains("/dir") => answer("200 OK", "", &text),
            _ if line.contains("/ari/") => window(start, end),
            _ => Action::Pass,
        }
    };
    lab.front.plan(plan("2031-01-01T00:00:00Z", "2031-01-03T00:00:00Z"));
    let acme = lab.acme();
    let chain = acme.issue(&mail("first")).await.unwrap();
    assert_eq!(acme.advised(chain.leaf(), Ask::Nobody).await, None, "nobody was asked");
    let at = acme.advised(chain.leaf(), Ask::WhereDue).await.unwrap();
    let within = "2031-01-01T00:00:00Z"..="2031-01-03T00:00:00Z";
    assert!(within.contains(&at.to_string().as_str()), "{at}");
    // It is kept, by other processes as well, and not asked for before the CA said.
    for _ in 0..2 {
        assert_eq!(lab.acme().advised(chain.leaf(), Ask::WhereDue).await, Some(at));
    }
    let asked = lab.front.seen().iter().filter(|line| line.contains("/ari/")).count();
    assert_eq!(asked, 1);

    // This Pebble takes no notice of what is replaced: the order goes without.
    let second = Order { replaces: Some(chain.leaf().clone()), ..mail("second") };
    acme.issue(&second).await.unwrap();
    let placed = lab.front.seen().iter().filter(|line| line.contains("order-plz")).count();
    assert_eq!(placed, 3, "the first, the second, and the second again");

    // Another CA's advice is not this one's.
    let elsewhere =
        AcmeConfig { directory_url: "https://127.0.0.1:1/dir".to_owned(), ..lab.config() };
    let other = lab.acme_with(&elsewhere);
    assert_eq!(other.advised(chain.leaf(), Ask::WhereDue).await, None, "and nothing fails");
}

#[tokio::test]
async fn a_window_that_moved_to_the_past_means_now_and_a_silent_ca_nothing() {
    let lab = Lab::start(&CALM).await;
    let ari = format!("https://{}/ari", lab.front.address);
    let text = directory(&lab, |directory| directory["renewalInfo"] = json!(ari)).await;
    let chain = lab.acme().issue(&mail("first")).await.unwrap();
    let said = [
        ("2031-01-01T00:00:00Z", "2031-01-03T00:00:00Z"),
        ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"),
    ];
    let file = lab.path("renewal");
    let mut moments = Vec::new();
    for (start, end) in said {
        let text = text.clone();
        lab.front.plan(move |_, line| match line {
            _ if line.contains("/dir") => answer("200 OK", "", &text),
            _ if line.contains("/ari/") => window(start, end),
            _ => Action::Pass,
        });
        for kept in files(&file) {
            // As if the CA's pause had passed.
            let record = std::fs::read_to_string(&kept).unwrap();
            let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
            record["ask-again"] = json!(0);
            rollover::durable::write_private(&kept, record.to_string().as_bytes()).unwrap();
        }
        moments.push(lab.acme().advised(chain.leaf(), Ask::WhereDue).await.unwrap().to_string());
    }
    assert!(moments[0].starts_with("2031-") && moments[1].starts_with("2020-"), "{moments:?}");

    lab.front.plan(|_, _| answer("503 Service Unavailable", "", "later"));
    let kept = lab.acme().advised(chain.leaf(), Ask::WhereDue).await.unwrap();
    assert_eq!(kept.to_string(), moments[1]);
}
