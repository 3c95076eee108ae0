//! How many listeners `rollover check` looks at in a second, beside loops over the tools that operators
//! use; run by `check-speed.sh`.
//!
//! A thousand mail domains, each with an MX host of its own at a loopback address of its own, in a
//! signed zone on BIND and NSD. The mail server is first Postfix, then a small one with rustls, which
//! costs less and so shows more of what the clients cost. The loops look at a part of the listeners.

#![allow(clippy::disallowed_methods, reason = "a bench starts processes and takes the time")]
#![allow(clippy::print_stdout, reason = "a bench is there to be read")]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use lab::daemon::{Daemon, wait_until};
use lab::mail::{Postfix, Tls};
use lab::{Lab, Options, RESOLVER, SECONDARY};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rollover::pki::Certificate;
use rollover::tlsa::{Parameters, Record};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How many listeners there are.
const LISTENERS: usize = 1000;
/// How many of them each loop looks at.
const PART: usize = 100;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("serve") {
        return serve(Path::new(&arguments.next().expect("a bundle")));
    }
    println!("Starting BIND, NSD, Unbound and Postfix, with {LISTENERS} mail domains ...");
    // Postfix listens on every address where it is told none.
    let lab =
        Lab::start(Options { addresses: vec!["127.0.25.1".to_owned()], ..Options::default() });
    let bundle = lab.path("mail.pem");
    let records = issue(&bundle);
    publish(&lab, &records);
    let list = lab.path("domains");
    let names: Vec<String> = (0..LISTENERS).map(|n| format!("d{n}.example.nl\n")).collect();
    std::fs::write(&list, names.concat()).expect("a list of domains");
    let resolver = Resolver::name(&lab);
    {
        let _postfix = everywhere(&lab, &bundle);
        measure(&lab, &list, &records, "Postfix");
    }
    let mut command = lab.namespace.command(std::env::current_exe().expect("this program"));
    command.arg("serve").arg(&bundle);
    let mut server = Daemon::start("the server", command, &lab.path("server.log"));
    server.wait_until("the server listens", || is_listening(&lab));
    measure(&lab, &list, &records, "rustls");
    drop(resolver);
}

/// Makes a CA and a wildcard certificate, and returns their records.
fn issue(bundle: &Path) -> Vec<String> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "bench CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("a CA");
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["*.example.nl".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    lab::tool::write_private(bundle, &(key.serialize_pem() + &leaf.pem() + &ca.pem()));
    let record = |parameters: Parameters, certificate: &rcgen::Certificate| {
        let certificate = Certificate::from_der(certificate.der()).expect("a certificate");
        Record::from(parameters.associate(&certificate)).to_string()
    };
    vec![record(Parameters::TA_SPKI_SHA256, &ca), record(Parameters::EE_SPKI_SHA256, &leaf)]
}

/// The address of a listener.
fn address(number: usize) -> String {
    format!("127.1.{}.{}", number / 250, number % 250 + 1)
}

/// Publishes the domains, their MX hosts and the TLSA records.
fn publish(lab: &Lab, records: &[String]) {
    for start in (0..LISTENERS).step_by(100) {
        let mut lines = String::new();
        for n in start..start + 100 {
            let host = format!("h{n}.example.nl.");
            let _ = writeln!(lines, "update add d{n}.example.nl. 3600 MX 10 {host}");
            let _ = writeln!(lines, "update add {host} 3600 A {}", address(n));
            for record in records {
                let _ = writeln!(lines, "update add _25._tcp.{host} 3600 TLSA {record}");
            }
        }
        lab.bind.edit(&lines);
        let last = format!("_25._tcp.h{}.example.nl.", start + 99);
        wait_until("the secondary has these", || lab.bind.tlsa(SECONDARY, &last).len() == 2);
    }
}

/// Postfix at every address.
fn everywhere(lab: &Lab, bundle: &Path) -> Postfix {
    let postfix = Postfix::start(lab, &[bundle], Tls::Offered);
    let directory = lab.path("postfix");
    let edit = |file: &str, from: &str, to: &str| {
        let path = directory.join(file);
        let text = std::fs::read_to_string(&path).expect("Postfix's file");
        std::fs::write(&path, text.replace(from, to)).expect("Postfix's file");
    };
    edit("master.cf", "smtp      inet", "0.0.0.0:25 inet");
    // Its default: the lab's is too low for this many clients.
    edit("main.cf", "default_process_limit = 40", "default_process_limit = 100");
    let reload = postfix.reload();
    lab::daemon::run(lab.namespace.command(&reload[0]).args(&reload[1..]));
    wait_until("Postfix listens everywhere", || is_listening(lab));
    postfix
}

