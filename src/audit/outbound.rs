//! This machine as a sender: whether it can validate, and whether its mail server makes use of that.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::finding::{Code, Finding};
use crate::command;
use crate::dns::{ResolverStanding, Survey};
use crate::time::Span;

/// How long a mail server may take to print its configuration.
const LIMIT: Span = Span::from_seconds(10);

/// Looks at this machine, which resolves through `resolvers`.
pub(super) async fn look(survey: &Survey, resolvers: &[SocketAddr]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for resolver in resolvers {
        findings.extend(judge_resolver(*resolver, survey.standing(*resolver).await));
    }
    let mut senders: Vec<Finding> = postfix().await.into_iter().collect();
    senders.extend(exim().await);
    if senders.is_empty() {
        let seen = "neither Postfix nor Exim tells its configuration here";
        senders.push(Finding::unknown(Code::NoMailServer, seen));
    }
    findings.extend(senders);
    findings
}

/// Judges a resolver by what it says.
fn judge_resolver(resolver: SocketAddr, standing: ResolverStanding) -> Vec<Finding> {
    let mut findings = vec![match standing {
        ResolverStanding::Validates => {
            Finding::ok(Code::ResolverValidates, "the resolver validates, and says so (AD)")
        }
        ResolverStanding::DoesNot => {
            let seen = "the resolver does not say that it validated (AD) what is signed";
            Finding::warning(Code::ResolverDoesNot, seen)
        }
        ResolverStanding::Silent { reason } => Finding::unknown(Code::ResolverSilent, reason),
    }];
    if !resolver.ip().is_loopback() {
        findings.push(Finding::warning(Code::ResolverRemote, "the resolver is another machine"));
    }
    findings.into_iter().map(|finding| finding.at(resolver.ip())).collect()
}

/// Runs a command that prints a configuration; `None` where it does not.
async fn ask(argv: &[&str]) -> Option<String> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    command::run(&argv, LIMIT).await.ok()
}

/// What Postfix does when it sends; `None` where there is none.
async fn postfix() -> Option<Finding> {
    let names = ["smtp_dns_support_level", "smtp_tls_security_level", "smtp_host_lookup"];
    let text = ask(&[&["postconf"], &names[..]].concat()).await?;
    Some(judge_postfix(&settings(&text)))
}

/// The settings in lines `name = value`.
pub(super) fn settings(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim())).collect()
}

/// Judges Postfix by its settings.
fn judge_postfix(settings: &BTreeMap<&str, &str>) -> Finding {
    let value = |name: &str| settings.get(name).copied().unwrap_or_default();
    let (support, level) = (value("smtp_dns_support_level"), value("smtp_tls_security_level"));
    let lookup = value("smtp_host_lookup");
    let mut wrong = Vec::new();
    if support != "dnssec" {
        wrong.push(format!("smtp_dns_support_level = {support}"));
    }
    if !["dane", "dane-only"].contains(&level) {
        wrong.push(format!("smtp_tls_security_level = {level}"));
    }
    // Not asked for where it has its default.
    if !lookup.is_empty() && !lookup.split([',', ' ']).any(|word| word == "dns") {
        wrong.push(format!("smtp_host_lookup = {lookup}"));
    }
    match wrong.is_empty() {
        true => Finding::ok(Code::SendsWithDane, format!("Postfix sends with `{level}`")),
        false => {
            let seen = format!("Postfix: {}", wrong.join(", "));
            Finding::warning(Code::SendsWithout, seen).with_remedy(
                "postconf smtp_dns_support_level=dnssec smtp_tls_security_level=dane \
                 smtp_host_lookup=dns, then postfix reload",
            )
        }
    }
}

/// What Exim does when it sends; `None` where there is none.
async fn exim() -> Option<Finding> {
    for program in ["exim", "exim4"] {
        let Some(names) = ask(&[program, "-bP", "transport_list"]).await else { continue };
        let mut transports = Vec::new();
        for name in names.split_ascii_whitespace() {
            transports.extend(ask(&[program, "-bP", "transport", name]).await);
        }
        return judge_exim(&transports);
    }
    None
}

/// Judges Exim by its transports; `None` where none of them speaks SMTP.
fn judge_exim(transports: &[String]) -> Option<Finding> {
    let mut smtp = transports.iter().map(|text| settings(text)).filter(|settings| {
        settings.get("driver") == Some(&"smtp") || settings.contains_key("hosts_try_dane")
    });
    let tries = |settings: &BTreeMap<&str, &str>| {
        let set = |name| settings.get(name).is_some_and(|value| !value.is_empty());
        set("hosts_try_dane") || set("hosts_require_dane")
    };
    let first = smtp.next()?;
    Some(match tries(&first) && smtp.all(|settings| tries(&settings)) {
        true => Finding::ok(Code::SendsWithDane, "Exim tries DANE (hosts_try_dane)"),
        false => {
            let seen = "Exim: an smtp transport has no hosts_try_dane";
            Finding::warning(Code::SendsWithout, seen).with_remedy(
                "give each smtp transport `hosts_try_dane = *` and `dnssec_request_domains = *`",
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Severity;

    #[test]
    fn postfix_needs_both_settings() {
        let of = |text: &str| judge_postfix(&settings(text));
        let right = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane\n\
                     smtp_host_lookup = dns\n";
        assert_eq!(of(right).severity, Severity::Ok);
        let opportunistic = of(&right.replace("= dane\n", "= may\n"));
        assert_eq!(opportunistic.severity, Severity::Warning);
        assert_eq!(opportunistic.seen, "Postfix: smtp_tls_security_level = may");
        assert_eq!(of(&right.replace("dnssec", "")).severity, Severity::Warning);
        assert_eq!(
            of(&right.replace("lookup = dns", "lookup = native")).severity,
            Severity::Warning
        );
    }

    #[test]
    fn every_smtp_transport_of_exim_has_to_try_dane() {
        let text =
            |tries: &str| format!("driver = smtp\nhosts_require_dane = \nhosts_try_dane = {tries}");
        let of = |transports: &[String]| judge_exim(transports).map(|finding| finding.severity);
        assert_eq!(of(&[text("*")]), Some(Severity::Ok));
        assert_eq!(of(&[text("*"), text("")]), Some(Severity::Warning));
        assert_eq!(of(&["driver = appendfile".to_owned()]), None);
    }

    #[test]
    fn a_resolver_on_another_machine_is_trusted_by_nobody_between() {
        let codes = |resolver: &str, standing| -> Vec<Code> {
            let resolver = SocketAddr::new(resolver.parse().unwrap(), 53);
            judge_resolver(resolver, standing).iter().map(|finding| finding.code).collect()
        };
        assert_eq!(codes("127.0.0.53", ResolverStanding::Validates), [Code::ResolverValidates]);
        assert_eq!(
            codes("192.0.2.53", ResolverStanding::DoesNot),
            [Code::ResolverDoesNot, Code::ResolverRemote]
        );
    }
}
