//! Which files are policies, and what is said of those that are not.

use expect_test::{Expect, expect};

use super::*;
use crate::policy::shipped::TEMPLATE;

/// All that is said of a file that is wrong.
fn said(text: &str) -> String {
    let diagnostics = parse(text, "my.toml").expect_err("the file is wrong");
    let said: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    said.join("\n\n") + "\n"
}

/// Asserts what is said of a file that is wrong.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&said(text));
}

/// Asserts that one thing is said of a file, at this line and column.
fn refused(text: &str, position: (usize, usize), message: &str) {
    let diagnostics = parse(text, "my.toml").expect_err(text);
    assert_eq!(diagnostics.len(), 1, "{text}: {diagnostics:?}");
    assert_eq!(diagnostics[0].position(), Some(position), "{text}");
    let found = diagnostics[0].message();
    assert!(found.contains(message), "{text}: {found}");
}

#[test]
fn the_template_is_what_an_empty_file_means() {
    assert_eq!(parse(TEMPLATE, "template.toml"), parse("", "template.toml"));
}

#[test]
fn the_template_documents_every_key() {
    let documented: Vec<&str> = TEMPLATE
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| !key.contains(' '))
        .collect();
    assert_eq!(
        documented,
        [
            "name",
            "description",
            "records",
            "fit",
            "bridge",
            "on-renewal",
            "rotate-every",
            "standby",
            "ttl-multiple",
            "margin",
            "minimum-wait",
            "propagation-holdoff",
            "probe-timeout",
            "drain",
            "before-expiry",
            "first",
            "factor",
            "max",
        ]
    );
}

#[test]
fn every_key_is_read() {
    let text = r#"
        name = "mine"
        description = "of my own"
        records = ["3 1 1", "2 0 2"]
        fit = "each"
        bridge = "overlap"
        [key]
        on-renewal = "reuse"
        rotate-every = "90d"
        standby = true
        [timing]
        ttl-multiple = 2
        margin = "1s"
        minimum-wait = "2s"
        propagation-holdoff = "3s"
        probe-timeout = "4s"
        drain = "5s"
        [renewal]
        before-expiry = "2/5"
        [retry]
        first = "6s"
        factor = 7
        max = "8s"
    "#;
    let expected = Policy {
        name: "mine".to_owned(),
        description: "of my own".to_owned(),
        records: vec![Parameters::EE_SPKI_SHA256, "2 0 2".parse().unwrap()],
        fit: Fit::Each,
        bridge: Bridge::Overlap,
        key: KeyPolicy {
            on_renewal: OnRenewal::Reuse {
                rotate_every: Some("90d".parse().unwrap()),
            },
            standby: true,
        },
        timing: Timing {
            ttl_multiple: 2,
            margin: Span::from_seconds(1),
            minimum_wait: Span::from_seconds(2),
            propagation_holdoff: Span::from_seconds(3),
            probe_timeout: Span::from_seconds(4),
            drain: Span::from_seconds(5),
        },
        before_expiry: BeforeExpiry::Fraction {
            numerator: 2,
            denominator: 5,
        },
        retry: Retry {
            first: Span::from_seconds(6),
            factor: 7,
            max: Span::from_seconds(8),
        },
    };
    assert_eq!(parse(text, "my.toml"), Ok(expected));
}

#[test]
fn a_policy_without_a_name_has_its_files() {
    assert_eq!(parse("", "conf.d/strict.toml").unwrap().name, "strict");
}

