//! The verdicts of `tlsa::validation` beside those of OpenSSL's own DANE client.
//!
//! Each chain is sent by an OpenSSL server to an OpenSSL client in memory, once for each record
//! made from one of the certificates at hand. What the crate accepts, OpenSSL must accept: the
//! opposite loses mail. What OpenSSL accepts and the crate does not is listed below, each with its
//! reason, so that a new difference fails the test and so does one that has gone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the counts are the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use rollover::name::DnsName;
use rollover::pki::{Certificate, Chain, hex};
use rollover::time::Timestamp;
use rollover::tlsa::{Parameters, Record, Usage, fit};
use support::{NOW, ca, expired, key, self_signed, server, signed};

#[path = "support/test_pki.rs"]
mod support;

/// The name that the client connects to.
const BASE: &str = "mail.example.nl";

/// What OpenSSL accepts and the crate does not: the beginning of the shape's name, that of the
/// record, and why.
const STRICTER: &[(&str, &str, &str)] = &[
    (
        "",
        "2 0 0",
        "a certificate that the record carries is tried after those that are sent, as the TLS \
         client has them in that order; OpenSSL finds it before a namesake that is sent",
    ),
    (
        "intermediate without constraints",
        "2 ",
        "OpenSSL takes a CA by its key usage where there are no basic constraints, RFC 5280, \
         section 4.2.1.9 does not",
    ),
    ("root without constraints", "2 ", "the same, for the anchor itself"),
    (
        "self-signed",
        "2 1 0",
        "OpenSSL lets a bare key that signed itself be its own trust anchor; usage 2 names what is \
         above the server's certificate",
    ),
    ("server is a CA", "2 ", "webpki lets no CA's certificate be a server's"),
    (
        "intermediate expired",
        "2 ",
        "OpenSSL holds an anchor to its dates only where it signed itself, GnuTLS where it did not",
    ),
    ("intermediate not yet valid", "2 ", "the same"),
    ("wildcard in part", "2 ", "a wildcard is the whole first label (RFC 7672, section 3.2.3)"),
];

/// Chains that a server may send, each with the key of its first certificate.
struct Shape {
    /// What is special about it.
    name: String,
    /// What is sent.
    chain: Vec<Vec<u8>>,
    /// The server's key.
    key: Vec<u8>,
}

/// A small world of CAs.
struct World {
    /// The first root.
    root: (CertificateParams, KeyPair, Vec<u8>),
    /// Another root.
    other_root: (CertificateParams, KeyPair, Vec<u8>),
    /// A CA under the first root.
    intermediate: (CertificateParams, KeyPair, Vec<u8>),
    /// The same CA under the other root.
    crossed: Vec<u8>,
    /// A CA of the same name with another key, under the first root.
    namesake: Vec<u8>,
}

impl World {
    /// A new one.
    fn new() -> Self {
        let root = authority("Root");
        let other_root = authority("Other Root");
        let (params, intermediate_key) = (ca("Intermediate"), key());
        let by_root = signed(&params, &intermediate_key, (&root.0, &root.1));
        let crossed = signed(&params, &intermediate_key, (&other_root.0, &other_root.1));
        let namesake = signed(&ca("Intermediate"), &key(), (&root.0, &root.1));
        Self {
            root,
            other_root,
            intermediate: (params, intermediate_key, by_root),
            crossed,
            namesake,
        }
    }

    /// The usual chain with another server's certificate.
    fn with_server(&self, name: &str, params: &CertificateParams) -> Shape {
        let server_key = key();
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let leaf = signed(params, &server_key, issuer);
        let chain = vec![leaf, self.intermediate.2.clone(), self.root.2.clone()];
        shape(name, chain, &server_key)
    }

    /// The usual chain with another intermediate CA.
    fn with_intermediate(&self, name: &str, params: &CertificateParams) -> Shape {
        let (server_key, intermediate_key) = (key(), key());
        let by_root = signed(params, &intermediate_key, (&self.root.0, &self.root.1));
        let leaf = signed(&server(&[BASE]), &server_key, (params, &intermediate_key));
        shape(name, vec![leaf, by_root, self.root.2.clone()], &server_key)
    }

