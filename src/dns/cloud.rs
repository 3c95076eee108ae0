//! A provider of zones behind an API of its own, by the crate `dns-update`, which is named here alone.
//!
//! Of that crate only three things are used: an RRset's records are listed, added to and taken from. What
//! is new is added before what is old is taken away, and each step is looked at before the next, so that
//! at no moment fewer records are there than either the old or the new ones. What is there in between are
//! both, and whatever fits one of the two fits them together.
//!
//! None of these APIs compares and swaps: the records are listed before, and that is all. None tells the
//! TTL of what it lists; the servers of the zone do.

mod open;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use dns_update::{
    DnsRecord, DnsRecordType, DnsUpdater, Error, TLSARecord, TlsaCertUsage, TlsaMatching,
    TlsaSelector,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::plugin::answer::cut;
use crate::config::{CloudConfig, CloudProvider, Credentials};
use crate::name::DnsName;
use crate::ports::{HeldRrset, PublishError, Publisher, RrsetChange};
use crate::time::{Span, Ttl};
use crate::tlsa::Record;

/// How many operations one call may take, with those of others that it waits for.
const OPERATIONS_MAX: u32 = 20;

/// How long after an operation was given up what it asked for can still be done by the provider.
const DELAY_BEYOND_LIMIT: Span = Span::from_seconds(300);

/// A provider of zones behind an API of its own.
pub struct Cloud {
    /// Its name in the configuration.
    name: String,
    /// Whose API it is.
    provider: CloudProvider,
    /// The API.
    api: DnsUpdater,
    /// What no message repeats.
    credentials: Credentials,
    /// How long one operation may take.
    limit: Span,
    /// The zone, where the configuration names it.
    zone: Option<DnsName>,
    /// Whose turn it is: some APIs read a whole zone and write it back.
    turn: Mutex<()>,
}

impl Cloud {
    /// The provider `name` of the configuration.
    ///
    /// # Errors
    ///
    /// Where the provider does not take such credentials, in the crate's words, and where no server of
    /// HTTPS could be trusted. Nothing is asked yet.
    pub fn open(name: &str, config: &CloudConfig) -> Result<Self, String> {
        let CloudConfig { provider, credentials, timeout, zone } = config;
        // The crate panics where there is none.
        if rustls_native_certs::load_native_certs().certs.is_empty() {
            return Err(
                "this machine trusts no CA, so that no provider can be believed: install the \
                        package `ca-certificates`"
                    .to_owned(),
            );
        }
        // Longer than an operation has: what ends one tells how long it waited.
        let api = open::open(*provider, credentials, duration(*timeout) * 2);
        Ok(Self {
            name: name.to_owned(),
            provider: *provider,
            api: api.map_err(|error| said(credentials, &error))?,
            credentials: credentials.clone(),
            limit: *timeout,
            zone: zone.clone(),
            turn: Mutex::default(),
        })
    }

    /// The provider, for messages.
    fn server(&self) -> String {
        format!("the provider `{}` ({})", self.name, self.provider.name())
    }

    /// The zone as the API has it.
    fn zone(&self, found: &DnsName) -> String {
        self.zone.as_ref().unwrap_or(found).absolute()
    }

    /// Lists the TLSA records at a name.
    async fn list(&self, zone: &str, name: &DnsName) -> Result<BTreeSet<Record>, PublishError> {
        let at = name.absolute();
        let listed = self.api.list_rrset(&at, DnsRecordType::TLSA, zone);
        let listed = self.within_limit(&kind_at(name, "TLSA"), listed).await?;
        let records: Option<BTreeSet<Record>> = listed.iter().map(from_provider).collect();
        records.ok_or_else(|| PublishError::Unanswered {
            server: self.server(),
            what: kind_at(name, "TLSA"),
            reason: "it listed what is no TLSA record".to_owned(),
        })
    }

