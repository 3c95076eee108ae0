//! Updates of one zone that travel together: one message for all that want to change it at once.
//!
//! Hosts of one zone are worked on side by side, and each would send an update of its own: a fleet
//! that renews in one pass would sign the zone as often as it has hosts. Here who comes first goes at
//! once; who comes while he is on the road goes with all who came meanwhile. So one host waits for
//! nobody, and a hundred send two or three messages.
//!
//! The server makes all changes of a message or none. Where it makes none because of one of them, as
//! after somebody else's edit, each host's changes are sent again alone: what is wrong with one host
//! holds up no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Mutex as Turns, oneshot};
use tokio::task::JoinSet;

use crate::name::DnsName;
use crate::ports::{HeldRrset, PublishError, Publisher, RrsetChange};
use crate::time::{Span, Ttl};

/// How many RRsets one message changes at the most: at twelve records before and twelve after, it
/// stays within the 65,535 octets of a message ([RFC 1035, section 4.2.2]).
///
/// [RFC 1035, section 4.2.2]: https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2
const RRSETS_AT_ONCE: usize = 32;

/// How many calls of the primary changes may wait for before they are sent: those on the road, those of
/// them that are sent again alone, and that of their own convoy.
const CALLS_BEFORE: u32 = 3;

/// What came of an update.
type Answer = Result<(), PublishError>;

/// A primary whose updates travel together.
pub struct Convoy {
    /// The primary. It makes all changes of one call, or none.
    primary: Arc<dyn Publisher>,
    /// Who waits to be taken along, by zone.
    waiting: Mutex<BTreeMap<DnsName, Vec<Passenger>>>,
    /// Whose turn it is to send.
    road: Turns<()>,
    /// How long one call of the primary may take.
    longest_call: Span,
}

/// One host's changes.
struct Passenger {
    /// The changes, of which all are made or none.
    changes: Vec<RrsetChange>,
    /// Where the answer goes.
    answer: oneshot::Sender<Answer>,
}

impl Convoy {
    /// Lets the updates of `primary` travel together, each call of which may take this long.
    pub fn new(primary: Arc<dyn Publisher>, longest_call: Span) -> Self {
        Self { primary, waiting: Mutex::default(), road: Turns::default(), longest_call }
    }

    /// Waits to be taken along.
    fn board(&self, zone: &DnsName, passenger: Passenger) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(zone.clone()).or_default().push(passenger);
    }

    /// Takes along all who wait.
    fn take(&self, zone: &DnsName) -> Vec<Passenger> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(zone).unwrap_or_default()
    }

    /// Sends what these passengers want, and tells each what came of it.
    async fn drive(&self, zone: &DnsName, passengers: Vec<Passenger>) {
        let mut convoys = JoinSet::new();
        for convoy in divide(passengers) {
            let (primary, zone) = (Arc::clone(&self.primary), zone.clone());
            convoys.spawn(async move { send(&primary, &zone, convoy).await });
        }
        convoys.join_all().await;
    }
}

/// Divides passengers into convoys: no message is too long, and none changes a name for two.
fn divide(passengers: Vec<Passenger>) -> Vec<Vec<Passenger>> {
    let mut convoys: Vec<(BTreeSet<DnsName>, Vec<Passenger>)> = Vec::new();
    for passenger in passengers {
        let names: BTreeSet<DnsName> = passenger.changes.iter().map(|c| c.name.clone()).collect();
        let room = convoys.iter_mut().find(|(taken, _)| {
            taken.len() + names.len() <= RRSETS_AT_ONCE && taken.is_disjoint(&names)
        });
        match room {
            Some((taken, convoy)) => {
                taken.extend(names);
                convoy.push(passenger);
            }
            None => convoys.push((names, vec![passenger])),
        }
    }
    convoys.into_iter().map(|(_, convoy)| convoy).collect()
}

/// Sends a convoy; where one of several may be what the server objects to, each alone.
async fn send(primary: &Arc<dyn Publisher>, zone: &DnsName, convoy: Vec<Passenger>) {
    let all: Vec<RrsetChange> = convoy.iter().flat_map(|p| p.changes.clone()).collect();
    let answer = primary.replace(zone, &all).await;
    let is_of_one = matches!(
        answer,
        Err(PublishError::Conflict { .. }
            | PublishError::Refused { .. }
            | PublishError::Inexpressible { .. })
    );
    if convoy.len() == 1 || !is_of_one {
        for passenger in convoy {
            let about = |error: PublishError| error.about(names(&passenger.changes));
            // Who does not wait for his answer any more needs none.
            let _unheard = passenger.answer.send(answer.clone().map_err(about));
        }
        return;
    }
    let mut alone = JoinSet::new();
    for Passenger { changes, answer } in convoy {
        let (primary, zone) = (Arc::clone(primary), zone.clone());
        alone.spawn(async move {
            let _unheard = answer.send(primary.replace(&zone, &changes).await);
        });
    }
    alone.join_all().await;
}

/// What changes are about.
fn names(changes: &[RrsetChange]) -> String {
    let names: Vec<String> = changes.iter().map(|change| change.name.absolute()).collect();
    format!("{} TLSA", names.join(", "))
}

#[async_trait]
impl Publisher for Convoy {
    async fn read(&self, zone: &DnsName, name: &DnsName) -> Result<HeldRrset, PublishError> {
        self.primary.read(zone, name).await
    }

    async fn replace(&self, zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        let (answer, mut answered) = oneshot::channel();
        self.board(zone, Passenger { changes: changes.to_vec(), answer });
        let _turn = self.road.lock().await;
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        self.drive(zone, self.take(zone)).await;
        answered.try_recv().unwrap_or_else(|_| {
            // Who drove was stopped on the way.
            Err(PublishError::Unanswered {
                server: "the update server".to_owned(),
                what: names(changes),
                reason: "the pass was stopped while it was asked".to_owned(),
            })
        })
    }

    async fn compares(&self) -> bool {
        self.primary.compares().await
    }

    fn longest_delay(&self) -> Span {
        self.primary.longest_delay() + self.longest_call.times(CALLS_BEFORE)
    }

    async fn caveat(&self) -> Option<String> {
        self.primary.caveat().await
    }

    async fn leave(&self) {
        self.primary.leave().await;
    }

    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        ttl: Ttl,
    ) -> Result<(), PublishError> {
        self.primary.add_txt(zone, name, value, ttl).await
    }

    async fn remove_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError> {
        self.primary.remove_txt(zone, name, value).await
    }
}

#[cfg(test)]
mod tests;