    /// The usual chain with another root.
    fn with_root(&self, name: &str, params: &CertificateParams) -> Shape {
        let (server_key, root_key) = (key(), key());
        let root = self_signed(params, &root_key);
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let by_root = signed(issuer.0, issuer.1, (params, &root_key));
        let leaf = signed(&server(&[BASE]), &server_key, issuer);
        shape(name, vec![leaf, by_root, root], &server_key)
    }

    /// What may be sent with an ordinary server's certificate: in order, in disorder, in part.
    fn arrangements(&self) -> Vec<Shape> {
        let server_key = key();
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let leaf = signed(&server(&[BASE]), &server_key, issuer);
        let (by_root, root) = (&self.intermediate.2, &self.root.2);
        let (crossed, other_root) = (&self.crossed, &self.other_root.2);
        let arrangements: [(&str, Vec<&Vec<u8>>); 12] = [
            ("full", vec![by_root, root]),
            ("root not sent", vec![by_root]),
            ("leaf only", vec![]),
            ("intermediate not sent", vec![root]),
            ("out of order", vec![root, by_root]),
            ("sent twice", vec![by_root, by_root, root]),
            ("stranger sent", vec![by_root, other_root, root]),
            ("crossed", vec![crossed, other_root]),
            ("crossed first", vec![crossed, by_root, root]),
            ("crossed last", vec![by_root, crossed, other_root]),
            ("namesake first", vec![&self.namesake, by_root, root]),
            ("namesake last", vec![by_root, &self.namesake, root]),
        ];
        arrangements
            .into_iter()
            .map(|(name, above)| {
                let chain = std::iter::once(&leaf).chain(above).cloned().collect();
                shape(name, chain, &server_key)
            })
            .collect()
    }

