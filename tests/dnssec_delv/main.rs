//! The verdicts of the library's DNSSEC validation beside those of BIND's `delv` and the crate `domain`.
//!
//! BIND serves a root and zones below it, each with something special or wrong; all judges ask that
//! one server, from the same trust anchor. What the library believes, `delv` must believe: the opposite
//! would take for published what senders do not see. Where the library is stricter stands below, each
//! with its reason, so that a new difference fails the test and so does one that has gone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a lab starts processes, waits, and writes files")]
#![allow(clippy::print_stdout, reason = "the counts are the result")]

mod cases;
mod domain_judge;
mod judges;
#[path = "../lab/mod.rs"]
mod lab;
mod liar;
mod zones;

use std::collections::BTreeSet;
use std::path::Path;

use judges::{Anchor, Verdict};
use lab::PRIMARY;
use lab::daemon::Daemon;
use lab::namespace::Namespace;
use zones::{Made, Zone};

/// A difference that is known: the beginning of the base domain, the zone, and why.
type Difference = (&'static str, &'static str, &'static str);

/// Where the library is stricter than `delv`.
/// `docs/proof-differential.md` says more.
const EXPLAINED: &[Difference] = &[
    (
        "a.wildalias.",
        "",
        "an alias by a wildcard is not followed: it answers for other names as well",
    ),
    ("x.tree.", "", "an alias made of a DNAME record is not signed itself, and not followed"),
    (
        "a.wild.optout.",
        "",
        "BIND calls an expansion in an opt-out span not signed; here it is not trusted",
    ),
    ("", "ed448.test.", "algorithm 16 is not supported: such a zone counts as not signed"),
    ("", "rsa1.test.", "neither is RSA with SHA-1 (RFC 9905)"),
    ("", ".sha1.test.", "nor is a DS record with SHA-1 (RFC 9905)"),
    ("", "i101.test.", "more than 100 iterations prove nothing (RFC 9276); BIND 9.18 allows 150"),
    ("", "i150.test.", "the same"),
    (
        "",
        "nameserver.test.",
        "servers are asked one by one, so the names of the servers must be true",
    ),
    ("", "nonssig.test.", "the same"),
    ("", "blank.test.", "nor can a server be asked whose name no host can have"),
    ("", "noaddress.test.", "nor one that has no address"),
    ("n12.aliases.", "", "more than 8 aliases are not followed"),
];

/// The same beside the crate `domain`.
const EXPLAINED_TO_DOMAIN: &[Difference] = &[
    ("a.wildalias.", "", "an alias by a wildcard is not followed"),
    ("x.tree.", "", "an alias made of a DNAME record is not followed"),
    ("a.wild.optout.", "", "an expansion in an opt-out span is not trusted, nor called not signed"),
    ("", "rsa1.test.", "RSA with SHA-1 is not supported (RFC 9905)"),
    ("", ".sha1.test.", "nor is a DS record with SHA-1"),
    (
        "",
        "downgrade.test.",
        "beside a SHA-256 digest one of SHA-1 does not count (RFC 4509, section 3)",
    ),
    (
        "",
        "i101.test.",
        "more than 100 iterations prove nothing (RFC 9276), nor that nothing is signed",
    ),
    ("", "i150.test.", "the same"),
    ("", "nameserver.test.", "the names of the servers must be true"),
    ("", "nonssig.test.", "the same"),
    ("", "blank.test.", "nor can a server be asked whose name no host can have"),
    ("", "noaddress.test.", "nor one that has no address"),
    ("n12.aliases.", "", "more than 8 aliases are not followed"),
    ("n5.aliases.", "", "the same"),
    ("n0.aliases.", "", "the same"),
];

/// Where `domain` believes less than the library does, and `delv` as much.
const UNSEEN_BY_DOMAIN: &[Difference] = &[
    ("", "p384.test.", "its validator 0.12 does not know algorithm 14"),
    ("", "ed25519.test.", "nor algorithm 15"),
    (
        "",
        "optout.test.",
        "a denial in an opt-out span is not signed to it (RFC 5155, section 9.2); here nothing that is \
         signed can be there, and so no record that a sender would use",
    ),
    ("opted.aliases.", "", "the same, behind an alias"),
];

/// A server of all zones.
struct World {
    /// The zones, and what is asked of each.
    cases: cases::Cases,
    /// Their keys.
    keys: Vec<Made>,
    /// The server.
    _bind: Daemon,
    /// Where it is.
    namespace: Namespace,
    /// Its files.
    directory: tempfile::TempDir,
}

impl World {
    /// Starts the server.
    fn start() -> Self {
        Self::start_with(cases::all())
    }

    /// Starts a server of these zones.
    fn start_with(cases: cases::Cases) -> Self {
        let directory = tempfile::Builder::new().prefix("rollover-delv-").tempdir().unwrap();
        let (zones, asked): (Vec<Zone>, Vec<_>) = cases.into_iter().unzip();
        let keys = zones::make_all(&zones, directory.path());
        std::fs::write(
            directory.path().join("named.conf"),
            configuration(directory.path(), &zones),
        )
        .unwrap();
        let namespace = Namespace::new();
        let mut command = namespace.command("named");
        command.arg("-g").arg("-c").arg(directory.path().join("named.conf")).args(["-n", "1"]);
        let mut bind = Daemon::start("BIND", command, &directory.path().join("log"));
        let log = directory.path().join("log");
        bind.wait_until("all zones are loaded", || {
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains("all zones loaded"))
        });
        let cases = zones.into_iter().zip(asked).collect();
        Self { cases, keys, _bind: bind, namespace, directory }
    }

    /// The keys of `keys_of` as an anchor for `zone`.
    fn anchor(&self, zone: &str, keys_of: &str) -> Anchor {
        let index = self.cases.iter().position(|(zone, _)| zone.name == keys_of).unwrap();
        Anchor::new(zone, &self.keys[index].anchors)
    }

    /// Asks both judges for base domains; what they trust for `zone` is the keys of `keys_of`.
    fn judge(&self, zone: &str, keys_of: &str, names: &[String]) -> Vec<(Verdict, Verdict)> {
        let anchor = self.anchor(zone, keys_of);
        let file = self.directory.path().join("anchors");
        anchor.write_for_delv(&file);
        let ours = judges::ours(&self.namespace, &anchor, names);
        let (anchor, file, namespace) = (&anchor, &file, &self.namespace);
        // Most of delv's time is its start.
        let theirs = std::thread::scope(|scope| {
            let ask = |part: &'_ [String]| -> Vec<Verdict> {
                part.iter().map(|name| judges::delv(namespace, anchor, file, name)).collect()
            };
            let parts = names.chunks(names.len().div_ceil(4)).collect::<Vec<_>>();
            let asking: Vec<_> =
                parts.into_iter().map(|part| scope.spawn(move || ask(part))).collect();
            asking.into_iter().flat_map(|part| part.join().unwrap()).collect::<Vec<_>>()
        });
        ours.into_iter().zip(theirs).collect()
    }
}

