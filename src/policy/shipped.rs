//! The policies that are part of the program (not yet).