    /// Makes one change: adds what is new, looks, takes away what is old, and looks again.
    async fn change(&self, zone: &str, change: &RrsetChange) -> Result<(), PublishError> {
        let (before, after) = (&change.observed.records, &change.desired.records);
        let (name, what) = (&change.name, kind_at(&change.name, "TLSA"));
        let at = name.absolute();
        let listed = self.list(zone, name).await?;
        if listed == *after {
            return Ok(());
        }
        if listed != *before {
            return Err(PublishError::Conflict { server: self.server(), what });
        }
        let both: BTreeSet<Record> = before | after;
        let ttl = change.desired.ttl.as_seconds();
        // Both before anything is changed, so that a failure here is surely without effect.
        let new = self.to_provider(&what, &(after - before))?;
        let old = self.to_provider(&what, &(before - after))?;
        if both != *before {
            let add = self.api.add_to_rrset(&at, DnsRecordType::TLSA, ttl, new, zone);
            self.within_limit(&what, add).await?;
            self.expect(zone, name, &both).await?;
        }
        if both != *after {
            let remove = self.api.remove_from_rrset(&at, DnsRecordType::TLSA, old, zone);
            self.within_limit(&what, remove).await?;
            self.expect(zone, name, after).await?;
        }
        Ok(())
    }

    /// Looks whether these are the records at a name, after the provider said that they are.
    async fn expect(
        &self,
        zone: &str,
        name: &DnsName,
        records: &BTreeSet<Record>,
    ) -> Result<(), PublishError> {
        let (server, what) = (self.server(), kind_at(name, "TLSA"));
        match self.list(zone, name).await {
            Ok(listed) if listed == *records => Ok(()),
            Ok(_) => {
                let reason =
                    "it said that it changed the RRset, and reads it back as another".to_owned();
                Err(PublishError::Unanswered { server, what, reason })
            }
            Err(error) => Err(error.after_others(server, what)),
        }
    }

    /// Records as the crate has them.
    fn to_provider(
        &self,
        what: &str,
        records: &BTreeSet<Record>,
    ) -> Result<Vec<DnsRecord>, PublishError> {
        let records: Option<Vec<DnsRecord>> = records.iter().map(to_provider).collect();
        records.ok_or_else(|| PublishError::Inexpressible {
            server: self.server(),
            what: what.to_owned(),
            reason: "a record has a number that providers do not know".to_owned(),
        })
    }

    /// What one operation of the API comes to, within the time that it has.
    async fn within_limit<T>(
        &self,
        what: &str,
        operation: impl Future<Output = dns_update::Result<T>> + Send,
    ) -> Result<T, PublishError> {
        let (server, what) = (self.server(), what.to_owned());
        match timeout(duration(self.limit), operation).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let reason = said(&self.credentials, &error);
                // Most of what the crate tells apart it tells in prose. What is not surely a refusal
                // may have had an effect, and may pass.
                Err(match error {
                    Error::Unauthorized
                    | Error::NotFound
                    | Error::Unsupported(_)
                    | Error::InvalidRegion => PublishError::Declined { server, what, reason },
                    _ => PublishError::Unanswered { server, what, reason },
                })
            }
            Err(_) => {
                let reason = format!("it did not answer within {}", self.limit);
                Err(PublishError::Unanswered { server, what, reason })
            }
        }
    }

    /// Does something when it is its turn, and ends it when that took too long.
    async fn in_turn<T>(
        &self,
        what: String,
        work: impl Future<Output = Result<T, PublishError>> + Send,
    ) -> Result<T, PublishError> {
        let limit = duration(self.limit.times(OPERATIONS_MAX));
        let begun = tokio::time::Instant::now();
        let Ok(_turn) = timeout(limit / 2, self.turn.lock()).await else {
            let reason = "it is busy with changes of other hosts".to_owned();
            return Err(PublishError::Unreachable { server: self.server(), what, reason });
        };
        timeout(limit.saturating_sub(begun.elapsed()), work).await.unwrap_or_else(|_| {
            let reason = format!("its operations took longer than {} s", limit.as_secs());
            Err(PublishError::Unanswered { server: self.server(), what, reason })
        })
    }
}

#[async_trait]
impl Publisher for Cloud {
    async fn read(&self, zone: &DnsName, name: &DnsName) -> Result<HeldRrset, PublishError> {
        let records = self.list(&self.zone(zone), name).await?;
        Ok(HeldRrset { records, ttl: None })
    }

    async fn replace(&self, zone: &DnsName, changes: &[RrsetChange]) -> Result<(), PublishError> {
        let zone = self.zone(zone);
        let names: Vec<String> = changes.iter().map(|c| kind_at(&c.name, "TLSA")).collect();
        let work = async {
            for (number, change) in changes.iter().enumerate() {
                match self.change(&zone, change).await {
                    Ok(()) => {}
                    Err(error) if number == 0 => return Err(error),
                    Err(error) => {
                        let what = kind_at(&change.name, "TLSA");
                        return Err(error.after_others(self.server(), what));
                    }
                }
            }
            Ok(())
        };
        self.in_turn(names.join(", "), work).await
    }

