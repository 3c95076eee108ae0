//! `rollover hook`: keeps what another ACME client brings, and makes a short pass.
//!
//! It ends well unless what was brought could not be kept: whether and when it goes live is decided by
//! that pass and the later ones, and the client has no part in it. A certificate that is none of ours
//! is none of our business.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::Failure;
use super::args::Global;
use super::httpreq;
use super::report::{self, Stays};
use super::world::{self, World};
use crate::clock::SystemClock;
use crate::config::{Configuration, HostConfig, IssuerConfig};
use crate::dns::Authority;
use crate::hook::{
    self, Call, Challenge, Obtained, Occasion, Operation, Prover, Recipient, Surroundings,
    recipients,
};
use crate::issuer::{Arrival, Staging};
use crate::ledger::PassLock;
use crate::name::DnsName;
use crate::pass::Report;
use crate::pki::{Certificate, KeyType, Sha256Digest};
use crate::ports::{Clock, Credential};
use crate::rollover::observation::Sight;
use crate::time::Timestamp;

/// The name under which the program is a hook alone: for clients whose hook is one path without
/// arguments.
const HOOK_NAME: &str = "rollover-hook";

/// Where the two streams of a command go.
pub(super) struct Streams<'a> {
    /// Standard output.
    pub(super) out: &'a mut (dyn Write + Send),
    /// Standard error.
    pub(super) err: &'a mut (dyn Write + Send),
}

impl Streams<'_> {
    /// Says what happened.
    fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    /// Says what somebody should do something about.
    fn warn(&mut self, message: &str, hint: &str) {
        let _ = writeln!(self.err, "rollover: {message}\n  hint: {hint}");
    }
}

/// The command line as it is parsed: where the program is called `rollover-hook`, all arguments are
/// those of an ACME client.
pub(super) fn command_line(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let called = arguments.first().and_then(|name| Path::new(name).file_name());
    if called == Some(OsStr::new(HOOK_NAME)) {
        arguments.splice(1..1, ["hook".into(), "--".into()]);
    }
    arguments
}

/// Does what a client's call means.
///
/// # Errors
///
/// Where what it brings could not be kept, or a proof is not in the DNS as it asks for.
pub(super) async fn run(
    global: &Global,
    call: &[String],
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let text = |text: OsString| text.into_string().ok();
    let variables: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let around = Surroundings { arguments: call.to_vec(), variables };
    if around.arguments.first().is_some_and(|client| client == httpreq::NAME) {
        return httpreq::run(global, &around, out).await;
    }
    let call = hook::understand(around).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut streams = Streams { out, err };
    match call {
        Call::Nothing => Ok(()),
        // The client asks somebody else, or in another way: there is nothing to be said.
        Call::Decline => Err(Failure::Attention),
        Call::Challenges(challenges) => prove(global, &challenges, &mut streams).await,
        Call::Either(challenge, obtained) => {
            if let Err(failure) = prove(global, &[challenge], &mut streams).await {
                failure.tell(streams.err);
            }
            take(global, &obtained, &mut streams).await
        }
        Call::Certificate(obtained) => take(global, &obtained, &mut streams).await,
    }
}

/// Keeps what was obtained, and makes a short pass over the hosts that it is for.
async fn take(
    global: &Global,
    obtained: &Obtained,
    streams: &mut Streams<'_>,
) -> Result<(), Failure> {
    let (hosts, failures) = match keep(global, obtained, streams) {
        Ok(kept) => kept,
        Err(failure) => (Vec::new(), vec![failure]),
    };
    if obtained.occasion == Occasion::Syncing {
        // A veto would make the client order another one; it calls once more, and is told then.
        failures.iter().for_each(|failure| failure.tell(streams.err));
        return Ok(());
    }
    if !hosts.is_empty() {
        // It is kept: what fails from here on is for the next pass, and no matter of the client's.
        if let Err(failure) = pass(global, &hosts, obtained, streams).await {
            failure.tell(streams.err);
        }
    }
    let mut failures = failures.into_iter();
    let last = failures.next_back();
    failures.for_each(|failure| failure.tell(streams.err));
    last.map_or(Ok(()), Err)
}

/// Keeps what was obtained for each host that it is for. Returns their names, and for which hosts it
/// could not be kept.
fn keep(
    global: &Global,
    obtained: &Obtained,
    streams: &mut Streams<'_>,
) -> Result<(Vec<String>, Vec<Failure>), Failure> {
    let configuration = world::read_configuration(global)?;
    let credential = hook::read(obtained).map_err(|e| broken(e.to_string(), e.hint()))?;
    let names = credential.chain.leaf().dns_names().join(", ");
    let found = recipients(&configuration, credential.chain.leaf(), credential.key_type);
    if found.is_empty() && obtained.occasion == Occasion::New {
        let path = global.config.display();
        streams.say(&format!("{names}: this certificate is for no host of {path}"));
    }
    let (mut kept, mut failures) = (Vec::new(), Vec::new());
    for recipient in found {
        match recipient {
            Recipient::Suits(host) if global.dry_run => {
                streams.say(&format!("would stage {}", describe(host, &credential)));
            }
            Recipient::Suits(host) => {
                match keep_for(&configuration, host, obtained, &credential) {
                    Ok(Some(text)) => streams.say(&text),
                    Ok(None) => {}
                    Err(failure) => {
                        failures.push(failure);
                        continue;
                    }
                }
                kept.push(host.name.clone());
            }
            Recipient::LacksNames { host, names: lacking } => {
                let lacking: Vec<&str> = lacking.iter().map(|name| name.as_str()).collect();
                let lacking = lacking.join(", ");
                let message =
                    format!("the certificate for {names} lacks {lacking} of host {}", host.name);
                streams.warn(&message, "let the client obtain one for all `names` of the host");
            }
            Recipient::OtherKeyType { host, .. } => failures.push(other_type(host, &credential)),
        }
    }
    Ok((kept, failures))
}

