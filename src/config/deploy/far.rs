//! What the deploy types `exec` and `ssh` have of their own.
//!
//! What goes to another machine is told to a shell there, over its standard input and never as part
//! of a command line; still, what could not be meant is refused here: a machine that looks like an
//! option, a path that is relative to nobody knows what, a word with a line break in it.

use std::path::{Path, PathBuf};

use super::{DeployKeys, Deployment, Kind, Recipient, argv};
use crate::config::context::{Item, Table, complain, distinct};
use crate::config::{DeployConfig, ExecConfig, FilesConfig, MachineOrder, Place, SshConfig};
use crate::diagnostic::Location;
use crate::table::{Complaint, Given, Spot, unknown};
use crate::time::Span;

/// How long a command that deploys may take where nothing is said. No official reference: an API
/// call takes seconds, a run of Ansible over some machines a minute or two.
const EXEC_TIMEOUT: Span = Span::from_seconds(300);

/// How long each step on another machine may take where nothing is said: its reload, above all,
/// for which `files` allows as long.
const SSH_TIMEOUT: Span = Span::from_seconds(60);

/// How long a connection to another machine may take to come about where nothing is said. OpenSSH's
/// own default is the system's patience with TCP, some two minutes.
const CONNECT_TIMEOUT: Span = Span::from_seconds(10);

/// The keys of the types other than `files`, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct FarKeys {
    /// The command that deploys.
    command: Given<Vec<String>>,
    /// The command that prints what is in place.
    read_command: Given<Vec<String>>,
    /// How long a command, or a step on a machine, may take.
    timeout: Given<Span>,
    /// The machines.
    machines: Given<Vec<String>>,
    /// What else ssh is given.
    ssh: Given<Vec<String>>,
    /// In which order the machines switch.
    order: Given<MachineOrder>,
    /// How long a connection may take to come about.
    connect_timeout: Given<Span>,
}

impl FarKeys {
    /// Reads the keys from a `deploy` table.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        Self {
            command: table.given("command", program),
            read_command: table.given("read-command", program),
            timeout: table.given("timeout", some_time),
            machines: table.given("machines", machines),
            ssh: table.given("ssh", ssh_arguments),
            order: table.given("order", |item| item.parse(order)),
            connect_timeout: table.given("connect-timeout", whole_seconds),
        }
    }

    /// These keys, and those of `defaults` for what they do not say.
    pub(super) fn over(&self, defaults: &Self) -> Self {
        Self {
            command: self.command.or(&defaults.command),
            read_command: self.read_command.or(&defaults.read_command),
            timeout: self.timeout.or(&defaults.timeout),
            machines: self.machines.or(&defaults.machines),
            ssh: self.ssh.or(&defaults.ssh),
            order: self.order.or(&defaults.order),
            connect_timeout: self.connect_timeout.or(&defaults.connect_timeout),
        }
    }

    /// Where each key stands, and the types that it belongs to.
    pub(super) fn places(
        &self,
    ) -> impl Iterator<Item = (&'static str, Option<&Location>, &'static [Kind])> {
        fn at<T>(given: &Given<T>) -> Option<&Location> {
            given.spot().map(|spot| &spot.at)
        }
        const EXEC: &[Kind] = &[Kind::Exec];
        const SSH: &[Kind] = &[Kind::Ssh];
        [
            ("command", at(&self.command), EXEC),
            ("read-command", at(&self.read_command), EXEC),
            ("timeout", at(&self.timeout), &[Kind::Exec, Kind::Ssh]),
            ("machines", at(&self.machines), SSH),
            ("ssh", at(&self.ssh), SSH),
            ("order", at(&self.order), SSH),
            ("connect-timeout", at(&self.connect_timeout), SSH),
        ]
        .into_iter()
    }

    /// What these keys mean with type `exec`.
    pub(super) fn exec(&self, recipient: &Recipient<'_>) -> Option<ExecConfig> {
        if self.command.is_absent() {
            let hint = "write `command = [\"/usr/local/sbin/deploy-certificate\"]`";
            missing("command", hint, recipient);
        }
        Some(ExecConfig {
            command: self.command.clone().value()?,
            read_command: self.read_command.clone().value(),
            timeout: self.timeout.clone().value().unwrap_or(EXEC_TIMEOUT),
        })
    }
}

