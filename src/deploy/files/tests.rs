//! The deployer on a real file system, with real reload commands.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::keys::PrivateKey;
use crate::pki::Chain;
use crate::time::Span;

/// Writes a file as an operator would.
#[expect(clippy::disallowed_methods, reason = "no secret, and no crash to survive")]
fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
}

/// A self-signed credential of this type.
fn credential_of(key_type: KeyType) -> Credential {
    let key = PrivateKey::generate(key_type).unwrap();
    let pair = KeyPair::from_pem(key.pem()).unwrap();
    let params = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
    let chain = Chain::from_der(&[params.self_signed(&pair).unwrap().der()]).unwrap();
    Credential { key_type, chain, key }
}

/// A self-signed credential.
fn credential() -> Credential {
    credential_of(KeyType::EcdsaP256)
}

/// A deployer to this place, with this reload command.
fn files(place: Place, reload: &[&str]) -> Files {
    let config = FilesConfig {
        place,
        owner: None,
        group: None,
        mode: 0o640,
        reload: reload.iter().map(|part| (*part).to_owned()).collect(),
        reload_timeout: Span::from_seconds(60),
    };
    Files::new(config, vec![KeyType::EcdsaP256])
}

/// A chain file in a directory.
fn chain_file(directory: &Path) -> Place {
    Place::ChainFiles(vec![directory.join("mail.pem")])
}

/// A certificate file and a key file in a directory.
fn separate(directory: &Path) -> Place {
    let (certificate_file, key_file) = (directory.join("mail.crt"), directory.join("mail.key"));
    Place::Separate { certificate_file, key_file }
}

/// Deploys one credential, and returns the failure if there is one.
async fn deploy(files: &Files, credential: &Credential) -> Result<Deployed, String> {
    files.deploy(std::slice::from_ref(credential)).await.map_err(|error| error.to_string())
}

/// The leaf that is in place.
async fn held(files: &Files) -> Option<Vec<u8>> {
    let held = files.current().await.unwrap();
    assert!(held.len() <= 1);
    held.first().map(|credential| credential.chain.leaf().der().to_vec())
}

/// The leaf of a credential.
fn leaf(credential: &Credential) -> Option<Vec<u8>> {
    Some(credential.chain.leaf().der().to_vec())
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_deployed_is_what_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(chain_file(directory.path()), &[]);
    assert_eq!(held(&files).await, None);
    let credential = credential();
    for _twice in 0..2 {
        deploy(&files, &credential).await.unwrap();
        assert_eq!(held(&files).await, leaf(&credential));
    }
    let text = fs::read_to_string(directory.path().join("mail.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----"), "Postfix wants the key first");
    let mode = fs::metadata(directory.path().join("mail.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(names(directory.path()), ["mail.pem"], "nothing is left beside it");
}

#[tokio::test]
async fn files_of_other_makers_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(chain_file(directory.path()), &[]);
    let credential = credential();
    let (key, chain) = (credential.key.pem().to_owned(), credential.chain.to_pem());
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----";
    let texts = [
        format!("{chain}{key}"),
        format!("{parameters}\n{key}{chain}"),
        format!("# Schl\u{fc}ssel\r\n{}", format!("{key}\n{chain}").replace('\n', "\r\n")),
    ];
    for text in &texts {
        write(directory.path().join("mail.pem"), text);
        assert_eq!(held(&files).await, leaf(&credential), "{text}");
    }
    let latin_1: Vec<u8> = [b"# M\xfcller\n", texts[0].as_bytes()].concat();
    write(directory.path().join("mail.pem"), latin_1);
    assert_eq!(held(&files).await, leaf(&credential));
}

#[tokio::test]
async fn what_is_no_bundle_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.pem");
    let files = files(chain_file(directory.path()), &[]);
    let (one, other) = (credential(), credential());
    let short = |credential: &Credential| credential.key.spki_sha256().short();
    let torn = format!(
        "the key is {}, but the first certificate (`CN=rcgen self signed cert`) is for the key {}",
        short(&one),
        short(&other)
    );
    let cases = [
        ("nonsense".to_owned(), "there are 0 private keys in it, and one is expected"),
        (String::new(), "there are 0 private keys in it, and one is expected"),
        (one.key.pem().to_owned(), "the chain is empty"),
        (one.chain.to_pem(), "there are 0 private keys in it"),
        (one.key.pem().replace("PRIVATE", "ENCRYPTED PRIVATE"), "the private key is encrypted"),
        (one.key.pem().replace("BEGIN PRIVATE", "BEGIN RSA PRIVATE"), "mismatching BEGIN"),
        (format!("{}{}", one.key.pem(), other.chain.to_pem()), &torn),
        (
            format!("{}{}{}", one.key.pem(), other.key.pem(), one.chain.to_pem()),
            "there are 2 private keys in it, and one is expected",
        ),
    ];
    for (text, reason) in cases {
        write(&path, &text);
        let error = files.current().await.unwrap_err();
        assert!(matches!(error, DeployError::Content { .. }), "{error}");
        let error = error.to_string();
        let start = format!("{} does not hold a key and its chain: ", path.display());
        assert!(error.starts_with(&start) && error.contains(reason), "{error}");
        deploy(&files, &one).await.unwrap();
        assert_eq!(held(&files).await, leaf(&one), "a bad file does not stand in the way");
    }
}

