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
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/mosquitto.sh"
more_of_the_failure() { tail -n 5 "$broker/log" 2>&1 | sed 's/^/     broker | /'; }

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

begin_broker() { mosquitto_begin "$broker"; }

end_broker() { mosquitto_end "$broker"; }

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

# Cases -------------------------------------------------------------------------------------------------------------------
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
cp "$broker/main.crt" "$broker/main.key" "$broker/clients.crt" "$work"
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
  - name: bad weather, which needs nothing of the broker
    do: [fault: {share: 20%, reset: yes, latency: 20ms, for: 500ms}]
    until: online == 100% within 10s
    expect: [fault.reset == 6, fault.bytes_delayed > 0]
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
expect "a fleet that no broker can know" 3 "connect.tls.[a-z_]+: .*no fleet was named.*--fleet DIR" \
  "$fleetsim" run "$rotation" --out "$work/unnamed"
expect "the timetable" 0 "mqtts://localhost:$port, and to prove chains mqtts://localhost:$((port + 1))" \
  "$fleetsim" check "$rotation"
expect "a root rotation through hooks" 0 "PASS" run rotation "$rotation"
holds rotation '"broker": "remote localhost:'
expect "the hooks ran" 0 "present main" cat "$work/rotation/broker/hooks.log"

# Small runs: the broker as it was delivered ------------------------------------------------------------------------------
factory() {
  cp "$work/main.crt" "$broker/main.crt"
  cp "$work/main.key" "$broker/main.key"
  cp "$work/clients.crt" "$broker/clients.crt"
  end_broker
  begin_broker || complain "the staging broker does not come back"
}

factory
small=$(scenario small <<YAML
name: small
fleet: {devices: 30, telemetry: {every: 200ms, bytes: 32, qos: 1}}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
$(remote)
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: baseline
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: middle
    do: [wait: {for: 500ms}]
    until: online == 100% within 5s
  - name: drain
    do: [drain: {within: 10s}]
expect: ["telemetry.lost == 0", "telemetry.delivered >= 10"]
YAML
)
# A broker of others is not killed: the fleet's own connections are broken off.
storm=$(scenario storm <<YAML
name: storm
fleet: {devices: 30}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
$(remote)
phases:
  - name: baseline
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: storm
    do: [storm: {policy: full-jitter, base: 500ms, cap: 1s, within: 20s}]
    expect: [recover.missing == 30, recover.all_ms < 10s]
YAML
)
expect "a storm on a broker that stands elsewhere" 0 "full-jitter 0.5s-1s .* 30 " run storm "$storm"
holds storm '"session.reset": \{ "count": 30'
expect "a smaller fleet than the folder's" 0 "PASS +small: 10 devices" run ten "$small" --devices 10
holds ten '"fleet.online_min": \{ "value": 10'
expect "a larger fleet than the folder's" 2 "holds 30 devices and the scenario asks for 31: use --devices 30" \
  run more "$small" --devices 31
expect "a root that the folder lacks" 2 "pki.roots name 'C', which .*/fleet does not hold" \
  run lacks "$small" --set "pki.roots=[C, spare]" --set "pki.broker=C" --set "pki.trusted=[C, spare]"
expect "a fleet that does not trust this broker" 1 "not_trusted" \
  run stranger "$small" --set "pki.trusted=[B, spare]" --set "phases[0].until=online == 100% within 1s"
holds stranger '"connect.tls.not_trusted": \{ "count": [1-9]'
# Firmware updates: what the broker keeps for devices that are away must not wait there for those of the next run.
update=$(scenario update <<YAML
name: update
fleet: {devices: 10}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
ota: {slots: 64KiB, flash: {erase: 1ms, program: 1us}}
$(remote)
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: baseline
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: update
    do:
      - ota.publish: {image: v2, version: 1.1.0, size: 20KiB}
      - ota.rollout: {image: v2, jitter: 100ms}
    until: updated(v2) == 100% within 10s
expect: ["reported(confirmed) == 10", "reported(stale_manifest) == 0"]
YAML
)
as_operator() { # CLIENT arguments...
  client=$1
  shift
  timeout 5 "$client" -h localhost -p "$port" --cafile "$fleet/operator-ca.crt" --cert "$fleet/operator.crt" \
    --key "$fleet/operator.key" -i operator "$@"
}
kept() { # manifests that the broker keeps; "none" at least, as proof that it was asked
  as_operator mosquitto_sub --retained-only -t 'private/+/ota/manifest' -F '%t %l' -W 1
  [ $? -eq 27 ] && echo none more
}
expect "an update over a broker that stands elsewhere" 0 "10 updated, 0 refused" run update1 "$update"
leave_behind() {
  as_operator mosquitto_pub -r -q 1 -t private/00000001/ota/manifest -m garbage && echo left
}
expect "a run that was broken off leaves a manifest behind" 0 left leave_behind
expect "the same update once more, with the devices as they left the factory" 0 "10 updated, 0 refused" run update2 "$update"
expect "the broker keeps no manifest" 0 "^(Timed out )?none more" kept
expect "another listener by --broker" 0 "PASS" run other "$small" --broker "mqtts://localhost:$((port + 1))"
holds other "remote localhost:$((port + 1))"

