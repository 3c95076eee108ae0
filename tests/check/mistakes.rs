//! The common mistakes of publishers of TLSA records, each set up for real and found.

use crate::lab::{MAIL, RESOLVER, SECONDARY};
use crate::outcome::Outcomes;
use crate::pki::{Ca, Valid};
use crate::world::World;
use crate::zones::{NOBODY, Nameserver, ONE, OTHER, Signed, Zone, wait_until_found};

/// A healthy domain is OK, in every form of output; and what each form looks like.
#[test]
fn a_healthy_domain_is_ok_in_every_form() {
    let house = Ca::new("house CA");
    let bundle = house.issue(&["mail.example.nl"]);
    let mut world = World::new(&bundle);
    for record in [house.record("2 1 1"), bundle.record("3 1 1")] {
        world.record(&format!("_25._tcp.mail.example.nl. 60 TLSA {record}"));
    }
    world.open();
    let text = world.lab.check(&["example.nl"]).expect_code(0).out;
    for line in text.lines() {
        assert!(line.chars().count() <= 80 || !line.trim().contains(' '), "{line}");
        assert!(!["WARNING", "CRITICAL", "UNKNOWN"].iter().any(|bad| line.contains(bad)), "{text}");
    }
    for words in ["2 of 2 records fit", "STARTTLS works over TLS 1.3", "1 of 1 MX host", "::1"] {
        assert!(text.contains(words), "`{words}`: {text}");
    }
    json(&world.lab.check(&["--json", "example.nl"]).expect_code(0).out);
    let line = world.lab.check(&["--format", "nagios", "example.nl"]).expect_code(0).out;
    assert!(line.starts_with("DANE OK - example.nl: ") && line.lines().count() == 1, "{line}");
    let (_, performance) = line.trim_end().split_once(" | ").expect("performance data");
    assert!(performance.contains("matching_records=2;;;0"), "{performance}");
    metrics(&world.lab.check(&["--format", "prometheus", "example.nl"]).expect_code(0).out);
    let page = world.lab.path("page.html");
    let html = page.display().to_string();
    let host = ["--host", "mail.example.nl", "--html", &html];
    world.lab.check(&host).expect_code(0);
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"), "{page}");
    assert!(page.contains("2 of 2 records fit"), "{page}");
    // Postfix speaks TLS 1.2 as well: `openssl s_client` is asked whether what it shows is the same.
    assert!(text.contains(&world.lab.presented(MAIL)[6..14]), "{text}");
}

/// Whether JSON has the keys that its version promises.
fn json(text: &str) {
    let all = Outcomes::read(text).0;
    assert_eq!((&all["status"], &all["code"]), (&"OK".into(), &0.into()));
    all["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).expect("RFC 3339");
    let keys = |value: &serde_json::Value| {
        let object = value.as_object().unwrap_or_else(|| panic!("an object: {value}"));
        object.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(&all), "at code status subjects version");
    let subject = &all["subjects"][0];
    assert_eq!(keys(subject), "findings kind name servers status");
    assert_eq!(subject["kind"], "domain");
    let server = &subject["servers"][0];
    assert_eq!(
        keys(server),
        "certificates findings listeners name owner preference protected records status"
    );
    assert_eq!(keys(&server["listeners"][0]), "address matching_records port tls_versions");
    assert_eq!(
        keys(&server["certificates"][0]),
        "issuer key_type names not_after not_before serial spki_sha256 subject"
    );
    assert_eq!(keys(&server["findings"][0]), "at code meaning reference remedy seen severity");
    assert_eq!(server["records"].as_array().map(Vec::len), Some(2));
    assert_eq!(server["listeners"][0]["matching_records"], 2);
    assert_eq!(server["owner"], "_25._tcp.mail.example.nl.");
}

/// Whether metrics are as Prometheus' text format has them, under the names of the manual.
fn metrics(text: &str) {
    let mut typed = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            typed = rest.strip_suffix(" gauge").expect("a gauge").to_owned();
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert_eq!(name.split('{').next(), Some(typed.as_str()), "{line}");
            value.parse::<i64>().expect("a number");
        }
    }
    for sample in [
        "rollover_tlsa_matching_records{host=\"mail.example.nl\",port=\"25\",address=\"127.0.25.1\"} 2",
        "rollover_tlsa_matching_records{host=\"mail.example.nl\",port=\"25\",address=\"::1\"} 2",
        "rollover_certificate_expiration_timestamp_seconds{host=\"mail.example.nl\",key_type=\"ecdsa-p256\"} ",
        "rollover_attention{host=\"mail.example.nl\"} 0",
        "rollover_check_status{name=\"example.nl\",kind=\"domain\"} 0",
    ] {
        assert!(text.contains(sample), "{sample}: {text}");
    }
}

