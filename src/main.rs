//! The `rollover` command: reads its arguments, hands over, and turns the outcome into an exit code.

fn main() {}
