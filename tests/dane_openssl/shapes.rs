//! Chains that servers may send: in order and in disorder, of certificates of all kinds.

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};

use crate::support::{ca, expired, key, self_signed, server, signed};
use crate::{BASE, version_1};

/// Chains that a server may send, each with the key of its first certificate.
pub(crate) struct Shape {
    /// What is special about it.
    pub(crate) name: String,
    /// What is sent.
    pub(crate) chain: Vec<Vec<u8>>,
    /// The server's key.
    pub(crate) key: Vec<u8>,
}

/// A small world of CAs.
pub(crate) struct World {
    /// The first root.
    pub(crate) root: (CertificateParams, KeyPair, Vec<u8>),
    /// Another root.
    pub(crate) other_root: (CertificateParams, KeyPair, Vec<u8>),
    /// A CA under the first root.
    pub(crate) intermediate: (CertificateParams, KeyPair, Vec<u8>),
    /// The same CA under the other root.
    pub(crate) crossed: Vec<u8>,
    /// A CA of the same name with another key, under the first root.
    pub(crate) namesake: Vec<u8>,
}

impl World {
    /// A new one.
    pub(crate) fn new() -> Self {
        let root = authority("Root");
        let other_root = authority("Other Root");
        let (params, intermediate_key) = (ca("Intermediate"), key());
        let by_root = signed(&params, &intermediate_key, (&root.0, &root.1));
        let crossed = signed(&params, &intermediate_key, (&other_root.0, &other_root.1));
        let namesake = signed(&ca("Intermediate"), &key(), (&root.0, &root.1));
        Self {
            root,
            other_root,
            intermediate: (params, intermediate_key, by_root),
            crossed,
            namesake,
        }
    }

    /// The usual chain with another server's certificate.
    fn with_server(&self, name: &str, params: &CertificateParams) -> Shape {
        let server_key = key();
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let leaf = signed(params, &server_key, issuer);
        let chain = vec![leaf, self.intermediate.2.clone(), self.root.2.clone()];
        shape(name, chain, &server_key)
    }

    /// The usual chain with another intermediate CA.
    fn with_intermediate(&self, name: &str, params: &CertificateParams) -> Shape {
        let (server_key, intermediate_key) = (key(), key());
        let by_root = signed(params, &intermediate_key, (&self.root.0, &self.root.1));
        let leaf = signed(&server(&[BASE]), &server_key, (params, &intermediate_key));
        shape(name, vec![leaf, by_root, self.root.2.clone()], &server_key)
    }

    /// The usual chain with another root.
    fn with_root(&self, name: &str, params: &CertificateParams) -> Shape {
        let (server_key, root_key) = (key(), key());
        let root = self_signed(params, &root_key);
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let by_root = signed(issuer.0, issuer.1, (params, &root_key));
        let leaf = signed(&server(&[BASE]), &server_key, issuer);
        shape(name, vec![leaf, by_root, root], &server_key)
    }

    /// What may be sent with an ordinary server's certificate: in order, in disorder, in part.
    pub(crate) fn arrangements(&self) -> Vec<Shape> {
        let server_key = key();
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let leaf = signed(&server(&[BASE]), &server_key, issuer);
        let (by_root, root) = (&self.intermediate.2, &self.root.2);
        let (crossed, other_root) = (&self.crossed, &self.other_root.2);
        let arrangements: [(&str, Vec<&Vec<u8>>); 12] = [
            ("full", vec![by_root, root]),
            ("root not sent", vec![by_root]),
            ("leaf only", vec![]),
            ("intermediate not sent", vec![root]),
            ("out of order", vec![root, by_root]),
            ("sent twice", vec![by_root, by_root, root]),
            ("stranger sent", vec![by_root, other_root, root]),
            ("crossed", vec![crossed, other_root]),
            ("crossed first", vec![crossed, by_root, root]),
            ("crossed last", vec![by_root, crossed, other_root]),
            ("namesake first", vec![&self.namesake, by_root, root]),
            ("namesake last", vec![by_root, &self.namesake, root]),
        ];
        arrangements
            .into_iter()
            .map(|(name, above)| {
                let chain = std::iter::once(&leaf).chain(above).cloned().collect();
                shape(name, chain, &server_key)
            })
            .collect()
    }

