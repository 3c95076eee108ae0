//! What each record says of each chain, as tables; and what holds for all sets of records.

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;
use support::{NOW, ca, expired, key, self_signed, server, signed};

#[path = "../../../tests/support/test_pki.rs"]
mod support;

/// The name that clients connect to.
fn base() -> DnsName {
    "mail.example.nl".parse().unwrap()
}

/// The moment of judgement.
fn now() -> Timestamp {
    Timestamp::from_seconds(NOW)
}

/// A root, a CA under it, and a server's certificate under that.
struct World {
    root: (CertificateParams, KeyPair, Certificate),
    intermediate: (CertificateParams, KeyPair, Certificate),
    leaf: Certificate,
}

/// Reads what rcgen wrote.
fn read(der: &[u8]) -> Certificate {
    Certificate::from_der(der).unwrap()
}

impl World {
    /// One in which all is well.
    fn new() -> Self {
        Self::of(&ca("Root"), &ca("Intermediate"), &server(&["mail.example.nl"]))
    }

    /// One with these certificates.
    fn of(
        root: &CertificateParams,
        intermediate: &CertificateParams,
        server: &CertificateParams,
    ) -> Self {
        let (root_key, intermediate_key) = (key(), key());
        let root_certificate = read(&self_signed(root, &root_key));
        let issuer = (root, &root_key);
        let intermediate_certificate = read(&signed(intermediate, &intermediate_key, issuer));
        let leaf = read(&signed(server, &key(), (intermediate, &intermediate_key)));
        Self {
            root: (root.clone(), root_key, root_certificate),
            intermediate: (intermediate.clone(), intermediate_key, intermediate_certificate),
            leaf,
        }
    }

    /// Its certificates by their places; what is sent where all is.
    fn certificates(&self) -> [&Certificate; 3] {
        [&self.leaf, &self.intermediate.2, &self.root.2]
    }

    /// The chain of those that are sent.
    fn chain(&self, sent: &[usize]) -> Chain {
        let all = self.certificates();
        Chain::new(sent.iter().map(|place| all[*place].clone()).collect()).unwrap()
    }
}

/// The record with these parameters for `certificate`.
fn record(parameters: &str, certificate: &Certificate) -> Record {
    let parameters: Parameters = parameters.parse().unwrap();
    parameters.associate(certificate).into()
}

/// The verdict on one record.
fn verdict(record: Record, chain: &Chain) -> Verdict {
    let records = BTreeSet::from([record]);
    let mut verdicts = judge(&records, chain, &[base()], now());
    assert_eq!(verdicts.len(), 1);
    verdicts.remove(0).1
}

