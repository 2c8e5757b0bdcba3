#!/bin/sh
# Devices try the topics of others, at brokers that let some of it through: whatever topic that is, in whichever
# direction, with and without telemetry, and where QoS 1 is not to be had. The broker is on loopback and belongs to this
# script.
# usage: topics.sh PATH/TO/fleetsim
set -u
fleetsim=$1
. "$(dirname "$0")/lib/own_broker.sh"
make_small_fleet 6
begin_broker_on_a_free_port

quiet=$(scenario quiet <<YAML
name: quiet
fleet: {devices: 6}
broker: {url: 'mqtts://localhost:$port'}
pki: {roots: [A, B], trusted: [A, B], broker: A}
reconnect: {policy: full-jitter, base: 50ms, cap: 200ms}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: trespass, do: [trespass: {share: 50%}]}
YAML
)

strict() { # VERSION ATTEMPTS
  expect "a strict list of rights keeps devices apart, MQTT $1" 0 "PASS.*trespass +$2 attempts.* 0 came through" \
    run "$quiet" --set "device.mqtt=$1"
}
strict 5 45
strict 3.1.1 45
expect "and topics of firmware" 0 "69 attempts.* 0 came through" run "$quiet" --set ota.slots=64KiB

crossed="FAIL.*[1-9][0-9]* came through.*x trespass.delivered == 0: observed [1-9]"
let_through() { # WHAT TOPIC options...; tests/unit/fleet has the whole list
  what=$1 topic=$2
  shift 2
  again "$own
pattern $what private/+/$topic"
  expect "everybody may $what $topic, and nothing else is sent there" 1 "$crossed" run "$quiet" "$@"
}
for topic in telemetry trust csr; do let_through write $topic; done
for topic in status trust cert; do let_through read $topic; done
let_through write ota/block --set ota.slots=64KiB
let_through read ota/get --set ota.slots=64KiB
again "$own
pattern write private/+/trust"
expect "a broker that gives no reasons: MQTT 3.1.1" 1 "$crossed" run "$quiet" --set device.mqtt=3.1.1

# Where there is no QoS 1 ----------------------------------------------------------------------------------------------------
for version in 5 3.1.1; do
  again "$own
pattern write private/+/cert/ack" "max_qos 0"
  expect "at QoS 0 a message that comes through is seen, MQTT $version" 1 "$crossed" run "$quiet" --set "device.mqtt=$version"
  again "$own" "max_qos 0"
  expect "and one that does not is none, MQTT $version" 0 "PASS.* 0 came through" run "$quiet" --set "device.mqtt=$version"
done

# Where nobody can tell -----------------------------------------------------------------------------------------------------
again 'pattern readwrite private/%u/trust/#
pattern write private/%u/telemetry
pattern write private/%u/status
pattern write private/%u/csr
pattern write private/%u/cert/ack'
unheard=", such as on private/0000000./cert: the broker has refused none"
expect "what a device may not hear itself shows nothing" 1 "FAIL.*step trespass.*attempts are undecided$unheard" run "$quiet"
expect "who knows that may say so" 0 "PASS" run "$quiet" --set 'phases[1].expect=[trespass.undecided > 0]'

# Devices that are off --------------------------------------------------------------------------------------------------------
again "$own"
expect "whoever is named and off has not tried" 1 "step trespass: 2 of 3 devices of the step are switched off" run "$quiet" \
  --set 'phases[1].do=[shelf: {ids: [00000002, 00000004]}, wait: {for: 300ms}, trespass: {ids: [00000002, 00000003, 00000004]}]'
expect "of a share it is said" 0 "2 of 6 devices of the step are switched off.*PASS|PASS.*2 of 6 devices of the step are" \
  run "$quiet" --set 'phases[1].do=[shelf: {ids: [00000002, 00000004]}, wait: {for: 300ms}, trespass: {share: 100%}]'

end_of_cases
