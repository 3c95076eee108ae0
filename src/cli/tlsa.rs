//! `rollover tlsa`: the TLSA records for a certificate, as hash-slinger's `tlsa --create` prints them.
//!
//! Options, defaults and lines are hash-slinger's, so that scripts can change over. Two things
//! differ on purpose. Standard output holds records alone and can be appended to a zone file: what
//! hash-slinger says about the certificate there, in the same words, goes to standard error. And
//! nothing is ever asked: of a chain, usages 0 and 2 name the last certificate, which is what
//! hash-slinger takes when each of its questions is answered with Enter.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::name::{DnsName, NameError};
use crate::pki::{Certificate, CertificateError, Chain, hex};
use crate::tlsa::presentation::{Form, zone_line};
use crate::tlsa::{MatchingType, Record, Selector};

/// Print TLSA records for a certificate
#[derive(Clone, Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, and none depends on another"
)]
pub struct TlsaArgs {
    /// The server's name
    #[arg(value_name = "HOSTNAME")]
    pub host: String,
    /// The port in the record's name, or `*`
    #[arg(long, short, default_value = "443")]
    pub port: PortLabel,
    /// The transport protocol in the record's name
    #[arg(long, value_enum, default_value = "tcp")]
    pub protocol: Transport,
    /// The certificate, or a chain with the server's own first (PEM); default: what the server presents
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// 2: the CA that the chain leads to (the file's last certificate); 3: the server's own
    #[arg(long, short, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub usage: u8,
    /// 0: the whole certificate; 1: its public key
    #[arg(long, short, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub selector: u8,
    /// 0: as it is; 1: its SHA2-256; 2: its SHA2-512
    #[arg(
        long,
        short,
        alias = "mtype",
        default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(0..=2)
    )]
    pub matching_type: u8,
    /// As TLSA, as TYPE52 (RFC 3597), or a line of each
    #[arg(long, short, value_enum, default_value = "rfc")]
    pub output: Output,
    /// How TLS is started on a live server; default: by the port
    #[arg(long, short = 't', value_enum)]
    pub starttls: Option<StartTls>,
    /// Ask a live server over IPv4 only
    #[arg(long, short = '4')]
    pub ipv4: bool,
    /// Ask a live server over IPv6 only
    #[arg(long, short = '6')]
    pub ipv6: bool,
    /// What this command does anyway; hash-slinger has it
    #[arg(long, short, hide = true)]
    pub create: bool,
    /// What standard output holds anyway; hash-slinger has it
    #[arg(long, hide = true)]
    pub only_rr: bool,
}

/// The first label of a record's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PortLabel {
    /// `*`: every port.
    Any,
    /// `_25`: one port.
    Port(u16),
}

/// The second label of a record's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Transport {
    /// `_sctp`.
    Sctp,
    /// `_tcp`.
    Tcp,
    /// `_udp`.
    Udp,
}

/// Which forms of a record are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Output {
    /// TYPE52, then TLSA.
    Both,
    /// TYPE52.
    Generic,
    /// TLSA.
    Rfc,
}

/// How TLS is started on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum StartTls {
    /// By FTP's AUTH TLS.
    Ftp,
    /// By IMAP's STARTTLS.
    Imap,
    /// At once.
    No,
    /// By POP3's STLS.
    Pop3,
    /// By SMTP's STARTTLS.
    Smtp,
}

