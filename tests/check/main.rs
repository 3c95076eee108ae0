//! `rollover check` on real daemons: a healthy domain, and each common mistake set up for real.
//!
//! The mistakes live side by side in few worlds, each under a domain of its own, and are all found by
//! one run: starting a world costs seconds, a mistake in it next to nothing.

#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::disallowed_methods, reason = "tests start processes, wait, and write files")]

#[path = "../lab/mod.rs"]
mod lab;

mod configured;
mod mistakes;
mod outcome;
mod pki;
mod world;
mod zones;
