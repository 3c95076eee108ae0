//! The senders: each behind a cache that keeps TLSA records for their TTL, all delivering without a
//! pause, and each with its own judgement of what the mail server presents.
//!
//! There are many caches, filled one after the other, so that at every moment some cache has just
//! looked and some cache holds what it looked up almost a TTL ago. In each turn the cache whose
//! answer is the oldest delivers with it once more, looks up anew, and delivers again: the worst
//! moment and the best.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::wire::ZoneKey;
use super::{dane, name_server, wire};
use crate::name::DnsName;
use crate::ports::Clock;
use crate::time::{Span, Timestamp};
use crate::tlsa::TlsaRrset;

/// How many caches there are.
pub(super) const CACHES: usize = 32;

/// The pause between two turns: with all caches, a little less than the TTL.
const TURN: Duration = Duration::from_millis(90);

/// How long a look-up may take.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// How long a delivery may take.
const DELIVERY_LIMIT: Duration = Duration::from_secs(20);

/// What the senders need to know.
pub(super) struct Target {
    /// Where the TLSA records live.
    pub(super) owner: DnsName,
    /// The mail server's name.
    pub(super) host: DnsName,
    /// The zone's name servers.
    pub(super) name_servers: Vec<SocketAddr>,
    /// The mail server's processes.
    pub(super) processes: Vec<SocketAddr>,
    /// The trust anchor.
    pub(super) key: ZoneKey,
}

/// One answer in a cache.
#[derive(Clone, Debug)]
struct Cached {
    /// What it says.
    rrset: TlsaRrset,
    /// Until when the cache may use it.
    until: Span,
}

/// One delivery that was tried.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// When it began, by the time since boot.
    pub(super) at: Span,
    /// Why the mail was not delivered; `None` if it was.
    pub(super) failure: Option<Failure>,
}

/// Why mail was not delivered.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The certificate that was presented fits nothing in this RRset, which a cache held.
    Unfit(TlsaRrset),
    /// Anything else.
    Other(String),
}

/// All senders.
pub(super) struct Senders {
    /// What they need to know.
    target: Target,
    /// The time.
    clock: Arc<dyn Clock>,
    /// The caches.
    caches: Mutex<Vec<Option<Cached>>>,
    /// What was tried, in the order in which it ended.
    deliveries: Mutex<Vec<Delivery>>,
}

impl Senders {
    /// Senders with empty caches.
    pub(super) fn new(target: Target, clock: Arc<dyn Clock>) -> Self {
        let caches = Mutex::new(vec![None; CACHES]);
        Self { target, clock, caches, deliveries: Mutex::default() }
    }

    /// Delivers until the task is ended.
    pub(super) async fn send(self: Arc<Self>) {
        let mut under_way = JoinSet::new();
        let mut turns = tokio::time::interval(TURN);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0_usize.. {
            turns.tick().await;
            under_way.spawn(Arc::clone(&self).take_turn(turn));
            while under_way.try_join_next().is_some() {}
        }
    }

    /// One cache's turn: a delivery by what it holds, a look-up, a delivery by what that says.
    async fn take_turn(self: Arc<Self>, turn: usize) {
        let (cache, round) = (turn % CACHES, turn / CACHES);
        let processes = &self.target.processes;
        // Over the rounds each cache meets every process and every name server, in all pairs.
        let first = processes[(cache + round) % processes.len()];
        let second = processes[(cache + round + 1) % processes.len()];
        let held = self.caches.lock().unwrap_or_else(PoisonError::into_inner)[cache].clone();
        let at = self.clock.now().uptime;
        if let Some(held) = held.filter(|held| at < held.until) {
            self.deliver(first, held.rrset, at).await;
        }
        let servers = &self.target.name_servers;
        let server = servers[(cache / 2 + round) % servers.len()];
        // A TTL counts from the answer; counted from the question, none is ever kept too long.
        let at = self.clock.now().uptime;
        match self.look_up(server).await {
            Ok(rrset) => {
                let until = at + rrset.ttl.span();
                let filled = Cached { rrset: rrset.clone(), until };
                self.caches.lock().unwrap_or_else(PoisonError::into_inner)[cache] = Some(filled);
                self.deliver(second, rrset, at).await;
            }
            Err(reason) => self.note(Delivery { at, failure: Some(Failure::Other(reason)) }),
        }
    }

