//! The file format of policies (not yet).
