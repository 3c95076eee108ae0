//! lego: its hooks of version 4 (`--run-hook`, `--renew-hook`) and 5 (`--deploy-hook`), and its DNS
//! provider `exec`.
//!
//! Hooks are split at blanks and run without a shell, after the files were written; the exit status
//! becomes lego's. Version 4 sets `LEGO_CERT_*`, version 5 `LEGO_HOOK_*`; both name files of formats
//! that were not asked for. The provider's program (`EXEC_PATH`, which takes no arguments of its own)
//! is called as `present|cleanup FQDN VALUE`, or with `EXEC_MODE=RAW` as
//! `present|cleanup -- DOMAIN TOKEN KEY-AUTHORIZATION`.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::call::{Call, CallError, Challenge, Obtained, Operation, Surroundings};

/// The variables of a version, as prefixes.
const FAMILIES: [(&str, &str); 2] =
    [("LEGO_HOOK_CERT_", "LEGO_HOOK_ISSUER_"), ("LEGO_CERT_", "LEGO_ISSUER_")];

/// What a call means.
pub(super) fn understand(around: &Surroundings) -> Result<Call, CallError> {
    match around.arguments.first().map(String::as_str) {
        None => certificate(around),
        Some("present") => proof(around, Operation::Present),
        Some("cleanup") => proof(around, Operation::Remove),
        Some(word) => {
            let known = "nothing (as a hook), present, cleanup (as the program of provider exec)";
            Err(CallError::Unknown { word: word.to_owned(), known })
        }
    }
}

/// The certificate that was saved.
fn certificate(around: &Surroundings) -> Result<Call, CallError> {
    for (prefix, issuer) in FAMILIES {
        let file = |prefix: &str, name: &str| {
            around.variable(&format!("{prefix}{name}")).map(PathBuf::from)
        };
        let (Some(certificate), Some(key)) = (file(prefix, "PATH"), file(prefix, "KEY_PATH"))
        else {
            continue;
        };
        let mut obtained = Obtained::new(key, certificate);
        // With `--no-bundle` the chain is there alone; else it is there twice.
        obtained.chain.extend(file(issuer, "CERT_PATH"));
        return Ok(Call::Certificate(obtained));
    }
    // A pre- or post-hook of version 5 has an account, and no certificate.
    match around.variables.keys().any(|name| name.starts_with("LEGO_HOOK_")) {
        true => Ok(Call::Nothing),
        false => Err(CallError::NoVariable("LEGO_HOOK_CERT_PATH or LEGO_CERT_PATH")),
    }
}

/// A proof, as the provider `exec` passes it.
fn proof(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    let challenge = if around.argument(1, "FQDN VALUE")? == "--" {
        let domain = around.argument(2, "-- DOMAIN TOKEN KEY-AUTHORIZATION")?;
        let authorization = around.argument(4, "-- DOMAIN TOKEN KEY-AUTHORIZATION")?;
        let digest = Sha256::digest(authorization.as_bytes());
        Challenge::for_domain(operation, domain, &base64url(&digest))?
    } else {
        let (owner, value) = (around.argument(1, "FQDN")?, around.argument(2, "VALUE")?);
        Challenge::at_owner(operation, owner, value)?
    };
    Ok(Call::Challenges(vec![challenge]))
}

/// Octets in base64 for URLs, without padding ([RFC 4648, section 5]).
///
/// [RFC 4648, section 5]: https://www.rfc-editor.org/rfc/rfc4648#section-5
fn base64url(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let octet = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for place in 0..=group.len() {
            let digit = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(DIGITS[digit as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::{called, domains};
    use super::*;

    /// As lego 4.9.1 sets them; the files of the last two need not be there.
    const VERSION_4: &[(&str, &str)] = &[
        ("LEGO_ACCOUNT_EMAIL", "hostmaster@example.nl"),
        ("LEGO_CERT_DOMAIN", "mail.example.nl"),
        ("LEGO_CERT_PATH", "/lego/certificates/mail.example.nl.crt"),
        ("LEGO_CERT_KEY_PATH", "/lego/certificates/mail.example.nl.key"),
        ("LEGO_CERT_PEM_PATH", "/lego/certificates/mail.example.nl.pem"),
        ("LEGO_CERT_PFX_PATH", "/lego/certificates/mail.example.nl.pfx"),
    ];

    /// As the documentation of version 5 has them.
    const VERSION_5: &[(&str, &str)] = &[
        ("LEGO_HOOK_ACCOUNT_EMAIL", "hostmaster@example.nl"),
        ("LEGO_HOOK_CERT_NAME", "mail.example.nl"),
        ("LEGO_HOOK_CERT_DOMAINS", "mail.example.nl,mail2.example.nl"),
        ("LEGO_HOOK_CERT_KEY_TYPE", "EC256"),
        ("LEGO_HOOK_CERT_PATH", "/lego/certificates/mail.example.nl.crt"),
        ("LEGO_HOOK_CERT_KEY_PATH", "/lego/certificates/mail.example.nl.key"),
        ("LEGO_HOOK_ISSUER_CERT_PATH", "/lego/certificates/mail.example.nl.issuer.crt"),
    ];

    #[test]
    fn both_versions_name_their_files() {
        for (variables, chains) in [(VERSION_4, 1), (VERSION_5, 2)] {
            let Call::Certificate(obtained) = understand(&called(&[], variables)).unwrap() else {
                panic!("no certificate");
            };
            assert_eq!(obtained.key, PathBuf::from("/lego/certificates/mail.example.nl.key"));
            assert_eq!(obtained.chain[0], PathBuf::from("/lego/certificates/mail.example.nl.crt"));
            assert_eq!(obtained.chain.len(), chains);
        }
        let pre_hook = called(&[], &VERSION_5[..1]);
        assert_eq!(understand(&pre_hook), Ok(Call::Nothing));
        assert!(understand(&called(&[], &[])).is_err());
    }

    #[test]
    fn the_provider_exec_is_understood_in_both_its_modes() {
        let value = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM";
        let plain = ["present", "_acme-challenge.mail.example.nl.", value];
        let call = understand(&called(&plain, &[])).unwrap();
        assert_eq!(domains(&call), ["_acme-challenge.mail.example.nl"]);
        let raw = ["cleanup", "--", "mail.example.nl", "token", "hello world"];
        let Call::Challenges(proofs) = understand(&called(&raw, &[])).unwrap() else {
            panic!("no proof");
        };
        // sha256("hello world"), as `openssl dgst -sha256 -binary | basenc --base64url` has it.
        assert_eq!(proofs[0].value, "uU0nuZNNPgilLlLX2n2r-sSE7-N6U4DukIj3rOLvzek");
        assert_eq!(proofs[0].operation, Operation::Remove);
    }

    #[test]
    fn base64url_has_no_padding() {
        for (octets, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")]
        {
            assert_eq!(base64url(octets.as_bytes()), text);
        }
    }
}