/// Mistakes in what is published, and in what is presented.
#[test]
fn mistakes_with_records_and_certificates() {
    let house = Ca::new("house CA");
    let mut world = World::new(&house.issue(&["mail.example.nl"]));
    records(&mut world, &house);
    certificates(&mut world, &house);
    routes(&mut world, &house);
    world.open();
    make_an_alias(&world);
    let names: Vec<String> = CASES.iter().map(|case| format!("{}.example.nl", case.0)).collect();
    let mut arguments = vec!["--json", "--timeout", "5s"];
    arguments.extend(names.iter().map(String::as_str));
    let run = world.lab.check(&arguments).expect_code(2);
    let outcomes = Outcomes::read(&run.out);
    for ((label, status, findings), name) in CASES.iter().zip(&names) {
        println!("{label}");
        outcomes.of(name).expect(status, findings);
    }
    details(&outcomes);
    arguments[0] = "-q";
    let text = world.lab.check(&arguments).expect_code(2).out;
    let is_narrow = |line: &str| line.chars().count() <= 80 || !line.trim().contains(' ');
    assert!(text.lines().all(is_narrow) && text.contains("wrong.example.nl  CRITICAL"), "{text}");
    assert!(!text.contains("fine.example.nl"), "{text}");
    let quiet = world.lab.check(&["-q", "fine.example.nl"]).expect_code(0);
    assert_eq!(quiet.out, "", "nothing is wrong there");
    let line = world.lab.check(&["--format", "nagios", "wrong.example.nl"]).expect_code(2).out;
    let first = line.lines().next().unwrap_or_default();
    assert!(first.starts_with("DANE CRITICAL - wrong.example.nl: mx.wrong.example.nl: "), "{line}");
    from_a_file(&world);
}