/// named.conf: nothing is signed by the server itself.
fn configuration(directory: &Path, zones: &[Zone]) -> String {
    let path = directory.display();
    let mut text = format!(
        "options {{\n  directory \"{path}\";\n  listen-on {{ {PRIMARY}; }};\n  listen-on-v6 {{ none; }};\n  \
         pid-file \"{path}/named.pid\";\n  session-keyfile none;\n  recursion no;\n  dnssec-validation \
         no;\n  notify no;\n  zone-statistics none;\n  check-names primary ignore;\n}};\ncontrols {{ }};\n"
    );
    for zone in zones {
        text += &format!(
            "zone \"{}\" {{ type primary; file \"{}\"; check-integrity no; }};\n",
            zone.name,
            zone.file()
        );
    }
    text
}

#[test]
fn what_is_believed_here_others_believe_too() {
    let world = World::start();
    let mut names = Vec::new();
    for (zone, asked) in &world.cases {
        names.extend(asked.iter().map(|below| format!("{below}.{}", zone.name)));
    }
    let verdicts = world.judge(".", ".", &names);
    let by_domain = domain_judge::domain(&world.namespace, &world.anchor(".", "."), &names);
    let besides_domain: Vec<_> =
        verdicts.iter().zip(by_domain).map(|((ours, _), theirs)| (ours.clone(), theirs)).collect();
    let differences = [
        compare("delv", &names, &verdicts, EXPLAINED, &[]),
        compare("domain", &names, &besides_domain, EXPLAINED_TO_DOMAIN, UNSEEN_BY_DOMAIN),
    ]
    .concat();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The differences between the library and a judge that are not known, and the known ones that are
/// gone: where the library is `stricter`, and where the judge is.
fn compare(
    judge: &str,
    names: &[String],
    verdicts: &[(Verdict, Verdict)],
    stricter: &[Difference],
    laxer: &[Difference],
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut unused: BTreeSet<_> = stricter.iter().chain(laxer).collect();
    let mut agreed = 0;
    for (name, (ours, theirs)) in names.iter().zip(verdicts) {
        if std::env::var_os("DELV_ALL").is_some() {
            println!("{name}: {ours} | {judge}: {theirs}");
        }
        if ours.agrees(theirs) {
            agreed += 1;
            continue;
        }
        let known = if ours.is_laxer_than(theirs) { laxer } else { stricter };
        let explains =
            |(below, zone, _): &&Difference| name.starts_with(below) && name.ends_with(zone);
        match known.iter().find(explains) {
            Some(reason) => {
                unused.remove(reason);
            }
            None => differences.push(format!("{name}: here {ours}; {judge}: {theirs}")),
        }
    }
    println!("{judge}: {} cases, {agreed} agreements", names.len());
    differences.extend(unused.into_iter().map(|reason| format!("{judge} agrees now: {reason:?}")));
    differences
}

/// An island of security: its own key is the anchor, whatever is above it; and another zone's key is
/// none.
#[test]
fn an_island_is_as_good_as_its_own_anchor() {
    let world = World::start_with(cases::islands());
    let names = ["mail.p256", "none.p256", "mail.child.p256", "mail.plain.p256", "mail.other"];
    let names: Vec<String> = names.iter().map(|name| format!("{name}.test.")).collect();
    let said: Vec<(Verdict, Verdict)> = world.judge("p256.test.", "p256.test.", &names);
    for (name, (ours, theirs)) in names.iter().zip(&said) {
        assert!(ours.agrees(theirs), "{name}: here {ours}; delv: {theirs}");
    }
    let ours: Vec<Verdict> = said.into_iter().map(|(ours, _)| ours).collect();
    let secure = Verdict::Secure(1);
    let expected = [secure.clone(), Verdict::Denied, secure, Verdict::Insecure, Verdict::Insecure];
    assert_eq!(ours, expected);
    for (ours, theirs) in world.judge("p256.test.", "other.test.", &names[..4]) {
        let bogus = matches!((&ours, &theirs), (Verdict::Bogus(_), Verdict::Bogus(_)));
        assert!(bogus, "by another zone's key: here {ours}; delv: {theirs}");
    }
}
