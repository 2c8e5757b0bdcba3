#!/bin/bash
# A hook that takes its time does not hold up the end of a run, and ends with it, with all that it started.
# usage: long_hook.sh PATH/TO/fleetsim
set -u
fleetsim=$(realpath "$1")
command -v mosquitto >/dev/null || { echo "skipped: mosquitto is not installed"; exit 77; }
work=$(mktemp -d)
trap 'staging_end; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/staging_broker.sh"
staging_begin || exit 1

# The hook and its two children write their pids; all of them would be there for ten minutes.
scenario hook >/dev/null <<YAML
name: a long hook
fleet: {devices: 5, telemetry: {every: 200ms}}
broker:
  url: mqtts://localhost:$port
  hooks: {restart: "sleep 600 & echo \$! >$work/first; sh -c 'echo \$\$ >$work/second; exec sleep 600'"}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - name: online
    do: [connect: {rate: 50/s}]
    until: online == 100% within 10s
  - name: restart
    do: [restart-broker: {}]
YAML

in_the_hook() {
  for _ in $(seq 200); do
    [ -s "$work/first" ] && [ -s "$work/second" ] && return
    sleep 0.1
  done
}

all_gone() { # the hook's children, at most two seconds later
  for _ in $(seq 100); do
    kill -0 "$(cat "$work/first")" 2>/dev/null || kill -0 "$(cat "$work/second")" 2>/dev/null || return 0
    sleep 0.02
  done
  ps -o pid,args -p "$(cat "$work/first"),$(cat "$work/second")"
  return 1
}

for signal in INT HUP KILL; do
  rm -f "$work/first" "$work/second"
  timeout -s KILL 60 "$fleetsim" run "$work/hook.yaml" --fleet "$work/lab" --out "$work/on-$signal" >"$work/log" 2>&1 </dev/null &
  guard=$!
  in_the_hook
  pkill "-$signal" -P "$guard"
  wait "$guard" 2>/dev/null
  code=$?
  cp "$work/log" "$work/said"
  name="SIG$signal in the midst of a hook"
  [ "$signal" = KILL ] && want=137 || want=130
  if [ "$code" -ne "$want" ]; then complain "exit code $code, wanted $want"; else passed=$((passed + 1)) && echo "ok   $name"; fi
  expect "... ends the hook and what it started" 0 "gone" sh -c "$(declare -f all_gone); work=$work; all_gone && echo gone"
  [ "$signal" = KILL ] ||
    expect "... and results say so" 130 "interrupted by" "$fleetsim" report "$work/on-$signal"
done
rm -f "$work/first" "$work/second"
expect "the time limit of a run holds in a hook" 1 "reached its time limit of 4 s" \
  timeout -s KILL 60 "$fleetsim" run "$work/hook.yaml" --fleet "$work/lab" --out "$work/limit" --set limits.run=4s
expect "... and ends it too" 0 "gone" sh -c "$(declare -f all_gone); work=$work; all_gone && echo gone"
end_of_cases
