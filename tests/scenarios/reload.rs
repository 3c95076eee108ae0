//! Reload commands that fail, or succeed without effect: the old chain is back, exit 1, and the next
//! pass recovers by itself once it works.

use std::path::Path;

use crate::lab::HOST;
use crate::lab::configuration::quick_policy;
use crate::lab::judge::Demand;
use crate::stage::Stage;

/// Puts a reload command of these lines in front of the real one.
fn script(stage: &Stage, lines: &str) {
    let path = stage.lab.path("reload.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("a script");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a script that runs");
}

/// The lines of the real reload.
fn real(stage: &Stage) -> String {
    format!("exec {}", stage.postfix.reload().join(" "))
}

/// A stage that reloads by a script, acquainted.
fn stage() -> Stage {
    let stage = Stage::new(crate::lab::Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    script(&stage, &real(&stage));
    let policy = quick_policy(&stage.lab, "ncsc");
    let reload = [stage.lab.path("reload.sh").display().to_string()];
    configure(&stage, &stage.bundle, &policy, &reload);
    stage.get_acquainted();
    stage
}

/// Writes the configuration.
fn configure(stage: &Stage, file: &Path, policy: &Path, reload: &[String]) {
    crate::lab::configuration::Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .own_ca("other", &stage.other)
        .host(&format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()), file, reload)
        .write(&stage.lab);
}

#[test]
fn a_failing_reload_puts_the_old_chain_back() {
    let stage = stage();
    let old = stage.key_in_file();
    let judge = stage.judge(Demand::Any);
    script(&stage, "echo 'postfix: fatal: no' >&2; exit 1");
    let run = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    assert!(run.err.contains("exited with status 1"), "{}", run.err);
    assert!(run.err.contains("postfix: fatal: no"), "{}", run.err);
    assert!(run.err.contains("hint: "), "{}", run.err);
    assert_eq!(stage.key_in_file(), old, "the old chain is back");
    let status = stage.lab.status();
    assert_eq!(status["phase"], "held", "{status:#}");
    assert!(
        status["attention"].as_str().is_some_and(|text| text.contains("reload.sh")),
        "{status:#}"
    );
    script(&stage, &real(&stage));
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    assert_ne!(stage.key_in_file(), old);
    stage.expect_settled(&stage.house);
}

/// The mail server reads another file than the one that is deployed to: a reload that succeeds
/// without effect. Once it reads the right one, the next pass recovers.
#[test]
fn a_reload_without_effect_puts_the_old_chain_back() {
    let stage = Stage::new(crate::lab::Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let old = stage.key_in_file();
    let policy = quick_policy(&stage.lab, "ncsc");
    // As if an operator had copied the bundle to where rollover deploys, and forgot main.cf.
    let elsewhere = stage.lab.path("elsewhere.pem");
    std::fs::copy(&stage.bundle, &elsewhere).expect("a copy");
    configure(&stage, &elsewhere, &policy, &stage.postfix.reload());
    stage.get_acquainted();
    let judge = stage.judge(Demand::Any);
    let run = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    assert!(run.err.contains("the reload command succeeded, but"), "{}", run.err);
    assert!(run.err.contains("127.0.25.1:25 presents"), "{}", run.err);
    assert_eq!(stage.presented(), old);
    assert_eq!(crate::lab::authority::key_record(&elsewhere), old, "the old chain is back");
    // Now main.cf names the right file.
    std::fs::remove_file(&stage.bundle).expect("the old file goes");
    std::os::unix::fs::symlink(&elsewhere, &stage.bundle).expect("the mail server reads the new");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    assert_ne!(stage.presented(), old);
    stage.expect_settled(&stage.house);
}