    /// Server's certificates of all kinds.
    fn servers(&self) -> Vec<Shape> {
        let plain = || server(&[BASE]);
        let mut not_yet = plain();
        not_yet.not_before = date_time_ymd(2026, 7, 1);
        let common_name = |name: &str, alternative: &[&str]| {
            let mut params = server(alternative);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut address = common_name(BASE, &[]);
        let loopback = std::net::IpAddr::from([127, 0, 0, 1]);
        address.subject_alt_names = vec![SanType::IpAddress(loopback)];
        let usage = |usage| {
            let mut params = plain();
            params.key_usages = vec![usage];
            params
        };
        let extended = |usages: &[ExtendedKeyUsagePurpose]| {
            let mut params = plain();
            params.extended_key_usages = usages.to_vec();
            params
        };
        let mut authority = plain();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut bare = plain();
        (bare.key_usages, bare.extended_key_usages) = (vec![], vec![]);
        bare.is_ca = IsCa::NoCa;
        let cases = [
            ("leaf expired", expired(plain())),
            ("leaf not yet valid", not_yet),
            ("other name", server(&["mx.example.org"])),
            ("two names", server(&["mx.example.org", BASE])),
            ("upper case", server(&["MAIL.Example.NL"])),
            ("wildcard", server(&["*.example.nl"])),
            ("wildcard one up", server(&["*.nl"])),
            ("wildcard too deep", server(&["*.mail.example.nl"])),
            ("wildcard in part", server(&["m*.example.nl"])),
            ("common name alone", common_name(BASE, &[])),
            ("common name wildcard", common_name("*.example.nl", &[])),
            ("common name other", common_name("mx.example.org", &[])),
            ("common name beside", common_name(BASE, &["mx.example.org"])),
            ("common name and address", address),
            ("no name", server(&[])),
            ("key encipherment", usage(KeyUsagePurpose::KeyEncipherment)),
            ("certificate signing", usage(KeyUsagePurpose::KeyCertSign)),
            ("client alone", extended(&[ExtendedKeyUsagePurpose::ClientAuth])),
            ("any extended usage", extended(&[ExtendedKeyUsagePurpose::Any])),
            ("server is a CA", authority),
            ("no extensions", bare),
        ];
        cases.into_iter().map(|(name, params)| self.with_server(name, &params)).collect()
    }

    /// CAs of all kinds, as intermediate and as root.
    fn authorities(&self) -> Vec<Shape> {
        let edit = |name: &str, edit: &Edit| {
            let mut params = ca(name);
            edit(&mut params);
            params
        };
        let mut shapes = Vec::new();
        for (special, change) in special_authorities() {
            let intermediate = edit("Special Intermediate", &change);
            let name = format!("intermediate {special}");
            shapes.push(self.with_intermediate(&name, &intermediate));
            let root = edit("Special Root", &change);
            shapes.push(self.with_root(&format!("root {special}"), &root));
        }
        shapes
    }

    /// What fits nowhere else.
    fn oddities(&self) -> Vec<Shape> {
        let server_key = key();
        let plain = server(&[BASE]);
        let mut own_authority = plain.clone();
        own_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut nothing = plain.clone();
        nothing.is_ca = IsCa::NoCa;
        let mut signs = plain.clone();
        signs.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let forged = signed(&plain, &server_key, (&self.intermediate.0, &key()));
        let root = (&self.root.0, &self.root.1);
        let direct = signed(&plain, &server_key, root);
        let itself = |params| self_signed(params, &server_key);
        let twice = vec![itself(&plain), itself(&plain)];
        let mut no_identifiers = plain.clone();
        no_identifiers.use_authority_key_identifier_extension = false;
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let unidentified = signed(&no_identifiers, &server_key, issuer);
        let (by_root, root) = (self.intermediate.2.clone(), self.root.2.clone());
        let namesake_first =
            vec![unidentified, self.namesake.clone(), by_root.clone(), root.clone()];
        [
            ("forged", vec![forged, by_root, root.clone()]),
            ("under the root", vec![direct, root.clone()]),
            ("self-signed", vec![itself(&plain)]),
            ("self-signed twice", twice),
            ("self-signed CA", vec![itself(&own_authority)]),
            ("self-signed without constraints", vec![itself(&nothing)]),
            ("self-signed signing", vec![itself(&signs)]),
            ("self-signed beside a root", vec![itself(&plain), root]),
            ("namesake first, unidentified", namesake_first),
        ]
        .into_iter()
        .map(|(name, chain)| shape(name, chain, &server_key))
        .collect()
    }

    /// Every chain.
    fn shapes(&self) -> Vec<Shape> {
        let mut shapes = self.arrangements();
        shapes.extend(self.servers());
        shapes.extend(self.authorities());
        shapes.extend(self.oddities());
        shapes
    }
}

/// What makes a CA special.
type Edit = Box<dyn Fn(&mut CertificateParams)>;

/// What may be special about a CA, and how it becomes so.
fn special_authorities() -> Vec<(&'static str, Edit)> {
    let is_ca = |is_ca: IsCa| -> Edit { Box::new(move |params| params.is_ca = is_ca) };
    let depth = |depth| is_ca(IsCa::Ca(BasicConstraints::Constrained(depth)));
    let usages = |usages: &'static [KeyUsagePurpose]| -> Edit {
        Box::new(move |params| params.key_usages = usages.to_vec())
    };
    let purpose = |purpose: ExtendedKeyUsagePurpose| -> Edit {
        Box::new(move |params| params.extended_key_usages = vec![purpose.clone()])
    };
    let names = |permitted: &[&str], excluded: Vec<GeneralSubtree>| -> Edit {
        let permitted = permitted.iter().map(|name| GeneralSubtree::DnsName((*name).to_owned()));
        let constraints = NameConstraints {
            permitted_subtrees: permitted.collect(),
            excluded_subtrees: excluded,
        };
        Box::new(move |params| params.name_constraints = Some(constraints.clone()))
    };
    let excluded_name = GeneralSubtree::DnsName("example.nl".to_owned());
    let loopback = CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0]);
    let not_yet = date_time_ymd(2026, 7, 1);
    vec![
        ("expired", Box::new(|params| *params = expired(params.clone()))),
        ("not yet valid", Box::new(move |params| params.not_before = not_yet)),
        ("without CA flag", is_ca(IsCa::ExplicitNoCa)),
        ("without constraints", is_ca(IsCa::NoCa)),
        ("with depth 0", depth(0)),
        ("with depth 1", depth(1)),
        ("not for signing", usages(&[KeyUsagePurpose::DigitalSignature])),
        ("without key usage", usages(&[])),
        ("for clients", purpose(ExtendedKeyUsagePurpose::ClientAuth)),
        ("for servers", purpose(ExtendedKeyUsagePurpose::ServerAuth)),
        ("for any use", purpose(ExtendedKeyUsagePurpose::Any)),
        ("for the name", names(&["example.nl"], vec![])),
        ("for another name", names(&["example.org"], vec![])),
        ("not for the name", names(&[], vec![excluded_name])),
        ("not for addresses", names(&[], vec![GeneralSubtree::IpAddress(loopback)])),
    ]
}

