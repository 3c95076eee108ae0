//! An ACME CA with moods: a Pebble that looks at proofs, behind a front that signs what it issued anew,
//! under a hierarchy of its own and by whichever CA the test names.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};
use rollover::pki::{Certificate, KeyFamily};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::oneshot;

use crate::front::{Action, Front, Identity};
use crate::lab::Lab;
use crate::lab::pebble::Pebble;

/// An hour.
const HOUR: Duration = Duration::from_secs(3600);

/// A CA certificate: whose it is, who signed it, and which edition of it. Another edition has the same
/// key and the same names.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ca {
    /// Whose it is.
    pub subject: &'static str,
    /// Who signed it.
    pub by: &'static str,
    /// Which edition.
    pub edition: u8,
}

/// What the CA sends with a certificate; the first of them signs.
pub type Mood = &'static [Ca];

/// The hierarchy.
struct Hierarchy {
    /// The keys of its CAs, made when they are first needed.
    keys: BTreeMap<&'static str, Arc<KeyPair>>,
    /// The certificates of its CAs, likewise.
    certificates: BTreeMap<Ca, Vec<u8>>,
    /// What it sends now.
    mood: Mood,
    /// What it sends now with certificates for RSA keys, where that is something else.
    rsa_mood: Option<Mood>,
    /// How many certificates it has signed: the next serial number.
    signed: u64,
}

/// A CA with moods, in a lab's namespace.
pub struct Moody {
    /// The URL of its directory.
    pub directory_url: String,
    /// What it signs with.
    hierarchy: Arc<Mutex<Hierarchy>>,
    /// Ends the front when dropped.
    end: Option<oneshot::Sender<()>>,
    /// Where the front runs.
    thread: Option<JoinHandle<()>>,
}

impl Moody {
    /// Starts a front before `pebble`, in this mood.
    pub fn start(lab: &Lab, pebble: &Pebble, mood: Mood) -> Self {
        let hierarchy = Hierarchy {
            keys: BTreeMap::new(),
            certificates: BTreeMap::new(),
            mood,
            rsa_mood: None,
            signed: 0,
        };
        let hierarchy = Arc::new(Mutex::new(hierarchy));
        let (end, ended) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let (signs, namespace) = (hierarchy.clone(), lab.namespace.file());
        let identity = Identity::of_files(
            pebble.ca_file(),
            pebble.file("https.pem"),
            pebble.file("https.key"),
        );
        let behind = pebble.address();
        let thread = std::thread::spawn(move || {
            // What this thread opens from here on is in the lab's namespace.
            let namespace = File::open(namespace).expect("the lab's namespace");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("the thread enters the lab's namespace");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for the front").block_on(async {
                let front = Front::start(&identity, Some(behind)).await;
                front.plan(move |_, line| match line.contains("/certZ/") {
                    true => {
                        let signs = signs.clone();
                        Action::Rewrite(Box::new(move |answer| {
                            signs.lock().expect("the hierarchy").resign(&answer)
                        }))
                    }
                    false => Action::Pass,
                });
                tell.send(front.address).expect("the test waits for the front");
                let _ = ended.await;
            });
        });
        let address = told.recv().expect("the front starts");
        let directory_url = format!("https://{address}/dir");
        Self { directory_url, hierarchy, end: Some(end), thread: Some(thread) }
    }

    /// Changes its mood.
    pub fn set(&self, mood: Mood) {
        self.hierarchy.lock().expect("the hierarchy").mood = mood;
    }

    /// Changes its mood about RSA keys alone.
    pub fn set_for_rsa(&self, mood: Mood) {
        self.hierarchy.lock().expect("the hierarchy").rsa_mood = Some(mood);
    }

    /// The DER of a CA certificate.
    pub fn certificate(&self, ca: Ca) -> Vec<u8> {
        self.hierarchy.lock().expect("the hierarchy").certificate(ca)
    }

    /// The same as PEM.
    pub fn pem(&self, ca: Ca) -> String {
        pem(&self.certificate(ca))
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Hierarchy {
    /// The key of a CA.
    fn key(&mut self, name: &'static str) -> Arc<KeyPair> {
        let make = || Arc::new(KeyPair::generate().expect("a CA's key"));
        self.keys.entry(name).or_insert_with(make).clone()
    }

    /// A CA certificate.
    fn certificate(&mut self, ca: Ca) -> Vec<u8> {
        if let Some(made) = self.certificates.get(&ca) {
            return made.clone();
        }
        let (own, signing) = (self.key(ca.subject), self.key(ca.by));
        let mut params = authority(ca.subject);
        params.serial_number = Some(SerialNumber::from(u64::from(ca.edition) + 1));
        let by = authority(ca.by);
        let issuer = Issuer::from_params(&by, &*signing);
        let made = params.signed_by(&*own, &issuer).expect("a CA's certificate");
        let der = made.der().to_vec();
        self.certificates.insert(ca, der.clone());
        der
    }

    /// The answer with the server's own certificate signed by the CA of the mood, and with the CA
    /// certificates that it sends.
    fn resign(&mut self, answer: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(answer);
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        if !head.contains(" 200 ") {
            return answer.to_vec();
        }
        let leaf = CertificateDer::from_pem_slice(body.as_bytes()).expect("a certificate comes");
        let leaf = Certificate::from_der(&leaf).expect("Pebble's certificate");
        let mood = match KeyFamily::of_spki(leaf.spki()) {
            Some(KeyFamily::Rsa) => self.rsa_mood.unwrap_or(self.mood),
            _ => self.mood,
        };
        let mut chain = pem(&self.sign(&leaf, mood));
        for ca in mood {
            chain += &pem(&self.certificate(*ca));
        }
        let dropped = ["content-length", "transfer-encoding", "link", "connection"];
        let is_kept = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            !dropped.contains(&name.as_str())
        };
        let head: Vec<&str> = head.lines().filter(is_kept).collect();
        let length = chain.len();
        let head = head.join("\r\n");
        format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{chain}")
            .into_bytes()
    }

    /// A certificate for the key and the names of `leaf`, by the CA of the mood.
    fn sign(&mut self, leaf: &Certificate, mood: Mood) -> Vec<u8> {
        let key = SubjectPublicKeyInfo::from_der(leaf.spki()).expect("its key");
        let mut params = CertificateParams::new(leaf.dns_names()).expect("its names");
        self.signed += 1;
        params.serial_number = Some(SerialNumber::from(self.signed));
        params.distinguished_name.remove(DnType::CommonName);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is right");
        params.not_before = date_time_ymd(1970, 1, 1) + (now - HOUR);
        params.not_after = params.not_before + HOUR * 24 * 90;
        let signer = mood.first().expect("a mood names who signs").subject;
        let (by, signing) = (authority(signer), self.key(signer));
        let issuer = Issuer::from_params(&by, &*signing);
        params.signed_by(&key, &issuer).expect("a certificate").der().to_vec()
    }
}

/// The certificate of a CA of this name, but for its serial number.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, format!("Moody {name}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2044, 1, 1);
    params
}

/// A certificate as PEM.
fn pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}
