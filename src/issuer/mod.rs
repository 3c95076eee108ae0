//! Where certificates come from: a CA whose key is at hand, or one that is asked by ACME.
//!
//! ```text
//!           Issuer (port)
//!          /             \
//!     OwnCa               Acme ── account, order, challenge, http
//!          \             /
//!        orders     verify
//!   (what is kept)  (what is accepted)
//! ```
//!
//! Both keep what they issued under the order's id before they hand it out, so that the same order
//! is never filled twice; and both hand out only what a DANE-TA(2) client would accept under the
//! names asked for.

mod acme;
mod explain;
mod orders;
mod own_ca;
mod verify;

pub use acme::{Acme, Limits, Surroundings};
pub use own_ca::OwnCa;
