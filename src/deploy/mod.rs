//! Puts credentials where a mail server reads them, and makes it read them.
//!
//! [`bundle`] is what a file holds, [`mod@file`] how it appears under its name in one stroke,
//! [`Files`] the deployer that the configuration calls `files`.

mod bundle;
mod file;
mod generation;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::command;
use crate::config::{FilesConfig, Place};
use crate::pki::KeyType;
use crate::ports::{Credential, DeployError, Deployed, Deployer};

/// Deploys into files, then runs a reload command.
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

    /// Puts the files in place.
    fn write(&self, credentials: &[Credential]) -> Result<(), DeployError> {
        let access = file::access(&self.config)?;
        match &self.config.place {
            Place::ChainFiles(files) => {
                for credential in credentials {
                    let path = self.chain_file(files, credential.key_type)?;
                    file::replace(path, bundle::key_and_chain(credential).as_bytes(), access)?;
                }
                Ok(())
            }
            Place::Separate { certificate_file, key_file } => {
                let [credential] = credentials else {
                    let second = credentials.get(1).map(|credential| credential.key_type);
                    let key_type = second.unwrap_or(self.key_types[0]);
                    return Err(DeployError::NoPlace { key_type });
                };
                generation::switch(certificate_file, key_file, credential, access)
            }
        }
    }

    /// The chain file of a key type.
    fn chain_file<'a>(
        &self,
        files: &'a [PathBuf],
        key_type: KeyType,
    ) -> Result<&'a Path, DeployError> {
        let position = self.key_types.iter().position(|other| *other == key_type);
        let file = position.and_then(|position| files.get(position));
        file.map(PathBuf::as_path).ok_or(DeployError::NoPlace { key_type })
    }

    /// Runs the reload command.
    async fn reload(&self) -> Result<Deployed, DeployError> {
        if self.config.reload.is_empty() {
            return Ok(Deployed::default());
        }
        let FilesConfig { reload, reload_timeout, .. } = &self.config;
        match command::run(reload, *reload_timeout).await {
            Ok(output) => Ok(Deployed { output }),
            Err(error) => {
                let lines = error.output().lines().map(|line| format!("\n    {line}"));
                let output = lines.collect();
                let (command, what) = (command::quoted(reload), error.to_string());
                Err(DeployError::Reload { command, what, output })
            }
        }
    }
}

#[async_trait]
impl Deployer for Files {
    async fn current(&self) -> Result<Vec<Credential>, DeployError> {
        let mut credentials = Vec::new();
        match &self.config.place {
            Place::ChainFiles(files) => {
                for path in files {
                    if let Some(text) = file::read(path)? {
                        credentials.push(bundle::parse(&path.display().to_string(), &text)?);
                    }
                }
            }
            Place::Separate { certificate_file, key_file } => {
                if let (Some(chain), Some(key)) =
                    (file::read(certificate_file)?, file::read(key_file)?)
                {
                    let path =
                        format!("{} with {}", certificate_file.display(), key_file.display());
                    credentials.push(bundle::parse(&path, &format!("{key}\n{chain}"))?);
                }
            }
        }
        Ok(credentials)
    }

    async fn deploy(&self, credentials: &[Credential]) -> Result<Deployed, DeployError> {
        self.write(credentials)?;
        self.reload().await
    }
}

#[cfg(test)]
mod tests;