#[tokio::test]
async fn each_key_type_has_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["ecdsa.pem", "rsa.pem"].map(|name| directory.path().join(name));
    let mut files = files(Place::ChainFiles(paths.to_vec()), &[]);
    files.key_types = vec![KeyType::EcdsaP256, KeyType::Rsa2048];
    let both = [credential_of(KeyType::Rsa2048), credential_of(KeyType::EcdsaP256)];
    files.deploy(&both).await.unwrap();
    let key_types: Vec<KeyType> =
        files.current().await.unwrap().iter().map(|credential| credential.key_type).collect();
    assert_eq!(key_types, files.key_types);

    // The configuration was changed, and what was there before has to be put back.
    files.key_types = vec![KeyType::EcdsaP384, KeyType::Rsa4096];
    files.deploy(&both).await.unwrap();
    let held = files.current().await.unwrap();
    assert_eq!((&held[0].chain, &held[1].chain), (&both[1].chain, &both[0].chain));
    let twice = [both[1].clone(), credential_of(KeyType::EcdsaP384)];
    assert_eq!(
        files.deploy(&twice).await.unwrap_err().to_string(),
        "there is no chain-file for the key type ecdsa-p384",
        "one would overwrite the other"
    );
    files.key_types = vec![KeyType::EcdsaP256, KeyType::EcdsaP384];
    let error = files.deploy(&both).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no chain-file for the key type rsa-2048");
}

#[tokio::test]
async fn of_several_files_all_are_written_before_one_has_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let paths = [directory.path().join("ecdsa.pem"), directory.path().join("missing/rsa.pem")];
    let mut files = files(Place::ChainFiles(paths.to_vec()), &[]);
    files.key_types = vec![KeyType::EcdsaP256, KeyType::Rsa2048];
    write(&paths[0], "old");
    let both = [credential_of(KeyType::EcdsaP256), credential_of(KeyType::Rsa2048)];
    let error = files.deploy(&both).await.unwrap_err().to_string();
    assert!(error.contains("missing/rsa.pem"), "{error}");
    assert_eq!(fs::read(&paths[0]).unwrap(), b"old");
    assert_eq!(names(directory.path()), ["ecdsa.pem"]);
}

#[tokio::test]
async fn what_a_crash_left_beside_a_file_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path().join(".rollover-mail.pem-Zz09aA.new"), "a private key");
    deploy(&files(chain_file(directory.path()), &[]), &credential()).await.unwrap();
    assert_eq!(names(directory.path()), ["mail.pem"]);
}

#[tokio::test]
async fn owner_and_group_are_set_before_the_name_appears() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.pem");
    let mut files = files(chain_file(directory.path()), &[]);
    files.config.group = Some("no-such-group".to_owned());
    let error = deploy(&files, &credential()).await.unwrap_err();
    assert!(error.starts_with("cannot find `no-such-group` in /etc/group"), "{error}");
    assert!(!path.exists());
    // Only root can give files away; anybody can keep them.
    let own = fs::metadata(directory.path()).unwrap();
    let (owner, group) = match own.uid() {
        0 => (4321, 1234),
        uid => (uid, own.gid()),
    };
    (files.config.owner, files.config.group) = (Some(owner.to_string()), Some(group.to_string()));
    deploy(&files, &credential()).await.unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (owner, group));
    assert_eq!(metadata.mode() & 0o7777, 0o640);
}

