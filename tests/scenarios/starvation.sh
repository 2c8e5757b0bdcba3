#!/bin/bash
# One allocation of a run fails, of ours or of a library's, at any moment: the run ends by itself, with an exit code of the
# contract and a sentence, and nobody crashes.
# usage: starvation.sh PATH/TO/fleetsim [RUNS [SEED]]
set -u
fleetsim=$(realpath "$1")
runs=${2:-16} seed=${3:-7}
starve=$(dirname "$fleetsim")/libstarve.so
for tool in mosquitto nginx; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v "$tool")" ] || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -e "$starve" ] || { echo "skipped: a sanitizer has an allocator of its own"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cat >"$work/starved.yaml" <<'YAML'
name: starved
fleet: {devices: 2, telemetry: {every: 50ms}}
limits: {run: 20s}
broker: {local: mosquitto, handshake-timeout: 5s}
ota: {slots: 32KiB, block: 512}
reconnect: {policy: full-jitter, base: 50ms, cap: 200ms}
phases:
  - name: online
    do: [connect: {rate: 50/s}]
    until: online == 100% within 5s
  - name: update
    do: [ota.publish: {image: v2, version: 1.1.0, size: 4KiB, via: https}, ota.rollout: {image: v2, jitter: 10ms, within: 3s}]
YAML
run() { # NTH
  timeout -s KILL 60 env LD_PRELOAD="$starve" STARVE_LOG="$work/log" STARVE_NTH="$1" \
    "$fleetsim" run "$work/starved.yaml" --out "$work/out" >"$work/said" 2>&1 </dev/null
}
run 999999999 || { echo "FAIL with all the memory"; cat "$work/said"; exit 1; }
all=$(sed -n 's/^allocations //p' "$work/log")

sentence() { grep -v '^phase ' "$work/said" | grep -qE '[A-Za-z]+ [A-Za-z]+ '; }

bad=0 passed=0 ended=0 outside=0
RANDOM=$seed
for n in $(seq "$runs"); do
  # as many among the first few thousand, which make the run, as among all
  most=$((n % 2 == 0 ? all : all < 8000 ? all : 8000))
  nth=$(((RANDOM * 32768 + RANDOM) % most + 1))
  rm -rf "$work/out"
  run "$nth"
  code=$?
  case $code in
  0) passed=$((passed + 1)) ;;
  [1-4]) ended=$((ended + 1)) ;;
  esac
  # paho's threads cannot tell us that they have no memory, libcurl ended once by SIGFPE at an
  # allocation of its own, and the C library's name service when its first table cannot be had: what
  # they do then is not ours
  if { [ "$code" -gt 128 ] && grep -qE 'libpaho|libc\.so.*__nss_database_get' "$work/log"; } ||
     { [ "$code" -eq 136 ] && grep -q libcurl "$work/log"; }; then
    outside=$((outside + 1))
    continue
  fi
  why=
  [ "$code" -le 4 ] || why="exit code $code"
  [ "$code" -lt 2 ] || [ "$code" -gt 4 ] || sentence || why="exit code $code and no sentence"
  # libcrypto's decoders do not always say that they had no memory: then a file is to blame
  [ "$code" -ne 2 ] || grep -q libcrypto "$work/log" || why="exit code 2: memory is no mistake of the user's"
  [ "$code" -ne 0 ] || "$fleetsim" report "$work/out" >"$work/again" 2>&1 || why="exit code 0, and no report"
  [ -z "$why" ] && [ $# -gt 1 ] && echo "$code $nth: $(grep -vE '^(phase |PASS|results:)' "$work/said" | head -n 3 | tr -s '\n ' '  ' | cut -c 1-200)"
  [ -n "$why" ] || continue
  bad=$((bad + 1))
  echo "FAIL allocation $nth of $all: $why"
  grep -vE '^phase ' "$work/said" | tail -n 8
  grep -v 'libstarve' "$work/log" | head -n 14
done
echo "$((passed + ended)) runs in which an allocation failed: $passed passed, $ended ended; $bad bad" \
  "($outside crashes in paho, libcurl or the C library)"
[ "$bad" -eq 0 ]
