//! The result of an audit: subjects, their servers, and what was found of each.

use std::net::SocketAddr;

use super::finding::{Finding, Severity, worst};
use crate::name::DnsName;
use crate::pki::{KeyType, Sha256Digest};
use crate::probe::TlsVersion;
use crate::time::Timestamp;
use crate::tlsa::TlsaOwner;

/// All that was looked at.
#[derive(Clone, Debug)]
pub struct Audit {
    /// When it was over.
    pub at: Timestamp,
    /// What was looked at, in the order asked for.
    pub subjects: Vec<Subject>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A mail domain, with all its MX hosts.
    Domain,
    /// A mail server.
    Host,
    /// This machine, as a sender.
    Machine,
}

impl Kind {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Host => "host",
            Self::Machine => "machine",
        }
    }
}

/// One thing that was to be looked at.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What was found of it as a whole.
    pub findings: Vec<Finding>,
    /// Its mail servers; of a domain, the most preferred first.
    pub servers: Vec<Server>,
}

/// A service of a mail server.
#[derive(Clone, Debug)]
pub struct Server {
    /// The server's name, as the MX record or the operator has it.
    pub name: DnsName,
    /// Its preference among the MX hosts.
    pub preference: Option<u16>,
    /// The owner of its TLSA records.
    pub owner: TlsaOwner,
    /// The records, as a zone file has them.
    pub records: Vec<String>,
    /// Whether senders that use DANE deliver there to nobody else, and never in the clear.
    pub protection: Protection,
    /// What was found of it.
    pub findings: Vec<Finding>,
    /// What it presents, by address.
    pub listeners: Vec<ListenerSummary>,
    /// The certificates that it presents, each once.
    pub certificates: Vec<CertificateSummary>,
}

/// Whether a server is protected by DANE. That no record fits does not make it less so: senders then
/// keep the mail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// It has TLSA records that senders use.
    Protected,
    /// It has none.
    Open,
    /// It could not be found out.
    Unknown,
    /// It has no address: nobody can deliver there.
    Unreachable,
}

/// One address of a mail server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerSummary {
    /// The address and port.
    pub address: SocketAddr,
    /// How many records fit what is presented there: the fewest over its certificates and over
    /// what name servers answer. `None` where nothing is presented, or there are no records.
    pub matching_records: Option<usize>,
    /// The versions of TLS, the newest last.
    pub versions: Vec<TlsVersion>,
}

/// A certificate that is presented.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateSummary {
    /// The kind of its key; `None` for one that no configured host can have.
    pub key_type: Option<KeyType>,
    /// The subject's name.
    pub subject: String,
    /// The issuer's name.
    pub issuer: String,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
    /// What a `3 1 1` record of it says.
    pub spki: Sha256Digest,
}

impl Audit {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        worst(self.subjects.iter().map(Subject::severity))
    }
}

impl Subject {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        worst(self.all_findings().map(|finding| finding.severity))
    }

    /// All findings, those of its servers too.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.servers.iter().flat_map(|server| &server.findings))
    }
}

impl Server {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        worst(self.findings.iter().map(|finding| finding.severity))
    }
}
