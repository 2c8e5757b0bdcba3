#!/bin/sh
# Files as users and their tools make them, and what is printed: pipes, full devices, lists of devices as spreadsheets
# write them, certificates that a device cannot use, lists of revoked certificates.
# usage: foreign_files.sh PATH/TO/fleetsim
set -u
fleetsim=$1
command -v openssl >/dev/null || { echo "skipped: openssl is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"

# What is printed ----------------------------------------------------------------------------------------------------------
full() { "$fleetsim" "$@" >/dev/full; }
short=$(scenario short <<YAML
name: short
fleet: {devices: 1}
phases:
  - name: first
    do: [connect: {rate: 1/s}]
YAML
)
expect "make a fleet" 0 "2 devices" "$fleetsim" pki make "$work/fleet" --devices 2
for words in "--help" "--version" "check $short" "pki show $work/fleet" "pki show $work/fleet --json" "pki --help" "calibrate list"; do
  # shellcheck disable=SC2086
  expect "$words to a full device" 3 "is not whole.*No space left" full $words
done

# Pipes, where files are read ----------------------------------------------------------------------------------------------
mkfifo "$work/pipe"
bounded() { timeout 20 "$fleetsim" "$@"; }
crl=$(sed "s!{rate: 1/s}!{}, publish-crl: {file: $work/pipe}!" "$short" | scenario crl)
expect "a scenario" 2 "pipe is a pipe, not a regular file" bounded check "$work/pipe"
expect "a list of devices" 2 "pipe is a pipe, not a regular file" bounded pki import "$work/fleet" --csv "$work/pipe"
expect "a root" 2 "pipe is a pipe, not a regular file" \
  bounded pki import "$work/piped" --csv "$short" --roots-pem "A=$work/pipe,B=$work/pipe"
expect "where a list is to go" 2 "pipe exists and holds no CRL" bounded pki crl "$work/fleet" --out "$work/pipe"
expect "a list to publish" 2 "pipe is a pipe, not a regular file" bounded run "$crl" --out "$work/out1"
expect "a timing profile" 2 "pipe.json is a pipe, not a regular file" \
  sh -c 'mkfifo "$2/pipe.json"; timeout 20 "$1" calibrate show "$2/pipe.json"' sh "$fleetsim" "$work"
end_of_cases