/// Each domain, how bad it is, and what must be found.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Every domain of the world.
const CASES: &[Case] = &[
    ("fine", "OK", &[("OK", "fits-all"), ("OK", "record-fits"), ("OK", "coverage-all")]),
    ("twins", "OK", &[("OK", "fits-all"), ("OK", "starttls")]),
    ("standby", "OK", &[("OK", "fits-all"), ("OK", "record-spare")]),
    ("one", "WARNING", &[("WARNING", "fits-single")]),
    ("none", "WARNING", &[("WARNING", "tlsa-absent"), ("WARNING", "coverage-none")]),
    ("oldkey", "WARNING", &[("WARNING", "fits-some"), ("WARNING", "record-misfits")]),
    ("wrong", "CRITICAL", &[("CRITICAL", "fits-none"), ("WARNING", "record-misfits")]),
    ("whole", "WARNING", &[("WARNING", "tlsa-whole-certificate")]),
    ("full", "WARNING", &[("WARNING", "tlsa-full-data")]),
    ("pkix", "WARNING", &[("WARNING", "tlsa-unusable"), ("OK", "fits-all")]),
    ("pkixonly", "CRITICAL", &[("CRITICAL", "tlsa-unusable")]),
    ("short", "WARNING", &[("WARNING", "tlsa-unusable")]),
    ("sha512", "WARNING", &[("WARNING", "tlsa-sha512-alone")]),
    ("many", "WARNING", &[("WARNING", "tlsa-too-many"), ("WARNING", "record-leftover")]),
    ("wild", "WARNING", &[("WARNING", "tlsa-wildcard")]),
    ("plain", "CRITICAL", &[("CRITICAL", "starttls-missing")]),
    ("torn", "CRITICAL", &[("CRITICAL", "starttls-fails")]),
    ("notls", "WARNING", &[("WARNING", "starttls-missing"), ("WARNING", "tlsa-absent")]),
    ("halved", "CRITICAL", &[("CRITICAL", "fits-none"), ("OK", "fits-all")]),
    ("address", "CRITICAL", &[("CRITICAL", "fits-none"), ("OK", "fits-all")]),
    ("noroot", "CRITICAL", &[("CRITICAL", "fits-none"), ("WARNING", "record-misfits")]),
    ("bare", "WARNING", &[("WARNING", "fits-some"), ("WARNING", "chain-incomplete")]),
    ("names", "WARNING", &[("WARNING", "fits-some"), ("WARNING", "certificate-names")]),
    ("keyname", "WARNING", &[("OK", "certificate-names"), ("WARNING", "fits-single")]),
    ("expired", "WARNING", &[("WARNING", "fits-some"), ("WARNING", "certificate-expired")]),
    ("alias", "WARNING", &[("WARNING", "mx-alias"), ("OK", "fits-all")]),
    ("owner", "OK", &[("OK", "tlsa-alias"), ("OK", "fits-all")]),
    ("nohost", "CRITICAL", &[("CRITICAL", "no-address")]),
    ("backup", "WARNING", &[("WARNING", "coverage-part"), ("WARNING", "no-address")]),
    ("null", "OK", &[("OK", "mx-null")]),
    ("mixed", "WARNING", &[("WARNING", "mx-null-mixed")]),
    ("implicit", "OK", &[("OK", "mx-implicit"), ("OK", "fits-all")]),
    ("closed", "UNKNOWN", &[("UNKNOWN", "listener-silent")]),
    ("missing", "CRITICAL", &[("CRITICAL", "domain-missing")]),
];

/// Mistakes in the records of servers that present what they should.
fn records(world: &mut World, house: &Ca) {
    let bundle = house.issue(&[
        "mx.fine.example.nl",
        "mx.standby.example.nl",
        "mx.one.example.nl",
        "mx.none.example.nl",
        "mx.oldkey.example.nl",
        "mx.wrong.example.nl",
        "mx.whole.example.nl",
        "mx.full.example.nl",
        "mx.pkix.example.nl",
        "mx.pkixonly.example.nl",
        "mx.short.example.nl",
        "mx.sha512.example.nl",
        "mx.many.example.nl",
        "mx.wild.example.nl",
        "mx.owner.example.nl",
        "implicit.example.nl",
    ]);
    let other = Ca::new("retired CA");
    let old = |_| other.issue(&["mx.example.nl"]).record("3 1 1");
    let address = world.listener(&[&bundle]);
    let both = [house.record("2 1 1"), bundle.record("3 1 1")];
    let mut host = |label: &str, records: &[String]| {
        world.host(label).at(&address).publishes(records);
    };
    let and = |more: Vec<String>| [&both[..], &more[..]].concat();
    host("fine", &both);
    host("standby", &and(vec![old(0)]));
    host("one", &both[1..]);
    host("none", &[]);
    host("oldkey", &[both[0].clone(), old(0)]);
    host("wrong", &[other.record("2 1 1"), old(0)]);
    host("whole", &[bundle.record("3 0 1"), both[0].clone()]);
    host("full", &and(vec![bundle.record("3 1 0")]));
    host("pkix", &and(vec![both[1].replacen('3', "1", 1)]));
    host("pkixonly", &[both[1].replacen('3', "1", 1)]);
    host("short", &and(vec!["3 1 1 00ff".to_owned()]));
    host("sha512", &[bundle.record("3 1 2"), house.record("2 1 2")]);
    host("many", &and((0..11).map(old).collect()));
    host("wild", &[]);
    host("owner", &[]);
    for record in &both {
        world.record(&format!("*._tcp.mx.wild.example.nl. 60 TLSA {record}"));
        world.record(&format!("_tlsa.owner.example.nl. 60 TLSA {record}"));
        world.record(&format!("_25._tcp.implicit.example.nl. 60 TLSA {record}"));
    }
    world.record("_25._tcp.mx.owner.example.nl. 60 CNAME _tlsa.owner.example.nl.");
    world.record(&format!("implicit.example.nl. 60 A {address}"));
}

