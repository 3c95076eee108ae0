//! Policies as people write them: TOML becomes a [`Policy`], or every error at once.
//!
//! A policy that cannot be met is refused here, with the reason, so that the rest of the program
//! never holds one: a rollover that could only end in waiting for ever is an error of today, not of
//! the night a certificate expires. What each key means and why its default is what it is stands in
//! `policies/template.toml`.

use std::path::Path;
use std::sync::Arc;

use super::{BeforeExpiry, Bridge, KeyPolicy, OnRenewal, Policy, Retry, Timing};
use crate::diagnostic::{Diagnostic, Location, Source};
use crate::table::{Complaint, Given, Item, Reports, Scope, Spot, Table, unknown, with_document};
use crate::time::Span;
use crate::tlsa::record::ParametersError;
use crate::tlsa::{Fit, MatchingType, Parameters, Selector, Usage};

/// The most records that a host ever gets: a large sender fails beyond that.
const RECORDS_MAX: usize = 12;

/// Reads a policy. `file` is shown in errors, and its stem is the policy's name where none is given.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the file.
pub fn parse(text: &str, file: &str) -> Result<Policy, Vec<Diagnostic>> {
    let reports = Reports::default();
    let scope = Scope {
        source: Arc::new(Source { name: file.to_owned(), text: text.to_owned() }),
        reports: &reports,
        context: (),
    };
    let policy = with_document(&scope, read);
    let mut diagnostics = reports.into_inner();
    diagnostics.sort_by_key(Diagnostic::position);
    match policy {
        Some(policy) if diagnostics.is_empty() => Ok(policy),
        _ => Err(diagnostics),
    }
}

/// What every key means that a file does not write.
fn defaults() -> Policy {
    Policy {
        name: String::new(),
        description: String::new(),
        records: vec![Parameters::TA_SPKI_SHA256, Parameters::EE_SPKI_SHA256],
        fit: Fit::Any,
        bridge: Bridge::Replace,
        key: KeyPolicy { on_renewal: OnRenewal::New, standby: false },
        timing: Timing {
            ttl_multiple: 1,
            margin: Span::from_seconds(60),
            minimum_wait: Span::ZERO,
            propagation_holdoff: Span::ZERO,
            probe_timeout: Span::from_seconds(120),
            drain: Span::from_seconds(120),
        },
        before_expiry: BeforeExpiry::Fraction { numerator: 1, denominator: 3 },
        retry: Retry { first: Span::from_seconds(60), factor: 10, max: Span::from_seconds(86_400) },
    }
}

/// Reads the whole file. Where something is wrong, which is reported, its default stands in.
fn read(mut table: Table<'_>) -> Policy {
    let default = defaults();
    let name = table.given("name", |item| item.parse(name));
    let description = table.given("description", |item| item.text().map(str::to_owned));
    let required = Required {
        records: table.given("records", records),
        fit: table.given("fit", |item| item.parse(fit)),
        bridge: table.given("bridge", |item| item.parse(bridge)),
        key: key(table.table("key")),
    };
    let timing = timing(table.table("timing"), default.timing);
    let before_expiry = renewal(table.table("renewal"), default.before_expiry);
    let retry = retry(table.table("retry"), default.retry);
    required.confront(&table);
    let scope = table.scope();
    table.finish();
    let stem = Path::new(&scope.source.name)
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let Required { records, fit, bridge, key } = required;
    Policy {
        name: name.value().unwrap_or(stem),
        description: description.value().unwrap_or(default.description),
        records: records.value().unwrap_or(default.records),
        fit: fit.value().unwrap_or(default.fit),
        bridge: bridge.value().unwrap_or(default.bridge),
        key: KeyPolicy {
            on_renewal: key.on_renewal,
            standby: key.standby.value().unwrap_or(default.key.standby),
        },
        timing,
        before_expiry,
        retry,
    }
}

/// The keys that must agree with each other.
struct Required {
    /// The records of a settled host.
    records: Given<Vec<Parameters>>,
    /// How well they fit.
    fit: Given<Fit>,
    /// The form of the bridge.
    bridge: Given<Bridge>,
    /// The `[key]` table.
    key: KeyTable,
}

