//! Looks at what listeners present: any certificate, over several connections at once.
//!
//! One look at one listener is a [`TlsProbe::examine`]:
//!
//! ```text
//!   look       several visits side by side, held open until all are through
//!     visit      connect ── dialogue ── handshake ── (all visits done) ── farewell
//!       dialogue   greeting, EHLO, STARTTLS: `lines` read with limits, nothing before TLS
//!       handshake  one family of signatures offered; what is presented is taken, and its
//!                  signature checked by the key alone
//!   report     what the visits say together: unknown is unsafe
//! ```
//!
//! An audit looks less closely at more listeners, and wants to know of each key family and of clients
//! without SNI: [`TlsProbe::portray`].
//!
//! A server is many processes, and after a reload old ones and new ones answer side by side. Visits
//! one after the other would mostly meet the same process, the one that was waiting; visits held open
//! at the same time cannot.
//!
//! What cannot be seen: a certificate that is only reachable by cipher suites without forward
//! secrecy or authenticated encryption (TLS 1.2 with RSA key exchange, CBC or finite-field
//! Diffie-Hellman), or by TLS 1.1 and older. Such a listener is silent, never "without TLS".

mod deadline;
mod dialogue;
#[doc(hidden)] // for `fuzz/` alone, which reaches only what is public
pub mod fuzzing;
mod handshake;
mod lines;
mod look;
mod portrait;
mod report;
mod verifier;
mod visit;

pub use look::{Settings, TlsProbe};
pub use portrait::{Portrait, Shown, Trouble};
pub use report::{Report, TlsVersion};
