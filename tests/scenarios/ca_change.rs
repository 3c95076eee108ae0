//! Changes of CA: wanted ones and unannounced ones.

use crate::lab::judge::Demand;
use crate::stage::Stage;

/// The factsheet's order is observable: 2 1 1 swapped, one TTL waited, only then issued and deployed,
/// then 3 1 1 swapped.
#[test]
fn a_change_of_an_own_ca_follows_the_factsheet() {
    let stage = Stage::usual("ncsc");
    let old_key = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    let run = stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    println!("{}", run.out);
    let verdict = stage.finish(judge);
    println!("{verdict:#?}");
    verdict.expect_clean(100);
    stage.expect_settled(&stage.other);
    assert_ne!(stage.key_in_file(), old_key);
}
