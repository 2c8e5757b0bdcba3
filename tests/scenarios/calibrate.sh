#!/bin/sh
# fleetsim calibrate: what it prints of the checked-in profiles, what it refuses, and, where the cross compiler and
# fleetsim-m4 are there, that a fresh calibration is what is checked in, and that a drift is found.
# usage: calibrate.sh PATH/TO/fleetsim
set -u
fleetsim=$1
profiles=$(cd "$(dirname "$0")/../../bench/m4/profiles" && pwd)
emulator=$(dirname "$fleetsim")/fleetsim-m4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"
unset FLEETSIM_M4
export FLEETSIM_TIMING_PROFILES="$profiles"

known='hardware-accelerated, mbedtls-3.6.6-Os, mbedtls-3.6.7-O2, mbedtls-3.6.7-Os-p256m, mbedtls-3.6.7-Os-small, mbedtls-3.6.7-Os'
band='[0-9.]+ \([0-9.]+-[0-9.]+\)'
expect "the list" 0 "ms modelled .*mbedtls-3.6.7-Os +64 MHz $band +[0-9.]+ +[0-9.]+ .*modelled" "$fleetsim" calibrate list
[ "$(grep -c ' MHz ' "$work/said")" -eq 6 ] || complain "the list has not six profiles"
for profile in $(echo "$known" | tr -d ,); do
  expect "show $profile" 0 "ms modelled.* sign +[0-9]+ $band .*handshake, one intermediate +[0-9]+ $band" \
    "$fleetsim" calibrate show "$profile"
done
expect "show by path" 0 "nRF52840.* 0.9[0-9]+" "$fleetsim" calibrate show "$profiles/mbedtls-3.6.7-Os.json"
expect "compare" 0 "B/A.* verify [0-9]+ [0-9]+ $band $band 0\.78.*handshake, leaf only [0-9]+ [0-9]+ $band $band 0\.7" \
  "$fleetsim" calibrate compare mbedtls-3.6.6-Os mbedtls-3.6.7-Os --json "$work/compare.json"
expect "compare as JSON" 0 '"a": "mbedtls-3.6.6-Os", "b": "mbedtls-3.6.7-Os".*"operation": "sign".*"modelled_ms_low".*"ratio": 0\.' \
  cat "$work/compare.json"
expect "compare with hardware, which has no emulated handshake" 0 "handshake, leaf only [0-9]+ [0-9]+ $band $band 0\.[01]" \
  "$fleetsim" calibrate compare mbedtls-3.6.7-Os hardware-accelerated
expect "help" 0 "usage: fleetsim calibrate list .*example:" "$fleetsim" calibrate --help

# Every software profile: the operations add up to the emulated handshake within 2 %, and the hardware anchors hold.
cat >"$work/sums.py" <<'PY'
import json, pathlib, sys
bad = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("mbedtls-*.json")):
    profile = json.loads(path.read_text())
    for chain in ("leaf_only", "one_intermediate"):
        part = profile["handshake"][chain]
        off = part["sum_of_operations_cycles"] / part["emulated_cycles"] - 1
        print(f"{path.stem} {chain}: sum of operations {off:+.2%}")
        bad += abs(off) > 0.02
    for row in profile["validation"]:
        ratio = row["model_cycles"] / row["hardware_cycles"]
        if not 0.90 <= ratio <= 1.10 or abs(ratio - row["ratio"]) > 0.001:
            bad += 1
            print(f"{path.stem}: {row['anchor']}, {row['operation']}: {ratio:.3f}, said to be {row['ratio']}")
sys.exit(bad > 0)
PY
expect "sums and anchors" 0 "mbedtls-3.6.7-Os-small one_intermediate" python3 "$work/sums.py" "$profiles"

expect "an unknown profile" 2 "there is no timing profile 'fast'; there are: $known" "$fleetsim" calibrate show fast
expect "an unknown profile to compare with" 2 "there are: $known" "$fleetsim" calibrate compare mbedtls-3.6.7-Os fast
expect "an unknown profile to check" 2 "there are: $known" "$fleetsim" calibrate --check fast
expect "an unknown profile to make" 2 "'fast' cannot be calibrated; there are: mbedtls-3.6.7-Os " "$fleetsim" calibrate fast
expect "compare one" 2 "say 'fleetsim calibrate compare A B" "$fleetsim" calibrate compare mbedtls-3.6.7-Os
expect "an unknown option" 2 "there is no option '--fast'" "$fleetsim" calibrate --fast
echo '{"schema": "fleetsim-timing/1",' >"$work/bad.json"
expect "bad JSON" 2 "bad.json:[0-9]+:" "$fleetsim" calibrate show "$work/bad.json"
echo '{"schema": "fleetsim-timing/1", "name": "x"}' >"$work/empty.json"
expect "no profile" 2 "'clock_hz' must be a number above 0" "$fleetsim" calibrate show "$work/empty.json"
expect "a file that is not there" 2 "timing profile: .*none.json" "$fleetsim" calibrate show "$work/none.json"
expect "no folder for the JSON" 3 "cannot write .*does its folder exist" \
  "$fleetsim" calibrate compare mbedtls-3.6.6-Os mbedtls-3.6.7-Os --json "$work/no/such.json"
expect "no emulator" 3 "install these packages, build again, and start again:.* libunicorn-dev" \
  env FLEETSIM_M4="$work/none" "$fleetsim" calibrate --check mbedtls-3.6.7-Os

# An emulator under sanitizers takes three minutes for the same arithmetic: the normal build's test counts.
if grep -q '^FLEETSIM_SANITIZE:[A-Z]*=.' "$(dirname "$fleetsim")/CMakeCache.txt"; then
  echo "left out under sanitizers: fresh calibrations"
elif command -v arm-none-eabi-gcc >/dev/null && [ -x "$emulator" ]; then
  expect "a fresh calibration" 0 "sign +[0-9]+ +[0-9]+ +[+-]0\.[0-9]+ %.*handshake, one intermediate" \
    "$fleetsim" calibrate --check mbedtls-3.6.7-Os
  mkdir "$work/altered"
  cp "$profiles"/*.json "$work/altered"
  python3 - "$work/altered/mbedtls-3.6.7-Os.json" <<'PY'
import json, sys
profile = json.load(open(sys.argv[1]))
profile["operations"]["sign"]["cycles"] *= 1.05
json.dump(profile, open(sys.argv[1], "w"))
PY
  expect "a drift" 1 "sign +[0-9]+ +[0-9]+ +-4\.[0-9]+ % +DRIFT.* 1 of the figures drifted" \
    env FLEETSIM_TIMING_PROFILES="$work/altered" "$fleetsim" calibrate --check mbedtls-3.6.7-Os
else
  echo "left out: no arm-none-eabi-gcc or no fleetsim-m4: fresh calibrations"
fi
end_of_cases