impl DeployKeys {
    /// What these keys mean with type `ssh`.
    pub(super) fn ssh(self, recipient: &Recipient<'_>) -> Option<Deployment> {
        if self.far.machines.is_absent() {
            let hint = "write `machines = [\"mx1.example.nl\", \"root@mx2.example.nl\"]`";
            missing("machines", hint, recipient);
        }
        let files = self.files(recipient);
        let mut relative = self.place.relative.iter().chain(&self.relative_reload).peekable();
        if relative.peek().is_some() {
            for at in relative {
                let complaint = Complaint::new("a file on another machine needs an absolute path");
                complain(recipient.reports, at, complaint);
            }
            return None;
        }
        let (files, targets) = files?;
        if !self.is_portable(&files, recipient) {
            return None;
        }
        let machines = self.far.machines.value()?;
        let on_each = |machine: &String| {
            let on = |path: &Path| PathBuf::from(format!("{machine}:{}", path.display()));
            targets
                .iter()
                .map(|target| Spot { value: on(&target.value), at: target.at.clone() })
                .collect::<Vec<_>>()
        };
        let targets = machines.iter().flat_map(on_each).collect();
        let timeout = self.far.timeout.value().unwrap_or(SSH_TIMEOUT);
        let config = SshConfig {
            machines,
            arguments: self.far.ssh.value().unwrap_or_default(),
            files: FilesConfig { reload_timeout: timeout, ..files },
            order: self.far.order.value().unwrap_or(MachineOrder::OneByOne),
            connect_timeout: self.far.connect_timeout.value().unwrap_or(CONNECT_TIMEOUT),
        };
        Some(Deployment { config: DeployConfig::Ssh(config), targets })
    }

    /// Whether each path and word can be told to another machine, a line each.
    fn is_portable(&self, files: &FilesConfig, recipient: &Recipient<'_>) -> bool {
        let refuse = |at: Option<&Location>, message: &str| {
            let at = at.unwrap_or(&recipient.host.at);
            complain(recipient.reports, at, Complaint::new(message));
            false
        };
        let paths: Vec<&Path> = match &files.place {
            Place::ChainFiles(files) => files.iter().map(PathBuf::as_path).collect(),
            Place::Separate { certificate_file, key_file } => vec![certificate_file, key_file],
        };
        let odd =
            |path: &&Path| path.file_name().is_none() || path.to_string_lossy().contains('\n');
        if paths.iter().any(odd) {
            let at = self.place.chain_files.spot().map(|spot| &spot.at);
            return refuse(at, "this is no path of a file on another machine");
        }
        if files.reload.iter().any(|word| word.contains('\n')) {
            let at = self.reload.spot().map(|spot| &spot.at);
            return refuse(at, "a word of a command on another machine has no line break");
        }
        true
    }
}

/// Reports that a host's deployment lacks a key.
fn missing(key: &str, hint: &str, recipient: &Recipient<'_>) {
    let message = format!("host `{}` has no `{key}` to deploy with", recipient.host.value);
    let complaint = Complaint::new(message).with_hint(hint);
    complain(recipient.reports, &recipient.host.at, complaint);
}

/// Whether a text that names a file does so only in relation to some directory.
fn is_relative(text: &str) -> bool {
    !text.starts_with('/')
}

/// The place of the first path of a file that is relative.
pub(super) fn relative_file(table: &mut Table<'_>) -> Option<Location> {
    let first = |item: Item<'_>| {
        let texts = match item.is_list() {
            true => item.list("", |element| Some(element.as_str()?.to_owned()))?,
            false => vec![Spot { value: item.as_str()?.to_owned(), at: item.at() }],
        };
        texts.into_iter().find(|text| is_relative(&text.value)).map(|text| text.at)
    };
    let keys = ["chain-file", "certificate-file", "key-file"];
    keys.into_iter().find_map(|key| table.given(key, first).value())
}

