//! Zones that are changed through a plugin: the shipped example, and some that misbehave.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::daemon::run;
use crate::lab::judge::Demand;
use crate::lab::{Lab, OWNER, PRIMARY};
use crate::primaries::OCTODNS;
use crate::stage::Stage;

/// The plugin that comes with the program.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins/dns-nsupdate")
}

/// A stage whose zone is changed by this command.
fn stage(command: &[&str]) -> Stage {
    let stage = Stage::new(Lab::usual());
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    let policy = quick_policy(&stage.lab, "ncsc");
    let words: Vec<String> = command.iter().map(|word| format!("\"{word}\"")).collect();
    let plugin = format!(
        "\n[dns.plugged]\ntype = \"plugin\"\ncommand = [{}]\ncredentials-file = \"{}\"\n",
        words.join(", "),
        stage.lab.bind.tsig_key().display()
    );
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .own_ca("other", &stage.other)
        .more(&plugin)
        .host(
            &format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()),
            &stage.bundle,
            &stage.postfix.reload(),
        )
        .replaced("dns = \"primary\"", "dns = \"plugged\"")
        .write(&stage.lab);
    stage
}

/// A shell script as a plugin.
fn script(lab: &Lab, name: &str, text: &str) -> String {
    let path = lab.path(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}")).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it runs");
    path.display().to_string()
}

#[test]
fn a_change_of_ca_through_the_example() {
    let example = example();
    let stage = stage(&[&example.display().to_string(), "--server", PRIMARY]);
    let key = stage.lab.bind.tsig_key().display().to_string();
    let tried = stage.lab.rollover(&[
        "plugin",
        "test",
        "--zone",
        "example.nl",
        "--owner",
        "_25._tcp.plugin.hosts.example.nl",
        "--credentials-file",
        &key,
        "--",
        &example.display().to_string(),
        "--server",
        PRIMARY,
    ]);
    assert_eq!(tried.code, 0, "{}{}", tried.out, tried.err);
    assert!(tried.out.contains("keeps to rollover-dns/1"), "{}", tried.out);
    stage.get_acquainted();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(60);
    stage.expect_settled(&stage.other);
}

/// Each is given up in time, named, and nothing is lost: the next pass asks again.
#[test]
fn plugins_that_misbehave() {
    let stage = stage(&["/nonexistent/plugin"]);
    let before = stage.records(PRIMARY);
    let hello = "read line; echo '{\"ok\":true,\"name\":\"bad\",\"capabilities\":[]}'; read line\n";
    let cases = [
        ("/nonexistent/plugin".to_owned(), "cannot be run"),
        (script(&stage.lab, "dies", "exit 3\n"), "it ended before it answered"),
        (script(&stage.lab, "babbles", &format!("{hello}echo nonsense\n")), "no JSON"),
        (script(&stage.lab, "hangs", &format!("{hello}sleep 60\n")), "did not answer within 1s"),
        (script(&stage.lab, "endless", &format!("{hello}yes | tr -d '\\n'\n")), "1048576 octets"),
        (
            script(
                &stage.lab,
                "refuses",
                &format!(
                    "{hello}echo '{{\"ok\":false,\"error\":\"refused\",\"message\":\"no\"}}'\n"
                ),
            ),
            "\"error\":\"refused\"",
        ),
    ];
    let file = stage.lab.path("rollover.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    for (command, said) in cases {
        let text = text.replace("/nonexistent/plugin", &command);
        let text = text.replace("type = \"plugin\"\n", "type = \"plugin\"\ntimeout = \"1s\"\n");
        std::fs::write(&file, text).expect("the configuration");
        let run = stage.lab.rollover(&["plan"]);
        let told = format!("{}{}", run.out, run.err);
        assert!(told.contains("the plugin `plugged`"), "{command}: {told}");
        let tried = stage.lab.rollover(&["plugin", "test", "--timeout", "1s", "--", &command]);
        let told = format!("{told}{}{}", tried.out, tried.err);
        assert!(told.contains(said), "{command}: {told}");
        assert!(tried.code != 0, "{command}: {}", tried.out);
    }
    assert_eq!(stage.records(PRIMARY), before, "{OWNER} is as it was");
}

