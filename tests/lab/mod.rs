//! A small world of real daemons on loopback addresses, in a network namespace of its own.
//!
//! A signed root, `nl.` and `example.nl.` on BIND; NSD as the second server of `example.nl.`; two
//! Unbounds that validate from the root's key, one of which asks the secondary alone; Postfix as the
//! mail server; Pebbles as ACME CAs; and a judge that is not our code. Ports 53 and 25 are free in
//! each namespace, so labs run side by side. Needs root. Everything ends with the [`Lab`].

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of the lab")]
#![allow(clippy::disallowed_methods, reason = "a lab starts processes, waits, and writes files")]

pub mod authority;
pub mod bind;
pub mod child;
pub mod clock;
pub mod configuration;
pub mod daemon;
pub mod dovecot;
pub mod drift;
pub mod exim;
pub mod judge;
pub mod knot;
pub mod mail;
pub mod namespace;
pub mod nginx;
pub mod nsd;
pub mod pebble;
pub mod powerdns;
pub mod sshd;
pub mod tool;
pub mod unbound;

use std::path::{Path, PathBuf};

use bind::Bind;
use namespace::Namespace;
use nsd::Nsd;
use unbound::Unbound;

/// The mail server's name.
pub const HOST: &str = "mail.example.nl";
/// The owner of its TLSA RRset.
pub const OWNER: &str = "_25._tcp.mail.example.nl.";
/// The primary's address.
pub const PRIMARY: &str = "127.0.0.1";
/// The secondary's address.
pub const SECONDARY: &str = "127.0.0.2";
/// The address of a server that only the zone above names, where there is one.
pub const FORMER: &str = "127.0.0.3";
/// The address of the zone above's own server, where it has one.
pub const PARENT: &str = "127.0.0.4";
/// The first address of the mail server.
pub const MAIL: &str = "127.0.25.1";
/// The resolver that asks any server.
pub const RESOLVER: &str = "127.0.0.11";
/// The resolver that asks the secondary alone: the worst cache.
pub const LATE_RESOLVER: &str = "127.0.0.12";

/// What can differ between labs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The TTL of TLSA RRsets, in seconds.
    pub tlsa_ttl: u32,
    /// The negative TTL of `example.nl.`, in seconds.
    pub negative_ttl: u32,
    /// The addresses of the mail server.
    pub addresses: Vec<String>,
    /// Whether `nl.` is on a server of its own, and still names a third server of `example.nl.`.
    pub has_stale_delegation: bool,
    /// Whether the primary's clock can be set apart from everybody else's.
    /// Whether the clock of a primary, BIND or Knot, can be set apart from everybody else's.
    pub own_clock: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tlsa_ttl: 4,
            negative_ttl: 2,
            addresses: vec![MAIL.to_owned()],
            has_stale_delegation: false,
            own_clock: false,
        }
    }
}

/// A running world.
pub struct Lab {
    /// The resolvers.
    pub unbounds: Vec<Unbound>,
    /// The secondary.
    pub nsd: Nsd,
    /// A server that only the zone above names, where there is one.
    pub former: Option<Nsd>,
    /// The zone above's own server, where it has one.
    pub parent: Option<Nsd>,
    /// The primary.
    pub bind: Bind,
    /// Where all this happens. Ends after the daemons, which stand before it.
    pub namespace: Namespace,
    /// Everything's files. Removed last.
    directory: tempfile::TempDir,
    /// What was asked for.
    pub options: Options,
}

impl Lab {
    /// Starts a world with these options.
    pub fn start(options: Options) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("rollover-lab-")
            .tempdir()
            .expect("a directory for the lab");
        // Daemons that drop privileges have to reach their files.
        std::fs::set_permissions(
            directory.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .expect("the lab's directory opens");
        let namespace = Namespace::new();
        for address in options.addresses.iter().map(String::as_str).chain([PRIMARY, SECONDARY]) {
            namespace.add_address(address);
        }
        let bind = Bind::start(&namespace, &directory.path().join("bind"), &options);
        let nsd = Nsd::start(&namespace, &directory.path().join("nsd"));
        let start = |zone, address| {
            let directory = directory.path().join(format!("nsd-{address}"));
            Nsd::start_for(&namespace, &directory, (zone, address, PRIMARY))
        };
        let has_more = options.has_stale_delegation;
        let parent = has_more.then(|| start("nl.", PARENT));
        let former = has_more.then(|| start("example.nl.", FORMER));
        let unbounds = [(RESOLVER, false), (LATE_RESOLVER, true)]
            .map(|(address, late)| {
                let directory = directory.path().join(format!("unbound-{address}"));
                Unbound::start(&namespace, &directory, address, late, &bind.trust_anchor())
            })
            .into();
        Self { unbounds, nsd, former, parent, bind, namespace, directory, options }
    }

    /// Starts a world with the usual options.
    pub fn usual() -> Self {
        Self::start(Options::default())
    }

    /// A path among the lab's files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The lab's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
