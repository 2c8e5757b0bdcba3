#!/bin/sh
# Revocation by hand and from elsewhere: the pki verbs, lists that somebody else made, and a staging broker whose hooks
# take the list and end sessions. The broker here is on loopback and belongs to this script.
# usage: revocation.sh PATH/TO/fleetsim
set -u
fleetsim=$1
for tool in mosquitto openssl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
fleet=$work/fleet
broker=$work/broker
mkdir "$broker"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/mosquitto.sh"

run() { # NAME SCENARIO options...: on the fleet folder
  run_name=$1 run_scenario=$2
  shift 2
  "$fleetsim" run "$run_scenario" --fleet "$fleet" --out "$work/$run_name" "$@"
}

# The verbs ---------------------------------------------------------------------------------------------------------------
expect "make a fleet" 0 "20 devices" "$fleetsim" pki make "$fleet" --devices 20 --roots A,spare
expect "make another of the same names" 0 "2 devices" "$fleetsim" pki make "$work/other" --devices 2 --roots A,spare
expect "revoke" 0 "device 00000002: 1 certificate revoked \(superseded\)" \
  "$fleetsim" pki revoke "$fleet" --device 00000002 --reason superseded
expect "revoke again" 0 "0 certificates revoked.*was revoked before" "$fleetsim" pki revoke "$fleet" --device 00000002
expect "revoke a stranger" 2 "no device 000000ff" "$fleetsim" pki revoke "$fleet" --device 000000ff
expect "revoke for no reason of RFC 5280" 2 "'lost' is no reason of RFC 5280; use one of unspecified" \
  "$fleetsim" pki revoke "$fleet" --device 00000003 --reason lost
expect "show" 0 "revoked 20.* by A-devices, serial [0-9a-f]{32}, device 00000002 \(superseded\)" "$fleetsim" pki show "$fleet"
expect "show as JSON" 0 '"reason": "superseded".*"device": "00000002"' "$fleetsim" pki show "$fleet" --json
expect "make the list" 0 "the CRLs of 2 roots" "$fleetsim" pki crl "$fleet" --out "$work/good.pem" --entries 5
expect "the list is what OpenSSL takes for one" 0 "v2|Version 2.*X509v3 CRL Number" \
  openssl crl -in "$work/good.pem" -noout -text
expect "a list goes over a list" 0 "the CRLs of 2 roots" "$fleetsim" pki crl "$fleet" --out "$work/good.pem"
expect "and over nothing else" 2 "holds no CRL" "$fleetsim" pki crl "$fleet" --out "$fleet/ca/A.key"
expect "a list that has expired" 0 "the CRLs" "$fleetsim" pki crl "$fleet" --out "$work/old.pem" --next-update=-1h
expect "a time without unit" 2 "'7' has no unit" "$fleetsim" pki crl "$fleet" --out "$work/old.pem" --next-update 7
expect "the list of another fleet" 0 "the CRLs" "$fleetsim" pki crl "$work/other" --out "$work/other.pem"
expect "unrevoke" 0 "the revocation of 1 certificate is taken back" "$fleetsim" pki unrevoke "$fleet" --device 00000002
expect "unrevoke again" 2 "is not revoked" "$fleetsim" pki unrevoke "$fleet" --device 00000002

# Lists from elsewhere: looked at before anything is sent ------------------------------------------------------------------
file=$(scenario file <<YAML
name: a list from elsewhere
fleet: {devices: 20}
pki: {roots: [A, spare]}
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: baseline
    do: [connect: {rate: 200/s}]
    until: online == 100% within 10s
  - name: publish
    do:
      - publish-crl: {file: $work/good.pem}
      - reconnect: {rate: 200/s, within: 3s}
    expect: [revoked == 1, refused(refused_revoked) == 1, revoke.collateral == 0]
YAML
)
expect "a list that is good" 0 "PASS" run good "$file"
expect "another fleet's" 2 "file.yaml:11:[0-9]+ .*other.pem: the CRL of 'fleetsim .*' is not signed by this fleet's" \
  run other "$file" --set "phases[1].do[0].publish-crl.file=$work/other.pem"
expect "an expired one" 2 "old.pem: the CRL of 'fleetsim .*' has expired" \
  run expired "$file" --set "phases[1].do[0].publish-crl.file=$work/old.pem"
expect "none" 2 "file.yaml:11:[0-9]+ .*ca/A.crt does not hold whole CRLs" \
  run none "$file" --set "phases[1].do[0].publish-crl.file=$fleet/ca/A.crt"
