//! The machine's wall clock is turned while a rollover is under way: its waits become longer, and never
//! shorter. In the worlds of `adversary.rs` clocks jump among everything else.

#![allow(clippy::print_stdout, reason = "a test says how long it took")]

use std::sync::Arc;

use rollover::pki::KeyType;
use rollover::policy::shipped;
use rollover::rollover::action::Request;
use rollover::sim::chance::Seeded;
use rollover::sim::pool::{Authority, Pool};
use rollover::sim::ports::{Port, Scene};
use rollover::sim::world::{Constants, World};
use rollover::time::Span;

/// How long a change of CA takes in a world without mishaps, its wall clock off by `error` milliseconds
/// at each of its passes.
async fn change_of_ca(error: fn(u32) -> i64) -> Span {
    let policy = shipped::by_name("ncsc").expect("a shipped policy");
    let constants = Constants {
        pool: Pool::new(&[KeyType::EcdsaP256], 4).expect("keys"),
        old_process_lives: policy.timing.drain,
        policy: policy.clone(),
        key_types: vec![KeyType::EcdsaP256],
    };
    let mut chooser = Seeded::new(1);
    chooser.be_fair();
    let port = Port::new(Scene {
        world: World::new(Arc::new(constants)),
        chooser,
        pace: 100,
        sleeper: Box::new(|world, _, span| world.pass_time(span)),
        events: Vec::new(),
    });
    let policy = Arc::new(policy);
    let (mut asked, mut began) = (None, None);
    let mut number = 0;
    for _ in 0..10_000 {
        port.scene().world.clock_error = error(number);
        let report = port.host(&policy).run(asked.take()).await.expect("a pass");
        let mut scene = port.scene();
        assert!(scene.world.stranded.is_none(), "{:?}", scene.world.stranded);
        match (report.is_in_flight(), began) {
            (true, _) => {}
            (false, None) => {
                began = Some(scene.world.now);
                asked = Some(Request::NewCa(Some(Authority::Other.issuer().to_owned())));
            }
            (false, Some(began)) => return scene.world.now.since(began),
        }
        number += u32::from(began.is_some());
        scene.world.pass_time(Span::from_seconds(2));
    }
    panic!("there is no end");
}

/// The wall clock jumps once, while the change is under way, or at every pass.
#[test]
fn a_clock_that_is_turned_makes_waits_longer_and_never_shorter() {
    const HOUR: i64 = 3_600_000;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let takes = |error| runtime.block_on(change_of_ca(error));
    let steady = takes(|_| 0);
    let on = takes(|number| if number < 20 { 0 } else { HOUR });
    let back = takes(|number| if number < 20 { 0 } else { -HOUR });
    let to_and_fro = takes(|number| if number % 2 == 0 { HOUR } else { -HOUR });
    println!(
        "a change of CA takes {steady}; {on}, {back} and {to_and_fro} by clocks that are turned"
    );
    assert!(steady <= on, "{on} after {steady}");
    assert!(steady <= to_and_fro, "{to_and_fro} after {steady}");
    // What the clock showed before is an hour ahead of what it shows now.
    assert!(Span::from_seconds(3600) < back, "{back} after {steady}");
}
