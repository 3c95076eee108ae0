//! The probe against servers that are not ours: OpenSSL's, with every kind of certificate and
//! version, and small ones that fail in each way in which real ones do.
//!
//! Every server listens on a port of its own choosing on loopback, and ends with its test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, RsaKeySize};
use rollover::pki::{Chain, KeyFamily};
use rollover::ports::Protocol;
use rollover::probe::{Report, Settings, TlsProbe, TlsVersion};
use rollover::rollover::observation::{Listener, Sight};
use rollover::time::Span;
use rollover::tlsa::TlsaOwner;
use support::{ca, expired, key, self_signed, server, signed};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

#[path = "support/test_pki.rs"]
mod support;

/// The base domain of the listeners, and the name sent as SNI.
const BASE: &str = "mail.example.nl";

/// A listener at this address.
fn listener(address: SocketAddr, family: KeyFamily) -> Listener {
    let owner = TlsaOwner::new(BASE.parse().unwrap(), 25).unwrap();
    Listener { owner, address, family }
}

/// A look with one connection: OpenSSL's server serves one at a time.
async fn look_at(address: SocketAddr, protocol: Protocol, family: KeyFamily) -> Report {
    let settings = Settings { with_sni: 1, without_sni: 0, ..Settings::default() };
    TlsProbe::with_settings(settings).examine(&listener(address, family), protocol).await
}

/// The same of SMTP, when only the sight is of interest.
async fn sight(address: SocketAddr, family: KeyFamily) -> Sight {
    look_at(address, Protocol::Smtp, family).await.sight
}

/// The chains that were presented.
fn presented(sight: &Sight) -> Vec<Chain> {
    match sight {
        Sight::Presented(chains) => chains.iter().map(|chain| chain.0.clone()).collect(),
        Sight::NotOffered | Sight::NoTls { .. } | Sight::Silent { .. } => panic!("{sight:?}"),
    }
}

/// Why nothing can be said.
fn silent(sight: &Sight) -> &str {
    match sight {
        Sight::Silent { reason } => reason,
        Sight::Presented(_) | Sight::NotOffered | Sight::NoTls { .. } => panic!("{sight:?}"),
    }
}

/// A key pair with certificates on disk.
struct Credential {
    /// The chain, its leaf first.
    chain: Vec<Vec<u8>>,
    /// Where its leaf is.
    certificate_file: PathBuf,
    /// Where the rest of it is.
    authorities_file: PathBuf,
    /// Where the key is.
    key_file: PathBuf,
}

/// Writes key and chain where OpenSSL reads them.
#[expect(clippy::disallowed_methods, reason = "no secret, and no crash to survive")]
fn store(directory: &Path, name: &str, key: &KeyPair, chain: Vec<Vec<u8>>) -> Credential {
    let certificate_file = directory.join(format!("{name}.crt"));
    let key_file = directory.join(format!("{name}.key"));
    let authorities_file = directory.join(format!("{name}.ca"));
    let pem = |der: &Vec<u8>| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()));
    std::fs::write(&certificate_file, pem(&chain[0])).unwrap();
    std::fs::write(&authorities_file, chain[1..].iter().map(pem).collect::<String>()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    Credential { chain, certificate_file, authorities_file, key_file }
}

/// A certificate from a CA of its own, with this key.
fn issued(directory: &Path, name: &str, key: &KeyPair, params: &CertificateParams) -> Credential {
    let (ca_key, ca_params) = (support::key(), ca("Test CA"));
    let leaf = signed(params, key, (&ca_params, &ca_key));
    store(directory, name, key, vec![leaf, self_signed(&ca_params, &ca_key)])
}

/// An RSA key.
fn rsa(size: RsaKeySize) -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap()
}

/// `openssl s_server`, killed when it is dropped.
struct OpenSsl {
    /// Where it speaks TLS from the first octet.
    tls: SocketAddr,
    /// Where it does so after SMTP's STARTTLS, which the test adds: OpenSSL's server has none.
    smtp: SocketAddr,
    /// The process.
    _server: Child,
}

impl OpenSsl {
    /// Starts a server with this certificate and these further arguments.
    #[expect(clippy::disallowed_methods, reason = "a test's own server")]
    async fn start(credential: &Credential, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1000"]);
        command.arg("-cert").arg(&credential.certificate_file);
        if 1 < credential.chain.len() {
            command.arg("-cert_chain").arg(&credential.authorities_file);
        }
        command.arg("-key").arg(&credential.key_file);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("it says where it listens");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                // What it prints further is read, so that it never waits for a reader.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                let tls: SocketAddr = address.parse().unwrap();
                let smtp = serve("127.0.0.1", move |_, stream| relay(stream, tls)).await;
                return Self { tls, smtp, _server: server };
            }
        }
    }
}

