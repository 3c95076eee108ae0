//! The deployer that hands files to a command of the operator's.
//!
//! The command is told on its standard input, in one JSON object, which host it is for and where
//! key and chain lie in the state directory. Exit status 0 means: deployed, and the server reads it.
//! With any other status it shall have left in place what was there before.
//!
//! ```text
//! STATE/deploy/mail.example.nl/7/ecdsa-p256.key.pem      the key
//!                                ecdsa-p256.chain.pem    the chain
//!                                ecdsa-p256.pem          both, the key first
//!                              6/...                     what was deployed before
//!                              deployed -> 7             what the command last said yes to
//! ```
//!
//! A generation is named by a number that tells it from every other of the host: the same number is
//! the same certificates, so that a command that is called again, after a crash or to put the former
//! certificate back, can tell what it is given.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Serialize;
use zeroize::Zeroizing;

use super::file::{failed, not_written};
use super::files::failed_command;
use super::{bundle, file};
use crate::command;
use crate::config::{ExecConfig, HostConfig};
use crate::durable;
use crate::ports::{Credential, DeployError, Deployed, Deployer};

/// What a command is told first, so that it knows what else it is told.
const PROTOCOL: &str = "rollover-deploy/1";

/// The link to the generation that the command last said yes to.
const DEPLOYED: &str = "deployed";

/// Deploys by a command of the operator's.
///
/// Only one may deploy for a host at a time: the ledger's lock sees to that.
#[derive(Clone, Debug)]
pub struct Exec {
    /// What the configuration says.
    config: ExecConfig,
    /// The host, for the command.
    host: String,
    /// Its names, for the command.
    names: Vec<String>,
    /// Where the host's generations are kept.
    directory: PathBuf,
}

/// What a command is told. Fields are only ever added within a version of the protocol.
#[derive(Serialize)]
struct Told<'a> {
    /// The protocol and its version.
    protocol: &'static str,
    /// The host.
    host: &'a str,
    /// Its names.
    names: &'a [String],
    /// The number of the generation.
    generation: u64,
    /// What to deploy; one per key type.
    certificates: Vec<ToldCertificate>,
}

/// One certificate that a command is told to deploy.
#[derive(Serialize)]
struct ToldCertificate {
    /// The key's type.
    key_type: &'static str,
    /// The file with the private key.
    key_file: PathBuf,
    /// The file with the chain.
    chain_file: PathBuf,
    /// The file with both.
    bundle_file: PathBuf,
    /// The serial number.
    serial: String,
    /// The subject of the CA.
    issuer: String,
    /// From when it is valid.
    not_before: String,
    /// Until when it is valid.
    not_after: String,
    /// What tells its key from others.
    spki_sha256: String,
}

/// The name of a file of a generation.
fn file_name(credential: &Credential, what: &str) -> String {
    format!("{}{what}.pem", credential.key_type)
}

impl Exec {
    /// A deployer for `host` that keeps its files in `state_dir`.
    pub fn new(config: ExecConfig, host: &HostConfig, state_dir: &Path) -> Self {
        let names = host.names.iter().map(ToString::to_string).collect();
        let directory = state_dir.join("deploy").join(&host.name);
        Self { config, host: host.name.clone(), names, directory }
    }

    /// Keeps the credentials where the command can read them, and returns their generation.
    fn keep(&self, credentials: &[Credential]) -> Result<u64, DeployError> {
        let numbers = self.numbers();
        let holds = |number: &&u64| self.holds(**number, credentials);
        if let Some(number) = numbers.iter().find(holds) {
            return Ok(*number);
        }
        let number = numbers.last().map_or(1, |last| last.saturating_add(1));
        let generation = self.directory.join(number.to_string());
        durable::create_directory(&generation).map_err(|error| not_written(&error))?;
        for (name, content) in credentials.iter().flat_map(files_of) {
            durable::write_private(&generation.join(name), content.as_bytes())
                .map_err(|error| not_written(&error))?;
        }
        Ok(number)
    }

