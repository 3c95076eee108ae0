//! The own CA, judged by OpenSSL.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use rcgen::{BasicConstraints, CertificateParams, GeneralSubtree, KeyPair, NameConstraints};
use tempfile::TempDir;

use super::*;
use crate::pki::KeyType;
use crate::time::Moment;

/// 2026-06-01T00:00:00Z.
const JUNE: i64 = 1_780_272_000;

/// A day in seconds.
const DAY: i64 = 86_400;

/// A clock that stands still.
struct Still(i64);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::from_seconds(self.0), boot: 1, uptime: Span::ZERO }
    }

    async fn sleep(&self, _: Span) {}
}

/// A directory with a CA in it.
struct House {
    directory: TempDir,
}

impl House {
    /// A CA that is valid from a year before June for ten years.
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// A CA with something changed about it.
    fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "House CA");
        params.distinguished_name.push(DnType::OrganizationName, "Käse & Söhne");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = rcgen::date_time_ymd(2025, 6, 1);
        params.not_after = rcgen::date_time_ymd(2035, 6, 1);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let house = Self { directory };
        put(&house.config().certificate_file, &certificate.pem());
        house.put_key(&key.serialize_pem(), 0o600);
        house
    }

    fn put_key(&self, pem: &str, mode: u32) {
        let path = self.config().key_file;
        put(&path, pem);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn config(&self) -> OwnCaConfig {
        OwnCaConfig {
            certificate_file: self.path("ca.pem"),
            key_file: self.path("ca.key"),
            validity: "90d".parse().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open_at(&self, seconds: i64) -> Result<OwnCa, IssueError> {
        let state = self.path("state");
        OwnCa::new("house", &self.config(), &state, Arc::new(Still(seconds)))
    }

    fn ca(&self) -> OwnCa {
        self.open_at(JUNE).unwrap()
    }

    fn why_not(&self) -> IssueError {
        self.open_at(JUNE).err().unwrap()
    }
}

/// Writes a file of the test's.
fn put(path: &Path, text: &str) {
    crate::durable::write_private(path, text.as_bytes()).unwrap();
}

fn order(id: &str, key_type: KeyType, names: &[&str]) -> Order {
    Order {
        replaces: None,
        id: id.to_owned(),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        key: PrivateKey::generate(key_type).unwrap(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the judge of these tests is another program")]
fn openssl(arguments: &[&str]) -> Output {
    let output = std::process::Command::new("openssl").args(arguments).output();
    output.expect("openssl is installed")
}

/// Writes the certificates of a chain where OpenSSL can read them: the first, and all.
fn lay_out(house: &House, chain: &Chain) -> (String, String) {
    let leaf = Chain::new(vec![chain.leaf().clone()]).unwrap();
    let paths = (house.path("leaf.pem"), house.path("chain.pem"));
    put(&paths.0, &leaf.to_pem());
    put(&paths.1, &chain.to_pem());
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    (text(paths.0), text(paths.1))
}

fn text_of(output: &Output) -> String {
    let whole = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(whole).unwrap()
}

#[tokio::test]
async fn openssl_accepts_what_is_issued_for_each_key_type_under_each_name() {
    let house = House::new();
    let ca = house.ca();
    let anchor = house.config().certificate_file;
    for key_type in KeyType::ALL {
        let order = order(key_type.as_str(), key_type, &["mail.example.nl", "mx.example.nl"]);
        let chain = ca.issue(&order).await.unwrap();
        let (leaf, _) = lay_out(&house, &chain);
        for name in &order.names {
            let output = openssl(&[
                "verify",
                "-x509_strict",
                "-purpose",
                "sslserver",
                "-attime",
                &JUNE.to_string(),
                "-verify_hostname",
                name.as_str(),
                "-CAfile",
                anchor.to_str().unwrap(),
                &leaf,
            ]);
            assert!(output.status.success(), "{key_type}: {}", text_of(&output));
        }
        assert_eq!(chain.leaf().spki(), order.key.spki());
        assert_eq!(ca.trust_anchor(&chain), Some(ca.known_anchors()[0].clone()));
    }
}

#[tokio::test]
async fn the_certificate_says_what_it_should_and_no_more() {
    let house = House::new();
    let order = order("one", KeyType::Rsa2048, &["mail.example.nl"]);
    let chain = house.ca().issue(&order).await.unwrap();
    let (leaf, _) = lay_out(&house, &chain);
    let text = text_of(&openssl(&["x509", "-noout", "-text", "-in", &leaf]));
    for part in [
        "Version: 3",
        "Issuer: CN = House CA, O = K\\C3\\A4se & S\\C3\\B6hne",
        "Subject: CN = mail.example.nl\n",
        "Not Before: May 31 23:55:00 2026 GMT",
        "Not After : Aug 30 00:00:00 2026 GMT",
        "X509v3 Subject Alternative Name: \n                DNS:mail.example.nl\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(text.matches("X509v3 ").count(), 6 + 1, "{text}");
}

#[tokio::test]
async fn the_same_key_certified_twice_has_two_serials() {
    let house = House::new();
    let ca = house.ca();
    let first = order("first", KeyType::EcdsaP256, &["mail.example.nl"]);
    let second = Order { id: "second".to_owned(), ..first.clone() };
    let first = ca.issue(&first).await.unwrap();
    let second = ca.issue(&second).await.unwrap();
    assert_eq!(first.leaf().spki(), second.leaf().spki());
    assert_ne!(first.leaf().serial(), second.leaf().serial());
    assert_eq!(first.leaf().serial().len(), 32);
}

#[tokio::test]
async fn the_same_order_is_filled_once() {
    let house = House::new();
    let order = order("same", KeyType::EcdsaP256, &["mail.example.nl"]);
    let first = house.ca().issue(&order).await.unwrap();
    let again = house.ca().issue(&order).await.unwrap();
    assert_eq!(first, again);

    let other_key =
        Order { key: PrivateKey::generate(KeyType::EcdsaP256).unwrap(), ..order.clone() };
    let error = house.ca().issue(&other_key).await.unwrap_err();
    assert!(error.message.starts_with("the certificate is for key "), "{error}");
    let other_name = Order { names: vec!["mx2.example.nl".parse().unwrap()], ..order };
    let error = house.ca().issue(&other_name).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "house (own CA): the certificate does not name mx2.example.nl, only mail.example.nl"
    );
}

#[tokio::test]
async fn a_certificate_does_not_outlive_its_ca() {
    let house = House::with(|params| {
        params.not_before = rcgen::date_time_ymd(2026, 6, 1);
        params.not_after = rcgen::date_time_ymd(2026, 6, 11);
    });
    let order = order("short", KeyType::EcdsaP256, &["mail.example.nl"]);
    let chain = house.ca().issue(&order).await.unwrap();
    assert_eq!(chain.leaf().not_before(), Timestamp::from_seconds(JUNE), "nor is it older");
    assert_eq!(chain.leaf().not_after(), Timestamp::from_seconds(JUNE + 10 * DAY));
}

#[tokio::test]
async fn an_expired_ca_issues_nothing_but_can_be_looked_at() {
    let house = House::with(|params| params.not_after = rcgen::date_time_ymd(2026, 5, 1));
    let ca = house.ca();
    assert_eq!(ca.known_anchors().len(), 1);
    let order = order("late", KeyType::EcdsaP256, &["mail.example.nl"]);
    let error = ca.issue(&order).await.unwrap_err();
    assert_eq!(error.remedy, Remedy::AskOperator);
    assert!(
        error
            .message
            .ends_with("is valid from 2025-06-01T00:00:00Z until 2026-05-01T00:00:00Z, and it is 2026-06-01T00:00:00Z"),
        "{error}"
    );
    assert!(error.hint.contains("--new-ca"), "{}", error.hint);
}

#[tokio::test]
async fn a_ca_may_not_issue_for_names_outside_its_constraints() {
    let house = House::with(|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
            excluded_subtrees: vec![],
        });
    });
    let outside = order("outside", KeyType::EcdsaP256, &["mail.example.nl"]);
    let error = house.ca().issue(&outside).await.unwrap_err();
    assert!(error.message.contains("a client would refuse"), "{error}");
    assert!(!house.path("state/orders/outside.pem").exists());
    let inside = order("inside", KeyType::EcdsaP256, &["mail.example.org"]);
    house.ca().issue(&inside).await.unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let house = House::new();
    let key = fs::read_to_string(house.config().key_file).unwrap();
    house.put_key(&key, 0o644);
    let error = house.why_not();
    assert!(error.message.contains("has mode 0644"), "{error}");
    assert!(error.message.contains("chmod o-rwx"), "{error}");
    house.put_key(&key, 0o640);
    house.ca();
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused_with_both_sides() {
    let house = House::new();
    let other = KeyPair::generate().unwrap();
    house.put_key(&other.serialize_pem(), 0o600);
    let error = house.why_not();
    let other = PrivateKey::from_pem(&other.serialize_pem()).unwrap();
    let part = format!("ca.key` holds key {}", other.spki_sha256().short());
    assert!(error.message.contains(&part), "{error}");
}

#[test]
fn what_is_no_ca_is_refused() {
    let house = House::with(|params| params.is_ca = IsCa::ExplicitNoCa);
    assert!(house.why_not().message.contains("is not that of a CA"));

    let house = House::with(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    assert!(house.why_not().message.contains("without keyCertSign"));

    let house = House::new();
    put(&house.config().certificate_file, "no certificate at all");
    assert!(house.why_not().message.contains("holds no certificate"));

    fs::remove_file(house.config().certificate_file).unwrap();
    assert!(house.why_not().message.contains("No such file"));
}

#[tokio::test]
async fn a_ca_below_another_sends_both() {
    let house = House::new();
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.distinguished_name = DistinguishedName::new();
    root.distinguished_name.push(DnType::CommonName, "House Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = rcgen::CertifiedIssuer::self_signed(root, root_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "House Sub CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let sub = params.signed_by(&key, &root).unwrap();
    let file = house.config().certificate_file;
    put(&file, &format!("{}{}", sub.pem(), root.pem()));
    house.put_key(&key.serialize_pem(), 0o600);

    let ca = house.ca();
    let order = order("sub", KeyType::EcdsaP256, &["mail.example.nl"]);
    let chain = ca.issue(&order).await.unwrap();
    assert_eq!(chain.certificates().len(), 3);
    let anchor = ca.trust_anchor(&chain).unwrap();
    assert_eq!(anchor.common_name(), Some("House Sub CA"));

    put(&file, &format!("{}{}", sub.pem(), sub.pem()));
    assert!(house.why_not().message.contains("was not signed by"));
}

#[test]
fn a_name_that_cannot_be_written_as_an_issuer_is_refused_at_once() {
    let house = House::new();
    let (key, file) = (house.config().key_file, house.config().certificate_file);
    let output = openssl(&[
        "req",
        "-x509",
        "-new",
        "-key",
        key.to_str().unwrap(),
        "-subj",
        "/DC=nl/DC=example/CN=AD CA",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-out",
        file.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", text_of(&output));
    let error = house.why_not();
    assert!(error.message.contains("same kind of attribute twice"), "{error}");
}

#[tokio::test]
async fn a_ca_made_by_openssl_can_be_used() {
    let house = House::new();
    let (key, file) = (house.config().key_file, house.config().certificate_file);
    let output = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "3650",
        "-keyout",
        key.to_str().unwrap(),
        "-subj",
        "/C=NL/O=Voorbeeld/CN=Huis",
        "-out",
        file.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", text_of(&output));
    // Made today, so June may be before or after: the CA's own first moment will do.
    let first = house.open_at(JUNE).unwrap().known_anchors()[0].not_before();
    let now = first.as_seconds() + 60;
    let ca = house.open_at(now).unwrap();
    let order = order("rsa-ca", KeyType::EcdsaP256, &["mail.example.nl"]);
    let chain = ca.issue(&order).await.unwrap();
    let (leaf, _) = lay_out(&house, &chain);
    let output = openssl(&[
        "verify",
        "-purpose",
        "sslserver",
        "-attime",
        &now.to_string(),
        "-verify_hostname",
        "mail.example.nl",
        "-CAfile",
        file.to_str().unwrap(),
        &leaf,
    ]);
    assert!(output.status.success(), "{}", text_of(&output));
}

#[tokio::test]
async fn there_is_nothing_to_revoke_at() {
    let house = House::new();
    let ca = house.ca();
    let order = order("gone", KeyType::EcdsaP256, &["mail.example.nl"]);
    let chain = ca.issue(&order).await.unwrap();
    let revoked = ca.revoke(chain.leaf(), &order.key).await;
    assert_eq!(revoked, Ok(Revocation::NotOffered));
}

#[tokio::test]
async fn an_id_that_leads_elsewhere_and_a_damaged_file_are_refused() {
    let house = House::new();
    let ca = house.ca();
    let astray = order("../astray", KeyType::EcdsaP256, &["mail.example.nl"]);
    let error = ca.issue(&astray).await.unwrap_err();
    assert!(error.message.contains("is not an order id"), "{error}");

    let order = order("torn", KeyType::EcdsaP256, &["mail.example.nl"]);
    ca.issue(&order).await.unwrap();
    put(&house.path("state/orders/torn.pem"), "");
    let error = ca.issue(&order).await.unwrap_err();
    assert!(error.message.ends_with("it holds no certificate"), "{error}");
    assert_eq!(error.remedy, Remedy::AskOperator);
}

#[tokio::test]
async fn a_very_long_name_stands_in_the_alternative_name_alone() {
    let house = House::new();
    let long = format!("{}.example.nl", "a".repeat(60));
    let order = order("long", KeyType::EcdsaP256, &[&long]);
    let chain = house.ca().issue(&order).await.unwrap();
    assert_eq!(chain.leaf().common_name(), None);
    assert_eq!(chain.leaf().dns_names(), [long]);
}
