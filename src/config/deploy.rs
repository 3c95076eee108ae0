//! The `deploy` tables: where key and chain go, and who reads them there.
//!
//! A host's table wins over `[defaults.deploy]` key by key, but for the keys that say where: they
//! belong together, and a host that names any of them has named them all. Defaults of another type
//! are none. What types other than `files` have of their own is [`far`].

mod far;

use std::path::PathBuf;

use self::far::FarKeys;
use super::context::{Item, Table, complain, path};
use super::{DeployConfig, FilesConfig, Place};
use crate::diagnostic::Location;
use crate::pki::KeyType;
use crate::table::{Complaint, Given, Reports, Spot, unknown};
use crate::time::Span;

/// Who may read the files where nothing is said: their owner alone.
const DEFAULT_MODE: u32 = 0o600;

/// How long a reload may take. No official reference; Postfix and Dovecot take a second, and a
/// service manager that waits for them its own 90 seconds at most.
const RELOAD_TIMEOUT: Span = Span::from_seconds(60);

/// What carries a host's credentials to where they go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Kind {
    /// This program, on this machine.
    #[default]
    Files,
    /// A command of the operator's.
    Exec,
    /// ssh.
    Ssh,
}

impl Kind {
    /// Every kind.
    const ALL: [Self; 3] = [Self::Files, Self::Exec, Self::Ssh];

    /// The name in the configuration.
    fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Exec => "exec",
            Self::Ssh => "ssh",
        }
    }
}

/// The keys of a `deploy` table as written.
#[derive(Clone, Debug, Default)]
pub(super) struct DeployKeys {
    /// What carries the files there.
    kind: Given<Kind>,
    /// Where they go.
    place: PlaceKeys,
    /// The files' owner.
    owner: Given<String>,
    /// The files' group.
    group: Given<String>,
    /// The files' permissions.
    mode: Given<u32>,
    /// The command that makes the server read them.
    reload: Given<Vec<String>>,
    /// Where that command's program is a relative path, which means something on this machine alone.
    relative_reload: Option<Location>,
    /// What the types other than `files` have of their own.
    far: FarKeys,
}

/// The keys that say where the files go.
#[derive(Clone, Debug, Default)]
struct PlaceKeys {
    /// Key and chain in one file for each key type.
    chain_files: Given<Vec<Spot<PathBuf>>>,
    /// The chain alone.
    certificate_file: Given<PathBuf>,
    /// The key alone.
    key_file: Given<PathBuf>,
    /// The first of them that is a relative path, which means something on this machine alone.
    relative: Option<Location>,
}

/// What a `deploy` table means for a host.
pub(super) struct Deployment {
    /// The meaning.
    pub(super) config: DeployConfig,
    /// Every file that is written; one on another machine with that machine's name before it.
    pub(super) targets: Vec<Spot<PathBuf>>,
}

/// The host that a deployment is for.
pub(super) struct Recipient<'a> {
    /// Its name and where it is defined.
    pub(super) host: &'a Spot<String>,
    /// Its key types; `None` where they are wrong.
    pub(super) key_types: Option<&'a [KeyType]>,
    /// All that is wrong so far.
    pub(super) reports: &'a Reports,
}

