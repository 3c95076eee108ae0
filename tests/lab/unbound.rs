//! Unbound: a validating resolver with a real cache.

use std::path::Path;

use super::daemon::Daemon;
use super::namespace::Namespace;
use super::{PRIMARY, SECONDARY};

/// A resolver.
#[derive(Debug)]
pub struct Unbound {
    /// The process.
    daemon: Daemon,
}

impl Unbound {
    /// Starts a resolver; one that is `late` asks the secondary alone for `example.nl.`.
    pub fn start(
        namespace: &Namespace,
        directory: &Path,
        address: &str,
        late: bool,
        trust_anchor: &Path,
    ) -> Self {
        std::fs::create_dir_all(directory).expect("Unbound's directory");
        let path = directory.display();
        let hints = format!(". 3600 IN NS ns1.example.nl.\nns1.example.nl. 3600 IN A {PRIMARY}\n");
        std::fs::write(directory.join("root.hints"), hints).expect("root.hints");
        let mut text = format!(
            "server:\n  interface: {address}\n  access-control: 127.0.0.0/8 allow\n  \
             do-not-query-localhost: no\n  chroot: \"\"\n  username: \"\"\n  directory: \
             \"{path}\"\n  pidfile: \"{path}/unbound.pid\"\n  use-syslog: no\n  root-hints: \
             \"{path}/root.hints\"\n  trust-anchor-file: \"{}\"\n  module-config: \"validator \
             iterator\"\n  num-threads: 1\n  infra-host-ttl: 2\n  val-bogus-ttl: 2\n  do-ip6: no\n  \
             prefetch: no\n  serve-expired: no\n  aggressive-nsec: no\n  harden-below-nxdomain: \
             no\n  so-rcvbuf: 0\n  outgoing-range: 256\n  trust-anchor-signaling: no\n  \
             root-key-sentinel: no\nremote-control:\n  control-enable: no\n",
            trust_anchor.display()
        );
        if late {
            text += &format!("stub-zone:\n  name: example.nl.\n  stub-addr: {SECONDARY}\n");
        }
        let file = directory.join("unbound.conf");
        std::fs::write(&file, text).expect("unbound.conf");
        let mut command = namespace.command("unbound");
        command.arg("-d").arg("-p").arg("-c").arg(&file);
        let mut daemon = Daemon::start("Unbound", command, &directory.join("log"));
        daemon.wait_until("the resolver validates", || {
            let output = namespace
                .command("dig")
                .args([&format!("@{address}"), "example.nl.", "SOA", "+dnssec"])
                .args(["+time=2", "+tries=1"])
                .output()
                .expect("dig runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().any(|line| line.contains("flags:") && line.contains(" ad"))
        });
        Self { daemon }
    }
}
