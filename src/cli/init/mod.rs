//! `rollover init DOMAIN`: looks at a mail domain and writes a configuration for its servers.
//!
//! [`survey`] looks (DNS and STARTTLS, nothing is changed), [`document`] is the configuration that
//! follows, [`advice`] what is still missing. What is published and served is adopted as it is: the
//! configuration says what keeps it so, and the first pass begins from what it sees.

mod advice;
mod document;
mod files;
mod survey;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::Failure;
use super::args::Global;
use crate::clock::SystemClock;
use crate::dns::{Anchors, Authority};
use crate::durable::{self, Made};
use crate::name::DnsName;
use survey::Survey;

/// The directory of the CA that is proposed where none is named.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What `init` is told.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// The mail domain: what stands after the @
    pub domain: DnsName,
    /// The configuration to write, which must not exist (default: that of --config)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A resolver to ask (repeatable; default: those of /etc/resolv.conf)
    #[arg(long = "resolver", value_name = "ADDRESS", value_parser = resolver)]
    pub resolvers: Vec<SocketAddr>,
    /// DS or DNSKEY records to trust, instead of the IANA root's
    #[arg(long, value_name = "FILE")]
    pub trust_anchor_file: Option<PathBuf>,
    /// The directory of the ACME CA that is to issue
    #[arg(long, value_name = "URL", default_value = LETS_ENCRYPT)]
    pub acme_directory: String,
    /// An extra root for that CA's own HTTPS
    #[arg(long, value_name = "FILE")]
    pub acme_ca_file: Option<PathBuf>,
}

/// Reads the address of a resolver: port 53 unless it says otherwise.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    let bare = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    text.parse().or_else(|_| bare()).map_err(|_| format!("`{text}` is no address of a server"))
}

/// Looks, writes, and says what is missing.
pub(super) async fn run(
    global: &Global,
    arguments: &InitArgs,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let output = arguments.output.as_ref().unwrap_or(&global.config);
    let output = std::path::absolute(output)
        .map_err(|error| Failure::Usage(format!("{}: {error}", output.display())))?;
    if !global.dry_run && std::fs::symlink_metadata(&output).is_ok() {
        return Err(exists(&output));
    }
    let dns =
        Authority::new(&arguments.resolvers, anchors(arguments)?, Arc::new(SystemClock::new()));
    let survey = Survey::make(&dns, &arguments.domain).await?;
    let paths = files::Paths::beside(&output);
    let plan = document::Plan::new(&survey, arguments, &paths);
    if global.dry_run {
        let _ = out.write_all(plan.text().as_bytes());
        return Ok(());
    }
    let broken = |error: durable::DurableError| Failure::Broken {
        message: error.describe(),
        hint: "name a file that this user can make with --output".to_owned(),
    };
    durable::create_directory(&paths.directory).map_err(broken)?;
    let key = files::make_tsig_key(&paths.tsig_key).map_err(broken)?;
    match durable::create_private(&output, plan.text().as_bytes()).map_err(broken)? {
        Made::New => {}
        Made::Existed => return Err(exists(&output)),
    }
    let _ = out.write_all(advice::text(&survey, &plan, &paths, key).as_bytes());
    Ok(())
}

/// Somebody's configuration is never overwritten.
fn exists(output: &std::path::Path) -> Failure {
    Failure::Usage(format!(
        "`{}` exists, and is left as it is\n  hint: name another file with --output",
        output.display()
    ))
}

/// What is trusted to begin with.
fn anchors(arguments: &InitArgs) -> Result<Anchors, Failure> {
    let Some(path) = &arguments.trust_anchor_file else { return Ok(Anchors::iana()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    Anchors::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}
