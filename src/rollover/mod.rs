//! The core: what was seen, what may be cached, and what to do next. No I/O, no clock.

pub mod observation;