/// Speaks SMTP up to TLS, and lets `tls` speak from there.
async fn relay(mut stream: TcpStream, tls: SocketAddr) {
    for line in [OFFER[0], OFFER[1], "220 go\r\n"] {
        stream.write_all(line.as_bytes()).await.unwrap();
        if line != "220 go\r\n" {
            hear_line(&mut stream).await;
        }
    }
    let mut server = TcpStream::connect(tls).await.unwrap();
    let _end = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
}

#[tokio::test]
async fn every_kind_of_key_is_seen_over_both_versions_of_tls() {
    let directory = tempfile::tempdir().unwrap();
    let generate = |algorithm| KeyPair::generate_for(algorithm).unwrap();
    let both: &[_] = &[("-tls1_2", TlsVersion::Tls12), ("-tls1_3", TlsVersion::Tls13)];
    let keys = [
        ("p256", generate(&rcgen::PKCS_ECDSA_P256_SHA256), KeyFamily::Ecdsa, both),
        ("p384", generate(&rcgen::PKCS_ECDSA_P384_SHA384), KeyFamily::Ecdsa, both),
        // In TLS 1.2 the curve must be one that the client exchanges keys on as well.
        ("p521", generate(&rcgen::PKCS_ECDSA_P521_SHA512), KeyFamily::Ecdsa, &both[1..]),
        ("rsa2048", rsa(RsaKeySize::_2048), KeyFamily::Rsa, both),
        ("rsa4096", rsa(RsaKeySize::_4096), KeyFamily::Rsa, both),
    ];
    let mut looks = tokio::task::JoinSet::new();
    for (name, key, family, versions) in keys {
        let credential = issued(directory.path(), name, &key, &server(&[BASE]));
        let chain = Chain::from_der(&credential.chain).unwrap();
        for (option, version) in versions {
            let server = OpenSsl::start(&credential, &[option]).await;
            let chain = chain.clone();
            looks.spawn(async move {
                let report = look_at(server.smtp, Protocol::Smtp, family).await;
                assert_eq!(presented(&report.sight), [chain], "{name} {option}");
                assert_eq!(report.versions, BTreeSet::from([*version]), "{name}");
                let other = match family {
                    KeyFamily::Ecdsa => KeyFamily::Rsa,
                    KeyFamily::Rsa => KeyFamily::Ecdsa,
                };
                let sight = sight(server.smtp, other).await;
                assert_eq!(sight, Sight::NotOffered, "{name} {option}");
                drop(server);
            });
        }
    }
    looks.join_all().await;
}

#[tokio::test]
async fn two_certificates_side_by_side_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let (ecdsa_key, rsa_key) = (key(), rsa(RsaKeySize::_2048));
    let ecdsa = issued(directory.path(), "ecdsa", &ecdsa_key, &server(&[BASE]));
    let rsa = issued(directory.path(), "rsa", &rsa_key, &server(&[BASE]));
    let second = [
        "-dcert",
        rsa.certificate_file.to_str().unwrap(),
        "-dkey",
        rsa.key_file.to_str().unwrap(),
        "-dcert_chain",
        rsa.authorities_file.to_str().unwrap(),
    ];
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments: Vec<&str> = [version].into_iter().chain(second).collect();
        let server = OpenSsl::start(&ecdsa, &arguments).await;
        for (family, expected) in [(KeyFamily::Ecdsa, &ecdsa), (KeyFamily::Rsa, &rsa)] {
            let chains = presented(&sight(server.smtp, family).await);
            assert_eq!(chains, [Chain::from_der(&expected.chain).unwrap()], "{version} {family}");
        }
    }
}

