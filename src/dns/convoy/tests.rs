//! Many who change a zone at once, before a primary that keeps what it was asked.

use std::future::Future;
use std::pin::pin;

use tokio::sync::Semaphore;

use super::*;
use crate::tlsa::TlsaRrset;

/// A primary that answers when it is let, and keeps what it was asked.
struct Slow {
    /// How many more calls it may answer.
    leave: Semaphore,
    /// The names of each call, in order.
    calls: Mutex<Vec<Vec<String>>>,
    /// What it says of changes to this name.
    objection: Option<(DnsName, PublishError)>,
}

impl Slow {
    /// A primary that takes everything.
    fn new(objection: Option<(DnsName, PublishError)>) -> Arc<Self> {
        Arc::new(Self { leave: Semaphore::new(0), calls: Mutex::default(), objection })
    }

    /// How many RRsets each call was about.
    fn sizes(&self) -> Vec<usize> {
        self.calls.lock().unwrap().iter().map(Vec::len).collect()
    }
}

#[async_trait]
impl Publisher for Slow {
    async fn read(&self, _: &DnsName, _: &DnsName) -> Result<HeldRrset, PublishError> {
        unreachable!("nothing is read")
    }

    async fn replace(&self, _: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        let names: Vec<String> = changes.iter().map(|change| change.name.to_string()).collect();
        self.calls.lock().unwrap().push(names);
        self.leave.acquire().await.expect("it is never closed").forget();
        match &self.objection {
            Some((name, error)) if changes.iter().any(|c| c.name == *name) => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }

    fn longest_delay(&self) -> Span {
        Span::from_seconds(1)
    }

    async fn add_txt(&self, _: &DnsName, _: &DnsName, _: &str, _: Ttl) -> Result<(), PublishError> {
        unreachable!("no proof is published")
    }

    async fn remove_txt(&self, _: &DnsName, _: &DnsName, _: &str) -> Result<(), PublishError> {
        unreachable!("no proof is removed")
    }
}

fn name(text: &str) -> DnsName {
    text.parse().unwrap()
}

fn zone() -> DnsName {
    name("example.nl")
}

fn change(at: &str) -> RrsetChange {
    let absent = TlsaRrset::absent(Ttl::from_seconds(60));
    RrsetChange { owners: Vec::new(), name: name(at), observed: absent.clone(), desired: absent }
}

fn unanswered() -> PublishError {
    let [server, what, reason] = ["ns1", "all of them", "silence"].map(str::to_owned);
    PublishError::Unanswered { server, what, reason }
}

fn conflict() -> PublishError {
    let [server, what] = ["ns1", "all of them"].map(str::to_owned);
    PublishError::Conflict { server, what }
}

/// Lets these hosts change their RRsets at once, and returns what each was told.
async fn all_at_once(primary: &Arc<Slow>, names: &[String]) -> Vec<Answer> {
    let convoy = Arc::new(Convoy::new(primary.clone(), Span::from_seconds(10)));
    let mut hosts = JoinSet::new();
    for (position, name) in names.iter().cloned().enumerate() {
        let convoy = Arc::clone(&convoy);
        hosts.spawn(async move { (position, convoy.replace(&zone(), &[change(&name)]).await) });
        // In this order: each waits where it has to before the next begins.
        tokio::task::yield_now().await;
    }
    primary.leave.add_permits(Semaphore::MAX_PERMITS >> 1);
    let mut answers = hosts.join_all().await;
    answers.sort_by_key(|(position, _)| *position);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn hosts(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("_25._tcp.mx{n}.example.nl")).collect()
}

#[tokio::test]
async fn who_comes_while_one_is_on_the_road_goes_with_all_who_came() {
    let primary = Slow::new(None);
    let answers = all_at_once(&primary, &hosts(9)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(primary.sizes(), [1, 8]);
}

#[tokio::test]
async fn a_long_convoy_is_divided() {
    let primary = Slow::new(None);
    all_at_once(&primary, &hosts(71)).await;
    assert_eq!(primary.sizes(), [1, 32, 32, 6]);
}

#[tokio::test]
async fn what_is_wrong_with_one_holds_up_no_other() {
    let wrong = name("_25._tcp.mx3.example.nl");
    let primary = Slow::new(Some((wrong, conflict())));
    let answers = all_at_once(&primary, &hosts(4)).await;
    assert_eq!(answers[2], Err(conflict()));
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "{answers:?}");
    assert_eq!(primary.sizes(), [1, 3, 1, 1, 1], "together, then each alone");
}

/// It may have been done: sent again, it could only look like somebody else's edit.
#[tokio::test]
async fn what_was_not_answered_is_not_sent_again() {
    let lost = name("_25._tcp.mx3.example.nl");
    let primary = Slow::new(Some((lost, unanswered())));
    let answers = all_at_once(&primary, &hosts(4)).await;
    assert_eq!(primary.sizes(), [1, 3]);
    let told: Vec<String> =
        answers[1..].iter().map(|answer| answer.clone().unwrap_err().to_string()).collect();
    let about = |n| format!("ns1 did not answer about _25._tcp.mx{n}.example.nl. TLSA: silence");
    assert_eq!(told, [about(2), about(3), about(4)], "each of its own records");
}

#[tokio::test]
async fn no_message_changes_a_name_for_two() {
    let primary = Slow::new(None);
    let [first, second] = ["_25._tcp.mx1.example.nl", "_25._tcp.mx2.example.nl"].map(str::to_owned);
    all_at_once(&primary, &[first, second.clone(), second]).await;
    assert_eq!(primary.sizes(), [1, 1, 1]);
}

/// Whoever drives may be stopped: who was aboard knows nothing, and says so.
#[tokio::test]
async fn who_was_aboard_when_the_driver_was_stopped_was_not_answered() {
    let primary = Slow::new(None);
    let convoy = Convoy::new(primary.clone(), Span::from_seconds(10));
    let (zone, mine, other) = (zone(), [change("_25._tcp.mx1.example.nl")], [change("mx2.nl")]);
    let mut first = pin!(convoy.replace(&zone, &mine));
    let mut driver = Box::pin(convoy.replace(&zone, &other));
    let mut aboard = pin!(convoy.replace(&zone, &mine));
    let poll = |future: std::pin::Pin<&mut dyn Future<Output = Answer>>| {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.poll(&mut context).is_ready()
    };
    assert!(!poll(first.as_mut()));
    assert!(!poll(driver.as_mut()) && !poll(aboard.as_mut()));
    primary.leave.add_permits(1);
    assert_eq!(first.await, Ok(()));
    assert!(!poll(driver.as_mut()), "the second convoy is on the road");
    drop(driver);
    let answer = aboard.await;
    assert!(matches!(answer, Err(PublishError::Unanswered { .. })), "{answer:?}");
}
