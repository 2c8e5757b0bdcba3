#!/bin/sh
# The way of a fleet team: a fleet folder, a broker of their own that stands elsewhere, and hooks that change it. The
# broker here is on loopback and belongs to this script; fleetsim knows it by its address only.
# usage: staging.sh PATH/TO/fleetsim
set -u
fleetsim=$1
for tool in mosquitto openssl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$broker"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

# The staging broker ------------------------------------------------------------------------------------------------------
listener() { # PORT STEM
  printf 'listener %s 127.0.0.1\ntls_version tlsv1.3\ncafile %s/clients.crt\n' "$1" "$broker"
  printf 'certfile %s/%s.crt\nkeyfile %s/%s.key\n' "$broker" "$2" "$broker" "$2"
  printf 'require_certificate true\nuse_identity_as_username true\n'
}

configure() { # PORT
  cat >"$broker/conf" <<CONF
user $(id -un)
pid_file $broker/pid
allow_anonymous false
acl_file $broker/acl
persistence true
persistence_location $broker/
max_queued_messages 0
log_dest file $broker/log
$(listener "$1" main)
$(listener $(($1 + 1)) prove)
CONF
}

strict_acl() {
  printf 'user operator\ntopic readwrite private/#\n\npattern readwrite private/%%u/#\n' >"$broker/acl"
}

open_acl() {
  printf 'user operator\ntopic readwrite private/#\n\npattern readwrite private/#\n' >"$broker/acl"
}

begin_broker() {
  : >"$broker/log"
  mosquitto -d -c "$broker/conf" 2>/dev/null
  for _ in $(seq 100); do
    grep -q 'running$' "$broker/log" && return 0
    grep -q 'Error' "$broker/log" && break
    sleep 0.05
  done
  rm -f "$broker/pid"
  return 1
}

end_broker() {
  [ -s "$broker/pid" ] || return 0
  pid=$(cat "$broker/pid")
  kill "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  rm -f "$broker/pid"
}

begin_broker_on_free_ports() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 2 + try * 254) % 12000))
    configure "$port"
    begin_broker && return 0
  done
  echo "FAIL no free pair of ports for the staging broker"
  cat "$broker/log"
  exit 1
}

# What the team's hooks do ------------------------------------------------------------------------------------------------
cat >"$work/install" <<HOOK
cp "\$FLEETSIM_CERT" "$broker/\$FLEETSIM_LISTENER.crt" && cp "\$FLEETSIM_KEY" "$broker/\$FLEETSIM_LISTENER.key"
echo "\$FLEETSIM_ACTION \$FLEETSIM_LISTENER"
HOOK
cat >"$work/restart" <<HOOK
pid=\$(cat "$broker/pid")
kill "\$pid"
while kill -0 "\$pid" 2>/dev/null; do sleep 0.02; done
: >"$broker/log"
mosquitto -d -c "$broker/conf" 2>/dev/null
until grep -q 'running\$' "$broker/log"; do sleep 0.02; done
HOOK

remote() { # the block `broker:` of a scenario
  cat <<YAML
broker:
  url: mqtts://localhost:$port
  prove-url: mqtts://localhost:$((port + 1))
  hooks:
    present: sh $work/install
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" $broker/clients.crt
    reload: kill -HUP \$(cat $broker/pid)
    restart: sh $work/restart
YAML
}

scenario() { # NAME, then YAML on standard input; prints the path
  cat >"$work/$1.yaml"
  echo "$work/$1.yaml"
}

# Cases -------------------------------------------------------------------------------------------------------------------
# expect NAME EXIT_CODE PATTERN COMMAND...: the pattern is sought in what the command prints
expect() {
  name=$1 want=$2 pattern=$3
  shift 3
  "$@" >"$work/said" 2>&1 </dev/null
  got=$?
  if [ "$got" -ne "$want" ]; then
    complain "exit code $got, wanted $want"
  elif ! tr -s '\n ' '  ' <"$work/said" | grep -qE -- "$pattern"; then
    complain "no sentence matches '$pattern'"
  else
    echo "ok   $name"
    passed=$((passed + 1))
  fi
}

