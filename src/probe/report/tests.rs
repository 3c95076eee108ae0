//! What visits say together, case by case.

use Sni::{Omitted, Sent};

use super::*;
use crate::keys::PrivateKey;
use crate::pki::KeyType;

/// A chain of one certificate with a key of this type.
fn chain(key_type: KeyType) -> Chain {
    let key = PrivateKey::generate(key_type).unwrap();
    let pair = rcgen::KeyPair::from_pem(key.pem()).unwrap();
    let params = rcgen::CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
    Chain::from_der(&[params.self_signed(&pair).unwrap().der()]).unwrap()
}

/// A visit that was shown this chain over TLS 1.3.
fn shown(chain: &Chain) -> Shown {
    Shown::Presented(chain.clone(), TlsVersion::Tls13)
}

/// The reason of a silent sight.
fn silent(report: &Report) -> &str {
    match &report.sight {
        Sight::Silent { reason } => reason,
        Sight::Presented(_) | Sight::NotOffered | Sight::NoTls { .. } => panic!("{report:?}"),
    }
}

#[test]
fn all_chains_seen_count_and_sni_is_told_apart() {
    let (old, new) = (chain(KeyType::EcdsaP256), chain(KeyType::EcdsaP256));
    let older = Shown::Presented(old.clone(), TlsVersion::Tls12);
    let report = Report::judge(&[(Sent, shown(&new)), (Sent, older), (Omitted, shown(&new))]);
    let both = BTreeSet::from([PresentedChain(old.clone()), PresentedChain(new.clone())]);
    assert_eq!(report.sight, Sight::Presented(both));
    assert_eq!(report.versions, BTreeSet::from([TlsVersion::Tls12, TlsVersion::Tls13]));
    assert!(report.sni_matters());
    assert!(!Report::judge(&[(Sent, shown(&new)), (Omitted, shown(&new))]).sni_matters());
    assert!(!Report::judge(&[(Sent, shown(&new))]).sni_matters());
}

#[test]
fn one_visit_that_failed_makes_the_listener_silent() {
    let chain = chain(KeyType::EcdsaP256);
    let failed = || Shown::Failed("no greeting within 30s".to_owned());
    let report = Report::judge(&[(Sent, shown(&chain)), (Sent, failed()), (Omitted, failed())]);
    assert_eq!(silent(&report), "on 2 of 3 connections: no greeting within 30s");
    assert_eq!(report.with_sni.len(), 1, "what was seen is told all the same");
    let report = Report::judge(&[(Sent, shown(&chain)), (Omitted, failed()), (Omitted, failed())]);
    assert_eq!(silent(&report), "without SNI: no greeting within 30s");
    let report = Report::judge(&[(Sent, failed()), (Omitted, Shown::NotOffered)]);
    assert_eq!(silent(&report), "with SNI: no greeting within 30s");
    assert_eq!(silent(&Report::judge(&[(Sent, failed())])), "no greeting within 30s");
}

#[test]
fn visits_that_agree_are_believed() {
    let nothing = || Shown::NoTls("it does not offer STARTTLS".to_owned());
    let reason = "it does not offer STARTTLS".to_owned();
    let report = Report::judge(&[(Sent, nothing()), (Omitted, nothing())]);
    assert_eq!(report.sight, Sight::NoTls { reason });
    let report = Report::judge(&[(Sent, Shown::NotOffered), (Omitted, Shown::NotOffered)]);
    assert_eq!(report.sight, Sight::NotOffered);
}

#[test]
fn visits_that_contradict_each_other_are_not_believed() {
    let chain = chain(KeyType::EcdsaP256);
    let nothing = Shown::NoTls("it does not offer STARTTLS".to_owned());
    let visits = [(Sent, shown(&chain)), (Omitted, Shown::NotOffered), (Omitted, nothing)];
    assert_eq!(
        silent(&Report::judge(&visits)),
        "of 3 connections, 1 were shown a certificate, 1 were told that there is none of this \
         kind, and 1 were offered no TLS"
    );
}

/// Dovecot hangs up where others send an alert.
#[test]
fn who_hangs_up_on_each_client_of_a_kind_may_have_nothing_for_it() {
    let chain = chain(KeyType::EcdsaP256);
    let hung_up = || Shown::HungUp("no end of the TLS handshake: eof".to_owned());
    let mut report = Report::judge(&[(Sent, hung_up()), (Omitted, Shown::NotOffered)]);
    assert_eq!(report.sight, Sight::NotOffered);
    report.doubt(KeyFamily::Rsa, &shown(&chain));
    assert_eq!(report.sight, Sight::NotOffered, "others are shown something else");
    report.doubt(KeyFamily::Rsa, &hung_up());
    assert_eq!(
        silent(&report),
        "to a client that offers everything: no end of the TLS handshake: eof"
    );
    let report = Report::judge(&[(Sent, shown(&chain)), (Omitted, hung_up())]);
    assert_eq!(silent(&report), "without SNI: no end of the TLS handshake: eof");
}

#[test]
fn that_a_family_is_not_offered_needs_a_witness() {
    let judge = |control: Shown| {
        let mut report = Report::judge(&[(Sent, Shown::NotOffered)]);
        report.doubt(KeyFamily::Rsa, &control);
        report
    };
    let ecdsa = chain(KeyType::EcdsaP384);
    assert_eq!(judge(shown(&ecdsa)).sight, Sight::NotOffered);
    let rsa = judge(shown(&chain(KeyType::Rsa2048)));
    assert!(silent(&rsa).starts_with("it refuses clients that offer rsa signatures alone"));
    assert!(silent(&judge(Shown::NotOffered)).starts_with("it refuses the handshake, whatever"));
    assert_eq!(
        silent(&judge(Shown::Failed("no connection within 30s".to_owned()))),
        "to a client that offers everything: no connection within 30s"
    );
}
