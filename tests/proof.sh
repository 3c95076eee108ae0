#!/usr/bin/env bash
# Produces the figures of docs/proof.md, from the search to the crash points. It takes hours on two
# cores. The last part needs root and the daemons of tests/install-daemons.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

# Every part is run, whatever came of those before it.
failed=0
policies="ncsc rfc7671 dane-ee current-next dane-ta key-reuse"

echo "== the search: every order of events =="
cargo build --release --locked --quiet
for limits in "1 0" "0 1" "2 0"; do
  read -r faults minds <<<"$limits"
  for policy in $policies; do
    target/release/rollover policy check "$policy" --faults "$faults" --changes-of-mind "$minds" || failed=1
  done
done

echo "== the adversary: drawn lives =="
ROLLOVER_SEEDS="${ROLLOVER_SEEDS:-500}" cargo test --release --locked --test adversary -- --nocapture || failed=1

echo "== the mutants =="
python3 tests/mutants.py || failed=1

echo "== crash points by procedures =="
ROLLOVER_ALL_CRASH_POINTS=1 cargo test --locked --test scenarios -- crash_points --nocapture || failed=1

exit "$failed"