/// The place of a reload command's program that has a slash in it and is relative.
pub(super) fn relative_reload(table: &mut Table<'_>) -> Option<Location> {
    let program = table.given("reload", |item| {
        let words = item.is_list().then(|| item.list("", |word| Some(word.as_str()?.to_owned())));
        let first = words??.into_iter().next()?;
        (first.value.contains('/') && is_relative(&first.value)).then_some(first.at)
    });
    program.value()
}

/// Reads the argv of a command that has to be there.
fn program(item: Item<'_>) -> Option<Vec<String>> {
    let words = argv(item)?;
    if words.is_empty() {
        return item.complain(Complaint::new("an empty list names no command"));
    }
    Some(words)
}

/// Reads a duration in which something can be done.
fn some_time(item: Item<'_>) -> Option<Span> {
    let span = item.span()?;
    match span.as_millis() {
        0 => item.complain(Complaint::new("nothing is done in no time")),
        _ => Some(span),
    }
}

/// Reads a duration as ssh takes it.
fn whole_seconds(item: Item<'_>) -> Option<Span> {
    let span = some_time(item)?;
    match span.as_millis() % 1000 {
        0 => Some(span),
        _ => item.complain(Complaint::new(format!("{span} is not whole seconds, as ssh counts"))),
    }
}

/// Reads the machines.
fn machines(item: Item<'_>) -> Option<Vec<String>> {
    let machines = item.list("a list of machines", |machine| machine.parse(machine_name))?;
    if machines.is_empty() {
        return item.complain(Complaint::new("an empty list names no machine"));
    }
    let machines = distinct(item.scope(), machines, String::clone)?;
    Some(machines.into_iter().map(|machine| machine.value).collect())
}

/// Reads a machine as ssh is given it: a host, or a name of `ssh_config`, perhaps with a user.
fn machine_name(text: &str) -> Result<String, Complaint> {
    let fits = |part: &str, more: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || more.contains(c);
        !part.is_empty() && !part.starts_with('-') && part.chars().all(allowed)
    };
    let (user, host) = match text.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    };
    if fits(host, ":%") && user.is_none_or(|user| fits(user, "")) {
        return Ok(text.to_owned());
    }
    let complaint = Complaint::new(format!("`{text}` is no machine that ssh could be given"));
    Err(complaint.with_hint(
        "write `mx1.example.nl` or `root@mx1.example.nl`; a port goes into ssh_config, or into \
         `ssh = [\"-p\", \"2222\"]`",
    ))
}

/// Reads what else ssh is given: options, which come before the machine.
fn ssh_arguments(item: Item<'_>) -> Option<Vec<String>> {
    let words =
        item.list("a list of arguments such as [\"-i\", \"/etc/rollover/ssh.key\"]", |word| {
            word.parse(|text| match text.contains('\0') || text.is_empty() {
                true => Err(Complaint::new("this is no argument of ssh's")),
                false => Ok(text.to_owned()),
            })
        })?;
    match words.first().filter(|first| !first.value.starts_with('-')) {
        Some(first) => {
            let complaint = Complaint::new(format!("`{}` is no option of ssh's", first.value));
            let hint =
                "machines go into `machines`; this list goes before them on the command line";
            item.scope().complain(&first.at, complaint.with_hint(hint));
            None
        }
        None => Some(words.into_iter().map(|word| word.value).collect()),
    }
}

/// Reads an order.
fn order(text: &str) -> Result<MachineOrder, Complaint> {
    match text {
        "one-by-one" => Ok(MachineOrder::OneByOne),
        "together" => Ok(MachineOrder::Together),
        _ => Err(unknown("order", text, ["one-by-one", "together"])),
    }
}
