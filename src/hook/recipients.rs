//! Whose certificate it is: the hosts all of whose names it has.
//!
//! A client that renews for a whole machine calls its hook for every certificate, and most are none of
//! ours. A certificate that has some names of a host and not the others is one of these: it is said, as
//! it may be a mistake.

use crate::config::{Configuration, HostConfig};
use crate::name::DnsName;
use crate::pki::{Certificate, KeyType};

/// What a certificate is to a host that it names.
#[derive(Clone, Debug)]
pub enum Recipient<'a> {
    /// It is for this host.
    Suits(&'a HostConfig),
    /// It lacks names of the host.
    LacksNames {
        /// The host.
        host: &'a HostConfig,
        /// The names.
        names: Vec<&'a DnsName>,
    },
    /// It has the host's names, and a key of a type that the host does not have.
    OtherKeyType {
        /// The host.
        host: &'a HostConfig,
        /// The key's type.
        key_type: KeyType,
    },
}

/// What a certificate is to each host that it names at least once.
pub fn recipients<'a>(
    configuration: &'a Configuration,
    certificate: &Certificate,
    key_type: KeyType,
) -> Vec<Recipient<'a>> {
    let takes =
        |host: &HostConfig| host.key_types.contains(&key_type) || configuration.takes_any_key(host);
    let judge = |host: &'a HostConfig| {
        let lacks = host.names.iter().filter(|name| !certificate.is_valid_for(name));
        let names: Vec<&DnsName> = lacks.collect();
        match names.len() {
            0 if takes(host) => Some(Recipient::Suits(host)),
            0 => Some(Recipient::OtherKeyType { host, key_type }),
            all if all == host.names.len() => None,
            _ => Some(Recipient::LacksNames { host, names }),
        }
    };
    configuration.hosts.values().filter_map(judge).collect()
}
