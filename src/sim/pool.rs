//! The world's keys and CAs, made once: in every world the same key under the same CA has the same
//! chain, so that a world can come back to where it was.

use std::collections::BTreeMap;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PublicKeyData};

use crate::keys::{KeyError, PrivateKey};
use crate::pki::{Certificate, Chain, KeyType, Sha256Digest};

/// The name of the host that everything is about.
pub const HOST: &str = "mail.example.nl";

/// How many certificates a CA signs for the same key: one, and the one that renews it.
const CERTIFICATES: usize = 2;

/// A CA's key: the CA of the own house, another, and the two of a CA that changes its key without a
/// word.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Authority {
    /// The CA that the host's first certificate is of.
    House,
    /// Another CA, which is known beforehand as well.
    Other,
    /// The CA that nobody knows beforehand.
    Drifting {
        /// Which of its keys.
        generation: u8,
    },
}

impl Authority {
    /// Each of them.
    pub const ALL: [Self; 4] = [
        Self::House,
        Self::Other,
        Self::Drifting { generation: 0 },
        Self::Drifting { generation: 1 },
    ];

    /// The issuer's name in the configuration.
    pub fn issuer(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::Other => "other",
            Self::Drifting { .. } => "drifting",
        }
    }
}

/// Why there is no world.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// No key could be made.
    #[error("cannot make the world's keys: {0}")]
    Key(#[from] KeyError),
    /// A CA could not sign.
    #[error("cannot make the world's certificates: {0}")]
    Sign(#[from] rcgen::Error),
    /// What it signed cannot be read.
    #[error("cannot read the world's certificates: {0}")]
    Read(#[from] crate::pki::CertificateError),
}

/// All keys and chains of a world.
pub struct Pool {
    /// Per type, the keys.
    keys: BTreeMap<KeyType, Vec<PrivateKey>>,
    /// Per key and CA, the chains, which differ in their serial numbers.
    chains: BTreeMap<(Sha256Digest, Authority), Vec<Chain>>,
    /// The CAs' certificates.
    certificates: BTreeMap<Authority, Certificate>,
}

impl Pool {
    /// Makes so many keys of each of these types, and every chain that can come of them. It takes
    /// more keys than a host can have a use for at one time, and as many as are compromised.
    ///
    /// # Errors
    ///
    /// Where the crypto library fails.
    pub fn new(key_types: &[KeyType], count: usize) -> Result<Self, PoolError> {
        let mut pool =
            Self { keys: BTreeMap::new(), chains: BTreeMap::new(), certificates: BTreeMap::new() };
        for key_type in key_types {
            let keys: Result<Vec<_>, _> =
                (0..count).map(|_| PrivateKey::generate(*key_type)).collect();
            let mut keys = keys?;
            // Records are ordered by their digests: with keys in this order, what happens in a world
            // follows from its seed alone, though the keys are others each time.
            keys.sort_by_key(PrivateKey::spki_sha256);
            pool.keys.insert(*key_type, keys);
        }
        let keys: Result<Vec<_>, _> = Authority::ALL.iter().map(|_| KeyPair::generate()).collect();
        let mut keys = keys?;
        keys.sort_by_key(|key| Sha256Digest::of(&key.subject_public_key_info()));
        for (authority, key) in Authority::ALL.into_iter().zip(keys) {
            pool.sign_all(authority, key)?;
        }
        Ok(pool)
    }

    /// Makes a CA, and its chains for every key.
    fn sign_all(&mut self, authority: Authority, key: KeyPair) -> Result<(), PoolError> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.distinguished_name.push(DnType::CommonName, format!("{authority:?}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = Certificate::from_der(parameters.self_signed(&key)?.der())?;
        let issuer = rcgen::Issuer::new(parameters, key);
        let mut serial = 1_u64;
        for key in self.keys.values().flatten() {
            let pair = KeyPair::from_pem(key.pem())?;
            for _ in 0..CERTIFICATES {
                let mut parameters = CertificateParams::new(vec![HOST.to_owned()])?;
                parameters.serial_number = Some(serial.into());
                serial += 1;
                let leaf = Certificate::from_der(parameters.signed_by(&pair, &issuer)?.der())?;
                let chains = self.chains.entry((key.spki_sha256(), authority)).or_default();
                chains.extend(Chain::new(vec![leaf, certificate.clone()]));
            }
        }
        self.certificates.insert(authority, certificate);
        Ok(())
    }

    /// The keys of a type.
    pub fn keys(&self, key_type: KeyType) -> &[PrivateKey] {
        self.keys.get(&key_type).map_or(&[], Vec::as_slice)
    }

    /// A key by what tells it from others.
    pub fn key(&self, spki: &Sha256Digest) -> Option<&PrivateKey> {
        self.keys.values().flatten().find(|key| key.spki_sha256() == *spki)
    }

    /// The chains of a key under a CA, of which one certificate renews the other; none for a key
    /// that is not of this world.
    pub fn chains(&self, key: &PrivateKey, authority: Authority) -> &[Chain] {
        self.chains.get(&(key.spki_sha256(), authority)).map_or(&[], Vec::as_slice)
    }

    /// The certificate of a CA.
    pub fn certificate(&self, authority: Authority) -> &Certificate {
        self.certificates.get(&authority).expect("every CA was made")
    }
}
