//! Actions and reasons in words, for the history, `status` and `plan`: one wording for all of them.

use std::collections::BTreeSet;
use std::fmt;

use super::action::{Action, Begin, KeySource, Reason, RrsetChange, Toward, Wait};
use super::history::Content;
use super::observation::{Answer, Observation, OwnerSight, Sight};
use super::request::FAILURES_UNTIL_FALLBACK;
use super::state::Step;
use crate::time::Timestamp;
use crate::tlsa::{Record, TlsaRrset};

/// A record with its data cut short: what people need to tell it from another.
pub struct Brief<'a>(pub &'a Record);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.char_indices().nth(14) {
            Some((end, _)) => write!(f, "{}…", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

/// The records of an RRset, cut short, on one line.
pub fn brief(rrset: &TlsaRrset) -> String {
    if rrset.is_absent() {
        return "no records".to_owned();
    }
    let records: Vec<String> = rrset.records.iter().map(|r| Brief(r).to_string()).collect();
    records.join(", ")
}

/// What one change does, as `nsupdate` users think of it.
fn change(change: &RrsetChange) -> String {
    let gone = change.observed.records.difference(&change.desired.records);
    let new = change.desired.records.difference(&change.observed.records);
    let mut parts: Vec<String> = new.map(|record| format!("add {}", Brief(record))).collect();
    parts.extend(gone.map(|record| format!("delete {}", Brief(record))));
    if parts.is_empty() {
        parts.push(format!("set the TTL to {}", change.desired.ttl));
    }
    let owners: Vec<String> = change.owners.iter().map(ToString::to_string).collect();
    format!("{}: {}", owners.join(", "), parts.join(", "))
}

impl fmt::Display for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "begin a {}", self.kind)?;
        match &self.toward {
            Toward::New { issuer, keys } => {
                write!(f, " by {issuer}")?;
                let mut separator = " with";
                for (key_type, source) in keys {
                    let source = match source {
                        KeySource::New => "a new",
                        KeySource::Standby => "the standby",
                        KeySource::Present => "the present",
                        KeySource::Brought => "the staged",
                    };
                    write!(f, "{separator} {source} {key_type} key")?;
                    separator = " and";
                }
            }
            Toward::Existing(_) | Toward::NoRecords => {}
        }
        match self.issuer_override.as_ref().and_then(|other| other.after.as_ref()) {
            Some(failed) => {
                write!(f, ", since {failed} failed {FAILURES_UNTIL_FALLBACK} times in a row")
            }
            None => Ok(()),
        }
    }
}

impl Action {
    /// The action in one word, for the history.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adopt { .. } => "adopt",
            Self::Begin(_) => "begin",
            Self::MakeStandby { .. } => "make-standby",
            Self::Issue { .. } => "issue",
            Self::Publish { .. } => "publish",
            Self::Deploy { .. } => "deploy",
            Self::Repeat { .. } => "deploy",
            Self::Restore { .. } => "restore",
            Self::Revoke(_) => "revoke",
            Self::Finish => "finish",
        }
    }
}

/// What was seen, in one line: the records at each owner's servers, the keys presented.
impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = BTreeSet::new();
        for (owner, sight) in &self.owners {
            match sight {
                OwnerSight::Seen(answers) => {
                    parts.extend(answers.answers.iter().map(|(server, answer)| match answer {
                        Answer::Secure(rrset) | Answer::Wildcard(rrset) => {
                            format!("{} serves {} at {owner}", server.name, brief(rrset))
                        }
                        Answer::Untrusted { reason } | Answer::Silent { reason } => {
                            format!("{server}: {reason}")
                        }
                    }));
                }
                OwnerSight::Unknown { reason } => {
                    parts.insert(format!("{owner}: {reason}"));
                }
                OwnerSight::Unsigned { zone } => {
                    parts.insert(format!("{zone} is not signed"));
                }
            }
        }
        for (listener, sight) in &self.listeners {
            let (address, family) = (listener.address, listener.family);
            match sight {
                Sight::Presented(chains) => parts.extend(chains.iter().map(|chain| {
                    let key = chain.0.leaf().spki_sha256().short();
                    format!("{address} presents key {key}")
                })),
                Sight::NotOffered => {}
                Sight::NoTls { reason } | Sight::Silent { reason } => {
                    parts.insert(format!("{address} ({family}): {reason}"));
                }
            }
        }
        f.write_str(&parts.into_iter().collect::<Vec<_>>().join("; "))
    }
}

