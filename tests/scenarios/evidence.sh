#!/bin/sh
# What counts is what happened: the certificate that a broker accepted, the chain that each address serves, the clients
# that it takes. The brokers here stand on loopback and belong to this script.
# usage: evidence.sh PATH/TO/fleetsim
set -u
fleetsim=$1
for tool in mosquitto openssl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'end_brokers; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
here=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/lib/mosquitto.sh"
more_of_the_failure() { tail -n 3 "$work"/[ab]/log 2>&1 | sed 's/^/     broker | /'; }

# Two brokers of one service, a and b ---------------------------------------------------------------------------------------
configure() { # FOLDER PORT
  cat >"$1/conf" <<CONF
user $(id -un)
pid_file $1/pid
listener $2 127.0.0.1
tls_version tlsv1.3
cafile $1/clients.crt
certfile $1/main.crt
keyfile $1/main.key
require_certificate $3
$([ -e "$1/crl.pem" ] && echo "crlfile $1/crl.pem")
$([ "$3" = true ] && echo "use_identity_as_username true" || echo "allow_anonymous true")
log_dest file $1/log
CONF
}

begin_broker() { # FOLDER PORT [false: it asks for no certificate]
  configure "$1" "$2" "${3:-true}"
  mosquitto_begin "$1"
}

end_brokers() {
  mosquitto_end "$work/a"
  mosquitto_end "$work/b"
}

begin_brokers() { # CERTIFICATE KEY CLIENT-CA
  for n in a b; do
    mkdir -p "$work/$n"
    cp "$1" "$work/$n/main.crt" && cp "$2" "$work/$n/main.key" && cp "$3" "$work/$n/clients.crt"
  done
  for try in $(seq 20); do
    port=$((20000 + ($$ * 2 + try * 254) % 12000))
    begin_broker "$work/a" "$port" && begin_broker "$work/b" $((port + 1)) && return 0
    end_brokers
  done
  echo "FAIL no free pair of ports for the brokers"
  cat "$work/a/log" "$work/b/log"
  exit 1
}

run() { # NAME FLEET SCENARIO options...
  run_name=$1 run_fleet=$2 run_scenario=$3
  shift 3
  "$fleetsim" run "$run_scenario" --fleet "$run_fleet" --out "$work/$run_name" "$@"
}

# identified(ROOT): certificates that somebody else has made ------------------------------------------------------------------
pki() { # quietly; its words are shown when it fails
  openssl "$@" 2>"$work/said" || { name="openssl $1" complain "failed"; }
}
old=$work/old
mkdir "$old"
ca='keyUsage=critical,keyCertSign,cRLSign\nbasicConstraints=critical,CA:TRUE'
client='extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature'
request() { # SUBJECT FILE
  pki req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$old/$2.key" -out "$old/$2.csr" -subj "/CN=$1"
}
sign() { # FILE ISSUER EXTENSIONS
  printf '%b\n' "$3" >"$old/extensions"
  pki x509 -req -in "$old/$1.csr" -CA "$old/$2.crt" -CAkey "$old/$2.key" -CAcreateserial -days 30 \
    -extfile "$old/extensions" -out "$old/$1.crt"
}
for root in A B; do
  pki req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=root $root" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$old/$root.key" -out "$old/$root.crt"
done
request "devices of A" devices && sign devices A "$ca"
request localhost leaf && sign leaf A 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature'
for id in 00000001 00000002 00000003; do
  request $id $id && sign $id devices "$client"
  cat "$old/$id.crt" "$old/devices.crt" >"$old/$id.pem"
  echo "$id,$id.key,$id.pem" >>"$old/whole.csv"
  echo "$id,$id.key,$id.crt" >>"$old/leaf-only.csv"
  pki req -x509 -key "$old/$id.key" -subj "/CN=$id" -days 30 -out "$old/$id.own"
  echo "$id,$id.key,$id.own" >>"$old/own.csv"