#[test]
fn all_errors_are_said_at_once() {
    check(
        r#"recrods = ["3 1 1"]
fit = "eahc"
bridge = 1

[timing]
margin = "60"
drian = "2m"
ttl-multiple = 0

[key]
standby = "yes"

[retrry]
first = "1m"
"#,
        expect![[r#"
            my.toml:1:1: unknown key `recrods`
              |
            1 | recrods = ["3 1 1"]
              | ^^^^^^^
            hint: did you mean `records`?

            my.toml:2:7: unknown fit `eahc`
              |
            2 | fit = "eahc"
              |       ^^^^^^
            hint: did you mean `each`?

            my.toml:3:10: `bridge` takes a string, not an integer
              |
            3 | bridge = 1
              |          ^

            my.toml:6:10: `60` is not a duration such as `60s`, `2h`, `1d12h` or `90d`
              |
            6 | margin = "60"
              |          ^^^^

            my.toml:7:1: unknown key `drian`
              |
            7 | drian = "2m"
              | ^^^^^
            hint: did you mean `drain`?

            my.toml:8:16: `ttl-multiple` is at least 1 and at most 4294967295, not 0
              |
            8 | ttl-multiple = 0
              |                ^

            my.toml:11:11: `standby` takes true or false, not a string
               |
            11 | standby = "yes"
               |           ^^^^^

            my.toml:13:2: unknown key `retrry`
               |
            13 | [retrry]
               |  ^^^^^^
            hint: did you mean `retry`?
        "#]],
    );
}

#[test]
fn what_is_not_toml_is_said_too() {
    check(
        "fit = any\nname = \"x\nfactor == 2\n",
        expect![[r#"
        my.toml:1:7: string values must be quoted, expected literal string
          |
        1 | fit = any
          |       ^^^

        my.toml:2:10: invalid basic string, expected `"`
          |
        2 | name = "x
          |          ^

        my.toml:3:9: extra `=`, expected nothing
          |
        3 | factor == 2
          |         ^

        my.toml:3:11: unexpected key or value, expected newline, `#`
          |
        3 | factor == 2
          |           ^
    "#]],
    );
}

#[test]
fn records_that_no_sender_uses_are_refused() {
    check(
        r#"records = ["1 1 1", "3 1 0", "3 1", "2 1 1", "2 1 1"]"#,
        expect![[r#"
            my.toml:1:12: `1 1 1` is of no use to mail clients: usage 1 needs the public PKI, which SMTP clients do not use (RFC 7672, section 3.1.3)
              |
            1 | records = ["1 1 1", "3 1 0", "3 1", "2 1 1", "2 1 1"]
              |            ^^^^^^^

            my.toml:1:21: `3 1 0` would put a whole key into the DNS, whose answers should stay small (RFC 7671, section 10.1)
              |
            1 | records = ["1 1 1", "3 1 0", "3 1", "2 1 1", "2 1 1"]
              |                     ^^^^^^^
            hint: write "3 1 1"

            my.toml:1:30: `3 1` is not three numbers such as `3 1 1`: usage, selector, matching type
              |
            1 | records = ["1 1 1", "3 1 0", "3 1", "2 1 1", "2 1 1"]
              |                              ^^^^^
        "#]],
    );
    check(
        r#"records = ["2 1 1", "2  1 1"]"#,
        expect![[r#"
        my.toml:1:21: `2 1 1` stands here twice
          |
        1 | records = ["2 1 1", "2  1 1"]
          |                     ^^^^^^^^
    "#]],
    );
    check(
        "records = []",
        expect![[r#"
        my.toml:1:11: there are no records: a host without any is not under DANE
          |
        1 | records = []
          |           ^^
        hint: write records = ["2 1 1", "3 1 1"]
    "#]],
    );
}

#[test]
fn what_cannot_be_met_is_refused_with_the_reason() {
    check(
        r#"fit = "each""#,
        expect![[r#"
            my.toml:1:7: fit = "each" cannot be met with bridge = "replace" (the default): while it stands, the records of usage 2 fit only the chain that comes and those of usage 3 only the one that is served
              |
            1 | fit = "each"
              |       ^^^^^^
            hint: write bridge = "overlap"
        "#]],
    );
    check(
        r#"records = ["3 1 1"]"#,
        expect![[r#"
            my.toml:1:11: bridge = "replace" (the default) needs records of both usages, 3 for the chain that is served and 2 for the one that comes; there is none of usage 2
              |
            1 | records = ["3 1 1"]
              |           ^^^^^^^^^
            hint: write bridge = "overlap", or add "2 1 1" to `records`
        "#]],
    );
    check(
        "records = [\"2 1 1\", \"3 1 2\"]\nbridge = \"replace\"",
        expect![[r#"
            my.toml:2:10: bridge = "replace" needs SHA2-256 (matching type 1) for both usages or for none: a client that does not know SHA2-512 would see one side of it alone
              |
            2 | bridge = "replace"
              |          ^^^^^^^^^
            hint: write bridge = "overlap"
        "#]],
    );
    check(
        r#"
records = ["2 0 1", "2 0 2", "2 1 1", "2 1 2", "3 0 1", "3 1 1", "3 1 2"]
bridge = "overlap"
"#,
        expect![[r#"
            my.toml:2:11: bridge = "overlap" holds each of these 7 records twice, 14 in all: some large senders fail beyond 12
              |
            2 | records = ["2 0 1", "2 0 2", "2 1 1", "2 1 2", "3 0 1", "3 1 1", "3 1 2"]
              |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            hint: keep to 6 records
        "#]],
    );
    check(
        r#"
records = ["2 1 1", "3 0 1"]
[key]
standby = true
"#,
        expect![[r#"
            my.toml:4:11: a standby key needs a record of usage 3 and selector 1 to be named by: of the next certificate nothing but its key is known beforehand
              |
            4 | standby = true
              |           ^^^^
            hint: add "3 1 1" to `records`
        "#]],
    );
}

#[test]
fn numbers_and_durations_have_their_limits() {
    for (text, position, message) in [
        ("[timing]\nttl-multiple = 0", (2, 16), "at least 1"),
        ("[timing]\nttl-multiple = 1.5", (2, 16), "a whole number"),
        ("[timing]\nttl-multiple = -1", (2, 16), "at least 1"),
        (
            "[timing]\nprobe-timeout = \"0s\"",
            (2, 17),
            "more than no time",
        ),
        (
            "[timing]\nmargin = 60",
            (2, 10),
            "takes a string, not an integer",
        ),
        (
            "[renewal]\nbefore-expiry = \"3/3\"",
            (2, 17),
            "less than all",
        ),
        (
            "[renewal]\nbefore-expiry = \"0/3\"",
            (2, 17),
            "more than nothing",
        ),
        (
            "[renewal]\nbefore-expiry = \"1/0\"",
            (2, 17),
            "less than all",
        ),
        ("[renewal]\nbefore-expiry = \"0d\"", (2, 17), "too late"),
        (
            "[renewal]\nbefore-expiry = \"soon\"",
            (2, 17),
            "neither a part",
        ),
        ("[retry]\nfirst = \"0s\"", (2, 9), "more than no time"),
        ("[retry]\nfactor = 0", (2, 10), "at least 1"),
        (
            "[retry]\nfirst = \"2d\"",
            (2, 9),
            "is shorter than the first, 2d",
        ),
        ("[retry]\nmax = \"1s\"", (2, 7), "the longest pause, 1s"),
        ("[key]\nrotate-every = \"180d\"", (2, 16), "says nothing"),
        (
            "[key]\non-renewal = \"reuse\"\nrotate-every = \"0s\"",
            (3, 16),
            "no time",
        ),
        ("name = \" \"", (1, 8), "not empty"),
        ("key = 1", (1, 7), "takes a table"),
    ] {
        refused(text, position, message);
    }
}
