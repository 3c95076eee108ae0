//! The near side against the far side, with the machines as directories: `ssh` is a script that runs
//! what it is given here. That OpenSSH runs it on other machines is for `tests/scenarios`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::config::FilesConfig;
use crate::keys::PrivateKey;
use crate::pki::Chain;

/// A self-signed credential.
fn credential() -> Credential {
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let pair = KeyPair::from_pem(key.pem()).unwrap();
    let params = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
    let chain = Chain::from_der(&[params.self_signed(&pair).unwrap().der()]).unwrap();
    Credential { key_type: KeyType::EcdsaP256, chain, key }
}

/// A deployer of one chain file and a reload by `script` on these machines.
fn ssh(place: Place, machines: &[&str], script: &str) -> Ssh {
    let files = FilesConfig {
        place,
        owner: None,
        group: None,
        mode: 0o640,
        reload: ["sh", "-c", script].map(str::to_owned).into(),
        reload_timeout: Span::from_seconds(60),
    };
    let config = SshConfig {
        machines: machines.iter().map(|machine| (*machine).to_owned()).collect(),
        arguments: Vec::new(),
        files,
        order: MachineOrder::OneByOne,
        connect_timeout: Span::from_seconds(10),
    };
    Ssh::new(config, vec![KeyType::EcdsaP256])
}

/// What the far side makes of an operation, run here.
async fn far_side(
    ssh: &Ssh,
    operation: Operation,
    contents: &[(PathBuf, Content)],
) -> Result<Answer, String> {
    let argv = ["/bin/sh", "-c", FAR_SIDE].map(str::to_owned);
    let told = ssh.told(operation, contents);
    let answer = command::exchange(&argv, &told, Span::from_seconds(60)).await;
    answer.map_err(|error| format!("{error}: {}", error.output()))
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A chain file in a directory, and its path.
fn chain_file(directory: &Path) -> (Place, PathBuf) {
    let path = directory.join("mail server.pem");
    (Place::ChainFiles(vec![path.clone()]), path)
}

#[test]
fn the_far_side_can_travel_between_apostrophes() {
    assert!(!FAR_SIDE.contains('\''));
}

#[test]
fn nothing_that_is_deployed_is_on_the_command_line() {
    let (place, _) = chain_file(Path::new("/etc/postfix"));
    let mut ssh = ssh(place, &["root@mx1.example.nl"], "postfix reload; echo $HOME");
    let config = Arc::get_mut(&mut ssh.config).unwrap();
    config.arguments = ["-i", "/etc/rollover/ssh.key"].map(str::to_owned).into();
    let argv = ssh.argv("root@mx1.example.nl");
    assert_eq!(argv[..6], ["ssh", "-T", "-o", "BatchMode=yes", "-i", "/etc/rollover/ssh.key"]);
    assert!(argv.contains(&"ConnectTimeout=10".to_owned()));
    let [.., before, machine, script] = argv.as_slice() else { panic!("{argv:?}") };
    assert_eq!((before.as_str(), machine.as_str()), ("--", "root@mx1.example.nl"));
    assert_eq!(*script, format!("exec /bin/sh -c '{FAR_SIDE}'"));
}

#[tokio::test]
async fn files_are_staged_switched_to_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (place, path) = chain_file(directory.path());
    let log = directory.path().join("log");
    let ssh = ssh(place.clone(), &["here"], &format!("echo reloaded >> '{}'", log.display()));
    let (old, new) = (credential(), credential());
    for (credential, before) in [(&old, None), (&new, Some(&old))] {
        let contents =
            place::contents(&place, &ssh.key_types, std::slice::from_ref(credential)).unwrap();
        far_side(&ssh, Operation::Stage, &contents).await.unwrap();
        let held = fs::read_to_string(&path).ok();
        let expected = before.map(|c: &Credential| bundle::key_and_chain(c).to_string());
        assert_eq!(held, expected, "what is in place stays so far");
        far_side(&ssh, Operation::Switch, &contents).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), *contents[0].1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        far_side(&ssh, Operation::Keep, &contents).await.unwrap();
        assert_eq!(names(directory.path()), ["log", "mail server.pem"], "nothing is left beside");
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "reloaded\nreloaded\n");
    let answer = far_side(&ssh, Operation::Read, &[(path.clone(), Content::default())]).await;
    let answer = answer.unwrap();
    let held = split(&answer, 1).unwrap();
    assert_eq!(held, [Some(fs::read(&path).unwrap().as_slice())]);
}

