//! acme.sh, which Debian does not package: its reload command's environment, with real files; and
//! what any client may bring.

use std::path::PathBuf;
use std::process::Command;

use crate::client::{Ran, Scene};
use crate::lab::authority::{Authority, key_record};
use crate::lab::daemon::run;
use crate::lab::{HOST, PRIMARY};

/// A directory of acme.sh's, and its reload command.
struct AcmeSh<'a> {
    /// Where all this happens.
    scene: &'a Scene,
    /// Its directory for the certificate.
    directory: PathBuf,
}

impl<'a> AcmeSh<'a> {
    /// An empty directory.
    fn new(scene: &'a Scene) -> Self {
        let directory = scene.lab().path("acme.sh");
        std::fs::create_dir_all(&directory).expect("its directory");
        Self { scene, directory }
    }

    /// A file of the certificate's.
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Puts what `ca` issues where acme.sh has it: key and chain apart.
    fn obtain(&self, ca: &Authority, host: &str) {
        let bundle = self.file("bundle");
        ca.issue(host, &bundle);
        let text = std::fs::read_to_string(&bundle).expect("the bundle");
        let (key, chain) = text.split_once("-----BEGIN CERTIFICATE").expect("key, then chain");
        std::fs::write(self.file("mail.key"), key).expect("the key");
        std::fs::write(self.file("fullchain.cer"), format!("-----BEGIN CERTIFICATE{chain}"))
            .expect("the chain");
    }

    /// Prepares the next key.
    fn prepare_next_key(&self) {
        let path = self.file("mail.key.next").display().to_string();
        run(Command::new("openssl")
            .args(["ecparam", "-genkey", "-name", "prime256v1"])
            .args(["-out", &path]));
    }

    /// Runs its reload command.
    fn reload(&self) -> Ran {
        let mut command = self.scene.command("sh");
        command.args(["-c", &self.scene.hook("acme.sh")]).current_dir(&self.directory);
        command.env("Le_Domain", HOST).env("CERT_KEY_PATH", self.file("mail.key"));
        command.env("CERT_FULLCHAIN_PATH", self.file("fullchain.cer"));
        command.env("Le_Next_Domain_Key", self.file("mail.key.next"));
        self.scene.run(command)
    }
}

/// The next key is in every cache long before the certificate for it: nothing has to be waited for,
/// though `3 1 1` is all that is published.
#[test]
fn a_prepared_key_is_published_beforehand() {
    let scene = Scene::new("current-next");
    scene.cron();
    let client = AcmeSh::new(&scene);
    let judge = scene.judge();
    client.obtain(&scene.stage.other, HOST);
    client.prepare_next_key();
    client.reload().expect_well();
    scene.cron();
    let current = key_record(&client.file("fullchain.cer"));
    assert_eq!(scene.stage.presented(), current);
    let records = scene.stage.records(PRIMARY);
    assert_eq!(records.len(), 2, "{records:?}");

    // The certificate for the prepared key, of yet another CA.
    let next = client.file("mail.key.next").display().to_string();
    let house = &scene.stage.house;
    let key = ["-new", "-key", next.as_str()];
    house.issue_with(HOST, &client.file("bundle"), &key);
    let leaf = scene.lab().path("ca-house/leaf.pem");
    let chain = [leaf.clone(), house.certificate.clone()]
        .map(|path| std::fs::read_to_string(path).expect("a certificate"));
    std::fs::write(client.file("fullchain.cer"), chain.concat()).expect("the chain");
    std::fs::rename(client.file("mail.key.next"), client.file("mail.key")).expect("the key");
    let said = client.reload().expect_well().said;
    assert!(!said.contains("(bridge)"), "{said}");
    assert_eq!(scene.stage.presented(), key_record(&leaf), "live before the hook was done");
    scene.cron();
    scene.stage.finish(judge).expect_clean(60);
}