/// What stands in the `[key]` table.
struct KeyTable {
    /// Whether a renewal takes a new key.
    on_renewal: OnRenewal,
    /// Whether there is a standby key.
    standby: Given<bool>,
}

impl Required {
    /// Reports what cannot be met together.
    ///
    /// A key that is wrong by itself is not confronted with others: one mistake is said once.
    fn confront(&self, table: &Table<'_>) {
        let default = defaults();
        let (Some(records), Some(fit), Some(bridge), Some(standby)) = (
            settled(&self.records, default.records),
            settled(&self.fit, default.fit),
            settled(&self.bridge, default.bridge),
            settled(&self.key.standby, default.key.standby),
        ) else {
            return;
        };
        let other = match fit {
            Fit::Each => place(&self.fit),
            Fit::Any => place(&self.records),
        };
        let at_bridge = place(&self.bridge).or(other).unwrap_or_else(|| table.at());
        let at_records = place(&self.records).unwrap_or_else(|| table.at());
        let replace = match &self.bridge {
            Given::Absent => "bridge = \"replace\" (the default)",
            Given::Wrong | Given::Value(_) => "bridge = \"replace\"",
        };
        let conflict = match bridge {
            Bridge::Replace => {
                replace_conflict(&records, fit, replace).map(|found| (at_bridge, found))
            }
            Bridge::Overlap => number_conflict(&records).map(|found| (at_records, found)),
        };
        if let Some((at, complaint)) = conflict {
            table.scope().complain(at, complaint);
        }
        let names_key = |parameters: &Parameters| {
            parameters.usage == Usage::DaneEe && parameters.selector == Selector::Spki
        };
        if standby
            && !records.iter().any(names_key)
            && let Some(at) = place(&self.key.standby)
        {
            let message = "a standby key needs a record of usage 3 and selector 1 to be named by: \
                           of the next certificate nothing but its key is known beforehand";
            let complaint = Complaint::new(message).with_hint("add \"3 1 1\" to `records`");
            table.scope().complain(at, complaint);
        }
    }
}

/// The value of a key or its default; `None` where it is wrong.
fn settled<T: Clone>(given: &Given<T>, default: T) -> Option<T> {
    match given {
        Given::Absent => Some(default),
        Given::Wrong => None,
        Given::Value(spot) => Some(spot.value.clone()),
    }
}

/// Where a key's value stands, if it does.
fn place<T>(given: &Given<T>) -> Option<&Location> {
    given.spot().map(|spot| &spot.at)
}

/// Why a `replace` bridge cannot be, if it cannot; `replace` is what it is called.
fn replace_conflict(records: &[Parameters], fit: Fit, replace: &str) -> Option<Complaint> {
    const OVERLAP: &str = "write bridge = \"overlap\"";
    let with = |usage| records.iter().filter(move |record| record.usage == usage);
    if fit == Fit::Each {
        let message = format!(
            "fit = \"each\" cannot be met with {replace}: while it stands, the \
                       records of usage 2 fit only the chain that comes and those of usage 3 only \
                       the one that is served"
        );
        return Some(Complaint::new(message).with_hint(OVERLAP));
    }
    for (usage, missing) in [(Usage::DaneTa, "2 1 1"), (Usage::DaneEe, "3 1 1")] {
        if with(usage).next().is_none() {
            let message = format!(
                "{replace} needs records of both usages, 3 for the chain that is served \
                 and 2 for the one that comes; there is none of usage {}",
                usage.number()
            );
            let hint = format!("{OVERLAP}, or add \"{missing}\" to `records`");
            return Some(Complaint::new(message).with_hint(hint));
        }
    }
    // Clients need not know SHA2-512 (RFC 6698, section 6); those that do not see half a bridge.
    let sha256 = |record: &&Parameters| record.matching_type == MatchingType::Sha2_256;
    let both = with(Usage::DaneTa).any(|record| sha256(&record))
        == with(Usage::DaneEe).any(|record| sha256(&record));
    if !both {
        let message = format!(
            "{replace} needs SHA2-256 (matching type 1) for both usages or for \
                       none: a client that does not know SHA2-512 would see one side of it alone"
        );
        return Some(Complaint::new(message).with_hint(OVERLAP));
    }
    None
}

