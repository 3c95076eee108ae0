//! The two judges: the library's `Dns` port, and BIND's `delv`. Both ask the same server.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rollover::clock::SystemClock;
use rollover::dns::{Anchors, Authority};
use rollover::name::DnsName;
use rollover::ports::Dns as _;
use rollover::rollover::observation::{Answer, OwnerSight};
use rollover::tlsa::TlsaOwner;

use crate::lab::PRIMARY;
use crate::lab::namespace::Namespace;
use crate::zones::Line;

/// What a judge says of the TLSA RRset at a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// There are so many records, validated.
    Secure(usize),
    /// There are none, validated.
    Denied,
    /// Provably not signed.
    Insecure,
    /// Not to be believed, for this reason.
    Bogus(String),
}

impl Verdict {
    /// Whether another judge says the same, whatever its reason.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Bogus(_), Self::Bogus(_))) || self == other
    }

    /// Whether it believes more than another: what senders would not.
    pub(crate) fn is_laxer_than(&self, other: &Self) -> bool {
        let believes = |v: &Self| matches!(v, Self::Secure(_) | Self::Denied);
        !self.agrees(other) && believes(self)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secure(count) => write!(f, "secure, {count} records"),
            Self::Denied => f.write_str("secure denial"),
            Self::Insecure => f.write_str("insecure"),
            Self::Bogus(reason) => write!(f, "bogus ({reason})"),
        }
    }
}

/// The trust anchor in both programs' words.
pub(crate) struct Anchor {
    /// The zone it is of.
    zone: String,
    /// Its DNSKEY records.
    keys: Vec<Line>,
}

impl Anchor {
    /// The keys of a zone.
    pub(crate) fn new(zone: &str, keys: &[Line]) -> Self {
        Self { zone: zone.to_owned(), keys: keys.to_vec() }
    }

    /// As a zone file has it.
    pub(crate) fn records(&self) -> String {
        self.keys.iter().map(|key| format!("{} {}\n", self.zone, key[1..].join(" "))).collect()
    }

    /// As `named.conf` has it.
    pub(crate) fn write_for_delv(&self, file: &Path) {
        let mut text = "trust-anchors {\n".to_owned();
        for key in &self.keys {
            let (data, numbers) = (key[7..].concat(), key[4..7].join(" "));
            text += &format!("  \"{}\" static-key {numbers} \"{data}\";\n", self.zone);
        }
        std::fs::write(file, text + "};\n").expect("delv's anchors");
    }
}

/// What comes of `asking`, inside the namespace: a thread moves into it.
pub(crate) fn inside<T: Send + 'static>(
    namespace: &Namespace,
    asking: impl Future<Output = T> + Send + 'static,
) -> T {
    let file = namespace.file();
    let thread = std::thread::spawn(move || {
        let file = std::fs::File::open(file).expect("the namespace's file");
        rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&file),
            Some(rustix::thread::LinkNameSpaceType::Network),
        )
        .expect("the thread moves (needs root)");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(asking)
    });
    thread.join().expect("the judge answers")
}

/// What the library says.
pub(crate) fn ours(namespace: &Namespace, anchor: &Anchor, names: &[String]) -> Vec<Verdict> {
    let (names, anchors) = (names.to_vec(), Anchors::parse(&anchor.records()).unwrap());
    inside(namespace, async move {
        let server: SocketAddr = format!("{PRIMARY}:53").parse().unwrap();
        let authority = Authority::new(&[server], anchors, Arc::new(SystemClock::new()));
        let mut verdicts = Vec::new();
        for name in &names {
            let base: DnsName = name.parse().unwrap();
            let owner = TlsaOwner::new(base, 25).unwrap();
            verdicts.push(verdict(authority.look(&owner, &[]).await));
        }
        verdicts
    })
}

/// The verdict in a sight of the only server.
pub(crate) fn verdict(sight: OwnerSight) -> Verdict {
    let answers = match sight {
        OwnerSight::Seen(answers) => answers.answers,
        OwnerSight::Unknown { reason } => return Verdict::Bogus(reason),
        OwnerSight::Unsigned { .. } => return Verdict::Insecure,
    };
    match answers.into_values().next().expect("there is one server") {
        Answer::Secure(rrset) | Answer::Wildcard(rrset) => match rrset.records.len() {
            0 => Verdict::Denied,
            count => Verdict::Secure(count),
        },
        Answer::Untrusted { reason } | Answer::Silent { reason } => Verdict::Bogus(reason),
    }
}

/// What delv says.
pub(crate) fn delv(namespace: &Namespace, anchor: &Anchor, file: &Path, name: &str) -> Verdict {
    let mut command = namespace.command("delv");
    command.arg(format!("@{PRIMARY}")).arg("-a").arg(file).arg(format!("+root={}", anchor.zone));
    let output = command.args([&format!("_25._tcp.{name}"), "TLSA"]).output().expect("delv runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let has = |word: &str| said.lines().any(|line| line.starts_with(word));
    let records = said.lines().filter(|line| !line.starts_with(';'));
    let count = records.filter(|line| line.split_whitespace().nth(3) == Some("TLSA")).count();
    // Of an alias and its target the weaker counts. Where a target is denied or bogus, delv prints the
    // alias alone, and says only on standard error what came of the target.
    let failed = said.lines().filter(|line| line.starts_with(";; ")).collect::<Vec<_>>().join(", ");
    let denied = failed.contains("ncache nx");
    // Outside of the anchor's zone nothing is validated, and delv says no more than where it is from.
    let unjudged = has("; authoritative") || has("; answer");
    if unjudged || has("; unsigned answer") || has("; negative response, unsigned answer") {
        Verdict::Insecure
    } else if has("; negative response, fully validated") || denied && has("; fully validated") {
        Verdict::Denied
    } else if has("; fully validated") && 0 < count {
        Verdict::Secure(count)
    } else {
        Verdict::Bogus(said.replace(";; ", "").replace('\n', ", "))
    }
}
