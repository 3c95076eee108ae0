#!/usr/bin/env bash
# Runs every check and test, the same here and in continuous integration, and installs the daemons
# that the tests run against. Needs Rust, Python 3 and, for the daemons, Debian and root.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/install-daemons.sh

cargo fmt --check
python3 tests/mutants.py --check
# Without what can be left out first: what follows is built as most have it.
cargo clippy --no-default-features --lib --bins --locked -- -D warnings
cargo clippy --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
  cargo doc --no-deps --document-private-items --locked --quiet

# Scenarios mostly wait for TTLs to pass, so more of them run at once than there are processors; the
# other tests run as cargo has it.
tests=(
  adversary
  check
  dane_openssl
  dns_hostile
  dnssec_delv
  documents
  fuzz_corpus
  issuer_pebble
  lab_control
  ledger
  model
  notify
  pages
  probe_servers
  tidy
  recovery
  schedules
  tlsa_command
  turned_clock
)
cargo test --locked --lib --bins "${tests[@]/#/--test=}"
cargo test --locked --doc
cargo test --locked --test scenarios -- --test-threads 8
cargo test --locked --test demo -- --test-threads 6
cargo test --locked --test hooks -- --test-threads 8
