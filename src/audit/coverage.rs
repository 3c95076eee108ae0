//! Whether all of a domain's mail servers are protected, or only some.

use std::collections::BTreeMap;

use super::finding::{Code, Finding};
use super::records::count;
use super::subject::{Protection, Server};
use crate::pki::Sha256Digest;

/// Judges a domain's MX hosts together.
pub(super) fn judge(servers: &[Server]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = protection(servers).into_iter().collect();
    findings.extend(shared_keys(servers));
    findings
}

/// How many of them are protected. Nothing is said where that is not known of one.
fn protection(servers: &[Server]) -> Option<Finding> {
    let of = |protection| servers.iter().filter(move |server| server.protection == protection);
    let protected = of(Protection::Protected).count();
    let all = protected + of(Protection::Open).count();
    if all == 0 || 0 < of(Protection::Unknown).count() {
        return None;
    }
    let hosts = count(all, "MX host");
    Some(if protected == all {
        Finding::ok(Code::CoverageAll, format!("{protected} of {hosts} protected by TLSA records"))
    } else if protected == 0 {
        Finding::warning(Code::CoverageNone, format!("0 of {hosts} protected by TLSA records"))
    } else {
        let open: Vec<String> = of(Protection::Open).map(|s| s.name.to_string()).collect();
        let seen = format!("{protected} of {hosts} protected, but not {}", open.join(", "));
        Finding::warning(Code::CoveragePart, seen)
    })
}

/// The keys that several of them present.
fn shared_keys(servers: &[Server]) -> Vec<Finding> {
    let mut hosts: BTreeMap<Sha256Digest, Vec<String>> = BTreeMap::new();
    for server in servers {
        for certificate in &server.certificates {
            hosts.entry(certificate.spki).or_default().push(server.name.to_string());
        }
    }
    let shared = hosts.into_iter().filter(|(_, hosts)| 1 < hosts.len());
    shared
        .map(|(key, hosts)| {
            let seen = format!("{} present the same key {}…", hosts.join(" and "), key.short());
            Finding::ok(Code::SharedKey, seen)
        })
        .collect()
}
