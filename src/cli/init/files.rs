//! The files around a new configuration, and what the mail server's own say.

use std::path::{Path, PathBuf};

use rustix::rand::{GetRandomFlags, getrandom};

use crate::command;
use crate::durable::{self, DurableError, Made};
use crate::pki::{Chain, KeyType};
use crate::time::Span;
use zeroize::Zeroizing;

/// How long Postfix may take to print its configuration.
const POSTCONF_LIMIT: Span = Span::from_seconds(5);

/// The files around a configuration.
pub(super) struct Paths {
    /// Where they are.
    pub(super) directory: PathBuf,
    /// The configuration.
    pub(super) configuration: PathBuf,
    /// The key that signs updates.
    pub(super) tsig_key: PathBuf,
}

impl Paths {
    /// Those beside a configuration of this absolute path.
    pub(super) fn beside(configuration: &Path) -> Self {
        let directory = configuration.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        let tsig_key = directory.join("rollover.key");
        Self { directory, configuration: configuration.to_owned(), tsig_key }
    }
}

/// Makes a TSIG key, as `tsig-keygen rollover` would, unless there is one. So the configuration can
/// be read at once; what is left to do is to tell the name server.
pub(super) fn make_tsig_key(path: &Path) -> Result<Made, DurableError> {
    let mut secret = Zeroizing::new([0_u8; 32]);
    // Blocks until the kernel has gathered enough; nothing interrupts so few octets.
    let filled = getrandom(secret.as_mut_slice(), GetRandomFlags::empty());
    assert_eq!(filled, Ok(secret.len()), "the kernel has random octets");
    let encoded = Zeroizing::new(base64(secret.as_slice()));
    let text = Zeroizing::new(format!(
        "key \"rollover\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{}\";\n}};\n",
        encoded.as_str()
    ));
    durable::create_private(path, text.as_bytes())
}

/// Octets in base64 (RFC 4648, section 4).
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let number = (0..3).fold(0_usize, |sum, i| {
            sum << 8 | usize::from(group.get(i).copied().unwrap_or_default())
        });
        for i in 0..4 {
            match i <= group.len() {
                true => text.push(char::from(ALPHABET[number >> (18 - 6 * i) & 63])),
                false => text.push('='),
            }
        }
    }
    text
}

/// The chain files that Postfix on this machine reads and that hold just what is presented, by key
/// type; `None` where rollover should write files of its own.
pub(super) async fn postfix_chain_files(
    presented: &[(KeyType, Chain)],
) -> Option<Vec<(KeyType, PathBuf)>> {
    let argv = ["postconf", "-h", "smtpd_tls_chain_files"].map(str::to_owned);
    let said = command::run(&argv, POSTCONF_LIMIT).await.ok()?;
    let words = said.split(|c: char| c == ',' || c.is_whitespace());
    let files: Vec<&Path> = words.filter(|word| word.starts_with('/')).map(Path::new).collect();
    let mut found = Vec::new();
    for (key_type, chain) in presented {
        let file = files.iter().find(|file| holds(file, chain))?;
        found.push((*key_type, file.to_path_buf()));
    }
    (!found.is_empty() && found.len() == files.len()).then_some(found)
}

/// Whether a file, and no link, holds a key and the certificate that is presented. What another
/// client keeps is no place to write to.
fn holds(file: &Path, chain: &Chain) -> bool {
    let regular = std::fs::symlink_metadata(file).is_ok_and(|facts| facts.is_file());
    let theirs = ["letsencrypt", "acme", "dehydrated", "lego"];
    let foreign = file
        .components()
        .any(|part| theirs.iter().any(|name| part.as_os_str().to_string_lossy().contains(name)));
    if !regular || foreign {
        return false;
    }
    let Ok(text) = std::fs::read(file).map(Zeroizing::new) else { return false };
    let Ok(blocks) = pem::parse_many(text.as_slice()) else { return false };
    let key = blocks.iter().any(|block| block.tag().ends_with("PRIVATE KEY"));
    let leaf = blocks.iter().find(|block| block.tag() == "CERTIFICATE");
    key && leaf.is_some_and(|leaf| leaf.contents() == chain.leaf().der())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::TsigKey;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, section 10.
        for (octets, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(octets.as_bytes()), text);
        }
    }

    #[test]
    fn a_key_is_made_once_and_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rollover.key");
        assert_eq!(make_tsig_key(&path).unwrap(), Made::New);
        let first = std::fs::read(&path).unwrap();
        TsigKey::read(&path).unwrap();
        assert_eq!(make_tsig_key(&path).unwrap(), Made::Existed);
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
}
