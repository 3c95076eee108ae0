//! `rollover check`: what is wrong with the DANE of mail domains, anybody's, and what to do about it.
//!
//! ```text
//!   domain ──> MX ──> target ──> facts ─────────> server ────> findings ──> coverage
//!               |      (name,     (looked up and    (judged for     (of the
//!               |      port)      visited once)     each domain)     domain)
//!               └── not signed, an alias, no host ──────────────────> findings
//! ```
//!
//! [`Auditor`] runs hundreds of subjects side by side. What several of them share, a zone, a mail
//! server, is looked at once ([`facts`]); judging it ([`server`], [`matching`], [`records`], [`domain`]) is pure, and
//! done for each. Every kind of finding stands in one table (`catalogue`) with what it means for mail,
//! where that is written and what to do. [`outbound`] and [`files`] look at this machine.
//!
//! Nothing here changes anything, anywhere.

mod catalogue;
mod coverage;
mod domain;
pub mod facts;
pub mod files;
pub mod finding;
mod matching;
pub mod outbound;
mod records;
mod run;
mod server;
mod subject;

pub use finding::{Code, Finding, Severity};
pub use run::{Auditor, Progress, Task};
pub use subject::{Audit, CertificateSummary, Kind, ListenerSummary, Protection, Server, Subject};