    /// Asks a name server, and validates its answer.
    async fn look_up(&self, server: SocketAddr) -> Result<TlsaRrset, String> {
        let owner = &self.target.owner;
        let question = wire::question(owner).map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(LOOKUP_LIMIT, name_server::ask(server, &question)).await;
        let answer = answer.map_err(|_| format!("{server} does not answer"))?;
        let answer = answer.map_err(|error| format!("{server}: {error}"))?;
        let now = self.clock.now().wall;
        wire::read(&answer, owner, &self.target.key, now).map_err(|error| error.to_string())
    }

    /// Delivers a message to a process, if `rrset` accepts what it presents.
    async fn deliver(&self, process: SocketAddr, rrset: TlsaRrset, at: Span) {
        let now = self.clock.now().wall;
        let delivering = submit(process, &self.target.host, rrset.clone(), now);
        let failure = match tokio::time::timeout(DELIVERY_LIMIT, delivering).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) if is_unfit(&error) => Some(Failure::Unfit(rrset)),
            Ok(Err(error)) => Some(Failure::Other(error.to_string())),
            Err(_) => Some(Failure::Other(format!("{process} is too slow"))),
        };
        self.note(Delivery { at, failure });
    }

    /// Notes what came of a delivery.
    fn note(&self, delivery: Delivery) {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
    }

    /// What was tried so far.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The RRsets that caches may still use, each with how many hold it.
    pub(super) fn cached(&self) -> BTreeMap<TlsaRrset, usize> {
        let now = self.clock.now().uptime;
        let mut held = BTreeMap::new();
        let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        for cached in caches.iter().flatten().filter(|cached| now < cached.until) {
            *held.entry(cached.rrset.clone()).or_default() += 1;
        }
        held
    }

    /// The name that senders ask the mail server for.
    pub(super) fn host(&self) -> &DnsName {
        &self.target.host
    }
}

/// Whether a delivery ended because no record accepted the certificate.
fn is_unfit(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls == Some(&dane::refusal())
}

/// The name as TLS has it.
pub(super) fn server_name(host: &DnsName) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.as_str().to_owned()).map_err(io::Error::other)
}

/// Hands over one message by SMTP with STARTTLS.
async fn submit(
    process: SocketAddr,
    host: &DnsName,
    rrset: TlsaRrset,
    now: Timestamp,
) -> io::Result<()> {
    let client = dane::client(rrset).map_err(io::Error::other)?;
    let mut stream = BufReader::new(TcpStream::connect(process).await?);
    expect(&mut stream, "220").await?;
    exchange(&mut stream, "EHLO sender.example.org", "250").await?;
    exchange(&mut stream, "STARTTLS", "220").await?;
    let connector = TlsConnector::from(Arc::new(client));
    let stream = connector.connect(server_name(host)?, stream.into_inner()).await?;
    let mut stream = BufReader::new(stream);
    exchange(&mut stream, "EHLO sender.example.org", "250").await?;
    exchange(&mut stream, "MAIL FROM:<a@example.org>", "250").await?;
    exchange(&mut stream, "RCPT TO:<b@example.nl>", "250").await?;
    exchange(&mut stream, "DATA", "354").await?;
    exchange(&mut stream, &format!("Subject: sent at {now}\r\n\r\nHello\r\n."), "250").await?;
    // It is delivered: how the connection ends is of no matter.
    let _ended = exchange(&mut stream, "QUIT", "221").await;
    let _closed = stream.shutdown().await;
    Ok(())
}

/// Sends a command and waits for a reply with this code.
async fn exchange(
    stream: &mut (impl AsyncBufReadExt + AsyncRead + AsyncWrite + Unpin),
    command: &str,
    code: &str,
) -> io::Result<()> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    stream.flush().await?;
    expect(stream, code).await
}

/// Waits for a reply with this code, which may have several lines (RFC 5321, section 4.2.1).
async fn expect(stream: &mut (impl AsyncBufReadExt + Unpin), code: &str) -> io::Result<()> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::Error::other("the mail server closed the connection"));
        }
        if !line.starts_with(code) {
            return Err(io::Error::other(format!("the mail server said: {}", line.trim_end())));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
