#!/usr/bin/env bash
# Builds the Debian package: bash packaging/build.sh [PROFILE]. Prints where it is. A binary that is
# there already (target/release/rollover, or target/debug/rollover for the profile dev) is built anew
# only where it is out of date. Needs cargo-deb: cargo install cargo-deb --locked
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
folder=$profile
[ "$profile" != dev ] || folder=debug
cargo build --locked --quiet --profile "$profile" --bin rollover

parts=target/packaging
rm -rf "$parts"
mkdir -p "$parts/completions"
rollover=${CARGO_TARGET_DIR:-target}/$folder/rollover
"$rollover" man "$parts/man"
"$rollover" completions bash >"$parts/completions/rollover"
"$rollover" completions zsh >"$parts/completions/_rollover"
"$rollover" completions fish >"$parts/completions/rollover.fish"
cargo deb --quiet --locked --no-build --no-strip --profile "$profile" --output "$parts/" >/dev/null
ls "$parts"/*.deb
