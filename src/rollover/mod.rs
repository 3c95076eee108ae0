//! The core: what was seen, what may be cached, and what to do next. No I/O, no clock, no async, no
//! randomness, no hash order.
//!
//! One change of CA under `ncsc`, as a timeline (O the old certificate, N the new one):
//!
//! ```text
//! served     O O O O O O O O O O O O O N N N N N N N N N
//! published  [2o 3o][2n 3o ................][2n 3n .....
//! cached     [2o 3o .........][2n 3o .............][2n 3n
//!                   ^bridge   ^TTL over: issue, deploy
//!                                           ^settle   ^done
//! ```
//!
//! Read in this order: [`observation`] (what was seen), [`history`] and [`served`] (what caches and
//! listeners may hold), [`presentable`], [`safety`] (the promise and its two gates), [`records`]
//! (which RRset is wanted), [`state`] and [`transition`] (what the ledger holds and how it changes),
//! [`action`], [`request`], [`first_sight`] and [`decide`](mod@decide) (what follows), `delivery` (where
//! another client brings the certificates), [`phase`] (for people alone).

pub mod action;
pub mod decide;
mod delivery;
pub mod first_sight;
pub mod forecast;
pub mod history;
pub mod observation;
pub mod phase;
pub mod presentable;
mod progress;
mod publish;
pub mod records;
pub mod request;
pub mod safety;
pub mod served;
mod situation;
pub mod spec;
pub mod state;
#[cfg(test)]
mod tests;
pub mod transition;
mod words;

pub use decide::{Intent, decide};
pub use delivery::{Brought, take};
pub use words::{Brief, brief};