/// A self-signed CA of this name.
fn authority(name: &str) -> (CertificateParams, KeyPair, Vec<u8>) {
    let (params, key) = (ca(name), key());
    let certificate = self_signed(&params, &key);
    (params, key, certificate)
}

/// A shape with this server's key.
fn shape(name: &str, chain: Vec<Vec<u8>>, key: &KeyPair) -> Shape {
    Shape { name: name.to_owned(), chain, key: key.serialize_der() }
}

/// One question to both.
struct Case {
    /// `shape: record`, for people.
    title: String,
    /// What the server sends.
    chain: Chain,
    /// The server's key.
    key: Vec<u8>,
    /// What the client holds.
    records: BTreeSet<Record>,
}

/// Every parameter with every certificate of the shape, and with those it could have sent.
fn cases(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in world.shapes() {
        let chain = Chain::from_der(&shape.chain).unwrap();
        let sent = |index: usize| format!("sent {index}");
        let mut targets: BTreeMap<String, Certificate> = chain
            .certificates()
            .iter()
            .enumerate()
            .map(|(index, certificate)| (sent(index), certificate.clone()))
            .collect();
        for (name, der) in [
            ("the root", &world.root.2),
            ("the other root", &world.other_root.2),
            ("the intermediate", &world.intermediate.2),
        ] {
            let certificate = Certificate::from_der(der).unwrap();
            if !chain.certificates().contains(&certificate) {
                targets.insert(name.to_owned(), certificate);
            }
        }
        for (target, certificate) in &targets {
            for parameters in [
                "3 0 0", "3 0 1", "3 0 2", "3 1 0", "3 1 1", "3 1 2", "2 0 0", "2 0 1", "2 0 2",
                "2 1 0", "2 1 1", "2 1 2",
            ] {
                let parameters_parsed: Parameters = parameters.parse().unwrap();
                let record = Record::from(parameters_parsed.associate(certificate));
                cases.push(Case {
                    title: format!("{}: {parameters} of {target}", shape.name),
                    chain: chain.clone(),
                    key: shape.key.clone(),
                    records: BTreeSet::from([record]),
                });
            }
        }
    }
    cases
}

/// Records that are almost those of a certificate of the shape: data of another length, parameters that
/// mail clients have no use for, and two records of which one is a stranger's.
fn odd_cases(world: &World) -> Vec<Case> {
    let stranger = Certificate::from_der(&world.namesake).unwrap();
    let mut cases = Vec::new();
    for shape in world.arrangements().into_iter().chain(world.oddities()) {
        let chain = Chain::from_der(&shape.chain).unwrap();
        for (index, certificate) in chain.certificates().iter().enumerate() {
            let of = |text: &str, certificate: &Certificate| {
                Record::from(text.parse::<Parameters>().unwrap().associate(certificate))
            };
            let (usual, leaf) = (of("2 1 1", certificate), of("3 1 1", certificate));
            let changed = |change: &dyn Fn(&mut Record)| {
                [&usual, &leaf].map(|record| {
                    let mut record = record.clone();
                    change(&mut record);
                    BTreeSet::from([record])
                })
            };
            let mut odd: Vec<(&str, BTreeSet<Record>)> = Vec::new();
            for (what, change) in [
                ("an octet less", &(|r: &mut Record| r.data.truncate(31)) as &dyn Fn(&mut Record)),
                ("an octet more", &|r| r.data.push(0)),
                ("no data", &|r| r.data.clear()),
                ("another octet", &|r| r.data[0] ^= 1),
                ("as SHA2-512", &|r| r.matching_type = 2),
                ("as a full value", &|r| r.matching_type = 0),
                ("matching type 3", &|r| r.matching_type = 3),
                ("selector 2", &|r| r.selector = 2),
                ("usage 255", &|r| r.usage = 255),
                ("a PKIX usage", &|r| r.usage -= 2),
            ] {
                odd.extend(changed(change).map(|records| (what, records)));
            }
            for parameters in ["2 1 1", "3 1 1", "2 1 2", "3 0 1"] {
                for own in [&usual, &leaf] {
                    let both = [of(parameters, &stranger), own.clone()];
                    odd.push(("beside a stranger's", both.into()));
                }
            }
            cases.extend(odd.into_iter().map(|(what, records)| Case {
                title: format!("{}: {what} of sent {index}: {records:?}", shape.name),
                chain: chain.clone(),
                key: shape.key.clone(),
                records,
            }));
        }
    }
    cases
}

