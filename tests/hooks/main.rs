//! Other ACME clients renew by their own hand, and rollover decides what goes live when.
//!
//! Real clients against real CAs (Pebbles), in worlds of their own ([`lab`]), with the judge sending
//! all the while. `control` is the hook that their users write today, and the outage that it shows.

#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::disallowed_methods, reason = "tests start processes, wait, and write files")]
#![allow(clippy::print_stdout, reason = "a test says how much it tried")]

#[path = "../lab/mod.rs"]
mod lab;
#[path = "../scenarios/stage.rs"]
#[allow(dead_code, reason = "these tests use a part of the stage")]
mod stage;

mod acme_sh;
mod certbot;
mod client;
mod control;
mod dehydrated;
mod from_certbot;
mod lego;
mod uacme;
