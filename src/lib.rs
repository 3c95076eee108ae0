//! Replaces the certificates of mail servers under DANE without stranding a sender.

pub mod clock;
pub mod command;
pub mod config;
pub mod deploy;
pub mod diagnostic;
pub mod dns;
pub mod durable;
pub mod issuer;
pub mod keys;
pub mod ledger;
pub mod name;
pub mod pass;
pub mod pki;
pub mod policy;
pub mod ports;
pub mod probe;
pub mod rollover;
pub mod secret;
mod table;
pub mod time;
pub mod tlsa;
