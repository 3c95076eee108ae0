//! A mail server on paper: every port of a pass, with the time in hand.
//!
//! Keys, serial numbers and times are the same in each run, so that what people read can be pinned to
//! the letter. What goes wrong is said beforehand, in [`Faults`].

mod ports;

use std::sync::{Arc, Mutex, MutexGuard};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

use crate::config::{DeployConfig, FilesConfig, ForeignRecords, HostConfig, Place, Service};
use crate::keys::PrivateKey;
use crate::pass::{HostPass, HostPorts, PassError, Report};
use crate::pki::{Certificate, Chain, KeyType, Sha256Digest};
use crate::policy::shipped;
use crate::ports::{
    Clock as _, Credential, DeployError, Event, IssueError, Issuer, Protocol, PublishError,
};
use crate::rollover::action::Request;
use crate::rollover::state::HostState;
use crate::time::{Span, Timestamp, Ttl};
use crate::tlsa::{Parameters, TlsaRrset};
use ports::Ca;

/// When every story begins: 2027-01-15 08:00:00 UTC.
const BEGINNING: i64 = 1_800_000_000;

/// The TTL of the records.
const TTL: Ttl = Ttl::from_seconds(3600);

/// How long certificates are valid.
const VALIDITY: Span = Span::from_seconds(90 * 86_400);

/// What goes wrong.
#[derive(Default)]
pub(super) struct Faults {
    /// What the second name server does in place of an answer.
    pub(super) silent: Option<&'static str>,
    /// The second name server keeps what it has.
    pub(super) lags: bool,
    /// What comes of every change of the records.
    pub(super) refusal: Option<PublishError>,
    /// What comes of every order.
    pub(super) order: Option<IssueError>,
    /// What comes of every reload.
    pub(super) reload: Option<DeployError>,
    /// The zone is not signed.
    pub(super) unsigned: bool,
}

/// What is so.
struct Paper {
    /// How many seconds after the beginning it is.
    seconds: u64,
    /// The records at the primary, and at each name server.
    primary: TlsaRrset,
    /// The records at the second name server.
    secondary: TlsaRrset,
    /// What is in the files that the mail server should read.
    files: Vec<Credential>,
    /// What it presents in place of that.
    elsewhere: Option<Chain>,
    /// The ledger.
    ledger: HostState,
    /// Its history.
    events: Vec<Event>,
    /// How many keys were made.
    keys: u8,
    /// What goes wrong.
    faults: Faults,
}

/// A mail server, and all that is around it.
#[derive(Clone)]
pub(super) struct Stage {
    /// What is so.
    paper: Arc<Mutex<Paper>>,
    /// The host's name.
    name: &'static str,
    /// Its policy.
    policy: &'static str,
}

