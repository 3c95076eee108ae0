//! What is saved is loaded again, exactly, and replaces what was there.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rollover::ledger::SqliteLedger;
use rollover::ports::Ledger;
use rollover::rollover::presentable::{Expected, Presentable};
use rollover::rollover::served::Presence;
use rollover::rollover::state::HostState;

use crate::states::{CHAINS, certificates, state};
use crate::{event, open, results};

#[test]
fn what_is_saved_is_loaded_and_replaces_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let mut runner =
        TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(state(), state()), |(first, second)| {
        ledger.save("mx1", &first, &[]).unwrap();
        ledger.save("mx2", &second, &[]).unwrap();
        prop_assert_eq!(&ledger.load("mx1").unwrap(), &first);
        ledger.save("mx1", &second, &[]).unwrap();
        prop_assert_eq!(&ledger.load("mx1").unwrap(), &second);
        ledger.save("mx1", &first, &[]).unwrap();
        // also by a process that begins anew, and without a trace in another host
        let anew = SqliteLedger::open_read_only(directory.path()).unwrap();
        prop_assert_eq!(&anew.load("mx1").unwrap(), &first);
        prop_assert_eq!(&anew.load("mx2").unwrap(), &second);
        Ok(())
    });
    outcome.unwrap();
    let leavings = "SELECT count(*) FROM owner WHERE host NOT IN ('mx1', 'mx2')";
    let raw = rusqlite::Connection::open(directory.path().join("ledger.sqlite")).unwrap();
    assert_eq!(raw.query_row(leavings, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    let mut violations = raw.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(violations.query([]).unwrap().next().unwrap().is_none());
}

#[test]
fn a_host_never_heard_of_has_the_state_of_first_sight() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    assert_eq!(ledger.load("mx1").unwrap(), HostState::default());
    assert_eq!(ledger.history("mx1", 10).unwrap(), []);
}

#[test]
fn history_is_kept_per_host_in_order_and_the_last_of_it_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let state = HostState::default();
    ledger.save("mx1", &state, &[event(3), event(1)]).unwrap();
    ledger.save("mx2", &state, &[event(7)]).unwrap();
    ledger.save("mx1", &state, &[]).unwrap();
    ledger.save("mx1", &state, &[event(2)]).unwrap();
    // in the order of recording: clocks may be turned back
    assert_eq!(results(&ledger, "mx1"), ["3", "1", "2"]);
    assert_eq!(ledger.history("mx1", 2).unwrap(), [event(1), event(2)]);
    assert_eq!(ledger.history("mx2", 2).unwrap(), [event(7)]);
    assert_eq!(ledger.history("mx1", 0).unwrap(), []);
}

#[test]
fn a_chain_that_was_not_issued_cannot_be_in_service() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let mut state = HostState::default();
    let expected = Expected { spki: CHAINS[0].leaf().spki().to_vec(), anchors: certificates() };
    let chain = Presentable::Expected(expected);
    state.served.presences.push(Presence { chain, ended: None });
    let error = ledger.save("mx1", &state, &[event(1)]).unwrap_err();
    assert!(error.message.ends_with("a chain that was not issued cannot be in service"), "{error}");
    assert_eq!(results(&ledger, "mx1"), [""; 0]);
}
