#!/bin/sh
# A fleet that other tools have made, with names of its own: devices whose CN is a UUID, each with its key in another form,
# in a list as a spreadsheet writes it, is imported and connects; the broker says by which user names.
# usage: foreign_fleet.sh PATH/TO/fleetsim
set -u
fleetsim=$1
for tool in mosquitto openssl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
broker=$work/broker
mkdir "$broker" "$work/keys"
end_broker() { mosquitto_end "$broker"; }
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/mosquitto.sh"
cd "$work/keys" || exit 1
umask 077

# What the owner of the fleet has ----------------------------------------------------------------------------------------------
quietly() { "$@" >"$work/said" 2>&1 || { name="$1 $2" complain "failed"; }; }
device='extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature'
new_key() { quietly openssl ecparam -name prime256v1 -genkey -out "$1.key"; }
root() {
  new_key "$1"
  quietly openssl req -x509 -new -key "$1.key" -days 900 -subj "/O=Example/CN=$1" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$1.crt"
}
mint() { # FILE ISSUER SUBJECT EXTENSIONS
  quietly openssl req -new -key "$1.key" -subj "$3" -out "$1.csr"
  certify "$1" "$2" "$4"
}
certify() { # FILE ISSUER EXTENSIONS, of FILE.csr
  printf '%b\n' "$3" >extensions
  quietly openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -extfile extensions \
    -days 30 -out "$1.crt"
}
root one
root two
new_key maker
mint maker one "/O=Example/CN=device maker" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
new_key server
mint server one /CN=localhost 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature'

uuid() { cat /proc/sys/kernel/random/uuid; }
passphrase=over-the-rainbow-$$
printf '%s\nmore\n' "$passphrase" >pass
number=0
new_device() { # sets $file and $uuid: a device in the usual form
  number=$((number + 1))
  file=d$number
  uuid=$(uuid)
  new_key $file
  mint $file maker "/O=Example/CN=$uuid/serialNumber=SN-2026-00$number" \
    "$device\\nsubjectAltName=URI:urn:uuid:$uuid,DNS:d$number.example.com"
  echo "$uuid" >>"$work/uuids"
}
list="$work/keys/devices, all.csv"
printf '\357\273\277Cert;Site, Hall;Private Key;Chain;Device ID\r\n' >"$list"
row() { printf '%s;"hall ""7""\r\nfloor 1";%s;%s;%s\r\n' "$1" "$2" "$3" "$uuid" >>"$list"; }
new_device # SEC 1 behind its EC PARAMETERS, certificates with their text
for one in $file maker; do openssl x509 -in $one.crt -text; done >$file.pem
row $file.pem $file.key ''
new_device # PKCS#8, the chain the wrong way round, all in one
{ cat maker.crt $file.crt && openssl pkcs8 -topk8 -nocrypt -in $file.key; } >$file.pem
row $file.pem '' ''
new_device # DER, the intermediate elsewhere
openssl pkcs8 -topk8 -nocrypt -in $file.key -outform DER -out $file.key.der
openssl x509 -in $file.crt -outform DER -out $file.der
row $file.der $file.key.der maker.crt
new_device # PKCS#8 under a passphrase
openssl pkcs8 -topk8 -in $file.key -passout "file:pass" -out $file.locked
row $file.crt $file.locked maker.crt
new_device # the older form of that, with a header of its own
openssl ec -in $file.key -aes256 -passout file:pass -out $file.locked 2>"$work/said"
row $file.crt $file.locked maker.crt
new_device # PKCS#12
openssl pkcs12 -export -in $file.crt -inkey $file.key -certfile maker.crt -passout file:pass -out $file.p12
row $file.p12 '' ''
if command -v certtool >/dev/null; then
  number=$((number + 1))
  file=d$number
  uuid=$(uuid)
  printf 'cn = "%s"\n' "$uuid" >template
  quietly certtool --generate-privkey --key-type ecdsa --curve secp256r1 --outfile $file.key
  quietly certtool --generate-request --load-privkey $file.key --template template --outfile $file.csr
  certify $file maker "$device"
  echo "$uuid" >>"$work/uuids"
  row $file.crt $file.key maker.crt
else
  echo "skipped: certtool (gnutls-bin) is not installed: no device of its making"
fi

# Its import -------------------------------------------------------------------------------------------------------------------
fleet=$work/fleet
import() { # FOLDER more...
  import_to=$1
  shift
  "$fleetsim" pki import "$import_to" --csv "$list" --roots-pem "one=one.crt,two=two.crt" "$@"
}
expect "a key under a passphrase needs that" 2 "devices, all.csv:[0-9]+: .*d4.locked: it is under a passphrase: .* --password-file" \
  import "$fleet" --id-from cn
