//! Secret files: found by path or as a systemd credential, and read only where others cannot.
//!
//! A key that every user of the machine can read is no secret. Such a file is refused before it is
//! read, with the command that mends it, because a program that goes on with it teaches its
//! operator that the mode does not matter. The group may read: BIND's keys are `root:bind 0640`.
//!
//! What is read is wiped from memory when it is dropped, and no message here ever quotes it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// What a reference to a systemd credential starts with.
const CREDENTIAL_PREFIX: &str = "credential:";

/// The permissions that others must not have: to read, and to put another secret in its place.
const OPEN_TO_OTHERS: u32 = 0o006;

/// The largest file that is read: keys are a hundredth of it, and a disk image is a mistake.
const LARGEST: u64 = 64 * 1024;

/// Why a secret file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It cannot be opened or read.
    #[error("cannot read the secret file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a directory, a pipe or a device.
    #[error("the secret file `{}` is not a regular file", path.display())]
    NotAFile {
        /// What was found there.
        path: PathBuf,
    },
    /// Every user of the machine can read or replace it.
    #[error(
        "the secret file `{}` has mode {mode:04o}, which lets every user of this machine {what} it; \
         run `{command}`",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What others can do with it.
        what: &'static str,
        /// The command that takes it from others.
        command: String,
    },
    /// It is far larger than any key.
    #[error("the secret file `{}` is larger than {LARGEST} octets: no key is", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not text.
    #[error("the secret file `{}` is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

/// Why a reference to a secret file leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// There is no file of this name.
    #[error("an empty text names no file")]
    Empty,
    /// A credential is asked for where systemd passed none.
    #[error(
        "`credential:{name}` names a systemd credential, but $CREDENTIALS_DIRECTORY is not set"
    )]
    NoCredentials {
        /// The credential's name.
        name: String,
    },
    /// The name could lead out of the credentials' directory, or to none in it.
    #[error("`{name}` is not the name of a systemd credential")]
    CredentialName {
        /// What was written.
        name: String,
    },
}

impl LocateError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCredentials { name } => Some(format!(
                "write `LoadCredential={name}:/path/to/file` into the unit, or name the file itself here"
            )),
            Self::CredentialName { .. } => {
                Some("write `credential:NAME` with the NAME of a `LoadCredential=` line".to_owned())
            }
            Self::Empty => None,
        }
    }
}

/// The file that `written` refers to: a path, relative to `base`, or `credential:NAME`, which is a
/// file in `credentials`, the value of `$CREDENTIALS_DIRECTORY`.
///
/// # Errors
///
/// Where it names a credential that cannot be, or nothing at all.
pub fn locate(
    written: &str,
    base: &Path,
    credentials: Option<&Path>,
) -> Result<PathBuf, LocateError> {
    let Some(name) = written.strip_prefix(CREDENTIAL_PREFIX) else {
        return if written.is_empty() { Err(LocateError::Empty) } else { Ok(base.join(written)) };
    };
    // As systemd has it: a file name, printable, without the colon that separates it from a path.
    let allowed = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    if matches!(name, "" | "." | "..") || !name.chars().all(allowed) {
        return Err(LocateError::CredentialName { name: name.to_owned() });
    }
    let directory =
        credentials.ok_or_else(|| LocateError::NoCredentials { name: name.to_owned() })?;
    Ok(directory.join(name))
}

/// Makes sure that the secret file at `path` can be read, and by no one whom it does not concern.
///
/// # Errors
///
/// Where it could not be used.
pub fn inspect(path: &Path) -> Result<(), SecretError> {
    open(path).map(|_| ())
}

/// Reads the secret file at `path`.
///
/// # Errors
///
/// Where it cannot be read, is no text, or is open to others.
pub fn read(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let (file, metadata) = open(path)?;
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let room = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut octets = Zeroizing::new(Vec::with_capacity(room));
    file.take(LARGEST)
        .read_to_end(&mut octets)
        .map_err(|source| SecretError::Read { path: path.to_owned(), source })?;
    match std::str::from_utf8(&octets) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(SecretError::NotText { path: path.to_owned() }),
    }
}

