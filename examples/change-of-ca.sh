#!/usr/bin/env bash
# The main job, on this machine: real daemons in a network namespace of their own, a change of CA by
# `rollover --new-ca --wait`, and a judge that is not our code delivering all the while.
# Debian, root, Rust and Python 3; installs the daemons it needs and starts none of them elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/install-daemons.sh
cargo build --quiet --bin rollover
exec cargo run --quiet --example change_of_ca
