//! dehydrated: `HOOK=`, one program for all its operations.
//!
//! It is called at start with an operation that nobody knows, and has to end well; so for every
//! operation that is not ours. `sync_cert` comes before the links to the new files are set, and a
//! failure there vetoes the certificate: dehydrated would order another the next time, against the
//! CA's limits. So it is used to stage early, and never to refuse; `deploy_cert` follows and tells the
//! failure. `unchanged_cert` is called at each run for each certificate that needs no renewal: what
//! was missed is caught up on, and what waits gets on.

use std::path::Path;

use super::call::{
    Call, CallError, Challenge, Obtained, Occasion, Operation, Surroundings, beside,
};

/// What a call means.
pub(super) fn understand(around: &Surroundings) -> Result<Call, CallError> {
    match around.arguments.first().map_or("", String::as_str) {
        "deploy_challenge" => challenges(around, Operation::Present),
        "clean_challenge" => challenges(around, Operation::Remove),
        "sync_cert" => certificate(around, 1, Occasion::Syncing),
        "deploy_cert" => certificate(around, 2, Occasion::New),
        "unchanged_cert" => certificate(around, 2, Occasion::Unchanged),
        _ => Ok(Call::Nothing),
    }
}

/// `[DOMAIN] KEY CERT FULLCHAIN CHAIN`; the key is the argument at `place`.
fn certificate(around: &Surroundings, place: usize, occasion: Occasion) -> Result<Call, CallError> {
    let key = around.argument(place, "the key's file")?;
    let chain = around.argument(place + 2, "the full chain's file")?;
    let next_key = beside(Path::new(key), "privkey.roll.pem");
    let obtained = Obtained::new(key, chain).with_next_key(next_key);
    Ok(Call::Certificate(Obtained { occasion, ..obtained }))
}

/// `DOMAIN TOKEN VALUE`, several times with `HOOK_CHAIN=yes`.
fn challenges(around: &Surroundings, operation: Operation) -> Result<Call, CallError> {
    if around.variable("CHALLENGETYPE").is_some_and(|kind| kind != "dns-01") {
        return Ok(Call::Nothing);
    }
    around.argument(3, "DOMAIN TOKEN VALUE")?;
    let triples = around.arguments[1..].chunks_exact(3);
    // Of http-01 the value is a key authorization, in which there is a dot; of dns-01 a digest.
    let proofs = triples.filter(|triple| !triple[2].contains('.'));
    let challenges: Result<Vec<_>, _> =
        proofs.map(|triple| Challenge::for_domain(operation, &triple[0], &triple[2])).collect();
    Ok(match challenges? {
        none if none.is_empty() => Call::Nothing,
        challenges => Call::Challenges(challenges),
    })
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::{called, domains};
    use super::*;

    /// Operations that are known, and nothing to us: dehydrated's own defaults apply.
    const IDLE: [&str; 7] = [
        "deploy_ocsp",
        "exit_hook",
        "generate_csr",
        "invalid_challenge",
        "request_failure",
        "startup_hook",
        "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script",
    ];

    /// As dehydrated 0.7.0 calls it.
    const DEPLOY_CERT: &[&str] = &[
        "deploy_cert",
        "mail.example.nl",
        "/var/lib/dehydrated/certs/mail.example.nl/privkey.pem",
        "/var/lib/dehydrated/certs/mail.example.nl/cert.pem",
        "/var/lib/dehydrated/certs/mail.example.nl/fullchain.pem",
        "/var/lib/dehydrated/certs/mail.example.nl/chain.pem",
        "1795458000",
    ];

    #[test]
    fn what_nobody_knows_and_what_is_not_ours_ends_well() {
        for operation in IDLE {
            assert_eq!(understand(&called(&[operation], &[])), Ok(Call::Nothing), "{operation}");
        }
        assert_eq!(understand(&called(&[], &[])), Ok(Call::Nothing));
    }

    #[test]
    fn certificates_come_with_their_links_or_before_them() {
        let directory = Path::new("/var/lib/dehydrated/certs/mail.example.nl");
        let Call::Certificate(deployed) = understand(&called(DEPLOY_CERT, &[])).unwrap() else {
            panic!("no certificate");
        };
        assert_eq!(deployed.key, directory.join("privkey.pem"));
        assert_eq!(deployed.chain, [directory.join("fullchain.pem")]);
        assert_eq!(deployed.next_key, Some(directory.join("privkey.roll.pem")));
        assert_eq!(deployed.occasion, Occasion::New);

        let syncing = [
            "sync_cert",
            "/certs/mail/privkey-1795458000.pem",
            "/certs/mail/cert-1795458000.pem",
            "/certs/mail/fullchain-1795458000.pem",
            "/certs/mail/chain-1795458000.pem",
            "/certs/mail/cert-1795458000.csr",
        ];
        let Call::Certificate(synced) = understand(&called(&syncing, &[])).unwrap() else {
            panic!("no certificate");
        };
        assert_eq!(synced.key, Path::new("/certs/mail/privkey-1795458000.pem"));
        assert_eq!(synced.chain, [Path::new("/certs/mail/fullchain-1795458000.pem")]);
        assert_eq!(synced.occasion, Occasion::Syncing);

        let unchanged: Vec<&str> =
            ["unchanged_cert"].into_iter().chain(DEPLOY_CERT[1..6].iter().copied()).collect();
        let Call::Certificate(unchanged) = understand(&called(&unchanged, &[])).unwrap() else {
            panic!("no certificate");
        };
        assert_eq!((unchanged.key, unchanged.occasion), (deployed.key, Occasion::Unchanged));
    }

    #[test]
    fn proofs_come_alone_or_chained_and_those_of_http_01_are_not_ours() {
        let value = "1EAzPmVUmqK3UTsJtyCzTaiAYdBTdUVTJPTiyRSBqUU";
        let one = ["deploy_challenge", "mail.example.nl", "-token", value];
        let call = understand(&called(&one, &[("CHALLENGETYPE", "dns-01")])).unwrap();
        assert_eq!(domains(&call), ["_acme-challenge.mail.example.nl"]);
        let two = ["clean_challenge", "a.example.nl", "t", value, "b.example.nl", "t", value];
        let call = understand(&called(&two, &[])).unwrap();
        assert_eq!(
            domains(&call),
            ["_acme-challenge.a.example.nl", "_acme-challenge.b.example.nl"]
        );
        let http = ["deploy_challenge", "mail.example.nl", "token", "token.thumbprint"];
        assert_eq!(understand(&called(&http, &[])), Ok(Call::Nothing));
        let http = called(&one, &[("CHALLENGETYPE", "http-01")]);
        assert_eq!(understand(&http), Ok(Call::Nothing));
        assert!(understand(&called(&["deploy_challenge", "mail.example.nl"], &[])).is_err());
    }
}
