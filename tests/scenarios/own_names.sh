#!/bin/sh
# A fleet with serial numbers for names, topics and client ids of its owner's form: its day on a mosquitto of its own, behind a
# terminator and on two bridged ones; and what is refused before anything is begun.
# usage: own_names.sh PATH/TO/fleetsim
set -u
fleetsim=$1
command -v mosquitto >/dev/null || { echo "skipped: mosquitto is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
cd "$work" || exit 1

# One line of YAML each, so that a case can set it.
head_of() { # DEVICES
  cat <<YAML
name: names of one's own
fleet: {devices: $1, names: "SN-2026-{index:06}", telemetry: {every: 300ms, qos: 1}}
topics: {telemetry: "acme/v1/{id}/up", control: "acme/v1/{id}/fleetsim/"}
pki: {roots: [A, B, spare], trusted: [A, B], broker: A, clients: [A]}
reconnect: {policy: full-jitter, base: 100ms, cap: 500ms}
limits: {run: 2m}
YAML
}
has_names() { # OUT, CASE
  name=$2
  grep -q '"device": "SN-2026-000003"' "$1/events.ndjson" || complain "no event of SN-2026-000003"
  grep -q '"device": "0000' "$1/events.ndjson" && complain "an event has a number for a name"
}

day=$({ head_of 50; cat <<'YAML'
ota: {slots: 64KiB, block: 1KiB}
phases:
  - name: online
    do: [connect: {rate: 200/s}]
    until: online == 100% within 20s
  - name: teach B
    do: [push-trust: {roots: [B, spare, A], waves: [10%, 100%]}]
    until: trusting(B) == 100% within 10s
  - name: prove B
    do: [prove: {root: B}]
    until: proven(B) == 100% within 10s
  - name: reissue
    do: [trust-clients: {roots: [A, B]}, reissue: {root: B}, reconnect: {}]
    until: identified(B) == 100% within 10s
  - name: update
    do: [ota.publish: {image: v2, version: 1.1.0, size: 20KiB}, ota.rollout: {image: v2, within: 20s}]
    until: updated(v2) == 100% within 10s
  - name: trespass
    do: [trespass: {share: 10%}]
    until: trespass.attempts == 115 within 10s
  - name: one is stolen
    do: [revoke: {ids: [SN-2026-000003]}, kick: {ids: [SN-2026-000003]}]
    until: refused(refused_revoked) == 1 within 10s
    expect: [online == 49, revoke.cut_ms.count == 1]
  - name: found again
    do: [unrevoke: {ids: [SN-2026-000003]}]
    until: online == 100% within 10s
  - name: drain
    do: [drain: {within: 10s}]
expect: [telemetry.lost == 0, trespass.delivered == 0, devices.lost == 0, reported(confirmed) == 100%]
YAML
} | scenario day)
expect "a day of fifty" 0 "PASS" "$fleetsim" run "$day" --out day
has_names day "fifty go by their names"
name="one pattern is enough for mosquitto"
[ "$(grep -c . day/broker/acl)" -eq 4 ] || { cp day/broker/acl said; complain "the ACL has more lines"; }

few=$({ head_of 8; cat <<'YAML'
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: teach B
    do: [push-trust: {roots: [B, spare, A]}]
    until: trusting(B) == 100% within 10s
  - name: trespass
    do: [trespass: {share: 25%}]
  - name: one is stolen
    do: [revoke: {ids: [SN-2026-000003]}, kick: {ids: [SN-2026-000003]}]
    until: refused(refused_revoked) == 1 within 10s
    expect: [online == 7]
  - name: found again
    do: [unrevoke: {ids: [SN-2026-000003]}, restart-broker: {}]
    until: online == 100% within 10s
  - name: drain
    do: [drain: {within: 10s}]
expect: [telemetry.lost == 0, trespass.delivered == 0, devices.lost == 0]
YAML
} | scenario few)
expect "behind a terminator, with client ids that are no names" 0 "PASS" "$fleetsim" run "$few" --out fronted \
  --set 'broker={local: mosquitto, terminator: {crl: live}}' --set 'fleet.client-id=unit {index}@acme'
has_names fronted "behind the terminator, too"
expect "on two bridged brokers" 0 "PASS" "$fleetsim" run "$few" --out bridged \
  --set 'broker={local: mosquitto, nodes: [a, b], bridge: yes}' --set 'reconnect.endpoints=shuffled' \
  --set 'phases[4].do=[unrevoke: {ids: [SN-2026-000003]}]'
expect "topics that are no whole level" 0 "PASS" "$fleetsim" run "$few" --out apart \
  --set 'topics.telemetry=t/unit-{index}' --set 'topics.control=c-{id}/'
name="each user has lines of his own"
grep -q '^user SN-2026-000003$' apart/broker/acl && grep -q '^topic readwrite t/unit-3$' apart/broker/acl ||
  { cp apart/broker/acl said; complain "not in the ACL"; }

# A folder with names ----------------------------------------------------------------------------------------------------------
expect "made by a template" 0 "8 devices, SN-2026-000000 to SN-2026-000007, trusting A, B" "$fleetsim" pki make lab \
  --devices 8 --names 'SN-2026-{index:06}' --trusted A,B
expect "and used by a run that says the same" 0 "PASS" "$fleetsim" run "$few" --fleet lab --out lab-out
expect "but not by one that says another" 2 \
  "few.yaml:2:28: 'names' makes the fleet's device 0 'X0', and in lab it is called 'SN-2026-000000'" \
  "$fleetsim" check "$few" --fleet lab --set 'fleet.names=X{index}'
expect "a template for one" 2 "'SN-1{{' is the same for all devices: let .index. be in it" "$fleetsim" pki make bad \
  --devices 8 --names 'SN-1{{'
printf '\357\273\277site;id\r\nnorth;pump 7\r\nsouth;pump 8\r\n' >list.csv
expect "made by a list with columns" 0 "2 devices, pump 7 to pump 8" "$fleetsim" pki make pumps --names list.csv
printf 'AA:BB\nurn:dev:x\n\n' >lines
expect "made by a list of names" 0 "2 devices, AA:BB to urn:dev:x" "$fleetsim" pki make macs --names lines
printf 'a\nb/c\n' >bad.txt
expect "a list with what is no name" 2 "bad.txt:2: 'b/c' is no name of a device: its character number 2" \
  "$fleetsim" pki make bad --names bad.txt
printf 'a\nb\na\n' >twice.txt
expect "a list with a name twice" 2 "there is a device a already" "$fleetsim" pki make bad --names twice.txt
printf 'a\nb\n' >two.txt
expect "a list of another length" 2 "two.txt has 2 names, and --devices says 3" "$fleetsim" pki make bad --names two.txt \
  --devices 3
expect "neither number nor list" 2 "--devices is missing" "$fleetsim" pki make bad
[ ! -e bad ] || { name="nothing stays" complain "the folder 'bad' is there"; }

# Refused ----------------------------------------------------------------------------------------------------------------------
refused() { # NAME PATTERN SETTING
  expect "$1" 2 "$2" "$fleetsim" check "$few" --set "$3"
}
refused "the same topic for all" "few.yaml:3:21: the telemetry topic 'acme/up' is the same for all" 'topics.telemetry=acme/up'
refused "a wildcard" "character 6: a topic has no '\\+'" 'topics.telemetry=acme/+/{id}'
refused "telemetry where answers go" "few.yaml:3:21: 'acme/v1/SN-2026-000000/fleetsim/status' of device" \
  'topics.telemetry=acme/v1/{id}/fleetsim/status'
refused "a column that is nowhere" "device SN-2026-000000 has no .site." 'topics.telemetry=acme/{site}/{id}'
refused "a topic that is too long" "is longer than 112 bytes for device SN-2026-000000" \
  'topics.control=x/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/'
end_of_cases