/// Mistakes in what servers present.
fn certificates(world: &mut World, house: &Ca) {
    let both = |bundle: &crate::pki::Bundle| [house.record("2 1 1"), bundle.record("3 1 1")];
    // RSA and ECDSA side by side: with records for both, and for one alone.
    let names = ["mx.twins.example.nl", "mx.halved.example.nl"];
    let (ecdsa, rsa) = (house.issue(&names), house.issue_rsa(&names));
    let address = world.listener(&[&rsa, &ecdsa]);
    let twins = [&both(&ecdsa)[..], &[rsa.record("3 1 1")]].concat();
    world.host("twins").at(&address).publishes(&twins);
    let foreign = Ca::new("other CA").issue_rsa(&names);
    world.host("halved").presents(&[&foreign, &ecdsa]).publishes(&both(&ecdsa));
    // Two addresses, one of which was forgotten.
    let (new, old) = (house.issue(&["mx.address.example.nl"]), Ca::new("old CA").issue(&["x.nl"]));
    let (first, second) = (world.listener(&[&new]), world.listener(&[&old]));
    world.host("address").at(&first).at(&second).publishes(&both(&new));
    // The records name a root that is not sent; and a certificate comes alone.
    let root = Ca::new("root CA");
    let below = root.below("issuing CA").issue(&["mx.noroot.example.nl"]);
    world.host("noroot").presents(&[&below]).publishes(&[root.record("2 1 1")]);
    let bare = house.issue(&["mx.bare.example.nl"]).bare();
    world.host("bare").presents(&[&bare]).publishes(&both(&bare));
    // Another name: 2 1 1 cannot accept it; 3 1 1 does not mind.
    let named = house.issue(&["www.example.nl"]);
    let address = world.listener(&[&named]);
    world.host("names").at(&address).publishes(&both(&named));
    world.host("keyname").at(&address).publishes(&[named.record("3 1 1")]);
    let key = rcgen::KeyPair::generate().expect("a key");
    let expired = house.issue_for(key, &["mx.expired.example.nl"], Valid::Formerly);
    world.host("expired").presents(&[&expired]).publishes(&both(&expired));
    // No STARTTLS, and a key that is not the certificate's.
    let clear = world.listener_with_files(&[]);
    world.host("plain").at(&clear).publishes(&both(&named));
    world.host("notls").at(&clear);
    let torn = world.lab.path("torn.pem");
    named.write_with_another_key(&torn);
    let torn = world.listener_with_files(&[torn]);
    world.host("torn").at(&torn).publishes(&both(&named));
    world.lab.namespace.add_address("127.0.26.1");
    world.host("closed").at("127.0.26.1").publishes(&both(&named));
}

/// Mistakes on the way to the servers.
fn routes(world: &mut World, house: &Ca) {
    let names = ["real.alias.example.nl", "mx.backup.example.nl", "mx.mixed.example.nl"];
    let bundle = house.issue(&names);
    let both = [house.record("2 1 1"), bundle.record("3 1 1")];
    let address = world.listener(&[&bundle]);
    world.host("alias").at(&address);
    world.record(&format!("real.alias.example.nl. 60 A {address}"));
    for record in &both {
        world.record(&format!("_25._tcp.real.alias.example.nl. 60 TLSA {record}"));
    }
    world.record("nohost.example.nl. 60 MX 10 gone.nl.");
    world.host("backup").at(&address).publishes(&both);
    world.record("backup.example.nl. 60 MX 20 mx.none.example.nl.");
    world.record("backup.example.nl. 60 MX 30 gone.nl.");
    world.record("null.example.nl. 60 MX 0 .");
    world.record("mixed.example.nl. 60 MX 0 .");
    world.host("mixed").at(&address).publishes(&both);
}

