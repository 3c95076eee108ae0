//! The ledger: what cannot be looked up again, in SQLite, with private keys and chains as files
//! beside it.
//!
//! ```text
//! STATE-DIR/ledger.sqlite             each host's state in columns, and its history
//! STATE-DIR/keys/KEY.pem              a private key, by SHA-256 of its SubjectPublicKeyInfo
//! STATE-DIR/keys/KEY.pub              its public half
//! STATE-DIR/chains/CHAIN.pem          a chain as it is sent, by SHA-256 over its certificates
//! STATE-DIR/certificates/DIGEST.pem   a trust anchor, or a certificate that is barred
//! STATE-DIR/lock                      held by the process that makes a pass
//! ```
//!
//! Every file is named by the digest of what it holds, so it never changes, and a damaged one is
//! found out when it is read. A file is on the disk before the row that names it, so a crash leaves
//! at worst a file that no row names; [`SqliteLedger::sweep`] removes those after a while. What a
//! host's state is and how it changes is the core's business: this module keeps it, whole or not at
//! all, and guesses at nothing that it cannot read.
//!
//! Read in this order: `store` (the port), `schema` and `open` (from any file to one that can be
//! relied on), `write`, `read` and `values` (state to rows and back), `files`, `sweep`, `lock`,
//! `directory`, `error` (what an operator reads when it fails).

mod directory;
mod error;
mod files;
mod lock;
mod open;
mod read;
mod schema;
mod store;
mod sweep;
mod values;
mod write;

pub use lock::{LockError, PassLock};
pub use store::SqliteLedger;