#[tokio::test]
async fn a_symbolic_link_is_neither_followed_nor_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let live = directory.path().join("live.pem");
    write(&live, "another client's");
    for (name, place) in [
        ("mail.pem", chain_file(directory.path())),
        ("mail.crt", separate(directory.path())),
        ("mail.key", separate(directory.path())),
    ] {
        let link = directory.path().join(name);
        symlink(&live, &link).unwrap();
        let files = files(place, &[]);
        let error = deploy(&files, &credential()).await.unwrap_err();
        let expected = format!(
            "cannot replace {}: it is a symbolic link to {}, which may be another program's file; \
             let the mail server and this configuration name a file of their own",
            link.display(),
            live.display()
        );
        assert_eq!(error, expected);
        let seen = files.current().await.unwrap_err().to_string();
        assert_eq!(seen, expected, "it is said before anything is issued");
        assert_eq!(fs::read(&live).unwrap(), b"another client's");
        assert_eq!(fs::read_link(&link).unwrap(), live);
        fs::remove_file(&link).unwrap();
        assert_eq!(names(directory.path()), ["live.pem"], "{name}");
    }
}

#[tokio::test]
async fn certificate_and_key_switch_together() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(separate(directory.path()), &[]);
    assert_eq!(held(&files).await, None);
    for _ in 0..4 {
        let next = credential();
        deploy(&files, &next).await.unwrap();
        assert_eq!(held(&files).await, leaf(&next));
    }
    let at = |name: &str| directory.path().join(name);
    assert_eq!(names(directory.path()), [".rollover-mail.key", "mail.crt", "mail.key"]);
    assert_eq!(names(&at(".rollover-mail.key")), ["3", "4", "current"], "the pair before is kept");
    assert_eq!(
        fs::read_link(at("mail.crt")).unwrap(),
        Path::new(".rollover-mail.key/current/certificate")
    );
    for name in ["mail.crt", "mail.key"] {
        assert_eq!(fs::metadata(at(name)).unwrap().mode() & 0o7777, 0o640, "{name}");
    }
}

#[tokio::test]
async fn certificate_and_key_may_be_in_two_directories() {
    let directory = tempfile::tempdir().unwrap();
    let (certs, private) = (directory.path().join("certs"), directory.path().join("private"));
    fs::create_dir(&certs).unwrap();
    fs::create_dir(&private).unwrap();
    let (certificate_file, key_file) = (certs.join("mail.pem"), private.join("mail.pem"));
    let files = files(Place::Separate { certificate_file, key_file }, &[]);
    for _ in 0..2 {
        let next = credential();
        deploy(&files, &next).await.unwrap();
        assert_eq!(held(&files).await, leaf(&next));
    }
    assert_eq!(names(&certs), ["mail.pem"], "the key's copies stay where keys are kept");
    assert_eq!(names(&private), [".rollover-mail.pem", "mail.pem"]);
}

/// Puts `directory` into the state of a first deployment that stopped after so many of its steps.
fn stop_after(steps: usize, directory: &Path, present: &Credential) {
    let at = |name: &str| directory.join(name);
    let (certificate, key) = (present.chain.to_pem(), present.key.pem());
    write(at("mail.crt"), &certificate);
    write(at("mail.key"), key);
    let store = ".rollover-mail.key";
    let point = |link: &str, target: &str| {
        symlink(target, at("staged")).unwrap();
        fs::rename(at("staged"), at(link)).unwrap();
    };
    let all: [&dyn Fn(); 7] = [
        &|| fs::create_dir_all(at(store)).unwrap(),
        &|| fs::create_dir_all(at(".rollover-mail.key/1")).unwrap(),
        &|| write(at(".rollover-mail.key/1/certificate"), &certificate),
        &|| write(at(".rollover-mail.key/1/key"), key),
        &|| point(".rollover-mail.key/current", "1"),
        &|| point("mail.crt", ".rollover-mail.key/current/certificate"),
        &|| symlink("stale", at(".rollover-mail.key.link")).unwrap(),
    ];
    all[..steps].iter().for_each(|step| step());
}

#[tokio::test]
async fn a_first_deployment_that_crashed_left_the_old_pair_and_is_mended() {
    for steps in 0..=7 {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (credential(), credential());
        stop_after(steps, directory.path(), &old);
        let files = files(separate(directory.path()), &[]);
        assert_eq!(held(&files).await, leaf(&old), "after {steps} steps");
        deploy(&files, &new).await.unwrap();
        assert_eq!(held(&files).await, leaf(&new), "after {steps} steps");
        let at = |name: &str| directory.path().join(name);
        assert!(at("mail.crt").is_symlink() && at("mail.key").is_symlink());
        assert_eq!(names(&at(".rollover-mail.key")).len(), 3, "two generations and the link");
    }
}

