//! Where certificates come from: a CA whose key is at hand, one that is asked by ACME, or another ACME
//! client that brings what it obtained.
//!
//! ```text
//!           Issuer (port)
//!          /             \
//!     OwnCa               Acme ── account, order, challenge, http
//!          \             /
//!        orders     verify
//!   (what is kept)  (what is accepted)
//!
//! External (port) ── staging (what hooks bring), verify
//! ```
//!
//! The first two keep what they issued under the order's id before they hand it out, so that the same order
//! is never filled twice; and all hand out only what a DANE-TA(2) client would accept under the
//! names asked for.

mod acme;
mod explain;
mod external;
mod known;
mod orders;
mod own_ca;
mod staging;
mod verify;

pub use acme::{AccountView, Acme, AcmeAccount, Limits, Listeners, Surroundings};
pub use external::External;
pub use own_ca::OwnCa;
pub use staging::{Arrival, Staging, StagingError};
