//! TLSA records as lines of a zone file, in the forms that name servers take.

use super::record::Record;
use crate::pki::hex;

/// How a record is written in a zone file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As TYPE52 with raw octets ([RFC 3597]), for name servers that do not know TLSA.
    ///
    /// [RFC 3597]: https://www.rfc-editor.org/rfc/rfc3597#section-5
    Generic,
    /// As TLSA ([RFC 6698, section 2.2]).
    ///
    /// [RFC 6698, section 2.2]: https://www.rfc-editor.org/rfc/rfc6698#section-2.2
    Rfc,
}

/// The line for `record` at `owner`, an absolute name; no TTL, so that the zone's default counts.
pub fn zone_line(owner: &str, record: &Record, form: Form) -> String {
    match form {
        Form::Generic => {
            let Record { usage, selector, matching_type, data } = record;
            let length = data.len() + 3;
            let data = hex(data);
            format!(
                "{owner} IN TYPE52 \\# {length} {usage:02x}{selector:02x}{matching_type:02x}{data}"
            )
        }
        Form::Rfc => format!("{owner} IN TLSA {record}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let record: Record = "2 1 1 00ff".parse().unwrap();
        let owner = "_25._tcp.mail.example.nl.";
        assert_eq!(
            zone_line(owner, &record, Form::Rfc),
            "_25._tcp.mail.example.nl. IN TLSA 2 1 1 00ff"
        );
        assert_eq!(
            zone_line(owner, &record, Form::Generic),
            "_25._tcp.mail.example.nl. IN TYPE52 \\# 5 02010100ff"
        );
    }
}
