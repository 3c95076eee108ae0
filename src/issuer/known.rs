//! The CA certificates that an issuer is known to sign with beforehand.

use std::fs;

use super::orders::certificates;
use crate::config::{CaTable, KnownAnchors};
use crate::pki::{Certificate, KeyFamily};

/// Why a file of CA certificates cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct BadAnchors {
    /// The file.
    pub(super) path: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// The CA certificates in all of these.
pub(super) fn read(known: &[KnownAnchors]) -> Result<Vec<Certificate>, BadAnchors> {
    let mut anchors = Vec::new();
    for source in known {
        let (path, text, families) = match source {
            KnownAnchors::File(path) => {
                let name = path.display().to_string();
                let text = fs::read_to_string(path);
                let failed =
                    |e: std::io::Error| BadAnchors { path: name.clone(), reason: e.to_string() };
                (name.clone(), text.map_err(failed)?, None)
            }
            KnownAnchors::Shipped(table, families) => {
                (table.name().to_owned(), table.pem().to_owned(), Some(families))
            }
        };
        let bad = |reason: String| BadAnchors { path: path.clone(), reason };
        let found = certificates(&text).map_err(bad)?;
        if found.is_empty() {
            return Err(bad("it holds no certificate in PEM".to_owned()));
        }
        let signs = |ca: &Certificate| match families {
            Some(families) => KeyFamily::of_spki(ca.spki()).is_some_and(|f| families.contains(&f)),
            None => true,
        };
        anchors.extend(found.into_iter().filter(signs));
    }
    Ok(anchors)
}

/// The shipped tables among them, each with its date.
pub(super) fn tables(known: &[KnownAnchors]) -> Vec<String> {
    let table = |source: &KnownAnchors| match source {
        KnownAnchors::Shipped(table, _) => Some(describe(*table)),
        KnownAnchors::File(_) => None,
    };
    known.iter().filter_map(table).collect()
}

/// A table with its date.
fn describe(table: CaTable) -> String {
    format!("{} as of {}", table.name(), table.as_of())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::KeyType;

    /// What the table of a host with these keys holds.
    fn held(key_types: &[KeyType]) -> Vec<(String, String)> {
        let all = KnownAnchors::Shipped(CaTable::LetsEncrypt, Vec::new());
        let known = read(&[all.for_keys(key_types)]).unwrap();
        let name = |ca: &Certificate| ca.subject().rsplit('=').next().unwrap().to_owned();
        known.iter().map(|ca| (name(ca), ca.spki_sha256().to_string())).collect()
    }

    /// The digests were computed from the CA's own files by OpenSSL.
    const LETS_ENCRYPT: [(&str, &str); 6] = [
        ("YE1", "6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e"),
        ("YE2", "b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376"),
        ("YE3", "a698a20824be04e47a1a33c4fa488731be92011f23a31e900e2ca26c9c2acfce"),
        ("YR1", "2e8307068b6db620e4a39d068b5dee5d6ef5788cbb2c0b6d23ead84fcc17178c"),
        ("YR2", "9d637b3d27a9e570d07607b9ccadb80a70915c7af72afce12841b1b1da825fd1"),
        ("YR3", "51aaa87d984b559ac69e929f888a022d832e089ff4dba0a412b5101bca4bc799"),
    ];

    #[test]
    fn lets_encrypts_table_holds_what_signs_the_hosts_keys() {
        let expected = |range: std::ops::Range<usize>| -> Vec<(String, String)> {
            let part = LETS_ENCRYPT[range].iter();
            part.map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect()
        };
        assert_eq!(held(&[KeyType::EcdsaP256]), expected(0..3));
        assert_eq!(held(&[KeyType::Rsa2048]), expected(3..6));
        assert_eq!(held(&[KeyType::EcdsaP384, KeyType::Rsa4096]), expected(0..6));
    }

    #[test]
    fn a_table_says_its_date() {
        let known = KnownAnchors::Shipped(CaTable::LetsEncrypt, Vec::new());
        assert_eq!(tables(&[known]), ["letsencrypt as of 2026-07-08"]);
    }
}
