//! Tables as they were written: each value with its place, each key asked for by name.
//!
//! Reading never stops at an error: it is reported, and the key is [`Given::Wrong`], which later
//! steps pass over in silence, so that one mistake is said once. The keys that were asked for are
//! the known ones; [`Table::finish`] reports all others.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Location, Source, nearest};
use crate::time::{Span, SpanError};

/// What reading a file needs besides its text. `C` is what else the reader knows of its world.
pub(crate) struct Scope<'a, C = ()> {
    /// The file.
    pub(crate) source: Arc<Source>,
    /// All that is wrong so far.
    pub(crate) reports: &'a Reports,
    /// What else the reader knows of its world.
    pub(crate) context: C,
}

/// All that is wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Reports(RefCell<Vec<Diagnostic>>);

impl Reports {
    /// Adds to what is wrong.
    pub(crate) fn add(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    /// How much is wrong.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// All that is wrong, in no order.
    pub(crate) fn into_inner(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Spot<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it stands.
    pub(crate) at: Location,
}

/// What became of a key.
#[derive(Clone, Debug, Default)]
pub(crate) enum Given<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is there and wrong, which has been reported.
    Wrong,
    /// It is there.
    Value(Spot<T>),
}

impl<T: Clone> Given<T> {
    /// This, or `other` where it is absent.
    pub(crate) fn or(&self, other: &Self) -> Self {
        match self {
            Self::Absent => other.clone(),
            Self::Wrong | Self::Value(_) => self.clone(),
        }
    }
}

impl<T> Given<T> {
    /// The value and its place, where there is one.
    pub(crate) fn spot(&self) -> Option<&Spot<T>> {
        match self {
            Self::Value(spot) => Some(spot),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// The value, where there is one.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Value(spot) => Some(spot.value),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// Whether the key is not there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Why a text is not what its key takes, and perhaps what to write instead.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Complaint {
    /// A complaint without advice.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with advice.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The complaint that `written` is not among `known`, with the nearest of them or with all.
pub(crate) fn unknown<'a>(
    what: &str,
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Complaint {
    let known: Vec<&str> = known.into_iter().collect();
    let complaint = Complaint::new(format!("unknown {what} `{written}`"));
    match nearest(written, known.iter().copied()) {
        Some(name) => complaint.with_hint(format!("did you mean `{name}`?")),
        None if known.is_empty() => complaint,
        None => complaint.with_hint(format!("one of {}", listed(&known))),
    }
}

/// `a`, `b` and `c`, each in backquotes.
fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// A value in a file.
pub(crate) struct Item<'t, C = ()> {
    /// What it is.
    value: &'t Spanned<DeValue<'t>>,
    /// The key it belongs to, for messages.
    key: &'t str,
    /// Its file.
    scope: &'t Scope<'t, C>,
}

impl<C> Clone for Item<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Item<'_, C> {}

impl<'t, C> Item<'t, C> {
    /// Where it stands.
    pub(crate) fn at(&self) -> Location {
        Location { source: Arc::clone(&self.scope.source), span: self.value.span() }
    }

    /// Reports that it is wrong.
    pub(crate) fn complain<T>(&self, complaint: Complaint) -> Option<T> {
        self.scope.complain(&self.at(), complaint);
        None
    }

    /// Reports that it is of the wrong type.
    fn mistyped<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let key = self.key;
        self.complain(Complaint::new(format!("`{key}` takes {expected}, not {found}")))
    }

    /// The text, where it is one.
    pub(crate) fn as_str(&self) -> Option<&'t str> {
        self.value.get_ref().as_str()
    }

    /// Whether it is a list.
    pub(crate) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// The text.
    pub(crate) fn text(&self) -> Option<&'t str> {
        self.as_str().or_else(|| self.mistyped("a string"))
    }

    /// What the text means to `parse`.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce(&str) -> Result<T, Complaint>) -> Option<T> {
        match parse(self.text()?) {
            Ok(value) => Some(value),
            Err(complaint) => self.complain(complaint),
        }
    }

    /// The truth value.
    pub(crate) fn boolean(&self) -> Option<bool> {
        self.value.get_ref().as_bool().or_else(|| self.mistyped("true or false"))
    }

    /// The duration.
    pub(crate) fn span(&self) -> Option<Span> {
        self.parse(|text| {
            text.parse().map_err(|error: SpanError| Complaint::new(error.to_string()))
        })
    }

    /// The whole number, which is at least `least`.
    pub(crate) fn number(&self, least: u32) -> Option<u32> {
        let Some(number) = self.value.get_ref().as_integer() else {
            return self.mistyped("a whole number");
        };
        let value = u32::from_str_radix(number.as_str(), number.radix()).ok();
        value.filter(|value| least <= *value).or_else(|| {
            let key = self.key;
            self.complain(Complaint::new(format!(
                "`{key}` is at least {least} and at most {}, not {number}",
                u32::MAX
            )))
        })
    }

    /// The port number.
    pub(crate) fn port(&self) -> Option<u16> {
        let Some(number) = self.value.get_ref().as_integer() else {
            return self.mistyped("a port number");
        };
        let port = u16::from_str_radix(number.as_str(), number.radix()).ok();
        port.filter(|port| *port != 0)
            .or_else(|| self.complain(Complaint::new(format!("{number} is no port number"))))
    }

    /// The elements of a list, each as `read` takes it; `None` where any of them was wrong.
    pub(crate) fn list<T>(
        &self,
        expected: &str,
        read: impl Fn(Self) -> Option<T>,
    ) -> Option<Vec<Spot<T>>> {
        let Some(elements) = self.value.get_ref().as_array() else {
            return self.mistyped(expected);
        };
        let items = elements.iter().map(|value| Item { value, ..*self });
        let read: Vec<Option<Spot<T>>> =
            items.map(|item| read(item).map(|value| Spot { value, at: item.at() })).collect();
        read.into_iter().collect()
    }

    /// The table.
    pub(crate) fn table(&self) -> Option<Table<'t, C>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => Some(Table::new(entries, self.at(), self.scope)),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => self.mistyped("a table"),
        }
    }

    /// The key it belongs to.
    pub(crate) fn key(&self) -> &'t str {
        self.key
    }

    /// Its file.
    pub(crate) fn scope(&self) -> &'t Scope<'t, C> {
        self.scope
    }
}

