//! Which client calls: by its name on the command line, else by what only it passes.

use super::call::{Call, CallError, Client, Surroundings};
use super::{acme_sh, certbot, dehydrated, lego, uacme};

/// What a call means. The first argument may name the client.
///
/// # Errors
///
/// Where no client makes such a call.
pub fn understand(mut around: Surroundings) -> Result<Call, CallError> {
    let named = around.arguments.first().and_then(|name| Client::from_name(name));
    let client = match named {
        Some(client) => {
            around.arguments.remove(0);
            client
        }
        None => recognise(&around).ok_or(CallError::Stranger)?,
    };
    match client {
        Client::AcmeSh => acme_sh::understand(&around),
        Client::Certbot => certbot::understand(&around),
        Client::Dehydrated => dehydrated::understand(&around),
        Client::Lego => lego::understand(&around),
        Client::Uacme => uacme::understand(&around),
    }
}

/// The client that calls in this way.
///
/// Words come before variables: a hook may run below another client's, and inherits its variables.
fn recognise(around: &Surroundings) -> Option<Client> {
    let is_set = |name: &str| around.variable(name).is_some();
    let starts = |prefix: &str| around.variables.keys().any(|name| name.starts_with(prefix));
    match around.arguments.first().map(String::as_str) {
        Some("begin" | "done" | "failed") => Some(Client::Uacme),
        Some("present" | "cleanup") if 2 < around.arguments.len() => Some(Client::Lego),
        Some("dns_add" | "dns_rm") => Some(Client::AcmeSh),
        Some("deploy" | "auth" | "cleanup") if is_set("RENEWED_LINEAGE") => Some(Client::Certbot),
        Some("auth" | "cleanup") if is_set("CERTBOT_DOMAIN") => Some(Client::Certbot),
        Some("deploy") if 5 < around.arguments.len() => Some(Client::AcmeSh),
        Some("deploy") => Some(Client::Uacme),
        // dehydrated alone passes words that nobody knows.
        Some(_) => Some(Client::Dehydrated),
        None if starts("LEGO_HOOK_") || is_set("LEGO_CERT_PATH") => Some(Client::Lego),
        None if is_set("Le_Domain") && is_set("CERT_KEY_PATH") => Some(Client::AcmeSh),
        None if starts("RENEWED_") || starts("CERTBOT_") => Some(Client::Certbot),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::called;
    use super::*;

    #[test]
    fn each_client_is_told_by_what_it_passes() {
        /// Arguments, variables, and who passes them.
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], Option<Client>);
        let cases: [Case<'_>; 12] = [
            (&[], &[("RENEWED_LINEAGE", "/live/x")], Some(Client::Certbot)),
            (&[], &[("CERTBOT_DOMAIN", "x")], Some(Client::Certbot)),
            (&["auth"], &[("CERTBOT_DOMAIN", "x")], Some(Client::Certbot)),
            (&[], &[("LEGO_CERT_PATH", "x"), ("LEGO_CERT_KEY_PATH", "y")], Some(Client::Lego)),
            (&[], &[("LEGO_HOOK_CERT_PATH", "x")], Some(Client::Lego)),
            (&["present", "_acme-challenge.x.", "v"], &[], Some(Client::Lego)),
            (&["begin", "dns-01", "x", "t", "a"], &[], Some(Client::Uacme)),
            (&[], &[("Le_Domain", "x"), ("CERT_KEY_PATH", "y")], Some(Client::AcmeSh)),
            (&["deploy_cert", "x"], &[], Some(Client::Dehydrated)),
            (&["some_new_hook"], &[], Some(Client::Dehydrated)),
            (&["deploy_cert", "x"], &[("CERTBOT_DOMAIN", "x")], Some(Client::Dehydrated)),
            (&[], &[("PATH", "/bin")], None),
        ];
        for (arguments, variables, client) in cases {
            let around = called(arguments, variables);
            assert_eq!(recognise(&around), client, "{arguments:?} {variables:?}");
        }
    }

    #[test]
    fn a_name_wins_over_what_is_passed() {
        let around = called(&["dehydrated", "exit_hook"], &[("RENEWED_LINEAGE", "/live/x")]);
        assert_eq!(understand(around), Ok(Call::Nothing));
        assert_eq!(understand(called(&[], &[])), Err(CallError::Stranger));
        for client in Client::ALL {
            assert_eq!(Client::from_name(client.as_str()), Some(client));
        }
    }
}
