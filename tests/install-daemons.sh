#!/usr/bin/env bash
# Installs the daemons that the tests and examples run against, where they are missing: on Debian, as
# root. Starts none of them. Does nothing, quickly, where everything is there.
set -euo pipefail

packages=(
  bind9 bind9-utils bind9-dnsutils # the primary, its tools, dig, delv
  nsd                              # the secondary
  knot pdns-server pdns-backend-sqlite3 # other primaries
  unbound                          # the resolvers of the world
  pebble                           # ACME CAs
  postfix                          # the mail server
  hash-slinger gnutls-bin          # other makers of TLSA records
  certbot dehydrated lego uacme    # other ACME clients, which call the hooks
  openssl libssl3                  # another judge of DANE
  openssh-client openssh-server    # machines that files are deployed to
  dovecot-imapd nginx-light        # other servers that present certificates
  libidn12                         # for Exim, see below
  python3-venv                     # for octoDNS, see below
  chromium fonts-dejavu-core       # looks at the pages
  systemd                          # judges the units; not run
  iproute2 procps sqlite3
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [ "${status:0:2}" = ii ] || missing+=("$package")
done

# Exim conflicts with Postfix as a package, so that its program alone is unpacked, beside.
exim=/opt/rollover-lab/usr/sbin/exim4

# octoDNS, for the plugin that brings it, is in no package: in an environment of its own, pinned.
octodns=/opt/rollover-lab/octodns
pinned=$(dirname "$0")/octodns.txt
cmp -s "$pinned" "$octodns/installed.txt" && has_octodns=yes || has_octodns=no

[ ${#missing[@]} -gt 0 ] || [ ! -x "$exim" ] || [ $has_octodns = no ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "missing, and only root can install it: ${missing[*]} exim4-daemon-light octodns" >&2
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
if [ ${#missing[@]} -gt 0 ] || [ ! -x "$exim" ]; then
  apt-get update -qq
fi
[ ${#missing[@]} -eq 0 ] ||
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

if [ ! -x "$exim" ]; then
  unpacked=$(mktemp -d)
  (cd "$unpacked" && apt-get download -qq exim4-daemon-light 2>/dev/null)
  dpkg -x "$unpacked"/exim4-daemon-light_*.deb /opt/rollover-lab
  rm -r "$unpacked"
  getent passwd Debian-exim >/dev/null ||
    useradd --system --user-group --no-create-home --shell /usr/sbin/nologin Debian-exim
fi

if [ $has_octodns = no ]; then
  rm -rf "$octodns"
  /usr/bin/python3 -m venv "$octodns"
  "$octodns/bin/pip" install --quiet --disable-pip-version-check --requirement "$pinned"
  cp "$pinned" "$octodns/installed.txt"
fi
