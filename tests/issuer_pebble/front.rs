//! A front before an ACME server that answers, hangs or breaks off at a chosen request.
//!
//! It speaks TLS on both sides and passes each request on over a connection of its own, `Host`
//! included, so that Pebble's URLs lead back here.

#![allow(dead_code, reason = "each test uses a part of the front")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rollover::durable;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate for 127.0.0.1 and the root above it, as files.
pub(crate) struct Identity {
    /// The root.
    root: PathBuf,
    /// The certificate.
    certificate: PathBuf,
    /// Its key.
    key: PathBuf,
    /// Where they are, if they were made here.
    _directory: Option<TempDir>,
}

impl Identity {
    /// A new identity.
    pub(crate) fn new() -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let directory = tempfile::tempdir().unwrap();
        // A name of its own, so that two roots are told apart by name.
        let name = directory.path().display().to_string();
        root.distinguished_name.push(DnType::CommonName, name);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let file = |name: &str| directory.path().join(name);
        let (root_file, certificate, key_file) =
            (file("root.pem"), file("cert.pem"), file("key.pem"));
        let identity = Self {
            _directory: Some(directory),
            ..Self::of_files(root_file, certificate, key_file)
        };
        let put = |path: PathBuf, text: String| {
            durable::write_private(&path, text.as_bytes()).unwrap();
        };
        put(identity.root(), root.pem());
        put(identity.certificate(), leaf.pem());
        put(identity.key(), key.serialize_pem());
        identity
    }

    /// The identity in these files: a root, a certificate, and its key.
    pub(crate) fn of_files(root: PathBuf, certificate: PathBuf, key: PathBuf) -> Self {
        Self { root, certificate, key, _directory: None }
    }

    /// The root.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// The certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.certificate.clone()
    }

    /// Its key.
    pub(crate) fn key(&self) -> PathBuf {
        self.key.clone()
    }

    /// The server side of TLS.
    fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_file(self.certificate()).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.key()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    /// The client side of TLS.
    fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(self.root()).unwrap();
        roots.add(root).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

/// What the front does with a request.
pub(crate) enum Action {
    /// It passes it on, and the answer back.
    Pass,
    /// It answers nothing, and the server never sees the request.
    HangBefore,
    /// It passes it on, and never gives the answer back.
    HangAfter,
    /// It breaks the connection off after the server has answered.
    BreakAfter,
    /// It passes it on, and gives back what this makes of the answer.
    Rewrite(Rewrite),
    /// It answers by itself.
    Answer(String),
    /// It passes it on, and answers by itself.
    AnswerAfter(String),
    /// It answers by itself, and does not come to an end.
    Endless {
        /// How it begins.
        head: String,
        /// What it says over and over.
        piece: String,
        /// The pause after each.
        pause: Duration,
    },
}

/// Makes another answer of an answer, head included.
pub(crate) type Rewrite = Box<dyn FnOnce(Vec<u8>) -> Vec<u8> + Send>;

/// Decides over a request by its number, counted from 1, and its first line.
type Plan = Box<dyn FnMut(usize, &str) -> Action + Send>;

/// A front.
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What the connections share.
    shared: Arc<Shared>,
    /// Accepts connections.
    task: tokio::task::JoinHandle<()>,
}

/// What the connections share.
struct Shared {
    /// What is behind the front.
    behind: Option<SocketAddr>,
    /// Number of requests so far, and what to do with the next.
    plan: Mutex<(usize, Plan)>,
    /// The requests so far.
    seen: Mutex<Vec<String>>,
    /// Told when a request hangs.
    hanging: Notify,
    /// Towards the server.
    connector: TlsConnector,
}

impl Front {
    /// A front before `behind` that passes everything.
    pub(crate) async fn start(identity: &Identity, behind: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            behind,
            plan: Mutex::new((0, Box::new(|_, _| Action::Pass))),
            seen: Mutex::default(),
            hanging: Notify::new(),
            connector: identity.connector(),
        });
        let (acceptor, own) = (identity.acceptor(), shared.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (acceptor, shared) = (acceptor.clone(), own.clone());
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = shared.serve(&mut stream).await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
        Self { address, shared, task }
    }

    /// Sets what is done with requests from now on, and begins to count anew.
    pub(crate) fn plan(&self, plan: impl FnMut(usize, &str) -> Action + Send + 'static) {
        *self.shared.plan.lock().unwrap() = (0, Box::new(plan));
        self.shared.seen.lock().unwrap().clear();
    }

    /// The first lines of the requests since the last plan.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Gets a page of another HTTPS server of this identity's.
    pub(crate) async fn fetch(&self, server: SocketAddr, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n");
        let answer = self.shared.pass(server, &head, b"").await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{head}");
        body.to_owned()
    }

    /// Returns when a request hangs.
    pub(crate) async fn hanging(&self) {
        self.shared.hanging.notified().await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Serves one request.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
    ) -> std::io::Result<()> {
        let Some((head, body)) = read_message(stream).await? else {
            return Ok(());
        };
        let first = head.lines().next().unwrap_or_default().to_owned();
        self.seen.lock().unwrap().push(first.clone());
        let behind = || self.behind.expect("there is a server behind this front");
        let action = {
            let mut plan = self.plan.lock().unwrap();
            plan.0 += 1;
            let number = plan.0;
            (plan.1)(number, &first)
        };
        match action {
            Action::Pass => {
                let answer = self.pass(behind(), &head, &body).await?;
                stream.write_all(&answer).await
            }
            Action::HangBefore => self.hang().await,
            Action::HangAfter => {
                self.pass(behind(), &head, &body).await?;
                self.hang().await
            }
            Action::BreakAfter => {
                self.pass(behind(), &head, &body).await?;
                Ok(())
            }
            Action::Rewrite(rewrite) => {
                let answer = self.pass(behind(), &head, &body).await?;
                stream.write_all(&rewrite(answer)).await
            }
            Action::Answer(text) => stream.write_all(text.as_bytes()).await,
            Action::AnswerAfter(text) => {
                self.pass(behind(), &head, &body).await?;
                stream.write_all(text.as_bytes()).await
            }
            Action::Endless { head, piece, pause } => {
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(piece.as_bytes()).await?;
                    stream.flush().await?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Hangs until the test ends.
    async fn hang(&self) -> std::io::Result<()> {
        self.hanging.notify_one();
        std::future::pending().await
    }

    /// Passes a request on and reads the whole answer.
    async fn pass(&self, to: SocketAddr, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = self.connector.connect(name, stream).await?;
        let (first, rest) = head.split_once("\r\n").unwrap();
        let head = format!("{first}\r\nConnection: close\r\n{rest}");
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        // Some servers end without a close_notify.
        if answer.is_empty() {
            read?;
        }
        Ok(answer)
    }
}

/// Reads the head of a request, up to its empty line, and its body; `None` at the end of input.
async fn read_message<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return Ok(None),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((head, body)))
}

/// An HTTP answer with a nonce.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Action {
    Action::Answer(format!(
        "HTTP/1.1 {status}\r\nReplay-Nonce: nonce\r\n{headers}Content-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        body.len()
    ))
}