/// Why an `overlap` bridge would hold too many records, if it would.
fn number_conflict(records: &[Parameters]) -> Option<Complaint> {
    let most = 2 * records.len();
    (RECORDS_MAX < most).then(|| {
        let number = records.len();
        let message = format!(
            "bridge = \"overlap\" holds each of these {number} records twice, {most} in all: some \
             large senders fail beyond {RECORDS_MAX}"
        );
        Complaint::new(message).with_hint(format!("keep to {} records", RECORDS_MAX / 2))
    })
}

/// A policy's name.
fn name(text: &str) -> Result<String, Complaint> {
    if text.trim().is_empty() {
        return Err(Complaint::new("a policy's name is not empty"));
    }
    Ok(text.to_owned())
}

/// The records of a settled host.
fn records(item: Item<'_>) -> Option<Vec<Parameters>> {
    let written = item.list("a list of records such as [\"2 1 1\", \"3 1 1\"]", |element| {
        element.parse(record)
    })?;
    if written.is_empty() {
        return item.complain(
            Complaint::new("there are no records: a host without any is not under DANE")
                .with_hint("write records = [\"2 1 1\", \"3 1 1\"]"),
        );
    }
    let scope = item.scope();
    let before = scope.reports.count();
    for (index, Spot { value, at }) in written.iter().enumerate() {
        if written[..index].iter().any(|spot| spot.value == *value) {
            let message = format!("`{value}` stands here twice");
            scope.complain(at, Complaint::new(message));
        }
    }
    let records = written.into_iter().map(|spot| spot.value).collect();
    (scope.reports.count() == before).then_some(records)
}

/// One of the records.
fn record(text: &str) -> Result<Parameters, Complaint> {
    let parameters: Parameters =
        text.parse().map_err(|error: ParametersError| Complaint::new(error.to_string()))?;
    if parameters.matching_type == MatchingType::Full {
        let digest = Parameters { matching_type: MatchingType::Sha2_256, ..parameters };
        let message = format!(
            "`{text}` would put a whole {} into the DNS, whose answers should stay small \
             (RFC 7671, section 10.1)",
            match parameters.selector {
                Selector::Cert => "certificate",
                Selector::Spki => "key",
            }
        );
        return Err(Complaint::new(message).with_hint(format!("write \"{digest}\"")));
    }
    Ok(parameters)
}

/// The degree of fit.
fn fit(text: &str) -> Result<Fit, Complaint> {
    match text {
        "any" => Ok(Fit::Any),
        "each" => Ok(Fit::Each),
        _ => Err(unknown("fit", text, ["any", "each"])),
    }
}

/// The form of the bridge.
fn bridge(text: &str) -> Result<Bridge, Complaint> {
    match text {
        "replace" => Ok(Bridge::Replace),
        "overlap" => Ok(Bridge::Overlap),
        _ => Err(unknown("bridge", text, ["replace", "overlap"])),
    }
}

/// Reads the `[key]` table.
fn key(table: Option<Table<'_>>) -> KeyTable {
    let default = defaults().key;
    let Some(mut table) = table else {
        return KeyTable { on_renewal: default.on_renewal, standby: Given::Absent };
    };
    let reuse = table.given("on-renewal", |item| {
        item.parse(|text| match text {
            "new" => Ok(false),
            "reuse" => Ok(true),
            _ => Err(unknown("way with keys", text, ["new", "reuse"])),
        })
    });
    let rotate_every = table.given("rotate-every", positive_span);
    let standby = table.given("standby", |item| item.boolean());
    if let (Some(false), Some(rotate_every)) = (settled(&reuse, false), rotate_every.spot()) {
        let message = "`rotate-every` says nothing where every renewal takes a new key";
        let complaint = Complaint::new(message).with_hint("write on-renewal = \"reuse\"");
        table.scope().complain(&rotate_every.at, complaint);
    }
    table.finish();
    let on_renewal = match reuse.value() {
        Some(true) => OnRenewal::Reuse { rotate_every: rotate_every.value() },
        Some(false) => OnRenewal::New,
        None => default.on_renewal,
    };
    KeyTable { on_renewal, standby }
}

