//! The deployer with real commands.

use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::keys::PrivateKey;
use crate::pki::{Chain, KeyType};
use crate::time::Span;

/// A self-signed credential of this type.
fn credential(key_type: KeyType) -> Credential {
    let key = PrivateKey::generate(key_type).unwrap();
    let pair = KeyPair::from_pem(key.pem()).unwrap();
    let params = CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
    let chain = Chain::from_der(&[params.self_signed(&pair).unwrap().der()]).unwrap();
    Credential { key_type, chain, key }
}

/// An argv that lets the shell run `script`.
fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

/// A deployer by `script`, which reads by `read` where there is one.
fn exec(state: &Path, script: &str, read: Option<&str>) -> Exec {
    let config = ExecConfig {
        command: shell(script),
        read_command: read.map(shell),
        timeout: Span::from_seconds(60),
    };
    Exec {
        config,
        host: "mail.example.nl".to_owned(),
        names: vec!["mail.example.nl.".to_owned()],
        directory: state.join("deploy/mail.example.nl"),
    }
}

/// The generations that are kept, and which of them is deployed.
fn kept(exec: &Exec) -> (Vec<u64>, Option<u64>) {
    (exec.numbers(), exec.deployed())
}

#[tokio::test]
async fn the_command_is_told_where_all_lies_and_nothing_secret() {
    let state = tempfile::tempdir().unwrap();
    let told = state.path().join("told");
    let script = format!("cat > {}; echo took it; echo well >&2", told.display());
    let exec = exec(state.path(), &script, None);
    let credentials = [credential(KeyType::EcdsaP256), credential(KeyType::Rsa2048)];
    let deployed = exec.deploy(&credentials).await.unwrap();
    assert_eq!(deployed.output, "took it\nwell");

    let text = fs::read_to_string(&told).unwrap();
    assert!(!text.contains("PRIVATE"), "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["protocol"], "rollover-deploy/1");
    assert_eq!((&told["host"], &told["generation"]), (&"mail.example.nl".into(), &1.into()));
    assert_eq!(told["names"][0], "mail.example.nl.");
    for (certificate, credential) in
        told["certificates"].as_array().unwrap().iter().zip(&credentials)
    {
        assert_eq!(certificate["key_type"], credential.key_type.as_str());
        assert_eq!(certificate["serial"], credential.chain.leaf().serial());
        let file = |key: &str| {
            let path = Path::new(certificate[key].as_str().unwrap());
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::read_to_string(path).unwrap()
        };
        let (key, chain) = (credential.key.pem(), credential.chain.to_pem());
        assert_eq!(file("key_file").trim(), key.trim());
        assert_eq!(file("chain_file"), chain);
        assert_eq!(file("bundle_file"), format!("{}\n{chain}", key.trim()));
    }
}

#[tokio::test]
async fn a_generation_is_told_by_its_number_and_the_last_two_are_kept() {
    let state = tempfile::tempdir().unwrap();
    let exec = exec(state.path(), "cat > /dev/null", None);
    let of = |number| format!("\"generation\":{number},");
    let credentials: Vec<[Credential; 1]> =
        (0..3).map(|_| [credential(KeyType::EcdsaP256)]).collect();
    exec.deploy(&credentials[0]).await.unwrap();
    exec.deploy(&credentials[0]).await.unwrap();
    assert_eq!(kept(&exec), (vec![1], Some(1)), "the same again is the same generation");
    exec.deploy(&credentials[1]).await.unwrap();
    assert_eq!(kept(&exec), (vec![1, 2], Some(2)));
    assert!(exec.told(exec.keep(&credentials[0]).unwrap(), &credentials[0]).contains(&of(1)));
    exec.deploy(&credentials[0]).await.unwrap();
    assert_eq!(kept(&exec), (vec![1, 2], Some(1)), "the former one is put back");
    exec.deploy(&credentials[2]).await.unwrap();
    assert_eq!(kept(&exec), (vec![1, 3], Some(3)));
}

/// A generation that was damaged, or half written, is not handed out for whole.
#[tokio::test]
async fn a_damaged_generation_is_made_anew() {
    let state = tempfile::tempdir().unwrap();
    let exec = exec(state.path(), "cat > /dev/null", None);
    let credentials = [credential(KeyType::EcdsaP256)];
    exec.deploy(&credentials).await.unwrap();
    fs::remove_file(exec.directory.join("1/ecdsa-p256.chain.pem")).unwrap();
    assert_eq!(exec.keep(&credentials).unwrap(), 2);
}

#[tokio::test]
async fn a_command_that_says_no_is_quoted_and_its_generation_stays() {
    let state = tempfile::tempdir().unwrap();
    let exec = exec(state.path(), "echo the balancer is locked; exit 3", None);
    let error = exec.deploy(&[credential(KeyType::EcdsaP256)]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`sh -c 'echo the balancer is locked; exit 3'` exited with status 3\n    the balancer is \
         locked"
    );
    assert_eq!(kept(&exec), (vec![1], None));
}

#[tokio::test]
async fn what_is_in_place_is_what_the_read_command_prints() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("held.pem");
    let credentials = [credential(KeyType::Rsa2048), credential(KeyType::EcdsaP256)];
    let by_file = format!("cat {}", file.display());
    let exec = exec(state.path(), "false", Some(&by_file));
    let error = exec.current().await.unwrap_err().to_string();
    assert!(error.contains("No such file or directory"), "{error}");

    durable::write_private(&file, b"\n").unwrap();
    assert!(exec.current().await.unwrap().is_empty(), "nothing is in place yet");
    // Two keys, then both chains: which belongs to which, the keys tell.
    let keys: Vec<&str> = credentials.iter().map(|credential| credential.key.pem()).collect();
    let chains: Vec<String> = credentials.iter().rev().map(|c| c.chain.to_pem()).collect();
    durable::write_private(&file, format!("{}\n{}", keys.join("\n"), chains.join("")).as_bytes())
        .unwrap();
    let held = exec.current().await.unwrap();
    let ids = |all: &[Credential]| {
        all.iter().map(|c| (c.key_type, c.chain.id(), c.key.spki_sha256())).collect::<Vec<_>>()
    };
    assert_eq!(ids(&held), ids(&credentials));

    durable::write_private(&file, b"secret nonsense").unwrap();
    let error = exec.current().await.unwrap_err().to_string();
    assert!(error.starts_with("what `sh -c 'cat "), "{error}");
    assert!(error.contains("printed does not hold a key and its chain: there are 0"), "{error}");
    assert!(!error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn without_a_read_command_nothing_is_claimed() {
    let state = tempfile::tempdir().unwrap();
    let error = exec(state.path(), "true", None).current().await.unwrap_err();
    assert_eq!(error, DeployError::NothingToRead);
}
