//! Replaces the certificates of mail servers under DANE without stranding a sender.

pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod keys;
pub mod name;
pub mod pki;
pub mod policy;
pub mod ports;
pub mod rollover;
mod table;
pub mod time;
pub mod tlsa;
