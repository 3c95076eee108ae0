#!/usr/bin/env bash
# Runs every check and test, the same here and in continuous integration, and installs the daemons
# that the tests run against. Needs Rust, Python 3 and, for the daemons, Debian and root.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/install-daemons.sh

cargo fmt --check
cargo clippy --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --locked

# Only what runs real daemons in real time is limited in how many run at once; see the file's head.
cargo test --locked
