#!/bin/sh
# The books of messages at a broker of somebody else's: what an earlier run has left there, what it refuses or forbids,
# and what nobody hears because the back office is shut out. The broker is on loopback and belongs to this script.
# usage: message_books.sh PATH/TO/fleetsim
set -u
fleetsim=$1
. "$(dirname "$0")/lib/own_broker.sh"

# tells PATTERN: what the latest case must have written into its events
tells() {
  grep -qE -- "$1" "$work/out/events.ndjson" && return
  complain "events.ndjson does not hold '$1'"
}

make_small_fleet 6
begin_broker_on_a_free_port

# no expectation of its own: what everybody expects must do
plain=$(scenario plain <<YAML
name: plain
fleet: {devices: 6, telemetry: {every: 200ms}}
broker: {url: 'mqtts://localhost:$port'}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: stay, do: [wait: {for: 1s}]}
YAML
)

# An earlier run that was killed ------------------------------------------------------------------------------------------
# Its telemetry goes on into the session of its operator, and a bundle into those of its devices, which speak MQTT 3.1.1
# here and so cannot tell the broker to forget them.
killed=$(scenario killed <<YAML
name: killed
fleet: {devices: 6, telemetry: {every: 50ms}}
device: {mqtt: 3.1.1}
broker: {url: 'mqtts://localhost:$port'}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: away, do: [shelf: {share: 50%}, push-trust: {roots: [B, A], within: 1s}, wait: {for: 60s}]}
YAML
)
"$fleetsim" run "$killed" --fleet "$fleet" --out "$work/killed" >/dev/null 2>&1 &
first=$!
for _ in $(seq 200); do
  grep -q '"step": "wait"' "$work/killed/events.ndjson" 2>/dev/null && break
  sleep 0.05
done
kill -STOP "$(cat "$broker/pid")" # so that what the devices send stays on its way
sleep 0.3
kill -KILL "$first"
wait "$first" 2>/dev/null
kill -CONT "$(cat "$broker/pid")"
expect "what a killed run has left counts for nothing" 0 "PASS.* ([0-9]+) sent, \1 delivered, 0 lost, 0 duplicated" run "$plain"
holds '"telemetry.unaccounted": \{ "value": 0 \}'

# What a broker refuses or forbids ----------------------------------------------------------------------------------------
again 'pattern read private/%u/#'
expect "a broker that refuses telemetry is named" 1 \
  "refused.*publish.refused_not_authorised.*private/0000000./telemetry, MQTT reason 0x87.*x telemetry.refused == 0" run "$plain" \
  --set fleet.telemetry.every=1s --set 'phases[1].do=[wait: {for: 2s}]'
holds '"telemetry.acked": \{ "value": 0 \}'
tells '"event": "refused", "failure": "publish.refused_not_authorised"'
again "$own" "max_qos 0"
expect "what a broker's QoS forbids is not sent" 1 "0 sent, 0 delivered.*refused, .*not sent.*publish.refused_qos" run "$plain"
expect "who says what becomes of it may expect it" 0 "PASS" run "$plain" \
  --set 'expect=[telemetry.refused > 0, telemetry.sent == 0, failures(publish.refused_qos) > 0]'
again "$own" "max_packet_size 400"
expect "what is too large is not sent" 1 "0 sent, 0 delivered.*publish.refused_size" run "$plain" \
  --set fleet.telemetry.bytes=1024

again "$own" "message_size_limit 400"
expect "a refusal that MQTT does not list for a PUBACK is one" 1 \
  "publish.refused_size.*MQTT reason 0x95.*x telemetry.refused == 0" run "$plain" --set fleet.telemetry.bytes=1024 \
  --set 'phases[0].until=online == 100% within 2s' # this broker also ends the session

# At QoS 0 a broker may drop messages without a word ------------------------------------------------------------------------
silent() { run "$plain" --set "fleet.telemetry={every: 1s, qos: 0, $1}" --set 'phases[1].do=[wait: {for: 2s}]' "$2" "$3"; }
says_where() { holds '"observed": "0; .*ACL.*limit of size'; }
nothing="[1-9][0-9]* sent, 0 delivered.*lost by 6 devices: 0000000. .*x telemetry.delivered > 0: observed 0; "
again 'pattern read private/%u/#'
expect "at QoS 0 a fleet that may not write does not pass" 1 "$nothing" silent "bytes: 64" --set device.mqtt=3.1.1
says_where
expect "who says what becomes of it may expect that too" 0 "PASS" silent "bytes: 64" --set 'expect=[telemetry.lost > 0]'
office=write
again "$own"
expect "nor does one whose back office may not read" 1 "$nothing" silent "bytes: 64" --set device.mqtt=3.1.1
says_where
office=readwrite
again "$own" "message_size_limit 400"
expect "nor does one whose messages are too large" 1 "$nothing" silent "bytes: 1024" --set device.mqtt=3.1.1

