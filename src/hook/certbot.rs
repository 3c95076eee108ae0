//! certbot: `--deploy-hook`, `--manual-auth-hook` and `--manual-cleanup-hook`.
//!
//! A deploy hook is run by a shell without arguments, after `live/NAME` points to the new files, with
//! `RENEWED_LINEAGE` and `RENEWED_DOMAINS`; its exit status is printed and ignored, and it is not run
//! again. The manual hooks get `CERTBOT_DOMAIN` and `CERTBOT_VALIDATION`; `CERTBOT_TOKEN` where the
//! challenge is http-01.
//!
//! certbot sets these in its own environment and never takes them back, so with several lineages in
//! one run each hook sees what is left of those before it. A word (`deploy`, `auth`, `cleanup`) in the
//! operator's hook line settles which it is. Without one, what the proof's first call said tells: certbot
//! hands it to the second, as `CERTBOT_AUTH_OUTPUT`, and leaves it for what follows.

use super::call::{Call, CallError, Challenge, Obtained, Operation, Said, Surroundings};

/// What a call means.
pub(super) fn understand(around: &Surroundings) -> Result<Call, CallError> {
    match around.arguments.first().map(String::as_str) {
        None => guess(around),
        Some("deploy") => Ok(Call::Certificate(lineage(around)?)),
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
    let Some(domain) = around.variable("CERTBOT_DOMAIN") else {
        // A post hook, which has no lineage, is told that all is well.
        let is_post = around.variables.contains_key("RENEWED_DOMAINS")
            && around.variable("RENEWED_LINEAGE").is_none();
        return if is_post { Ok(Call::Nothing) } else { Ok(Call::Certificate(lineage(around)?)) };
    };
    let output = around.variables.get("CERTBOT_AUTH_OUTPUT");
    let said = match (proof(around, Operation::Remove)?, output) {
        (Some(proof), Some(output)) => Some(proof.said(output)),
        (_, Some(_)) => Some(Said::Nothing),
        (_, None) => None,
    };
    let renewed = around.variable("RENEWED_DOMAINS").unwrap_or_default();
    let is_renewed = renewed.split_ascii_whitespace().any(|name| name == domain);
    match (around.variable("RENEWED_LINEAGE"), said) {
        (None, Some(Said::This)) => challenge(around, Operation::Remove),
        (None, _) | (Some(_), Some(Said::Another)) => challenge(around, Operation::Present),
        (Some(_), Some(Said::This)) => either(around, Operation::Remove),
        // The proofs are made by somebody else's hooks.
        (Some(_), Some(Said::Nothing)) => Ok(Call::Certificate(lineage(around)?)),
        // The first proof after a lineage that needed none; or a lineage whose proof was made by
        // somebody else's hook, and is removed by none.
        (Some(_), None) if is_renewed => either(around, Operation::Present),
        (Some(_), None) => challenge(around, Operation::Present),
    }
}

/// A proof or a lineage, where nothing tells which.
fn either(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    let lineage = lineage(around)?;
    Ok(match proof(around, operation)? {
        Some(proof) => Call::Either(proof, lineage),
        None => Call::Certificate(lineage),
    })
}

/// The lineage that was renewed.
fn lineage(around: &Surroundings) -> Result<Obtained, CallError> {
    let lineage = around.file("RENEWED_LINEAGE")?;
    Ok(Obtained::new(lineage.join("privkey.pem"), lineage.join("fullchain.pem")))
}

/// A challenge. Other kinds than dns-01 are not ours.
fn challenge(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    let proof = proof(around, operation)?.ok_or(CallError::OtherChallenge)?;
    Ok(Call::Challenges(vec![proof]))
}

/// The proof that is asked for; `None` for other kinds than dns-01, which are told by their token.
fn proof(around: &Surroundings, operation: Operation) -> Result<Option<Challenge>, CallError> {
    let variable = |name| around.variable(name).ok_or(CallError::NoVariable(name));
    let (domain, value) = (variable("CERTBOT_DOMAIN")?, variable("CERTBOT_VALIDATION")?);
    match around.variable("CERTBOT_TOKEN") {
        Some(_) => Ok(None),
        None => Challenge::for_domain(operation, domain, value).map(Some),
    }
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

    /// What the call before left, as this program says it.
    const SAID: &[(&str, &str)] = &[(
        "CERTBOT_AUTH_OUTPUT",
        "published the proof 1EAzPmVUmqK3UTsJtyCzTaiAYdBTdUVTJPTiyRSBqUU at \
         _acme-challenge.mail.example.nl.",
    )];

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
        assert_eq!(operation(&[], &[AUTH, SAID]), Operation::Remove);
        let token = [AUTH, &[("CERTBOT_TOKEN", "x")]].concat();
        assert_eq!(understand(&called(&["auth"], &token)), Err(CallError::OtherChallenge));
    }

    /// What is left of the lineage before must not be taken for this call's own, though it is for the
    /// same names: the calls of one run over two lineages, one after the other, without a word.
    #[test]
    fn leftovers_of_another_lineage_are_not_believed() {
        assert_eq!(operation(&[], &[AUTH]), Operation::Present);
        assert_eq!(operation(&[], &[AUTH, SAID]), Operation::Remove);
        let deployed = understand(&called(&[], &[AUTH, SAID, DEPLOY].concat())).unwrap();
        assert!(matches!(deployed, Call::Either(..)), "{deployed:?}");
        let other = [("CERTBOT_VALIDATION", "another")];
        assert_eq!(operation(&[], &[AUTH, SAID, DEPLOY, &other]), Operation::Present);
        assert_eq!(operation(&["auth"], &[AUTH, SAID, DEPLOY]), Operation::Present);
    }

    /// The proofs are made by other hooks, or the lineage before had none.
    #[test]
    fn other_peoples_proofs_are_left_alone() {
        let theirs = [AUTH, DEPLOY, &[("CERTBOT_AUTH_OUTPUT", "")]].concat();
        assert!(matches!(understand(&called(&[], &theirs)), Ok(Call::Certificate(_))));
        let first_proof = [AUTH, DEPLOY].concat();
        assert!(matches!(understand(&called(&[], &first_proof)), Ok(Call::Either(..))));
        let other = [("RENEWED_LINEAGE", "/live/www"), ("RENEWED_DOMAINS", "www.example.nl")];
        assert_eq!(operation(&[], &[AUTH, &other]), Operation::Present);
    }

    #[test]
    fn a_post_hook_is_told_that_all_is_well() {
        let post = [("RENEWED_DOMAINS", ""), ("FAILED_DOMAINS", "")];
        assert_eq!(understand(&called(&[], &post)), Ok(Call::Nothing));
        let by_hand = understand(&called(&[], &[])).unwrap_err();
        assert_eq!(by_hand, CallError::NoVariable("RENEWED_LINEAGE"));
    }
}
