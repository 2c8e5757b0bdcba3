#!/bin/sh
# Telemetry in the words of a user, at a broker of somebody else's: JSON and a line of text are counted as the binary
# message is; what is dropped, altered on its way or of another run is seen; and what nobody can know is not claimed.
# The broker is on loopback and belongs to this script.
# usage: payloads.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools="mosquitto_sub mosquitto_pub"
. "$(dirname "$0")/lib/own_broker.sh"
engine=
trap 'end_engine; end_broker; rm -rf "$work"' EXIT

make_small_fleet 6
begin_broker_on_a_free_port
# paths of ours have no blanks
as_operator="-h localhost -p $port --cafile $fleet/operator-ca.crt --cert $fleet/operator.crt --key $fleet/operator.key"

printf '%s\n' '{"meta":{"seq":{seq},"t":{unix_ms},"of":"{id}"},' '"temp":{random:18.0..24.0}}' >"$work/uplink.json"
json=$(scenario json <<YAML
name: json
fleet:
  devices: 6
  telemetry: {every: 200ms, payload: '@uplink.json', seq-at: \$.meta.seq, time-at: \$.meta.t}
broker: {url: 'mqtts://localhost:$port'}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: stay, do: [wait: {for: 2s}]}
YAML
)

sent='PASS.* ([1-9][0-9]*) sent, \1 delivered, 0 lost, 0 duplicated'
expect "of JSON in a file none is lost" 0 "$sent" run "$json" \
  --set 'expect=[telemetry.altered == 0, telemetry.latency_ms.p50 < 5s, telemetry.delivered > 30]'
holds '"numbered": true, "timed": true, "checked": "every byte'
expect "nor of a line of text, whose time nobody reads" 0 "$sent.*latency is not known" run "$json" \
  --set "fleet.telemetry={every: 200ms, payload: 'of {id} n={seq} t={unix_ms} c={counter}', seq-at: n=}"
holds '"telemetry.latency_ms": \{ "count": 0,'

# A rule engine that puts the message back with another figure in it, and at last one of another run
begin_engine() { # ID SED-SCRIPT
  mkfifo "$work/$1"
  # shellcheck disable=SC2086
  mosquitto_sub $as_operator -i "$1" -F '%t %p' -t 'private/+/telemetry' >"$work/$1" 2>/dev/null &
  engine=$!
  while read -r topic message; do
    case $message in
    *99.9* | *1234567890*) ;; # its own
    *) # shellcheck disable=SC2086
      mosquitto_pub $as_operator -i "$1-pub" -q 1 -t "$topic" -m "$(echo "$message" | sed "$2")" 2>/dev/null ;;
    esac
  done <"$work/$1" &
}
end_engine() {
  [ -z "$engine" ] || kill "$engine" 2>/dev/null
  engine=
}
one_line="fleet.telemetry={every: 1s, payload: '{\"seq\":{seq},\"temp\":{random:18.0..24.0}}', seq-at: \$.seq}"
begin_engine alters 's/"temp":..../"temp":99.9/'
expect "a figure that was altered on its way is seen" 1 "altered on their way.*x telemetry.altered == 0: observed [1-9]" \
  run "$json" --set "$one_line"
holds '"telemetry.lost": \{ "value": 0 \}'
end_engine
begin_engine foreign 's/"seq":[0-9]*/"seq":1234567890000001/'
expect "and one of another run counts for nothing" 0 "$sent.* of another run" run "$json" --set "$one_line"
end_engine

# A broker that acknowledges what it drops
again "$own" "message_size_limit 400"
printf '{"seq":{seq},"long":"%0500d"}' 0 >"$work/long.json"
too_long="{every: 1s, qos: 0, payload: '@long.json'"
expect "what a broker drops at QoS 0 is missed" 1 "x telemetry.delivered > 0: observed 0" run "$json" \
  --set device.mqtt=3.1.1 --set "fleet.telemetry=$too_long, seq-at: \$.seq}"
expect "without a number it is seen that nothing came at all" 1 \
  "what arrived is not known.*x telemetry.unnumbered > 0: observed 0" run "$json" \
  --set device.mqtt=3.1.1 --set "fleet.telemetry=$too_long}"
again "$own"
expect "without a number nothing is claimed" 0 "PASS.*[1-9][0-9]* acknowledged, 0 not; what arrived is not known" run "$json" \
  --set "fleet.telemetry={every: 200ms, payload: '{\"temp\":{random:18.0..24.0}}'}"
holds '"telemetry.delivered": \{ "value": null \}'
holds '"numbered": false, "timed": false, "checked": ""'

# Before anything is sent
expect "an expectation on what nobody knows is refused" 2 "json.yaml:[0-9]+:[0-9]+: 'telemetry.lost' is not known" \
  "$fleetsim" check "$json" --set 'fleet.telemetry={payload: x}' --set 'expect=[telemetry.lost == 0]'
printf '{"meta":\n  {"seq":{sequence}}}\n' >"$work/uplink.json"
expect "a place that there is not is refused in its own file" 2 "/uplink.json:2:10: there is no such place: \{seq\}" \
  "$fleetsim" check "$json"

end_of_cases
