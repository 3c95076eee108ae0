//! The mail server: processes that speak SMTP with STARTTLS, and reload one after the other.
//!
//! They read the chain file that the real deployer writes, when the reload command touches a file
//! next to it. So nothing of the change reaches them but by the way it reaches Postfix.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How often a process looks whether it shall reload.
const WATCH_PAUSE: Duration = Duration::from_millis(40);

/// How long one connection may take.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);

/// How often another port is tried, where the first is taken at some address.
const PORT_TRIES: u32 = 64;

/// The files that a process reads.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// Key and chain.
    pub(super) chain: PathBuf,
    /// Touched by the reload command.
    pub(super) reload: PathBuf,
}

/// What a process presents.
#[derive(Clone)]
pub(super) struct Presented {
    /// The chain.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The same, ready for handshakes.
    config: Arc<ServerConfig>,
}

/// One process of the mail server.
pub(super) struct Process {
    /// Where it listens; port and protocol are the same for all.
    listener: TcpListener,
    /// What it presents now.
    presented: Mutex<Presented>,
    /// What it reads.
    files: Files,
    /// How long after the reload command it follows.
    delay: Duration,
}

/// Opens the same port at every address: one process each, with how long each takes to reload.
///
/// # Errors
///
/// Where no port is free at all of them, or the files hold no key and chain.
pub(super) async fn open(
    places: &[(Ipv4Addr, Duration)],
    files: &Files,
) -> io::Result<(u16, Vec<Arc<Process>>)> {
    let presented = read(&files.chain)?;
    let mut failure = io::Error::other("there is no address to listen at");
    for _ in 0..PORT_TRIES {
        match listen(places).await {
            Ok((port, listeners)) => {
                let process = |(listener, delay)| {
                    let (presented, files) = (Mutex::new(presented.clone()), files.clone());
                    Arc::new(Process { listener, presented, files, delay })
                };
                return Ok((port, listeners.into_iter().map(process).collect()));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Opens a port that the system chooses for the first address.
async fn listen(
    places: &[(Ipv4Addr, Duration)],
) -> io::Result<(u16, Vec<(TcpListener, Duration)>)> {
    let (mut port, mut listeners) = (0, Vec::new());
    for (address, delay) in places {
        let listener = TcpListener::bind((*address, port)).await?;
        port = listener.local_addr()?.port();
        listeners.push((listener, *delay));
    }
    Ok((port, listeners))
}

/// Reads key and chain as a mail server does.
fn read(path: &Path) -> io::Result<Presented> {
    let text = std::fs::read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .map_err(io::Error::other)?;
    Ok(Presented { chain, config: Arc::new(config) })
}

impl Process {
    /// What it presents now.
    pub(super) fn presented(&self) -> Presented {
        self.presented.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves until the task is ended.
    pub(super) async fn serve(self: Arc<Self>) {
        tokio::join!(self.accept(), self.watch());
    }

    /// Reloads when it is told to. What it was told while it was at it is not lost.
    async fn watch(&self) {
        let touched = || std::fs::metadata(&self.files.reload).and_then(|file| file.modified());
        let mut seen: Option<SystemTime> = touched().ok();
        loop {
            tokio::time::sleep(WATCH_PAUSE).await;
            let now = touched().ok();
            if now == seen {
                continue;
            }
            seen = now;
            tokio::time::sleep(self.delay).await;
            match read(&self.files.chain) {
                Ok(presented) => {
                    *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = presented;
                }
                // As Postfix does, it goes on with what it has.
                Err(error) => tracing::warn!(%error, "the mail server cannot reload"),
            }
        }
    }

    /// Accepts connections, each with what is presented at that moment.
    async fn accept(&self) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        let config = self.presented().config;
                        let talk = tokio::time::timeout(CONNECTION_LIMIT, converse(stream, config));
                        open.spawn(async move {
                            // How a client leaves is its own matter.
                            let _left = talk.await;
                        });
                    }
                }
                Some(_) = open.join_next() => {}
            }
        }
    }
}

/// SMTP up to STARTTLS (RFC 3207), and on after it.
async fn converse(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, "220 mail.example.nl ESMTP").await?;
    loop {
        let Some(command) = hear(&mut stream).await? else { return Ok(()) };
        match command.as_str() {
            "EHLO" => say(&mut stream, "250-mail.example.nl\r\n250 STARTTLS").await?,
            "STARTTLS" => break,
            "QUIT" => return say(&mut stream, "221 2.0.0 Bye").await,
            _ => say(&mut stream, "530 5.7.0 Must issue a STARTTLS command first").await?,
        }
    }
    say(&mut stream, "220 2.0.0 Ready to start TLS").await?;
    // What came in the clear behind STARTTLS is dropped with the buffer.
    let stream = TlsAcceptor::from(config).accept(stream.into_inner()).await?;
    receive(BufReader::new(stream)).await
}

/// SMTP after STARTTLS: takes every message.
async fn receive(mut stream: impl AsyncBufReadExt + AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(command) = hear(&mut stream).await? {
        match command.as_str() {
            "EHLO" => say(&mut stream, "250 mail.example.nl").await?,
            "MAIL" | "RCPT" => say(&mut stream, "250 2.1.0 Ok").await?,
            "DATA" => {
                say(&mut stream, "354 End data with <CR><LF>.<CR><LF>").await?;
                while hear(&mut stream).await?.is_some_and(|line| line != ".") {}
                say(&mut stream, "250 2.0.0 Ok: delivered").await?;
            }
            "QUIT" => {
                say(&mut stream, "221 2.0.0 Bye").await?;
                return stream.shutdown().await;
            }
            _ => say(&mut stream, "502 5.5.2 Command not recognised").await?,
        }
    }
    Ok(())
}

/// The first word of the next line, in capitals; `None` where the other side has left.
async fn hear(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(line.split_ascii_whitespace().next().unwrap_or_default().to_ascii_uppercase()))
}

/// Sends a line.
async fn say(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}
