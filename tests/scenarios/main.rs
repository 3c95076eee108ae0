//! What an operator relies on, on real daemons, with a judge sending all the while.
//!
//! Each test has a world of its own ([`lab`]); they run side by side. The judge is OpenSSL's own DANE
//! verification on what real and simulated caches hold (`lab/judge.py`).

#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::disallowed_methods, reason = "tests start processes, wait, and write files")]
#![allow(clippy::print_stdout, reason = "a test says how much it tried")]

#[path = "../lab/mod.rs"]
mod lab;

#[allow(clippy::unwrap_used, reason = "what a test cannot do without may panic")]
#[path = "../issuer_pebble/front.rs"]
mod front;

mod acme;
mod ca_change;
mod commands;
mod crash_points;
mod delegation;
mod emergency;
mod entry;
mod exec;
mod faults;
mod ground;
mod init;
mod killed;
mod moods;
mod moody;
mod notices;
mod plugin;
mod primaries;
mod reload;
mod renewal;
mod services;
mod shapes;
mod ssh;
mod stage;
mod tsig;
mod zones;
