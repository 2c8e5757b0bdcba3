#!/bin/sh
# Whose operator it is: two runs share a broker, with operators and fleets of their own, and are told where both come as the
# same one; an operator with a certificate of the user's, at a place of its own, with none, and no operator. The broker is on loopback and
# belongs to this script, as does the CA of the fleets.
# usage: operators.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools="openssl"
. "$(dirname "$0")/lib/own_broker.sh"

# A CA of the team's, two fleets and an operator under it --------------------------------------------------------------------
cd "$work" || exit 1
new() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
for r in a b; do
  new root-$r
  openssl req -x509 -new -key root-$r.key -subj "/CN=root $r" -days 30 -out root-$r.pem
done
printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n' >client.ext
printf 'keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n' >server.ext
sign() { # NAME EXTENSIONS CN
  new "$1"
  openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA root-a.pem -CAkey root-a.key -CAcreateserial -extfile "$2" -days 30 -out "$1.crt" 2>/dev/null
}
sign broker/main server.ext localhost
sign office client.ext acme-office
for fleet in one two; do
  echo key,certificate >$fleet.csv
  for i in 1 2 3 4; do
    sign $fleet-$i client.ext $fleet-$i
    echo $fleet-$i.key,$fleet-$i.crt >>$fleet.csv
  done
  "$fleetsim" pki import fleet-$fleet --csv $fleet.csv --id-from cn --roots-pem A=root-a.pem,B=root-b.pem >/dev/null 2>&1 ||
    { echo "FAIL no fleet"; exit 1; }
  "$fleetsim" pki export fleet-$fleet --what client-ca --roots A --out of-$fleet.pem >/dev/null || exit 1
done
cat of-one.pem of-two.pem >broker/clients.crt
office=readwrite
own='pattern readwrite private/%u/#

user acme-office
topic readwrite private/#'
begin_broker_on_a_free_port

plan() { # NAME CLIENT-ID LINES...: of a run of ten seconds
  name=$1 id=$2
  shift 2
  scenario "$name" <<YAML
name: $name
fleet: {devices: 4, telemetry: {every: 50ms}}
broker: {url: 'mqtts://localhost:$port'}
operator: {client-id: $id$*}
pki: {roots: [A, B], trusted: [A, B], broker: A}
reconnect: {policy: fixed, base: 200ms}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 20s}
  - {name: work, do: [push-trust: {roots: [B, A]}, wait: {for: $pause}, drain: {within: 5s}]}
YAML
}
run() { "$fleetsim" run "$1" --fleet "$2" --out "$3" --overwrite; }

pause=8s
# Two at a time -------------------------------------------------------------------------------------------------------------
both() { # CLIENT-ID CLIENT-ID: what both said, and the sum of their exit codes
  one=$(plan one "$1")
  two=$(plan two "$2")
  run "$one" fleet-one out-one >said-one 2>&1 &
  run "$two" fleet-two out-two >said-two 2>&1
  second=$?
  wait $!
  first=$?
  cat said-one said-two
  return $((first + second))
}
expect "two runs with operators of their own do not meet" 0 "PASS one:.* 0 lost,.*PASS two:.* 0 lost," both office-one office-two
rival="does another run come as 'office'\? Give each its own, operator: \{client-id: NAME\}"
expect "two that come as one are told so, both of them" 2 "FAIL one:.*$rival.*FAIL two:.*$rival" both office office

pause=500ms
# Whose certificate, and where ------------------------------------------------------------------------------------------------
expect "a certificate of the user's own" 0 "PASS.* 0 lost," \
  run "$(plan own acme ", cert: office.crt, key: office.key, ca: root-a.pem")" fleet-one out-own
if ! grep -q "acme-office\|as acme" "$broker/log"; then name="its own certificate" complain "the broker has not seen it"; fi
expect "one that does not trust the broker's CA says so" 3 "the operator cannot connect to localhost.*not_trusted" \
  run "$(plan stranger acme ", ca: root-b.pem")" fleet-one out-own
chmod 640 office.key
expect "a key that others can read is refused" 3 "open.yaml:4:[0-9]+: others can get at the private key in office.key .mode 0640." \
  run "$(plan open acme ", cert: office.crt, key: office.key")" fleet-one out-own
chmod 600 office.key
expect "a place of its own" 0 "PASS.* 0 lost," run "$(plan apart acme ", url: 'mqtts://localhost:$port'")" fleet-one out-own
expect "a place beyond this machine needs both words" 3 "nothing was sent: 'far.example' is beyond this machine" \
  run "$(plan far acme ", url: 'mqtts://far.example:8883'")" fleet-one out-own
expect "no certificate where one is wanted" 3 "the operator cannot connect.*(refused_no_certificate|refused_parameters)" \
  run "$(plan bare acme ", cert: none")" fleet-one out-own

# No operator ---------------------------------------------------------------------------------------------------------------
: >"$broker/log"
nobody=$(scenario nobody <<YAML
name: nobody
operator: none
fleet: {devices: 4, telemetry: {every: 50ms}}
broker: {url: 'mqtts://localhost:$port'}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 20s}
  - {name: work, do: [wait: {for: 500ms}, drain: {within: 5s}]}
expect: [telemetry.acked > 20]
YAML
)
expect "without one what arrived is not known" 0 \
  "PASS nobody:.*operator: none: nobody knows which messages arrived.* sent, [0-9]+ acknowledged, 0 not; what arrived is not known" \
  run "$nobody" fleet-one out-nobody
if grep -qE "as (operator|acme|office)|acme-office" "$broker/log" || ! grep -q "as one-1" "$broker/log"; then
  name="no operator" complain "the broker has seen $(grep -o ' as [^ ]*' "$broker/log" | sort -u | tr '\n' ' ')"
fi
expect "and report knows no more" 0 "what arrived is not known" "$fleetsim" report out-nobody
end_of_cases
