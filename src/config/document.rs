//! One file after the other: the main one, then those that it includes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::{self, Context, Scope, Table};
use super::file::{self, Files, IncludeError};
use super::host::{self, HostKeys};
use super::policy::Policies;
use super::{DnsConfig, Environment, IssuerConfig, NotifyConfig, ResolverConfig};
use super::{dns, issuer, notify, policy, resolver};
use crate::diagnostic::{Diagnostic, Location, Source};
use crate::policy::Policy;
use crate::table::{Complaint, Given, Reports, Spot, with_document};

/// All that was written, in all files.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The state directory.
    pub(super) state_dir: Given<PathBuf>,
    /// The policy of hosts that name none.
    pub(super) policy: Given<Arc<Policy>>,
    /// The `[resolver]`.
    pub(super) resolver: Option<ResolverConfig>,
    /// Issuers by name; `None` for those that are wrong.
    pub(super) issuers: BTreeMap<String, Defined<Option<IssuerConfig>>>,
    /// Providers of DNS changes by name; `None` for those that are wrong.
    pub(super) dns: BTreeMap<String, Defined<Option<DnsConfig>>>,
    /// The `[defaults]`.
    pub(super) defaults: HostKeys,
    /// Hosts by name.
    pub(super) hosts: BTreeMap<String, Defined<HostKeys>>,
    /// The `[notify]`.
    pub(super) notify: Option<NotifyConfig>,
    /// Whether some part could not be read at all, so that what seems to be missing may be there.
    pub(super) incomplete: bool,
}

/// Something that has a name, and where that stands.
#[derive(Debug)]
pub(super) struct Defined<T> {
    /// Where its name stands.
    pub(super) at: Location,
    /// What it is.
    pub(super) value: T,
}

/// What all files have in common.
pub(super) struct World<'a> {
    /// What the caller knows of the process's environment.
    pub(super) environment: &'a Environment,
    /// The file system.
    pub(super) files: &'a dyn Files,
    /// The policies that were read already.
    pub(super) policies: Policies,
    /// All that is wrong so far.
    pub(super) reports: Reports,
}

impl World<'_> {
    /// Reads the main file at `path`, and what it includes.
    pub(super) fn read(&self, path: &Path) -> Written {
        let mut written = Written::default();
        let source = match self.source(path) {
            Ok(source) => source,
            Err(error) => {
                let message = format!("cannot read the configuration: {error}");
                let name = path.display().to_string();
                let hint = "`rollover init DOMAIN` writes one; `--config FILE` names another";
                self.reports.add(Diagnostic::of_file(name, message).with_hint(hint));
                written.incomplete = true;
                return written;
            }
        };
        let directory = path.parent().unwrap_or_else(|| Path::new("/"));
        let scope = self.scope(&source, directory);
        let includes = with_document(&scope, |table| main_file(table, &mut written));
        written.incomplete |= includes.is_none();
        let mut seen = BTreeSet::from([file::plain(path)]);
        for include in includes.unwrap_or_default() {
            self.include(&include, &scope, &mut seen, &mut written);
        }
        written
    }

    /// The file at `path` with its text.
    fn source(&self, path: &Path) -> std::io::Result<Arc<Source>> {
        let text = self.files.read(path)?;
        let name = path.display().to_string();
        Ok(Arc::new(Source { name, text }))
    }

    /// What reading `source`, which stands in `directory`, needs.
    pub(super) fn scope<'s>(&'s self, source: &Arc<Source>, directory: &'s Path) -> Scope<'s> {
        Scope {
            source: Arc::clone(source),
            reports: &self.reports,
            context: Context {
                directory,
                environment: self.environment,
                files: self.files,
                policies: &self.policies,
            },
        }
    }

    /// Reads the files that `include` names, but for those that were `seen`.
    fn include(
        &self,
        include: &Spot<String>,
        main: &Scope<'_>,
        seen: &mut BTreeSet<PathBuf>,
        written: &mut Written,
    ) {
        let paths = match file::expand(&include.value, main.context.directory, self.files) {
            Ok(paths) => paths,
            Err(error) => {
                let complaint = Complaint::new(format!("{error}"));
                main.complain(
                    &include.at,
                    match error {
                        IncludeError::WildcardDirectory(_) | IncludeError::Wildcard { .. } => {
                            complaint.with_hint("`*` matches file names, as in `conf.d/*.toml`")
                        }
                        IncludeError::List { .. } => complaint,
                    },
                );
                written.incomplete = true;
                return;
            }
        };
        for path in paths {
            // A pattern may match the main file, and two patterns the same one: each is read once.
            if !seen.insert(file::plain(&path)) {
                continue;
            }
            match self.source(&path) {
                Ok(source) => {
                    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
                    let scope = self.scope(&source, directory);
                    let read = with_document(&scope, |table| included_file(table, written));
                    written.incomplete |= read.is_none();
                }
                Err(error) => {
                    let message = format!("cannot read `{}`: {error}", path.display());
                    main.complain(&include.at, Complaint::new(message));
                    written.incomplete = true;
                }
            }
        }
    }
}