done
cp "$old/A.crt" "$old/all.crt"
cat "$old/devices.crt" "$old"/*.own >>"$old/all.crt"
for fleet in whole leaf-only own; do
  "$fleetsim" pki import "$work/$fleet" --csv "$old/$fleet.csv" --roots-pem "A=$old/A.crt,B=$old/B.crt" >/dev/null 2>&1
  "$fleetsim" pki export "$work/$fleet" --what client-ca --roots A --out "$work/$fleet.ca" >/dev/null
  cat "$work/$fleet.ca" >>"$old/all.crt"
done
begin_brokers "$old/leaf.crt" "$old/leaf.key" "$old/all.crt"
identified=$(scenario identified <<YAML
name: identified
fleet: {devices: 3}
broker: {url: mqtts://localhost:$port}
pki: {roots: [A, B], trusted: [A, B], broker: A, devices: A}
device: {resume: ram}
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 5s
  - name: known
    until: identified(A) == 100% within 300ms
YAML
)
known() { # NAME EXIT PATTERN FLEET options...
  expect "$1" "$2" "$3" run "run$((runs += 1))" "$work/$4" "$identified" --set "phases[1].until=$5" --set "pki.devices=$6"
}
runs=0
known "certificates under A are under A" 0 PASS whole "identified(A) == 100% within 1s" A
known "and under A whatever the scenario says" 0 PASS whole "identified(A) == 100% within 1s" B
known "certificates under A are not under B" 1 "identified\(B\).*0 of 3" whole "identified(B) == 100% within 300ms" B
known "a leaf whose intermediate stays behind is under no root" 1 "identified\(A\).*0 of 3" leaf-only "identified(A) == 100% within 300ms" A
known "a certificate that signed itself is under no root" 1 "identified\(A\).*0 of 3" own "identified(A) == 100% within 300ms" A
resumed=$(sed 's/- name: known/- name: again\n    do: [reconnect: {full-handshake: no}]\n  - name: known/' "$identified" | scenario resumed)
expect "a resumed session is of the certificate of its full handshake" 0 "3 full, 3 resumed" \
  run resumed "$work/whole" "$resumed" --set "phases[2].until=identified(A) == 100% within 1s"
mosquitto_end "$work/a"
begin_broker "$work/a" "$port" false || { name="no certificate" complain "the broker does not come back"; }
known "a broker that asks for no certificate has accepted none" 1 "identified\(A\).*0 of 3" whole "identified(A) == 100% within 300ms" A
end_brokers

# Several addresses: each has its own chain -----------------------------------------------------------------------------------
"$fleetsim" pki make "$work/fleet" --devices 10 --roots A,B,spare >/dev/null
"$fleetsim" pki export "$work/fleet" --what client-ca --roots A --out "$work/clients.crt" >/dev/null
"$fleetsim" pki export "$work/fleet" --what broker-chain --root A --host localhost --out "$work/first" >/dev/null
begin_brokers "$work/first.crt" "$work/first.key" "$work/clients.crt"
install() { # BROKERS: a hook that puts the new chain there
  for n in $1; do
    printf 'cp $FLEETSIM_CERT %s/main.crt; cp $FLEETSIM_KEY %s/main.key; kill -HUP $(cat %s/pid); ' "$work/$n" "$work/$n" "$work/$n"
  done
}
nodes=$(scenario nodes <<YAML
name: two addresses
fleet: {devices: 10}
broker:
  urls: ["mqtts://localhost:$port", "mqtts://localhost:$((port + 1))"]
  hooks: {present: "$(install 'a b')"}
pki: {roots: [A, B, spare], trusted: [A, B, spare], broker: A}
reconnect: {endpoints: shuffled, policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 5s
  - name: switch to B
    do:
      - present: {root: B, within: 2s}
      - reconnect: {}
    until: proven(B) == 100% within 5s
expect: [devices.unproven == 0, "on(a) >= 1", "on(b) >= 1"]
YAML
)
expect "a hook that changes both addresses" 0 "proven\(B\): 10 of 10" run both "$work/fleet" "$nodes"
cp "$work/first.crt" "$work/b/main.crt" && cp "$work/first.key" "$work/b/main.key" && kill -HUP "$(cat "$work/b/pid")"
expect "a hook that changes one of two addresses" 1 "port $((port + 1)) does not serve the new certificate" \
  run one "$work/fleet" "$nodes" --set "broker.hooks.present=$(install a)"
cp "$work/first.crt" "$work/a/main.crt" && cp "$work/first.key" "$work/a/main.key" && kill -HUP "$(cat "$work/a/pid")"
expect "a hook that changes the other one" 1 "port $port does not serve the new certificate" \
  run other "$work/fleet" "$nodes" --set "broker.hooks.present=$(install b)"
expect "how long a broker may take is said in the step" 1 "does not serve the new certificate after 0.5 s" \
  run short "$work/fleet" "$nodes" --set "broker.hooks.present=:" --set "phases[1].do[0].present.within=500ms"

# Whom a broker trusts: it is asked ---------------------------------------------------------------------------------------------
cp "$work/first.crt" "$work/b/main.crt" && cp "$work/first.key" "$work/b/main.key"
cat >"$work/trust" <<HOOK
for n; do cp "\$FLEETSIM_CLIENT_CA" "$work/\$n/clients.crt"; done
sh $work/restart "\$@"
HOOK
cat >"$work/restart" <<HOOK
for n; do
  kill "\$(cat "$work/\$n/pid")"
  while [ -e "$work/\$n/pid" ]; do sleep 0.02; done
  mosquitto -d -c "$work/\$n/conf" 2>/dev/null
  until [ -e "$work/\$n/pid" ]; do sleep 0.02; done
done
HOOK
clients=$(scenario clients <<YAML
name: whom the broker trusts
fleet: {devices: 10}
broker:
  urls: ["mqtts://localhost:$port", "mqtts://localhost:$((port + 1))"]
  hooks: {trust-clients: "sh $work/trust a b", kick: ":"}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 5s
  - name: trust B as well
    do: [trust-clients: {roots: [A, B], within: 1s}]
    until: online == 100% within 10s
YAML
)
expect "a CA file that is in force at both addresses" 0 "PASS" run trust1 "$work/fleet" "$clients"
again() { cp "$work/clients.crt" "$work/a/clients.crt" && cp "$work/clients.crt" "$work/b/clients.crt"; }
again && end_brokers && begin_broker "$work/a" "$port" && begin_broker "$work/b" $((port + 1))
expect "a hook that does nothing" 1 "port $port does not take a client certificate under B after 1 s" \
  run trust2 "$work/fleet" "$clients" --set "broker.hooks.trust-clients=:"
expect "unless nobody is to try" 0 "PASS" run trust3 "$work/fleet" "$clients" --set "broker.hooks.trust-clients=:" \
  --set "phases[1].do[0].trust-clients={roots: [A, B], probe: no}"
expect "a hook that changes one of two addresses" 1 "port $((port + 1)) does not take a client certificate under B" \
  run trust4 "$work/fleet" "$clients" --set "broker.hooks.trust-clients=sh $work/trust a"
expect "a hook that leaves a root behind" 1 "still takes a client certificate under A after 1 s" \
  run trust5 "$work/fleet" "$clients" --set "phases[1].do[0].trust-clients={roots: [B], within: 1s}" \
  --set "broker.hooks.trust-clients=cat $work/clients.crt >>\$FLEETSIM_CLIENT_CA; sh $work/trust a b"
again && end_brokers && begin_broker "$work/a" "$port" && begin_broker "$work/b" $((port + 1))

# A restart ends every session at every address ---------------------------------------------------------------------------------
restarted() { # NAME EXIT PATTERN HOOK STEP [ARG...]
  name=$1 code=$2 pattern=$3 hook=$4 step=$5
  shift 5
  expect "$name" "$code" "$pattern" run "restart$((restarts += 1))" "$work/fleet" "$clients" --set "broker.hooks.restart=$hook" \
    --set "broker.hooks.trust-clients=:" --set "phases[1].do[0]=$step" "$@"
}
restarts=0
no_restart="the hook 'restart' has ended, and the broker at localhost port"
echo "sleep 0.5; sh $work/restart a b" >"$work/later"
restarted "a restart" 0 PASS "sh $work/restart a b" "{restart-broker: {}}"
restarted "a hook restart that does nothing" 1 "$no_restart" true "{restart-broker: {}}"
restarted "a hook restart that only reloads" 1 "$no_restart" "kill -HUP \$(cat $work/a/pid) \$(cat $work/b/pid)" "{restart-broker: {}}"
restarted "a hook restart that forgets b" 1 "$no_restart $((port + 1)) was not restarted: after 10 s 8 of 8 sessions" \
  "sh $work/restart a" "{restart-broker: {}}"
restarted "a hook restart that forgets a" 1 "$no_restart $port was not restarted: after 10 s 8 of 8 sessions .* and 10 of 10 of devices" \
  "sh $work/restart b" "{restart-broker: {}}"
restarted "a hook restart that ends the operator's session only" 1 "$no_restart $port was not restarted" \
  "cd $work/fleet; mosquitto_pub -h localhost -p $((port + 1)) --cafile operator-ca.crt --cert operator.crt --key operator.key -i operator -t x -m x" \
  "{restart-broker: {}}"
nobody() { restarted "$@" --set "phases[1].do=[{shelf: {share: 100%}}, {restart-broker: {}}]" --set "phases[1].until=shelved == 10"; }
nobody "a restart where nobody is connected" 0 PASS "sh $work/restart a b" "{wait: {for: 1ms}}"
nobody "a hook that forgets one where nobody is connected" 1 "$no_restart $port was not restarted" "sh $work/restart b" "{wait: {for: 1ms}}"
restarted "a hook restart that leaves one down" 1 "the broker did not come back within 20 s: the broker at localhost:$port" \
  "sh $work/restart a b; . $here/lib/mosquitto.sh; mosquitto_end $work/a" "{restart-broker: {}}"
begin_broker "$work/a" "$port"
restarted "and where the CA file is to be put in force so" 1 "$no_restart" true "{trust-clients: {roots: [A], apply: restart}}"
restarted "a restart after the hook has ended" 0 PASS "setsid sh $work/later >/dev/null 2>&1 </dev/null &" "{restart-broker: {}}"

# Hooks that fail are exit 3, all of them ----------------------------------------------------------------------------------------
expect "a hook trust-clients that fails" 3 "hook 'trust-clients' .* exit code 7" \
  run hook1 "$work/fleet" "$clients" --set "broker.hooks.trust-clients=exit 7"
expect "a hook kick that fails" 3 "hook 'kick' .* exit code 7" run hook2 "$work/fleet" "$clients" \
  --set "broker.hooks.kick=exit 7" --set "phases[1].do[0]={kick: {share: 100%, within: 2s}}"
expect "a hook kick that nobody answers" 3 "hook 'kick' .* was not answered" run hook3 "$work/fleet" "$clients" \
  --set "broker.hooks.kick=http://127.0.0.1:9/kick" --set "phases[1].do[0]={kick: {share: 100%, within: 2s}}"
expect "a hook kick that does nothing" 1 "10 sessions are open still" run hook4 "$work/fleet" "$clients" \
  --set "phases[1].do[0]={kick: {share: 100%, within: 500ms}}"

# A list that one of two addresses has not read: whom it names gets in there ----------------------------------------------------
end_brokers
again
"$fleetsim" pki crl "$work/fleet" --out "$work/a/crl.pem" >/dev/null && cp "$work/a/crl.pem" "$work/b/crl.pem"
begin_broker "$work/a" "$port" && begin_broker "$work/b" $((port + 1))
cat >"$work/list" <<HOOK
for n; do cp "\$FLEETSIM_CRL" "$work/\$n/crl.pem" && kill -HUP "\$(cat "$work/\$n/pid")"; done
HOOK
list=$(scenario list <<YAML
name: a list at both addresses
fleet: {devices: 10}
broker:
  urls: ["mqtts://localhost:$port", "mqtts://localhost:$((port + 1))"]
  hooks: {publish-crl: "sh $work/list a b"}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
reconnect: {policy: full-jitter, base: 200ms, cap: 500ms}
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 5s
  - name: a device is revoked
    do: [revoke: {ids: [00000002]}, wait: {for: 500ms}, reconnect: {within: 3s}]
    until: refused(refused_revoked) == 1 within 5s
  - name: the others work
    do: [wait: {for: 1s}]
    until: online >= 9
YAML
)
nobody_revoked() { # the run before has left its list there
  "$fleetsim" pki unrevoke "$work/fleet" --device 00000002 >/dev/null 2>&1
  "$fleetsim" pki crl "$work/fleet" --out "$work/empty.pem" >/dev/null
  FLEETSIM_CRL=$work/empty.pem sh "$work/list" a b
  sleep 0.3
}
expect "a list that is in force at both addresses" 0 "PASS" run list1 "$work/fleet" "$list"
nobody_revoked
expect "a list at one of two addresses" 1 "revoke.unrefused == 0, observed 1; so many that are on the list" \
  run list2 "$work/fleet" "$list" --set "broker.hooks.publish-crl=sh $work/list a"
nobody_revoked
expect "unless the scenario says so" 0 "PASS" run list3 "$work/fleet" "$list" --set "expect=[revoke.unrefused == 1]" \
  --set "broker.hooks.publish-crl=sh $work/list a"
end_brokers
end_of_cases
