#!/bin/sh
# Where a broker is and what it is called: by an IPv6 address, by a name that is not the address, with an application
# protocol, and which names its certificate may carry. The broker is on loopback and belongs to this script.
# usage: addresses.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools="openssl"
. "$(dirname "$0")/lib/own_broker.sh"
make_small_fleet 4

serve() { # HOST ADDRESS: a chain for that host, at that address
  end_broker
  rm -f "$broker"/main.*
  "$fleetsim" pki export "$fleet" --what broker-chain --root A --host "$1" --out "$broker/main" >/dev/null || exit 1
  begin_broker "$own"
  sed -i "s/^listener .*/listener $port $2/" "$broker/conf"
  end_broker
  mosquitto_begin "$broker"
}
begin_broker_on_a_free_port

plan() { # NAME URL LINES...
  name=$1 url=$2
  shift 2
  scenario "$name" <<YAML
name: $name
fleet: {devices: 4, telemetry: {every: 100ms}}
broker: {url: '$url'$*}
pki: {roots: [A, B], trusted: [A, B], broker: A}
reconnect: {policy: fixed, base: 200ms}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 5s}
  - {name: quiet, do: [wait: {for: 500ms}, drain: {}]}
YAML
}

expect "a name apart from the address" 0 "PASS.* 0 lost," run "$(plan apart "mqtts://127.0.0.1:$port" ", server-name: localhost")"
expect "which a check tells" 0 "mqtts://127.0.0.1:$port whose name is localhost" \
  "$fleetsim" check "$(plan told "mqtts://127.0.0.1:$port" ", server-name: localhost")"
expect "and which the certificate must carry" 1 "connect.tls.name_mismatch +[0-9]+" \
  run "$(plan other "mqtts://127.0.0.1:$port" ", server-name: mqtt.example")"
expect "an application protocol is offered, and a broker that takes no notice lets in" 0 "PASS" \
  run "$(plan alpn "mqtts://localhost:$port")" --set device.alpn=x-amzn-mqtt-ca

serve mqtt.example 127.0.0.1
expect "a name that leads nowhere is dialled by an address" 0 "PASS.* 0 lost," \
  run "$(plan nowhere "mqtts://127.0.0.1:$port" ", server-name: mqtt.example")"

if [ -e /proc/net/if_inet6 ] && grep -q '^0*1 ' /proc/net/if_inet6; then
  serve ::1 ::1
  expect "an IPv6 address that its certificate carries" 0 "PASS.* 0 lost," run "$(plan six "mqtts://[::1]:$port")"
  serve localhost ::1
  expect "an IPv6 address, and a name" 0 "PASS.* 0 lost," run "$(plan named-six "mqtts://[::1]:$port" ", server-name: localhost")"
  expect "an IPv6 address that it does not carry" 3 "name_mismatch" run "$(plan wrong-six "mqtts://[::1]:$port")"
else
  echo "skipped: this machine has no IPv6"
fi
end_of_cases
