//! What an ACME issuer works with, for tests: the real time, and a zone whose name server is
//! pebble-challtestsrv.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rollover::name::DnsName;
use rollover::ports::{Clock, Dns, HeldRrset, LookupError, PublishError, Publisher, RrsetChange};
use rollover::rollover::observation::OwnerSight;
use rollover::time::{Moment, Span, Timestamp, Ttl};
use rollover::tlsa::TlsaOwner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The real time.
pub(crate) struct RealClock(Instant);

impl RealClock {
    /// A clock that started now.
    #[expect(clippy::disallowed_methods, reason = "this is the test's clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the test's clock")]
    fn now(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Moment {
            wall: Timestamp::from_millis(i64::try_from(wall.as_millis()).unwrap()),
            boot: 1,
            uptime: Span::from_millis(u64::try_from(self.0.elapsed().as_millis()).unwrap()),
        }
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(Duration::from(span)).await;
    }
}

/// The zone example.nl, as a publisher sees it and as its name servers do.
pub(crate) struct Zone {
    /// The management address of pebble-challtestsrv; `None` where no CA looks at the zone.
    server: Option<SocketAddr>,
    /// The TXT records that are in the zone now.
    records: Mutex<BTreeSet<(String, String)>>,
    /// Held while pebble-challtestsrv is told.
    telling: tokio::sync::Mutex<()>,
    /// What is an alias, and of what.
    pub(crate) aliases: tokio::sync::Mutex<BTreeMap<DnsName, DnsName>>,
    /// Whether a name server lags.
    pub(crate) lags: AtomicBool,
    /// Whether looks at the name servers never come back.
    pub(crate) hangs: AtomicBool,
    /// Told when a look hangs.
    pub(crate) hanging: Notify,
    /// Whether removals are refused.
    pub(crate) refuses_removal: AtomicBool,
}

impl Zone {
    /// An empty zone.
    pub(crate) fn new(server: Option<SocketAddr>) -> Self {
        Self {
            server,
            records: Mutex::default(),
            telling: tokio::sync::Mutex::default(),
            aliases: tokio::sync::Mutex::default(),
            lags: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            hanging: Notify::new(),
            refuses_removal: AtomicBool::new(false),
        }
    }

    /// The TXT records that are in the zone now.
    pub(crate) fn records(&self) -> BTreeSet<(String, String)> {
        self.records.lock().unwrap().clone()
    }

    /// Tells pebble-challtestsrv what is at `name` now. It knows no exchange in one stroke, so
    /// for a moment there is nothing: tests side by side use names of their own.
    async fn tell(&self, name: &DnsName) {
        let _one_at_a_time = self.telling.lock().await;
        let host = name.absolute();
        self.post("/clear-txt", &format!(r#"{{"host":"{host}"}}"#)).await;
        for (at, value) in self.records() {
            if at == name.as_str() {
                let body = format!(r#"{{"host":"{host}","value":"{value}"}}"#);
                self.post("/set-txt", &body).await;
            }
        }
    }

    /// Sends one request to pebble-challtestsrv.
    async fn post(&self, path: &str, body: &str) {
        let Some(server) = self.server else { return };
        let mut stream = TcpStream::connect(server).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
}

#[async_trait]
impl Publisher for Zone {
    async fn read(&self, _: &DnsName, _: &DnsName) -> Result<HeldRrset, PublishError> {
        unreachable!("an issuer reads no TLSA records")
    }

    async fn replace(&self, _: &DnsName, _: &[RrsetChange]) -> Result<(), PublishError> {
        unreachable!("an issuer writes no TLSA records")
    }

    fn longest_delay(&self) -> Span {
        Span::ZERO
    }

    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        _: Ttl,
    ) -> Result<(), PublishError> {
        assert_eq!(zone.as_str(), "example.nl");
        let record = (name.as_str().to_owned(), value.to_owned());
        self.records.lock().unwrap().insert(record);
        self.tell(name).await;
        Ok(())
    }

    async fn remove_txt(
        &self,
        _: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError> {
        if self.refuses_removal.load(Ordering::SeqCst) {
            return Err(PublishError::Refused {
                server: "192.0.2.53".to_owned(),
                what: format!("{name} TXT"),
                rcode: "REFUSED".to_owned(),
            });
        }
        let record = (name.as_str().to_owned(), value.to_owned());
        self.records.lock().unwrap().remove(&record);
        self.tell(name).await;
        Ok(())
    }
}

#[async_trait]
impl Dns for Zone {
    async fn look(&self, _: &TlsaOwner, _: &[String]) -> OwnerSight {
        unreachable!("an issuer looks at no TLSA records")
    }

    async fn txt_is_everywhere(&self, name: &DnsName, value: &str, _: &[String]) -> bool {
        if self.hangs.load(Ordering::SeqCst) {
            self.hanging.notify_one();
            std::future::pending::<()>().await;
        }
        let record = (name.as_str().to_owned(), value.to_owned());
        !self.lags.load(Ordering::SeqCst) && self.records().contains(&record)
    }

    async fn canonical(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        Ok(self.aliases.lock().await.get(name).cloned().unwrap_or_else(|| name.clone()))
    }

    async fn zone_of(&self, name: &DnsName) -> Result<DnsName, LookupError> {
        let zone = "example.nl".parse().unwrap();
        if name.is_within(&zone) {
            return Ok(zone);
        }
        Err(LookupError { what: format!("{name} SOA"), reason: "NXDOMAIN".to_owned() })
    }

    async fn addresses(&self, _: &DnsName) -> Result<Vec<IpAddr>, LookupError> {
        unreachable!("an issuer connects to no mail server")
    }
}