#[tokio::test]
async fn sni_decides_where_the_server_lets_it() {
    let directory = tempfile::tempdir().unwrap();
    let named = issued(directory.path(), "named", &key(), &server(&[BASE]));
    let default = issued(directory.path(), "default", &key(), &server(&["other.example.nl"]));
    let arguments = [
        "-servername",
        BASE,
        "-cert2",
        named.certificate_file.to_str().unwrap(),
        "-key2",
        named.key_file.to_str().unwrap(),
    ];
    let server = OpenSsl::start(&default, &arguments).await;
    let listener = listener(server.tls, KeyFamily::Ecdsa);
    let report = TlsProbe::new(Span::from_seconds(30)).examine(&listener, Protocol::Tls).await;
    assert!(report.sni_matters(), "{report:?}");
    let leaf = |chains: &BTreeSet<rollover::rollover::observation::PresentedChain>| {
        chains.iter().map(|chain| chain.0.leaf().der().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(leaf(&report.with_sni), [named.chain[0].clone()]);
    assert_eq!(leaf(&report.without_sni), [default.chain[0].clone()]);
    assert_eq!(presented(&report.sight).len(), 2, "both count");
}

#[tokio::test]
async fn a_certificate_that_nobody_would_accept_is_seen_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let key = key();
    let odd = [
        ("expired", expired(server(&[BASE]))),
        ("for another name", server(&["elsewhere.example.org"])),
        ("without a name", server(&[])),
        ("of a CA", ca("A CA as a server")),
    ];
    for (name, params) in odd {
        let self_signed = vec![self_signed(&params, &key)];
        let credential = store(directory.path(), name, &key, self_signed);
        let server = OpenSsl::start(&credential, &[]).await;
        let chains = presented(&sight(server.smtp, KeyFamily::Ecdsa).await);
        assert_eq!(chains, [Chain::from_der(&credential.chain).unwrap()], "{name}");
    }
}

/// A self-signed certificate made by OpenSSL. Without `-x509` it is of version 1, which has no
/// extensions and which path builders refuse.
#[expect(clippy::disallowed_methods, reason = "a test's own tool")]
async fn made_by_openssl(directory: &Path, name: &str, algorithm: &[&str]) -> Credential {
    let [key_file, request_file, certificate_file, authorities_file] =
        ["key", "csr", "crt", "ca"].map(|suffix| directory.join(format!("{name}.{suffix}")));
    let openssl = async |arguments: &[&str], out: &Path| {
        let mut command = Command::new("openssl");
        command.args(arguments).arg("-out").arg(out).stderr(Stdio::null());
        assert!(command.status().await.unwrap().success(), "{arguments:?}");
    };
    let (key, request) = (key_file.to_str().unwrap(), request_file.to_str().unwrap());
    openssl(&[&["genpkey"], algorithm].concat(), &key_file).await;
    openssl(&["req", "-new", "-key", key, "-subj", "/CN=odd"], &request_file).await;
    let sign = ["x509", "-req", "-in", request, "-signkey", key, "-days", "9"];
    openssl(&sign, &certificate_file).await;
    Credential { chain: Vec::new(), certificate_file, authorities_file, key_file }
}

#[tokio::test]
async fn keys_and_versions_that_are_rare_are_seen_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let rsa: &[&str] = &["-algorithm", "rsa"];
    let edwards: &[&str] = &["-algorithm", "ed25519"];
    for (name, algorithm, family) in
        [("rsa", rsa, KeyFamily::Rsa), ("edwards", edwards, KeyFamily::Ecdsa)]
    {
        let credential = made_by_openssl(directory.path(), name, algorithm).await;
        for version in ["-tls1_2", "-tls1_3"] {
            let server = OpenSsl::start(&credential, &[version]).await;
            let chains = presented(&sight(server.smtp, family).await);
            assert_eq!(chains[0].leaf().subject(), "CN=odd", "{name} {version}");
        }
    }
}

/// What it presents is known, and that it holds the key is not.
#[tokio::test]
async fn a_key_that_is_too_weak_to_be_believed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let weak: &[&str] = &["-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"];
    let credential = made_by_openssl(directory.path(), "weak", weak).await;
    let server = OpenSsl::start(&credential, &["-cipher", "ALL:@SECLEVEL=0"]).await;
    let sight = sight(server.smtp, KeyFamily::Rsa).await;
    let expected = "no TLS: it presents `CN=odd`, but that it holds the key cannot be verified";
    assert!(silent(&sight).starts_with(expected), "{sight:?}");
}

/// The alert is the same as for a family that is missing.
#[tokio::test]
async fn old_cipher_suites_do_not_pass_for_a_missing_family() {
    let directory = tempfile::tempdir().unwrap();
    let credential = issued(directory.path(), "rsa", &rsa(RsaKeySize::_2048), &server(&[BASE]));
    let arguments = ["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"];
    let server = OpenSsl::start(&credential, &arguments).await;
    for family in [KeyFamily::Rsa, KeyFamily::Ecdsa] {
        let sight = sight(server.smtp, family).await;
        assert!(silent(&sight).starts_with("it refuses the handshake, whatever"), "{sight:?}");
    }
}

