//! Primaries that are not BIND, and ways to reach them: Knot and PowerDNS, by dynamic updates and
//! through the plugins that come with the program; hidden, over IPv6, with each TSIG algorithm; and
//! the update server that stands in for another.

use std::path::Path;

use crate::lab::child::{CHILD_PRIMARY, Listed, ZONE};
use crate::lab::configuration::{Configuration, quick_policy};
use crate::lab::daemon::run;
use crate::lab::judge::{Demand, Judge};
use crate::lab::knot::Knot;
use crate::lab::nginx::Nginx;
use crate::lab::powerdns::PowerDns;
use crate::lab::tool::write_private;
use crate::lab::{Lab, Options};
use crate::stage::Stage;

/// Where the API listens that is reached by HTTPS.
const CLOUD: &str = "127.0.0.8";

/// Python with octoDNS, where `install-daemons.sh` puts it.
pub const OCTODNS: &str = "/opt/rollover-lab/octodns/bin/python3";

/// A mail server whose zone is not set up yet.
fn stage() -> Stage {
    Stage::new(Lab::usual())
}

/// What the zone holds to begin with.
fn records(stage: &Stage) -> [String; 2] {
    [stage.house.record(), stage.key_in_file()]
}

/// Lets rollover look after the mail server, its zone changed by the provider of this table.
fn configure(stage: &Stage, table: &str) {
    let policy = quick_policy(&stage.lab, "ncsc");
    Configuration::new(&stage.lab)
        .own_ca("house", &stage.house)
        .own_ca("other", &stage.other)
        .more(&format!("\n[dns.other]\n{table}\n"))
        .host(
            &format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()),
            &stage.bundle,
            &stage.postfix.reload(),
        )
        .replaced("dns = \"primary\"", "dns = \"other\"")
        .write(&stage.lab);
}

/// A provider that takes dynamic updates.
fn updates(server: &str, key: &Path) -> String {
    format!("type = \"rfc2136\"\nserver = \"{server}\"\ntsig-key-file = \"{}\"", key.display())
}

/// A plugin that comes with the program.
fn plugin(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins").join(name);
    path.display().to_string()
}

/// A whole change of CA, and nobody notices.
#[track_caller]
fn change_ca(stage: &Stage, listed: Listed) {
    stage.get_acquainted();
    let servers = listed.addresses();
    let judge = Judge::start_asking(&stage.lab, Demand::Any, servers);
    stage.lab.rollover(&["--new-ca", "other", "--wait"]).expect_code(0);
    let verdict = stage.finish(judge);
    println!("{} deliveries, {} failed", verdict.attempts, verdict.failures);
    verdict.expect_clean(60);
    assert_eq!(verdict.unprotected, 0, "{verdict:#?}");
    let mut wanted = vec![stage.other.record(), stage.key_in_file()];
    wanted.sort();
    for server in servers {
        assert_eq!(stage.records(server), wanted, "at {server}");
    }
    assert_eq!(stage.presented(), stage.key_in_file());
    assert!(stage.lab.status()["attention"].is_null());
}

/// What `rollover plugin test` says of a plugin.
fn try_plugin(stage: &Stage, more: &[&str], command: &[&str]) -> crate::lab::tool::Run {
    let mut arguments = vec!["plugin", "test", "--zone", "mail.example.nl"];
    arguments.extend(more);
    arguments.push("--");
    arguments.extend(command);
    stage.lab.rollover(&arguments)
}

/// The update server is no name server of the zone: the zone is found by its SOA record, and what
/// counts is what the listed one answers.
#[test]
fn knot_as_a_hidden_primary_takes_updates_over_ipv6() {
    let stage = stage();
    let knot = Knot::start(&stage.lab, Listed::SecondaryAlone, "hmac-sha512", &records(&stage));
    configure(&stage, &updates("[::1]:53", &knot.key));
    change_ca(&stage, Listed::SecondaryAlone);
}

/// The primary's machine is down, and its stand-in takes the updates.
#[test]
fn a_stand_in_takes_updates_where_the_primary_is_dead() {
    let stage = stage();
    let knot = Knot::start(&stage.lab, Listed::Both, "hmac-sha384", &records(&stage));
    let servers = updates("127.0.0.9", &knot.key);
    configure(&stage, &servers.replace("\"127.0.0.9\"", "[\"127.0.0.9\", \"127.0.0.3\"]"));
    change_ca(&stage, Listed::Both);
    // Both are down: each is named, and the rollover waits.
    configure(&stage, &servers.replace("\"127.0.0.9\"", "[\"127.0.0.9\", \"127.0.0.8\"]"));
    let run = stage.lab.rollover(&["--new-ca", "house"]).expect_code(0);
    let said = "update server 127.0.0.9:53 cannot be reached, and was not asked about";
    assert!(run.out.contains(said), "{}", run.out);
    assert!(run.out.contains("; nor can 127.0.0.8:53: "), "{}", run.out);
}

