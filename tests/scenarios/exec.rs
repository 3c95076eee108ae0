//! A command of the operator's deploys: what it is told, what becomes of its no, and what is in place
//! before it was ever called.

use std::path::{Path, PathBuf};

use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::daemon::run;
use crate::lab::judge::Demand;
use crate::lab::{HOST, Lab, PRIMARY};
use crate::stage::Stage;

/// A script as operators write them: it reads JSON, copies a file and reloads; unless `first` ends it
/// before.
fn script(stage: &Stage, first: &str) -> PathBuf {
    let path = stage.lab.path("deploy.py");
    let text = format!(
        "#!/usr/bin/env python3\nimport json, os, shutil, subprocess, sys\ntold = \
         json.load(sys.stdin)\nassert told['protocol'] == 'rollover-deploy/1'\nassert told['host'] \
         == '{HOST}'\n[certificate] = told['certificates']\ntarget = '{target}'\n\
         with open('{log}', 'a') as log: print(told['generation'], certificate['serial'], file=log)\n\
         {first}\nshutil.copy(certificate['bundle_file'], target + '.new')\nos.chmod(target + '.new', \
         0o600)\nos.rename(target + '.new', target)\nsubprocess.run({reload:?}, check=True)\n\
         print('generation', told['generation'], 'is in place')\n",
        target = stage.bundle.display(),
        log = stage.lab.path("told").display(),
        reload = stage.postfix.reload(),
    );
    std::fs::write(&path, text).expect("a script");
    run(std::process::Command::new("chmod").arg("755").arg(&path));
    path
}

/// What the script was told so far: generations and serials.
fn told(lab: &Lab) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(lab.path("told")).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let (generation, serial) = line.split_once(' ').expect("two words");
        (generation.parse().expect("a number"), serial.to_owned())
    });
    lines.collect()
}

/// Writes the configuration, with more lines for the deployment.
fn configure(stage: &Stage, script: &Path, more: &str) {
    let policy = quick_policy(&stage.lab, "ncsc");
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .own_ca("other", &stage.other)
        .more(&format!(
            "\n[hosts.\"{HOST}\"]\ndns = \"primary\"\nissuer = \"house\"\npolicy = \"{}\"\n\n\
             [hosts.\"{HOST}\".deploy]\ntype = \"exec\"\ncommand = [\"{}\"]\n{more}\n",
            policy.display(),
            script.display()
        ))
        .write(&stage.lab);
}

/// Nothing can be read back: the certificate that is presented stays, its records are kept, and the
/// command is called when there is something to deploy. Its no leads back to what it said yes to.
#[test]
fn a_command_deploys_and_its_no_is_heeded() {
    let stage = Stage::new(Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let (first, records) = (stage.presented(), stage.records(PRIMARY));
    let yes = script(&stage, "");
    configure(&stage, &yes, "");
    stage.get_acquainted();
    assert_eq!(told(&stage.lab), [], "what is presented is left where it is");
    assert_eq!((stage.presented(), stage.records(PRIMARY)), (first.clone(), records));
    let status = stage.lab.status();
    assert_eq!(
        (&status["phase"], &status["attention"]),
        (&"idle".into(), &().into()),
        "{status:#}"
    );

    let judge = stage.judge(Demand::Any);
    // The key of what is in place is nobody's here: a no leaves it to the command to put it back.
    script(&stage, "sys.exit('the balancer is locked')");
    let failed = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    assert!(failed.err.contains("the balancer is locked"), "{}", failed.err);
    assert!(failed.err.contains("mail goes on"), "{}", failed.err);
    assert_eq!(told(&stage.lab).len(), 1, "what cannot be put back is not tried");
    assert_eq!(stage.presented(), first);

    script(&stage, "");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    let second = stage.presented();
    assert!(second != first && second == stage.key_in_file());
    stage.expect_settled(&stage.house);
    let result = stage.events().into_iter().rfind(|event| event.done("deploy"));
    let result = result.expect("a deployment").result;
    assert_eq!(result, "done; the command said: generation 1 is in place");

    // Now both keys are at hand: a no leads back.
    script(&stage, "if told['generation'] > 1: sys.exit('no such partition')");
    let failed = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    assert!(failed.err.contains("no such partition"), "{}", failed.err);
    assert_eq!(stage.key_in_file(), second, "the former generation was deployed again");
    script(&stage, "");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.house);
    let generations: Vec<u64> = told(&stage.lab).iter().map(|(number, _)| *number).collect();
    assert_eq!(generations, [1, 1, 2, 1, 2]);
}

/// What cannot be read is not taken for nothing: nothing is begun, nothing lost.
#[test]
fn what_is_in_place_is_read_or_nothing_is_begun() {
    let stage = Stage::new(Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let old = stage.presented();
    let yes = script(&stage, "");
    configure(&stage, &yes, "read-command = [\"cat\", \"/nonexistent/held.pem\"]");
    let failed = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    let words = "it is not known which certificate mail.example.nl has in place: `cat \
                 /nonexistent/held.pem` exited with status 1";
    assert!(failed.err.contains(words), "{}", failed.err);
    assert_eq!(told(&stage.lab), []);
    assert_eq!(stage.presented(), old);

    configure(&stage, &yes, &format!("read-command = [\"cat\", \"{}\"]", stage.bundle.display()));
    stage.get_acquainted();
    let judge = stage.judge(Demand::Any);
    // Its key was read, so the very first no leads back.
    script(&stage, "if len(open(log.name).readlines()) == 1: sys.exit('not today')");
    let failed = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    assert!(failed.err.contains("not today"), "{}", failed.err);
    assert_eq!((stage.presented(), stage.key_in_file()), (old.clone(), old.clone()));
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    assert_ne!(stage.presented(), old);
    stage.expect_settled(&stage.house);
}