#[tokio::test]
async fn versions_that_are_no_longer_in_use_are_not_spoken() {
    let directory = tempfile::tempdir().unwrap();
    let credential = issued(directory.path(), "rsa", &rsa(RsaKeySize::_2048), &server(&[BASE]));
    let arguments = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    let server = OpenSsl::start(&credential, &arguments).await;
    let sight = sight(server.smtp, KeyFamily::Rsa).await;
    assert!(silent(&sight).contains("ProtocolVersion"), "{sight:?}");
}

#[tokio::test]
async fn tls_from_the_first_octet_is_spoken() {
    let directory = tempfile::tempdir().unwrap();
    let credential = issued(directory.path(), "ecdsa", &key(), &server(&[BASE]));
    let expected = Chain::from_der(&credential.chain).unwrap();
    let bare = OpenSsl::start(&credential, &[]).await;
    let report = look_at(bare.tls, Protocol::Tls, KeyFamily::Ecdsa).await;
    assert_eq!(presented(&report.sight), [expected]);
    let report = look_at(bare.tls, Protocol::Tls, KeyFamily::Rsa).await;
    assert_eq!(report.sight, Sight::NotOffered);
}

/// A server made by the test: it answers each connection with `serve`, which is given its number.
async fn serve<F>(host: &str, serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let socket = TcpListener::bind((host, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = socket.accept().await.unwrap();
            tokio::spawn(serve(number, stream));
        }
    });
    address
}

/// Says `lines`, one after each line that it hears, and then hangs up when the client does.
async fn recite(mut stream: TcpStream, lines: &[&str]) {
    for (number, line) in lines.iter().enumerate() {
        if 0 < number {
            hear_line(&mut stream).await;
        }
        let _gone = stream.write_all(line.as_bytes()).await;
    }
    let _end = stream.read_to_end(&mut Vec::new()).await;
}

/// Reads one line, octet by octet: what follows it is TLS.
async fn hear_line(stream: &mut TcpStream) {
    while stream.read_u8().await.is_ok_and(|octet| octet != b'\n') {}
}

/// The greeting and the answer to EHLO of a server that offers STARTTLS.
const OFFER: [&str; 2] = ["220 x ESMTP\r\n", "250-x\r\n250 STARTTLS\r\n"];

