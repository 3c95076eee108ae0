//! The zones, what is wrong with each, and what is asked of each.

use crate::zones::{Keys, Line, Zone, of_digest, zone};

/// All that may be asked of a full zone, below it.
pub(crate) const ALL: &[&str] = &[
    "mail",
    "two",
    "none",
    "nodata",
    "ent",
    "a.wild",
    "a.wildtxt",
    "a.wildalias",
    "alias",
    "aliases",
    "dangling",
    "round",
    "x.tree",
];

/// What tells most.
pub(crate) const SOME: &[&str] = &["mail", "none", "nodata", "a.wild", "alias"];

/// What tells enough.
pub(crate) const FEW: &[&str] = &["mail", "none"];

/// Zones with what is asked of each.
pub(crate) type Cases = Vec<(Zone, &'static [&'static str])>;

/// Every case: the root, `test.`, and the zones below them.
pub(crate) fn all() -> Cases {
    let mut cases = vec![(zone("."), &[] as &[&str]), (zone("test.").more(SERVERS), &[])];
    cases.extend(sound());
    cases.extend(servers());
    cases.extend(denials());
    cases.extend(forged());
    cases.extend(signatures());
    cases.extend(chains());
    cases.extend(delegations());
    cases
}

/// Zones below a parent that is not signed, but for which there may be anchors.
pub(crate) fn islands() -> Cases {
    let names = [".", "p256.test.", "child.p256.test.", "other.test."];
    let mut cases: Cases = names.map(|name| (zone(name), FEW)).into();
    cases.push((zone("test.").keys(Keys::None).more("ns A 127.0.0.1"), FEW));
    cases.push((zone("plain.p256.test.").keys(Keys::None), FEW));
    cases
}

/// The addresses of name servers.
const SERVERS: &str = "ns A 127.0.0.1\n-ns A 127.0.0.1\nalias CNAME ns\n";

/// Zones with another name server beside the usual one.
fn servers() -> Cases {
    vec![
        (zone("hyphen.test.").more("@ NS -ns.test."), FEW),
        (zone("serveralias.test.").more("@ NS alias.test."), FEW),
        (zone("blank.test.").more("@ NS a\\032blank.test."), FEW),
        (zone("noaddress.test.").more("@ NS none.test."), FEW),
    ]
}

/// Zones with nothing wrong, of every algorithm.
fn sound() -> Cases {
    vec![
        (zone("p256.test."), ALL),
        (zone("p384.test.").keys(Keys::One("ECDSAP384SHA384")), SOME),
        (zone("ed25519.test.").keys(Keys::One("ED25519")), SOME),
        (zone("ed448.test.").keys(Keys::One("ED448")), SOME),
        (zone("rsa256.test.").keys(Keys::One("RSASHA256")), SOME),
        (zone("rsa512.test.").keys(Keys::One("RSASHA512")), SOME),
        (zone("rsa1.test.").keys(Keys::One("RSASHA1")), SOME),
        (zone("split.test.").keys(Keys::Split("ECDSAP256SHA256")), SOME),
        (zone("split8.test.").keys(Keys::Split("RSASHA256")), SOME),
        (zone("two.test.").keys(Keys::Both("ECDSAP256SHA256", "RSASHA256")), SOME),
        (zone("old.test.").keys(Keys::Both("ED25519", "RSASHA1")), SOME),
        (zone("unsigned.test.").keys(Keys::None), SOME),
    ]
}

