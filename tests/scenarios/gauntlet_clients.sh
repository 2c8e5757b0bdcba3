#!/bin/sh
# Clients of others in the gauntlet, those that are here. Called strictly, none believes a lie of high severity nor refuses a
# sound server; called insecurely, each is caught by what it lacks, and by nothing else.
# usage: gauntlet_clients.sh PATH/TO/fleetsim
# shellcheck disable=SC2034,SC2154 # variables for and of what is sourced
set -u
fleetsim=$(realpath "$1")
gauntlet_build=$(dirname "$fleetsim")
lib=$(realpath "$(dirname "$0")/lib")
gauntlet_here=$(realpath "$(dirname "$0")/../gauntlet")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$lib/cases.sh"
. "$gauntlet_here/clients.sh"
cd "$work" || exit 1
mkdir tmp
export TMPDIR="$work/tmp"

# What shows an insecure client: for each check that it lacks a lie which nothing else finds, two that take several, four that
# it must still find, and a sound server.
shown="unknown-ca another-brokers-name leaf-expired device-certificate-used-as-a-broker issuer-without-basicconstraints
  leaf-with-a-damaged-signature sha-1-signature-on-the-leaf unknown-critical-extension name-constraints-that-are-violated
  device-certificate-as-a-broker-of-another-name nothing-right wrong-key wrong-finished certificate-left-out
  serverhello-of-ssl-3 backup-root"
cases=
for id in $shown; do
  cases="$cases --case $id"
done

# Interpreters take a large part of a second of a processor to start, and must not spend a broker's patience on it
hurry() {
  case $1 in
  mqttjs) echo "--jobs 8 --patience 12" ;;
  paho_python) echo "--jobs 12 --patience 10" ;;
  *) echo "--jobs 24 --patience 7" ;;
  esac
}

believes() { # CLIENT: strict.py says what is wrong with it
  # shellcheck disable=SC2046
  "$fleetsim" gauntlet --quiet --layer tls $(hurry "$1") --out strict --exec "$(client_command "$1" strict)" >said.txt 2>&1
  python3 "$lib/gauntlet/strict.py" strict/results.json "$1" || { head -n 3 said.txt; return 1; }
}

caught() { # CLIENT KIND
  # shellcheck disable=SC2046,SC2086
  "$fleetsim" gauntlet --quiet $cases $(hurry "$1") --out "$2" --exec "$(client_command "$1" "$2")" >said.txt 2>&1
  # shellcheck disable=SC2046
  python3 "$lib/gauntlet/caught.py" "$2/results.json" --at-least 28 $(client_lacks "$2") || { head -n 3 said.txt; return 1; }
}

for client in $gauntlet_clients; do
  missing=$(client_missing "$client")
  [ -z "$missing" ] || { echo "skipped: $client: $missing"; continue; }
  for kind in $(client_kinds "$client"); do
    rm -rf strict name all
    if [ "$kind" = strict ]; then
      expect "$(client_version "$client"), strict, believes no lie of high severity and refuses no sound server" 0 \
        ", 0 otherwise" believes "$client"
      grep -E '^(told|not shown): ' "$work/said"
    else
      expect "$(client_version "$client"), insecure ($kind), is caught by what it lacks" 0 \
        " [1-9][0-9]* caught it, 0 otherwise" caught "$client" "$kind"
    fi
  done
done
[ $((passed + failed)) -ne 0 ] || { echo "none of these clients is here"; exit 77; }

end_of_cases