complain() {
  echo "FAIL $name: $1"
  sed 's/^/     | /' "$work/said" | tail -n 30
  tail -n 5 "$broker/log" 2>&1 | sed 's/^/     broker | /'
  failed=$((failed + 1))
}

# holds RUN PATTERN: what the latest case must have written into results.json
holds() {
  tr -s '\n ' '  ' <"$work/$1/results.json" | grep -qE -- "$2" && return
  complain "$work/$1/results.json does not hold '$2'"
}

run() { # NAME SCENARIO options...: on the fleet folder, results in $work/NAME
  run_name=$1 run_scenario=$2
  shift 2
  "$fleetsim" run "$run_scenario" --fleet "$fleet" --out "$work/$run_name" "$@"
}

# A fleet folder, and what the staging broker needs of it -----------------------------------------------------------------
expect "make a fleet" 0 "30 devices, 00000001 to 0000001e, trusting A, spare" \
  "$fleetsim" pki make "$fleet" --devices 30 --roots A,B,spare
expect "show it" 0 "30 devices.*ca/B-by-A.crt.*device 0000001e: trust bundle version 1 of A, spare" \
  "$fleetsim" pki show "$fleet" --device 0000001e
expect "show it as JSON" 0 '"anchors": \[ "A", "spare" \]' "$fleetsim" pki show "$fleet" --device 0000001e --json
if grep -q 'PRIVATE' "$work/said"; then name="show no key" complain "a private key is shown"; fi
expect "export the client CA" 0 "1 root and the back office" \
  "$fleetsim" pki export "$fleet" --what client-ca --roots A --out "$broker/clients.crt"
expect "export the broker's chain" 0 "a broker named localhost under root A" \
  "$fleetsim" pki export "$fleet" --what broker-chain --root A --host localhost --out "$broker/main"
expect "overwrite no export" 2 "exists already" \
  "$fleetsim" pki export "$fleet" --what broker-chain --root A --host localhost --out "$broker/main"
cp "$broker/main.crt" "$broker/prove.crt"
cp "$broker/main.key" "$broker/prove.key"
strict_acl
begin_broker_on_free_ports

# A rotation through hooks ------------------------------------------------------------------------------------------------
rotation=$(scenario rotation <<YAML
name: staging rotation
fleet: {devices: 30, telemetry: {every: 500ms, bytes: 32, qos: 1}}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
$(remote)
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
limits: {run: 2m}
phases:
  - name: baseline
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: let the broker trust devices under B
    do: [trust-clients: {roots: [A, B]}]
    until: online == 100% within 20s
  - name: teach the fleet root B
    do: [push-trust: {roots: [A, B, spare], waves: [10%, 100%]}]
    until: trusting(B) == 100% within 10s
  - name: prove B
    do: [prove: {root: B}]
    until: proven(B) == 100% within 10s
  - name: switch the broker to B
    do:
      - present: {root: B, cross: A}
      - reconnect: {waves: [10%, 100%]}
    until: reconnected == 100% within 10s
  - name: reissue
    do:
      - reissue: {root: B}
      - reconnect: {}
    until: identified(B) == 100% within 10s
  - name: drop A
    do:
      - push-trust: {roots: [B, spare]}
      - trust-clients: {roots: [B]}
    until: online == 100% within 20s
  - name: refuse the old chain
    do: [prove: {root: A}]
    until: online == 100% within 10s
    expect: ["refused(not_trusted) == 100%"]
  - name: drain
    do: [drain: {within: 10s}]
expect:
  - telemetry.lost == 0
  - devices.unproven == 0
YAML
)
expect "the timetable" 0 "mqtts://localhost:$port" "$fleetsim" check "$rotation"
expect "a root rotation through hooks" 0 "PASS" run rotation "$rotation"
holds rotation '"broker": "remote localhost:'
expect "the hooks ran" 0 "present main" cat "$work/rotation/broker/hooks.log"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
