//! The `rollover` command.
fn main() {}
