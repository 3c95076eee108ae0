//! Whether a configured mail server reads the files that rollover deploys, and has read them.
//!
//! One that reads an ACME client's own files presents a new certificate when that client renews, not
//! when the records fit.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::finding::{Code, Finding};
use super::outbound::settings;
use super::subject::Server;
use crate::command;
use crate::config::Service;
use crate::name::DnsName;
use crate::ports::Deployer;
use crate::time::Span;

/// How long a mail server may take to print its configuration.
const LIMIT: Span = Span::from_seconds(10);

/// A configured mail server.
pub struct OwnHost {
    /// Its name in the configuration.
    pub name: String,
    /// Its names.
    pub names: Vec<DnsName>,
    /// Its services.
    pub services: Vec<Service>,
    /// Where to look; empty: the names' A and AAAA records.
    pub addresses: Vec<IpAddr>,
    /// Name servers that are left out on purpose.
    pub ignored: Vec<String>,
    /// Whether its policy publishes one kind of record alone.
    pub wants_one_kind: bool,
    /// The files that rollover deploys on this machine; empty where it deploys in another way.
    pub files: Vec<PathBuf>,
    /// The command that makes it read them.
    pub reload: Vec<String>,
    /// What reads the files.
    pub deployer: Arc<dyn Deployer>,
}

impl std::fmt::Debug for OwnHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnHost").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The mail servers whose configuration is known here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MailServer {
    /// Exim.
    Exim,
    /// Postfix.
    Postfix,
}

/// Looks at the files of a configured host, which was seen to be `server`.
pub(super) async fn look(host: &OwnHost, server: &Server) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((name, read)) = read_by_the_mail_server(host).await {
        findings.push(judge(host, name, &read));
    }
    findings.extend(is_served(host, server).await);
    findings
}

/// The files that the mail server reads by its own configuration; `None` where it does not tell.
async fn read_by_the_mail_server(host: &OwnHost) -> Option<(&'static str, Vec<PathBuf>)> {
    if host.files.is_empty() {
        return None;
    }
    let (name, argvs): (_, Vec<Vec<String>>) = match mail_server(&host.reload)? {
        MailServer::Postfix => ("Postfix", vec![postconf(&host.reload)]),
        MailServer::Exim => {
            let ask = |setting: &str| ["exim", "-bP", setting].map(str::to_owned).to_vec();
            ("Exim", vec![ask("tls_certificate"), ask("tls_privatekey")])
        }
    };
    let mut read = Vec::new();
    for argv in argvs {
        let text = command::run(&argv, LIMIT).await.ok()?;
        for value in settings(&text).into_values() {
            read.extend(
                value.split([',', ' ', ':']).filter(|p| p.starts_with('/')).map(PathBuf::from),
            );
        }
    }
    Some((name, read))
}

/// Which mail server a reload command is for.
fn mail_server(reload: &[String]) -> Option<MailServer> {
    // `postfix`, `/usr/sbin/exim4`, and the units `postfix.service` and `postfix@-.service`.
    let names = |word: &str| {
        let program = |part: &String| {
            let name = Path::new(part).file_name().unwrap_or_default().to_string_lossy();
            let name = name.split(['@', '.']).next().unwrap_or_default();
            name.trim_end_matches('4') == word
        };
        reload.iter().any(program)
    };
    match (names("postfix"), names("exim")) {
        (true, _) => Some(MailServer::Postfix),
        (false, true) => Some(MailServer::Exim),
        (false, false) => None,
    }
}

/// The command that prints which files Postfix reads, in the configuration that `reload` is about.
fn postconf(reload: &[String]) -> Vec<String> {
    let mut argv = vec!["postconf".to_owned()];
    let at = reload.iter().position(|word| word == "-c");
    if let Some(directory) = at.and_then(|at| reload.get(at + 1)) {
        argv.extend(["-c".to_owned(), directory.clone()]);
    }
    let names = ["chain_files", "cert_file", "key_file", "eccert_file", "eckey_file"];
    argv.push("-x".to_owned());
    argv.extend(names.map(|name| format!("smtpd_tls_{name}")));
    argv
}

/// Judges which files are read.
fn judge(host: &OwnHost, name: &str, read: &[PathBuf]) -> Finding {
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let read_really: Vec<PathBuf> = read.iter().map(real).collect();
    let list = |paths: &[PathBuf]| {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        if paths.is_empty() { "no file".to_owned() } else { paths.join(", ") }
    };
    let files = list(&host.files);
    match host.files.iter().all(|path| read_really.contains(&real(path))) {
        true => {
            Finding::ok(Code::FilesRead, format!("{name} reads what rollover deploys: {files}"))
        }
        false => {
            let read = list(read);
            let seen = format!("{name} reads {read}, and rollover deploys {files}");
            let remedy = match name {
                "Postfix" => {
                    format!("postconf 'smtpd_tls_chain_files={files}', then postfix reload")
                }
                _ => format!("let tls_certificate and tls_privatekey name {files}"),
            };
            Finding::warning(Code::FilesNotRead, seen).with_remedy(remedy)
        }
    }
}

/// Whether what the files hold is what is presented. A file that cannot be read says nothing: it may
/// be another user's, or on another machine.
async fn is_served(host: &OwnHost, server: &Server) -> Vec<Finding> {
    let credentials = host.deployer.current().await.unwrap_or_default();
    let is_presented = |serial: &str| server.certificates.iter().any(|c| c.serial == serial);
    let missing = credentials.iter().filter(|credential| {
        !server.certificates.is_empty() && !is_presented(credential.chain.leaf().serial())
    });
    missing
        .map(|credential| {
            let leaf = credential.chain.leaf();
            let (key_type, serial) = (credential.key_type, leaf.serial());
            let seen =
                format!("the deployed {key_type} certificate (serial {serial}) is not presented");
            Finding::warning(Code::DeployedNotServed, seen)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as an argv.
    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_reload_command_says_which_mail_server_it_is_and_which_configuration() {
        let of = |line: &str| mail_server(&argv(line));
        assert_eq!(of("postfix reload"), Some(MailServer::Postfix));
        assert_eq!(of("/usr/bin/systemctl reload postfix.service"), Some(MailServer::Postfix));
        assert_eq!(of("systemctl reload postfix@-.service"), Some(MailServer::Postfix));
        assert_eq!(of("systemctl reload exim4"), Some(MailServer::Exim));
        assert_eq!(of("doveadm reload"), None);
        let asked = postconf(&argv("postfix -c /srv/mx reload"));
        assert_eq!(asked[..3], argv("postconf -c /srv/mx"));
        assert_eq!(postconf(&argv("postfix reload"))[1], "-x");
    }
}
