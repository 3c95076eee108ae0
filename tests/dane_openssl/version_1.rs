//! Certificates of version 1, which have no extensions: old roots, and what `openssl x509 -req` makes.
//!
//! rcgen makes none, so those that it made are stripped and signed again.

use rcgen::{CertificateParams, DnType, KeyPair, SigningKey as _};

use crate::BASE;
use crate::shapes::{Shape, World, shape};
use crate::support::{key, self_signed, server, signed};

/// Chains with such a certificate in each place.
pub(crate) fn shapes(world: &World) -> Vec<Shape> {
    let named = |name: &str| {
        let mut params = server(&[name]);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let server_key = key();
    let (intermediate, intermediate_key, by_root) = &world.intermediate;
    let (root_params, root_key, root) = &world.root;
    let by = |params: &CertificateParams, issuer: (&CertificateParams, &KeyPair)| {
        signed(params, &server_key, issuer)
    };
    let leaf = by(&named(BASE), (intermediate, intermediate_key));
    let other = by(&named("mx.example.org"), (intermediate, intermediate_key));
    let direct = by(&named(BASE), (root_params, root_key));
    let own = self_signed(&named(BASE), &server_key);
    let (old_leaf, old_other) =
        (version_1(&leaf, intermediate_key), version_1(&other, intermediate_key));
    let (old_direct, old_own) = (version_1(&direct, root_key), version_1(&own, &server_key));
    let (old_by_root, old_root) = (version_1(by_root, root_key), version_1(root, root_key));
    let chains: [(&str, &[&Vec<u8>]); 9] = [
        ("version 1: server", &[&old_leaf, by_root, root]),
        ("version 1: server of another name", &[&old_other, by_root, root]),
        ("version 1: intermediate", &[&leaf, &old_by_root, root]),
        ("version 1: root", &[&leaf, by_root, &old_root]),
        ("version 1: root before its later self", &[&leaf, by_root, &old_root, root]),
        ("version 1: all", &[&old_leaf, &old_by_root, &old_root]),
        ("version 1: root over a server", &[&direct, &old_root]),
        ("version 1: root and server", &[&old_direct, &old_root]),
        ("version 1: self-signed", &[&old_own]),
    ];
    chains
        .into_iter()
        .map(|(name, chain)| shape(name, chain.iter().copied().cloned().collect(), &server_key))
        .collect()
}

/// A certificate without its version and its extensions, signed again.
fn version_1(der: &[u8], issuer: &KeyPair) -> Vec<u8> {
    let whole = elements(content(der));
    let fields = elements(content(whole[0]));
    // Of the fields to be signed [0] is the version, and [3] has the extensions.
    let kept: Vec<&[u8]> = fields.into_iter().filter(|f| f[0] != 0xa0 && f[0] != 0xa3).collect();
    let signed = tagged(0x30, &kept.concat());
    let signature = issuer.sign(&signed).unwrap();
    let bits = tagged(0x03, &[&[0], &signature[..]].concat());
    tagged(0x30, &[&signed[..], whole[1], &bits].concat())
}

/// How many octets an element has before its content, and in it.
fn lengths(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let end = 2 + usize::from(long & 0x7f);
            (end, der[2..end].iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
        }
    }
}

/// An element's content.
fn content(der: &[u8]) -> &[u8] {
    let (before, length) = lengths(der);
    &der[before..before + length]
}

/// The elements one after the other.
fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (before, length) = lengths(der);
        let (element, rest) = der.split_at(before + length);
        found.push(element);
        der = rest;
    }
    found
}

/// An element of up to 65,535 octets.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let before = match length {
        [0, short @ 0..=0x7f] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [&before[..], content].concat()
}