/// NSEC3 in its forms, and denials that lack something.
fn denials() -> Cases {
    let without = |kind: &'static str| {
        move |lines: Vec<Line>| lines.into_iter().filter(|l| l[3] != kind).collect::<Vec<_>>()
    };
    let unsigned = |kind: &'static str| {
        move |lines: Vec<Line>| {
            let is = |line: &Line| line[3] == "RRSIG" && line[4] == kind;
            lines.into_iter().filter(|line| !is(line)).collect::<Vec<_>>()
        }
    };
    vec![
        (zone("nsec3.test.").signing(&["-3", "-"]), ALL),
        (zone("salt.test.").signing(&["-3", "aabbccdd", "-H", "10"]), ALL),
        (zone("optout.test.").signing(&["-3", "-", "-A"]), ALL),
        (zone("i50.test.").signing(&["-3", "-", "-H", "50"]), SOME),
        (zone("i51.test.").signing(&["-3", "-", "-H", "51"]), SOME),
        (zone("i100.test.").signing(&["-3", "-", "-H", "100"]), SOME),
        (zone("i101.test.").signing(&["-3", "-", "-H", "101"]), SOME),
        (zone("i150.test.").signing(&["-3", "-", "-H", "150"]), SOME),
        (zone("nonsec.test.").edit(without("NSEC")), SOME),
        (zone("nonsec3.test.").signing(&["-3", "-"]).edit(without("NSEC3")), SOME),
        (zone("nosoasig.test.").edit(unsigned("SOA")), SOME),
        (zone("nonsecsig.test.").edit(unsigned("NSEC")), SOME),
        // The record is taken out, but the NSEC record still says that it is there.
        (
            zone("hidden.test.").edit(|lines| {
                let is = |l: &Line| {
                    l[0].starts_with("_25._tcp.mail.")
                        && (l[3] == "TLSA" || l[3] == "RRSIG" && l[4] == "TLSA")
                };
                lines.into_iter().filter(|line| !is(line)).collect()
            }),
            SOME,
        ),
        (
            zone("bitmap.test.")
                .edit(change("NSEC", "_25._tcp.nodata.", |line| line.insert(5, "HINFO".into()))),
            SOME,
        ),
        (
            zone("next.test.").edit(change("NSEC", "mail.", |line| {
                line[4] = line[4].replacen("alias", "a", 1).replacen("_25", "zz", 1)
            })),
            SOME,
        ),
    ]
}

/// Changes the records of a type whose owner begins so.
fn change(
    kind: &'static str,
    owner: &'static str,
    edit: impl Fn(&mut Line) + 'static,
) -> impl Fn(Vec<Line>) -> Vec<Line> + 'static {
    move |mut lines| {
        for line in lines.iter_mut().filter(|l| l[3] == kind && l[0].starts_with(owner)) {
            edit(line);
        }
        lines
    }
}

/// Changes the signatures over a type, below owners that begin so.
fn resign(
    covered: &'static str,
    field: usize,
    edit: impl Fn(&str) -> String + 'static,
) -> impl Fn(Vec<Line>) -> Vec<Line> + 'static {
    move |mut lines| {
        for line in lines.iter_mut().filter(|l| l[3] == "RRSIG" && l[4] == covered) {
            line[field] = edit(&line[field]);
        }
        lines
    }
}

/// Records changed, added or taken out after they were signed.
fn forged() -> Cases {
    let last = |line: &mut Line| {
        let end = line.len() - 1;
        line[end] = line[end].replace("01", "0F");
    };
    vec![
        (zone("data.test.").edit(change("TLSA", "", last)), FEW),
        (zone("usage.test.").edit(change("TLSA", "", |line| line[4] = "2".into())), FEW),
        (zone("higher.test.").edit(change("TLSA", "", |line| line[1] = "7200".into())), FEW),
        (zone("lower.test.").edit(change("TLSA", "", |line| line[1] = "5".into())), FEW),
        (
            zone("added.test.").edit(|mut lines| {
                let wanted = |l: &&Line| l[3] == "TLSA" && l[0].starts_with("_25._tcp.mail.");
                let mut more = lines.iter().find(wanted).cloned().unwrap_or_default();
                more[4] = "2".into();
                lines.push(more);
                lines
            }),
            FEW,
        ),
        (
            zone("fewer.test.").edit(|lines| {
                let is =
                    |l: &Line| l[0].starts_with("_25._tcp.two.") && l[3] == "TLSA" && l[4] == "2";
                lines.into_iter().filter(|line| !is(line)).collect()
            }),
            &["two"],
        ),
        (
            zone("target.test.").edit(change("CNAME", "_25._tcp.alias.", |line| {
                line[4] = line[4].replace("mail", "two")
            })),
            &["alias", "aliases"],
        ),
        (zone("soa.test.").edit(change("SOA", "", |line| line[10] = "9999".into())), FEW),
        (zone("nsttl.test.").edit(change("NS", "", |line| line[1] = "9999".into())), FEW),
        (
            zone("nameserver.test.")
                .edit(change("NS", "nameserver.", |line| line[4] = "ns.p256.test.".into())),
            FEW,
        ),
        (zone("key.test.").edit(change("DNSKEY", "", |line| line[5] = "2".into())), FEW),
        (zone("keyflags.test.").edit(change("DNSKEY", "", |line| line[4] = "1".into())), FEW),
        (zone("revoked.test.").edit(change("DNSKEY", "", |line| line[4] = "385".into())), FEW),
    ]
}

