//! Look-ups that many ask for at once and that are made once; and how many may be under way.
//!
//! For one audit, which is over before anything it was told is out of date. Nothing here is ever
//! forgotten, so nothing that lives longer than an audit may hold it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

/// What was found out, by what was asked. Who asks while somebody else is asking waits for his answer.
pub(crate) struct Memo<K, V>(Mutex<BTreeMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> fmt::Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}

impl<K: Ord, V: Clone> Memo<K, V> {
    /// What `find` finds for `key`; it is not even begun where that has been found.
    pub(crate) async fn get(&self, key: K, find: impl Future<Output = V>) -> V {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        // On the heap: look-ups lead to look-ups, and each would stand inside the one before.
        let find = Box::pin(find);
        cell.get_or_init(|| find).await.clone()
    }
}

/// How many questions one name server is asked at a time: what any server bears.
const QUESTIONS_AT_ONCE: usize = 32;

/// How many questions are under way in all: fewer than the open files that a process is allowed.
const QUESTIONS_IN_ALL: usize = 256;

/// A limit on the questions under way, to each server and in all.
#[derive(Debug)]
pub(crate) struct Gates {
    /// For each server, the questions that it may still be asked.
    servers: Mutex<BTreeMap<IpAddr, Arc<Semaphore>>>,
    /// The questions that may still be asked of any.
    all: Arc<Semaphore>,
}

impl Default for Gates {
    fn default() -> Self {
        Self { servers: Mutex::default(), all: Arc::new(Semaphore::new(QUESTIONS_IN_ALL)) }
    }
}

/// The leave to ask one question, which is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Leave {
    /// One of its server's.
    _of_server: Option<OwnedSemaphorePermit>,
    /// One of all.
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Gates {
    /// Waits until this server may be asked another question.
    pub(crate) async fn pass(&self, server: IpAddr) -> Leave {
        let gate = {
            let mut gates = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(QUESTIONS_AT_ONCE));
            Arc::clone(gates.entry(server).or_insert_with(new))
        };
        // Its own first: who waits for a slow server holds up nobody else. None is ever closed, so
        // this waits and does not fail.
        let of_server = gate.acquire_owned().await.ok();
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok();
        Leave { _of_server: of_server, _of_all: of_all }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_asks_the_same_at_the_same_time_is_told_the_same_and_it_is_asked_once() {
        let (memo, asked) = (Memo::default(), AtomicU32::new(0));
        let ask = || {
            memo.get("example.nl", async {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (0, 0, 0));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
