//! The deployer that writes files and runs a reload command.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{bundle, file, generation, place};
use crate::command::{self, CommandError};
use crate::config::{FilesConfig, Place};
use crate::crash;
use crate::durable::{self, Access};
use crate::pki::KeyType;
use crate::ports::{Credential, DeployError, Deployed, Deployer};

/// Deploys into files, then runs a reload command.
///
/// Only one may deploy into a file at a time: the ledger's lock sees to that.
#[derive(Clone, Debug)]
pub struct Files {
    /// What the configuration says.
    config: FilesConfig,
    /// The host's key types, in the order of its chain files.
    key_types: Vec<KeyType>,
}

impl Files {
    /// A deployer for a host with these key types.
    pub fn new(config: FilesConfig, key_types: Vec<KeyType>) -> Self {
        Self { config, key_types }
    }

    /// What is in place.
    fn read(&self) -> Result<Vec<Credential>, DeployError> {
        match &self.config.place {
            Place::ChainFiles(files) => {
                let read = |path: &PathBuf| {
                    file::refuse_link(path)?;
                    let text = file::read(path)?;
                    text.map(|text| bundle::parse(&path.display().to_string(), &text)).transpose()
                };
                files.iter().filter_map(|path| read(path).transpose()).collect()
            }
            Place::Separate { certificate_file, key_file } => {
                Ok(generation::read(certificate_file, key_file)?.into_iter().collect())
            }
        }
    }

    /// The types of the keys that are in place, as far as they can be read.
    pub fn key_types_in_place(&self) -> Vec<KeyType> {
        let found = self.read().unwrap_or_default();
        found.iter().map(|credential| credential.key_type).collect()
    }

    /// Puts credentials in place.
    fn write(&self, credentials: &[Credential]) -> Result<(), DeployError> {
        let access = file::access(&self.config).map_err(DeployError::before_any_change)?;
        match &self.config.place {
            Place::ChainFiles(files) => self.write_chain_files(files, credentials, access),
            Place::Separate { certificate_file, key_file } => match credentials {
                [] => Ok(()),
                [credential] => generation::switch(certificate_file, key_file, credential, access),
                [_, second, ..] => Err(DeployError::NoPlace { key_type: second.key_type }),
            },
        }
    }

    /// Puts each credential into its chain file. All are on the disk before the first has its name,
    /// so that a full disk or a wrong owner leaves every file as it was.
    fn write_chain_files(
        &self,
        files: &[PathBuf],
        credentials: &[Credential],
        access: Access,
    ) -> Result<(), DeployError> {
        let placed = place::in_chain_files(files, &self.key_types, credentials)
            .map_err(DeployError::before_any_change)?;
        let stage = |(path, credential): (&&Path, &&Credential)| {
            file::refuse_link(path)?;
            durable::sweep(path);
            let content = bundle::key_and_chain(credential);
            durable::stage(path, content.as_bytes(), access).map_err(|e| file::not_written(&e))
        };
        let staged: Result<Vec<_>, _> = placed.iter().map(stage).collect();
        for staged in staged.map_err(DeployError::before_any_change)? {
            staged.put().map_err(|error| file::not_written(&error))?;
        }
        Ok(())
    }

    /// Makes the mail server read its files.
    async fn reload(&self) -> Result<Deployed, DeployError> {
        let FilesConfig { reload, reload_timeout, .. } = &self.config;
        if reload.is_empty() {
            return Ok(Deployed::default());
        }
        crash::point("deployment: before the reload");
        match command::run(reload, *reload_timeout).await {
            Ok(output) => {
                crash::point("deployment: reloaded");
                Ok(Deployed { output })
            }
            Err(error) => Err(failed_command(reload, &error)),
        }
    }

    /// Does what waits for disks away from what waits for the network.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, DeployError> + Send + 'static,
    ) -> Result<T, DeployError> {
        let files = self.clone();
        match tokio::task::spawn_blocking(move || work(&files)).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

#[async_trait]
impl Deployer for Files {
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        self.on_disk(Self::read).await
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        let credentials = credentials.to_vec();
        self.on_disk(move |files| files.write(&credentials)).await?;
        self.reload().await
    }
}

/// A command that failed, with what it printed.
pub(super) fn failed_command(argv: &[String], error: &CommandError) -> DeployError {
    let output = error.output().lines().map(|line| format!("\n    {line}")).collect();
    let (command, what) = (command::quoted(argv), error.to_string());
    DeployError::Reload { command, what, output }
}

#[cfg(test)]
mod tests;
