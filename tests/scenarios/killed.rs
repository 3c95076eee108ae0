//! Killed with SIGKILL at random moments of a change of CA, each time run again.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::lab::judge::Demand;
use crate::stage::Stage;

/// How often it is killed.
const KILLS: u32 = 20;

/// A generator of moments, from the clock or from `ROLLOVER_SEED`.
struct Moments(u64);

impl Moments {
    /// The next number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What a child that has ended said on standard error.
fn standard_error(child: &mut Child) -> String {
    let mut text = String::new();
    let stderr = child.stderr.as_mut().expect("standard error is a pipe");
    stderr.read_to_string(&mut text).expect("what was said is text");
    text
}

#[test]
fn killed_twenty_times_nobody_is_stranded_and_it_ends() {
    let stage = Stage::usual("ncsc");
    let seed = std::env::var("ROLLOVER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("ROLLOVER_SEED={seed}");
    let mut moments = Moments(seed);
    let judge = stage.judge(Demand::Any);
    let (mut kills, mut finished) = (0, 0_u32);
    let mut targets = ["other", "house"].into_iter().cycle();
    let mut target = targets.next().expect("it cycles");
    let started = Instant::now();
    let mut moments_killed = BTreeSet::new();
    while kills < KILLS {
        assert!(started.elapsed() < Duration::from_secs(240), "it does not get on");
        // The issuer is asked for each time; where that change is in flight already it goes on.
        let mut child = stage.lab.start_rollover(&["--new-ca", target, "--wait"]);
        let limit = Duration::from_millis(30 + moments.below(3000));
        let begun = Instant::now();
        let ended = loop {
            match child.try_wait().expect("the tool can be waited for") {
                Some(status) => break Some(status),
                None if limit < begun.elapsed() => break None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        match ended {
            Some(status) => {
                // Where it was killed after its last record, the change is done already.
                let done = status.code() == Some(2)
                    && standard_error(&mut child).contains("nothing to change to");
                assert!(status.success() || done, "{status:?} toward {target}");
                finished += 1;
                target = targets.next().expect("it cycles");
            }
            None => {
                child.kill().expect("it can be killed");
                child.wait().expect("it is gone");
                moments_killed.insert(stage.lab.status()["phase"].to_string());
                kills += 1;
            }
        }
    }
    stage.lab.rollover(&["--wait"]).expect_code(0);
    println!("killed {kills} times, in {moments_killed:?}; {finished} changes ended in between");
    assert!(2 <= moments_killed.len(), "killed in one phase alone: {moments_killed:?}");
    stage.wait_until_equal();
    stage.finish(judge).expect_clean(300);
    assert_eq!(stage.presented(), stage.key_in_file());
    let present = stage.records(crate::lab::PRIMARY);
    let settled = |ca: &crate::lab::authority::Authority| {
        let mut records = vec![ca.record(), stage.key_in_file()];
        records.sort();
        records == present
    };
    assert!(settled(&stage.house) || settled(&stage.other), "{present:?}");
}
