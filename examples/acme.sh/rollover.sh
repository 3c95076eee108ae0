#!/usr/bin/env sh
# A deploy hook for acme.sh: copy it to ~/.acme.sh/deploy/, then
#   acme.sh --deploy -d mail.example.nl --deploy-hook rollover
# ROLLOVER names the program, if it is not in the PATH that cron has.

# domain key certificate ca fullchain
rollover_deploy() {
  "${ROLLOVER:-rollover}" hook acme.sh deploy "$@"
}
