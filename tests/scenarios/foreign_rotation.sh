#!/bin/sh
# The whole rotation of a fleet that openssl made, whose names are UUIDs, at a mosquitto of its owner's, by hooks: root B is
# taught, proven and presented, the certificates are reissued under it, root A is dropped and a device is revoked. It is told
# for each way in which certificates come: the owner gives the CAs' keys.
# usage: foreign_rotation.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools=openssl
. "$(dirname "$0")/lib/own_broker.sh"
more_of_the_failure() {
  tail -n 5 "$work/out/broker/hooks.log" 2>/dev/null | sed 's/^/     hooks | /'
  tail -n 5 "$broker/log" 2>&1 | sed 's/^/     broker | /'
}
mkdir "$work/pki"
cd "$work/pki" || exit 1

# What the owner has -------------------------------------------------------------------------------------------------------
quietly() { "$@" >"$work/said" 2>&1 || { name="$1 $2" complain "failed"; }; }
new_key() { quietly openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
root() { # NAME
  new_key "$1"
  quietly openssl req -x509 -new -key "$1.key" -days 900 -subj "/O=Example/CN=root $1" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$1.pem"
}
sign() { # FILE ISSUER EXTENSIONS, of FILE.csr; prints nothing
  printf '%b\n' "$3" >extensions
  quietly openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -extfile extensions -days 30 -out "$1.crt"
}
mint() { # FILE ISSUER SUBJECT EXTENSIONS
  [ -e "$1.key" ] || new_key "$1"
  quietly openssl req -new -key "$1.key" -subj "$3" -out "$1.csr"
  sign "$1" "$2" "$4"
}
client='extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature'
server='subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature'
ca='basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign'
root a
root b
mint issuer b "/O=Example/CN=issuer of b" "$ca"
cp issuer.crt issuer.pem
mint main-a a /CN=localhost "$server"
mint main-b issuer /CN=localhost "$server"
echo certificate,key >devices.csv
for i in 1 2 3 4 5 6; do
  uuid=$(cat /proc/sys/kernel/random/uuid)
  mint "d$i" a "/O=Example/CN=$uuid" "$client"
  echo "d$i.crt,d$i.key" >>devices.csv
  echo "$uuid" >>uuids
done
first=$(head -n 1 uuids) last=$(tail -n 1 uuids)
roots=A=a.pem,B=b.pem
import() { # more...
  rm -rf "$fleet"
  "$fleetsim" pki import "$fleet" --csv devices.csv --id-from cn --roots-pem "$roots" "$@"
}

# What the owner's broker does ---------------------------------------------------------------------------------------------
cat >"$work/install" <<HOOK
cp "\$FLEETSIM_CERT" "$broker/\$FLEETSIM_LISTENER.crt" || exit
cp "\${FLEETSIM_KEY:-$broker/next.key}" "$broker/\$FLEETSIM_LISTENER.key"
HOOK
cat >"$work/restart" <<HOOK
pid=\$(cat "$broker/pid")
kill "\$pid"
while kill -0 "\$pid" 2>/dev/null; do sleep 0.02; done
rm -f "$broker/pid"
mosquitto -d -c "$broker/conf" 2>/dev/null
until [ -s "$broker/pid" ]; do sleep 0.02; done
HOOK
deliver() { # what the broker has before the day: its chain is under root A, and it trusts devices under both
  quietly "$fleetsim" pki export "$fleet" --what client-ca --roots A,B --out "$work/clients.crt"
  mv "$work/clients.crt" "$broker/clients.crt"
  for listener in main prove; do
    cp main-a.crt "$broker/$listener.crt"
    cp main-a.key "$broker/$listener.key"
  done
  cp main-b.key "$broker/next.key"
  if [ -n "${port:-}" ]; then
    again "$own" "crlfile $broker/crl.pem" "listener $((port + 1)) 127.0.0.1" "cafile $broker/clients.crt" \
      "certfile $broker/prove.crt" "keyfile $broker/prove.key" "crlfile $broker/crl.pem" "$knows"
  else
    begin_broker_on_a_free_port
  fi
}

# day NAME PROVE PRESENT REISSUE REVOKE: what the steps of those names have
day() {
  scenario "$1" <<YAML
name: $1
fleet: {devices: 6, telemetry: {every: 200ms, qos: 1}}
pki: {roots: [A, B], trusted: [A, B], broker: A, clients: [A, B]}
broker:
  url: mqtts://localhost:$port
  prove-url: mqtts://localhost:$((port + 1))
  hooks:
    present: sh $work/install
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" $broker/clients.crt
    reload: kill -HUP \$(cat $broker/pid)
    restart: sh $work/restart
    publish-crl: cp "\$FLEETSIM_CRL" $broker/crl.pem
reconnect: {policy: fixed, base: 200ms}
limits: {run: 2m}
phases:
  - {name: a working day, do: [connect: {rate: 100/s}], until: online == 100% within 10s}
  - {name: teach the fleet root B, do: [push-trust: {roots: [B, A]}], until: trusting(B) == 100% within 10s}
  - {name: prove B, do: [prove: {root: B$2}], until: proven(B) == 100% within 20s}
  - {name: switch the broker to B, do: [present: {root: B$3}, reconnect: {within: 20s}], until: reconnected == 100% within 20s}
  - name: reissue
    do: [reissue: {root: B$4}, reconnect: {within: 20s}]
    until: identified(B) == 100% within 20s
    expect: [certificate.committed == 6]
  - {name: drop A, do: [trust-clients: {roots: [B]}], until: online == 100% within 10s}
  - {name: revoke one, do: [$5], until: revoked == 1}
  - {name: all but that one come back, do: [reconnect: {within: 3s}], until: refused(refused_revoked) == 1 within 10s, expect: [online == 5]}
expect: [broker.stale_leaf == 0, telemetry.lost == 0, revoke.accepts == 0]
YAML
}

# The owner gives the keys of his CAs --------------------------------------------------------------------------------------
cat issuer.key issuer.pem >issuer-b
expect "a key that is another's" 2 "b.key cannot be a key of the root 'A': it is neither the root's own" \
  import --ca-keys A=b.key
expect "an issuer that the root does not know" 2 "issuer-b cannot be a key of the root 'A': the certificate in it is not one" \
  import --ca-keys A=issuer-b
roots=A=a.pem
expect "a fleet that trusts one root" 0 "warning: the devices trust root A alone: a rotation of them takes two more roots.*6 devices, .*trusting A root A has no key" \
  import
roots=A=a.pem,B=b.pem
expect "import with keys" 0 "6 devices, .*root A can issue.*root B can issue" import --ca-keys "A=a.key,B=issuer-b"
deliver
quietly "$fleetsim" pki crl "$fleet" --out "$broker/crl.pem"
deliver
keys=$(day keys '' '' '' "revoke: {ids: [$first]}")
expect "the whole day by the CAs' keys" 0 "PASS.* 0 lost" run "$keys"
name="the broker knows the devices by their names all the time"
for uuid in $(cat uuids); do
  grep -q "as $uuid .* u'$uuid'" "$broker/log" || complain "the broker has not seen $uuid"
done

# He has certificates issued himself ---------------------------------------------------------------------------------------
chain() { cat "$1.crt" issuer.pem >"$1.pem"; } # FILE
chain main-b
cat >ca.conf <<CONF
[ca]
default_ca = own
[own]
default_md = sha256
default_crl_days = 9
CONF
list_of() { # CA REVOKED...: its list, PEM; numbers go up
  list_ca=$1
  shift
  [ -e "$list_ca.number" ] || { : >"$list_ca.index"; echo 10 >"$list_ca.number"; }
  sed "\$a database = $list_ca.index\ncrlnumber = $list_ca.number" ca.conf >"$list_ca.conf"
  for one in "$@"; do quietly openssl ca -config "$list_ca.conf" -cert "$list_ca.pem" -keyfile "$list_ca.key" -revoke "$one"; done
  openssl ca -config "$list_ca.conf" -cert "$list_ca.pem" -keyfile "$list_ca.key" -gencrl 2>"$work/said"
}
echo "id,certificate,chain" >renewed.csv
i=0
for uuid in $(cat uuids); do
  i=$((i + 1))
  cp "d$i.key" "e$i.key"
  mint "e$i" issuer "/O=Example/CN=$uuid" "$client"
  echo "$uuid,e$i.crt,issuer.pem" >>renewed.csv
done
expect "import without keys" 0 "6 devices, .*root A has no key here.*root B has no key here" import
{ list_of a && list_of issuer; } >begin.pem
{ list_of a && list_of issuer e1.crt; } >lists.pem
first_list() {
  rm -f "$work/office.pem"
  quietly "$fleetsim" pki crl "$fleet" --out "$work/office.pem"
  cat "$work/office.pem" begin.pem >"$broker/crl.pem"
}
first_list
deliver
theirs=", chain: $work/pki/main-b.pem, key: $work/pki/main-b.key"
quietly openssl pkcs8 -topk8 -in main-b.key -out locked.key -passout pass:hush
echo hush >hush
locked=", chain: $work/pki/main-b.pem, key: $work/pki/locked.key, password-file: $work/pki/hush"
files=$(day files "$theirs" "$locked" ", csv: $work/pki/renewed.csv" "publish-crl: {file: $work/pki/lists.pem}")
expect "the whole day by files of the owner's" 0 "PASS.*given ends on 20[0-9-]+, within 30 days.* 0 lost" run "$files"
key_is_gone() { # NAME: of the broker's owner's key no copy is among the results
  name=$1 before=$failed
  [ -s "$work/out/broker/main.crt" ] || complain "nothing was presented"
  for file in $(grep -rl 'PRIVATE KEY' "$work/out"); do
    [ "$(openssl pkey -in "$file" -pubout 2>&1)" != "$(openssl pkey -in main-b.key -pubout)" ] || complain "$file is his key"
  done
  if [ "$failed" -eq "$before" ]; then passed=$((passed + 1)) && echo "ok   $name"; fi
}
key_is_gone "the owner's key does not stay among the results"
cat >"$work/install-leaf" <<HOOK
openssl x509 -in "\$FLEETSIM_CERT" -out "$broker/\$FLEETSIM_LISTENER.crt" && cp "\$FLEETSIM_KEY" "$broker/\$FLEETSIM_LISTENER.key"
HOOK
deliver
expect "a hook that installs the leaf and forgets its intermediate" 1 "does not serve the whole new chain after 1 s: it sends 1 of the 2 certificates that lead to the root" \
  run "$files" --set broker.hooks.present="sh $work/install-leaf" --set 'expect=[online == 100%]' \
  --set "phases=[{name: p, do: [connect: {}, present: {root: B, within: 1s$theirs}]}]"
deliver
only="{root: B, chain: $work/pki/main-b.pem, key: $work/pki/main-b.key}"
"$fleetsim" run "$files" --fleet "$fleet" --out "$work/out" --overwrite --set 'expect=[online == 6]' \
  --set "phases=[{name: p, do: [connect: {}, present: $only, wait: {for: 1m}]}]" >"$work/said" 2>&1 &
for try in $(seq 300); do grep -qs '"wait"' "$work/out/events.ndjson" && break || sleep 0.1; done
kill -INT $!
wait $!
[ $? -eq 130 ] || { name="interrupted" complain "no exit code 130"; }
key_is_gone "nor where the run was interrupted"
deliver
lies() { # CASES
  run "$files" --set 'expect=[online == 6]' \
    --set "phases=[{name: p, do: [connect: {}, mitm: {share: 100%, cases: [$1], for: 3s}], until: online == 100% within 20s}]"
}
expect "strangers whom devices meet under way, at a root whose key is its owner's" 0 "PASS.* refused, 0 showed nothing; 0 believed" \
  lies "unknown-ca, self-signed-leaf, impostor-root-of-the-same-name"
expect "what its owner alone could sign" 2 "leaf-expired: it wants a certificate that a root of yours has issued.*no key.*root 'A'" lies leaf-expired
check() { "$fleetsim" check "$files" --fleet "$fleet" "$@"; }
expect "a timetable names the files" 0 "the chain of .*main-b.pem, under root B.*device certificates of .*renewed.csv" check
expect "a key under a passphrase asks for it" 2 "files.yaml:[0-9]+:[0-9]+: .*locked.key: it is under .*of a step: 'password-file: FILE'" \
  check --set "phases[3].do[0]={present: {root: B, chain: $work/pki/main-b.pem, key: $work/pki/locked.key}}"
expect "a rollback to a chain that nobody here can make is refused" 2 \
  "files.yaml:[0-9]+:[0-9]+: 'on_fail: rollback' gives the broker a chain under root 'A' again.* does not hold that root's key.*put a 'present: \{root: A" \
  check --set 'phases[3].on_fail=rollback'
expect "one to files of the owner's is not" 0 "" check --set 'phases[3].on_fail=rollback' \
  --set "phases[1].do[0]={present: {root: A, chain: $work/pki/main-a.crt, key: $work/pki/main-a.key}}" --set 'phases[1].until=online == 100%'
expect "a chain under another root" 2 "files.yaml:[0-9]+:[0-9]+: .*main-a.crt is not under root 'B': by its signatures it leads to A" \
  check --set "phases[3].do[0].present.chain=$work/pki/main-a.crt" --set "phases[3].do[0].present.key=$work/pki/main-a.key"
expect "a chain without its intermediate" 2 "leads to none of the fleet's roots, .* issued by 'issuer of b'" \
  check --set "phases[2].do[0].prove.chain=$work/pki/main-b.crt"
expect "a key that does not fit" 2 "main-a.key is not the key of a certificate in .*main-b.pem" \
  check --set "phases[3].do[0].present.key=$work/pki/main-a.key"
chain e1
expect "a chain for another host" 2 "the certificate in .*e1.pem is not for 'localhost'" \
  check --set "phases[3].do[0].present.chain=$work/pki/e1.pem" --set "phases[3].do[0].present.key=$work/pki/e1.key"
sed "2s/,e1[.]/,e2./" renewed.csv >another.csv
expect "a certificate of another's key" 2 "another.csv:2: the certificate .*e2.crt is not for the private key that belongs to it" \
  check --set "phases[4].do[0].reissue.csv=$work/pki/another.csv"
sed "3s/e2.crt.*/d2.crt,/" renewed.csv >old.csv
expect "a certificate under the old root" 2 "old.csv:3: the certificate .*d2.crt is not under root 'B'" \
  check --set "phases[4].do[0].reissue.csv=$work/pki/old.csv"
sed "4s/issuer.pem//" renewed.csv >alone.csv
expect "a certificate without its intermediate" 2 "alone.csv:4: the certificate .*e3.crt is not under root 'B': .* 'issuer of b'; is an intermediate missing" \
  check --set "phases[4].do[0].reissue.csv=$work/pki/alone.csv"
sed "5s/^[^,]*/nobody/" renewed.csv >nobody.csv
expect "a certificate of nobody's" 2 "nobody.csv:5: the fleet has no device 'nobody'" \
  check --set "phases[4].do[0].reissue.csv=$work/pki/nobody.csv"

# A command of his signs ---------------------------------------------------------------------------------------------------
cat >"$work/list" <<HOOK
cd $work/pki
openssl ca -config issuer.conf -cert issuer.pem -keyfile issuer.key -revoke $first.crt >&2 &&
  openssl ca -config issuer.conf -cert issuer.pem -keyfile issuer.key -gencrl >issuer.list
cat a.list issuer.list >lists.pem
HOOK
cat >"$work/sign" <<HOOK
cd $work/pki
cat >"\$FLEETSIM_DEVICE.csr"
printf '$client\n' >"\$FLEETSIM_DEVICE.ext"
openssl x509 -req -in "\$FLEETSIM_DEVICE.csr" -CA issuer.pem -CAkey issuer.key -set_serial "0x\$(openssl rand -hex 12)" -days 30 \\
  -extfile "\$FLEETSIM_DEVICE.ext" -out "\$FLEETSIM_DEVICE.crt" || exit
[ "\$FLEETSIM_DEVICE" != "$first" ] || sh "$work/list"
cat "\$FLEETSIM_DEVICE.crt" issuer.pem
HOOK
list_of a >a.list
cp begin.pem lists.pem
first_list
deliver
chain=", chain: $work/pki/main-b.pem"
signed=$(day signed "$chain" "$chain" ", command: \"sh $work/sign\"" "publish-crl: {file: $work/pki/lists.pem}")
expect "the whole day by a command that signs" 0 "PASS.* 0 lost" run "$signed"
deliver
expect "a command that signs another's key" 1 "what the signing command printed for device $first: the certificate .* is not for the private key that belongs to it" \
  run "$signed" --set "phases=[{name: p, do: [connect: {}, reissue: {root: B, command: cat $work/pki/e2.crt $work/pki/issuer.pem}]}]" --set 'expect=[online == 6]'
expect "a command that fails" 1 "step reissue: the signing command ended with exit code 7 for device $first.* x p " \
  run "$signed" --set "phases=[{name: p, do: [connect: {}, reissue: {root: B, command: exit 7}]}]" --set 'expect=[online == 6]'
echo id,certificate >held.csv
i=0
for uuid in $(cat uuids); do
  i=$((i + 1))
  cp "d$i.crt" "$uuid.held"
  echo "$uuid,d$i.crt" >>held.csv
done
same="of [16] devices were given the certificate that they hold already, which renews nothing; missing: $first"
expect "a list of what devices hold" 1 "step reissue: 6 $same, .* x p " \
  run "$signed" --set "phases=[{name: p, do: [connect: {}, reissue: {root: A, csv: $work/pki/held.csv}]}]" --set 'expect=[online == 6]'
expect "a command that answers with what one device holds" 1 "step reissue: 1 $same .* x p " \
  run "$signed" --set "phases=[{name: p, do: [connect: {ids: [$first]}, reissue: {root: A, command: 'cat $work/pki/\$FLEETSIM_DEVICE.held'}]}]" \
  --set 'expect=[online == 1]'
end_of_cases