/// The key with this number: a private key that everybody knows, the same in each run.
fn key(number: u8) -> PrivateKey {
    let mut der = vec![
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
        0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25,
        0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    der.extend([0; 31]);
    der.push(number);
    PrivateKey::from_pem(&pem::encode(&pem::Pem::new("PRIVATE KEY", der))).unwrap()
}

/// A CA: its certificate, and what signs. Its signatures are the same in each run.
fn authority(name: &str) -> (Certificate, rcgen::Issuer<'static, KeyPair>) {
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    der.extend(Sha256Digest::of(name.as_bytes()).0);
    let pair = KeyPair::try_from(der).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.remove(DnType::CommonName);
    parameters.distinguished_name.push(DnType::CommonName, format!("The {name} CA"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&pair).unwrap();
    (Certificate::from_der(certificate.der()).unwrap(), rcgen::Issuer::new(parameters, pair))
}

/// A certificate for a host, valid from `at` on.
fn certificate(issuer: &str, host: &str, key: &PrivateKey, at: Timestamp) -> Chain {
    let (certificate, signer) = authority(issuer);
    let after_epoch =
        |at: Timestamp| std::time::Duration::from(at.since(Timestamp::from_seconds(0)));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    (parameters.not_before, parameters.not_after) =
        (epoch + after_epoch(at), epoch + after_epoch(at + VALIDITY));
    let serial = u64::try_from(at.as_seconds()).unwrap();
    parameters.serial_number = Some(serial.into());
    let public = rcgen::SubjectPublicKeyInfo::from_der(key.spki()).unwrap();
    let leaf = parameters.signed_by(&public, &signer).unwrap();
    Chain::new(vec![Certificate::from_der(leaf.der()).unwrap(), certificate]).unwrap()
}

impl Stage {
    /// A mail server with a certificate of `house` that is ten days old, and the policy's records,
    /// which rollover has known for a day.
    pub(super) fn new(name: &'static str, policy: &'static str) -> Self {
        let at = Timestamp::from_seconds(BEGINNING - 10 * 86_400);
        let first = u8::try_from(name.len()).unwrap();
        let chain = certificate("house", name, &key(first), at);
        let record = |parameters: Parameters, certificate| parameters.associate(certificate).into();
        let records = [
            record(Parameters::TA_SPKI_SHA256, &chain.authorities()[0]),
            record(Parameters::EE_SPKI_SHA256, chain.leaf()),
        ];
        let named = shipped::by_name(policy).unwrap().records;
        let records = records.into_iter().filter(|record: &crate::tlsa::Record| {
            named.iter().any(|parameters| record.usage == parameters.usage.number())
        });
        let primary = TlsaRrset::new(records, TTL);
        let credential = Credential { key_type: KeyType::EcdsaP256, chain, key: key(first) };
        let paper = Paper {
            seconds: 0,
            secondary: primary.clone(),
            primary,
            files: vec![credential],
            elsewhere: None,
            ledger: HostState::default(),
            events: Vec::new(),
            keys: first,
            faults: Faults::default(),
        };
        let stage = Self { paper: Arc::new(Mutex::new(paper)), name, policy };
        stage.pass(None);
        stage.wait(86_400);
        stage.pass(None);
        stage
    }

    /// The usual one.
    pub(super) fn usual() -> Self {
        Self::new("mail.example.nl", "ncsc")
    }

    /// What is so.
    fn paper(&self) -> MutexGuard<'_, Paper> {
        self.paper.lock().unwrap()
    }

    /// From now on this goes wrong, and nothing else.
    pub(super) fn suffer(&self, faults: Faults) {
        self.paper().faults = faults;
    }

    /// Lets time pass.
    pub(super) fn wait(&self, seconds: u64) {
        self.paper().seconds += seconds;
    }

    /// From now on the mail server reads another file, with another CA's certificate; or its own again.
    pub(super) fn read_elsewhere(&self, elsewhere: bool) {
        let chain = certificate("other", self.name, &key(200), self.now().wall);
        self.paper().elsewhere = elsewhere.then_some(chain);
    }

    /// The host.
    pub(super) fn host(&self) -> HostPass {
        let file = FilesConfig {
            place: Place::ChainFiles(vec!["/etc/postfix/tls/mail.pem".into()]),
            owner: None,
            group: None,
            mode: 0o640,
            reload: vec!["postfix".to_owned(), "reload".to_owned()],
            reload_timeout: Span::from_seconds(60),
        };
        let config = HostConfig {
            name: self.name.to_owned(),
            names: vec![self.name.parse().unwrap()],
            services: vec![Service { port: 25, connect_port: 25, protocol: Protocol::Smtp }],
            key_types: vec![KeyType::EcdsaP256],
            addresses: vec![[192, 0, 2, 25].into()],
            policy: Arc::new(shipped::by_name(self.policy).unwrap()),
            issuer: "house".to_owned(),
            fallback_issuers: Vec::new(),
            dns: "primary".to_owned(),
            tlsa_ttl: None,
            foreign_records: ForeignRecords::Keep,
            ignore_name_servers: Vec::new(),
            deploy: DeployConfig::Files(file),
        };
        let issuer = |name: &str| -> (String, Arc<dyn Issuer>) {
            (name.to_owned(), Arc::new(Ca { stage: self.clone(), name: name.to_owned() }))
        };
        let ports = HostPorts {
            clock: Arc::new(self.clone()),
            keys: Arc::new(self.clone()),
            dns: Arc::new(self.clone()),
            publisher: Arc::new(self.clone()),
            issuers: ["house", "other"].map(issuer).into(),
            deployer: Arc::new(self.clone()),
            probe: Arc::new(self.clone()),
            ledger: Arc::new(self.clone()),
        };
        HostPass::new(config, ports)
    }

    /// Makes a pass.
    pub(super) fn pass(&self, request: Option<Request>) -> Report {
        self.try_pass(request).unwrap()
    }

    /// Makes a pass that may not be possible.
    pub(super) fn try_pass(&self, request: Option<Request>) -> Result<Report, PassError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.host().run(request))
    }

    /// Looks and decides.
    pub(super) fn preview(&self, request: Option<Request>) -> Report {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.host().preview(request)).unwrap()
    }

    /// The history.
    pub(super) fn events(&self) -> Vec<Event> {
        self.paper().events.clone()
    }
}
