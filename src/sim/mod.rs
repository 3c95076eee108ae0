//! A world in which everything goes wrong, and a judge who reads only its caches and listeners.
//!
//! The real `decide`, the real [`pass`](crate::pass) and the real ledger types run in it, against
//! [`ports`] that stand for name servers, CAs, files and processes. Time is virtual. Who decides what
//! goes wrong is a [`chance::Chooser`]:
//!
//! - [`adversary`]: seeded draws, long lives. Everything in it takes time, as it does in the world.
//! - [`model`]: every choice, one after the other, to the last: an exhaustive search of a small
//!   world, as far as a given number of faults goes ([`tour`]). It is what `rollover policy check` runs.
//!
//! The judge ([`world`]) never asks what the program believes. It holds every RRset that some cache
//! could hold against every chain that some process could present, at every instant.

pub mod adversary;
pub mod chance;
mod edit;
mod fingerprint;
pub mod model;
pub mod pool;
pub mod ports;
pub mod story;
mod tour;
pub mod world;