    /// Server's certificates of all kinds.
    pub(crate) fn servers(&self) -> Vec<Shape> {
        let plain = || server(&[BASE]);
        let mut not_yet = plain();
        not_yet.not_before = date_time_ymd(2026, 7, 1);
        let common_name = |name: &str, alternative: &[&str]| {
            let mut params = server(alternative);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut address = common_name(BASE, &[]);
        let loopback = std::net::IpAddr::from([127, 0, 0, 1]);
        address.subject_alt_names = vec![SanType::IpAddress(loopback)];
        let usage = |usage| {
            let mut params = plain();
            params.key_usages = vec![usage];
            params
        };
        let extended = |usages: &[ExtendedKeyUsagePurpose]| {
            let mut params = plain();
            params.extended_key_usages = usages.to_vec();
            params
        };
        let mut authority = plain();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut bare = plain();
        (bare.key_usages, bare.extended_key_usages) = (vec![], vec![]);
        bare.is_ca = IsCa::NoCa;
        let cases = [
            ("leaf expired", expired(plain())),
            ("leaf not yet valid", not_yet),
            ("other name", server(&["mx.example.org"])),
            ("two names", server(&["mx.example.org", BASE])),
            ("upper case", server(&["MAIL.Example.NL"])),
            ("wildcard", server(&["*.example.nl"])),
            ("wildcard one up", server(&["*.nl"])),
            ("wildcard too deep", server(&["*.mail.example.nl"])),
            ("wildcard in part", server(&["m*.example.nl"])),
            ("common name alone", common_name(BASE, &[])),
            ("common name wildcard", common_name("*.example.nl", &[])),
            ("common name other", common_name("mx.example.org", &[])),
            ("common name beside", common_name(BASE, &["mx.example.org"])),
            ("common name and address", address),
            ("no name", server(&[])),
            ("key encipherment", usage(KeyUsagePurpose::KeyEncipherment)),
            ("certificate signing", usage(KeyUsagePurpose::KeyCertSign)),
            ("client alone", extended(&[ExtendedKeyUsagePurpose::ClientAuth])),
            ("any extended usage", extended(&[ExtendedKeyUsagePurpose::Any])),
            ("server is a CA", authority),
            ("no extensions", bare),
        ];
        cases.into_iter().map(|(name, params)| self.with_server(name, &params)).collect()
    }

    /// CAs of all kinds, as intermediate and as root.
    fn authorities(&self) -> Vec<Shape> {
        let edit = |name: &str, edit: &Edit| {
            let mut params = ca(name);
            edit(&mut params);
            params
        };
        let mut shapes = Vec::new();
        for (special, change) in special_authorities() {
            let intermediate = edit("Special Intermediate", &change);
            let name = format!("intermediate {special}");
            shapes.push(self.with_intermediate(&name, &intermediate));
            let root = edit("Special Root", &change);
            shapes.push(self.with_root(&format!("root {special}"), &root));
        }
        shapes
    }

    /// What fits nowhere else.
    pub(crate) fn oddities(&self) -> Vec<Shape> {
        let server_key = key();
        let plain = server(&[BASE]);
        let mut own_authority = plain.clone();
        own_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut nothing = plain.clone();
        nothing.is_ca = IsCa::NoCa;
        let mut signs = plain.clone();
        signs.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let forged = signed(&plain, &server_key, (&self.intermediate.0, &key()));
        let root = (&self.root.0, &self.root.1);
        let direct = signed(&plain, &server_key, root);
        let itself = |params| self_signed(params, &server_key);
        let twice = vec![itself(&plain), itself(&plain)];
        let mut no_identifiers = plain.clone();
        no_identifiers.use_authority_key_identifier_extension = false;
        let issuer = (&self.intermediate.0, &self.intermediate.1);
        let unidentified = signed(&no_identifiers, &server_key, issuer);
        let (by_root, root) = (self.intermediate.2.clone(), self.root.2.clone());
        let namesake_first =
            vec![unidentified, self.namesake.clone(), by_root.clone(), root.clone()];
        [
            ("forged", vec![forged, by_root, root.clone()]),
            ("under the root", vec![direct, root.clone()]),
            ("self-signed", vec![itself(&plain)]),
            ("self-signed twice", twice),
            ("self-signed CA", vec![itself(&own_authority)]),
            ("self-signed without constraints", vec![itself(&nothing)]),
            ("self-signed signing", vec![itself(&signs)]),
            ("self-signed beside a root", vec![itself(&plain), root]),
            ("namesake first, unidentified", namesake_first),
        ]
        .into_iter()
        .map(|(name, chain)| shape(name, chain, &server_key))
        .collect()
    }

    /// Every chain.
    pub(crate) fn shapes(&self) -> Vec<Shape> {
        let mut shapes = self.arrangements();
        shapes.extend(self.servers());
        shapes.extend(self.authorities());
        shapes.extend(self.oddities());
        shapes.extend(version_1::shapes(self));
        shapes
    }
}

/// What makes a CA special.
type Edit = Box<dyn Fn(&mut CertificateParams)>;

/// What may be special about a CA, and how it becomes so.
fn special_authorities() -> Vec<(&'static str, Edit)> {
    let is_ca = |is_ca: IsCa| -> Edit { Box::new(move |params| params.is_ca = is_ca) };
    let depth = |depth| is_ca(IsCa::Ca(BasicConstraints::Constrained(depth)));
    let usages = |usages: &'static [KeyUsagePurpose]| -> Edit {
        Box::new(move |params| params.key_usages = usages.to_vec())
    };
    let purpose = |purpose: ExtendedKeyUsagePurpose| -> Edit {
        Box::new(move |params| params.extended_key_usages = vec![purpose.clone()])
    };
    let names = |permitted: &[&str], excluded: Vec<GeneralSubtree>| -> Edit {
        let permitted = permitted.iter().map(|name| GeneralSubtree::DnsName((*name).to_owned()));
        let constraints = NameConstraints {
            permitted_subtrees: permitted.collect(),
            excluded_subtrees: excluded,
        };
        Box::new(move |params| params.name_constraints = Some(constraints.clone()))
    };
    let excluded_name = GeneralSubtree::DnsName("example.nl".to_owned());
    let loopback = CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0]);
    let not_yet = date_time_ymd(2026, 7, 1);
    vec![
        ("expired", Box::new(|params| *params = expired(params.clone()))),
        ("not yet valid", Box::new(move |params| params.not_before = not_yet)),
        ("without CA flag", is_ca(IsCa::ExplicitNoCa)),
        ("without constraints", is_ca(IsCa::NoCa)),
        ("with depth 0", depth(0)),
        ("with depth 1", depth(1)),
        ("not for signing", usages(&[KeyUsagePurpose::DigitalSignature])),
        ("without key usage", usages(&[])),
        ("for clients", purpose(ExtendedKeyUsagePurpose::ClientAuth)),
        ("for servers", purpose(ExtendedKeyUsagePurpose::ServerAuth)),
        ("for any use", purpose(ExtendedKeyUsagePurpose::Any)),
        ("for the name", names(&["example.nl"], vec![])),
        ("for another name", names(&["example.org"], vec![])),
        ("not for the name", names(&[], vec![excluded_name])),
        ("not for addresses", names(&[], vec![GeneralSubtree::IpAddress(loopback)])),
    ]
}

/// A self-signed CA of this name.
fn authority(name: &str) -> (CertificateParams, KeyPair, Vec<u8>) {
    let (params, key) = (ca(name), key());
    let certificate = self_signed(&params, &key);
    (params, key, certificate)
}

/// A shape with this server's key.
pub(crate) fn shape(name: &str, chain: Vec<Vec<u8>>, key: &KeyPair) -> Shape {
    Shape { name: name.to_owned(), chain, key: key.serialize_der() }
}
