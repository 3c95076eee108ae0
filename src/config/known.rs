//! CA certificates that are known beforehand: in a file, or in a table that comes with the program.
//!
//! A table is true on its date. A CA that leaves it afterwards costs a bridge, as one of which nothing was
//! known, and never more: what is issued is judged as it is.

use std::path::PathBuf;

use super::AnchorChoice;
use super::context::{Item, Table, input_file};
use super::issuer::plain;
use crate::pki::{KeyFamily, KeyType};
use crate::table::{Complaint, unknown};

/// What stands before the name of a table that comes with the program.
const SHIPPED: &str = "shipped:";

/// CA certificates that are known beforehand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KnownAnchors {
    /// Those in a file, in PEM.
    File(PathBuf),
    /// Those in a table, as far as they sign keys of these families.
    Shipped(CaTable, Vec<KeyFamily>),
}

impl KnownAnchors {
    /// The same for a host with keys of these types: of a table, what signs them.
    #[must_use]
    pub fn for_keys(&self, key_types: &[KeyType]) -> Self {
        match self {
            Self::File(path) => Self::File(path.clone()),
            Self::Shipped(table, _) => {
                let families = key_types.iter().map(|key_type| key_type.family());
                Self::Shipped(*table, families.collect())
            }
        }
    }
}

/// A table of issuing CAs that comes with the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CaTable {
    /// Let's Encrypt's.
    LetsEncrypt,
}

impl CaTable {
    /// Every table.
    pub const ALL: [Self; 1] = [Self::LetsEncrypt];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::LetsEncrypt => "letsencrypt",
        }
    }

    /// The day on which it was true.
    pub fn as_of(self) -> &'static str {
        match self {
            Self::LetsEncrypt => "2026-07-08",
        }
    }

    /// Its certificates, in PEM. Each signs keys of its own family.
    pub fn pem(self) -> &'static str {
        match self {
            Self::LetsEncrypt => include_str!("known/letsencrypt.pem"),
        }
    }
}

/// Reads `known-anchors`, where `2 1 1` names what `choice` says.
pub(super) fn read(table: &mut Table<'_>, choice: AnchorChoice) -> Vec<KnownAnchors> {
    let expected = "a list of files and shipped tables";
    let known = table.given("known-anchors", |item| item.list(expected, |item| one(item, choice)));
    plain(known.value())
}

/// Reads a file's name, or a table's.
fn one(item: Item<'_>, choice: AnchorChoice) -> Option<KnownAnchors> {
    let Some(name) = item.text()?.strip_prefix(SHIPPED) else {
        return input_file(item).map(KnownAnchors::File);
    };
    let names = CaTable::ALL.map(CaTable::name);
    let Some(table) = CaTable::ALL.into_iter().find(|table| table.name() == name) else {
        return item.complain(unknown("table of CAs", name, names));
    };
    if choice == AnchorChoice::Root {
        let message = format!("`{SHIPPED}{name}` holds issuing CAs, and `2 1 1` is to name roots");
        let hint = "leave it out, or write `trust-anchor = \"issuing-ca\"`";
        return item.complain(Complaint::new(message).with_hint(hint));
    }
    Some(KnownAnchors::Shipped(table, vec![KeyFamily::Ecdsa, KeyFamily::Rsa]))
}
