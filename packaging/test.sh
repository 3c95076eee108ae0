#!/usr/bin/env bash
# Installs, upgrades, removes and purges the Debian package in a root directory of its own, and holds
# that configuration and state stay until they are purged. Needs root and cargo-deb; takes the profile
# of the binary to pack: bash packaging/test.sh [dev|release]
set -euo pipefail
cd "$(dirname "$0")/.."

package=$(bash packaging/build.sh "${1:-dev}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"

fail() { echo "packaging: $*" >&2; exit 1; }
there() { [ -e "$root$1" ] || fail "$1 is not there after $step"; }
gone() { [ ! -e "$root$1" ] || fail "$1 is still there after $step"; }
run() {
  step=$1
  shift
  dpkg --root="$root" --force-depends --force-script-chrootless --log=/dev/null "$@" \
    >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$step failed"; }
}

run installing --install "$package"
for path in /usr/bin/rollover /usr/libexec/rollover/dns-powerdns /lib/systemd/system/rollover.service \
  /lib/systemd/system/rollover.timer /etc/rollover/rollover.toml.example \
  /usr/share/man/man1/rollover.1.gz /usr/share/man/man1/rollover-plan.1.gz \
  /usr/share/man/man5/rollover.toml.5.gz /usr/share/man/man5/rollover-policy.5.gz \
  /usr/share/bash-completion/completions/rollover \
  /usr/share/zsh/vendor-completions/_rollover \
  /usr/share/fish/vendor_completions.d/rollover.fish \
  /usr/share/doc/rollover/examples/rollover.cron; do
  there "$path"
done
gone /etc/rollover/rollover.toml
"$root/usr/bin/rollover" policy list >/dev/null

# What an operator adds and changes.
echo '# mine' >"$root/etc/rollover/rollover.toml"
echo '# changed' >>"$root/etc/rollover/rollover.toml.example"
mkdir -p "$root/var/lib/rollover"
echo ledger >"$root/var/lib/rollover/ledger.db"

# An upgrade: the same files under a higher version.
mkdir "$work/next"
dpkg-deb --raw-extract "$package" "$work/next"
sed -i -E 's/^(Version: .*)$/\1+next/' "$work/next/DEBIAN/control"
dpkg-deb --build --root-owner-group "$work/next" "$work/next.deb" >/dev/null
run upgrading --force-confold --install "$work/next.deb"
grep -q '+next' "$root/var/lib/dpkg/status" || fail "the upgrade did not happen"
grep -q changed "$root/etc/rollover/rollover.toml.example" || fail "a changed conffile was replaced"
there /etc/rollover/rollover.toml
there /var/lib/rollover/ledger.db

run removing --remove rollover
gone /usr/bin/rollover
for path in /etc/rollover/rollover.toml /etc/rollover/rollover.toml.example \
  /var/lib/rollover/ledger.db; do
  there "$path"
done

run purging --purge rollover
gone /var/lib/rollover
gone /etc/rollover/rollover.toml.example
there /etc/rollover/rollover.toml # the operator's own, which no package ever owned

if command -v systemd-analyze >/dev/null; then
  systemd-analyze verify packaging/rollover.timer 2>&1 | grep -v 'is not executable' || true
  systemd-analyze security --offline=true packaging/rollover.service | tail -n 1
fi
echo "packaging: installed, upgraded, removed and purged $(basename "$package")"
