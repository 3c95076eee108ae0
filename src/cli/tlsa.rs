//! `rollover tlsa`: to be joined.

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct TlsaArgs {
    /// The host.
    host: String,
}

/// Prints.
pub(super) async fn run(
    arguments: &TlsaArgs,
    out: &mut (dyn std::io::Write + Send),
) -> Result<(), super::Failure> {
    let _ = writeln!(out, "{}", arguments.host);
    Ok(())
}