impl DeployKeys {
    /// Reads a `deploy` table.
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let kind = table.given("type", |item| item.parse(known_type));
        if let Given::Wrong = kind {
            // The keys of another type are not ours to judge.
            return Self { kind, ..Self::default() };
        }
        let relative = far::relative_file(&mut table);
        let relative_reload = far::relative_reload(&mut table);
        let keys = Self {
            kind,
            place: PlaceKeys {
                chain_files: table.given("chain-file", chain_files),
                certificate_file: table.given("certificate-file", path),
                key_file: table.given("key-file", path),
                relative,
            },
            owner: table.given("owner", |item| item.parse(account)),
            group: table.given("group", |item| item.parse(account)),
            mode: table.given("mode", |item| item.parse(mode)),
            reload: table.given("reload", argv),
            relative_reload,
            far: FarKeys::read(&mut table),
        };
        table.finish();
        keys
    }

    /// A table that is wrong as a whole.
    pub(super) fn wrong() -> Self {
        Self { kind: Given::Wrong, ..Self::default() }
    }

    /// The type; the usual one where none is named.
    fn kind(&self) -> Kind {
        self.kind.spot().map(|spot| spot.value).unwrap_or_default()
    }

    /// These keys, and those of `defaults` for what they do not say.
    pub(super) fn over(&self, defaults: &Self) -> Self {
        if !self.kind.is_absent() && self.kind() != defaults.kind() {
            return self.clone();
        }
        let place = if self.place.is_absent() { &defaults.place } else { &self.place };
        let reload_is_of = if self.reload.is_absent() { defaults } else { self };
        Self {
            kind: self.kind.or(&defaults.kind),
            place: place.clone(),
            owner: self.owner.or(&defaults.owner),
            group: self.group.or(&defaults.group),
            mode: self.mode.or(&defaults.mode),
            reload: self.reload.or(&defaults.reload),
            relative_reload: reload_is_of.relative_reload.clone(),
            far: self.far.over(&defaults.far),
        }
    }

    /// What these keys mean for a host; `None` where they are wrong.
    pub(super) fn settle(self, recipient: &Recipient<'_>) -> Option<Deployment> {
        if let Given::Wrong = self.kind {
            return None;
        }
        let kind = self.kind();
        self.refuse_strangers(kind, recipient);
        match kind {
            Kind::Files => {
                let (files, targets) = self.files(recipient)?;
                Some(Deployment { config: DeployConfig::Files(files), targets })
            }
            Kind::Exec => {
                let config = DeployConfig::Exec(self.far.exec(recipient)?);
                Some(Deployment { config, targets: Vec::new() })
            }
            Kind::Ssh => self.ssh(recipient),
        }
    }

    /// What these keys say of files, and every file that they name.
    fn files(&self, recipient: &Recipient<'_>) -> Option<(FilesConfig, Vec<Spot<PathBuf>>)> {
        let (place, targets) = self.place.clone().settle(recipient)?;
        let files = FilesConfig {
            place,
            owner: self.owner.clone().value(),
            group: self.group.clone().value(),
            mode: self.mode.clone().value().unwrap_or(DEFAULT_MODE),
            reload: self.reload.clone().value().unwrap_or_default(),
            reload_timeout: RELOAD_TIMEOUT,
        };
        Some((files, targets))
    }

    /// Reports every key that the type has no use for: what an operator wrote and nothing heeds
    /// would be a promise that is not kept.
    fn refuse_strangers(&self, kind: Kind, recipient: &Recipient<'_>) {
        fn at<T>(given: &Given<T>) -> Option<&Location> {
            given.spot().map(|spot| &spot.at)
        }
        let of_files = [
            ("chain-file", at(&self.place.chain_files)),
            ("certificate-file", at(&self.place.certificate_file)),
            ("key-file", at(&self.place.key_file)),
            ("owner", at(&self.owner)),
            ("group", at(&self.group)),
            ("mode", at(&self.mode)),
            ("reload", at(&self.reload)),
        ];
        let of_files = of_files.map(|(key, at)| (key, at, [Kind::Files, Kind::Ssh].as_slice()));
        for (key, at, kinds) in of_files.into_iter().chain(self.far.places()) {
            let Some(at) = at.filter(|_| !kinds.contains(&kind)) else { continue };
            let types: Vec<String> = kinds.iter().map(|k| format!("`{}`", k.as_str())).collect();
            let message = format!(
                "`{key}` is of no use with deploy type `{}`: it belongs to {}",
                kind.as_str(),
                types.join(" and ")
            );
            complain(recipient.reports, at, Complaint::new(message));
        }
    }
}

impl PlaceKeys {
    /// Whether none of the keys is there.
    fn is_absent(&self) -> bool {
        self.chain_files.is_absent()
            && self.certificate_file.is_absent()
            && self.key_file.is_absent()
    }

    /// What these keys mean for a host, and every file that they name.
    fn settle(self, recipient: &Recipient<'_>) -> Option<(Place, Vec<Spot<PathBuf>>)> {
        let name = &recipient.host.value;
        let refuse = |at: &_, message: String, hint: &str| {
            let complaint = Complaint::new(message).with_hint(hint);
            complain(recipient.reports, at, complaint);
        };
        match (self.chain_files, self.certificate_file, self.key_file) {
            (Given::Wrong, _, _) | (_, Given::Wrong, _) | (_, _, Given::Wrong) => None,
            (Given::Value(files), Given::Absent, Given::Absent) => chain_place(files, recipient),
            (Given::Absent, Given::Value(certificate), Given::Value(key)) => {
                separate_place(certificate, key, recipient)
            }
            (Given::Value(files), _, _) => {
                let message = format!(
                    "host `{name}` has `chain-file` as well as `certificate-file` or `key-file`"
                );
                refuse(&files.at, message, "`chain-file` alone holds both key and chain");
                None
            }
            (Given::Absent, Given::Value(Spot { at, .. }), Given::Absent) => {
                let message = format!("host `{name}` has a `certificate-file` and no `key-file`");
                refuse(&at, message, "the two are switched together: name both");
                None
            }
            (Given::Absent, Given::Absent, Given::Value(Spot { at, .. })) => {
                let message = format!("host `{name}` has a `key-file` and no `certificate-file`");
                refuse(&at, message, "the two are switched together: name both");
                None
            }
            (Given::Absent, Given::Absent, Given::Absent) => {
                let message = format!("host `{name}` does not say where its certificate goes");
                let hint = format!(
                    "write `[hosts.\"{name}\".deploy]` with a `chain-file`, \
                     or a `certificate-file` and a `key-file`"
                );
                refuse(&recipient.host.at, message, &hint);
                None
            }
        }
    }
}