/// Knot says its time too, where it is another than ours.
#[test]
fn knot_tells_its_time_where_clocks_are_apart() {
    let stage = Stage::new(Lab::start(Options { own_clock: true, ..Options::default() }));
    let knot = Knot::start(&stage.lab, Listed::Both, "hmac-sha256", &records(&stage));
    configure(&stage, &updates("127.0.0.3", &knot.key));
    stage.lab.rollover(&[]).expect_code(0);
    knot.clock.as_ref().expect("a clock of its own").set(400);
    let run = stage.lab.rollover(&["--new-ca", "other"]).expect_code(1);
    let said = "the clocks of update server 127.0.0.3:53 and of this machine are more than 5m \
                apart: it says 2";
    assert!(run.err.contains(said), "{}", run.err);
}

#[test]
fn powerdns_takes_updates() {
    let stage = stage();
    let pdns = PowerDns::start(&stage.lab, Listed::Both, "hmac-sha384", &records(&stage));
    configure(&stage, &updates("127.0.0.3", &pdns.key));
    change_ca(&stage, Listed::Both);
}

#[test]
fn knot_through_its_plugin() {
    let stage = stage();
    let knot = Knot::start(&stage.lab, Listed::Both, "hmac-sha256", &records(&stage));
    let (path, socket) = (plugin("dns-knot"), knot.socket().display().to_string());
    let command = [path.as_str(), "--socket", socket.as_str()];
    let tried = try_plugin(&stage, &[], &command).expect_code(0);
    assert!(tried.out.contains("conflict"), "{}", tried.out);
    configure(&stage, &format!("type = \"plugin\"\ncommand = {command:?}"));
    let plan = stage.lab.rollover(&["plan"]).expect_code(0);
    assert!(!plan.out.contains("compare and swap"), "{}", plan.out);
    change_ca(&stage, Listed::Both);
}

#[test]
fn powerdns_through_its_plugin() {
    let stage = stage();
    let pdns = PowerDns::start(&stage.lab, Listed::Both, "hmac-sha256", &records(&stage));
    let path = plugin("dns-powerdns");
    let command = [path.as_str(), "--url", PowerDns::URL];
    let key = pdns.api_key.display().to_string();
    let tried = try_plugin(&stage, &["--credentials-file", &key], &command).expect_code(0);
    assert!(tried.out.contains("--      it cannot compare and swap"), "{}", tried.out);
    // Without the key: said, not hung, and no check passes by luck.
    let tried = try_plugin(&stage, &[], &command).expect_code(1);
    assert!(tried.out.contains("\"error\":\"refused\""), "{}", tried.out);
    configure(
        &stage,
        &format!("type = \"plugin\"\ncommand = {command:?}\ncredentials-file = \"{key}\""),
    );
    let plan = stage.lab.rollover(&["plan"]).expect_code(0);
    assert!(plan.out.contains("cannot compare and swap"), "{}", plan.out);
    change_ca(&stage, Listed::Both);
}

/// By the API client that is built in. The TTL is that of the records which are there: the API does not
/// say it, and the name servers do.
#[test]
fn powerdns_as_a_cloud_provider() {
    let stage = stage();
    let pdns = PowerDns::start(&stage.lab, Listed::Both, "hmac-sha256", &records(&stage));
    let key = std::fs::read_to_string(&pdns.api_key).expect("the key");
    let credentials = stage.lab.path("cloud.toml");
    let table = format!(
        "type = \"cloud\"\nprovider = \"powerdns\"\ncredentials-file = \"{}\"",
        credentials.display()
    );
    let write = |key: &str| {
        let text = format!("url = \"{}\"\napi-key = \"{key}\"\n", PowerDns::URL);
        write_private(&credentials, &text);
    };
    configure(&stage, &table);
    write(key.trim());
    let plan = stage.lab.rollover(&["plan"]).expect_code(0);
    let words: Vec<&str> = plan.out.split_whitespace().collect();
    assert!(words.join(" ").contains("cannot compare and swap"), "{}", plan.out);
    let before = rest_of_zone(&stage);
    change_ca(&stage, Listed::Both);
    assert_eq!(rest_of_zone(&stage), before);
    write("another's");
    let run = stage.lab.rollover(&["--new-ca", "house"]).expect_code(1);
    let said = "the provider `other` (powerdns) declined to change _25._tcp.mail.example.nl. TLSA: it \
                does not accept the credentials";
    assert!(run.err.contains(said), "{}", run.err);
}