/// Reads the `[timing]` table.
fn timing(table: Option<Table<'_>>, default: Timing) -> Timing {
    let Some(mut table) = table else {
        return default;
    };
    let ttl_multiple = table.given("ttl-multiple", |item| item.number(1));
    let mut span = |key, default| {
        let given = table.given(key, |item: Item<'_>| item.span());
        given.value().unwrap_or(default)
    };
    let timing = Timing {
        ttl_multiple: ttl_multiple.value().unwrap_or(default.ttl_multiple),
        margin: span("margin", default.margin),
        minimum_wait: span("minimum-wait", default.minimum_wait),
        propagation_holdoff: span("propagation-holdoff", default.propagation_holdoff),
        drain: span("drain", default.drain),
        // With no time to show, no deployment would ever succeed.
        probe_timeout: table
            .given("probe-timeout", positive_span)
            .value()
            .unwrap_or(default.probe_timeout),
    };
    table.finish();
    timing
}

/// Reads the `[renewal]` table.
fn renewal(table: Option<Table<'_>>, default: BeforeExpiry) -> BeforeExpiry {
    let Some(mut table) = table else {
        return default;
    };
    let given = table.given("before-expiry", |item| item.parse(before_expiry));
    table.finish();
    given.value().unwrap_or(default)
}

/// A part of the lifetime, or a duration.
fn before_expiry(text: &str) -> Result<BeforeExpiry, Complaint> {
    let form = || {
        let message = format!(
            "`{text}` is neither a part of the lifetime such as `1/3` nor a \
                               duration such as `30d`"
        );
        Complaint::new(message)
    };
    let Some((numerator, denominator)) = text.split_once('/') else {
        let span: Span = text.parse().map_err(|_| form())?;
        if span == Span::ZERO {
            let message = "a certificate that is replaced when it expires is replaced too late";
            return Err(Complaint::new(message).with_hint("write \"1/3\""));
        }
        return Ok(BeforeExpiry::Span(span));
    };
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| form());
    let (numerator, denominator) = (number(numerator)?, number(denominator)?);
    if numerator == 0 || denominator <= numerator {
        let message = format!(
            "`{text}` is not a part of the lifetime: it must be more than nothing and less than all"
        );
        return Err(Complaint::new(message).with_hint("write \"1/3\""));
    }
    Ok(BeforeExpiry::Fraction { numerator, denominator })
}

/// Reads the `[retry]` table.
fn retry(table: Option<Table<'_>>, default: Retry) -> Retry {
    let Some(mut table) = table else {
        return default;
    };
    let first = table.given("first", positive_span);
    let factor = table.given("factor", |item| item.number(1));
    let max = table.given("max", positive_span);
    if let (Some(shortest), Some(longest)) =
        (settled(&first, default.first), settled(&max, default.max))
        && longest < shortest
        && let Some(at) = place(&max).or_else(|| place(&first))
    {
        let message =
            format!("the longest pause, {longest}, is shorter than the first, {shortest}");
        table.scope().complain(at, Complaint::new(message));
    }
    table.finish();
    Retry {
        first: first.value().unwrap_or(default.first),
        factor: factor.value().unwrap_or(default.factor),
        max: max.value().unwrap_or(default.max),
    }
}

/// A duration that is not zero.
fn positive_span(item: Item<'_>) -> Option<Span> {
    let span = item.span()?;
    if span == Span::ZERO {
        let message = format!("`{}` is more than no time", item.key());
        return item.complain(Complaint::new(message));
    }
    Some(span)
}

#[cfg(test)]
mod tests;
