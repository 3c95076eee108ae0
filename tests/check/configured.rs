//! Configured hosts, whose files are on this machine; and this machine as a sender.

use crate::lab::authority::{Authority, key_record};
use crate::lab::configuration::Configuration;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::{HOST, Lab, OWNER, RESOLVER};
use crate::outcome::Outcomes;

/// A host whose mail server reads what rollover deploys, and one whose mail server reads another
/// file; and this machine as a sender.
#[test]
fn the_files_of_a_configured_host_and_this_machine_as_a_sender() {
    let lab = Lab::usual();
    let house = Authority::new(lab.directory(), "house");
    let (bundle, other) = (lab.path("mail.pem"), lab.path("certbot.pem"));
    house.issue(HOST, &bundle);
    house.issue(HOST, &other);
    let postfix = Postfix::start(&lab, &[&bundle], Tls::Offered);
    lab.bind.publish(OWNER, 60, &[house.record(), key_record(&bundle)]);
    let configure = |file: &std::path::Path, policy: &str| {
        Configuration::new(&lab)
            .own_ca("house", &house)
            .host(&format!("issuer = \"house\"\npolicy = \"{policy}\""), file, &postfix.reload())
            .write(&lab);
    };
    configure(&bundle, "ncsc");
    let outcomes = Outcomes::read(&lab.rollover(&["check", "--json"]).expect_code(0).out);
    outcomes.of(HOST).expect("OK", &[("OK", "files-read"), ("OK", "fits-all")]);
    // The mail server presents what another client keeps.
    configure(&other, "ncsc");
    let run = lab.rollover(&["check", "--json", "--host", HOST]).expect_code(1);
    let findings = [("WARNING", "files-not-read"), ("WARNING", "deployed-not-served")];
    Outcomes::read(&run.out)
        .of(HOST)
        .expect("WARNING", &findings)
        .expect_said("files-not-read", "mail.pem, and rollover deploys");
    // The same where the mail domain is asked for, and its MX host is configured.
    let run = lab.rollover(&["check", "--json", "example.nl"]).expect_code(1);
    Outcomes::read(&run.out).of("example.nl").expect("WARNING", &findings);
    one_record_is_enough_where_the_policy_says_so(&lab, &bundle, configure);
    as_a_sender(&lab);
}

/// One record alone is what some policies want.
fn one_record_is_enough_where_the_policy_says_so(
    lab: &Lab,
    bundle: &std::path::Path,
    configure: impl Fn(&std::path::Path, &str),
) {
    lab.bind.publish(OWNER, 60, &[key_record(bundle)]);
    crate::lab::daemon::wait_until("the secondary has it", || {
        lab.bind.tlsa(crate::lab::SECONDARY, OWNER).len() == 1
    });
    configure(bundle, "dane-ee");
    lab.rollover(&["check"]).expect_code(0);
    configure(bundle, "ncsc");
    let run = lab.rollover(&["check"]).expect_code(1);
    assert!(run.out.contains("no second record"), "{}", run.out);
}

/// Postfix as it comes does not use DANE when it sends; the resolver of the lab validates.
fn as_a_sender(lab: &Lab) {
    let directory = lab.path("postfix");
    let check = |resolver: &str| {
        let mut command = lab.namespace.command(env!("CARGO_BIN_EXE_rollover"));
        command.env("MAIL_CONFIG", &directory).args(["--config", "/nonexistent", "check"]);
        command.args(["--outbound", "--json", "--resolver", resolver, "--trust-anchor-file"]);
        let output = command.arg(lab.bind.trust_anchor()).output().expect("the tool runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, out) = check(RESOLVER);
    let findings = [("OK", "resolver-validates"), ("WARNING", "sends-without-dane")];
    Outcomes::read(&out).of("this machine").expect("WARNING", &findings);
    assert_eq!(code, Some(1));
    let main = directory.join("main.cf");
    let text = std::fs::read_to_string(&main).expect("main.cf");
    let dane = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane\n";
    std::fs::write(&main, text + dane).expect("main.cf");
    let (code, out) = check(RESOLVER);
    Outcomes::read(&out).of("this machine").expect("OK", &[("OK", "sends-with-dane")]);
    assert_eq!(code, Some(0));
    // The authoritative server validates nothing.
    let (_, out) = check(crate::lab::PRIMARY);
    let findings = [("WARNING", "resolver-does-not-validate")];
    Outcomes::read(&out).of("this machine").expect("WARNING", &findings);
}