/// Makes the MX host of a domain an alias. BIND refuses an MX record that names an alias, but not an
/// alias that an MX record names.
fn make_an_alias(world: &World) {
    let host = "mx.alias.example.nl.";
    world.lab.bind.edit(&format!(
        "update delete {host} A\nsend\nupdate add {host} 60 CNAME real.alias.example.nl.\nupdate \
         add ready.example.nl. 60 TXT again"
    ));
    crate::lab::daemon::wait_until("the secondary has the alias", || {
        world.lab.bind.txt(SECONDARY, "ready.example.nl.").len() == 2
    });
}

/// What some of the findings say.
fn details(outcomes: &Outcomes) {
    let of = |label: &str| outcomes.of(&format!("{label}.example.nl"));
    of("fine").expect_nothing_but(&[]);
    of("oldkey").expect_said("fits-some", "1 of 2 records fits the ecdsa certificate");
    of("wrong").expect_said("fits-none", "0 of 2 records fit the ecdsa certificate");
    of("halved").expect_said("fits-none", "0 of 2 records fit the rsa certificate");
    of("halved").expect_said("fits-all", "2 of 2 records fit the ecdsa certificate");
    of("twins").expect_said("starttls", "ecdsa and rsa certificates");
    of("torn").expect_said("starttls-fails", "454");
    of("noroot").expect_said("record-misfits", "root CA");
    of("names").expect_said("record-misfits", "is for www.example.nl, not for mx.names");
    of("expired").expect_said("record-misfits", "expired at 2025-01-01");
    of("backup").expect_said("coverage-part", "1 of 2 MX hosts protected");
    of("alias").expect_said("mx-alias", "an alias of real.alias.example.nl.");
    of("many").expect_said("record-leftover", "fit nothing that is presented");
}

/// Names come from a file and from standard input as well, and a line that is no name is no disaster.
fn from_a_file(world: &World) {
    let list = world.lab.path("domains");
    std::fs::write(&list, "# ours\nfine.example.nl\n\nnot a name # indeed\n").expect("a list");
    let run = world.lab.check(&["--json", "--file", &list.display().to_string()]).expect_code(3);
    let outcomes = Outcomes::read(&run.out);
    outcomes.of("fine.example.nl").expect("OK", &[]);
    outcomes.of("not a name").expect("UNKNOWN", &[("UNKNOWN", "name-invalid")]);
    world.lab.check(&[]).expect_code(3);
    world.lab.check(&["--file", "/nonexistent"]).expect_code(3);
    world.lab.check(&["--no-such-option"]).expect_code(3);
}