if ls "$work"/other/broker/mosquitto.log "$work"/expired/broker/mosquitto.log "$work"/none/broker/mosquitto.log 2>/dev/null; then
  echo "FAIL a broker was started for a list that was refused"
  failed=$((failed + 1))
fi
unchecked=$(sed 's/{file: .*/{file: OLD, unchecked: yes}/; s/expect: .*/expect: [revoke.collateral == 19]/' \
  "$file" | sed "s,OLD,$work/old.pem," | scenario unchecked)
expect "an expired one on purpose" 1 "connect.tls.refused_expired.*devices.lost == 0: observed 19" run unchecked "$unchecked"

# A staging broker ---------------------------------------------------------------------------------------------------------
end_broker() { mosquitto_end "$broker"; }

begin_broker() { # PORT
  cat >"$broker/conf" <<CONF
user $(id -un)
pid_file $broker/pid
allow_anonymous false
acl_file $broker/acl
log_dest file $broker/log
listener $1 127.0.0.1
tls_version tlsv1.3
cafile $broker/clients.crt
crlfile $broker/crl.pem
certfile $broker/main.crt
keyfile $broker/main.key
require_certificate true
use_identity_as_username true
CONF
  mosquitto_begin "$broker"
}

# A takeover in MQTT's own words: CONNECT under the client's id, with the operator's certificate.
cat >"$work/kick" <<HOOK
{ printf '\020\024\000\004MQTT\004\000\000\036\000\010%s' "\$FLEETSIM_DEVICE"; sleep 0.3; } |
  openssl s_client -quiet -no_ign_eof -connect localhost:\$1 -cert "$fleet/operator.crt" -key "$fleet/operator.key" >/dev/null 2>&1
echo "\$FLEETSIM_ACTION \$FLEETSIM_DEVICE"
HOOK

"$fleetsim" pki export "$fleet" --what client-ca --roots A --out "$broker/clients.crt" >/dev/null
"$fleetsim" pki export "$fleet" --what broker-chain --root A --host localhost --out "$broker/main" >/dev/null
"$fleetsim" pki crl "$fleet" --out "$broker/crl.pem" >/dev/null
printf 'user operator\ntopic readwrite private/#\n\npattern readwrite private/%%u/#\n' >"$broker/acl"
for try in $(seq 20); do
  port=$((20000 + ($$ * 3 + try * 257) % 12000))
  begin_broker "$port" && break
done

staging=$(scenario staging <<YAML
name: a stolen device, staging
fleet: {devices: 20}
pki: {roots: [A, spare]}
broker:
  url: mqtts://localhost:$port
  hooks:
    publish-crl: cp "\$FLEETSIM_CRL" $broker/crl.pem && kill -HUP \$(cat $broker/pid)
    kick: sh $work/kick $port
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: baseline
    do: [connect: {rate: 200/s}]
    until: online == 100% within 10s
  - name: revoke, and end the session
    do:
      - revoke: {ids: [00000005]}
      - kick: {ids: [00000005]}
    until: refused(refused_revoked) == 1 within 10s
    expect: [online == 19, revoke.cut_ms.count == 1]
  - name: take it back
    do: [unrevoke: {ids: [00000005]}]
    until: online == 100% within 10s
expect: [revoke.collateral == 0, revoke.uncut == 0]
YAML
)
expect "revocation through hooks" 0 "PASS" run staging "$staging"
expect "the hooks ran" 0 "kick 00000005" cat "$work/staging/broker/hooks.log"
no_publish=$(sed '/publish-crl: cp/d' "$staging" | scenario no_publish)
expect "no hook for the list" 2 "no_publish.yaml:[0-9]+:[0-9]+: 'revoke' needs the hook 'publish-crl'" run no1 "$no_publish"
no_kick=$(sed '/kick: sh/d' "$staging" | scenario no_kick)
expect "no hook for a kick" 2 "no_kick.yaml:[0-9]+:[0-9]+: 'kick' needs the hook 'kick'" run no2 "$no_kick"

# A session ticket of before the list ---------------------------------------------------------------------------------------
ticket=$(sed '/^expect:/,$d; /revoke.resumed_accepts/d' "$(dirname "$0")/ticket-outlives-revocation.broken.yaml" | scenario ticket)
expect "a ticket that the list does not end is told of as one" 1 \
  "observed 1; so many .*: 1 of 1 times with a session ticket \(revoke.resumed_accepts\).* A new key, or a restart, ends the old tickets" \
  run ticket "$ticket"

if grep -rqE 'PRIVATE KEY' "$work"/*/results.json "$work"/*/events.ndjson "$work"/*/broker/hooks.log; then
  echo "FAIL a private key is in the results or logs"
  failed=$((failed + 1))
fi
end_of_cases
