//! What stands at TLSA owners and above them: wildcards, aliases by wildcard, an unsigned zone.

use std::fmt::Write as _;

use crate::lab::authority::Authority;
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::daemon::wait_until;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::{Lab, MAIL, PRIMARY, SECONDARY};
use crate::stage::Stage;

/// A configuration for a host of another name at the usual mail server.
fn configure(stage: &Stage, name: &str) {
    let policy = quick_policy(&stage.lab, "ncsc");
    let mut text = String::new();
    let _ = write!(
        text,
        "\n[hosts.\"{name}\"]\nissuer = \"house\"\ndns = \"primary\"\naddresses = \
         [\"{MAIL}\"]\npolicy = \"{}\"\n\n[hosts.\"{name}\".deploy]\nchain-file = \"{}\"\nreload = \
         {:?}\n",
        policy.display(),
        stage.bundle.display(),
        stage.postfix.reload()
    );
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .own_ca("other", &stage.other)
        .more(&text)
        .write(&stage.lab);
}

/// A stage whose certificate is for a host of this name.
fn stage(name: &str) -> Stage {
    let stage = Stage::new_with(Lab::usual(), |lab, bundle| {
        let house = Authority::new(lab.directory(), "house");
        house.issue(name, bundle);
        (house, Postfix::start(lab, &[bundle], Tls::Offered))
    });
    configure(&stage, name);
    stage
}

/// A wildcard that answers for the owner is named, and neither overridden nor changed; once the
/// records stand at the owner itself, all goes on.
#[test]
fn records_of_a_wildcard_are_named_and_left_alone() {
    let name = "mx.hosts.example.nl";
    let (owner, wildcard) = ("_25._tcp.mx.hosts.example.nl.", "*.hosts.example.nl.");
    let stage = stage(name);
    let records = [stage.house.record(), stage.key_in_file()];
    stage.lab.bind.publish(wildcard, 4, &records);
    let before = stage.lab.bind.tlsa(PRIMARY, owner);
    assert_eq!(before.len(), 2, "the wildcard answers");
    wait_until("the secondary has it", || stage.lab.bind.tlsa(SECONDARY, owner) == before);
    let old = stage.presented();
    let run = stage.lab.rollover(&["--new-ca", "other", "--host", name]).expect_code(1);
    let words = "the records at _25._tcp.mx.hosts.example.nl. come from a wildcard of example.nl\n";
    assert!(run.err.contains(words), "{}", run.err);
    assert!(run.err.contains("hint: publish the records at the owner itself"), "{}", run.err);
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, owner), before);
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, wildcard), before);
    assert_eq!(stage.presented(), old);

    stage.lab.bind.publish(owner, 4, &before);
    wait_until("the secondary has it", || stage.lab.bind.tlsa(SECONDARY, owner) == before);
    stage.lab.rollover(&["--wait"]).expect_code(0);
    let mut wanted = vec![stage.other.record(), stage.key_in_file()];
    wanted.sort();
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, owner), wanted);
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, wildcard), before, "the wildcard is nobody's here");
}

/// A wildcard alias for every port is named and not followed; one at the owner itself is.
#[test]
fn an_alias_of_a_wildcard_is_named_and_one_of_the_owner_followed() {
    let name = "mx.hosts.example.nl";
    let (owner, target) = ("_25._tcp.mx.hosts.example.nl.", "_dane.hosts.example.nl.");
    let stage = stage(name);
    stage.lab.bind.edit(&format!("update add *._tcp.mx.hosts.example.nl. 4 CNAME {target}"));
    let records = [stage.house.record(), stage.key_in_file()];
    stage.lab.bind.publish(target, 4, &records);
    let both_have_it = || {
        wait_until("the secondary has both", || {
            stage.lab.bind.tlsa(SECONDARY, target).len() == 2
                && !stage.lab.bind.tlsa(SECONDARY, owner).is_empty()
        });
    };
    both_have_it();
    let before = stage.lab.bind.tlsa(PRIMARY, target);
    let run = stage.lab.rollover(&["--new-ca", "other", "--host", name]).expect_code(1);
    let words = "has an alias at _25._tcp.mx.hosts.example.nl. TLSA that is not followed: it comes \
                 from a wildcard";
    assert!(run.err.contains(words), "{}", run.err);
    assert!(run.err.contains("hint: put an alias at the owner itself"), "{}", run.err);
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, target), before);

    stage.lab.bind.edit(&format!("update add {owner} 4 CNAME {target}"));
    both_have_it();
    stage.lab.rollover(&["--wait"]).expect_code(0);
    let mut wanted = vec![stage.other.record(), stage.key_in_file()];
    wanted.sort();
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, target), wanted);
    assert_eq!(stage.presented(), stage.key_in_file());
}

/// DANE cannot work in a zone that is not signed: the reason is said, and nothing is touched.
#[test]
fn a_host_in_an_unsigned_zone_is_refused() {
    let name = "mail.unsigned.nl";
    let stage = stage(name);
    let old = stage.presented();
    for arguments in [vec![], vec!["--renew", "--host", name]] {
        let run = stage.lab.rollover(&arguments).expect_code(1);
        let words = "_25._tcp.mail.unsigned.nl. is in an unsigned zone (unsigned.nl): no sender \
                     looks at TLSA records there";
        assert!(run.err.contains(words), "{arguments:?}: {}", run.err);
        assert!(run.err.contains("sign the zone with DNSSEC"), "{}", run.err);
    }
    assert_eq!(stage.lab.bind.tlsa(PRIMARY, "_25._tcp.mail.unsigned.nl."), Vec::<String>::new());
    assert_eq!(stage.presented(), old);
}
