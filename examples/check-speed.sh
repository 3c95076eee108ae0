#!/usr/bin/env bash
# How many listeners `rollover check` looks at in a second, beside loops over posttls-finger, danetool
# and openssl, on this machine: 1,000 mail domains in a network namespace of their own.
# Debian, root, Rust and Python 3; installs the daemons it needs and starts none of them elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/install-daemons.sh
command -v danetool >/dev/null || apt-get install -y -qq --no-install-recommends gnutls-bin >/dev/null
cargo build --quiet --release --bin rollover
exec cargo run --quiet --release --example check_speed
