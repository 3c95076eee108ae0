//! One look at a listener: several visits at once, and what they say together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handshake::Session;
use super::report::{Report, Shown};
use super::visit::{Encounter, Sni, Visit};
use crate::ports::{Probe, Protocol};
use crate::rollover::observation::{Listener, Sight};
use crate::time::Span;

/// How listeners are looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How many connections of a look send the base domain as SNI; at least one.
    pub with_sni: u32,
    /// How many send no SNI.
    pub without_sni: u32,
    /// How long a connection may take, from the first packet to the end of the handshake.
    pub limit: Span,
    /// How an SMTP client introduces itself; `None`: by the address that it connects from.
    pub ehlo_name: Option<String>,
    /// How many connections to one address are open at once, over all looks by the same probe; a
    /// look that needs more by itself still gets them.
    ///
    /// Postfix allows a client 50 (`smtpd_client_connection_count_limit`), Exim and others fewer.
    pub connections_per_address: u32,
}

impl Default for Settings {
    /// Five connections, three of them with SNI; half a minute each, since a server may wait some
    /// seconds before it greets (postscreen, greet pauses).
    fn default() -> Self {
        Self {
            with_sni: 3,
            without_sni: 2,
            limit: Span::from_seconds(30),
            ehlo_name: None,
            connections_per_address: 10,
        }
    }
}

/// Looks at listeners over the network. Clones share the limit on connections to one address.
#[derive(Clone, Debug)]
pub struct TlsProbe(Arc<Shared>);

/// What clones of a probe have in common.
#[derive(Debug)]
struct Shared {
    /// How listeners are looked at.
    settings: Settings,
    /// Per address, the connections that may still be made.
    free: Mutex<BTreeMap<IpAddr, Arc<Semaphore>>>,
}

impl TlsProbe {
    /// A probe that gives each connection this long.
    pub fn new(limit: Span) -> Self {
        Self::with_settings(Settings { limit, ..Settings::default() })
    }

    /// A probe with settings of one's own.
    ///
    /// # Panics
    ///
    /// Where no connection sends SNI: that would not be what a DANE client does.
    pub fn with_settings(settings: Settings) -> Self {
        assert!(0 < settings.with_sni, "a DANE client sends SNI (RFC 7672, section 8.1)");
        Self(Arc::new(Shared { settings, free: Mutex::default() }))
    }

    /// Looks at a listener, and tells more than the port's `look`.
    pub async fn examine(&self, listener: &Listener, protocol: Protocol) -> Report {
        let _seats = self.seats(listener.address.ip()).await;
        let settings = &self.0.settings;
        let visit = |sni| Visit {
            address: listener.address,
            protocol,
            name: listener.owner.base().clone(),
            sni,
            family: Some(listener.family),
            ehlo_name: settings.ehlo_name.clone(),
            limit: settings.limit,
        };
        let with = (0..settings.with_sni).map(|_| visit(Sni::Sent));
        let without = (0..settings.without_sni).map(|_| visit(Sni::Omitted));
        let mut report = Report::judge(&make(with.chain(without).collect()).await);
        if report.sight == Sight::NotOffered {
            let control = Visit { family: None, ..visit(Sni::Sent) };
            if let [(_, shown)] = make(vec![control]).await.as_slice() {
                report.doubt(listener.family, shown);
            }
        }
        let address = listener.address;
        tracing::debug!(%address, family = %listener.family, ?report, "looked at a listener");
        report
    }

    /// How listeners are looked at.
    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Waits until as many connections to `address` may be made as a look needs.
    pub(super) async fn seats(&self, address: IpAddr) -> Option<OwnedSemaphorePermit> {
        let settings = &self.0.settings;
        let needed = settings.with_sni.saturating_add(settings.without_sni);
        let seats = settings.connections_per_address.max(needed);
        let seats = usize::try_from(seats).unwrap_or(Semaphore::MAX_PERMITS);
        let free = {
            let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(free.entry(address).or_insert_with(|| Arc::new(Semaphore::new(seats))))
        };
        // It is never closed, so this waits and does not fail.
        free.acquire_many_owned(needed).await.ok()
    }
}

#[async_trait]
impl Probe for TlsProbe {
    async fn look(&self, listener: &Listener, protocol: Protocol) -> Sight {
        self.examine(listener, protocol).await.sight
    }
}

/// How long a connection that is through is kept for the sake of others. A server with few processes
/// may have none left for them until it is given up.
const KEPT_OPEN: Duration = Duration::from_secs(1);

/// Makes visits side by side, each connection kept open while others are under way: so each meets
/// another process of the server, if there is one. Returns what they showed, in their order.
async fn make(visits: Vec<Visit>) -> Vec<(Sni, Shown)> {
    let mut under_way = JoinSet::new();
    for (number, visit) in visits.into_iter().enumerate() {
        under_way.spawn(async move { (number, visit.make().await, visit) });
    }
    let (mut open, mut farewells) = (Vec::new(), JoinSet::new());
    let mut patience = KEPT_OPEN;
    let mut all_shown = BTreeMap::new();
    loop {
        let made = match timeout(patience, under_way.join_next()).await {
            Ok(None) => break,
            Ok(Some(Ok(made))) => made,
            Ok(Some(Err(error))) => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {
                // From here on none is kept: the server serves few at once, or is slow anyway.
                patience = Duration::from_millis(50);
                take_leave(&mut open, &mut farewells);
                continue;
            }
        };
        let (number, encounter, visit) = made;
        let shown = match encounter {
            Ok(Encounter::Presented(session)) => {
                let shown = Shown::Presented(session.chain.clone(), session.version);
                let sni = visit.sni;
                open.push((session, visit));
                (sni, shown)
            }
            Ok(Encounter::NotOffered) => (visit.sni, Shown::NotOffered),
            Ok(Encounter::HungUp { reason }) => (visit.sni, Shown::HungUp(reason)),
            Ok(Encounter::NoTls { reason }) => (visit.sni, Shown::NoTls(reason)),
            Err(fault) => (visit.sni, Shown::Failed(fault.to_string())),
        };
        all_shown.insert(number, shown);
    }
    take_leave(&mut open, &mut farewells);
    farewells.join_all().await;
    all_shown.into_values().collect()
}

/// Ends the sessions that are open.
fn take_leave(open: &mut Vec<(Session, Visit)>, farewells: &mut JoinSet<()>) {
    for (session, visit) in open.drain(..) {
        farewells.spawn(session.end(visit));
    }
}