/// Through octoDNS: what is new is added before what is old is removed, nobody else's records are part of
/// it, and what cannot be done is refused before anything is changed.
#[test]
fn octodns_adds_first_and_applies_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let zone = r#"[["", "MX", {"ttl": 60, "values": [{"preference": 10, "exchange": "mail.example.nl."}]}],
        ["_25._tcp.mail", "TLSA", {"ttl": 60, "values": [
        {"certificate_usage": 2, "selector": 1, "matching_type": 1, "certificate_association_data": "aa"},
        {"certificate_usage": 3, "selector": 1, "matching_type": 1, "certificate_association_data": "bb"}]}]]"#;
    std::fs::write(file("zone.json"), zone).expect("the zone");
    let provider = |name: &str, supports: &str| {
        format!(
            "  {name}:\n    class: lab_provider.Provider\n    directory: {}\n    supports: [{supports}]\n",
            directory.path().display()
        )
    };
    let providers = provider("able", "MX, TLSA, TXT") + &provider("unable", "MX, TXT");
    std::fs::write(file("octodns.yaml"), format!("zones: {{}}\nproviders:\n{providers}"))
        .expect("octoDNS's configuration");
    let talk = |provider: &str, requests: &[&str]| {
        let mut command = std::process::Command::new(OCTODNS);
        command.arg(example().with_file_name("dns-octodns"));
        command.args(["--config", &file("octodns.yaml"), "--provider", provider]);
        let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/octodns");
        command.env("PYTHONPATH", modules).env("PYTHONDONTWRITEBYTECODE", "1");
        let lines = [&[r#"{"op":"hello"}"#], requests].concat().join("\n") + "\n";
        std::fs::write(file("requests"), lines).expect("the requests");
        run(command.stdin(File::open(file("requests")).expect("the requests")))
    };
    let place = r#""zone":"example.nl.","owner":"_25._tcp.mail.example.nl.","type":"TLSA""#;
    let old = r#"["2 1 1 AA","3 1 1 bb"]"#;
    let new = r#"["2 1 1 cc","3 1 1 bb"]"#;
    let replace = |expect: &str, records: &str| {
        format!(r#"{{"op":"replace",{place},"ttl":60,"expect":{expect},"records":{records}}}"#)
    };
    let get = format!(r#"{{"op":"get",{place}}}"#);
    let refused = talk("unable", &[&get, &replace(old, new)]);
    assert_eq!(refused.matches("octoDNS's module for `unable` has no TLSA records").count(), 2);
    assert!(talk("able", &[&replace(new, old)]).contains(r#""error": "conflict""#));
    assert!(!Path::new(&file("applied")).exists(), "nothing is changed");

    let answers = talk("able", &[&replace(old, new), &get, &replace(new, "[]"), &get]);
    assert!(
        answers.contains(r#"{"ok": true, "ttl": 60, "records": ["2 1 1 cc", "3 1 1 bb"]}"#),
        "{answers}"
    );
    assert!(answers.ends_with("{\"ok\": true, \"ttl\": 0, \"records\": []}\n"), "{answers}");
    let applied = std::fs::read_to_string(file("applied")).expect("what was applied");
    let name = "_25._tcp.mail TLSA";
    assert_eq!(
        applied,
        format!("{name} 2 1 1 aa, 2 1 1 cc, 3 1 1 bb\n{name} 2 1 1 cc, 3 1 1 bb\n{name} \n")
    );
    let zone = std::fs::read_to_string(file("zone.json")).expect("the zone");
    assert!(zone.contains("MX") && !zone.contains("TLSA"), "{zone}");
}
