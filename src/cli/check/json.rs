//! An audit as JSON, version 1: keys are only ever added.

use serde_json::{Value, json};

use crate::audit::{
    Audit, CertificateSummary, Finding, ListenerSummary, Protection, Server, Subject,
};
use crate::pki::KeyType;

/// The whole audit.
pub(super) fn json(audit: &Audit) -> Value {
    let subjects: Vec<Value> = audit.subjects.iter().map(subject).collect();
    json!({
        "version": 1,
        "at": audit.at.to_string(),
        "status": audit.severity().as_str(),
        "code": audit.severity().exit_code(),
        "subjects": subjects,
    })
}

/// One subject.
fn subject(subject: &Subject) -> Value {
    json!({
        "name": subject.name,
        "kind": subject.kind.as_str(),
        "status": subject.severity().as_str(),
        "findings": findings(&subject.findings),
        "servers": subject.servers.iter().map(server).collect::<Vec<_>>(),
    })
}

/// One mail server.
fn server(server: &Server) -> Value {
    let protection = match server.protection {
        Protection::Protected => Value::Bool(true),
        Protection::Open => Value::Bool(false),
        Protection::Unknown | Protection::Unreachable => Value::Null,
    };
    json!({
        "name": server.name.to_string(),
        "preference": server.preference,
        "owner": server.owner.to_string(),
        "status": server.severity().as_str(),
        "protected": protection,
        "records": server.records,
        "listeners": server.listeners.iter().map(listener).collect::<Vec<_>>(),
        "certificates": server.certificates.iter().map(certificate).collect::<Vec<_>>(),
        "findings": findings(&server.findings),
    })
}

/// One address.
fn listener(listener: &ListenerSummary) -> Value {
    let versions: Vec<String> = listener.versions.iter().map(ToString::to_string).collect();
    json!({
        "address": listener.address.ip().to_string(),
        "port": listener.address.port(),
        "matching_records": listener.matching_records,
        "tls_versions": versions,
    })
}

/// One certificate, with the keys that `status --json` has.
fn certificate(certificate: &CertificateSummary) -> Value {
    json!({
        "key_type": certificate.key_type.map(KeyType::as_str),
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "names": certificate.names,
        "not_before": certificate.not_before.to_string(),
        "not_after": certificate.not_after.to_string(),
        "spki_sha256": certificate.spki.to_string(),
    })
}

/// Findings.
fn findings(findings: &[Finding]) -> Vec<Value> {
    let finding = |finding: &Finding| {
        json!({
            "severity": finding.severity.as_str(),
            "code": finding.code.as_str(),
            "at": finding.at,
            "seen": finding.seen,
            "meaning": finding.meaning(),
            "reference": finding.reference(),
            "remedy": Some(finding.remedy()).filter(|remedy| !remedy.is_empty()),
        })
    };
    findings.iter().map(finding).collect()
}