    fn longest_delay(&self) -> Span {
        self.limit.times(OPERATIONS_MAX) + DELAY_BEYOND_LIMIT
    }

    async fn compares(&self) -> bool {
        false
    }

    async fn caveat(&self) -> Option<String> {
        Some(super::cannot_swap(&self.server()))
    }

    async fn add_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
        ttl: Ttl,
    ) -> Result<(), PublishError> {
        let (zone, what) = (self.zone(zone), kind_at(name, "TXT"));
        let (at, proof) = (name.absolute(), vec![DnsRecord::TXT(value.to_owned())]);
        let add = self.api.add_to_rrset(&at, DnsRecordType::TXT, ttl.as_seconds(), proof, &zone);
        self.in_turn(what.clone(), self.within_limit(&what, add)).await
    }

    async fn remove_txt(
        &self,
        zone: &DnsName,
        name: &DnsName,
        value: &str,
    ) -> Result<(), PublishError> {
        let (zone, what) = (self.zone(zone), kind_at(name, "TXT"));
        let (at, proof) = (name.absolute(), vec![DnsRecord::TXT(value.to_owned())]);
        let remove = self.api.remove_from_rrset(&at, DnsRecordType::TXT, proof, &zone);
        self.in_turn(what.clone(), self.within_limit(&what, remove)).await
    }
}

/// Records of a type at a name, for messages.
fn kind_at(name: &DnsName, kind: &str) -> String {
    format!("{} {kind}", name.absolute())
}

/// A span as tokio has it.
fn duration(span: Span) -> Duration {
    Duration::from_millis(span.as_millis())
}

/// What the crate said, not longer than anybody wants to read. It quotes what it sent and got: addresses,
/// in which some providers want secrets, and pages, which may repeat one.
fn said(credentials: &Credentials, error: &Error) -> String {
    let text = match error {
        Error::Unauthorized => "it does not accept the credentials".to_owned(),
        Error::NotFound => {
            "it does not have the zone, or these credentials do not show it".to_owned()
        }
        Error::Protocol(text)
        | Error::Parse(text)
        | Error::Client(text)
        | Error::Response(text)
        | Error::Api(text)
        | Error::Serialize(text)
        | Error::Unsupported(text) => text.clone(),
        other => other.to_string(),
    };
    let mut words = Vec::new();
    for word in credentials.hidden_in(&text).split(' ') {
        words.push(match word.split_once('?') {
            Some((address, query)) if address.contains("://") => {
                let end = if query.ends_with(':') { ":" } else { "" };
                format!("{address}?...{end}")
            }
            Some(_) | None => word.to_owned(),
        });
    }
    cut(words.join(" "))
}

/// A record as the crate has it; `None` where it has a number that the crate does not know.
fn to_provider(record: &Record) -> Option<DnsRecord> {
    let cert_usage = match record.usage {
        0 => TlsaCertUsage::PkixTa,
        1 => TlsaCertUsage::PkixEe,
        2 => TlsaCertUsage::DaneTa,
        3 => TlsaCertUsage::DaneEe,
        255 => TlsaCertUsage::Private,
        _ => return None,
    };
    let selector = match record.selector {
        0 => TlsaSelector::Full,
        1 => TlsaSelector::Spki,
        255 => TlsaSelector::Private,
        _ => return None,
    };
    let matching = match record.matching_type {
        0 => TlsaMatching::Raw,
        1 => TlsaMatching::Sha256,
        2 => TlsaMatching::Sha512,
        255 => TlsaMatching::Private,
        _ => return None,
    };
    let cert_data = record.data.clone();
    Some(DnsRecord::TLSA(TLSARecord { cert_usage, selector, matching, cert_data }))
}

/// A record of the crate's; `None` where it is of another type.
fn from_provider(record: &DnsRecord) -> Option<Record> {
    let DnsRecord::TLSA(TLSARecord { cert_usage, selector, matching, cert_data }) = record else {
        return None;
    };
    Some(Record {
        usage: u8::from(*cert_usage),
        selector: u8::from(*selector),
        matching_type: u8::from(*matching),
        data: cert_data.clone(),
    })
}
