//! What is done with the octets that a fuzzer makes up.

pub mod bodies;