/// Signatures that are not what they should be.
fn signatures() -> Cases {
    let gone = |covered: &'static str| {
        move |lines: Vec<Line>| {
            let is = |l: &Line| l[3] == "RRSIG" && l[4] == covered;
            lines.into_iter().filter(|l| !is(l)).collect::<Vec<_>>()
        }
    };
    vec![
        (zone("expired.test.").signing(&["-s", "20200101000000", "-e", "20200201000000"]), FEW),
        (zone("early.test.").signing(&["-s", "+86400", "-e", "+864000"]), FEW),
        (zone("expiredkey.test.").signing(&["-s", "20200101000000", "-X", "20200201000000"]), FEW),
        (zone("signer.test.").edit(resign("TLSA", 11, |_| "test.".into())), FEW),
        (zone("signerbelow.test.").edit(resign("TLSA", 11, |s| format!("x.{s}"))), FEW),
        (zone("signerbeside.test.").edit(resign("TLSA", 11, |_| "p256.test.".into())), FEW),
        (
            zone("extended.test.")
                .signing(&["-s", "20200101000000", "-e", "20200201000000"])
                .edit(resign("TLSA", 8, |_| "20400101000000".into())),
            FEW,
        ),
        (zone("tag.test.").edit(resign("TLSA", 10, |_| "1".into())), FEW),
        (zone("algorithm.test.").edit(resign("TLSA", 5, |_| "8".into())), FEW),
        (zone("labelsfewer.test.").edit(resign("TLSA", 6, |_| "3".into())), FEW),
        (zone("labelsmore.test.").edit(resign("TLSA", 6, |_| "9".into())), FEW),
        (zone("original.test.").edit(resign("TLSA", 7, |_| "61".into())), FEW),
        (zone("sig.test.").edit(resign("TLSA", 12, |s| s.replacen(&s[4..8], "AAAA", 1))), FEW),
        (zone("nosig.test.").edit(gone("TLSA")), FEW),
        (zone("nokeysig.test.").edit(gone("DNSKEY")), FEW),
        (zone("nonssig.test.").edit(gone("NS")), FEW),
        (zone("noaliassig.test.").edit(gone("CNAME")), SOME),
        // The keys are signed by the one that the DS record does not stand for.
        (
            zone("zskonly.test.").keys(Keys::Split("ECDSAP256SHA256")).edit(|lines| {
                let of = |l: &&Line| l[3] == "RRSIG" && l[4] == "TLSA";
                let tag = lines.iter().find(of).map(|l| l[10].clone()).unwrap_or_default();
                let is = |l: &Line| l[3] == "RRSIG" && l[4] == "DNSKEY" && l[10] != tag;
                lines.into_iter().filter(|line| !is(line)).collect()
            }),
            FEW,
        ),
    ]
}

