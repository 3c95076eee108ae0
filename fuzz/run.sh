#!/usr/bin/env bash
# Fuzzes every target for so many seconds each, from the committed seeds and from what earlier runs
# found (fuzz/corpus, not committed): bash fuzz/run.sh SECONDS [TARGET...]. Needs cargo-fuzz and a C++
# compiler. No sanitizer: the crate has no unsafe code, and panics, hangs and memory are seen without.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?usage: bash fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- configuration policy key_file trust_anchors dns_answer dialogue chain \
  plugin_answers hook_call ledger_rows tlsa_text

export RUSTC_BOOTSTRAP=1 # cargo-fuzz asks for options of the nightly toolchain
cargo fuzz build --sanitizer none
found=()
for target in "$@"; do
  mkdir -p "corpus/$target"
  echo "== $target"
  cargo fuzz run --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 2>&1 |
    grep -E 'number_of_executed|new_units_added|peak_rss|panicked|SUMMARY|ERROR|Test unit' ||
    found+=("$target")
done
[ ${#found[@]} -eq 0 ] || { echo "see fuzz/artifacts for what was found: ${found[*]}" >&2; exit 1; }