/// A case as the oracle reads it.
fn question(case: &Case) -> serde_json::Value {
    let chain: Vec<String> = case.chain.certificates().iter().map(|c| hex(c.der())).collect();
    let records: Vec<String> = case.records.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "chain": chain, "key": hex(&case.key), "records": records, "base": BASE, "now": NOW,
    })
}

/// What OpenSSL says to each case.
#[expect(clippy::disallowed_methods, reason = "the oracle is another program on purpose")]
fn openssl(cases: &[Case]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dane_openssl/oracle.py");
    let mut oracle = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed by the test set-up");
    let (mut questions, answers) = (oracle.stdin.take().unwrap(), oracle.stdout.take().unwrap());
    let mut answers = BufReader::new(answers).lines();
    // Both work at the same time: questions are written while answers are read.
    let said = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                writeln!(questions, "{}", question(case)).unwrap();
            }
            drop(questions);
        });
        let answer = |_| answers.next().expect("an answer to each question").unwrap();
        cases.iter().map(answer).collect()
    });
    assert!(oracle.wait().unwrap().success());
    said
}

/// Whether OpenSSL accepts, and whether the crate does, for each case.
fn verdicts(cases: &[Case]) -> Vec<(bool, bool)> {
    let (base, now): (DnsName, _) = (BASE.parse().unwrap(), Timestamp::from_seconds(NOW));
    let answers = openssl(cases);
    let mut laxer = Vec::new();
    let mut verdicts = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = fit(&case.records, &case.chain, &base, now).is_some();
        let theirs = answer == "accepted";
        if ours && !theirs {
            laxer.push(format!("{}: accepted here; OpenSSL: {answer}", case.title));
        }
        verdicts.push((theirs, ours));
    }
    assert!(laxer.is_empty(), "would lose mail:\n{}", laxer.join("\n"));
    verdicts
}

#[test]
fn what_is_accepted_here_openssl_accepts_too() {
    let cases = cases(&World::new());
    let verdicts = verdicts(&cases);
    let accepted = verdicts.iter().filter(|verdict| **verdict == (true, true));
    assert!(400 < accepted.count(), "most shapes have records that fit");
    report("a record of each certificate", &verdicts);
    let mut unused: BTreeSet<_> = STRICTER.iter().collect();
    for (case, verdict) in cases.iter().zip(verdicts) {
        if verdict != (true, false) {
            continue;
        }
        let (shape, record) = case.title.split_once(": ").unwrap();
        let explains = |(of_shape, of_record, _): &&(&str, &str, &str)| {
            shape.starts_with(of_shape) && record.starts_with(of_record)
        };
        let reason = STRICTER.iter().find(explains);
        let title = &case.title;
        unused.remove(reason.unwrap_or_else(|| panic!("refused without a reason: {title}")));
    }
    assert!(unused.is_empty(), "OpenSSL refuses these now: {unused:?}");
}

/// Data of the wrong length fits nothing, and unusable records neither help nor hurt.
#[test]
fn odd_records_are_no_more_to_us_than_to_openssl() {
    let cases = odd_cases(&World::new());
    let verdicts = verdicts(&cases);
    let mut unexplained = Vec::new();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        let (shape, _) = case.title.split_once(": ").unwrap();
        let explained = STRICTER.iter().any(|(of, _, _)| !of.is_empty() && shape.starts_with(of));
        if verdict.0 != verdict.1 && !explained {
            unexplained.push(&case.title);
        }
    }
    report("odd records", &verdicts);
    assert!(unexplained.is_empty(), "refused without a reason: {unexplained:#?}");
}