/// Aliases from zone to zone.
fn chains() -> Cases {
    let long: String = (0..20)
        .map(|n| format!("_25._tcp.n{n} CNAME _25._tcp.n{}\n", n + 1))
        .chain(["_25._tcp.n20 TLSA 3 1 1 00000000\n".to_owned()])
        .collect();
    let more = format!(
        "{long}_25._tcp.secure CNAME _25._tcp.mail.rsa256.test.\n\
         _25._tcp.insecure CNAME _25._tcp.mail.unsigned.test.\n\
         _25._tcp.bogus CNAME _25._tcp.mail.data.test.\n\
         _25._tcp.nothing CNAME _25._tcp.none.nsec3.test.\n\
         _25._tcp.opted CNAME _25._tcp.none.optout.test.\n\
         _25._tcp.wild CNAME a.wild.p256.test.\n\
         _25._tcp.nowhere CNAME _25._tcp.mail.no-such-tld.\n"
    );
    vec![
        (
            zone("aliases.test.").more(&more),
            &[
                "secure", "insecure", "bogus", "nothing", "opted", "wild", "nowhere", "n19", "n14",
                "n13", "n12", "n5", "n0",
            ],
        ),
        // From a zone that is not signed into one that is.
        (
            zone("from.test.")
                .keys(Keys::None)
                .more("_25._tcp.secure CNAME _25._tcp.mail.p256.test."),
            &["secure"],
        ),
    ]
}

/// Delegations of all kinds.
fn delegations() -> Cases {
    let set = |field: usize, value: &'static str| {
        move |lines: Vec<Line>| {
            let mut lines = of_digest(lines, "2");
            lines.iter_mut().for_each(|line| line[field] = value.to_owned());
            lines
        }
    };
    let broken = |digest: &'static str| {
        move |mut lines: Vec<Line>| {
            for line in lines.iter_mut().filter(|line| line[6] == digest) {
                line[7] = line[7].replacen(|c| c != '0', "0", 4);
            }
            lines
        }
    };
    vec![
        (zone("nods.test.").ds(|_| Vec::new()), FEW),
        (zone("sha1.test.").ds(|lines| of_digest(lines, "1")), FEW),
        (zone("sha384.test.").ds(|lines| of_digest(lines, "4")), FEW),
        (zone("digests.test.").ds(|lines| lines), FEW),
        (zone("sha1only.test.").ds(broken("2")), FEW),
        (zone("downgrade.test.").ds(move |lines| {
            let lines = broken("2")(lines);
            lines.into_iter().filter(|line| line[6] != "4").collect()
        }), FEW),
        (zone("wrongds.test.").ds(move |lines| of_digest(broken("2")(lines), "2")), FEW),
        (zone("wrongtag.test.").ds(set(4, "1")), FEW),
        (zone("unknowndigest.test.").ds(set(6, "200")), FEW),
        (zone("unknownalgorithm.test.").ds(set(5, "200")), FEW),
        (zone("dsunsigned.test.").keys(Keys::None).ds(|_| {
            vec!["dsunsigned.test. 60 IN DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000"
                .split(' ').map(str::to_owned).collect()]
        }), FEW),
        // A delegation in each kind of parent.
        (zone("child.p256.test."), FEW),
        (zone("plain.p256.test.").keys(Keys::None), FEW),
        (zone("child.nsec3.test."), FEW),
        (zone("plain.nsec3.test.").keys(Keys::None), FEW),
        (zone("child.optout.test."), FEW),
        (zone("plain.optout.test.").keys(Keys::None), FEW),
        (zone("child.unsigned.test."), FEW),
        (zone("plain.i100.test.").keys(Keys::None), FEW),
        (zone("plain.i150.test.").keys(Keys::None), FEW),
        (zone("child.i150.test."), FEW),
        // No NSEC record says that there is no DS.
        (zone("plain.nonsec.test.").keys(Keys::None), FEW),
        (zone("plain.nonsec3.test.").keys(Keys::None), FEW),
        (zone("child.data.test."), FEW),
        (zone("child.expired.test."), FEW),
        // Two labels below its parent, and four zones deep.
        (zone("deep.gap.p256.test."), FEW),
        (zone("deep.child.p256.test."), FEW),
        (zone("deep.plain.p256.test."), FEW),
    ]
}
