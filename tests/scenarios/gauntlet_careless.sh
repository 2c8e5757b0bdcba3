#!/bin/sh
# A client that lacks one check is caught by the cases that show it, and by no other.
# usage: gauntlet_careless.sh PATH/TO/fleetsim [CHECK..]      without checks: those that clients in the field lack most; the others
#                                                            are issuer, signature, trust, possession
set -u
fleetsim=$(realpath "$1")
shift
checks=${*:-name time usage}
built=$(dirname "$fleetsim")
lib=$(realpath "$(dirname "$0")/lib")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$lib/cases.sh"
cd "$work" || exit 1
mkdir tmp
export TMPDIR="$work/tmp"

careless="$built/careless --address {address} --host {host} --port {port} --ca {ca} --cert {cert} --key {key} --id {id} --timeout 4"

caught() { # OPTIONS of careless, then what caught.py is told
  options=$1
  shift
  # shellcheck disable=SC2086
  "$fleetsim" gauntlet --quiet --layer tls --patience 6 --jobs 24 --out caught --overwrite --exec "$careless $options" >said.txt 2>&1
  python3 "$lib/gauntlet/caught.py" caught/results.json "$@"
}

expect "who lacks nothing is never caught" 0 " 0 caught it" caught ""
for check in $checks; do
  expect "who lacks $check alone" 0 "[1-9][0-9]* caught it, 0 otherwise" caught "--skip $check" "$check"
done
expect "who looks at no certificate" 0 "[1-9][0-9]* caught it, 0 otherwise" \
  caught "--skip all" trust name time usage issuer signature strength extension constraints
pinned=
for refused in leaf-directly-under-the-root new-intermediate-under-the-same-root backup-root path-length-kept \
  cross-certificate-leads-an-old-device-to-the-new-root both-roots-held-and-cross-certificate-sent \
  cross-certificate-is-ignored-by-a-device-that-holds-the-new-root expired-cross-certificate-on-the-way-to-a-held-root \
  self-issued-new-with-old-link two-roots-of-one-name-in-the-store whole-handshake-byte-by-byte; do
  pinned="$pinned --refuses $refused"
done
# shellcheck disable=SC2086
expect "who pins an intermediate" 0 "[1-9][0-9]* caught it, 0 otherwise" caught "--pin $work/pin.pem" $pinned

end_of_cases
