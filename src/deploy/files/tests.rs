//! Tests of the `files` deployer on a real file system.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> std::io::Result<()> {
    std::fs::write(path, text)
}

/// A self-signed credential.
fn credential() -> Credential {
    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["mail.example.nl".to_owned()])
        .unwrap()
        .self_signed(&pair)
        .unwrap();
    Credential {
        key_type: KeyType::EcdsaP256,
        chain: Chain::from_der(&[certificate.der()]).unwrap(),
        key: PrivateKey::from_pem(&pair.serialize_pem()).unwrap(),
    }
}

/// A deployer with this place and reload command.
fn files(place: Place, reload: &[&str]) -> Files {
    let config = FilesConfig {
        place,
        owner: None,
        group: None,
        mode: 0o640,
        reload: reload.iter().map(|part| (*part).to_owned()).collect(),
        reload_timeout: Span::from_seconds(5),
    };
    Files::new(config, vec![KeyType::EcdsaP256])
}

/// A chain file in a directory.
fn chain_file(directory: &Path) -> Place {
    Place::ChainFiles(vec![directory.join("mail.pem")])
}

#[tokio::test]
async fn what_is_deployed_is_what_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(chain_file(directory.path()), &[]);
    assert!(files.current().await.unwrap().is_empty());
    let credential = credential();
    files.deploy(std::slice::from_ref(&credential)).await.unwrap();
    let held = files.current().await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].chain, credential.chain);
    assert_eq!(held[0].key.spki(), credential.key.spki());
    let text = std::fs::read_to_string(directory.path().join("mail.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----"), "Postfix wants the key first");
    let mode = std::fs::metadata(directory.path().join("mail.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left behind");
}

#[tokio::test]
async fn certificate_and_key_switch_together() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) =
        (directory.path().join("mail.crt"), directory.path().join("mail.key"));
    let files = files(
        Place::Separate { certificate_file: certificate_file.clone(), key_file: key_file.clone() },
        &[],
    );
    // Plain files of an operator's own come first.
    let first = credential();
    write(&certificate_file, first.chain.to_pem()).unwrap();
    write(&key_file, first.key.pem()).unwrap();
    for _ in 0..4 {
        let next = credential();
        files.deploy(std::slice::from_ref(&next)).await.unwrap();
        let held = files.current().await.unwrap();
        assert_eq!(held[0].chain, next.chain);
    }
    assert!(certificate_file.is_symlink() && key_file.is_symlink());
    let store = directory.path().join(".rollover-mail.crt");
    let generations = std::fs::read_dir(&store).unwrap().flatten();
    let generations = generations.filter(|entry| entry.file_name() != "current").count();
    assert_eq!(generations, 2, "the present and the one before");
}

#[tokio::test]
async fn a_reader_never_sees_a_torn_pair() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) =
        (directory.path().join("mail.crt"), directory.path().join("mail.key"));
    let place =
        Place::Separate { certificate_file: certificate_file.clone(), key_file: key_file.clone() };
    let files = files(place, &[]);
    files.deploy(&[credential()]).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (seen, store) = (Arc::clone(&stop), directory.path().join(".rollover-mail.crt"));
    let reader = std::thread::spawn(move || {
        let mut pairs = 0_u32;
        while !seen.load(Ordering::Relaxed) {
            // As a server that resolves the directory once.
            let Ok(current) = std::fs::canonicalize(store.join("current")) else { continue };
            let read = |name| std::fs::read_to_string(current.join(name));
            if let (Ok(chain), Ok(key)) = (read("certificate"), read("key")) {
                assert!(bundle::parse("pair", &format!("{key}{chain}")).is_ok());
                pairs += 1;
            }
        }
        pairs
    });
    for _ in 0..30 {
        files.deploy(&[credential()]).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(0 < reader.join().unwrap());
}

#[tokio::test]
async fn a_failing_reload_is_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let files =
        files(chain_file(directory.path()), &["sh", "-c", "echo no such service >&2; exit 1"]);
    let error = files.deploy(&[credential()]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`sh -c 'echo no such service >&2; exit 1'` exited with status 1\n    no such service"
    );
    assert_eq!(files.current().await.unwrap().len(), 1, "the file is whole all the same");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::ChainFiles(vec![directory.path().join("missing/mail.pem")]);
    let error = files(place, &[]).deploy(&[credential()]).await.unwrap_err();
    assert!(error.to_string().contains("missing/mail.pem"), "{error}");
}

#[tokio::test]
async fn a_symbolic_link_is_not_written_through() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("live.pem");
    write(&target, "another client's").unwrap();
    std::os::unix::fs::symlink(&target, directory.path().join("mail.pem")).unwrap();
    let error = files(chain_file(directory.path()), &[]).deploy(&[credential()]).await.unwrap_err();
    assert!(error.to_string().contains("is a symbolic link"), "{error}");
    assert_eq!(std::fs::read_to_string(target).unwrap(), "another client's");
}

#[tokio::test]
async fn owner_and_group_are_set_before_the_name_appears() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = files(chain_file(directory.path()), &[]);
    files.config.group = Some("nogroup-that-does-not-exist".to_owned());
    let error = files.deploy(&[credential()]).await.unwrap_err();
    assert!(error.to_string().contains("/etc/group"), "{error}");
    assert!(!directory.path().join("mail.pem").exists());
    let own = std::fs::metadata(directory.path()).unwrap().gid();
    files.config.group = Some(own.to_string());
    files.deploy(&[credential()]).await.unwrap();
}

#[tokio::test]
async fn what_is_no_bundle_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path().join("mail.pem"), "nonsense").unwrap();
    let error = files(chain_file(directory.path()), &[]).current().await.unwrap_err();
    assert!(matches!(error, DeployError::Content { .. }), "{error}");
}