/// Says how many there were, and how many agree.
fn report(what: &str, verdicts: &[(bool, bool)]) {
    let agreed = verdicts.iter().filter(|(theirs, ours)| theirs == ours).count();
    let accepted = verdicts.iter().filter(|verdict| **verdict == (true, true)).count();
    println!("OpenSSL, {what}: {} cases, {agreed} agreements, {accepted} accept", verdicts.len());
}

/// GnuTLS makes the same records of the same certificates.
#[test]
#[expect(clippy::disallowed_methods, reason = "the oracle is another program on purpose")]
fn danetool_makes_the_same_records() {
    let (world, directory) = (World::new(), tempfile::tempdir().unwrap());
    let file = directory.path().join("certificate.pem");
    let mut compared = 0;
    let shapes = world.arrangements().into_iter().take(1).chain(world.servers());
    for certificate in shapes.flat_map(|shape| shape.chain.into_iter().take(1)) {
        let certificate = Certificate::from_der(&certificate).unwrap();
        std::fs::write(&file, certificate.to_pem()).unwrap();
        for (parameters, arguments) in [
            ("3 1 1", &["--hash", "sha256"] as &[&str]),
            ("3 0 2", &["--hash", "sha512", "--x509"]),
            ("2 1 2", &["--hash", "sha512", "--ca"]),
            ("2 0 1", &["--hash", "sha256", "--ca", "--x509"]),
        ] {
            let output = Command::new("danetool")
                .args(["--tlsa-rr", "--host", BASE, "--port", "25", "--load-certificate"])
                .arg(&file)
                .args(arguments)
                .output()
                .expect("danetool is installed by the test set-up");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let record =
                Record::from(parameters.parse::<Parameters>().unwrap().associate(&certificate));
            let (numbers, data) = said.split_once("( ").unwrap().1.split_at(9);
            let numbers: Vec<u8> =
                numbers.split_whitespace().map(|n| u8::from_str_radix(n, 16).unwrap()).collect();
            let theirs = format!(
                "{} {} {} {}",
                numbers[0],
                numbers[1],
                numbers[2],
                data.trim().trim_end_matches(" )")
            );
            assert_eq!(theirs.parse::<Record>().unwrap(), record, "{said}");
            compared += 1;
        }
    }
    println!("danetool: {compared} records, {compared} agreements");
}

/// What all clients accept, a client with digest agility does, and OpenSSL is one.
#[test]
fn what_fits_for_all_clients_fits_for_an_agile_one() {
    let world = World::new();
    let full = world.arrangements().remove(0);
    let chain = Chain::from_der(&full.chain).unwrap();
    let stranger = Certificate::from_der(&world.namesake).unwrap();
    let mut pool: Vec<Record> = Vec::new();
    for parameters in ["2 1 1", "2 1 2", "3 1 1", "3 1 2"] {
        let parameters: Parameters = parameters.parse().unwrap();
        let depth = usize::from(parameters.usage == Usage::DaneTa);
        for certificate in [&chain.certificates()[depth], &stranger] {
            pool.push(parameters.associate(certificate).into());
        }
    }
    let cases: Vec<Case> = (1..1_usize << pool.len())
        .map(|subset| {
            let chosen = pool.iter().enumerate();
            let records: BTreeSet<Record> = chosen
                .filter(|(index, _)| subset >> index & 1 == 1)
                .map(|(_, record)| record.clone())
                .collect();
            Case {
                title: format!("{records:?}"),
                chain: chain.clone(),
                key: full.key.clone(),
                records,
            }
        })
        .collect();
    let mut agreed = 0;
    let verdicts = verdicts(&cases);
    report("several records", &verdicts);
    for (case, verdict) in cases.iter().zip(verdicts) {
        agreed += usize::from(verdict == (true, true));
        // Only a client that does without SHA2-512 can see less than OpenSSL does.
        let sha512 = case.records.iter().any(|record| record.matching_type == 2);
        assert!(sha512 || verdict.0 == verdict.1, "{}", case.title);
    }
    assert!(100 < agreed);
}