/// Reads the main file; what it includes is returned.
fn main_file(mut table: Table<'_>, written: &mut Written) -> Vec<Spot<String>> {
    written.state_dir = table.given("state-dir", context::path);
    written.policy = table.given("policy", policy::read);
    let includes = table.given("include", |item| {
        item.list("a list of files or patterns", |pattern| pattern.text().map(str::to_owned))
    });
    table.unsupported("ledger", "this version keeps its ledger in state-dir");
    written.resolver = table.table("resolver").map(resolver::read);
    written.notify = table.table("notify").and_then(notify::read);
    if let Some(defaults) = table.table("defaults") {
        written.defaults = HostKeys::read(defaults);
    }
    shared(&mut table, written);
    table.finish();
    includes.value().unwrap_or_default()
}

/// Reads an included file, which has tables of named things and nothing else.
fn included_file(mut table: Table<'_>, written: &mut Written) {
    for key in ["state-dir", "policy", "include", "resolver", "notify", "defaults"] {
        let complaint = Complaint::new(format!("`{key}` stands only in the main file"));
        let hint = "an included file has [hosts], [issuers] and [dns] tables";
        table.forbidden(key, complaint.with_hint(hint));
    }
    table.unsupported("ledger", "this version keeps its ledger in state-dir");
    shared(&mut table, written);
    table.finish();
}

/// Reads the tables that every file can have.
fn shared(table: &mut Table<'_>, written: &mut Written) {
    let scope = table.scope();
    for (name, table) in table.named_tables("issuers") {
        let value = table.and_then(issuer::read);
        define("issuer", name, value, scope, &mut written.issuers);
    }
    for (name, table) in table.named_tables("dns") {
        let value = table.and_then(dns::read);
        define("dns provider", name, value, scope, &mut written.dns);
    }
    for (mut name, table) in table.named_tables("hosts") {
        match host::host_name(&name.value) {
            Ok(parsed) => name.value = parsed.as_str().to_owned(),
            Err(complaint) => scope.complain(&name.at, complaint),
        }
        let Some(table) = table else {
            written.incomplete = true;
            continue;
        };
        let value = HostKeys::read(table);
        define("host", name, value, scope, &mut written.hosts);
    }
}

/// Adds to what is defined, once.
fn define<T>(
    what: &str,
    name: Spot<String>,
    value: T,
    scope: &Scope<'_>,
    known: &mut BTreeMap<String, Defined<T>>,
) {
    if let Some(first) = known.get(&name.value) {
        let (name, place) = (&name, first.at.shown());
        let message = format!("{what} `{}` is defined twice: here and at {place}", name.value);
        scope.complain(&name.at, Complaint::new(message));
        return;
    }
    let Spot { value: name, at } = name;
    known.insert(name, Defined { at, value });
}