#[tokio::test]
async fn a_reload_that_fails_puts_back_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let (place, path) = chain_file(directory.path());
    let script =
        format!("grep -q former '{}' || {{ echo fatal: no >&2; exit 7; }}", path.display());
    let ssh = ssh(place.clone(), &["here"], &script);
    write(&path, "former");
    let contents = place::contents(&place, &ssh.key_types, &[credential()]).unwrap();
    far_side(&ssh, Operation::Stage, &contents).await.unwrap();
    let error = far_side(&ssh, Operation::Switch, &contents).await.unwrap_err();
    assert_eq!(error, "exited with status 1: fatal: no\nsh exited with status 7");
    assert_eq!(fs::read_to_string(&path).unwrap(), "former");
    assert_eq!(names(directory.path()), ["mail server.pem"]);
}

#[tokio::test]
async fn who_had_switched_is_led_back_and_who_had_nothing_has_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (place, path) = chain_file(directory.path());
    let ssh = ssh(place.clone(), &["here"], "exit 0");
    let contents = place::contents(&place, &ssh.key_types, &[credential()]).unwrap();
    for before in [None, Some("former")] {
        if let Some(text) = before {
            write(&path, text);
        }
        far_side(&ssh, Operation::Stage, &contents).await.unwrap();
        far_side(&ssh, Operation::Switch, &contents).await.unwrap();
        far_side(&ssh, Operation::Back, &contents).await.unwrap();
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
        far_side(&ssh, Operation::Stage, &contents).await.unwrap();
        far_side(&ssh, Operation::Discard, &contents).await.unwrap();
        assert_eq!(names(directory.path()).len(), usize::from(before.is_some()));
    }
}

#[tokio::test]
async fn what_cannot_be_staged_is_named_and_nothing_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = (directory.path().join("key"), directory.path().join("certificate"));
    std::os::unix::fs::symlink("/etc/letsencrypt/live/x", &certificate).unwrap();
    let place = Place::Separate { certificate_file: certificate, key_file: key };
    let ssh = ssh(place.clone(), &["here"], "exit 0");
    let contents = place::contents(&place, &ssh.key_types, &[credential()]).unwrap();
    let error = far_side(&ssh, Operation::Stage, &contents).await.unwrap_err();
    assert!(error.contains("certificate: it is a symbolic link, perhaps to a file"), "{error}");
    assert_eq!(names(directory.path()), ["certificate"]);

    let nowhere = vec![(directory.path().join("no/mail.pem"), contents[0].1.clone())];
    let error = far_side(&ssh, Operation::Stage, &nowhere).await.unwrap_err();
    assert!(error.contains("/no/.rollover-mail.pem.new"), "{error}");
}

#[tokio::test]
async fn an_unknown_group_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (place, _) = chain_file(directory.path());
    let mut ssh = ssh(place.clone(), &["here"], "exit 0");
    Arc::get_mut(&mut ssh.config).unwrap().files.group = Some("no-such-group".to_owned());
    let contents = place::contents(&place, &ssh.key_types, &[credential()]).unwrap();
    let error = far_side(&ssh, Operation::Stage, &contents).await.unwrap_err();
    assert!(error.contains("no-such-group"), "{error}");
    assert!(names(directory.path()).is_empty());
}

#[test]
fn an_answer_is_taken_apart_or_refused() {
    let of = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    assert_eq!(split(&of(" 3\nabcabsent\n"), 2), Some(vec![Some(&b"abc"[..]), None]));
    for odd in ["", "3\nab", "absent\nmore", "x\n", "99999999999999999999\n"] {
        assert_eq!(split(&of(odd), 1), None, "{odd:?}");
    }
}

#[tokio::test]
async fn a_machine_that_cannot_be_reached_is_named_and_no_other_changed() {
    let (place, _) = chain_file(Path::new("/nonexistent"));
    let ssh = ssh(place, &["mx1.invalid", "mx2.invalid"], "exit 0");
    let error = ssh.deploy(&[credential()]).await.unwrap_err().to_string();
    assert!(error.contains("mx1.invalid cannot be reached by ssh: "), "{error}");
    assert!(error.contains("mx2.invalid cannot be reached by ssh: "), "{error}");
    assert!(error.ends_with("; no machine was changed"), "{error}");
}

/// Writes a file as an operator would.
#[expect(clippy::disallowed_methods, reason = "no secret, and no crash to survive")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}
