//! The control: the hook that users of certbot write today, and the outage that it shows.

use crate::certbot::obtain;
use crate::client::Scene;
use crate::lab::tool::write_private;
use crate::lab::{Lab, OWNER, Options, PRIMARY};

/// The TTL of the records, in seconds: long beside what a slow machine needs between the two steps.
const TTL: u32 = 8;

/// Deploys, reloads, and then updates the record: the certificate is new at once, and caches are not.
#[test]
fn deploy_then_nsupdate_strands_senders_for_a_ttl() {
    let lab = Lab::start(Options { tlsa_ttl: TTL, ..Options::default() });
    let scene = Scene::in_lab(lab, "ncsc");
    let script = scene.path("hand-made-hook");
    let reload = scene.stage.postfix.reload().join(" ");
    write_private(
        script.as_ref(),
        &format!(
            "#!/bin/sh -e\ncat $RENEWED_LINEAGE/privkey.pem $RENEWED_LINEAGE/fullchain.pem > {}\n\
             {reload}\nhash=$(openssl x509 -in $RENEWED_LINEAGE/cert.pem -noout -pubkey |\n  \
             openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)\n\
             ca=$(openssl x509 -in $RENEWED_LINEAGE/chain.pem -noout -pubkey |\n  \
             openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)\n\
             nsupdate -k {} <<EOF\nserver {PRIMARY}\nzone example.nl.\nupdate delete {OWNER} TLSA\n\
             update add {OWNER} {TTL} TLSA 3 1 1 $hash\nupdate add {OWNER} {TTL} TLSA 2 1 1 $ca\nsend\nEOF\n",
            scene.stage.bundle.display(),
            scene.stage.lab.bind.tsig_key().display()
        ),
    );
    let hook = format!("sh {script}");
    let judge = scene.judge();
    obtain(&scene, &hook, &[]);
    let verdict = scene.stage.finish(judge);
    assert!(10 < verdict.failures && 1.0 < verdict.longest_outage, "{verdict:#?}");
}
