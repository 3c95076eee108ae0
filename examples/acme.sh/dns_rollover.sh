#!/usr/bin/env sh
# A DNS API for acme.sh: copy it to ~/.acme.sh/dnsapi/, then
#   acme.sh --issue --dns dns_rollover --dnssleep 1 -d mail.example.nl
# The record is at every name server when the function returns, so nothing has to be waited for.
# ROLLOVER names the program, if it is not in the PATH that cron has.

# name text
dns_rollover_add() {
  "${ROLLOVER:-rollover}" hook acme.sh dns_add "$1" "$2"
}

# name text
dns_rollover_rm() {
  "${ROLLOVER:-rollover}" hook acme.sh dns_rm "$1" "$2"
}
