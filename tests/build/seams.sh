#!/bin/sh
# The rooms that a run is made of need nothing of the libraries that bring sockets, threads and TLS: so a test can link
# them with substitutes of the rooms below. Reads what their objects leave undefined; `control` is an archive that does
# need such a library, so that a test which sees nothing fails.
# usage: seams.sh "LIBRARY.so ..." CONTROL.a ARCHIVE.a...
set -u
export LC_ALL=C
libraries=$1
control=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for library in $libraries; do
  nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' >"$work/one"
  [ -s "$work/one" ] || { echo "FAIL $library: no symbols to be seen"; break; }
  cat "$work/one"
done | sort -u >"$work/outside"
grep -q '^FAIL' "$work/outside" && { cat "$work/outside"; exit 1; }

needs() { nm -u "$1" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u | comm -12 - "$work/outside"; }

[ -n "$(needs "$control")" ] || { echo "FAIL $control needs no symbol of: $libraries"; exit 1; }
failed=0
for archive in "$@"; do
  found=$(needs "$archive")
  [ -z "$found" ] && continue
  echo "FAIL $(basename "$archive") needs, of a library that a run is to be free of:" $found
  failed=1
done
exit $failed