# Somebody else takes the back office's session, for a second ------------------------------------------------------------
again "$own"
impostor() { # PATTERN FILE: once it is there
  for _ in $(seq 600); do
    grep -q "$1" "$2" 2>/dev/null && break
    sleep 0.05
  done
  timeout 1.5 mosquitto_sub -h localhost -p "$port" --cafile "$fleet/operator-ca.crt" --cert "$fleet/operator.crt" \
    --key "$fleet/operator.key" -i operator -c -t 'private/#' >/dev/null 2>&1
}
if command -v mosquitto_sub >/dev/null; then
  impostor 'New client connected.*0000000' "$broker/log" &
  expect "what somebody else heard instead is missed, at QoS 0 too" 1 \
    "FAIL.* back office away for.*x telemetry.unheard == 0: observed [1-9]" run "$plain" \
    --set 'fleet.telemetry={every: 100ms, qos: 0}' --set 'phases[1].do=[wait: {for: 2s}]'
  wait
  # what a step foretells of devices is no reason for the back office to be away
  again "$own"
  rm -rf "$work/out"
  impostor '"step": "wait"' "$work/out/events.ndjson" &
  expect "nor does a step about devices excuse that" 1 \
    "FAIL.* back office away for.*x telemetry.unheard == 0: observed [1-9]" run "$plain" \
    --set 'fleet.telemetry={every: 100ms, qos: 0}' --set 'phases[1].do=[trespass: {ids: [00000003]}, wait: {for: 5s}]'
  wait
else
  echo "skipped: no mosquitto_sub is installed to take a session"
fi

# A restart that puts a certificate in force which the back office refuses -----------------------------------------------------
again "$own"
"$fleetsim" pki export "$fleet" --what broker-chain --root A --host elsewhere --out "$work/elsewhere" >/dev/null
awk '/BEGIN/ { n++ } n == 1' "$broker/main.crt" >"$work/leaf.crt"
cat >"$work/restart.sh" <<HOOK
cp "\$1" "$broker/main.crt" && cp "\$2" "$broker/main.key"
pid=\$(cat "$broker/pid")
kill "\$pid"
while kill -0 "\$pid" 2>/dev/null; do sleep 0.02; done
mosquitto -d -c "$broker/conf" 2>/dev/null
HOOK
cp "$broker/main.crt" "$broker/main.key" "$work"
restart_with() { # CHAIN KEY
  run "$plain" --set "broker={url: 'mqtts://localhost:$port', hooks: {restart: 'sh $work/restart.sh $1 $2'}}" \
    --set 'phases[1].do=[restart-broker: {}]'
}
expect "is named, and not waited for" 1 \
  "step restart-broker: the hook 'restart' has ended, and after ([5-9]|1[0-9]) s .* is not back as it was: connect.tls.name_mismatch: " \
  restart_with "$work/elsewhere.crt" "$work/elsewhere.key"
cp "$work/main.crt" "$work/main.key" "$broker"
again "$own"
expect "... and so is one without its intermediate" 1 \
  "step restart-broker: the hook 'restart' has ended, and after ([5-9]|1[0-9]) s .* is not back as it was: connect.tls.not_trusted: " \
  restart_with "$work/leaf.crt" "$work/main.key"
cp "$work/main.crt" "$work/main.key" "$broker"

# The back office is shut out ---------------------------------------------------------------------------------------------
again "$own"
awk '/BEGIN/ { n++ } n == 1' "$broker/clients.crt" >"$broker/devices-only.crt"
shut_out() {
  for _ in $(seq 200); do
    grep -q 'New client connected.*0000000' "$broker/log" && break
    sleep 0.05
  done
  sed -i 's/clients.crt/devices-only.crt/' "$broker/conf"
  pid=$(cat "$broker/pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  mosquitto -d -c "$broker/conf" 2>/dev/null
}
shut_out &
expect "what the back office did not hear is told" 1 \
  "FAIL.*acknowledged by a broker.*back office.*away at the end.*x telemetry.unheard == 0.*x operator.online == 1" \
  run "$plain" --set 'phases[1].do=[wait: {for: 2s}]'
wait
tells '"event": "operator", "state": "lost"'
tells '"event": "operator", "state": "failed", "why": "[^"]+'

end_of_cases
