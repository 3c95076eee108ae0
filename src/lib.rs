//! Replaces the certificates of mail servers under DANE without stranding a sender.
//!
//! # The promise
//!
//! A sending server holds the TLSA RRset of `_25._tcp.mail.example.nl` in its resolver's cache for up
//! to the TTL, connects, and compares it with the chain that it is shown. So two things change in
//! two places, and between them lie caches, secondaries that lag, and processes that reload one by
//! one. At every instant, whatever crashes when:
//!
//! > every RRset that some cache may hold fits every chain that some listener may present
//!
//! That is one function, [`rollover::safety::gaps`], and two gates follow from it: *may serve* a
//! chain, and *may publish* an RRset. Everything else is there to know what may be cached and what
//! may be presented, and to be right about it after a crash.
//!
//! # The drawing
//!
//! ```text
//!              observe                    decide                 record, act
//!   dns    ──┐                                                ┌── ledger (before and after)
//!   probe  ──┼──> Observation ──> HostState ──> Decision ──>──┼── issuer
//!   deploy ──┘                       ^  |                     ├── dns (update)
//!                                    └──┘ ledger              └── deploy
//!   └── edge ──┘  └──────────── rollover (pure) ─────────┘   └──────── edge ────────┘
//!                        pass: the loop around it
//! ```
//!
//! # The code, in reading order
//!
//! - [`time`], [`name`], [`pki`], [`keys`]: plain values.
//! - [`tlsa`]: records, RRsets, and whether a chain is accepted (RFC 6698, 7671, 7672).
//! - [`policy`]: what an operator requires of every rollover.
//! - [`rollover`]: the core. What was seen, what may be cached, what follows.
//! - [`ports`]: what the core needs of the world, as traits; [`pass`]: the loop that drives it.
//! - [`dns`], [`issuer`], [`deploy`], [`probe`], [`ledger`], [`clock`], [`randomness`]: the adapters.
//! - [`config`], [`diagnostic`], [`secret`]: what was written, and what it means.
//! - [`sim`]: a world in which everything goes wrong, for tests and for `rollover policy check`.
//! - [`audit`]: what is wrong with mail domains' DANE, anybody's; it changes nothing.
//! - [`hook`]: what other ACME clients say when they call, and what they bring.
//! - [`notify`]: who is told, until it has arrived.
//! - [`cli`]: the command line; it puts the adapters together.
//! - [`demo`]: a small world of its own, in which a change of CA is shown.
//!
//! Dependencies point one way, without a circle:
//!
//! ```text
//! main -> cli -> { pass, adapters } -> { ports, config } -> rollover -> policy -> tlsa -> { pki, name, time }
//! ```
//!
//! # What never happens
//!
//! - `rollover`, `policy`, `tlsa`, `pki`, `name` and `time` know no port, file, socket, clock, async,
//!   thread or hash order. They cannot fail for an outside reason.
//! - Adapters do not know each other's insides. `pass` knows no adapter, only ports.
//! - The decision never reads [`rollover::phase`], which is for people.
//! - Core types have no serialised form: only the ledger, policies, the configuration and the JSON
//!   reports do, each versioned.
//! - Only [`command`] starts processes, only [`durable`] writes private keys, only [`clock`] asks the
//!   time.
//! - hickory is named in [`dns`] alone, instant-acme in [`issuer`] alone, rustls in [`probe`] and the
//!   ACME client: their next breaking release touches one room.
//! - [`demo`] stands outside: hickory is named in its `wire.rs` alone, rustls in its mail server and
//!   senders, which share no code with what they judge. Nothing but [`cli`] knows of it.

pub mod audit;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
mod crash;
pub mod demo;
pub mod deploy;
pub mod diagnostic;
pub mod dns;
pub mod durable;
pub mod hook;
pub mod issuer;
pub mod keys;
pub mod ledger;
pub mod name;
pub mod notify;
pub mod pass;
pub mod pki;
pub mod policy;
pub mod ports;
pub mod probe;
pub mod randomness;
pub mod rollover;
pub mod secret;
pub mod sim;
mod table;
pub mod time;
pub mod tlsa;
