#!/usr/bin/env bash
# Installs the daemons that the tests and examples run against, where they are missing: on Debian, as
# root. Starts none of them. Does nothing, quickly, where everything is there.
set -euo pipefail

packages=(
  bind9 bind9-utils bind9-dnsutils # the primary, its tools, dig
  nsd                              # the secondary
  unbound                          # the resolvers of the world
  pebble                           # ACME CAs
  postfix                          # the mail server
  certbot dehydrated lego uacme    # other ACME clients, which call the hooks
  hash-slinger                     # another maker of TLSA records
  openssl libssl3                  # another judge of DANE
  iproute2 procps sqlite3
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [ "${status:0:2}" = ii ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "missing packages, and only root can install them: ${missing[*]}" >&2
  exit 1
fi

# Debian starts a service when its package is installed, unless this says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
