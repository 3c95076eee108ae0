//! Every kind of finding: its name for machines, what it means for mail, where that is written, and
//! what to do about it.
//!
//! One table, so that it can be read as a whole and translated as a whole; `docs/check.md` has the
//! names in the same order. Names are part of the JSON format: they are only ever added.

/// Declares the kinds of finding and their entries in one go, so that none is without.
macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident $name:literal [$reference:literal] $meaning:literal; $remedy:literal.)*) => {
        /// A kind of finding.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl Entry {
            /// What the catalogue says of a kind.
            pub(super) fn of(code: Code) -> Self {
                match code {
                    $(Code::$variant => Self {
                        meaning: $meaning,
                        reference: $reference,
                        remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

/// What the catalogue says of a kind of finding.
pub(super) struct Entry {
    /// What it means for mail.
    pub(super) meaning: &'static str,
    /// Where it is written.
    pub(super) reference: &'static str,
    /// What to do.
    pub(super) remedy: &'static str,
}

catalogue! {
    /// A name that no mail domain can have.
    NameInvalid "name-invalid" ["RFC 5321, section 2.3.5"]
        "nothing could be looked at";
        "correct the name".
    /// The domain does not exist.
    DomainMissing "domain-missing" ["RFC 5321, section 5.1"]
        "all mail to it bounces";
        "correct the name, or register and delegate the domain".
    /// The MX records.
    MxFound "mx-found" ["RFC 5321, section 5.1"]
        "mail goes to these servers";
        "nothing".
    /// No MX record, and the domain's own address serves.
    MxImplicit "mx-implicit" ["RFC 5321, section 5.1"]
        "mail goes to the domain's own address";
        "nothing".
    /// A null MX.
    MxNull "mx-null" ["RFC 7505, section 3"]
        "the domain accepts no mail";
        "nothing".
    /// A null MX beside others.
    MxNullMixed "mx-null-mixed" ["RFC 7505, section 3"]
        "some senders bounce the mail, others deliver it";
        "remove the null MX `0 .`, or all the others".
    /// An MX record names an alias.
    MxAlias "mx-alias" ["RFC 5321, section 5.1; RFC 7672, section 2.2.2"]
        "senders look for TLSA records at what the alias leads to, or at the alias, or refuse it";
        "let the MX record name the host itself".
    /// An MX record names something that is no host's name.
    MxNoHost "mx-no-host" ["RFC 5321, section 5.1"]
        "no sender can deliver by this record";
        "let the MX record name a host that has an address, never an address".
    /// A mail host without an address.
    NoAddress "no-address" ["RFC 5321, section 5.1"]
        "no sender can deliver to this host";
        "publish its A or AAAA record, or remove the MX record".
    /// Something could not be looked up.
    LookupFailed "lookup-failed" ["RFC 7672, section 2.1.2"]
        "if senders cannot look it up either, they keep the mail and try again, for days";
        "see that the resolver and the zone's name servers answer; `--resolver` asks another one".
    /// A zone is signed, and validates.
    ZoneSigned "zone-signed" ["RFC 7672, section 2.2"]
        "what senders look up cannot be forged";
        "nothing".
    /// The mail domain's zone is not signed.
    ZoneUnsigned "zone-unsigned" ["RFC 7672, section 2.2.1"]
        "whoever can forge its MX records gets the mail, whatever the mail servers do";
        "sign the zone, and publish its DS record through the registrar".
    /// A mail server's zone is not signed.
    ServerUnsigned "server-zone-unsigned" ["RFC 7672, section 2.2.2"]
        "senders do not even ask for TLSA records: DANE protects nothing there";
        "sign the zone, and publish its DS record through the registrar".
    /// TLSA records in a zone that is not signed.
    TlsaUnsigned "tlsa-in-unsigned-zone" ["RFC 7672, section 2.2.2"]
        "no sender uses them";
        "sign the zone and publish its DS record, or remove the records".
    /// Signatures do not validate.
    Bogus "dnssec-bogus" ["RFC 7672, section 2.1.1; RFC 4035, section 5.5"]
        "senders that validate get no answer: they keep the mail, and bounce it after days";
        "sign the zone anew, or correct its DS record; until that is done, remove the DS record".
    /// No TLSA records.
    TlsaAbsent "tlsa-absent" ["RFC 7672, section 2.2"]
        "senders use TLS without looking whose certificate it is, and no TLS where none is offered";
        "publish `3 1 1` and `2 1 1` for this server: `rollover tlsa`, or let rollover look after it".
    /// TLSA records, the same everywhere.
    TlsaSame "tlsa-same" ["RFC 7672, section 2.2"]
        "every sender gets the same records";
        "nothing".
    /// Name servers have different TLSA records.
    TlsaDiffers "tlsa-differs" ["RFC 7671, section 8.1"]
        "which records a sender gets depends on the name server asked, for a TTL and longer";
        "see that every secondary has the primary's serial; change no certificate before".
    /// A name server's answer does not validate.
    TlsaUntrusted "tlsa-untrusted" ["RFC 7672, section 2.1.1"]
        "senders whose resolver asks this server keep the mail";
        "see that this server has the zone as it was signed last, and that it was signed again in time".
    /// A name server does not answer.
    NameServerSilent "name-server-silent" ["RFC 2182, section 3"]
        "what it serves is not known; while it is silent, senders ask the others";
        "see that it runs and answers on port 53, UDP and TCP; `-4` leaves IPv6 out".
    /// A name server that answers, and has no answer.
    NameServerLame "name-server-lame" ["RFC 7672, section 2.1.2"]
        "senders whose resolver gets no other answer keep the mail; most ask another name server";
        "let this server serve the zone, answer TLSA queries, and transfer the zone in time; or take \
         it out of the zone's NS records, here and in the parent".
    /// A wildcard gives the TLSA records.
    TlsaWildcard "tlsa-wildcard" ["RFC 4592, section 2.1"]
        "the same records stand for other names and ports, and change for all of them at once";
        "publish records at this owner itself".
    /// A TLSA record that mail servers make no use of.
    TlsaUnusable "tlsa-unusable" ["RFC 7672, section 3.1"]
        "senders leave the record out; where it is the only kind, they do not authenticate the server, \
         or do not deliver";
        "replace it by `3 1 1` and `2 1 1` (`rollover tlsa`)".
    /// A record of the server's whole certificate.
    TlsaWholeCertificate "tlsa-whole-certificate" ["RFC 7671, section 5.1"]
        "each renewal changes what it must say, even where the key stays: one that is forgotten stops \
         the mail";
        "replace it by `3 1 1`, which names the key".
    /// A record that carries a whole certificate or key.
    TlsaFullData "tlsa-full-data" ["RFC 7671, section 10.1"]
        "large answers are cut off or lost on the way, and the mail waits";
        "replace it by its SHA2-256 form: matching type 1".
    /// SHA2-512 without SHA2-256.
    TlsaSha512Alone "tlsa-sha512-alone" ["RFC 7672, section 3.1; RFC 6698, section 6"]
        "senders that do not know SHA2-512 see no usable record";
        "publish the same with matching type 1 (SHA2-256) as well, or instead".
    /// More records than some senders take.
    TlsaTooMany "tlsa-too-many" ["RFC 7671, section 10.1"]
        "a large sender fails beyond 12 records";
        "remove those that fit nothing any more".
    /// A TTL of more than a day.
    TlsaTtlLong "tlsa-ttl-long" ["RFC 7671, section 13"]
        "after an emergency, senders hold the old records for that long";
        "publish the records with a TTL of an hour".
    /// A signature that ends soon.
    SignatureSoon "signature-soon" ["RFC 7671, section 13; RFC 6781, section 4.4.2"]
        "when it ends, senders that validate keep the mail";
        "see that the zone is signed again: BIND `rndc signing`, or the signer's log".
    /// An alias at the TLSA owner.
    TlsaAlias "tlsa-alias" ["RFC 7671, section 7"]
        "senders follow it";
        "nothing".
    /// STARTTLS works.
    StartTls "starttls" ["RFC 3207, section 4"]
        "senders that ask for TLS get it";
        "nothing".
    /// No STARTTLS.
    StartTlsMissing "starttls-missing" ["RFC 7672, section 2.2"]
        "senders that know of TLSA records do not deliver here; others deliver in the clear";
        "offer STARTTLS (Postfix: smtpd_tls_security_level = may, and a certificate); else remove the \
         TLSA records".
    /// STARTTLS is offered, and fails.
    StartTlsFails "starttls-fails" ["RFC 7672, section 2.2"]
        "senders that know of TLSA records do not deliver here; others deliver in the clear or not at \
         all";
        "see the mail server's log: key and certificate that do not belong together, files that it \
         cannot read, or TLS below 1.2".
    /// A listener that cannot be looked at.
    ListenerSilent "listener-silent" ["RFC 7672, section 2.2"]
        "what senders are shown there is not known; where they get no answer either, they try the \
         next address";
        "see that the server runs and lets this machine connect to it; many networks block port 25; \
         `-4` leaves IPv6 out".
    /// Some clients without SNI get no fitting certificate.
    SniNeeded "sni-needed" ["RFC 7672, section 8.1"]
        "senders that send no SNI do not deliver";
        "present a certificate that the records fit to clients without SNI as well".
    /// Every kind of record fits.
    FitsAll "fits-all" ["RFC 7671, section 8; NCSC factsheet"]
        "every sender that uses DANE delivers, and one record may fail";
        "nothing".
    /// Some record fits, and some kind of record does not.
    FitsSome "fits-some" ["NCSC factsheet; RFC 7671, section 8"]
        "mail is still delivered, by what is left; some senders want every kind to fit, and when \
         that fails too, the mail stops";
        "publish the record that the certificate in service asks for, or put the one back that the \
         records are of: `rollover tlsa` prints them".
    /// One record, which fits.
    FitsSingle "fits-single" ["NCSC factsheet"]
        "mail is delivered; there is no second record to carry it when this one fails";
        "publish `2 1 1` beside `3 1 1` (or the next key's `3 1 1`): `rollover tlsa` prints them".
    /// No record fits.
    FitsNone "fits-none" ["RFC 7672, section 2.2; RFC 7671, section 8"]
        "senders that use DANE do not deliver: they keep the mail, and bounce it after hours or days";
        "put the certificate back that the records are of; or publish records for this one \
         (`rollover tlsa`), which helps after the old ones' TTL".
    /// A record, and the certificate that it fits.
    RecordFits "record-fits" ["RFC 7671, section 5"]
        "senders accept the certificate by this record";
        "nothing".
    /// A record that fits nothing.
    RecordMisfits "record-misfits" ["RFC 7671, section 8"]
        "no sender accepts the certificate by this record";
        "publish the record of what is in service instead, or put back what it is of".
    /// A record that fits nothing beside one that does.
    RecordSpare "record-spare" ["RFC 7671, section 8.1"]
        "nothing now: it may be of the next key or CA";
        "nothing".
    /// Records that fit nothing, more than a rollover needs.
    RecordLeftover "record-leftover" ["RFC 7671, section 8.4"]
        "whoever has one of the old keys can still pass for this server";
        "remove the records of keys that are out of service".
    /// The certificate's names and dates.
    Certificate "certificate" ["RFC 7672, section 3.2"]
        "senders find it in order";
        "nothing".
    /// An expired certificate.
    CertificateExpired "certificate-expired" ["RFC 7672, section 3.1.1; RFC 5280, section 4.1.2.5"]
        "`2 1 1` does not accept it any more; `3 1 1` does, but some large senders look at the date \
         all the same";
        "renew it".
    /// A certificate that is about to expire.
    CertificateSoon "certificate-expires-soon" ["RFC 7672, section 3.1.2"]
        "nothing yet: whatever renews it is late";
        "renew it: `rollover --renew --host NAME`, or see why the ACME client did not".
    /// A certificate for other names.
    CertificateNames "certificate-names" ["RFC 7672, sections 3.1.1 and 3.2.2"]
        "`2 1 1` cannot accept it, nor can MTA-STS; `3 1 1` looks at the key alone";
        "order a certificate that names this server".
    /// A chain that lacks the CA that a record may name.
    ChainIncomplete "chain-incomplete" ["RFC 7672, section 3.1.2; RFC 7671, section 5.2.2"]
        "a `2 1 1` record can only be used where the server sends the certificate that it names";
        "let the server send the whole chain, up to and with the CA that `2 1 1` names, also where \
         that is a root".
    /// All MX hosts are protected.
    CoverageAll "coverage-all" ["RFC 7672, section 2.2.1"]
        "mail to the domain is protected, whichever server takes it";
        "nothing".
    /// Some MX hosts are protected.
    CoveragePart "coverage-part" ["RFC 7672, section 2.2.1"]
        "who keeps senders from the protected servers gets the mail by the others";
        "publish TLSA records for every MX host".
    /// No MX host is protected.
    CoverageNone "coverage-none" ["RFC 7672, section 2.2.1; NCSC factsheet"]
        "whoever is on the way can read the mail, or take it";
        "sign the zones, and publish TLSA records for every MX host".
    /// Several mail hosts with one key.
    SharedKey "shared-key" ["RFC 7672, section 2.2.3"]
        "one mistake with it stops the mail at all of them at once";
        "give each server a key of its own".
    /// The mail server reads what rollover deploys.
    FilesRead "files-read" ["rollover: interface, section 5"]
        "a renewal goes live when the records fit it";
        "nothing".
    /// The mail server reads other files.
    FilesNotRead "files-not-read" ["rollover: interface, section 5"]
        "what rollover deploys is not what senders are shown, and what they are shown changes when \
         somebody else says so";
        "let the mail server read the files that rollover deploys, and reload it".
    /// The deployed file holds something else than what is presented.
    DeployedNotServed "deployed-not-served" ["rollover: interface, section 5"]
        "the mail server has not read the file, or reads another";
        "reload the mail server; then look at which files its configuration names".
    /// A resolver validates.
    ResolverValidates "resolver-validates" ["RFC 7672, section 2.1.3"]
        "mail that leaves this machine can be protected";
        "nothing".
    /// A resolver does not validate.
    ResolverDoesNot "resolver-does-not-validate" ["RFC 7672, section 2.1.3"]
        "mail that leaves this machine is not protected by DANE; with `dane-only` it stays";
        "let /etc/resolv.conf name a validating resolver on this machine (Unbound, BIND, Knot Resolver)".
    /// A resolver on another machine.
    ResolverRemote "resolver-remote" ["RFC 7672, section 2.1.3; RFC 4035, section 4.9.3"]
        "whoever is between can say that an answer was validated";
        "run a validating resolver on this machine, and let /etc/resolv.conf name it alone".
    /// A resolver that does not answer.
    ResolverSilent "resolver-silent" ["RFC 7672, section 2.1.3"]
        "mail that leaves this machine may wait";
        "see that the resolver runs, or take it out of /etc/resolv.conf".
    /// The mail server uses DANE when it sends.
    SendsWithDane "sends-with-dane" ["RFC 7672, section 2.2"]
        "mail to domains with DANE is protected";
        "nothing".
    /// The mail server does not use DANE when it sends.
    SendsWithout "sends-without-dane" ["RFC 7672, section 2.2; NCSC factsheet"]
        "mail that leaves this machine can be read or taken on the way";
        "Postfix: smtp_dns_support_level = dnssec, smtp_tls_security_level = dane".
    /// No mail server that is known here.
    NoMailServer "no-mail-server" ["RFC 7672, section 2.2"]
        "whether mail that leaves this machine is protected is not known";
        "run this where Postfix or Exim sends, as a user that may ask it for its configuration".
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_reference_names_a_section_or_our_own_page() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let reference = Entry::of(*code).reference;
            let known = ["section", "factsheet"];
            assert!(known.iter().any(|word| reference.contains(word)), "{reference}");
        }
    }

    #[test]
    fn the_manual_lists_every_kind() {
        let manual = include_str!("../../docs/check.md");
        for code in Code::ALL {
            assert!(manual.contains(&format!("`{}`", code.as_str())), "{}", code.as_str());
        }
    }
}