/// Why no record could be printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsaError {
    /// The certificate's file cannot be read.
    #[error("cannot read the certificate file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no certificate.
    #[error("`{}` holds no certificate in PEM or DER", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file is not PEM throughout.
    #[error("`{}` is broken PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// A certificate in the file cannot be read.
    #[error("certificate {number} in `{}` cannot be read", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Its place in the file, from 1.
        number: usize,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// The server's name is no name.
    #[error("the host name is no DNS name")]
    Name(#[from] NameError),
    /// Usage 0 names a CA, and there is none.
    #[error("usage 0 names a CA, which `{subject}` is not")]
    NotAuthority {
        /// The certificate at hand.
        subject: String,
    },
    /// The records could not be written.
    #[error("cannot write the records")]
    Write(#[from] io::Error),
}

/// Prints the records for the certificate in the file at `path`.
///
/// # Errors
///
/// Where the file or the host's name is wrong, or nothing can be written.
pub fn run(
    arguments: &TlsaArgs,
    path: &Path,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<(), TlsaError> {
    let octets =
        std::fs::read(path).map_err(|source| TlsaError::Read { path: path.to_owned(), source })?;
    let chain = read_chain(&octets, path)?;
    let host: DnsName = arguments.host.parse()?;
    report(arguments, &chain, &host.absolute(), (stdout, stderr))
}

/// Prints the records for `chain`, which was found at `source`: the host, or an address of it.
///
/// # Errors
///
/// Where the host's name is wrong, or nothing can be written.
pub fn report(
    arguments: &TlsaArgs,
    chain: &Chain,
    source: &str,
    (stdout, stderr): (&mut dyn Write, &mut dyn Write),
) -> Result<(), TlsaError> {
    let host: DnsName = arguments.host.parse()?;
    let owner = arguments.owner(&host);
    let certificates = chain.certificates();
    if certificates.windows(2).any(|pair| pair[0].issuer() != pair[1].subject()) {
        writeln!(stderr, "WARN: Certificates don't chain")?;
    }
    let certificate = match arguments.usage {
        1 | 3 => {
            let subject = one_line(chain.leaf());
            writeln!(stderr, "Got a certificate for {source} with Subject: {subject}")?;
            chain.leaf()
        }
        _ => {
            let last = &certificates[certificates.len() - 1];
            if arguments.usage == 0 && !is_authority(last) {
                return Err(TlsaError::NotAuthority { subject: last.subject().to_owned() });
            }
            let subject = one_line(last);
            writeln!(stderr, "Using certificate with the following Subject:\n\t{subject}\n")?;
            last
        }
    };
    if arguments.usage < 2 {
        let usage = arguments.usage;
        writeln!(
            stderr,
            "warning: mail servers make no use of usage {usage} (RFC 7672, section 3.1.3)"
        )?;
    }
    let record = arguments.record(certificate);
    for form in arguments.output.forms() {
        writeln!(stdout, "{}", zone_line(&owner, &record, *form))?;
    }
    Ok(())
}

/// How DER begins that is long enough to be a certificate.
const SEQUENCE: &[u8] = &[0x30, 0x82];

/// The certificates in a file, PEM (whatever else stands in it) or DER.
fn read_chain(octets: &[u8], path: &Path) -> Result<Chain, TlsaError> {
    let ders: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(octets).collect();
    let mut ders = ders.map_err(|source| TlsaError::Pem { path: path.to_owned(), source })?;
    if ders.is_empty() && octets.starts_with(SEQUENCE) {
        ders.push(octets.into());
    }
    let certificates: Result<Vec<Certificate>, TlsaError> = ders
        .iter()
        .enumerate()
        .map(|(index, der)| {
            Certificate::from_der(der).map_err(|source| TlsaError::Certificate {
                path: path.to_owned(),
                number: index + 1,
                source,
            })
        })
        .collect();
    Chain::new(certificates?).ok_or_else(|| TlsaError::NoCertificate { path: path.to_owned() })
}

impl TlsaArgs {
    /// The record's name.
    fn owner(&self, host: &DnsName) -> String {
        let port = match self.port {
            PortLabel::Any => "*".to_owned(),
            PortLabel::Port(port) => format!("_{port}"),
        };
        let transport = match self.protocol {
            Transport::Sctp => "_sctp",
            Transport::Tcp => "_tcp",
            Transport::Udp => "_udp",
        };
        format!("{port}.{transport}.{}", host.absolute())
    }

    /// The record for `certificate`, of whatever usage.
    fn record(&self, certificate: &Certificate) -> Record {
        let selector = match self.selector {
            0 => Selector::Cert,
            _ => Selector::Spki,
        };
        let matching_type = match self.matching_type {
            0 => MatchingType::Full,
            1 => MatchingType::Sha2_256,
            _ => MatchingType::Sha2_512,
        };
        Record {
            usage: self.usage,
            selector: self.selector,
            matching_type: self.matching_type,
            data: matching_type.present(selector.select(certificate)),
        }
    }
}

impl Output {
    /// The lines to print, in order.
    fn forms(self) -> &'static [Form] {
        match self {
            Self::Both => &[Form::Generic, Form::Rfc],
            Self::Generic => &[Form::Generic],
            Self::Rfc => &[Form::Rfc],
        }
    }
}

impl FromStr for PortLabel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "*" => Ok(Self::Any),
            Ok(0) | Err(_) => Err("a port is a number from 1 to 65535, or `*`".to_owned()),
            Ok(port) => Ok(Self::Port(port)),
        }
    }
}

/// Whether a certificate is a CA's.
fn is_authority(certificate: &Certificate) -> bool {
    X509Certificate::from_der(certificate.der()).is_ok_and(|(_, parsed)| parsed.is_ca())
}

/// A certificate's subject as OpenSSL's one-line form has it: `/C=NL/CN=mail.example.nl`.
fn one_line(certificate: &Certificate) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate.der()) else {
        return String::new();
    };
    let mut line = String::new();
    for attribute in parsed.subject().iter_attributes() {
        let identifier = attribute.attr_type().to_id_string();
        line += "/";
        line += ATTRIBUTES
            .iter()
            .find(|(known, _)| *known == identifier)
            .map_or(identifier.as_str(), |(_, name)| name);
        line += "=";
        for octet in attribute.attr_value().data {
            match octet {
                b' '..=b'~' => line.push(char::from(*octet)),
                _ => {
                    line += "\\x";
                    line += &hex(&[*octet]).to_uppercase();
                }
            }
        }
    }
    line
}

/// OpenSSL's short names for the attributes that certificates have in practice.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.97", "organizationIdentifier"),
];
