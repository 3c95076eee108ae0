//! acme.sh: `--reloadcmd`, a deploy hook, and a DNS API.
//!
//! A reload command is evaluated by a shell in the certificate's directory, after the files were
//! copied into place, with `CERT_KEY_PATH`, `CERT_FULLCHAIN_PATH` and `Le_Next_Domain_Key`; a failure
//! is an error of acme.sh's. Deploy hooks and DNS APIs are shell functions in files of its own, which
//! call this program with the function's arguments (`examples/acme.sh/`).
//!
//! With `--always-force-new-domain-key` it prepares the key of the next certificate: its best
//! companion is a policy with a standby key.

use std::path::{Path, PathBuf};

use super::call::{Call, CallError, Challenge, Obtained, Operation, Surroundings};

/// What a call means.
pub(super) fn understand(around: &Surroundings) -> Result<Call, CallError> {
    match around.arguments.first().map(String::as_str) {
        None => {
            let key = around.file("CERT_KEY_PATH")?;
            Ok(certificate(around, key, around.file("CERT_FULLCHAIN_PATH")?))
        }
        Some("deploy") => {
            // DOMAIN KEY CERT CA FULLCHAIN
            let key = around.argument(2, "the key's file")?;
            let chain = around.argument(5, "the full chain's file")?;
            Ok(certificate(around, key.into(), chain.into()))
        }
        Some("dns_add") => challenge(around, Operation::Present),
        Some("dns_rm") => challenge(around, Operation::Remove),
        Some(word) => {
            let known = "nothing (as the reload command), deploy, dns_add, dns_rm";
            Err(CallError::Unknown { word: word.to_owned(), known })
        }
    }
}

/// The certificate that was obtained.
fn certificate(around: &Surroundings, key: PathBuf, chain: PathBuf) -> Call {
    let next_key = match around.variable("Le_Next_Domain_Key") {
        Some(path) => PathBuf::from(path),
        None => with_suffix(&key, ".next"),
    };
    Call::Certificate(Obtained::new(key, chain).with_next_key(next_key))
}

/// A path with something after its name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A proof: the record's name, and its text.
fn challenge(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    let owner = around.argument(1, "the record's name")?;
    let value = around.argument(2, "the record's text")?;
    Ok(Call::Challenges(vec![Challenge::at_owner(operation, owner, value)?]))
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::{called, domains};
    use super::*;

    /// As acme.sh exports them for its reload command.
    const RELOAD: &[(&str, &str)] = &[
        ("CERT_PATH", "/opt/acme.sh/mail.example.nl_ecc/mail.example.nl.cer"),
        ("CERT_KEY_PATH", "/opt/acme.sh/mail.example.nl_ecc/mail.example.nl.key"),
        ("CA_CERT_PATH", "/opt/acme.sh/mail.example.nl_ecc/ca.cer"),
        ("CERT_FULLCHAIN_PATH", "/opt/acme.sh/mail.example.nl_ecc/fullchain.cer"),
        ("Le_Domain", "mail.example.nl"),
        ("Le_ForceNewDomainKey", "1"),
        ("Le_Next_Domain_Key", "/opt/acme.sh/mail.example.nl_ecc/mail.example.nl.key.next"),
    ];

    #[test]
    fn a_reload_command_and_a_deploy_hook_name_the_same_files() {
        let reload = understand(&called(&[], RELOAD)).unwrap();
        let directory = "/opt/acme.sh/mail.example.nl_ecc";
        let [key, certificate, ca, chain] =
            ["mail.example.nl.key", "mail.example.nl.cer", "ca.cer", "fullchain.cer"]
                .map(|name| format!("{directory}/{name}"));
        let deploy = ["deploy", "mail.example.nl", &key, &certificate, &ca, &chain, "x.pfx"];
        let deploy = understand(&called(&deploy, &[])).unwrap();
        assert_eq!(reload, deploy);
        let Call::Certificate(obtained) = reload else { panic!("no certificate") };
        assert_eq!(obtained.key, PathBuf::from(&key));
        assert_eq!(obtained.chain, [PathBuf::from(chain)]);
        assert_eq!(obtained.next_key, Some(PathBuf::from(format!("{key}.next"))));
    }

    #[test]
    fn a_dns_api_names_the_record() {
        let add = ["dns_add", "_acme-challenge.mail.example.nl", "value"];
        let call = understand(&called(&add, &[])).unwrap();
        assert_eq!(domains(&call), ["_acme-challenge.mail.example.nl"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(understand(&called(&[], &[])), Err(CallError::NoVariable("CERT_KEY_PATH")));
        let known = understand(&called(&["renew"], &[])).unwrap_err().to_string();
        assert!(known.contains("`renew` is no operation"), "{known}");
    }
}
