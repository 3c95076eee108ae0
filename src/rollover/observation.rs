//! What was seen of a host in one look: RRsets per authoritative server, chains per listener.
//!
//! An observation is typed by trust. An answer that DNSSEC did not validate is not an RRset with a
//! flag, and silence is not consent: nothing is ever concluded from either.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::name::DnsName;
use crate::pki::{Certificate, Chain, KeyFamily, KeyType};
use crate::time::Moment;
use crate::tlsa::{TlsaOwner, TlsaRrset};

/// All that was seen of a host in one look.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When the look was over. What was not seen in it was gone by then.
    pub at: Moment,
    /// Per TLSA owner of the host, what its zone's servers answered.
    pub owners: BTreeMap<TlsaOwner, OwnerSight>,
    /// Per listener of the host, what it presented.
    pub listeners: BTreeMap<Listener, Sight>,
    /// What the server's files held, where the deployer could read them.
    pub installed: Vec<Installed>,
}

/// A credential found where the server reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installed {
    /// The key's type.
    pub key_type: KeyType,
    /// The chain.
    pub chain: Chain,
    /// The certificate in it that DANE-TA(2) would name.
    pub anchor: Option<Certificate>,
}

/// What was seen of one TLSA owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OwnerSight {
    /// The zone and its servers are known, and each was asked.
    Seen(OwnerAnswers),
    /// It could not even be found out whom to ask: no server of the zone can be told from
    /// another, so all that was served may still be.
    Unknown {
        /// What failed, with the name and the server asked.
        reason: String,
    },
    /// The zone is provably not signed: DANE is out of the question there (RFC 7672, section 2.2.2).
    Unsigned {
        /// The zone or delegation at which the chain of trust ends.
        zone: DnsName,
    },
}

/// The answers of all servers for one TLSA owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnerAnswers {
    /// The zone that holds the RRset: that of the last alias's target.
    pub zone: DnsName,
    /// The name that the RRset lives at, after all aliases; the owner itself without one.
    pub target: DnsName,
    /// Per address of each authoritative server that counts, its answer.
    pub answers: BTreeMap<ServerAddress, Answer>,
    /// Per server, the serial number of its copy of the zone, asked for before its answer: what it
    /// answered is of this copy or of a later one. A server that did not say is not in it.
    pub serials: BTreeMap<ServerAddress, Serial>,
    /// What the server that takes updates holds, or why that is not known; the base of each change.
    pub at_primary: Result<TlsaRrset, Unreadable>,
}

/// Why it is not known what the server that takes updates holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unreadable {
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether somebody has to do something: it will not pass by itself.
    pub needs_operator: bool,
}

/// One address of one authoritative server.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServerAddress {
    /// The server's name, from the NS records of the zone or of the zone above.
    pub name: DnsName,
    /// The address that was asked, on port 53 unless a test says otherwise; the unspecified one where
    /// none is known.
    pub address: IpAddr,
}

impl ServerAddress {
    /// A server that cannot be asked, since no address of it is known.
    pub fn unknown(name: &DnsName) -> Self {
        Self { name: name.clone(), address: Ipv4Addr::UNSPECIFIED.into() }
    }
}

/// The serial number of a copy of a zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Serial(pub u32);

impl Serial {
    /// Whether this copy is a later one than `other`, in the arithmetic of [RFC 1982, section 3.2].
    ///
    /// [RFC 1982, section 3.2]: https://www.rfc-editor.org/rfc/rfc1982#section-3.2
    pub fn follows(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        0 < ahead && ahead < 1 << 31
    }
}

/// Written as operators know it: `ns2.example.nl (192.0.2.2)`.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.is_unspecified() {
            true => write!(f, "{}", self.name),
            false => write!(f, "{} ({})", self.name, self.address),
        }
    }
}

/// What one authoritative server answered for a TLSA owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A validated RRset, or (without records) a validated denial. Its TTL is the largest of those
    /// answered and signed along the aliases.
    Secure(TlsaRrset),
    /// A validated RRset that a wildcard stands behind: it answers for other names as well, and
    /// must not be half-overridden.
    Wildcard(TlsaRrset),
    /// An answer that cannot be relied on: not signed, or its signature does not validate.
    Untrusted {
        /// What is wrong with it.
        reason: String,
    },
    /// No usable answer.
    Silent {
        /// What happened instead: a time-out, an rcode.
        reason: String,
    },
}

impl Answer {
    /// The RRset, where the answer can be relied on.
    pub fn rrset(&self) -> Option<&TlsaRrset> {
        match self {
            Self::Secure(rrset) | Self::Wildcard(rrset) => Some(rrset),
            Self::Untrusted { .. } | Self::Silent { .. } => None,
        }
    }
}

/// One place at which a host presents chains.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Listener {
    /// The TLSA owner that speaks for it: its base domain is the name asked for (SNI).
    pub owner: TlsaOwner,
    /// Address and port that were connected to.
    pub address: SocketAddr,
    /// The family of signatures that was offered.
    pub family: KeyFamily,
}

/// What a listener did when it was asked for TLS, over several connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sight {
    /// It presented these chains: with the base domain as SNI and without, on each connection.
    Presented(BTreeSet<PresentedChain>),
    /// It speaks TLS, and has no certificate of this family.
    NotOffered,
    /// It answers, but offers no TLS.
    NoTls {
        /// What it said.
        reason: String,
    },
    /// It cannot be said what it presents.
    Silent {
        /// What happened: a time-out, a refused connection, bytes before TLS.
        reason: String,
    },
}

/// A chain with an order, so that sets of them look the same each time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PresentedChain(pub Chain);

impl Ord for PresentedChain {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id().cmp(&other.0.id())
    }
}

impl PartialOrd for PresentedChain {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
