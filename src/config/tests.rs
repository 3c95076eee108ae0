//! What is written and what it means; and what is wrong, in the words that an operator reads.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::pki::KeyFamily;
use crate::secret::SecretError;
use crate::tlsa::Usage;

/// The main file.
const MAIN: &str = "/etc/rollover/rollover.toml";

/// Issuers, a provider and deploy settings for hosts of which nothing is to be said.
const HOUSE: &str = r#"
[issuers.house]
type = "own-ca"
certificate-file = "house.pem"
key-file = "house.key"
[dns.primary]
type = "rfc2136"
server = "192.0.2.53"
tsig-key-file = "tsig.key"
[defaults]
issuer = "house"
dns = "primary"
"#;

/// A file system of texts.
#[derive(Default)]
struct Memory {
    /// Texts by path.
    files: BTreeMap<PathBuf, String>,
    /// The secret files that others can read.
    exposed: BTreeSet<PathBuf>,
}

impl Memory {
    /// A main file, with all that [`HOUSE`] and the tests name.
    fn new(main: &str) -> Self {
        let files = ["house.pem", "house.key", "tsig.key", "root.key"];
        let mut memory = Self::default().with(MAIN, main);
        for name in files {
            memory = memory.with(&format!("/etc/rollover/{name}"), "");
        }
        memory
    }

    /// The same with one more file.
    fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    /// The same, where others can read the file at `path`.
    fn exposed(mut self, path: &str) -> Self {
        self.exposed.insert(path.into());
        self
    }

    /// What it all means.
    fn parse(&self) -> Result<Configuration, Vec<Diagnostic>> {
        parse(Path::new(MAIN), self, &Environment::default())
    }

    /// All that is wrong, as it is shown.
    fn errors(&self) -> String {
        match self.parse() {
            Ok(_) => "nothing is wrong\n".to_owned(),
            Err(errors) => errors.iter().map(|e| format!("{e}\n")).collect(),
        }
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(&file::plain(path)).cloned();
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        // The other way round: sorting is not the file system's business.
        Ok(self.files.keys().rev().filter(inside).filter_map(name).collect())
    }

    fn inspect(&self, path: &Path) -> io::Result<()> {
        self.read(path).map(|_| ())
    }

    fn inspect_secret(&self, path: &Path) -> Result<(), SecretError> {
        let path = path.to_owned();
        if self.exposed.contains(&path) {
            return Err(SecretError::Exposed {
                mode: 0o644,
                what: "read",
                command: format!("chmod o-rwx {}", path.display()),
                path,
            });
        }
        self.inspect(&path).map_err(|source| SecretError::Read { path, source })
    }
}

/// The primary of the examples.
fn primary(configuration: &Configuration) -> &Rfc2136Config {
    let DnsConfig::Rfc2136(config) = &configuration.dns["primary"] else {
        panic!("another provider: {:?}", configuration.dns["primary"]);
    };
    config
}

/// Each file in `bad/` is wrong in the words of the text beside it.
///
/// A new one needs a `.toml` alone: `UPDATE_EXPECT=1 cargo test` writes its text, to be read.
#[test]
fn each_bad_file_gives_its_exact_message() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/bad");
    let mut names = Disk.list(&directory).unwrap();
    names.retain(|name| name.ends_with(".toml"));
    assert!(!names.is_empty(), "there are no bad files");
    for name in names {
        let path = directory.join(name);
        let errors = Memory::new(&Disk.read(&path).unwrap()).errors();
        expect_test::expect_file![path.with_extension("txt")].assert_eq(&errors);
    }
}

/// The files that a host deploys to.
fn files(host: &HostConfig) -> &FilesConfig {
    match &host.deploy {
        DeployConfig::Files(files) => files,
        other @ (DeployConfig::Exec(_) | DeployConfig::Ssh(_)) => panic!("{other:?}"),
    }
}

/// The meaning of [`HOUSE`] and `hosts`.
fn parsed(hosts: &str) -> Configuration {
    let memory = Memory::new(&format!("{HOUSE}{hosts}"));
    memory.parse().unwrap_or_else(|_| panic!("{}", memory.errors()))
}

