#!/bin/sh
# What goes wrong at the edges: each case wants its exit code, a sentence, results where there can be some, and no
# process left behind.
# usage: bad_input.sh PATH/TO/fleetsim
set -u
fleetsim=$1
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

scenario() { # NAME, then YAML on standard input; prints the path
  cat >"$work/$1.yaml"
  echo "$work/$1.yaml"
}

# expect NAME EXIT_CODE SENTENCE_PATTERN COMMAND...
expect() {
  name=$1 want=$2 pattern=$3
  shift 3
  "$@" >"$work/log" 2>&1 </dev/null
  got=$?
  verdict NAME="$name"
}

verdict() {
  if [ "$got" -ne "$want" ]; then
    echo "FAIL $name: exit code $got, wanted $want"
  elif ! tr -s '\n ' '  ' <"$work/log" | grep -qE "$pattern"; then
    echo "FAIL $name: no sentence matches '$pattern'"
  elif pgrep -f "mosquitto.*$work" | grep -qvxF "${holder_broker:-none}"; then
    echo "FAIL $name: mosquitto is left behind"
  else
    echo "ok   $name"
    passed=$((passed + 1))
    return
  fi
  sed 's/^/     | /' "$work/log" | head -n 12
  failed=$((failed + 1))
}

small=$(scenario small <<YAML
name: small
fleet: {devices: 10, telemetry: {every: 500ms, bytes: 32, qos: 1}}
pki: {roots: [A, spare], trusted: [A, spare], broker: A}
broker: {local: mosquitto}
phases:
  - name: first
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: second
    do: [wait: {for: 4s}]
  - name: third
    do: [restart-broker: {}, wait: {for: 4s}]
YAML
)

plain=$(sed '/restart-broker/d; /name: third/d' "$small" | scenario plain)

# The file --------------------------------------------------------------------------------------------------------------
expect "missing file" 2 "nothing-here.yaml" "$fleetsim" run "$work/nothing-here.yaml"
expect "no such verb" 2 "no verb" "$fleetsim" rnu
for words in "run $small" "pki make $work/f" "image show $work/i" "calibrate list" "check $small" "report $work"; do
  # shellcheck disable=SC2086
  expect "unknown option of ${words%% *}" 2 "there is no option '--no-such-option'" "$fleetsim" $words --no-such-option=secret
done
expect "unknown letters" 2 "there is no option '-x'" "$fleetsim" pki make "$work/f" -xyz
expect "an option without its value" 2 "run: --out wants a value" "$fleetsim" run "$small" --out
expect "a value too many" 2 "run: --yes takes no value" "$fleetsim" run "$small" --yes=3
unknown=$(sed 's/rate: 100/rat: 100/' "$small" | scenario unknown)
expect "unknown key" 2 "unknown.yaml:7:[0-9]+: .*rat" "$fleetsim" run "$unknown" --out "$work/o1"
unit=$(sed 's/every: 500ms/every: 500/' "$small" | scenario unit)
expect "wrong unit" 2 "unit.yaml:2:[0-9]+: .*500" "$fleetsim" run "$unit" --out "$work/o2"
expect "wrong --set of a check" 2 "devcies.*from --set" "$fleetsim" check "$small" --set fleet.devcies=3
expect "a check with --set" 0 "small: 7 devices" "$fleetsim" check "$small" --set fleet.devices=7
expect "wrong --set" 2 "fleet.devcies" "$fleetsim" run "$small" --set fleet.devcies=3 --out "$work/o3"

prompt=$(sed 's/wait: {for: 4s}/prompt: {say: "Swap the certificate"}/; /name: third/,$d' "$small" | scenario prompt)
expect "prompt without a terminal" 3 "prompt.yaml:[0-9]+:[0-9]+: .*no terminal" "$fleetsim" run "$prompt" --out "$work/o8"
expect "prompt answered by --yes" 0 "PASS" "$fleetsim" run "$prompt" --out "$work/o9" --yes

# The world -------------------------------------------------------------------------------------------------------------
expect "unwritable out folder" 3 "folder|write" "$fleetsim" run "$small" --out /proc/fleetsim
expect "staging host without opt-in" 3 "nothing was sent" \
  "$fleetsim" run "$plain" --broker mqtts://broker.example:8883 --out "$work/o4"
expect "unreachable broker" 3 "connect|reach|refused" \
  "$fleetsim" run "$plain" --broker mqtts://127.0.0.1:1 --out "$work/o5"
expect "too few file descriptors" 3 "descriptor" \
  sh -c 'ulimit -n 40; exec "$@"' sh "$fleetsim" run "$small" --devices 200 --out "$work/o6"

"$fleetsim" run "$small" --out "$work/holder" --set phases[1].do[0].wait.for=20s >"$work/holder.log" 2>&1 </dev/null &
holder=$!
for _ in $(seq 100); do
  port=$(sed -n 's/^listener \([0-9]*\).*/\1/p' "$work/holder/broker/mosquitto.conf" 2>/dev/null | head -n 1)
  [ -n "$port" ] && break
  sleep 0.1
done
sleep 1
holder_broker=$(pgrep -f "mosquitto.*$work/holder") # may live: it is another run's
expect "port in use" 3 "port $port" "$fleetsim" run "$small" --set "broker.port=$port" --out "$work/o7" 2>/dev/null
kill -INT "$holder"
wait "$holder"
holder_broker=

# Signals ---------------------------------------------------------------------------------------------------------------
in_phase() { # N: waits until the run in $1 has begun phase N
  for _ in $(seq 200); do
    begun=$(grep -c '"event": *"phase"' "$1/events.ndjson" 2>/dev/null)
    [ "${begun:-0}" -ge "$2" ] && return
    sleep 0.1
  done
}

for phase in 1 2 3; do
  out="$work/int$phase"
  "$fleetsim" run "$small" --out "$out" --set phases[0].do[0].connect.rate=4/s >"$work/log" 2>&1 </dev/null &
  pid=$!
  in_phase "$out" "$phase"
  sleep 0.3
  kill -INT "$pid"
  wait "$pid"
  got=$?
  name="SIGINT in phase $phase" want=130 pattern="interrupted"
  verdict
  grep -q '"verdict": *"interrupted"' "$out/results.json" || { echo "FAIL $name: results.json"; failed=$((failed + 1)); }
done

out="$work/murder"
"$fleetsim" run "$small" --out "$out" >"$work/log" 2>&1 </dev/null &
pid=$!
in_phase "$out" 2
pkill -KILL -f "mosquitto.*$out"
wait "$pid"
got=$?
name="mosquitto killed from outside" want=3 pattern="mosquitto ended"
verdict
grep -q '"verdict": *"error"' "$out/results.json" || { echo "FAIL $name: results.json"; failed=$((failed + 1)); }

out="$work/crash"
"$fleetsim" run "$small" --out "$out" >"$work/log" 2>&1 </dev/null &
pid=$!
in_phase "$out" 2
kill -KILL "$pid"
wait "$pid" 2>/dev/null
got=$?
sleep 0.5
name="SIGKILL of fleetsim leaves no broker" want=137 pattern=""
verdict
[ ! -f "$out/results.json" ] || { echo "FAIL $name: a killed run has a verdict"; failed=$((failed + 1)); }

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