/// Keeps a credential for one host, and says what there is to say of it.
fn keep_for(
    configuration: &Configuration,
    host: &HostConfig,
    obtained: &Obtained,
    credential: &Credential,
) -> Result<Option<String>, Failure> {
    let external =
        |(_, issuer): &(&String, &IssuerConfig)| matches!(issuer, IssuerConfig::External(_));
    let Some((external, _)) = configuration.issuers.iter().find(external) else {
        return Err(broken(
            format!("{} does not take certificates of other clients", host.name),
            "give the host an issuer with `type = \"external\"` (docs/hooks.md)",
        ));
    };
    let staging = Staging::new(&configuration.state_dir, &host.name);
    let now = SystemClock::new().now().wall;
    if is_second_to_staged(&staging, host, credential, now) {
        return Ok(Some(format!(
            "{} is left alone: it names the host by a wildcard, and the one staged before by name",
            describe(host, credential)
        )));
    }
    let arrival = match obtained.occasion {
        Occasion::Unchanged => staging.stage_unless_given_up(credential, &host.names, now),
        Occasion::New | Occasion::Syncing => staging.stage(credential, &host.names, now),
    };
    let failed = |e: crate::issuer::StagingError| {
        broken(format!("the certificate for {} is not kept: {e}", host.name), e.hint())
    };
    let arrival = arrival.map_err(failed)?;
    if host.policy.key.standby
        && let Some(path) = obtained.next_key.as_ref().filter(|path| path.exists())
    {
        let (key_type, key) = hook::read_key(path).map_err(|e| broken(e.to_string(), e.hint()))?;
        staging.stage_next_key(key_type, &key).map_err(failed)?;
    }
    let is_taken =
        matches!(configuration.issuers.get(&host.issuer), Some(IssuerConfig::External(_)));
    Ok(match (arrival, is_taken) {
        (Arrival::Known | Arrival::GivenUp, _) => None,
        (Arrival::Staged, true) => {
            let missing = match configuration.takes_any_key(host) {
                true => String::new(),
                false => missing_types(&staging, host),
            };
            Some(format!("staged {}{missing}", describe(host, credential)))
        }
        (Arrival::Staged, false) => Some(format!(
            "staged {}; it is not used while the issuer is `{}`: rollover --new-ca {external} \
             --host {}",
            describe(host, credential),
            host.issuer,
            host.name
        )),
    })
}

/// What is still to come before anything can begin, as the end of a sentence.
fn missing_types(staging: &Staging, host: &HostConfig) -> String {
    let is_missing = |key_type: &&KeyType| matches!(staging.credential(**key_type), Ok(None));
    let missing = host.key_types.iter().filter(is_missing).map(|key_type| key_type.as_str());
    match missing.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        missing => format!("; held until one with a key of type {missing} is there as well"),
    }
}

/// Whether a certificate names a host by a wildcard alone, where a staged one names it: a client that
/// renews both must not have them replace each other.
fn is_second_to_staged(
    staging: &Staging,
    host: &HostConfig,
    credential: &Credential,
    now: Timestamp,
) -> bool {
    let is_named = |certificate: &Certificate, name: &DnsName| {
        certificate.dns_names().iter().any(|own| own.parse().as_ref() == Ok(name))
    };
    let names_all = |leaf: &Certificate| host.names.iter().all(|name| is_named(leaf, name));
    let staged = staging.credential(credential.key_type).ok().flatten();
    let staged = staged.map(|staged| staged.chain.leaf().clone());
    let is_better = |leaf: Certificate| names_all(&leaf) && now < leaf.not_after();
    !names_all(credential.chain.leaf()) && staged.is_some_and(is_better)
}

/// A certificate in words.
fn describe(host: &HostConfig, credential: &Credential) -> String {
    let leaf = credential.chain.leaf();
    format!(
        "for {}: {} certificate of {}, serial {}, key {}, valid until {}",
        host.name,
        credential.key_type,
        leaf.issuer(),
        leaf.serial(),
        leaf.spki_sha256().short(),
        leaf.not_after()
    )
}

