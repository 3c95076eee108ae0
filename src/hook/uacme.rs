//! uacme: its hook (`-h`), which is for challenges alone, and a word of ours after it.
//!
//! The hook is called as `begin|done|failed TYPE IDENT TOKEN AUTH`; a failure at `begin` means that
//! another type of challenge is to be tried, so types that are not ours are declined. There is no hook
//! for a new certificate: an operator's line runs `uacme ... issue NAME` and, where that ends with 0,
//! `rollover hook uacme deploy NAME [CONFDIR]`.

use std::path::Path;

use super::call::{Call, CallError, Challenge, Obtained, Operation, Surroundings};

/// Where uacme keeps its files, unless it is told otherwise.
const CONFDIR: &str = "/etc/ssl/uacme";

/// What a call means.
pub(super) fn understand(around: &Surroundings) -> Result<Call, CallError> {
    match around.arguments.first().map_or("", String::as_str) {
        "begin" => challenge(around, Operation::Present),
        "done" | "failed" => challenge(around, Operation::Remove),
        "deploy" => {
            let name =
                around.argument(1, "the certificate's name, as `uacme issue` was given it")?;
            let directory = Path::new(around.arguments.get(2).map_or(CONFDIR, String::as_str));
            let private = directory.join("private").join(name);
            let obtained =
                Obtained::new(private.join("key.pem"), directory.join(name).join("cert.pem"));
            Ok(Call::Certificate(obtained.with_next_key(private.join("newkey.pem"))))
        }
        word => {
            let known = "begin, done, failed (as uacme's hook), deploy NAME [CONFDIR]";
            Err(CallError::Unknown { word: word.to_owned(), known })
        }
    }
}

/// `TYPE IDENT TOKEN AUTH`
fn challenge(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    let what = "TYPE IDENT TOKEN AUTH";
    if around.argument(1, what)? != "dns-01" {
        return Ok(Call::Decline);
    }
    let (domain, value) = (around.argument(2, what)?, around.argument(4, what)?);
    Ok(Call::Challenges(vec![Challenge::for_domain(operation, domain, value)?]))
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::{called, domains};
    use super::*;

    #[test]
    fn challenges_of_our_type_are_taken_and_others_declined() {
        let begin = |kind| ["begin", kind, "mail.example.nl", "token", "value"];
        let call = understand(&called(&begin("dns-01"), &[])).unwrap();
        assert_eq!(domains(&call), ["_acme-challenge.mail.example.nl"]);
        for other in ["http-01", "tls-alpn-01"] {
            assert_eq!(understand(&called(&begin(other), &[])), Ok(Call::Decline));
        }
        for end in ["done", "failed"] {
            let call = [end, "dns-01", "mail.example.nl", "token", "value"];
            let Call::Challenges(proofs) = understand(&called(&call, &[])).unwrap() else {
                panic!("no proof");
            };
            assert_eq!(proofs[0].operation, Operation::Remove);
        }
    }

    #[test]
    fn a_certificate_is_named_as_it_was_issued() {
        let deploy = ["deploy", "mail.example.nl", "/srv/uacme"];
        let Call::Certificate(obtained) = understand(&called(&deploy, &[])).unwrap() else {
            panic!("no certificate");
        };
        assert_eq!(obtained.key, Path::new("/srv/uacme/private/mail.example.nl/key.pem"));
        assert_eq!(obtained.chain, [Path::new("/srv/uacme/mail.example.nl/cert.pem")]);
        let Call::Certificate(usual) = understand(&called(&deploy[..2], &[])).unwrap() else {
            panic!("no certificate");
        };
        assert_eq!(usual.key, Path::new("/etc/ssl/uacme/private/mail.example.nl/key.pem"));
    }
}
