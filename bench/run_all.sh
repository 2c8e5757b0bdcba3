#!/bin/sh
# All benchmarks, one after the other, and README.md's table from what they wrote. Leave the machine alone meanwhile:
# about an hour, most of it idle.
#
#   bench/run_all.sh [FOLDER]              NAME.json of each goes to FOLDER (default out/bench)
#   bench/run_all.sh FOLDER OPTIONS...     a try, as with --rounds 1 --devices 200: prints the table, README.md stays
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
folder=${1:-$top/out/bench}
[ $# -eq 0 ] || shift
command -v python3 >/dev/null || { echo "run_all.sh: the table needs python3: install it" >&2; exit 3; }
mkdir -p "$folder"

worst=0
for name in fleet-make handshake publish scale idle pace ota; do
  rm -f "$folder/$name.json"
  echo "run_all.sh: $name" >&2
  code=0
  "$top/fleetsim" bench "$name" --rounds 5 --json "$folder/$name.json" "$@" || code=$?
  [ "$code" -ne 130 ] || exit "$code"
  [ "$code" -eq 0 ] || worst=$code
done
if [ "$worst" -ne 0 ]; then
  echo "run_all.sh: a benchmark failed, it says why above: README.md was left as it is" >&2
  exit "$worst"
fi
if [ $# -gt 0 ]; then
  exec python3 "$top/bench/table.py" "$folder"
fi
exec python3 "$top/bench/table.py" "$folder" --write