    /// Whether a generation holds these credentials, whole, and no others.
    fn holds(&self, number: u64, credentials: &[Credential]) -> bool {
        let generation = self.directory.join(number.to_string());
        let files: Vec<_> = credentials.iter().flat_map(files_of).collect();
        let there = fs::read_dir(&generation).map(Iterator::count);
        let same = |(name, content): &(String, Zeroizing<String>)| {
            let held = file::read(&generation.join(name));
            held.is_ok_and(|held| held.is_some_and(|held| held[..] == *content.as_bytes()))
        };
        there.is_ok_and(|there| there == files.len()) && files.iter().all(same)
    }

    /// The numbers of all generations, in order; those that a crash left half made among them.
    fn numbers(&self) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut numbers: Vec<u64> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// The generation that the command last said yes to.
    fn deployed(&self) -> Option<u64> {
        fs::read_link(self.directory.join(DEPLOYED)).ok()?.to_str()?.parse().ok()
    }

    /// Records that the command said yes, and removes what is neither this generation nor the one
    /// before it: the server may read its files where they are.
    fn conclude(&self, number: u64) -> Result<(), DeployError> {
        let before = self.deployed();
        if before != Some(number) {
            let (link, staged) =
                (self.directory.join(DEPLOYED), self.directory.join(".deployed.new"));
            durable::remove(&staged).map_err(|error| not_written(&error))?;
            symlink(number.to_string(), &staged).map_err(failed("create", &staged))?;
            fs::rename(&staged, &link).map_err(failed("replace", &link))?;
            durable::sync_directory(&self.directory).map_err(|error| not_written(&error))?;
            for other in self.numbers() {
                if other != number && Some(other) != before {
                    let _stays = fs::remove_dir_all(self.directory.join(other.to_string()));
                }
            }
        }
        Ok(())
    }

    /// What the command is told.
    fn told(&self, number: u64, credentials: &[Credential]) -> String {
        let generation = self.directory.join(number.to_string());
        let certificate = |credential: &Credential| {
            let leaf = credential.chain.leaf();
            ToldCertificate {
                key_type: credential.key_type.as_str(),
                key_file: generation.join(file_name(credential, ".key")),
                chain_file: generation.join(file_name(credential, ".chain")),
                bundle_file: generation.join(file_name(credential, "")),
                serial: leaf.serial().to_owned(),
                issuer: leaf.issuer().to_owned(),
                not_before: leaf.not_before().to_string(),
                not_after: leaf.not_after().to_string(),
                spki_sha256: leaf.spki_sha256().to_string(),
            }
        };
        let told = Told {
            protocol: PROTOCOL,
            host: &self.host,
            names: &self.names,
            generation: number,
            certificates: credentials.iter().map(certificate).collect(),
        };
        let text = serde_json::to_string(&told).expect("texts and numbers can be written as JSON");
        format!("{text}\n")
    }
}

/// The files of a credential, by name. Secrets.
fn files_of(credential: &Credential) -> [(String, Zeroizing<String>); 3] {
    [
        (file_name(credential, ".key"), bundle::key(credential)),
        (file_name(credential, ".chain"), Zeroizing::new(bundle::chain(credential))),
        (file_name(credential, ""), bundle::key_and_chain(credential)),
    ]
}

#[async_trait]
impl Deployer for Exec {
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        let ExecConfig { read_command, timeout, .. } = &self.config;
        let argv = read_command.as_ref().ok_or(DeployError::NothingToRead)?;
        match command::exchange(argv, b"", *timeout).await {
            Ok(answer) => {
                bundle::parse_all(&format!("what `{}` printed", command::quoted(argv)), &answer)
            }
            Err(error) => Err(failed_command(argv, &error)),
        }
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        let ExecConfig { command: argv, timeout, .. } = &self.config;
        let number = self.keep(credentials)?;
        let told = self.told(number, credentials);
        match command::feed(argv, told.as_bytes(), *timeout).await {
            Ok(output) => {
                self.conclude(number)?;
                Ok(Deployed { output })
            }
            Err(error) => Err(failed_command(argv, &error)),
        }
    }
}

#[cfg(test)]
mod tests;