#[tokio::test]
async fn a_link_that_somebody_replaced_by_a_file_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(separate(directory.path()), &[]);
    deploy(&files, &credential()).await.unwrap();
    for name in ["mail.crt", "mail.key"] {
        fs::remove_file(directory.path().join(name)).unwrap();
        if name == "mail.key" {
            write(directory.path().join(name), "by hand");
        }
        let new = credential();
        deploy(&files, &new).await.unwrap();
        assert_eq!(held(&files).await, leaf(&new));
        assert!(directory.path().join(name).is_symlink());
    }
}

#[tokio::test]
async fn a_half_pair_is_no_pair() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path().join("mail.key"), credential().key.pem());
    let files = files(separate(directory.path()), &[]);
    assert_eq!(held(&files).await, None);
    let new = credential();
    deploy(&files, &new).await.unwrap();
    assert_eq!(held(&files).await, leaf(&new));
}

/// Reads a pair as a mail server does, file after file; `None` where a switch came in between.
fn read_as_a_server(directory: &Path) -> Option<Credential> {
    let at = |name: &str| directory.join(name);
    let current = || -> Option<u32> {
        fs::read_link(at(".rollover-mail.key/current")).ok()?.to_str()?.parse().ok()
    };
    let before = current();
    let (certificate, key) = match (fs::read(at("mail.crt")), fs::read(at("mail.key"))) {
        (Ok(certificate), Ok(key)) => (certificate, key),
        (certificate, key) => {
            // On a busy machine two whole deployments can come while a path is followed, and what it
            // leads to is put away after the second. No mail server is overtaken so.
            let overtaken = before.unwrap_or(0) + 2 <= current().unwrap_or(0);
            assert!(overtaken, "there are files at every moment: {certificate:?}, {key:?}");
            return None;
        }
    };
    (before == current())
        .then(|| bundle::parse("pair", &[key, certificate].concat()).expect("a pair that fits"))
}

#[tokio::test]
async fn a_reader_never_finds_a_missing_file_or_a_torn_pair() {
    let directory = tempfile::tempdir().unwrap();
    let first = credential();
    write(directory.path().join("mail.crt"), first.chain.to_pem());
    write(directory.path().join("mail.key"), first.key.pem());
    let over = Arc::new(AtomicBool::new(false));
    let (is_over, path) = (Arc::clone(&over), directory.path().to_owned());
    let reader = std::thread::spawn(move || {
        let mut pairs = 0_u32;
        while !is_over.load(Ordering::Relaxed) || pairs == 0 {
            pairs += u32::from(read_as_a_server(&path).is_some());
        }
    });
    let files = files(separate(directory.path()), &[]);
    for _ in 0..30 {
        deploy(&files, &credential()).await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

#[tokio::test]
async fn a_reload_runs_each_time_also_where_nothing_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let script = format!("echo reloaded | tee -a {}", log.display());
    let files = files(chain_file(directory.path()), &["sh", "-c", &script]);
    let credential = credential();
    for _twice in 0..2 {
        let deployed = deploy(&files, &credential).await.unwrap();
        assert_eq!(deployed.output, "reloaded");
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "reloaded\nreloaded\n");
}

#[tokio::test]
async fn a_reload_that_fails_is_quoted_and_leaves_whole_files() {
    let directory = tempfile::tempdir().unwrap();
    let credential = credential();
    let fails = async |reload: &[&str], limit: Span| {
        let mut files = files(chain_file(directory.path()), reload);
        files.config.reload_timeout = limit;
        let error = deploy(&files, &credential).await.unwrap_err();
        assert_eq!(held(&files).await, leaf(&credential));
        error
    };
    let ample = Span::from_seconds(60);
    assert_eq!(
        fails(&["sh", "-c", "echo fatal: >&2; echo no such service; exit 1"], ample).await,
        "`sh -c 'echo fatal: >&2; echo no such service; exit 1'` exited with status 1\n    \
         fatal:\n    no such service"
    );
    assert_eq!(
        fails(&["/nowhere/postfix", "reload"], ample).await,
        "`/nowhere/postfix reload` cannot be run: No such file or directory (os error 2)"
    );
    assert_eq!(
        fails(&["sleep", "600"], Span::from_millis(100)).await,
        "`sleep 600` did not end within 100ms, and was killed"
    );
    let endless = fails(&["sh", "-c", "yes endless | head -c 9000000; exit 2"], ample).await;
    assert!(endless.len() < 10_000 && endless.ends_with("\n    endless"), "{}", endless.len());
}