/// Whether the last listener greets.
fn is_listening(lab: &Lab) -> bool {
    let script = "import socket,sys;s=socket.create_connection((sys.argv[1],25),2)\n\
                  sys.exit(0 if s.recv(9).startswith(b'220') else 1)";
    let mut command = lab.namespace.command("python3");
    command.args(["-c", script, &address(LISTENERS - 1)]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The lab's resolver, as /etc/resolv.conf inside the namespace, for tools that look nowhere else.
struct Resolver(PathBuf);

impl Resolver {
    /// Names it; `ip netns exec` puts what stands there in place.
    fn name(lab: &Lab) -> Self {
        let command = lab.namespace.command("true");
        let name = command.get_args().nth(2).expect("the namespace's name");
        let directory = Path::new("/etc/netns").join(name);
        std::fs::create_dir_all(&directory).expect("/etc/netns");
        let text = format!("nameserver {RESOLVER}\noptions edns0 trust-ad\n");
        std::fs::write(directory.join("resolv.conf"), text).expect("resolv.conf");
        Self(directory)
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures each tool, and prints what each came to.
fn measure(lab: &Lab, list: &Path, records: &[String], server: &str) {
    println!(
        "\n{LISTENERS} listeners of one {server}, each with its own name, MX and TLSA records:"
    );
    let list = list.display().to_string();
    let anchor = lab.bind.trust_anchor().display().to_string();
    let usual = ["check", "--resolver", RESOLVER, "--trust-anchor-file", &anchor];
    let arguments = [&usual[..], &["--format", "nagios", "--file", &list]].concat();
    for attempt in ["first", "again"] {
        let begun = Meter::start();
        let run = lab.rollover(&arguments);
        begun.tell(&format!("rollover check, {attempt}"), LISTENERS);
        assert_eq!(run.code, 0, "every domain is OK: {}{}", run.out, run.err);
    }
    loop_over(lab, "posttls-finger", "Verified TLS connection", |n| {
        format!("posttls-finger -c -l dane-only -L summary '[h{n}.example.nl]'")
    });
    // It has no place for a trust anchor of one's own.
    loop_over(lab, "danetool, without DNSSEC", "Certificate matches", |n| {
        format!(
            "danetool --check h{n}.example.nl --port 25 --proto tcp --starttls-proto=smtp \
             --local-dns --insecure"
        )
    });
    let data: Vec<String> = records.iter().map(|r| format!("-dane_tlsa_rrdata '{r}'")).collect();
    loop_over(lab, "openssl s_client, without DNS", "Verification: OK", |n| {
        format!(
            "openssl s_client -starttls smtp -brief -verify_return_error -name lab.example -connect \
             {}:25 -dane_tlsa_domain h{n}.example.nl {}",
            address(n),
            data.join(" ")
        )
    });
}

/// Runs a tool once for each of some listeners, one after the other in a shell, and prints how fast
/// that went.
fn loop_over(lab: &Lab, name: &str, wanted: &str, tool: impl Fn(usize) -> String) {
    let lines: Vec<String> =
        (0..PART).map(|n| format!("{} </dev/null 2>&1 | grep -m1 '{wanted}'\n", tool(n))).collect();
    let script = lab.path("loop.sh");
    std::fs::write(&script, lines.concat()).expect("a script");
    let mut command = lab.namespace.command("sh");
    command.arg(&script).env("MAIL_CONFIG", lab.path("postfix")).stderr(Stdio::null());
    let begun = Meter::start();
    let output = command.output().expect("the shell runs");
    let good = String::from_utf8_lossy(&output.stdout).lines().count();
    begun.tell(&format!("{name}: {good} of {PART} accepted"), PART);
}

/// Takes the time, and the time of the processor that ended children took.
struct Meter {
    /// When it was started.
    begun: Instant,
    /// What children had taken by then, in ticks.
    ticks: u64,
}

impl Meter {
    /// Starts.
    fn start() -> Self {
        Self { begun: Instant::now(), ticks: Self::ticks() }
    }

    /// What children that ended have taken, in hundredths of a second (proc(5), cutime and cstime).
    fn ticks() -> u64 {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
    }

    /// Prints how fast something went.
    fn tell(&self, name: &str, count: usize) {
        let millis = self.begun.elapsed().as_millis().max(1);
        let count = u128::try_from(count).unwrap_or(1);
        let micros = u128::from(Self::ticks() - self.ticks) * 10_000 / count;
        println!(
            "  {:>5} a second, {:>3}.{} ms of a processor each  {name}",
            count * 1000 / millis,
            micros / 1000,
            micros / 100 % 10
        );
    }
}

/// A mail server with rustls that knows EHLO, STARTTLS and QUIT.
fn serve(bundle: &Path) {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(bundle).expect("a bundle").collect();
    let key = PrivateKeyDer::from_pem_file(bundle).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key)
        .expect("a certificate and its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("0.0.0.0:25").expect("port 25");
    for stream in listener.incoming().flatten() {
        let config = Arc::clone(&config);
        std::thread::spawn(move || talk(stream, config));
    }
}

/// One conversation; how it ends is the client's business.
fn talk(stream: TcpStream, config: Arc<rustls::ServerConfig>) -> Option<()> {
    let mut stream = stream;
    stream.write_all(b"220 bench\r\n").ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let line = lines.next()?.ok()?;
        match line.get(..4)? {
            "EHLO" => stream.write_all(b"250-bench\r\n250 STARTTLS\r\n").ok()?,
            "STAR" => break,
            _ => return None,
        }
    }
    stream.write_all(b"220 go on\r\n").ok()?;
    let connection = rustls::ServerConnection::new(config).ok()?;
    let mut tls = BufReader::new(rustls::StreamOwned::new(connection, stream));
    let mut line = String::new();
    while tls.read_line(&mut line).ok()? != 0 {
        let answer: &[u8] = if line.starts_with("QUIT") { b"221 bye\r\n" } else { b"250 ok\r\n" };
        tls.get_mut().write_all(answer).ok()?;
        if line.starts_with("QUIT") {
            tls.get_mut().conn.send_close_notify();
            let _ = tls.get_mut().flush();
            return None;
        }
        line.clear();
    }
    None
}