/// The key is of a type that the host does not have.
fn other_type(host: &HostConfig, credential: &Credential) -> Failure {
    let types: Vec<&str> = host.key_types.iter().map(|key_type| key_type.as_str()).collect();
    let key_type = credential.key_type;
    Failure::Broken {
        message: format!(
            "the certificate for {} is not kept: its key is of type {key_type}, and the host has {}",
            host.name,
            types.join(", ")
        ),
        hint: format!(
            "write `key-types = [\"{key_type}\"]` at the host, or let the client make other keys"
        ),
    }
}

/// Something is not as it has to be.
fn broken(message: String, hint: &str) -> Failure {
    Failure::Broken { message, hint: hint.to_owned() }
}

/// Makes a pass over the hosts for which something was brought. It waits for what was just done to
/// show, and for nothing else.
async fn pass(
    global: &Global,
    hosts: &[String],
    obtained: &Obtained,
    streams: &mut Streams<'_>,
) -> Result<(), Failure> {
    let global = Global { hosts: hosts.to_vec(), ..global.clone() };
    let world = World::open(&global)?;
    let _lock = match PassLock::acquire(&world.state_dir).map_err(Failure::from) {
        Ok(lock) => lock,
        Err(Failure::Held(reason)) => {
            streams.say(&format!("{reason}; it, or the next one, takes what is staged"));
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let key = hook::read_key(&obtained.key).ok().map(|(_, key)| key.spki_sha256());
    for host in &world.hosts {
        let name = &host.spec().name;
        match host.run(None).await {
            Ok(report) => {
                let now = world.clock.now().wall;
                if !global.quiet {
                    let text = report::happened(&report, now, Stays::No);
                    let _ = streams.out.write_all(text.as_bytes());
                }
                let attention = report::attention(name, &report.attention);
                let _ = streams.err.write_all(attention.as_bytes());
                if key.is_some_and(|key| is_served_behind_our_back(&report, &key)) {
                    streams.warn(
                        &format!(
                            "{name} presents this certificate, and rollover did not deploy it"
                        ),
                        "the mail server reads the client's own files: let it read those of the \
                         host's `deploy` table, or senders meet certificates that no record fits",
                    );
                }
            }
            Err(error) => {
                let _ = streams.err.write_all(report::broken(name, &error).as_bytes());
            }
        }
    }
    Ok(())
}

/// Whether listeners present a key that was not put in place.
fn is_served_behind_our_back(report: &Report, key: &Sha256Digest) -> bool {
    let deployed = report.state.served.deployment.as_ref().map(|deployment| deployment.bundle);
    let bundle = deployed.and_then(|id| report.state.bundles.get(&id));
    let ours = bundle.is_some_and(|b| b.chains().any(|c| c.leaf().spki_sha256() == *key));
    let presents = |sight: &Sight| match sight {
        Sight::Presented(chains) => chains.iter().any(|c| c.0.leaf().spki_sha256() == *key),
        Sight::NotOffered | Sight::NoTls { .. } | Sight::Silent { .. } => false,
    };
    !ours && report.seen.listeners.values().any(presents)
}

/// Publishes proofs, or removes them, each through the provider of the host that has the name.
pub(super) async fn prove(
    global: &Global,
    challenges: &[Challenge],
    streams: &mut Streams<'_>,
) -> Result<(), Failure> {
    let configuration = world::read_configuration(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let anchors = world::read_anchors(&configuration)?;
    let servers = &configuration.resolver.servers;
    let dns = Arc::new(Authority::new(servers, anchors, Arc::clone(&clock)));
    let publishers = world::publishers(&configuration, &clock)?;
    for challenge in challenges {
        let host = configuration.hosts.values().find(|h| h.names.contains(&challenge.domain));
        let provider = match host {
            Some(host) => publishers.get(&host.dns),
            // Another domain of the same client: where there is one provider, it may know it too.
            None => publishers.values().next().filter(|_| publishers.len() == 1),
        };
        let publisher = provider.ok_or_else(|| {
            broken(
                format!(
                    "{} is a name of no host, so no provider is known for it",
                    challenge.domain
                ),
                "prove control over it in another way, or add it to a host's `names`",
            )
        })?;
        if global.dry_run {
            continue;
        }
        let prover = Prover {
            dns: dns.clone(),
            publisher: Arc::clone(publisher),
            ignored_name_servers: host.map(|h| h.ignore_name_servers.clone()).unwrap_or_default(),
            clock: Arc::clone(&clock),
        };
        let served = prover.serve(challenge).await;
        served.map_err(|error| broken(error.to_string(), error.hint()))?;
        if challenge.operation == Operation::Present {
            streams.say(&challenge.published());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_its_own_name_all_arguments_are_the_clients() {
        let line = |words: &[&str]| {
            let line = command_line(words.iter().map(OsString::from));
            line.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(
            line(&["/usr/lib/rollover-hook", "deploy_challenge", "-x"]),
            ["/usr/lib/rollover-hook", "hook", "--", "deploy_challenge", "-x"]
        );
        assert_eq!(line(&["/usr/bin/rollover", "status"]), ["/usr/bin/rollover", "status"]);
    }
}
