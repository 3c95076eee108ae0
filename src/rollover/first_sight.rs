//! What is in place at first sight of a host of which nothing can be read back: what it presents.
//!
//! Where a command of the operator's deploys, no file tells which certificate is the present one,
//! and none holds its key. The listeners tell the certificate; the key stays unknown, so that the
//! present certificate can be published and kept, but not put back by rollover once it is replaced.
//! To take the host for one without a certificate instead would replace one that is in service.

use std::collections::BTreeMap;

use super::action::Problem;
use super::observation::{Listener, Sight};
use crate::pki::{Chain, KeyType};

/// The chain of each key type that the listeners agree on; none where no listener presents any.
///
/// # Errors
///
/// Where a listener does not say, or two of them present different chains of one type.
pub fn presented(
    host: &str,
    listeners: &BTreeMap<Listener, Sight>,
) -> Result<BTreeMap<KeyType, Chain>, Problem> {
    if listeners.is_empty() {
        return Err(unknown(host, "it has no address that could be asked"));
    }
    let mut found: BTreeMap<KeyType, (&Listener, &Chain)> = BTreeMap::new();
    for (listener, sight) in listeners {
        let address = listener.address;
        let chains = match sight {
            Sight::Presented(chains) => chains,
            Sight::NotOffered | Sight::NoTls { .. } => continue,
            Sight::Silent { reason } => {
                return Err(unknown(host, &format!("{address} does not say: {reason}")));
            }
        };
        for chain in chains.iter().map(|presented| &presented.0) {
            let Some(key_type) = KeyType::of_spki(chain.leaf().spki()) else {
                return Err(unknown(
                    host,
                    &format!("{address} presents a key that no `key-types` could name"),
                ));
            };
            match found.get(&key_type) {
                None => {
                    found.insert(key_type, (listener, chain));
                }
                Some((_, known)) if known.id() == chain.id() => {}
                Some((other, known)) => {
                    let reason = format!(
                        "{} presents the certificate with the serial {}, and {address} that with \
                         {}",
                        other.address,
                        known.leaf().serial(),
                        chain.leaf().serial()
                    );
                    return Err(unknown(host, &reason));
                }
            }
        }
    }
    Ok(found.into_iter().map(|(key_type, (_, chain))| (key_type, chain.clone())).collect())
}

/// That it is not known which certificate is in place.
fn unknown(host: &str, reason: &str) -> Problem {
    Problem {
        message: format!(
            "it is not known which certificate {host} has in place: {reason}; nothing is begun, so \
             that it is not lost"
        ),
        hint: "let every address present the same certificate, list the addresses that count in \
               `addresses`, or name a `read-command`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::keys::PrivateKey;
    use crate::pki::KeyFamily;
    use crate::rollover::observation::PresentedChain;
    use crate::tlsa::TlsaOwner;

    /// A listener at the address with this last octet.
    fn listener(octet: u8, family: KeyFamily) -> Listener {
        let owner = TlsaOwner::new("mail.example.nl".parse().unwrap(), 25).unwrap();
        Listener { owner, address: ([192, 0, 2, octet], 25).into(), family }
    }

    /// A self-signed chain.
    fn chain(key_type: KeyType) -> Chain {
        let key = PrivateKey::generate(key_type).unwrap();
        let pair = rcgen::KeyPair::from_pem(key.pem()).unwrap();
        let params = rcgen::CertificateParams::new(vec!["mail.example.nl".to_owned()]).unwrap();
        Chain::from_der(&[params.self_signed(&pair).unwrap().der()]).unwrap()
    }

    /// What a listener with this chain shows.
    fn shows(chain: &Chain) -> Sight {
        Sight::Presented(BTreeSet::from([PresentedChain(chain.clone())]))
    }

    #[test]
    fn what_all_agree_on_is_in_place() {
        let (ecdsa, rsa) = (chain(KeyType::EcdsaP256), chain(KeyType::Rsa2048));
        let listeners = BTreeMap::from([
            (listener(1, KeyFamily::Ecdsa), shows(&ecdsa)),
            (listener(1, KeyFamily::Rsa), shows(&rsa)),
            (listener(2, KeyFamily::Ecdsa), shows(&ecdsa)),
            (listener(2, KeyFamily::Rsa), Sight::NotOffered),
        ]);
        let found = presented("mail", &listeners).unwrap();
        assert_eq!(found, BTreeMap::from([(KeyType::EcdsaP256, ecdsa), (KeyType::Rsa2048, rsa)]));
    }

    #[test]
    fn who_presents_nothing_has_nothing_in_place() {
        let no_tls = Sight::NoTls { reason: "no STARTTLS".to_owned() };
        let listeners = BTreeMap::from([
            (listener(1, KeyFamily::Ecdsa), no_tls),
            (listener(1, KeyFamily::Rsa), Sight::NotOffered),
        ]);
        assert_eq!(presented("mail", &listeners), Ok(BTreeMap::new()));
    }

    #[test]
    fn silence_and_disagreement_are_no_answer() {
        let (one, other) = (chain(KeyType::EcdsaP256), chain(KeyType::EcdsaP256));
        let silent = Sight::Silent { reason: "connection refused".to_owned() };
        let of = |second| {
            let listeners = BTreeMap::from([
                (listener(1, KeyFamily::Ecdsa), shows(&one)),
                (listener(2, KeyFamily::Ecdsa), second),
            ]);
            presented("mail", &listeners).unwrap_err().message
        };
        let message = of(silent);
        assert!(message.contains("192.0.2.2:25 does not say: connection refused"), "{message}");
        let message = of(shows(&other));
        assert!(message.contains("192.0.2.1:25 presents the certificate with the"), "{message}");
        assert!(presented("mail", &BTreeMap::new()).is_err());
    }
}
