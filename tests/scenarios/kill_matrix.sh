#!/bin/bash
# SIGKILL at any moment, and 0 to 3 ms after each child is made: nobody is left behind, and no PASS without an end record.
# usage: kill_matrix.sh PATH/TO/fleetsim [KILLS-AT-RANDOM [KILLS-AFTER-A-SPAWN]]
set -u
fleetsim=$(realpath "$1")
at_random=${2:-9} after_spawn=${3:-9}
killer=$(dirname "$fleetsim")/kill_after_spawn
for tool in mosquitto nginx; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v "$tool")" ] || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'staging_end; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/staging_broker.sh"
staging_begin || exit 1

# A broker behind gates that is restarted, an update server; and no time in which nothing happens
scenario gates >/dev/null <<'YAML'
name: gates
fleet: {devices: 5, telemetry: {every: 100ms}}
broker: {local: mosquitto, handshake-timeout: 5s}
reconnect: {policy: full-jitter, base: 50ms, cap: 200ms}
ota: {slots: 32KiB, block: 512}
phases:
  - name: online
    do: [connect: {rate: 50/s}]
    until: online == 100% within 20s
  - name: update
    do: [ota.publish: {image: v2, version: 1.1.0, size: 4KiB, via: https}, restart-broker: {}]
    until: online == 100% within 20s
YAML
scenario terminator >/dev/null <<'YAML'
name: terminator
fleet: {devices: 5, telemetry: {every: 100ms}}
broker: {local: mosquitto, terminator: {crl: live}}
phases:
  - name: online
    do: [connect: {rate: 50/s}, compromise: {ids: [00000001]}, restart-broker: {}]
YAML
scenario hooks >/dev/null <<YAML
name: hooks
fleet: {devices: 5, telemetry: {every: 100ms}}
broker: {url: mqtts://localhost:$port, hooks: {reload: "sleep 0.1 & wait", restart: "(sleep 60; true) & sleep 60"}}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - name: online
    do: [connect: {rate: 50/s}, reload-broker: {}, reload-broker: {}, restart-broker: {}]
YAML
names=(gates terminator hooks)
children=(6 3 3) # that each of them makes
command_for() { # N: the command of the Nth run, in $command; every other time over an earlier run that passed
  scene=${names[$(($1 % 3))]} out=$work/out
  command=("$fleetsim" run "$work/$scene.yaml" --out "$out" --overwrite)
  [ "$scene" = hooks ] && command+=(--fleet "$work/lab")
  rm -rf "$out"
  [ $(($1 / 3 % 2)) -eq 0 ] || cp -r "$work/passed" "$out"
}

left_behind() { # what has our mark in its environment still, in $left: a second and a half is enough for everybody
  for _ in $(seq 75); do
    left=$(grep -lzs "^KILL_MATRIX_MARK=$mark$" /proc/[0-9]*/environ | grep -v "/$$/")
    [ -z "$left" ] && return 1
    sleep 0.02
  done
}

judge() { # WHAT: after a kill
  count=$((count + 1))
  if left_behind; then
    leftovers=$((leftovers + 1))
    for process in $left; do
      printf 'FAIL %s: left behind: %s\n' "$1" "$(tr '\0' ' ' <"${process%environ}cmdline")"
      kill -KILL "$(basename "$(dirname "$process")")" 2>/dev/null
    done
  fi
  "$fleetsim" report "$out" >"$work/said" 2>&1
  code=$?
  if [ "$code" -eq 0 ]; then
    passes=$((passes + 1))
    tail -n 1 "$out/events.ndjson" | grep -q '"event": "end".*"verdict": "pass"' && continue_with=ok || continue_with=
    [ -n "$continue_with" ] || { lies=$((lies + 1)); echo "FAIL $1: PASS without an end record"; }
  elif [ "$code" -eq 2 ] && head -n 1 "$out/events.ndjson" 2>/dev/null | grep -q '"started"' &&
    ! tail -n 1 "$out/events.ndjson" | grep -q '"event": "end"' && ! grep -q '^NONE  .*no verdict' "$work/said"; then
    odd=$((odd + 1))
    printf 'FAIL %s: report does not say how far it came: %s\n' "$1" "$(head -n 2 "$work/said")"
  elif [ "$code" -ne 2 ]; then
    odd=$((odd + 1))
    printf 'FAIL %s: report ends with %s: %s\n' "$1" "$code" "$(head -n 2 "$work/said")"
  fi
}

count=0 leftovers=0 lies=0 passes=0 odd=0
"$fleetsim" run "$work/gates.yaml" --out "$work/passed" --quiet </dev/null || { echo "FAIL the run that is killed later"; exit 1; }
RANDOM=7

# What would find nobody proves nothing
mark=$$-alive
KILL_MATRIX_MARK=$mark "$fleetsim" run "$work/hooks.yaml" --fleet "$work/lab" --out "$work/alive" >"$work/log" 2>&1 </dev/null &
pid=$!
for _ in $(seq 200); do
  found=$(grep -lzs "^KILL_MATRIX_MARK=$mark$" /proc/[0-9]*/environ | wc -l)
  [ "$found" -ge 4 ] && break # itself, a keeper, its shell, a sleep
  sleep 0.05
done
kill -KILL "$pid"
wait "$pid" 2>/dev/null
[ "$found" -ge 4 ] || { echo "FAIL a run with a hook has only $found processes with our mark"; exit 1; }
out=$work/alive
judge "hooks killed while a hook runs"
for n in $(seq "$at_random"); do
  command_for "$n"
  mark=$$-$n
  KILL_MATRIX_MARK=$mark "${command[@]}" >"$work/log" 2>&1 </dev/null &
  pid=$!
  ms=$((RANDOM % 2000))
  sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
  kill -KILL "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  judge "$scene killed after $ms ms"
done 2>/dev/null
echo "$count killed at random moments: $leftovers left somebody behind, $passes had passed, $lies pass without an end record"
all=$((leftovers + lies + odd)) count=0 leftovers=0 lies=0 passes=0 odd=0 ended=0
for n in $(seq "$after_spawn"); do
  command_for "$n"
  nth=$((n / 3 % children[n % 3] + 1)) us=$((RANDOM % 3001)) mark=$$-spawn-$n
  KILL_MATRIX_MARK=$mark "$killer" "$nth" "$us" "${command[@]}" >"$work/log" 2>&1 </dev/null || ended=$((ended + 1))
  judge "$scene killed $us us after child $nth"
done
echo "$count killed 0 to 3 ms after a child was made: $leftovers left somebody behind, $lies pass without an end record" \
  "($ended ended before)"
[ $((all + leftovers + lies + odd)) -eq 0 ]
