//! The name at which a service's TLSA RRset lives: `_25._tcp.mail.example.nl.`

use std::fmt;

use crate::name::{DnsName, NameError};

/// The owner of a TLSA RRset: a TCP port of a base domain ([RFC 6698, section 3]).
///
/// [RFC 6698, section 3]: https://www.rfc-editor.org/rfc/rfc6698#section-3
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TlsaOwner {
    /// The TLSA base domain: for SMTP, the MX host.
    base: DnsName,
    /// The port of the service.
    port: u16,
    /// `_PORT._tcp.BASE`, known to be a name.
    name: DnsName,
}

impl TlsaOwner {
    /// The owner for `port` of `base`.
    ///
    /// # Errors
    ///
    /// Where the base domain is so long that the owner would not be a name.
    pub fn new(base: DnsName, port: u16) -> Result<Self, NameError> {
        let name = format!("_{port}._tcp.{}", base.as_str()).parse()?;
        Ok(Self { base, port, name })
    }

    /// The TLSA base domain.
    pub fn base(&self) -> &DnsName {
        &self.base
    }

    /// The port of the service.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The owner as a DNS name.
    pub fn name(&self) -> &DnsName {
        &self.name
    }
}

/// Written as in a zone file, with the final dot.
impl fmt::Display for TlsaOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name.absolute())
    }
}