/// What is torn, for another name or for another kind of key; and a pass that is under way.
#[test]
fn what_cannot_be_kept_fails_and_what_is_not_ours_does_not() {
    let scene = Scene::new("ncsc");
    scene.configure("ncsc", "key-types = [\"ecdsa-p256\"]");
    let client = AcmeSh::new(&scene);
    let before = (scene.stage.presented(), scene.stage.records(PRIMARY));

    client.obtain(&scene.stage.other, "www.example.nl");
    let said = client.reload().expect_well().said;
    assert!(said.contains("www.example.nl: this certificate is for no host of"), "{said}");

    client.obtain(&scene.stage.other, HOST);
    let torn = std::fs::read(client.file("mail.key")).expect("the key");
    client.obtain(&scene.stage.other, HOST);
    std::fs::write(client.file("mail.key"), torn).expect("the key before");
    let ran = client.reload();
    assert!(!ran.well && ran.said.contains("no certificate in"), "{ran:?}");

    let bundle = client.file("bundle");
    scene.stage.other.issue_with(HOST, &bundle, &["-newkey", "rsa:2048"]);
    std::fs::copy(&bundle, client.file("mail.key")).expect("a key");
    std::fs::copy(&bundle, client.file("fullchain.cer")).expect("a chain");
    let ran = client.reload();
    assert!(!ran.well && ran.said.contains("key-types = [\"rsa-2048\"]"), "{ran:?}");
    assert_eq!((scene.stage.presented(), scene.stage.records(PRIMARY)), before);

    // Somebody holds the ledger: it is staged, and the next pass takes it.
    client.obtain(&scene.stage.other, HOST);
    let lock = std::fs::File::open(scene.lab().path("state/lock")).expect("the lock file");
    lock.lock().expect("the lock");
    let said = client.reload().expect_well().said;
    assert!(said.contains("another pass holds the ledger"), "{said}");
    drop(lock);
    scene.cron();
    scene.expect_live(&client.file("fullchain.cer"));
    give_up_what_comes_next(&scene, &client);
}

/// The operator gives a rollover up: what the client mentions at each run stays given up.
fn give_up_what_comes_next(scene: &Scene, client: &AcmeSh<'_>) {
    let before = scene.stage.presented();
    client.obtain(&scene.stage.house, HOST);
    client.reload().expect_well();
    scene.lab().rollover(&["--abort", "--wait"]).expect_code(0);
    for _ in 0..2 {
        let files = ["mail.key", "leaf", "fullchain.cer", "chain"].map(|name| client.file(name));
        let mut command = scene.command(env!("CARGO_BIN_EXE_rollover"));
        command.args(["hook", "dehydrated", "unchanged_cert", HOST]).args(files);
        scene.run(command).expect_well();
        scene.cron();
    }
    assert_eq!(scene.stage.presented(), before);
    let status = scene.lab().status();
    assert!(status["rollover"].is_null() && status["attention"].is_null(), "{status:#}");
    let refused = scene.lab().rollover(&["--renew", "--host", HOST]).expect_code(2);
    assert!(refused.err.contains("obtained by another ACME client"), "{}", refused.err);
    // Brought on purpose: it is taken.
    let said = client.reload().expect_well().said;
    assert!(said.contains("begin a change of CA"), "{said}");
    warn_of_a_server_that_reads_the_clients_files(scene, client);
}

/// The mail server presents what nobody deployed: it reads the client's own files, and senders meet a
/// certificate that no record fits. That is said with the next call.
fn warn_of_a_server_that_reads_the_clients_files(scene: &Scene, client: &AcmeSh<'_>) {
    std::fs::copy(client.file("bundle"), &scene.stage.bundle).expect("the mail server's file");
    let reload = scene.stage.postfix.reload();
    let mut command = scene.command(&reload[0]);
    command.args(&reload[1..]);
    scene.run(command).expect_well();
    let said = client.reload().expect_well().said;
    assert!(said.contains("the mail server reads the client's own files"), "{said}");
}
