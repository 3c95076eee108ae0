//! TLSA records: what they assert, where they live, and which chains they validate.
//!
//! Read in this order: [`record`] (one record and its parameters), [`owner`] (the name it lives
//! at), [`rrset`] (all records there, with one TTL), [`validation`] (whether a chain is accepted by
//! a client that holds such an RRset). Nothing here asks the DNS.

mod memo;
pub mod owner;
mod path;
pub mod presentation;
pub mod record;
pub mod rrset;
pub mod validation;

pub use owner::TlsaOwner;
pub use path::PathError;
pub use record::{Association, MatchingType, Parameters, Record, Selector, Unusable, Usage};
pub use rrset::TlsaRrset;
pub use validation::{Fit, Matched, Verdict, fit, fit_for, judge};