/// As in the cloud: by HTTPS, from a server that this machine trusts or does not.
#[test]
fn a_cloud_provider_is_trusted_as_the_machine_trusts_it() {
    let stage = stage();
    let pdns = PowerDns::start(&stage.lab, Listed::Both, "hmac-sha256", &records(&stage));
    let bundle = stage.lab.path("api.pem");
    stage.house.issue_for(&[CLOUD], &bundle, &["-newkey", "rsa:2048"]);
    stage.lab.namespace.add_address(CLOUD);
    let _nginx = Nginx::start_before(&stage.lab, PowerDns::URL, CLOUD, &bundle);
    let key = std::fs::read_to_string(&pdns.api_key).expect("the key");
    let credentials = stage.lab.path("cloud.toml");
    let text = format!("url = \"https://{CLOUD}\"\napi-key = \"{}\"\n", key.trim());
    write_private(&credentials, &text);
    let credentials = credentials.display();
    let table = "type = \"cloud\"\nprovider = \"powerdns\"";
    configure(&stage, &format!("{table}\ncredentials-file = \"{credentials}\""));
    let pass = |trusted: &str| {
        let environment = [("SSL_CERT_FILE", trusted), ("SSL_CERT_DIR", "/nonexistent")];
        stage.lab.rollover_with(&["--new-ca", "other"], &environment)
    };
    let run = pass("/nonexistent").expect_code(2);
    assert!(run.err.contains("this machine trusts no CA"), "{}", run.err);
    let run = pass(&stage.other.certificate.display().to_string()).expect_code(0);
    let said =
        "the provider `other` (powerdns) did not answer about _25._tcp.mail.example.nl. TLSA";
    assert!(run.out.contains(said), "{}", run.out);
    let before = stage.records(CHILD_PRIMARY);
    pass(&stage.house.certificate.display().to_string()).expect_code(0);
    assert_ne!(stage.records(CHILD_PRIMARY), before, "the bridge is there");
}

/// octoDNS with its module for PowerDNS, as with any other: the key comes in a variable, and the rest of
/// the zone is as it was.
#[test]
fn powerdns_through_octodns() {
    let stage = stage();
    let pdns = PowerDns::start(&stage.lab, Listed::Both, "hmac-sha256", &records(&stage));
    let config = stage.lab.path("octodns.yaml");
    std::fs::write(
        &config,
        "zones: {}\nproviders:\n  pdns:\n    class: octodns_powerdns.PowerDnsProvider\n    \
         host: 127.0.0.1\n    api_key: env/PDNS_KEY\n    notify: true\n",
    )
    .expect("octoDNS's configuration");
    let key = std::fs::read_to_string(&pdns.api_key).expect("the key");
    let credentials = stage.lab.path("octodns.env");
    write_private(&credentials, &format!("# for octodns.yaml\nPDNS_KEY={key}"));
    let (path, config) = (plugin("dns-octodns"), config.display().to_string());
    let command = [OCTODNS, &path, "--config", &config, "--provider", "pdns"];
    let key = credentials.display().to_string();
    let before = rest_of_zone(&stage);
    let tried = try_plugin(&stage, &["--credentials-file", &key], &command).expect_code(0);
    assert!(tried.out.contains("--      it cannot compare and swap"), "{}", tried.out);
    let tried = try_plugin(&stage, &[], &command).expect_code(1);
    assert!(tried.out.contains("PDNS_KEY"), "{}", tried.out);
    configure(
        &stage,
        &format!("type = \"plugin\"\ncommand = {command:?}\ncredentials-file = \"{key}\""),
    );
    let plan = stage.lab.rollover(&["plan"]).expect_code(0);
    // Lines are folded.
    let words: Vec<&str> = plan.out.split_whitespace().collect();
    assert!(words.join(" ").contains("cannot compare and swap"), "{}", plan.out);
    change_ca(&stage, Listed::Both);
    assert_eq!(rest_of_zone(&stage), before);
}

/// All records of the zone but TLSA records, and what follows by itself: signatures, and the serial.
fn rest_of_zone(stage: &Stage) -> Vec<String> {
    let mut dig = stage.lab.namespace.command("dig");
    dig.args([&format!("@{CHILD_PRIMARY}"), ZONE, "AXFR", "+noall", "+answer"]);
    let text = run(&mut dig);
    let is_kept = |line: &&str| {
        let kind = line.split_ascii_whitespace().nth(3).unwrap_or_default();
        !["TLSA", "RRSIG", "NSEC", "NSEC3", "SOA"].contains(&kind)
    };
    let mut lines: Vec<String> = text.lines().filter(is_kept).map(str::to_owned).collect();
    lines.sort();
    assert!(3 < lines.len(), "{text}");
    lines
}
