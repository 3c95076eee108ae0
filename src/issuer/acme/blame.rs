//! Whose failing it is that an order came to nothing: where it is the CA's, another CA may take its place.
//!
//! A CA that does not find a proof, or that a CAA record forbids to issue, is right; and what fails on this
//! machine or in the DNS would fail with every other CA as well.

use super::failure::{Cause, Failure, kind};
use super::http::HttpFailure;
use crate::issuer::verify::ChainFault;
use crate::ports::Blame;

impl Failure {
    /// Whose failing it is.
    pub(super) fn blame(&self) -> Blame {
        match &self.cause {
            Cause::Http(failure) => match &**failure {
                HttpFailure::Problem { problem, .. } => blame_of(kind(problem)),
                HttpFailure::Unreachable { .. }
                | HttpFailure::Untrusted { .. }
                | HttpFailure::TimedOut { .. }
                | HttpFailure::Foreign { .. } => Blame::Issuer,
            },
            Cause::Challenge { kind, .. } | Cause::OrderInvalid { kind, .. } => match kind.as_str()
            {
                "" | "unauthorized" => Blame::Surroundings,
                kind => blame_of(kind),
            },
            Cause::Garbled(_)
            | Cause::NoChallenge { .. }
            | Cause::NoProfile { .. }
            | Cause::Undecided(_)
            | Cause::Unsettled(_) => Blame::Issuer,
            Cause::Chain(ChainFault::NotYetValid { .. } | ChainFault::Expired { .. }) => {
                Blame::Surroundings
            }
            Cause::Chain(_) => Blame::Issuer,
            Cause::NotEverywhere { .. }
            | Cause::Listen { .. }
            | Cause::Webroot(_)
            | Cause::NoRoot { .. }
            | Cause::Publish(_)
            | Cause::Lookup(_)
            | Cause::Orders(_)
            | Cause::Secret(_)
            | Cause::Key(_)
            | Cause::File { .. }
            | Cause::Roots(_)
            | Cause::OtherOrder { .. } => Blame::Surroundings,
        }
    }
}

/// Whose failing an ACME problem is.
fn blame_of(kind: &str) -> Blame {
    match kind {
        "caa" | "connection" | "dns" | "incorrectResponse" | "tls" => Blame::Surroundings,
        _ => Blame::Issuer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose failing a cause is.
    fn blame(cause: Cause) -> Blame {
        Failure::of::<Cause>("issue")(cause).blame()
    }

    #[test]
    fn a_ca_that_is_right_is_not_to_blame() {
        for (kind, expected) in [
            ("caa", Blame::Surroundings),
            ("dns", Blame::Surroundings),
            ("unauthorized", Blame::Surroundings),
            ("", Blame::Surroundings),
            ("serverInternal", Blame::Issuer),
            ("rateLimited", Blame::Issuer),
        ] {
            let (reason, kind) = ("no".to_owned(), kind.to_owned());
            let name = "mail.example.nl".to_owned();
            let of_order = Cause::OrderInvalid { reason: reason.clone(), kind: kind.clone() };
            assert_eq!(blame(of_order), expected, "{kind}");
            assert_eq!(blame(Cause::Challenge { name, reason, kind }), expected);
        }
        assert_eq!(blame(Cause::Chain(ChainFault::Alone)), Blame::Issuer);
        assert_eq!(blame(Cause::Key("broken".to_owned())), Blame::Surroundings);
    }
}