/// Opens the file at `path` and judges the file that was opened, not the name: nobody can exchange
/// it in between.
fn open(path: &Path) -> Result<(File, Metadata), SecretError> {
    let failed = |source| SecretError::Read { path: path.to_owned(), source };
    // A pipe without a writer would be waited for, and not by us.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    judge(path, &metadata)?;
    Ok((file, metadata))
}

/// Judges what is known of an opened file.
fn judge(path: &Path, metadata: &Metadata) -> Result<(), SecretError> {
    let path = || path.to_owned();
    if !metadata.is_file() {
        return Err(SecretError::NotAFile { path: path() });
    }
    let mode = metadata.mode() & 0o7777;
    let what = match mode & OPEN_TO_OTHERS {
        0 => None,
        0o002 => Some("replace"),
        0o004 => Some("read"),
        _ => Some("read and replace"),
    };
    if let Some(what) = what {
        return Err(SecretError::Exposed {
            mode,
            what,
            command: format!("chmod o-rwx {}", shell_word(&path().to_string_lossy())),
            path: path(),
        });
    }
    if LARGEST < metadata.len() {
        return Err(SecretError::TooLarge { path: path() });
    }
    Ok(())
}

/// Writes `text` so that a shell reads it as one word.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A file with this content and mode in `directory`.
    fn secret(directory: &Path, content: &[u8], mode: u32) -> PathBuf {
        let path = directory.join("a.key");
        File::create(&path).unwrap().write_all(content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_secret_is_read_where_others_cannot() {
        for (mode, refused) in [
            (0o600, None),
            (0o400, None),
            (0o640, None),
            (0o444, Some("read it")),
            (0o644, Some("read it")),
            (0o602, Some("replace it")),
            (0o666, Some("read and replace it")),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = secret(directory.path(), b"hush\n", mode);
            match (read(&path), refused) {
                (Ok(text), None) => assert_eq!(text.as_str(), "hush\n"),
                (Err(error), Some(what)) => {
                    let message = error.to_string();
                    let shown = path.display();
                    let command = format!("run `chmod o-rwx {shown}`");
                    for part in [what, &format!("mode {mode:04o}"), &command] {
                        assert!(message.contains(part), "{message}: no {part}");
                    }
                    assert!(!message.contains("hush"), "{message}");
                    assert!(inspect(&path).is_err());
                }
                (result, _) => panic!("mode {mode:04o}: {result:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_secret_file_is_refused_without_waiting_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        for path in [directory.path(), &pipe] {
            let error = read(path).unwrap_err();
            assert!(matches!(error, SecretError::NotAFile { .. }), "{error:?}");
        }
        let missing = read(&directory.path().join("none")).unwrap_err();
        assert!(matches!(missing, SecretError::Read { .. }), "{missing:?}");
        let binary = read(&secret(directory.path(), &[0xff, 0xfe], 0o600)).unwrap_err();
        assert!(matches!(binary, SecretError::NotText { .. }), "{binary:?}");
        let large = vec![b'a'; 64 * 1024 + 1];
        let large = read(&secret(directory.path(), &large, 0o600)).unwrap_err();
        assert!(matches!(large, SecretError::TooLarge { .. }), "{large:?}");
    }

    #[test]
    fn references_lead_to_paths_and_credentials() {
        let base = Path::new("/etc/rollover");
        let credentials = Some(Path::new("/run/credentials/rollover.service"));
        for (written, found) in [
            ("tsig.key", "/etc/rollover/tsig.key"),
            ("/etc/tsig.key", "/etc/tsig.key"),
            ("credential:tsig", "/run/credentials/rollover.service/tsig"),
        ] {
            assert_eq!(locate(written, base, credentials), Ok(PathBuf::from(found)), "{written}");
        }
        for written in
            ["", "credential:", "credential:..", "credential:../shadow", "credential:a:b"]
        {
            assert!(locate(written, base, credentials).is_err(), "{written}");
        }
        let unset = locate("credential:tsig", base, None).unwrap_err();
        assert_eq!(
            unset.to_string(),
            "`credential:tsig` names a systemd credential, but $CREDENTIALS_DIRECTORY is not set"
        );
        assert!(unset.hint().unwrap().contains("LoadCredential=tsig:"));
    }

    #[test]
    fn the_command_survives_odd_paths() {
        assert_eq!(shell_word("/etc/a b"), "'/etc/a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