/// One file for each key type.
fn chain_place(
    files: Spot<Vec<Spot<PathBuf>>>,
    recipient: &Recipient<'_>,
) -> Option<(Place, Vec<Spot<PathBuf>>)> {
    let key_types = recipient.key_types?;
    if files.value.len() != key_types.len() {
        let name = &recipient.host.value;
        let complaint = Complaint::new(format!(
            "host `{name}` has {} and {}",
            counted(files.value.len(), "chain file"),
            counted(key_types.len(), "key type"),
        ));
        let types: Vec<&str> = key_types.iter().map(|t| t.as_str()).collect();
        let hint =
            format!("write one chain file for each key type, in the order {}", types.join(", "));
        complain(recipient.reports, &files.at, complaint.with_hint(hint));
        return None;
    }
    let paths = files.value.iter().map(|file| file.value.clone()).collect();
    Some((Place::ChainFiles(paths), files.value))
}

/// A certificate file and a key file, which hold one key type.
fn separate_place(
    certificate: Spot<PathBuf>,
    key: Spot<PathBuf>,
    recipient: &Recipient<'_>,
) -> Option<(Place, Vec<Spot<PathBuf>>)> {
    let key_types = recipient.key_types?;
    if key_types.len() != 1 {
        let complaint = Complaint::new(format!(
            "host `{}` has one `certificate-file` and {}",
            recipient.host.value,
            counted(key_types.len(), "key type"),
        ));
        let hint = "write a list of chain files: `chain-file = [\"ecdsa.pem\", \"rsa.pem\"]`";
        let complaint = complaint.with_hint(hint);
        complain(recipient.reports, &certificate.at, complaint);
        return None;
    }
    let place = Place::Separate {
        certificate_file: certificate.value.clone(),
        key_file: key.value.clone(),
    };
    Some((place, vec![certificate, key]))
}

/// `1 key type`, `2 key types`.
fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Recognises a deployment's type.
fn known_type(text: &str) -> Result<Kind, Complaint> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or_else(|| unknown("deploy type", text, Kind::ALL.map(Kind::as_str)))
}

/// Reads a file, or a list of files.
fn chain_files(item: Item<'_>) -> Option<Vec<Spot<PathBuf>>> {
    if item.is_list() {
        return item.list("a file or a list of files", path);
    }
    let value = path(item)?;
    Some(vec![Spot { value, at: item.at() }])
}

/// Reads the name or number of an account or a group.
fn account(text: &str) -> Result<String, Complaint> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == ':' || c == '/';
    if text.is_empty() || text.starts_with('-') || text.contains(odd) {
        return Err(Complaint::new(format!("`{text}` is no account's name")));
    }
    Ok(text.to_owned())
}

/// Reads permissions, which others may have no part in: these files hold private keys.
fn mode(text: &str) -> Result<u32, Complaint> {
    let octal = (3..=4).contains(&text.len()) && text.chars().all(|c| c.is_digit(8));
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| octal);
    let Some(mode) = mode.filter(|mode| *mode <= 0o777) else {
        let complaint = Complaint::new(format!("`{text}` is no mode of a file"));
        return Err(complaint.with_hint("write it in octal: `mode = \"0640\"`"));
    };
    if mode & 0o007 != 0 {
        let complaint = Complaint::new(format!(
            "mode {mode:04o} opens the private key to every user of the machine"
        ));
        return Err(complaint.with_hint("write `0600`, or `0640` with a `group`"));
    }
    if mode & 0o400 == 0 {
        return Err(Complaint::new(format!(
            "mode {mode:04o} does not even let the file's owner read it"
        )));
    }
    Ok(mode)
}

/// Reads an argv. A program with a slash in it is a path, relative to the file it is named in.
pub(super) fn argv(item: Item<'_>) -> Option<Vec<String>> {
    let key = item.key();
    if let Some(line) = item.as_str() {
        let complaint = Complaint::new(format!("`{key}` takes an argv, never a shell line"));
        return item.complain(complaint.with_hint(argv_hint(key, line)));
    }
    let words = item.list("an argv such as [\"postfix\", \"reload\"]", |word| {
        word.parse(|text| match text.contains('\0') {
            true => Err(Complaint::new("no argument has a NUL character")),
            false => Ok(text.to_owned()),
        })
    })?;
    let mut argv: Vec<String> = words.into_iter().map(|word| word.value).collect();
    let Some(program) = argv.first_mut() else {
        return Some(argv);
    };
    if program.is_empty() {
        return item.complain(Complaint::new("the program to run has no name"));
    }
    if program.contains('/') {
        let path = item.scope().context.directory.join(&*program);
        *program = path.to_string_lossy().into_owned();
    }
    Some(argv)
}

/// What to write instead of a shell line.
fn argv_hint(key: &str, line: &str) -> String {
    let special = |c: char| !(c.is_alphanumeric() || " /._-+=:,@".contains(c));
    if line.trim().is_empty() || line.contains(special) {
        return format!("put the line into a script and write `{key} = [\"/path/to/script\"]`");
    }
    let words: Vec<String> =
        line.split(' ').filter(|w| !w.is_empty()).map(|w| format!("\"{w}\"")).collect();
    format!("write `{key} = [{}]`", words.join(", "))
}