# Topic isolation, with its positive control ------------------------------------------------------------------------------
trespass=$(sed 's/wait: {for: 500ms}/trespass: {share: 50%}/' "$small" | scenario trespass)
expect "a strict ACL stops trespassers" 0 "225 attempts.* 0 came through" run strict "$trespass"
open_acl
kill -HUP "$(cat "$broker/pid")"
expect "an open ACL does not, and the run says so" 1 "trespass.delivered == 0: observed [1-9]" run open "$trespass"
expect "the sessions of trespassers end with their run" 0 "PASS" run after "$small"
strict_acl
factory

# Hooks that are not there, or fail ---------------------------------------------------------------------------------------
present=$(sed 's/wait: {for: 500ms}/present: {root: B, cross: A}/' "$small" | scenario present)
no_hook=$(sed '/present: sh/d' "$present" | scenario no_hook)
expect "no hook for a step" 2 "no_hook.yaml:17:10: 'present' needs the hook 'present'" run no_hook "$no_hook"
expect "a hook that fails" 3 "the hook 'present' of the broker localhost ended with exit code 7.*broken/broker/hooks.log" \
  run broken "$present" --set 'broker.hooks.present=echo the disk is full; exit 7'
expect "its log holds what it printed" 0 "the disk is full" cat "$work/broken/broker/hooks.log"
holds broken '"verdict": "error"'
expect "a hook that does nothing" 1 "does not serve the new certificate after 10 s: do the hooks install" run idle "$present" --set broker.hooks.present=:
rollback=$(sed '/name: middle/a\    on_fail: rollback' "$present" | scenario rollback)
expect "a rollback through hooks" 1 "rolled back 1 step; 30 of 30 devices are online" \
  run rollback "$rollback" --set "phases[1].until=online == 0% within 200ms"
served() {
  openssl s_client -connect "localhost:$port" </dev/null 2>/dev/null | openssl x509 -noout -issuer
}
expect "the broker is back at root A" 0 "CN *= *fleetsim A brokers" served

# Beyond this machine: nothing without both words, not even a look at the name ----------------------------------------------
far=$(sed "s/localhost:/broker.invalid:/; s/^fleet:/targets: [broker.invalid]\nfleet:/" "$small" | scenario far)
no_target=$(grep -v '^targets:' "$far" | scenario no_target)
expect "neither opt-in" 3 "nothing was sent.*targets: \[broker.invalid\].*--allow-target broker.invalid" run far0 "$no_target"
expect "the command line's alone" 3 "nothing was sent.*targets: \[broker.invalid\]" \
  run far1 "$no_target" --allow-target broker.invalid
expect "the file's alone" 3 "nothing was sent.*\(done\) and pass --allow-target broker.invalid" run far2 "$far"
expect "both on the command line" 3 "nothing was sent.*for the file to say" \
  run far3 "$small" --set "targets=[broker.invalid]" --broker mqtts://broker.invalid:8883 --allow-target broker.invalid
for hook in present trust-clients reload restart publish-crl kick; do
  expect "the hook $hook beyond this machine" 3 "nothing was sent.*'::ffff:127.0.0.1' is beyond this machine" \
    run "far4-$hook" "$small" --set "broker.hooks.$hook=http://[::ffff:127.0.0.1]:$port/"
  called=$(sed "s/^fleet:/targets: [hook.invalid]\nfleet:/; /^  hooks:/a\    $hook: http://hook.invalid/" "$small" |
    sed "0,/^    $hook:/!{/^    $hook:/d}" | scenario called)
  expect "the hook $hook with the file's word alone" 3 "nothing was sent.*\(done\) and pass --allow-target hook.invalid" \
    run "far5-$hook" "$called"
done
expect "no password in what is refused" 2 "'mqtts://\*\*\*@localhost:1' is no address of a broker: it carries a user name" \
  run far6 "$small" --broker mqtts://bob:geheim@localhost:1
if grep -q geheim "$work/said"; then complain "a password is told"; fi

