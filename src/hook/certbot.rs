//! certbot: `--deploy-hook`, `--manual-auth-hook` and `--manual-cleanup-hook`.
//!
//! A deploy hook is run by a shell without arguments, after `live/NAME` points to the new files, with
//! `RENEWED_LINEAGE` and `RENEWED_DOMAINS`; its exit status is printed and ignored, and it is not run
//! again. The manual hooks get `CERTBOT_DOMAIN` and `CERTBOT_VALIDATION`; `CERTBOT_TOKEN` where the
//! challenge is http-01.
//!
//! certbot sets these in its own environment and never takes them back, so with several lineages in
//! one run each hook sees what is left of those before it. A word (`deploy`, `auth`, `cleanup`) in the
//! operator's hook line settles which it is; without one it is told from the values.

use super::call::{Call, CallError, Challenge, Obtained, Operation, Surroundings};

/// What a call means.
pub(super) fn understand(around: &Surroundings) -> Result<Call, CallError> {
    match around.arguments.first().map(String::as_str) {
        None => guess(around),
        Some("deploy") => deploy(around),
        Some("auth") => challenge(around, Operation::Present),
        Some("cleanup") => challenge(around, Operation::Remove),
        Some(word) => {
            let known = "deploy (or nothing), auth, cleanup";
            Err(CallError::Unknown { word: word.to_owned(), known })
        }
    }
}

/// A call without a word.
fn guess(around: &Surroundings) -> Result<Call, CallError> {
    let domain = around.variable("CERTBOT_DOMAIN");
    let renewed = around.variable("RENEWED_DOMAINS").unwrap_or_default();
    let is_renewed = |domain| renewed.split_ascii_whitespace().any(|name| name == domain);
    let is_lineage = around.variable("RENEWED_LINEAGE").is_some();
    match domain {
        // A post hook, or a deploy hook of a dry run that did not set anything.
        None if !is_lineage && around.variables.contains_key("RENEWED_DOMAINS") => {
            Ok(Call::Nothing)
        }
        Some(domain) if !is_lineage || !is_renewed(domain) => {
            let is_again = around.variables.contains_key("CERTBOT_AUTH_OUTPUT");
            challenge(around, if is_again { Operation::Toggle } else { Operation::Present })
        }
        Some(_) | None => deploy(around),
    }
}

/// The lineage that was renewed.
fn deploy(around: &Surroundings) -> Result<Call, CallError> {
    let lineage = around.file("RENEWED_LINEAGE")?;
    let obtained = Obtained::new(lineage.join("privkey.pem"), lineage.join("fullchain.pem"));
    Ok(Call::Certificate(obtained))
}

/// A proof. Other kinds than dns-01 are told by their token; they are not ours.
fn challenge(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    let variable = |name| around.variable(name).ok_or(CallError::NoVariable(name));
    let (domain, value) = (variable("CERTBOT_DOMAIN")?, variable("CERTBOT_VALIDATION")?);
    if around.variable("CERTBOT_TOKEN").is_some() {
        return Ok(Call::Decline);
    }
    Ok(Call::Challenges(vec![Challenge::for_domain(operation, domain, value)?]))
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::{called, domains};
    use super::*;

    /// As certbot 2.1.0 sets it.
    const DEPLOY: &[(&str, &str)] = &[
        ("RENEWED_LINEAGE", "/etc/letsencrypt/live/mail.example.nl"),
        ("RENEWED_DOMAINS", "mail.example.nl mail2.example.nl"),
    ];

    /// As certbot 2.1.0 sets it.
    const AUTH: &[(&str, &str)] = &[
        ("CERTBOT_DOMAIN", "mail.example.nl"),
        ("CERTBOT_VALIDATION", "1EAzPmVUmqK3UTsJtyCzTaiAYdBTdUVTJPTiyRSBqUU"),
        ("CERTBOT_ALL_DOMAINS", "mail.example.nl"),
        ("CERTBOT_REMAINING_CHALLENGES", "0"),
    ];

    /// The operation that a call comes to.
    fn operation(arguments: &[&str], variables: &[&[(&str, &str)]]) -> Operation {
        let call = understand(&called(arguments, &variables.concat())).unwrap();
        let Call::Challenges(challenges) = call else { panic!("{call:?}") };
        challenges[0].operation
    }

    #[test]
    fn a_deploy_hook_names_the_lineage() {
        for arguments in [&[][..], &["deploy"]] {
            let Call::Certificate(obtained) = understand(&called(arguments, DEPLOY)).unwrap()
            else {
                panic!("no certificate");
            };
            let live = std::path::Path::new("/etc/letsencrypt/live/mail.example.nl");
            assert_eq!(obtained.key, live.join("privkey.pem"));
            assert_eq!(obtained.chain, [live.join("fullchain.pem")]);
        }
    }

    #[test]
    fn manual_hooks_prove_by_a_txt_record() {
        let call = understand(&called(&["auth"], AUTH)).unwrap();
        assert_eq!(domains(&call), ["_acme-challenge.mail.example.nl"]);
        assert_eq!(operation(&[], &[AUTH]), Operation::Present);
        assert_eq!(operation(&["cleanup"], &[AUTH]), Operation::Remove);
        let again = &[("CERTBOT_AUTH_OUTPUT", "")];
        assert_eq!(operation(&[], &[AUTH, again]), Operation::Toggle);
        let token = [AUTH, &[("CERTBOT_TOKEN", "x")]].concat();
        assert_eq!(understand(&called(&["auth"], &token)), Ok(Call::Decline));
    }

    /// What is left of the lineage before must not be taken for this call's own.
    #[test]
    fn leftovers_of_other_lineages_are_not_believed() {
        let after_its_own_proof = understand(&called(&[], &[AUTH, DEPLOY].concat())).unwrap();
        assert!(matches!(after_its_own_proof, Call::Certificate(_)));
        let other =
            &[("RENEWED_LINEAGE", "/live/www.example.nl"), ("RENEWED_DOMAINS", "www.example.nl")];
        assert_eq!(operation(&[], &[AUTH, other]), Operation::Present);
        assert_eq!(operation(&["auth"], &[AUTH, DEPLOY]), Operation::Present);
    }

    #[test]
    fn a_post_hook_is_told_that_all_is_well() {
        let post = [("RENEWED_DOMAINS", ""), ("FAILED_DOMAINS", "")];
        assert_eq!(understand(&called(&[], &post)), Ok(Call::Nothing));
        let by_hand = understand(&called(&[], &[])).unwrap_err();
        assert_eq!(by_hand, CallError::NoVariable("RENEWED_LINEAGE"));
    }
}