chmod 0644 pass
expect "a passphrase that others can read" 3 "get at the passphrase in pass .mode 0644.; mend it with: chmod 0600 pass" \
  import "$fleet" --id-from cn --password-file pass
chmod 0600 pass
echo another >wrong
expect "another passphrase" 2 "d4.locked: the passphrase of --password-file is not that of this file" \
  import "$fleet" --id-from cn --password-file wrong
first=$(head -n 1 "$work/uuids") last=$(tail -n 1 "$work/uuids")
expect "import it by CN" 0 "roots one, two; $number devices, $first to $last, trusting one, two" \
  import "$fleet" --id-from cn --password-file pass
if grep -q warning "$work/said"; then name="import it by CN" complain "there is nothing to warn of"; fi
expect "the list's own column is the same" 0 "$number devices, $first to $last" import "$work/by-list" --password-file pass
expect "the device is known by its name" 0 "device $last: .* columns of its list: Device ID, Site, Hall cert" \
  "$fleetsim" pki show "$fleet" --device "$last"
all=$list
list=$work/keys/six.csv # those of openssl have all kinds of names
sed '/^d7/,$d' "$all" >"$list"
other() { # SOURCE
  rm -rf "$work/other"
  import "$work/other" --id-from "$1" --password-file pass
}
expect "names by serial number" 0 "; 6 devices, SN-2026-001 to SN-2026-006," other serialNumber
expect "and what brokers know them by" 0 "warning: 6 devices have a CN that is not its name.*six.csv:2: '$first'" other serialNumber
expect "names by URI" 0 "; 6 devices, urn:uuid:$first to urn:uuid:" other san-uri
expect "names by DNS name" 0 "; 6 devices, d1.example.com to d6.example.com," other san-dns
expect "names by nothing that there is" 2 "--id-from is csv, cn, serialNumber, san-uri or san-dns, not 'mac'" other mac
if grep -rqs "$passphrase" "$work/fleet" "$work/other"; then name="the passphrase" complain "it is kept in a folder"; fi

# Its day ----------------------------------------------------------------------------------------------------------------------
quietly "$fleetsim" pki export "$fleet" --what client-ca --roots one --out "$broker/clients.crt"
cat maker.crt >>"$broker/clients.crt"
printf 'user operator\ntopic readwrite private/#\n\npattern readwrite private/%%u/#\n' >"$broker/acl"
begin_broker() { # PORT
  cat >"$broker/conf" <<CONF
user $(id -un)
pid_file $broker/pid
allow_anonymous false
log_dest file $broker/log
listener $1 127.0.0.1
cafile $broker/clients.crt
certfile $work/keys/server.crt
keyfile $work/keys/server.key
acl_file $broker/acl
require_certificate true
use_identity_as_username true
CONF
  mosquitto_begin "$broker"
}
for try in $(seq 20); do
  port=$((20000 + ($$ * 7 + try * 271) % 12000))
  begin_broker "$port" && break
done
day=$(scenario day <<YAML
name: a fleet of other tools
fleet: {devices: $number, telemetry: {every: 200ms, qos: 1}}
pki: {roots: [one, two], trusted: [one, two], broker: one}
broker: {url: "mqtts://localhost:$port"}
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 10s
  - name: for a while
    do: [wait: {for: 1s}]
  - name: one is cut off for a while
    do: [fault: {ids: [$uuid], reset: yes}, wait: {for: 500ms}, mend: {}]
    until: online == 100% within 10s
expect: [online == $number, telemetry.lost == 0]
YAML
)
expect "it connects, and loses nothing" 0 "PASS" "$fleetsim" run "$day" --fleet "$fleet" --out "$work/day"
name="a failure and an event have the device's name"
tr -d '\n ' <"$work/day/results.json" | grep -q "\"first_devices\":\[\"$uuid\"\]" || complain "not in results.json"
grep -q "\"device\": \"$uuid\", \"event\": \"failed\"" "$work/day/events.ndjson" || complain "not in events.ndjson"
grep -q '"device": "0000' "$work/day/events.ndjson" && complain "an event has a short id"
expect "a step for a device that there is not" 2 "no device of this fleet is called $first.; its devices are $first to $last" \
  "$fleetsim" check "$day" --fleet "$fleet" --set "phases[2].do=[shelf: {ids: [\"$first.\"]}]"
for uuid in $(cat "$work/uuids"); do
  if ! grep -q "New client connected.* as $uuid .* u'$uuid'" "$broker/log"; then name="$uuid" complain "the broker has not seen it"; fi
done
grep -rqs "$passphrase" "$work/day" && name="the passphrase" complain "it is in the results"
end_of_cases