/// A probe that gives up soon.
fn impatient() -> TlsProbe {
    TlsProbe::new(Span::from_millis(400))
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let sight = sight(address, KeyFamily::Ecdsa).await;
    assert!(silent(&sight).starts_with("no connection: Connection refused"), "{sight:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let address = serve("127.0.0.1", |_, stream| recite(stream, &[])).await;
    let report = impatient().examine(&listener(address, KeyFamily::Rsa), Protocol::Smtp).await;
    assert_eq!(silent(&report.sight), "no greeting within 400ms");
    let address =
        serve("127.0.0.1", |_, stream| recite(stream, &[OFFER[0], OFFER[1], "220 go\r\n"]));
    let listener = listener(address.await, KeyFamily::Rsa);
    let report = impatient().examine(&listener, Protocol::Smtp).await;
    assert_eq!(silent(&report.sight), "no end of the TLS handshake within 400ms");
}

/// Says `piece` over and over until the client hangs up.
async fn babble(mut stream: TcpStream, piece: &[u8], pause: Duration) {
    while stream.write_all(piece).await.is_ok() {
        tokio::time::sleep(pause).await;
    }
}

#[tokio::test]
async fn a_greeting_without_end_is_given_up() {
    let line = format!("220-{}\r\n", "x".repeat(500)).leak();
    let cases: [(&'static [u8], u64, &str); 3] = [
        (&[b'x'; 5000], 0, "its greeting has more than 2048 octets in a line"),
        (line.as_bytes(), 0, "its greeting has more than 100 lines"),
        (b"2", 5, "no greeting within 400ms"),
    ];
    for (piece, pause, told) in cases {
        let pause = Duration::from_millis(pause);
        let address = serve("127.0.0.1", move |_, stream| babble(stream, piece, pause)).await;
        let listener = listener(address, KeyFamily::Ecdsa);
        let report = impatient().examine(&listener, Protocol::Smtp).await;
        assert_eq!(silent(&report.sight), told);
    }
}

#[tokio::test]
async fn octets_sent_before_tls_are_never_taken_for_the_servers() {
    // In the same packet as the answer, and so in the buffer.
    let address = serve("127.0.0.1", |_, stream| {
        recite(stream, &[OFFER[0], OFFER[1], "220 go\r\n250 forged\r\n"])
    });
    let sight_at_once = sight(address.await, KeyFamily::Ecdsa).await;
    assert!(silent(&sight_at_once).starts_with("it sent `250 forged` in the clear"));
    // After the client has begun with TLS.
    let address = serve("127.0.0.1", |_, stream| async move {
        let mut stream = stream;
        stream.write_all(OFFER[0].as_bytes()).await.unwrap();
        hear_line(&mut stream).await;
        stream.write_all(OFFER[1].as_bytes()).await.unwrap();
        hear_line(&mut stream).await;
        stream.write_all(b"220 go\r\n").await.unwrap();
        let _hello = stream.read_u8().await;
        recite(stream, &["250 forged\r\n"]).await;
    });
    let sight_later = sight(address.await, KeyFamily::Ecdsa).await;
    assert!(silent(&sight_later).starts_with("no TLS: what came is not TLS"), "{sight_later:?}");
}

#[tokio::test]
async fn one_connection_of_five_that_fails_makes_it_silent() {
    let address = serve("127.0.0.1", |number, stream| {
        let lines: &[&str] = match number {
            3 => &["421 4.7.0 Too many connections\r\n"],
            _ => &["220 x\r\n", "250 x\r\n"],
        };
        recite(stream, lines)
    });
    let listener = listener(address.await, KeyFamily::Ecdsa);
    let report = TlsProbe::new(Span::from_seconds(30)).examine(&listener, Protocol::Smtp).await;
    let reason = silent(&report.sight);
    assert_eq!(reason, "on 1 of 5 connections: its greeting is `421 4.7.0 Too many connections`");
}

#[tokio::test]
async fn connections_are_open_at_the_same_time_and_not_too_many() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&open), Arc::clone(&most));
    let address = serve("127.0.0.1", move |_, stream| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            let open = now.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(open, Ordering::SeqCst);
            recite(stream, &["220 x\r\n", "250 x\r\n"]).await;
            now.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let settings = Settings { connections_per_address: 5, ..Settings::default() };
    let probe = TlsProbe::with_settings(settings);
    let mut looks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let probe = probe.clone();
        looks.spawn(async move {
            probe.examine(&listener(address, KeyFamily::Rsa), Protocol::Smtp).await
        });
    }
    for report in looks.join_all().await {
        assert!(matches!(report.sight, Sight::NoTls { .. }), "{report:?}");
    }
    // The server may notice the end of one look's connections after the next look's begin.
    let most = most.load(Ordering::SeqCst);
    assert!((2..=10).contains(&most), "{most} at once");
}

#[tokio::test]
async fn the_client_introduces_itself_by_its_address_and_takes_leave() {
    for (host, literal) in [
        (Ipv4Addr::LOCALHOST.to_string(), "[127.0.0.1]"),
        (Ipv6Addr::LOCALHOST.to_string(), "[IPv6:::1]"),
    ] {
        let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let address = serve(&host, move |_, stream| {
            let heard = heard.clone();
            async move {
                let mut stream = stream;
                stream.write_all(b"220 x\r\n").await.unwrap();
                hear_line(&mut stream).await;
                stream.write_all(b"250 x\r\n").await.unwrap();
                let mut rest = String::new();
                stream.read_to_string(&mut rest).await.unwrap();
                heard.send(rest).unwrap();
            }
        })
        .await;
        let report = look_at(address, Protocol::Smtp, KeyFamily::Rsa).await;
        assert!(matches!(report.sight, Sight::NoTls { .. }), "{report:?}");
        assert_eq!(hears.recv().await.unwrap(), "QUIT\r\n");
        let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let address = serve(&host, move |_, stream| {
            let heard = heard.clone();
            async move {
                let mut stream = stream;
                stream.write_all(b"220 x\r\n").await.unwrap();
                let mut line = String::new();
                BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
                heard.send(line).unwrap();
            }
        })
        .await;
        look_at(address, Protocol::Smtp, KeyFamily::Rsa).await;
        assert_eq!(hears.recv().await.unwrap(), format!("EHLO {literal}\r\n"));
    }
}
