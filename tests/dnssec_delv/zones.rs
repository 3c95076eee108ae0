//! Zones signed by BIND's own tools, and wronged afterwards where a case wants it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::lab::daemon::run;

/// What every full zone holds, below its SOA and NS.
const CONTENT: &str = "\
mail A 127.0.25.1
_25._tcp.mail TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001
_25._tcp.two TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001
_25._tcp.two TLSA 2 1 1 0000000000000000000000000000000000000000000000000000000000000002
_25._tcp.nodata TXT \"no TLSA here\"
x._25._tcp.ent TXT \"below an empty non-terminal\"
*.wild TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001
*.wildtxt TXT \"a wildcard without TLSA\"
*.wildalias CNAME _25._tcp.mail
_25._tcp.alias CNAME _25._tcp.mail
_25._tcp.aliases CNAME _25._tcp.alias
_25._tcp.dangling CNAME _25._tcp.none
_25._tcp.round CNAME _25._tcp.about
_25._tcp.about CNAME _25._tcp.round
tree DNAME other
_25._tcp.x.other TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001
";

/// The keys of a zone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    /// It is not signed.
    None,
    /// One key of this algorithm signs everything.
    One(&'static str),
    /// One key of this algorithm signs the keys, another the rest.
    Split(&'static str),
    /// Keys of two algorithms sign everything.
    Both(&'static str, &'static str),
}

/// Changes lines, one record each.
pub(crate) type Edit = Box<dyn Fn(Vec<Line>) -> Vec<Line>>;

/// A record of a signed zone: owner, TTL, class, type, and the fields of its data.
pub(crate) type Line = Vec<String>;

/// A zone to be served.
pub(crate) struct Zone {
    /// Its name, absolute.
    pub(crate) name: String,
    /// What it is signed with.
    pub(crate) keys: Keys,
    /// Further arguments of `dnssec-signzone`.
    signing: Vec<&'static str>,
    /// Records beside the usual ones.
    more: String,
    /// Done to the signed zone.
    edit: Option<Edit>,
    /// Done to the DS records, one for each of SHA-1, SHA-256 and SHA-384, before they go into the
    /// parent.
    ds: Edit,
}

/// A zone's keys as others need them.
pub(crate) struct Made {
    /// Its DS records for the parent.
    ds: Vec<Line>,
    /// The DNSKEY records that its DS stands for, as trust anchors.
    pub(crate) anchors: Vec<Line>,
}

/// A zone of this name, signed with one key.
pub(crate) fn zone(name: &str) -> Zone {
    Zone {
        name: name.to_owned(),
        keys: Keys::One("ECDSAP256SHA256"),
        signing: Vec::new(),
        more: String::new(),
        edit: None,
        ds: Box::new(|lines| of_digest(lines, "2")),
    }
}

/// The DS records of one digest type.
pub(crate) fn of_digest(lines: Vec<Line>, digest: &str) -> Vec<Line> {
    lines.into_iter().filter(|line| line[6] == digest).collect()
}

impl Zone {
    /// With other keys.
    pub(crate) fn keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// With further arguments of `dnssec-signzone`.
    pub(crate) fn signing(self, arguments: &[&'static str]) -> Self {
        Self { signing: arguments.to_vec(), ..self }
    }

    /// With further records.
    pub(crate) fn more(self, records: &str) -> Self {
        Self { more: records.to_owned(), ..self }
    }

    /// Changed after it was signed.
    pub(crate) fn edit(self, edit: impl Fn(Vec<Line>) -> Vec<Line> + 'static) -> Self {
        Self { edit: Some(Box::new(edit)), ..self }
    }

    /// With other DS records above it.
    pub(crate) fn ds(self, ds: impl Fn(Vec<Line>) -> Vec<Line> + 'static) -> Self {
        Self { ds: Box::new(ds), ..self }
    }

    /// The file that holds it.
    pub(crate) fn file(&self) -> String {
        if self.name == "." { "root.zone".to_owned() } else { format!("{}zone", self.name) }
    }

    /// Makes its keys, signs it with its children's delegations, and writes it.
    fn make(&self, directory: &Path, delegations: &str) -> Made {
        let keys = directory.join(format!("keys-{}", self.file()));
        std::fs::create_dir_all(&keys).expect("a directory for keys");
        let entries = make_keys(&self.name, self.keys, &keys);
        let mut text = format!(
            "$ORIGIN {}\n$TTL 60\n@ SOA ns.test. hostmaster.test. 1 60 5 86400 5\n@ NS ns.test.\n",
            self.name
        );
        text += if self.name.matches('.').count() < 2 { "" } else { CONTENT };
        let _ = write!(text, "{}\n{delegations}", self.more);
        let file = directory.join(self.file());
        std::fs::write(&file, text).expect("a zone file");
        if !matches!(self.keys, Keys::None) {
            self.sign(&file, &keys);
        }
        let ds = entries.iter().flat_map(|key| {
            let mut command = Command::new("dnssec-dsfromkey");
            command.args(["-a", "SHA-1", "-a", "SHA-256", "-a", "SHA-384"]);
            let text = run(command.arg(keys.join(format!("{key}.key"))));
            // Name, class and type come without a TTL.
            lines(&text.replace(" IN DS ", " 60 IN DS "))
        });
        let anchors = entries.iter().flat_map(|key| {
            let text = std::fs::read_to_string(keys.join(format!("{key}.key"))).expect("a key");
            lines(&text.replace(" IN DNSKEY ", " 60 IN DNSKEY "))
        });
        Made { ds: (self.ds)(ds.collect()), anchors: anchors.collect() }
    }

    /// Signs a zone file in place.
    fn sign(&self, file: &Path, keys: &Path) {
        let mut command = Command::new("dnssec-signzone");
        command.args(["-q", "-S", "-P", "-O", "full", "-n", "1", "-o", &self.name, "-K"]);
        command.arg(keys).arg("-d").arg(keys).arg("-f").arg(file).args(&self.signing);
        if !matches!(self.keys, Keys::Split(_)) {
            command.arg("-z");
        }
        run(command.arg(file));
        if let Some(edit) = &self.edit {
            let text = std::fs::read_to_string(file).expect("the signed zone");
            let before = lines(&text);
            let after = edit(before.clone());
            assert_ne!(before, after, "the edit of {} found nothing to change", self.name);
            let after: Vec<String> = after.iter().map(|line| line.join(" ")).collect();
            std::fs::write(file, after.join("\n") + "\n").expect("the wronged zone");
        }
    }
}

/// Makes keys, and returns the names of those that are entered by.
fn make_keys(zone: &str, keys: Keys, directory: &Path) -> Vec<String> {
    let make = |algorithm: &str, more: &[&str]| {
        let mut command = Command::new("dnssec-keygen");
        command.args(["-q", "-a", algorithm, "-K"]).arg(directory).args(more);
        if algorithm.starts_with("RSA") {
            command.args(["-b", "1024"]);
        }
        run(command.arg(zone)).trim().to_owned()
    };
    match keys {
        Keys::None => Vec::new(),
        Keys::One(algorithm) => vec![make(algorithm, &["-f", "KSK"])],
        Keys::Split(algorithm) => {
            make(algorithm, &[]);
            vec![make(algorithm, &["-f", "KSK"])]
        }
        Keys::Both(one, other) => {
            vec![make(one, &["-f", "KSK"]), make(other, &["-f", "KSK"])]
        }
    }
}

/// The records of a text that has one a line.
fn lines(text: &str) -> Vec<Line> {
    text.lines()
        .filter(|line| !line.starts_with(';') && !line.trim().is_empty())
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Makes all zones, the deepest first, and returns the keys of each, in the order given.
pub(crate) fn make_all(zones: &[Zone], directory: &Path) -> Vec<Made> {
    let depth =
        |zone: &Zone| zone.name.trim_matches('.').split('.').filter(|l| !l.is_empty()).count();
    let mut order: Vec<usize> = (0..zones.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(depth(&zones[*index])));
    let mut delegations = vec![String::new(); zones.len()];
    let mut made: Vec<Option<Made>> = zones.iter().map(|_| None).collect();
    for index in order {
        let zone = &zones[index];
        let keys = zone.make(directory, &delegations[index]);
        let is_above = |other: &&usize| {
            let above = &zones[**other];
            above.name != zone.name
                && (above.name == "." || zone.name.ends_with(&format!(".{}", above.name)))
        };
        let all: Vec<usize> = (0..zones.len()).collect();
        let parent = all.iter().filter(is_above).max_by_key(|other| depth(&zones[**other]));
        if let Some(parent) = parent {
            let text = &mut delegations[*parent];
            let _ = writeln!(text, "{} NS ns.test.", zone.name);
            for line in &keys.ds {
                let _ = writeln!(text, "{}", line.join(" "));
            }
        }
        made[index] = Some(keys);
    }
    made.into_iter().flatten().collect()
}
