//! A CA of the operator's own, made by OpenSSL, and what it issues by hand.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::run;

/// A CA whose key is at hand.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Where it keeps things.
    directory: PathBuf,
}

/// Runs OpenSSL.
fn openssl(arguments: &[&str]) -> String {
    run(Command::new("openssl").args(arguments))
}

impl Authority {
    /// Makes a CA of this name.
    pub fn new(directory: &Path, name: &str) -> Self {
        let directory = directory.join(format!("ca-{name}"));
        std::fs::create_dir_all(&directory).expect("the CA's directory");
        let (certificate, key) = (directory.join("ca.pem"), directory.join("ca.key"));
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            &format!("/CN={name} CA"),
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout",
            &key.display().to_string(),
            "-out",
            &certificate.display().to_string(),
        ]);
        run(Command::new("chmod").arg("600").arg(&key));
        Self { certificate, key, directory }
    }

    /// Issues a certificate by hand: key first, then the chain, as Postfix wants it.
    pub fn issue(&self, host: &str, bundle: &Path) {
        self.issue_with(host, bundle, &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    }

    /// Issues a certificate by hand for a key of another kind.
    pub fn issue_with(&self, host: &str, bundle: &Path, new_key: &[&str]) {
        self.issue_for(&[host], bundle, new_key);
    }

    /// Issues a certificate by hand for several names, or addresses.
    pub fn issue_for(&self, names: &[&str], bundle: &Path, new_key: &[&str]) {
        let file = |name: &str| self.directory.join(name).display().to_string();
        let mut request = vec!["req", "-nodes"];
        request.extend(new_key);
        let (subject, key, csr) = (format!("/CN={}", names[0]), file("leaf.key"), file("leaf.csr"));
        request.extend(["-subj", &subject, "-keyout", &key, "-out", &csr]);
        openssl(&request);
        let kind = |name: &str| if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
        let names: Vec<String> =
            names.iter().map(|name| format!("{}:{name}", kind(name))).collect();
        let extensions =
            format!("subjectAltName={}\nextendedKeyUsage=serverAuth\n", names.join(","));
        std::fs::write(self.directory.join("leaf.ext"), extensions).expect("leaf.ext");
        openssl(&[
            "x509",
            "-req",
            "-days",
            "90",
            "-in",
            &csr,
            "-CA",
            &self.certificate.display().to_string(),
            "-CAkey",
            &self.key.display().to_string(),
            "-CAcreateserial",
            "-extfile",
            &file("leaf.ext"),
            "-out",
            &file("leaf.pem"),
        ]);
        let mut text = String::new();
        for part in [key, file("leaf.pem"), self.certificate.display().to_string()] {
            text += &std::fs::read_to_string(part).expect("a part of the bundle");
        }
        super::tool::write_private(bundle, &text);
    }

    /// The `2 1 1` record that names this CA.
    pub fn record(&self) -> String {
        format!("2 1 1 {}", spki_sha256(&self.certificate))
    }
}

/// The `3 1 1` record of the first certificate in a file.
pub fn key_record(file: &Path) -> String {
    format!("3 1 1 {}", spki_sha256(file))
}

/// SHA-256 of the SubjectPublicKeyInfo of the first certificate in a file, by OpenSSL alone.
fn spki_sha256(file: &Path) -> String {
    let public = openssl(&["x509", "-in", &file.display().to_string(), "-noout", "-pubkey"]);
    digest_of_public_key(&public)
}

/// SHA-256 of a public key in PEM.
fn digest_of_public_key(pem: &str) -> String {
    let script = "import base64,hashlib,sys\n\
                  t=''.join(l for l in sys.argv[1].split('\\n') if not l.startswith('-'))\n\
                  print(hashlib.sha256(base64.b64decode(t)).hexdigest())";
    run(Command::new("python3").args(["-c", script, pem])).trim().to_owned()
}
