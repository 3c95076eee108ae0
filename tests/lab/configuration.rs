//! The configuration that a lab's operator would write, and policies without their waits.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::authority::Authority;
use super::pebble::Pebble;
use super::{HOST, Lab, PRIMARY, RESOLVER};

/// A configuration under construction.
#[derive(Debug)]
pub struct Configuration {
    /// What has been written so far.
    text: String,
}

impl Configuration {
    /// The state directory, the resolver, and the primary of the lab.
    pub fn new(lab: &Lab) -> Self {
        let text = format!(
            "state-dir = \"{}\"\n\n[resolver]\nservers = [\"{RESOLVER}:53\"]\ntrust-anchor-file = \
             \"{}\"\n\n[dns.primary]\ntype = \"rfc2136\"\nserver = \"{PRIMARY}:53\"\n\
             tsig-key-file = \"{}\"\n",
            lab.path("state").display(),
            lab.bind.trust_anchor().display(),
            lab.bind.tsig_key().display()
        );
        Self { text }
    }

    /// Another trust anchor.
    pub fn trusting(mut self, lab: &Lab, anchor: &Path) -> Self {
        let usual = lab.bind.trust_anchor().display().to_string();
        self.text = self.text.replace(&usual, &anchor.display().to_string());
        self
    }

    /// An issuer whose CA is at hand.
    pub fn own_ca(mut self, name: &str, ca: &Authority) -> Self {
        let _ = write!(
            self.text,
            "\n[issuers.{name}]\ntype = \"own-ca\"\ncertificate-file = \"{}\"\nkey-file = \
             \"{}\"\nvalidity = \"90d\"\n",
            ca.certificate.display(),
            ca.key.display()
        );
        self
    }

    /// An issuer that speaks ACME.
    pub fn acme(self, name: &str, pebble: &Pebble) -> Self {
        self.acme_with(name, pebble, "")
    }

    /// The same with lines of its own.
    pub fn acme_with(mut self, name: &str, pebble: &Pebble, lines: &str) -> Self {
        let _ = write!(
            self.text,
            "\n[issuers.{name}]\ntype = \"acme\"\ndirectory-url = \"{}\"\ncontact = \
             [\"mailto:hostmaster@example.nl\"]\naccept-terms = true\nca-file = \"{}\"\n{lines}",
            pebble.directory_url(),
            pebble.ca_file().display()
        );
        self
    }

    /// The mail server, with its own lines (`issuer`, `policy`, ...) and what it deploys to.
    pub fn host(self, lines: &str, chain_file: &Path, reload: &[String]) -> Self {
        self.host_with_files(lines, &[chain_file], reload)
    }

    /// The same with several files, one for each of its key types.
    pub fn host_with_files(mut self, lines: &str, files: &[&Path], reload: &[String]) -> Self {
        let files: Vec<String> =
            files.iter().map(|file| format!("\"{}\"", file.display())).collect();
        let reload: Vec<String> = reload.iter().map(|part| format!("\"{part}\"")).collect();
        let _ = write!(
            self.text,
            "\n[hosts.\"{HOST}\"]\ndns = \"primary\"\n{lines}\n\n[hosts.\"{HOST}\".deploy]\ntype = \
             \"files\"\nchain-file = [{}]\nmode = \"0600\"\nreload = [{}]\n",
            files.join(", "),
            reload.join(", ")
        );
        self
    }

    /// With something else in the place of what was written.
    pub fn replaced(mut self, written: &str, other: &str) -> Self {
        assert!(self.text.contains(written), "`{written}` was not written");
        self.text = self.text.replace(written, other);
        self
    }

    /// Anything else.
    pub fn more(mut self, text: &str) -> Self {
        self.text += text;
        self
    }

    /// Writes it to where the lab's tool looks.
    pub fn write(self, lab: &Lab) {
        std::fs::write(lab.path("rollover.toml"), self.text).expect("the configuration");
    }
}

/// A shipped policy without margin and with short waits for processes, as a file.
pub fn quick_policy(lab: &Lab, name: &str) -> PathBuf {
    quick_policy_with(lab, name, &[])
}

/// The same, with other values for some keys.
pub fn quick_policy_with(lab: &Lab, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("policies/{name}.toml"));
    let text = std::fs::read_to_string(&shipped).expect("a shipped policy");
    let mut table: toml::Table = text.parse().expect("a shipped policy is TOML");
    table.insert("name".into(), format!("quick-{name}").into());
    let mut set = |section: &str, key: &str, value: &str| {
        let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
        section.as_table_mut().expect("a section").insert(key.into(), value.into());
    };
    set("timing", "margin", "0s");
    set("timing", "drain", "1s");
    set("timing", "probe-timeout", "5s");
    set("retry", "first", "1s");
    for (key, value) in changes {
        let (section, key) = key.split_once('.').expect("section.key");
        set(section, key, value);
    }
    let file = lab.path(&format!("quick-{name}.toml"));
    std::fs::write(&file, table.to_string()).expect("a policy file");
    file
}