# The operator says by a device's name why it is not let in, and at once ---------------------------------------------------------
expect "a broker by a name that its certificate lacks" 3 \
  "cannot connect to 127.0.0.1:$port: connect.tls.name_mismatch: .* \(localhost\): write a name that it carries" \
  run name "$small" --broker "mqtts://127.0.0.1:$port" --set broker.prove-url=mqtts://127.0.0.1:$((port + 1))

# A proxy of the environment is nobody's business -----------------------------------------------------------------------------
proxied() {
  env http_proxy="http://127.0.0.1:1" https_proxy="http://127.0.0.1:1" HTTPS_PROXY="http://127.0.0.1:1" \
    all_proxy="http://127.0.0.1:1" "$fleetsim" run "$small" --fleet "$fleet" --out "$work/proxied"
}
expect "a run beside a proxy" 0 "PASS" proxied

# An existing fleet --------------------------------------------------------------------------------------------------------
pki() { # quietly; its words are shown when it fails
  openssl "$@" 2>"$work/said" || { name="openssl $1" complain "failed"; }
}
mint() { # SUBJECT FILE ISSUER EXTENSIONS
  pki req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$old/$2.key" -out "$old/$2.csr" -subj "/CN=$1"
  printf '%b\n' "$4" >"$old/extensions"
  pki x509 -req -in "$old/$2.csr" -CA "$old/$3.crt" -CAkey "$old/$3.key" -CAcreateserial -days 30 \
    -extfile "$old/extensions" -out "$old/$2.crt"
}
old=$work/old
mkdir "$old"
for root in one two; do
  pki req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=old root $root" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$old/$root.key" -out "$old/$root.crt"
done
mint localhost leaf one 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature'
echo 'id,key,certificate' >"$old/devices.csv"
for id in 0000a001 0000a002 0000a003 0000a004 0000a005; do
  mint $id $id one 'extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature'
  echo "$id,$id.key,$id.crt" >>"$old/devices.csv"
done
fleet=$work/imported
expect "import an existing fleet" 0 "roots one, two; 5 devices, 0000a001 to 0000a005, trusting one, two" \
  "$fleetsim" pki import "$fleet" --csv "$old/devices.csv" --roots-pem "one=$old/one.crt,two=$old/two.crt"
expect "its certificates are the old ones" 0 "imported .* under one" "$fleetsim" pki show "$fleet" --device 0000a003
expect "its client CA" 0 "1 root and the back office" \
  "$fleetsim" pki export "$fleet" --what client-ca --roots one --out "$old/clients.crt"
cp "$old/leaf.crt" "$work/main.crt"
cp "$old/leaf.key" "$work/main.key"
cp "$old/clients.crt" "$work/clients.crt"
factory
expect "a run with the imported fleet" 0 "PASS +small: 5 devices" run own-roots "$small" --devices 5 \
  --set "pki.roots=[one, two]" --set "pki.broker=one" --set "pki.trusted=[one, two]"
holds own-roots '"telemetry.lost": \{ "value": 0'
expect "no certificate is issued under a root without its key" 2 \
  "present.yaml:18:[0-9]+: 'present' needs a certificate under root 'two', and .*/imported does not hold" run keyless "$present" --devices 5 \
  --set "pki.roots=[one, two]" --set "pki.broker=one" --set "pki.trusted=[one, two]" \
  --set "phases[1].do[0].present={root: two}"

# The broker dies, somebody else's as it is: the run goes on, and its expectations fail --------------------------------------
"$fleetsim" run "$small" --fleet "$fleet" --out "$work/death" --devices 5 --set "phases[1].do[0].wait.for=1ms" \
  --set "phases[1].until=failures(connect.tcp.refused) >= 5 within 60s" --set "phases[2].do[0].drain.within=200ms" \
  --set "pki.roots=[one, two]" --set "pki.broker=one" --set "pki.trusted=[one, two]" >"$work/death.said" 2>&1 </dev/null &
runner=$!
for _ in $(seq 200); do
  [ "$(grep -c '"event": *"phase"' "$work/death/events.ndjson" 2>/dev/null)" = 2 ] && break
  sleep 0.05
done
expect "a folder in use" 3 "another fleetsim works on $fleet" run twice "$small" --devices 5
expect "a folder in use, seen by pki" 3 "another fleetsim works on" "$fleetsim" pki show "$fleet"
end_broker
wait "$runner"
code=$?
expect "a broker that dies" 1 "FAIL.*connect.tcp.refused.*devices.lost == 0: observed 5" sh -c 'cat "$1"; exit "$2"' sh "$work/death.said" "$code"

if grep -rqE 'PRIVATE KEY' "$work"/*/results.json "$work"/*/events.ndjson "$work"/*/junit.xml "$work"/*/broker/hooks.log; then
  name="no key is told" complain "a private key is in the results or logs"
fi
end_of_cases