#[test]
fn each_record_of_each_certificate_with_each_chain() {
    let world = World::new();
    let mut table = String::new();
    for sent in [&[0, 1, 2][..], &[0, 1], &[0], &[0, 2, 1], &[0, 2]] {
        let chain = world.chain(sent);
        table += &format!("sent {sent:?}\n");
        for parameters in ["3 1 1", "2 0 1", "2 1 2", "2 0 0", "2 1 0"] {
            let of = |place: usize| {
                let certificate = world.certificates()[place];
                match verdict(record(parameters, certificate), &chain) {
                    Verdict::Matches(Matched::Sent { depth }) => format!("depth {depth}"),
                    Verdict::Matches(Matched::Carried) => "carried".to_owned(),
                    Verdict::DoesNotMatch => "no".to_owned(),
                    Verdict::NamesServer => "server's".to_owned(),
                    Verdict::AnchorNotSent { .. } => "not sent".to_owned(),
                    Verdict::PathInvalid(_) => "invalid".to_owned(),
                    Verdict::Unusable(_) => "unusable".to_owned(),
                }
            };
            let (leaf, intermediate, root) = (of(0), of(1), of(2));
            table += &format!("  {parameters}  {leaf:<10}{intermediate:<10}{root}\n");
        }
    }
    expect_test::expect![[r#"
        sent [0, 1, 2]
          3 1 1  depth 0   no        no
          2 0 1  server's  depth 1   depth 2
          2 1 2  server's  depth 1   depth 2
          2 0 0  server's  depth 1   depth 2
          2 1 0  server's  depth 1   depth 2
        sent [0, 1]
          3 1 1  depth 0   no        no
          2 0 1  server's  depth 1   not sent
          2 1 2  server's  depth 1   not sent
          2 0 0  server's  depth 1   carried
          2 1 0  server's  depth 1   carried
        sent [0]
          3 1 1  depth 0   no        no
          2 0 1  server's  not sent  not sent
          2 1 2  server's  not sent  not sent
          2 0 0  server's  carried   not sent
          2 1 0  server's  carried   not sent
        sent [0, 2, 1]
          3 1 1  depth 0   no        no
          2 0 1  server's  depth 2   depth 1
          2 1 2  server's  depth 2   depth 1
          2 0 0  server's  depth 2   depth 1
          2 1 0  server's  depth 2   depth 1
        sent [0, 2]
          3 1 1  depth 0   no        no
          2 0 1  server's  not sent  invalid
          2 1 2  server's  not sent  invalid
          2 0 0  server's  carried   invalid
          2 1 0  server's  carried   invalid
    "#]]
    .assert_eq(&table);
}

/// Worlds in which something is special about one certificate.
fn special_worlds() -> Vec<(&'static str, World)> {
    let plain = || server(&["mail.example.nl"]);
    let common_name = |names: &[&str]| {
        let mut params = server(names);
        let name = "mail.example.nl";
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let (root, intermediate) = (ca("Root"), ca("Intermediate"));
    let with_server = |params| World::of(&root, &intermediate, &params);
    let expired_root = World::of(&expired(root.clone()), &intermediate, &plain());
    let expired_intermediate = World::of(&root, &expired(intermediate.clone()), &plain());
    vec![
        ("all well", with_server(plain())),
        ("leaf expired", with_server(expired(plain()))),
        ("intermediate expired", expired_intermediate),
        ("root expired", expired_root),
        ("other name", with_server(server(&["mx.example.org"]))),
        ("wildcard", with_server(server(&["*.example.nl"]))),
        ("common name alone", with_server(common_name(&[]))),
        ("common name beside", with_server(common_name(&["mx.example.org"]))),
    ]
}

#[test]
fn what_spoils_a_path_and_what_does_not() {
    let mut table = String::new();
    for (name, world) in special_worlds() {
        let chain = world.chain(&[0, 1, 2]);
        table += &format!("{name}\n");
        for (parameters, place) in [("3 1 1", 0), ("2 1 1", 1), ("2 1 1", 2)] {
            let verdict = verdict(record(parameters, world.certificates()[place]), &chain);
            table += &format!("  {parameters} {verdict}\n");
        }
    }
    expect_test::expect![[r#"
        all well
          3 1 1 matches the server's certificate
          2 1 1 matches the CA certificate sent at depth 1
          2 1 1 matches the CA certificate sent at depth 2
        leaf expired
          3 1 1 matches the server's certificate
          2 1 1 does not validate the chain: the certificate of `mail.example.nl` expired at 2026-05-20T00:00:00Z
          2 1 1 does not validate the chain: the certificate of `mail.example.nl` expired at 2026-05-20T00:00:00Z
        intermediate expired
          3 1 1 matches the server's certificate
          2 1 1 does not validate the chain: the certificate of `CN=Intermediate` expired at 2026-05-20T00:00:00Z
          2 1 1 does not validate the chain: the certificate of `CN=Intermediate` expired at 2026-05-20T00:00:00Z
        root expired
          3 1 1 matches the server's certificate
          2 1 1 matches the CA certificate sent at depth 1
          2 1 1 does not validate the chain: the certificate of `CN=Root` expired at 2026-05-20T00:00:00Z
        other name
          3 1 1 matches the server's certificate
          2 1 1 does not validate the chain: the certificate is for mx.example.org, not for mail.example.nl
          2 1 1 does not validate the chain: the certificate is for mx.example.org, not for mail.example.nl
        wildcard
          3 1 1 matches the server's certificate
          2 1 1 matches the CA certificate sent at depth 1
          2 1 1 matches the CA certificate sent at depth 2
        common name alone
          3 1 1 matches the server's certificate
          2 1 1 matches the CA certificate sent at depth 1
          2 1 1 matches the CA certificate sent at depth 2
        common name beside
          3 1 1 matches the server's certificate
          2 1 1 does not validate the chain: the certificate is for mx.example.org, not for mail.example.nl
          2 1 1 does not validate the chain: the certificate is for mx.example.org, not for mail.example.nl
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_path_is_walked_without_turning_back() {
    let world = World::new();
    let other = (ca("Other Root"), key());
    let other_root = read(&self_signed(&other.0, &other.1));
    let (params, key, by_root) = &world.intermediate;
    let crossed = read(&signed(params, key, (&other.0, &other.1)));
    let chain = |above: &[&Certificate]| {
        let sent = std::iter::once(&world.leaf).chain(above.iter().copied());
        Chain::new(sent.cloned().collect()).unwrap()
    };
    let root = &world.root.2;
    for (above, of_root, of_other) in [
        (&[by_root, root][..], true, false),
        (&[&crossed, &other_root], false, true),
        // whoever turned back would find both
        (&[&crossed, by_root, root, &other_root], false, true),
        (&[by_root, &crossed, &other_root, root], true, false),
    ] {
        let chain = chain(above);
        assert_eq!(verdict(record("2 1 1", root), &chain).validates(), of_root);
        assert_eq!(verdict(record("2 1 1", &other_root), &chain).validates(), of_other);
        // the key that both cross-signed validates either way
        assert!(verdict(record("2 1 1", by_root), &chain).validates());
    }
}

#[test]
fn a_self_signed_certificate_is_the_servers_own_and_no_authoritys() {
    let own_key = key();
    let leaf = read(&self_signed(&server(&["mail.example.nl"]), &own_key));
    let chain = Chain::new(vec![leaf.clone()]).unwrap();
    for (parameters, validates) in [
        ("3 1 1", true),
        ("3 0 0", true),
        ("2 0 0", false),
        ("2 0 1", false),
        ("2 1 0", false),
        ("2 1 1", false),
    ] {
        let verdict = verdict(record(parameters, &leaf), &chain);
        assert_eq!(verdict.validates(), validates, "{parameters}: {verdict}");
    }
}

#[test]
fn a_forged_chain_validates_no_trust_anchor() {
    let world = World::new();
    let forged =
        read(&signed(&server(&["mail.example.nl"]), &key(), (&world.intermediate.0, &key())));
    let mut certificates: Vec<Certificate> = world.certificates().map(Clone::clone).to_vec();
    certificates[0] = forged;
    let chain = Chain::new(certificates).unwrap();
    let verdict = verdict(record("2 1 1", &world.root.2), &chain);
    assert!(matches!(verdict, Verdict::PathInvalid(_)), "{verdict}");
}

#[test]
fn any_of_the_reference_names_will_do() {
    let world = World::of(&ca("Root"), &ca("Intermediate"), &server(&["example.nl"]));
    let chain = world.chain(&[0, 1]);
    let records = BTreeSet::from([record("2 1 1", &world.intermediate.2)]);
    let names = [base(), "example.nl".parse().unwrap()];
    assert!(judge(&records, &chain, &names, now())[0].1.validates());
    // not every client delivers to that domain: the gates count the base domain alone
    assert_eq!(fit(&records, &chain, &base(), now()), None);
}

#[test]
fn how_well_sets_of_records_fit() {
    let world = World::new();
    let chain = world.chain(&[0, 1, 2]);
    let stranger = World::new();
    let make = |text: &str| {
        let (parameters, ours) = match text.strip_prefix('!') {
            Some(parameters) => (parameters, false),
            None => (text, true),
        };
        if parameters.starts_with('1') {
            return format!("1 1 1 {}", "00".repeat(32)).parse().unwrap();
        }
        let place = usize::from(parameters.starts_with('2'));
        let world = if ours { &world } else { &stranger };
        record(parameters, world.certificates()[place])
    };
    for (records, expected) in [
        (&[][..], Some(Fit::Each)),
        (&["3 1 1"], Some(Fit::Each)),
        (&["!3 1 1"], None),
        (&["2 1 1", "3 1 1"], Some(Fit::Each)),
        (&["!2 1 1", "3 1 1"], Some(Fit::Any)),
        (&["2 1 1", "!3 1 1"], Some(Fit::Any)),
        (&["!2 1 1", "!3 1 1"], None),
        (&["3 1 1", "!3 1 1"], Some(Fit::Each)),
        // unusable ones alone: whoever insists on DANE does not deliver
        (&["1 1 1"], None),
        (&["1 1 1", "3 1 1"], Some(Fit::Each)),
        (&["1 1 1", "!3 1 1"], None),
        // an agile client sees `3 1 2` alone, one without SHA2-512 `3 1 1` alone
        (&["3 1 1", "3 1 2"], Some(Fit::Each)),
        (&["3 1 1", "!3 1 2"], None),
        (&["!3 1 1", "3 1 2"], None),
        (&["!3 1 1", "3 1 2", "2 1 1"], Some(Fit::Any)),
        (&["3 1 1", "!3 1 2", "2 1 1"], Some(Fit::Any)),
        // agility is for one usage and selector: `2 1 1` stays in sight beside `3 1 2`
        (&["2 1 1", "!3 1 2"], Some(Fit::Any)),
        (&["!2 1 1", "3 1 2"], None),
        (&["3 1 2"], Some(Fit::Each)),
        (&["3 1 2", "!2 1 2"], Some(Fit::Any)),
        // a full record is never left out
        (&["3 1 0", "!3 1 2"], Some(Fit::Any)),
    ] {
        let set: BTreeSet<Record> = records.iter().map(|text| make(text)).collect();
        assert_eq!(fit(&set, &chain, &base(), now()), expected, "{records:?}");
    }
}

proptest! {
    /// What a record that fits adds, it takes from nobody; and each degree holds the lesser one.
    #[test]
    fn adding_what_fits_never_strands(subset in 0_usize..1 << 12, added in 0_usize..6) {
        // A bit for each of six parameters, for the right data and for wrong data.
        let all = ["2 0 1", "2 1 1", "2 1 2", "3 1 0", "3 1 1", "3 1 2"];
        let parameters: Vec<Parameters> = all.iter().map(|text| text.parse().unwrap()).collect();
        let combinations = |bits: usize| -> BTreeMap<Parameters, bool> {
            let of = |index: usize| (bits >> index & 1 == 1, bits >> (index + 6) & 1 == 1);
            (0..6)
                .filter(|index| of(*index) != (false, false))
                .map(|index| (parameters[index], of(index).0))
                .collect()
        };
        let before = degree(&combinations(subset));
        let after = degree(&combinations(subset | 1 << added));
        if subset != 0 {
            prop_assert!(before <= after, "{before:?} became {after:?}");
        }
    }

    /// Records are octets from the network: no data makes the judgement panic.
    #[test]
    fn any_data_is_judged(
        numbers in (0_u8..5, 0_u8..3, 0_u8..4),
        data in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let leaf = read(&self_signed(&server(&["mail.example.nl"]), &key()));
        let chain = Chain::new(vec![leaf]).unwrap();
        let (usage, selector, matching_type) = numbers;
        let record = Record { usage, selector, matching_type, data };
        prop_assert!(!verdict(record, &chain).validates());
    }
}
