//! The notices that have not arrived, and the trouble that was told of, in the state directory.
//!
//! ```text
//! STATE-DIR/notices/troubles.json                 what was told of and is not over
//! STATE-DIR/notices/1764000000000-0-trouble.json  a notice, and the channels that have not taken it
//! ```
//!
//! Notices are written first and the troubles last: a crash in between tells something twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::occasion::{self, Doing, News, VERSION};
use super::{Kind, Notice};
use crate::config::NotifyConfig;
use crate::durable::{self, DurableError};
use crate::ledger::PassLock;
use crate::time::Timestamp;

/// Where the troubles are kept.
const TROUBLES: &str = "troubles.json";

/// The notices that have not arrived.
#[derive(Debug)]
pub struct Outbox {
    /// Where they are.
    directory: PathBuf,
}

/// What could not be written. What is on disk already is sent all the same.
#[derive(Debug, thiserror::Error)]
#[error("{}; nobody is told of what this pass found", .0.describe())]
pub struct OutboxError(#[from] DurableError);

/// A channel that did not take a notice, which is tried again in the next pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Undelivered {
    /// The channel, as the configuration has it.
    pub channel: String,
    /// What happened.
    pub reason: String,
    /// How many notices wait for it.
    pub waiting: usize,
}

/// A notice on its way.
#[derive(Debug, Deserialize, Serialize)]
struct Letter {
    /// The version of this form.
    version: u32,
    /// What is told.
    notice: Notice,
    /// The channels that have not taken it, by name.
    pending: BTreeSet<String>,
}

/// The troubles as they are kept.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Troubles {
    /// The version of this form.
    version: u32,
    /// By host.
    hosts: BTreeMap<String, Doing>,
}

impl Outbox {
    /// The outbox of a state directory. The lock is asked for because two passes that told the same
    /// trouble would both believe to be the first.
    pub fn open(state_dir: &Path, _held: &PassLock) -> Self {
        Self { directory: state_dir.join("notices") }
    }

    /// Keeps what the news are worth telling.
    ///
    /// # Errors
    ///
    /// Where it could not be written. The next pass finds the same trouble, and tries again.
    pub fn post(
        &self,
        news: &[News],
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let kept: Troubles = read(&self.directory.join(TROUBLES)).unwrap_or_default();
        let mut hosts = kept.hosts.clone();
        let notices = occasion::notices(news, &mut hosts, config, now);
        if notices.is_empty() && hosts == kept.hosts {
            return Ok(());
        }
        durable::create_directory(&self.directory)?;
        for (number, notice) in notices.into_iter().enumerate() {
            let pending = Channel::all(config).iter().map(|c| c.name().to_owned()).collect();
            let path = self.free_path(now, number, notice.kind);
            write(&path, &Letter { version: VERSION, notice, pending })?;
        }
        write(&self.directory.join(TROUBLES), &Troubles { version: VERSION, hosts })?;
        Ok(())
    }

    /// Offers every notice, the oldest first, to the channels that have not taken it. A channel that
    /// fails is not asked again in this pass, so that one that hangs costs one time-out.
    pub async fn deliver(&self, config: &NotifyConfig) -> Vec<Undelivered> {
        let mut failed: BTreeMap<String, Undelivered> = BTreeMap::new();
        let channels = Channel::all(config);
        for path in self.letters() {
            let Some(mut letter) = read::<Letter>(&path) else { continue };
            let before = letter.pending.len();
            // A channel that is not configured any more will never take it.
            letter.pending.retain(|name| channels.iter().any(|channel| channel.name() == name));
            for channel in &channels {
                let name = channel.name();
                if !letter.pending.contains(name) {
                    continue;
                }
                if let Some(failed) = failed.get_mut(name) {
                    failed.waiting += 1;
                    continue;
                }
                match channel.send(&letter.notice).await {
                    Ok(()) => {
                        letter.pending.remove(name);
                    }
                    Err(reason) => {
                        let channel = channel.to_string();
                        let undelivered = Undelivered { channel, reason, waiting: 1 };
                        failed.insert(name.to_owned(), undelivered);
                    }
                }
            }
            let kept = match letter.pending.is_empty() {
                true => durable::remove(&path),
                false if letter.pending.len() < before => write(&path, &letter),
                false => Ok(()),
            };
            if let Err(error) = kept {
                tracing::warn!(error = error.describe(), "a notice will be sent again");
            }
        }
        failed.into_values().collect()
    }

    /// A name that no notice has, and that sorts by time.
    fn free_path(&self, now: Timestamp, mut number: usize, kind: Kind) -> PathBuf {
        loop {
            let (millis, kind) = (now.as_millis(), kind.as_str());
            let path = self.directory.join(format!("{millis:014}-{number:04}-{kind}.json"));
            if !path.exists() {
                return path;
            }
            number += 1;
        }
    }

    /// The files of the notices, the oldest first.
    fn letters(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        let is_letter = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".json") && name.starts_with(|c: char| c.is_ascii_digit())
        };
        let mut letters: Vec<PathBuf> = paths.filter(is_letter).collect();
        letters.sort();
        letters
    }
}

/// What a file holds; `None` where it cannot be read.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = std::fs::read(path).ok()?;
    match serde_json::from_slice(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "not a notice of ours");
            None
        }
    }
}

/// Writes a file of the outbox.
fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), DurableError> {
    let text = serde_json::to_vec_pretty(value).expect("a notice has texts and numbers alone");
    durable::write_private(path, &text)
}