/// Mistakes in the signing of zones.
#[test]
fn mistakes_with_zones() {
    let house = Ca::new("house CA");
    let labels = ["open", "bogus", "soon", "late", "stale", "long", "dead", "lame", "literal"];
    let names: Vec<String> = labels.iter().map(|label| format!("mx.{label}.example.nl")).collect();
    let bundle = house.issue(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut world = World::new(&bundle);
    let address = world.listener(&[&bundle]);
    let records = |ttl: u32, key: &str| {
        format!(
            "@ MX 10 mx\nmx A {address}\n_25._tcp.mx {ttl} TLSA {}\n_25._tcp.mx {ttl} TLSA {key}\n",
            house.record("2 1 1")
        )
    };
    let (good, old) = (bundle.record("3 1 1"), house.issue(&["old.nl"]).record("3 1 1"));
    let (two, one) = ([ONE, OTHER], [ONE]);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    let open = Zone::new(&mut world, "open", &one);
    here.push(open.write("zone", &one, &records(60, &good)));
    let bogus = Zone::new(&mut world, "bogus", &one);
    bogus.trusted(&mut world);
    here.push(bogus.write("zone", &one, &records(60, &good)));
    for (label, ttl, signed) in [("soon", 60, Signed::SixHours), ("long", 172_800, Signed::Long)] {
        let zone = Zone::new(&mut world, label, &one);
        zone.trusted(&mut world);
        here.push(zone.sign("zone", &one, &records(ttl, &good), signed));
    }
    for (label, key) in [("late", &old), ("stale", &good)] {
        let zone = Zone::new(&mut world, label, &two);
        zone.trusted(&mut world);
        here.push(zone.sign("zone", &two, &records(60, &good), Signed::Long));
        there.push(match label {
            "late" => zone.sign("older", &two, &records(60, key), Signed::Long),
            _ => zone.sign_tlsa_formerly("older", &two, &records(60, key)),
        });
    }
    // BIND takes no such record.
    let literal = Zone::new(&mut world, "literal", &one);
    here.push(literal.write("zone", &one, "@ MX 10 192.0.2.25.\n"));
    let dead = Zone::new(&mut world, "dead", &[ONE, NOBODY]);
    dead.trusted(&mut world);
    here.push(dead.sign("zone", &[ONE, NOBODY], &records(60, &good), Signed::Long));
    // The lab's secondary knows nothing of this zone.
    let lame = Zone::new(&mut world, "lame", &[ONE, SECONDARY]);
    lame.trusted(&mut world);
    here.push(lame.sign("zone", &[ONE, SECONDARY], &records(60, &good), Signed::Long));
    let _servers =
        [Nameserver::start(&world, ONE, &here), Nameserver::start(&world, OTHER, &there)];
    world.open();
    let domains: Vec<String> = labels.iter().map(|label| format!("{label}.example.nl")).collect();
    for domain in &domains {
        wait_until_found(&world, RESOLVER, domain);
    }
    let mut arguments = vec!["--json"];
    arguments.extend(domains.iter().map(String::as_str));
    let run = world.lab.check(&arguments).expect_code(2);
    let outcomes = Outcomes::read(&run.out);
    of_zones(&outcomes);
    // A resolver that nobody is at: nothing is known.
    let run = world.lab.rollover(&["check", "--resolver", NOBODY, "example.nl"]).expect_code(3);
    assert!(run.out.contains("UNKNOWN"), "{}", run.out);
}

/// What is found of each zone.
fn of_zones(outcomes: &Outcomes) {
    let of = |label: &str| outcomes.of(&format!("{label}.example.nl"));
    of("open")
        .expect("WARNING", &[("WARNING", "tlsa-in-unsigned-zone"), ("WARNING", "zone-unsigned")]);
    of("bogus").expect("CRITICAL", &[("CRITICAL", "dnssec-bogus")]);
    of("literal").expect("CRITICAL", &[("CRITICAL", "mx-no-host")]);
    of("soon").expect("WARNING", &[("WARNING", "signature-soon"), ("OK", "fits-all")]);
    of("long").expect("WARNING", &[("WARNING", "tlsa-ttl-long"), ("OK", "fits-all")]);
    of("late").expect("WARNING", &[("WARNING", "tlsa-differs"), ("WARNING", "fits-some")]);
    of("late").expect_said("tlsa-differs", "ns1.late.example.nl (127.0.0.4)");
    of("stale").expect("CRITICAL", &[("CRITICAL", "tlsa-untrusted"), ("OK", "fits-all")]);
    of("stale").expect_said("tlsa-untrusted", "expired at");
    of("dead").expect("UNKNOWN", &[("UNKNOWN", "name-server-silent"), ("OK", "fits-all")]);
    of("dead").expect_said("name-server-silent", NOBODY);
    of("lame").expect("WARNING", &[("WARNING", "name-server-lame"), ("OK", "fits-all")]);
    of("lame").expect_said("name-server-lame", SECONDARY);
}