/// In the imperative, as a plan has it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adopt { installed, .. } => {
                let leaf = installed.first().map(|found| found.chain.leaf());
                write!(f, "adopt the certificate in place")?;
                leaf.map_or(Ok(()), |leaf| {
                    write!(f, " (of {}, serial {})", leaf.issuer(), leaf.serial())
                })
            }
            Self::Begin(begin) => begin.fmt(f),
            Self::MakeStandby { key_type } => write!(f, "make a standby {key_type} key"),
            Self::Issue { key_type, .. } => {
                write!(f, "obtain a certificate for the {key_type} key, and hold it")
            }
            Self::Publish { purpose, changes, .. } => {
                let changes: Vec<String> = changes.iter().map(change).collect();
                write!(f, "publish ({purpose}) {}", changes.join("; "))
            }
            Self::Deploy { .. } => f.write_str("put the new certificate in place and reload"),
            Self::Repeat { because, .. } => {
                write!(f, "put the certificate in place once more and reload, since {because}")
            }
            Self::Restore { because: Some(seen), .. } => {
                write!(f, "put the former certificate back, since after the reload {seen}")
            }
            Self::Restore { because: None, .. } => f.write_str("put the former certificate back"),
            Self::Revoke(revocation) => {
                write!(f, "revoke the certificate with serial {}", revocation.chain.leaf().serial())
            }
            Self::Finish => f.write_str("finish: no cache holds anything else"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MakeKey => "making a key",
            Self::Issue => "obtaining the certificate",
            Self::Publish => "changing the records",
            Self::Deploy => "putting the new certificate in place",
            Self::Restore => "putting the former certificate back",
            Self::Revoke => "revoking the former certificate",
        })
    }
}

/// As the object of "waiting for".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caches { owner, content: Content::Rrset(rrset), ttl, .. } => {
                write!(f, "caches that may still hold {} at {owner} (TTL {ttl})", brief(rrset))
            }
            Self::Caches { owner, content: Content::Unknown { .. }, ttl, .. } => write!(
                f,
                "caches that may hold what was at {owner} before rollover first looked (TTL {ttl})"
            ),
            Self::NameServer { owner, server, answer } => {
                write!(f, "name server {server}, which {answer} for {owner}")
            }
            Self::Zone { owner, reason } => write!(f, "a view of {owner}: {reason}"),
            Self::UnderWay { owner, .. } => {
                write!(f, "an update of {owner} that was sent and may still be applied")
            }
            Self::Draining { until, .. } if *until == Timestamp::MAX => {
                f.write_str("every address to present the new certificate alone")
            }
            Self::Draining { .. } => {
                f.write_str("processes that may still present the former certificate (drain)")
            }
            Self::Listener { listener, sight } => {
                let (address, family) = (listener.address, listener.family);
                write!(f, "the new certificate at {address} ({family}), which {sight}")
            }
            Self::NoListener => f.write_str("an address of the host that can be probed"),
            Self::Retry { step, .. } => write!(f, "the next try at {step}"),
            Self::NextPass { step } => write!(f, "the next pass, which tries {step} again"),
        }
    }
}

impl Reason {
    /// What an operator can do where this lasts longer than it should; `None` where only time helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NameServer { .. } => Some(
                "see that it answers and follows the primary; to go on without it, name it in \
                 `ignore-name-servers`",
            ),
            Self::Listener { .. } | Self::NoListener => Some(
                "see that the server runs and answers at every address; to leave addresses out, \
                 list those that count in `addresses`",
            ),
            Self::Zone { .. } => Some("see that the resolver and the update server answer"),
            Self::Caches { .. }
            | Self::UnderWay { .. }
            | Self::Draining { .. }
            | Self::Retry { .. }
            | Self::NextPass { .. } => None,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("waiting ")?;
        if let Some(until) = self.until {
            write!(f, "until {until} ")?;
        }
        for (position, reason) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason}", if position == 0 { "for " } else { ", and for " })?;
        }
        Ok(())
    }
}