impl<C> Scope<'_, C> {
    /// Reports what is wrong at a place.
    pub(crate) fn complain(&self, at: &Location, complaint: Complaint) {
        let diagnostic = Diagnostic::at(at, complaint.message);
        self.reports.add(match complaint.hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
    }
}

/// Parses the text of `scope`'s file and has `read` read it; `None` where it is not TOML.
pub(crate) fn with_document<C, T>(
    scope: &Scope<'_, C>,
    read: impl FnOnce(Table<'_, C>) -> T,
) -> Option<T> {
    let (document, errors) = DeTable::parse_recoverable(&scope.source.text);
    let place = |span| Location { source: Arc::clone(&scope.source), span };
    for error in &errors {
        let at = place(error.span().unwrap_or(0..0));
        scope.complain(&at, Complaint::new(error.message().replace('\n', ", ")));
    }
    if !errors.is_empty() {
        // What a parser makes of the rest would be guessed at: errors that follow from errors.
        return None;
    }
    Some(read(Table::new(document.get_ref(), place(0..0), scope)))
}

/// A table in a file.
pub(crate) struct Table<'t, C = ()> {
    /// What stands in it.
    entries: &'t DeTable<'t>,
    /// Where it is named.
    at: Location,
    /// Its file.
    scope: &'t Scope<'t, C>,
    /// The keys that were asked for.
    asked: BTreeSet<&'static str>,
}

impl<'t, C> Table<'t, C> {
    /// The table of `entries`, named at `at`.
    pub(crate) fn new(entries: &'t DeTable<'t>, at: Location, scope: &'t Scope<'t, C>) -> Self {
        Self { entries, at, scope, asked: BTreeSet::new() }
    }

    /// Its file.
    pub(crate) fn scope(&self) -> &'t Scope<'t, C> {
        self.scope
    }

    /// Where it is named.
    pub(crate) fn at(&self) -> &Location {
        &self.at
    }

    /// The key and value at `key`, which is known from now on.
    fn entry(&mut self, key: &'static str) -> Option<(Location, Item<'t, C>)> {
        self.asked.insert(key);
        let (written, value) = self.entries.get_key_value(key)?;
        let (scope, source) = (self.scope, Arc::clone(&self.scope.source));
        let span = written.span();
        Some((Location { source, span }, Item { value, key, scope }))
    }

    /// What `read` makes of the value at `key`.
    pub(crate) fn given<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Item<'t, C>) -> Option<T>,
    ) -> Given<T> {
        let Some((_, item)) = self.entry(key) else {
            return Given::Absent;
        };
        match read(item) {
            Some(value) => Given::Value(Spot { value, at: item.at() }),
            None => Given::Wrong,
        }
    }

    /// As [`Table::given`], for a key that must be there.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        read: impl FnOnce(Item<'t, C>) -> Option<T>,
    ) -> Option<T> {
        let given = self.given(key, read);
        if given.is_absent() {
            let complaint = Complaint::new(format!("`{key}` is missing")).with_hint(hint);
            self.scope.complain(&self.at, complaint);
        }
        given.value()
    }

    /// The table at `key`, known by that key's place.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Self> {
        let (at, item) = self.entry(key)?;
        Some(Table { at, ..item.table()? })
    }

    /// The tables in the table at `key`, with their names, where they were wrong included.
    pub(crate) fn named_tables(&mut self, key: &'static str) -> Vec<(Spot<String>, Option<Self>)> {
        let Some(parent) = self.table(key) else {
            return Vec::new();
        };
        let scope = self.scope;
        let read = |(name, value): (&'t Spanned<_>, _)| {
            let value: &'t Spanned<DeValue<'t>> = value;
            let name: &'t Spanned<std::borrow::Cow<'t, str>> = name;
            let at = Location { source: Arc::clone(&scope.source), span: name.span() };
            let item = Item { value, key, scope };
            let table = item.table().map(|table| Table { at: at.clone(), ..table });
            let value = name.get_ref().to_string();
            (Spot { value, at }, table)
        };
        parent.entries.iter().map(read).collect()
    }

    /// Reports `key`, where it is there, as not supported yet.
    pub(crate) fn unsupported(&mut self, key: &'static str, instead: &str) {
        if let Some((at, _)) = self.entry(key) {
            let message = format!("`{key}` is not supported yet: {instead}");
            self.scope.complain(&at, Complaint::new(message));
        }
    }

    /// Reports `key`, where it is there, for a reason of the reader's.
    pub(crate) fn forbidden(&mut self, key: &'static str, complaint: Complaint) {
        if let Some((at, _)) = self.entry(key) {
            self.scope.complain(&at, complaint);
        }
    }

    /// Reports every key that was not asked for.
    pub(crate) fn finish(self) {
        for (key, _) in self.entries {
            let name = key.get_ref();
            if self.asked.contains(name.as_ref()) {
                continue;
            }
            let at = Location { source: Arc::clone(&self.scope.source), span: key.span() };
            let complaint = unknown("key", name, self.asked.iter().copied());
            self.scope.complain(&at, complaint);
        }
    }
}
