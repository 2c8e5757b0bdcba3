#!/bin/sh
# How clients of others refuse a bad server, as a page: those that are here, called strictly, few at a time so that their times
# are their own, and four times, since some end otherwise from time to time.
# usage: refusals.sh PATH/TO/fleetsim > certs/REFUSALS.md
# shellcheck disable=SC2034,SC2154 # variables for and of what is sourced
set -u
fleetsim=$(realpath "$1")
gauntlet_build=$(dirname "$fleetsim")
lib=$(realpath "$(dirname "$0")")
gauntlet_here=$(realpath "$lib/../../../gauntlet")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$gauntlet_here/clients.sh"
cd "$work" || exit 1
mkdir tmp
export TMPDIR="$work/tmp"

shown="unknown-ca self-signed-leaf another-brokers-name leaf-expired leaf-not-valid-yet device-certificate-used-as-a-broker
  wrong-key wrong-finished silence-after-clienthello flood-of-warning-alerts 4-kb-of-garbage connack-not-authorised"
cases=
for id in $shown; do
  cases="$cases --case $id"
done

try() { # CLIENT FOLDER
  # a client that believes something ends the gauntlet with 1: then the page says nothing of it
  # shellcheck disable=SC2086
  "$fleetsim" gauntlet --quiet --patience 8 --jobs 4 --out "$2" --exec "$(client_command "$1" strict)" $cases >said.txt 2>&1
  [ -f "$2/results.json" ] || { cat said.txt >&2; exit 1; }
}

# Libraries try again by themselves, which those that were told to connect once do not show.
try_by_default() { # CLIENT FOLDER
  case $1 in
  paho_python | mqttjs) ;;
  *) return 1 ;;
  esac
  "$fleetsim" gauntlet --quiet --patience 20 --linger 15 --tls 1.3 --case unknown-ca --out "$2" \
    --exec "$(client_command "$1" strict) --retry" >said.txt 2>&1
  [ -f "$2/results.json" ]
}

# shellcheck disable=SC2016 # these are marks of the page's format
printf '%s\n\n%s\n' '# How some clients refuse a bad server' \
  'Made by `sh tests/scenarios/lib/gauntlet/refusals.sh build/fleetsim > certs/REFUSALS.md`; not edited by hand.'
python3 "$lib/refusals.py" head
for client in $gauntlet_clients; do
  missing=$(client_missing "$client")
  [ -z "$missing" ] || { echo "skipped: $client: $missing" >&2; continue; }
  echo "$client .." >&2
  for run in 1 2 3 4; do
    try "$client" "$client/$run"
  done
  python3 "$lib/refusals.py" client "$(client_version "$client")" "$client"/*/results.json
  ! try_by_default "$client" "$client.default" || python3 "$lib/refusals.py" default "$client.default/results.json"
done