#[test]
fn a_host_has_defaults_for_all_but_where_its_files_go() {
    let configuration = parsed("[hosts.\"Mail.Example.NL\"]\ndeploy.chain-file = \"mail.pem\"");
    assert_eq!(configuration.state_dir, Path::new("/var/lib/rollover"));
    assert_eq!(configuration.resolver.servers, []);
    let host = &configuration.hosts["mail.example.nl"];
    assert_eq!(host.names, ["mail.example.nl".parse().unwrap()]);
    assert_eq!(host.key_types, [KeyType::EcdsaP256]);
    assert_eq!(host.policy.name, "ncsc");
    assert_eq!(host.foreign_records, ForeignRecords::Keep);
    assert_eq!(host.tlsa_ttl, None);
    let service = Service { port: 25, connect_port: 25, protocol: Protocol::Smtp };
    assert_eq!(host.services, [service]);
    expect![[r#"
        FilesConfig {
            place: ChainFiles(
                [
                    "/etc/rollover/mail.pem",
                ],
            ),
            owner: None,
            group: None,
            mode: 384,
            reload: [],
            reload_timeout: Span(
                60000,
            ),
        }
    "#]]
    .assert_debug_eq(files(host));
    expect![[r#"
        OwnCa(
            OwnCaConfig {
                certificate_file: "/etc/rollover/house.pem",
                key_file: "/etc/rollover/house.key",
                validity: Span(
                    7776000000,
                ),
            },
        )
    "#]]
    .assert_debug_eq(&configuration.issuers["house"]);
    assert_eq!(primary(&configuration).servers, ["192.0.2.53:53".parse().unwrap()]);
}

/// A primary, and one that stands in for it.
#[test]
fn several_update_servers_keep_their_order() {
    let servers = "server = [\"[2001:db8::53]:5353\", \"192.0.2.53\"]";
    let host = "[hosts.\"mail.example.nl\"]\ndeploy.chain-file = \"mail.pem\"";
    let text = HOUSE.replace("server = \"192.0.2.53\"", servers) + host;
    let configuration = Memory::new(&text).parse().unwrap();
    let wanted = ["[2001:db8::53]:5353", "192.0.2.53:53"].map(|server| server.parse().unwrap());
    assert_eq!(primary(&configuration).servers, wanted);
}

#[test]
fn a_host_wins_over_the_defaults_key_by_key() {
    let configuration = parsed(
        r#"
policy = "rfc7671"
key-types = ["rsa-2048"]
tlsa-ttl = "5m"
ports = [25, 465]
[defaults.deploy]
group = "postfix"
mode = "0640"
reload = ["bin/reload", "now"]
chain-file = "mail.pem"
[hosts.a]
policy = "dane-ee"
services = [{ port = 2525, protocol = "smtp", connect-port = 10025 }, { port = 993 }]
deploy.certificate-file = "/ssl/a.pem"
deploy.key-file = "/ssl/a.key"
deploy.mode = "0600"
[hosts.b]
tlsa-ttl = "1h"
"#,
    );
    let (a, b) = (&configuration.hosts["a"], &configuration.hosts["b"]);
    assert_eq!((&*a.policy.name, &*b.policy.name), ("dane-ee", "rfc7671"));
    assert_eq!(a.key_types, [KeyType::Rsa2048]);
    assert_eq!(a.tlsa_ttl, Some(Ttl::from_seconds(300)));
    assert_eq!(b.tlsa_ttl, Some(Ttl::from_seconds(3600)));
    assert_eq!(a.services[0].connect_port, 10025);
    assert_eq!(a.services[1].protocol, Protocol::Tls);
    assert_eq!(b.services.len(), 2);
    assert_eq!((files(a).mode, files(b).mode), (0o600, 0o640));
    assert_eq!(files(a).group.as_deref(), Some("postfix"));
    assert_eq!(files(a).reload, ["/etc/rollover/bin/reload", "now"]);
    assert!(matches!(files(a).place, Place::Separate { .. }));
    assert!(matches!(files(b).place, Place::ChainFiles(_)));
}

#[test]
fn a_host_names_the_issuers_that_take_the_place_of_its_own_or_none() {
    let other = "[issuers.other]\ntype = \"own-ca\"\ncertificate-file = \"house.pem\"\n\
                 key-file = \"house.key\"\n";
    let main = format!(
        "{HOUSE}fallback-issuers = [\"other\"]\n{other}[hosts.a]\ndeploy.chain-file = \"a\"\n\
         [hosts.b]\nfallback-issuers = []\ndeploy.chain-file = \"b\"\n"
    );
    let configuration = Memory::new(&main).parse().unwrap();
    assert_eq!(configuration.hosts["a"].fallback_issuers, ["other"]);
    assert!(configuration.hosts["b"].fallback_issuers.is_empty());
}

#[test]
fn known_anchors_are_files_and_tables_that_come_with_the_program() {
    let main = format!(
        "{HOUSE}[hosts.a]\ndeploy.chain-file = \"a\"\n[issuers.certbot]\ntype = \"external\"\n\
         known-anchors = [\"house.pem\", \"shipped:letsencrypt\"]\n"
    );
    let configuration = Memory::new(&main).parse().unwrap();
    let IssuerConfig::External(config) = &configuration.issuers["certbot"] else {
        panic!("{:?}", configuration.issuers)
    };
    let families = |key_types: &[KeyType]| match &config.for_keys(key_types).known_anchors[..] {
        [KnownAnchors::File(_), KnownAnchors::Shipped(CaTable::LetsEncrypt, families)] => {
            families.clone()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(families(&[KeyType::EcdsaP384]), [KeyFamily::Ecdsa]);
    let both = [KeyFamily::Rsa, KeyFamily::Ecdsa];
    assert_eq!(families(&[KeyType::Rsa2048, KeyType::EcdsaP256]), both);
}

#[test]
fn the_policy_of_all_is_that_of_hosts_and_defaults_that_name_none() {
    let main =
        format!("policy = \"policies/ours.toml\"\n{HOUSE}[hosts.a]\ndeploy.chain-file = \"a\"");
    let text = "name = \"ours\"\nrecords = [\"3 1 1\"]\nbridge = \"overlap\"\n";
    let memory = Memory::new(&main).with("/etc/rollover/policies/ours.toml", text);
    let policy = memory.parse().unwrap().hosts["a"].policy.clone();
    assert!(policy.records.iter().all(|r| r.usage == Usage::DaneEe));
}

#[test]
fn systemd_says_where_state_and_credentials_are() {
    let main = format!("{HOUSE}[hosts.a]\ndeploy.chain-file = \"a.pem\"")
        .replace("tsig.key", "credential:tsig");
    let memory = Memory::new(&main).with("/run/credentials/rollover/tsig", "");
    let environment = Environment {
        state_directory: Some("/srv/rollover:/srv/other".to_owned()),
        credentials_directory: Some("/run/credentials/rollover".into()),
    };
    let configuration = parse(Path::new(MAIN), &memory, &environment).unwrap();
    assert_eq!(configuration.state_dir, Path::new("/srv/rollover"));
    assert_eq!(primary(&configuration).tsig_key_file, Path::new("/run/credentials/rollover/tsig"));
    let memory = memory.with(MAIN, &format!("state-dir = \"state\"\n{main}"));
    let configuration = parse(Path::new(MAIN), &memory, &environment).unwrap();
    assert_eq!(configuration.state_dir, Path::new("/etc/rollover/state"));
}

#[test]
fn included_files_are_read_in_order_and_paths_start_where_they_stand() {
    let host = |name: &str| format!("[hosts.{name}]\ndeploy.chain-file = \"{name}.pem\"");
    let main = format!(
        "include = [\"conf.d/*.toml\", \"conf.d/a.toml\", \"none.d/*\", \"*.toml\"]\n{HOUSE}"
    );
    let memory = Memory::new(&main)
        .with("/etc/rollover/conf.d/a.toml", &host("a"))
        .with("/etc/rollover/conf.d/b.toml", &host("b"))
        .with("/etc/rollover/conf.d/.b.toml", "no toml")
        .with("/etc/rollover/conf.d/c.toml~", "no toml");
    let configuration = memory.parse().unwrap();
    let hosts: Vec<&String> = configuration.hosts.keys().collect();
    assert_eq!(hosts, ["a", "b"]);
    let place = Place::ChainFiles(vec!["/etc/rollover/conf.d/a.pem".into()]);
    assert_eq!(files(&configuration.hosts["a"]).place, place);
    // In order: it is the second file's definition that is the second one.
    let memory = memory.with("/etc/rollover/conf.d/b.toml", &host("A"));
    expect![[r#"
        /etc/rollover/conf.d/b.toml:1:8: host `a` is defined twice: here and at /etc/rollover/conf.d/a.toml:1
          |
        1 | [hosts.A]
          |        ^
    "#]].assert_eq(&memory.errors());
}

#[test]
fn servers_have_port_53_unless_they_say_otherwise() {
    for (text, expected) in [
        ("192.0.2.1", Some("192.0.2.1:53")),
        ("192.0.2.1:5353", Some("192.0.2.1:5353")),
        ("[2001:db8::1]", Some("[2001:db8::1]:53")),
        ("[2001:db8::1]:5353", Some("[2001:db8::1]:5353")),
        ("2001:db8::1", None),
        ("[192.0.2.1]", None),
        ("192.0.2.1:0", None),
        ("192.0.2.1:99999", None),
        ("ns1.example.nl", None),
        ("", None),
    ] {
        let parsed = resolver::dns_server(text).ok();
        assert_eq!(parsed, expected.map(|e| e.parse().unwrap()), "{text}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let main = format!("{HOUSE}[hosts.a]\ndeploy.chain-file = \"a.pem\"");
    let memory =
        Memory::new(&main).exposed("/etc/rollover/tsig.key").exposed("/etc/rollover/house.key");
    expect![[r#"
        /etc/rollover/rollover.toml:5:12: the secret file `/etc/rollover/house.key` has mode 0644, which lets every user of this machine read it; run `chmod o-rwx /etc/rollover/house.key`
          |
        5 | key-file = "house.key"
          |            ^^^^^^^^^^^
        /etc/rollover/rollover.toml:9:17: the secret file `/etc/rollover/tsig.key` has mode 0644, which lets every user of this machine read it; run `chmod o-rwx /etc/rollover/tsig.key`
          |
        9 | tsig-key-file = "tsig.key"
          |                 ^^^^^^^^^^
    "#]].assert_eq(&memory.errors());
}

#[test]
fn every_kind_of_secret_is_refused_where_others_can_read_it() {
    let secrets =
        ["eab.key", "provider.token", "webhook.url"].map(|n| format!("/etc/rollover/{n}"));
    let main = format!(
        "{HOUSE}[issuers.bound]\ntype = \"acme\"\ndirectory-url = \"https://ca.example/dir\"\n\
         accept-terms = true\neab-kid = \"1\"\neab-hmac-key-file = \"eab.key\"\n\
         [dns.provider]\ntype = \"plugin\"\ncommand = [\"plugin\"]\n\
         credentials-file = \"provider.token\"\n[notify]\nwebhook-file = \"webhook.url\"\n\
         [hosts.a]\ndeploy.chain-file = \"a.pem\"\n"
    );
    let url = "https://chat.example.org/hooks/hunter2\n";
    let memory = secrets.iter().fold(Memory::new(&main), |memory, path| memory.with(path, url));
    let exposed = secrets.iter().fold(memory, |memory, path| memory.exposed(path));
    expect![[r#"
        /etc/rollover/rollover.toml:18:21: the secret file `/etc/rollover/eab.key` has mode 0644, which lets every user of this machine read it; run `chmod o-rwx /etc/rollover/eab.key`
           |
        18 | eab-hmac-key-file = "eab.key"
           |                     ^^^^^^^^^
        /etc/rollover/rollover.toml:22:20: the secret file `/etc/rollover/provider.token` has mode 0644, which lets every user of this machine read it; run `chmod o-rwx /etc/rollover/provider.token`
           |
        22 | credentials-file = "provider.token"
           |                    ^^^^^^^^^^^^^^^^
        /etc/rollover/rollover.toml:24:16: the secret file `/etc/rollover/webhook.url` has mode 0644, which lets every user of this machine read it; run `chmod o-rwx /etc/rollover/webhook.url`
           |
        24 | webhook-file = "webhook.url"
           |                ^^^^^^^^^^^^^
    "#]].assert_eq(&exposed.errors());
}

#[cfg(feature = "cloud")]
#[test]
fn a_cloud_providers_credentials_are_its_own_and_ttls_are_not_its_matter() {
    let errors = |table: &str, host: &str, content: &str| {
        let main = format!(
            "{HOUSE}[dns.cloud]\ntype = \"cloud\"\n{table}\ncredentials-file = \"cloud.key\"\n\
             [hosts.a]\ndns = \"cloud\"\n{host}\ndeploy.chain-file = \"a.pem\""
        );
        Memory::new(&main).with("/etc/rollover/cloud.key", content).errors()
    };
    let gandi = "provider = \"gandi\"";
    assert_eq!(errors(gandi, "", "token = \"hunter2\"\n"), "nothing is wrong\n");
    expect![[r#"
        /etc/rollover/rollover.toml:15:12: unknown provider `gandy`
           |
        15 | provider = "gandy"
           |            ^^^^^^^
        hint: did you mean `gandi`?
    "#]]
    .assert_eq(&errors("provider = \"gandy\"", "", ""));
    expect![[r#"
        /etc/rollover/rollover.toml:16:20: `/etc/rollover/cloud.key`: there is no line `username = "..."`
           |
        16 | credentials-file = "cloud.key"
           |                    ^^^^^^^^^^^
        hint: for luadns it holds, each as `key = "value"` on a line: `username`, `token`
    "#]].assert_eq(&errors("provider = \"luadns\"", "", "token = \"hunter2\"\n"));
    expect![[r#"
        /etc/rollover/rollover.toml:16:20: `/etc/rollover/cloud.key`: in line 1: key with no value, expected `=`
           |
        16 | credentials-file = "cloud.key"
           |                    ^^^^^^^^^^^
        hint: for gandi it holds, each as `key = "value"` on a line: `token`
    "#]].assert_eq(&errors(gandi, "", "hunter2\n"));
    expect![[r#"
        /etc/rollover/rollover.toml:19:12: the TTL of host `a` cannot be kept: `cloud` changes none of records that are there
           |
        19 | tlsa-ttl = "5m"
           |            ^^^^
        hint: leave `tlsa-ttl` out, and set the TTL where the provider lets you: it is kept
    "#]].assert_eq(&errors(gandi, "tlsa-ttl = \"5m\"", "token = \"hunter2\"\n"));
}

#[test]
fn a_webhook_is_named_once_and_what_its_file_holds_is_not_shown() {
    let errors = |notify: &str, content: &str| {
        let main = format!("[notify]\n{notify}\n{HOUSE}[hosts.a]\ndeploy.chain-file = \"a.pem\"");
        Memory::new(&main).with("/etc/rollover/webhook.url", content).errors()
    };
    let url = "https://chat.example.org/hooks/hunter2\n";
    assert_eq!(errors("webhook-file = \"webhook.url\"", url), "nothing is wrong\n");
    let twice = "webhook = \"https://a.example/\"\nwebhook-file = \"webhook.url\"";
    expect![[r#"
        /etc/rollover/rollover.toml:3:16: `webhook` says already where to post to
          |
        3 | webhook-file = "webhook.url"
          |                ^^^^^^^^^^^^^
        hint: remove one of the two
    "#]]
    .assert_eq(&errors(twice, url));
    expect![[r#"
        /etc/rollover/rollover.toml:2:16: `/etc/rollover/webhook.url` holds no URL to post to
          |
        2 | webhook-file = "webhook.url"
          |                ^^^^^^^^^^^^^
        hint: write `https://HOST/PATH` into it, and nothing else
    "#]]
    .assert_eq(&errors("webhook-file = \"webhook.url\"", "hunter2"));
}

#[test]
fn the_errors_of_all_files_come_together() {
    let main = "include = [\"conf.d/*.toml\", \"lost.toml\", \"*/x.toml\", \"[a].toml\"]\npolicy = \"ours.toml\"\n";
    let memory = Memory::new(main)
        .with("/etc/rollover/ours.toml", "name = \"ours\"\nrecord = []\n")
        .with(
            "/etc/rollover/conf.d/a.toml",
            "[defaults]\n[hosts.a]\npolicy = \"../ours.toml\"\nport = 1\n",
        )
        .with("/etc/rollover/conf.d/b.toml", "[hosts.a]\npolicy = \"lost.toml\"\n");
    expect![[r#"
        /etc/rollover/conf.d/a.toml:1:2: `defaults` stands only in the main file
          |
        1 | [defaults]
          |  ^^^^^^^^
        hint: an included file has [hosts], [issuers] and [dns] tables
        /etc/rollover/conf.d/a.toml:2:8: host `a` does not say where its certificate goes
          |
        2 | [hosts.a]
          |        ^
        hint: write `[hosts."a".deploy]` with a `chain-file`, or a `certificate-file` and a `key-file`
        /etc/rollover/conf.d/a.toml:2:8: host `a` has no `dns`
          |
        2 | [hosts.a]
          |        ^
        hint: write `dns = "NAME"` for this host, or for all in [defaults]
        /etc/rollover/conf.d/a.toml:2:8: host `a` has no `issuer`
          |
        2 | [hosts.a]
          |        ^
        hint: write `issuer = "NAME"` for this host, or for all in [defaults]
        /etc/rollover/conf.d/a.toml:4:1: unknown key `port`
          |
        4 | port = 1
          | ^^^^
        hint: did you mean `ports`?
        /etc/rollover/conf.d/b.toml:1:8: host `a` is defined twice: here and at /etc/rollover/conf.d/a.toml:2
          |
        1 | [hosts.a]
          |        ^
        /etc/rollover/conf.d/b.toml:2:10: cannot read the policy file `/etc/rollover/conf.d/lost.toml`: entity not found
          |
        2 | policy = "lost.toml"
          |          ^^^^^^^^^^^
        /etc/rollover/ours.toml:2:1: unknown key `record`
          |
        2 | record = []
          | ^^^^^^
        hint: did you mean `records`?
        /etc/rollover/rollover.toml:1:29: cannot read `/etc/rollover/lost.toml`: entity not found
          |
        1 | include = ["conf.d/*.toml", "lost.toml", "*/x.toml", "[a].toml"]
          |                             ^^^^^^^^^^^
        /etc/rollover/rollover.toml:1:42: `*/x.toml` has a `*` before its last part
          |
        1 | include = ["conf.d/*.toml", "lost.toml", "*/x.toml", "[a].toml"]
          |                                          ^^^^^^^^^^
        hint: `*` matches file names, as in `conf.d/*.toml`
        /etc/rollover/rollover.toml:1:54: `[a].toml` has a `[`, which is not understood here
          |
        1 | include = ["conf.d/*.toml", "lost.toml", "*/x.toml", "[a].toml"]
          |                                                      ^^^^^^^^^^
        hint: `*` matches file names, as in `conf.d/*.toml`
    "#]].assert_eq(&memory.errors());
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let lost = load(Path::new("/nonexistent/rollover.toml"), &Environment::default());
    let shown: Vec<String> = lost.unwrap_err().iter().map(ToString::to_string).collect();
    expect![[r#"
        /nonexistent/rollover.toml: cannot read the configuration: No such file or directory (os error 2)
        hint: `rollover init DOMAIN` writes one; `--config FILE` names another"#]].assert_eq(&shown.join("\n"));
}

/// A directory with the example in `examples/` and the files that it names.
fn example() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let example = include_str!("../../examples/rollover.toml");
    let empty = ["house-ca.pem", "house-ca.key", "rollover.key"].map(|name| (name, ""));
    for (name, text) in [("rollover.toml", example)].into_iter().chain(empty) {
        let path = directory.path().join(name);
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
    directory
}

/// The example means what its comments say, from real files.
#[test]
fn what_another_client_brings_needs_no_more_than_its_type() {
    let memory = Memory::new(&format!(
        "{HOUSE}[issuers.certbot]\ntype = \"external\"\n[issuers.lego]\ntype = \"external\"\n\
         trust-anchor = \"root\"\nknown-anchors = [\"house.pem\"]\n\
         [hosts.a]\nissuer = \"certbot\"\ndeploy.chain-file = \"a.pem\"\n\
         [hosts.b]\ndeploy.chain-file = \"b.pem\"\n\
         [hosts.c]\nissuer = \"certbot\"\nkey-types = [\"rsa-2048\"]\ndeploy.chain-file = \"c.pem\"\n"
    ));
    let configuration = memory.parse().unwrap();
    let external = |trust_anchor, known_anchors| {
        IssuerConfig::External(ExternalConfig { trust_anchor, known_anchors })
    };
    let house = vec![KnownAnchors::File("/etc/rollover/house.pem".into())];
    assert_eq!(configuration.issuers["certbot"], external(AnchorChoice::IssuingCa, Vec::new()));
    assert_eq!(configuration.issuers["lego"], external(AnchorChoice::Root, house));
    let takes_any_key = |name: &str| configuration.takes_any_key(&configuration.hosts[name]);
    assert!(takes_any_key("a"));
    assert!(!takes_any_key("b"), "its own CA makes none");
    assert!(!takes_any_key("c"), "it says which");
}

#[test]
fn the_example_is_a_configuration() {
    let directory = example();
    let path = directory.path().join("rollover.toml");
    let configuration = load(&path, &Environment::default()).unwrap();
    assert_eq!(configuration.issuers.len(), 3);
    assert_eq!(configuration.resolver.servers.len(), 2);
    let mx = &configuration.hosts["mx1.example.nl"];
    assert_eq!((mx.key_types.len(), mx.owners().len()), (2, 1));
    assert_eq!(files(mx).reload, ["postfix", "reload"]);
    let mail = &configuration.hosts["mail.example.nl"];
    assert_eq!(mail.owners().len(), 6);
    let group = files(mail).group.as_deref();
    assert_eq!((files(mail).mode, group), (0o640, Some("dovecot")));
    assert_eq!((&*mail.issuer, &*mail.policy.name), ("house", "dane-ee"));
}

#[test]
fn real_files_are_included_and_judged() {
    let directory = example();
    let within = |name: &str| directory.path().join(name);
    std::fs::create_dir_all(within("conf.d/directory.toml")).unwrap();
    let host = "[hosts.included]\ndeploy.chain-file = \"a.pem\"\n";
    let mut file = std::fs::File::create(within("conf.d/host.toml")).unwrap();
    file.write_all(host.as_bytes()).unwrap();
    let configuration = load(&within("rollover.toml"), &Environment::default()).unwrap();
    let place = Place::ChainFiles(vec![within("conf.d/a.pem")]);
    assert_eq!(files(&configuration.hosts["included"]).place, place);

    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(within("rollover.key"), open).unwrap();
    std::fs::remove_file(within("house-ca.pem")).unwrap();
    let errors = load(&within("rollover.toml"), &Environment::default()).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(Diagnostic::message).collect();
    let shown = messages.join("\n");
    let shown = shown.replace(directory.path().to_str().unwrap(), "/etc/rollover");
    expect![[r#"
        cannot read `/etc/rollover/house-ca.pem`: No such file or directory (os error 2)
        the secret file `/etc/rollover/rollover.key` has mode 0644, which lets every user of this machine read it; run `chmod o-rwx /etc/rollover/rollover.key`"#]].assert_eq(&shown);
}

/// Fragments of configurations, in any order: nearer to what people get wrong than random text.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "[hosts.a]\n",
        "[hosts.\"a.nl\"]\n",
        "[hosts]\n",
        "[defaults]\n",
        "[defaults.deploy]\n",
        "[hosts.a.deploy]\n",
        "[issuers.a]\n",
        "[dns.a]\n",
        "[resolver]\n",
        "[[hosts]]\n",
        "type = \"acme\"\n",
        "type = \"own-ca\"\n",
        "type = \"rfc2136\"\n",
        "type = 1\n",
        "names = [\"a\", \"ü\", 1]\n",
        "ports = [25, -1, 0x19]\n",
        "services = [{ port = 25 }, 1]\n",
        "key-types = [\"rsa-2048\"]\n",
        "issuer = \"a\"\n",
        "dns = \"a\"\n",
        "policy = \"/\"\n",
        "policy = \"ncsc\"\n",
        "include = [\"*\", \"**\", \"\", \"/\"]\n",
        "mode = \"0640\"\n",
        "chain-file = \"\"\n",
        "chain-file = [\"a\", \"..\"]\n",
        "reload = [\"/\"]\n",
        "tlsa-ttl = \"99999999w\"\n",
        "server = \"[::1]\"\n",
        "hosts = 1\n",
        "deploy = {}\n",
        "tsig-key-file = \"credential:a\"\n",
        "validity = \"1d\"\n",
        "\u{1F980}",
        "\"",
        "=",
        "\r\n",
    ]);
    prop::collection::vec(fragment, 0..20).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_makes_parsing_panic(text in prop_oneof![any::<String>(), fragments()]) {
        let memory = Memory::new(&text);
        if let Err(errors) = memory.parse() {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// What `exec` and `ssh` mean, with their defaults, and that defaults of another type are none.
#[test]
fn deployments_by_command_and_by_ssh() {
    let configuration = parsed(
        r#"
[defaults.deploy]
type = "ssh"
machines = ["mx1.example.nl", "root@mx2.example.nl", "fe80::1%eth0"]
ssh = ["-i", "/etc/rollover/ssh.key"]
chain-file = "/etc/postfix/tls/mail.pem"
group = "postfix"
mode = "0640"
reload = ["postfix", "reload"]
[hosts.cluster]
[hosts.pair.deploy]
machines = ["mx3"]
order = "together"
timeout = "90s"
connect-timeout = "3s"
[hosts.appliance.deploy]
type = "exec"
command = ["bin/push", "--now"]
read-command = ["cat", "/etc/held.pem"]
[hosts.local.deploy]
type = "files"
chain-file = "local.pem"
"#,
    );
    let host = |name: &str| configuration.hosts[name].deploy.clone();
    let place = Place::ChainFiles(vec!["/etc/postfix/tls/mail.pem".into()]);
    let files = FilesConfig {
        place,
        owner: None,
        group: Some("postfix".to_owned()),
        mode: 0o640,
        reload: vec!["postfix".to_owned(), "reload".to_owned()],
        reload_timeout: Span::from_seconds(60),
    };
    let cluster = SshConfig {
        machines: ["mx1.example.nl", "root@mx2.example.nl", "fe80::1%eth0"].map(Into::into).into(),
        arguments: ["-i", "/etc/rollover/ssh.key"].map(Into::into).into(),
        files,
        order: MachineOrder::OneByOne,
        connect_timeout: Span::from_seconds(10),
    };
    assert_eq!(host("cluster"), DeployConfig::Ssh(cluster.clone()));
    let files = FilesConfig { reload_timeout: Span::from_seconds(90), ..cluster.files.clone() };
    let pair = SshConfig {
        machines: vec!["mx3".to_owned()],
        files,
        order: MachineOrder::Together,
        connect_timeout: Span::from_seconds(3),
        ..cluster
    };
    assert_eq!(host("pair"), DeployConfig::Ssh(pair));
    let appliance = ExecConfig {
        command: vec!["/etc/rollover/bin/push".to_owned(), "--now".to_owned()],
        read_command: Some(vec!["cat".to_owned(), "/etc/held.pem".to_owned()]),
        timeout: Span::from_seconds(300),
    };
    assert_eq!(host("appliance"), DeployConfig::Exec(appliance));
    let DeployConfig::Files(local) = host("local") else { panic!("{:?}", host("local")) };
    assert_eq!((local.group, local.reload), (None, Vec::new()));
}
