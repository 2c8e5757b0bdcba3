#!/bin/sh
# Files as users and their tools make them, and what is printed: pipes, full devices, lists of devices as spreadsheets
# write them, certificates that a device cannot use, lists of revoked certificates.
# usage: foreign_files.sh PATH/TO/fleetsim
set -u
fleetsim=$1
for tool in mosquitto openssl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
broker=$work/broker
ca=$work/ca
mkdir "$broker" "$ca"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/mosquitto.sh"

# What is printed ----------------------------------------------------------------------------------------------------------
full() { "$fleetsim" "$@" >/dev/full; }
short=$(scenario short <<YAML
name: short
fleet: {devices: 1}
phases:
  - name: first
    do: [connect: {rate: 1/s}]
YAML
)
expect "make a fleet" 0 "2 devices" "$fleetsim" pki make "$work/fleet" --devices 2
for words in "--help" "--version" "check $short" "pki show $work/fleet" "pki show $work/fleet --json" "pki --help" "calibrate list"; do
  # shellcheck disable=SC2086
  expect "$words to a full device" 3 "is not whole.*No space left" full $words
done

# Pipes, where files are read ----------------------------------------------------------------------------------------------
mkfifo "$work/pipe"
bounded() { timeout 20 "$fleetsim" "$@"; }
crl=$(sed "s!{rate: 1/s}!{}, publish-crl: {file: $work/pipe}!" "$short" | scenario crl)
expect "a scenario" 2 "pipe is a pipe, not a regular file" bounded check "$work/pipe"
expect "a list of devices" 2 "pipe is a pipe, not a regular file" bounded pki import "$work/fleet" --csv "$work/pipe"
expect "a root" 2 "pipe is a pipe, not a regular file" \
  bounded pki import "$work/piped" --csv "$short" --roots-pem "A=$work/pipe,B=$work/pipe"
expect "where a list is to go" 2 "pipe exists and holds no CRL" bounded pki crl "$work/fleet" --out "$work/pipe"
expect "a list to publish" 2 "pipe is a pipe, not a regular file" bounded run "$crl" --out "$work/out1"
expect "a timing profile" 2 "pipe.json is a pipe, not a regular file" \
  sh -c 'mkfifo "$2/pipe.json"; timeout 20 "$1" calibrate show "$2/pipe.json"' sh "$fleetsim" "$work"

# A fleet that its own CA certified, and that CA's lists --------------------------------------------------------------------
quietly() { # its words are shown when it fails
  "$@" >"$work/said" 2>&1 || { name="$1 $2" complain "failed"; }
}
key() { quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$ca/$1.key"; }
root() { # NAME openssl req options...: its key is there
  root_name=$1
  shift
  quietly openssl req -x509 -new -key "$ca/$root_name.key" -days 900 -subj "/O=Example/CN=$root_name" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$ca/$root_name.crt" "$@"
}
mint() { # SUBJECT FILE ISSUER EXTENSIONS openssl x509 options...: its key is there
  mint_file=$2
  mint_issuer=$3
  quietly openssl req -new -key "$ca/$2.key" -subj "$1" -out "$ca/$2.csr"
  printf '%b\n' "$4" >"$ca/extensions"
  shift 4
  quietly openssl x509 -req -in "$ca/$mint_file.csr" -CA "$ca/$mint_issuer.crt" -CAkey "$ca/$mint_issuer.key" \
    -CAcreateserial -extfile "$ca/extensions" -out "$ca/$mint_file.crt" -days 30 "$@"
}
device='extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature'
issuing='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
for name in one two maker broker 0000a001 0000a002 0000a003; do key "$name"; done
root one
root two
mint "/O=Example/CN=device maker" maker one "$issuing"
mint /CN=localhost broker one 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature'
for id in 0000a001 0000a002 0000a003; do
  mint "/CN=$id" $id maker "$device"
  cat "$ca/$id.crt" "$ca/maker.crt" >"$ca/$id.pem"
  echo "$id,$id.key,$id.pem" >>"$ca/devices.csv"
done
fleet=$work/imported
expect "import it" 0 "roots one, two; 3 devices" \
  "$fleetsim" pki import "$fleet" --csv "$ca/devices.csv" --roots-pem "one=$ca/one.crt,two=$ca/two.crt"
expect "the back office's first list, for the broker" 0 "the CRL of the back office.*from whoever holds their keys" \
  "$fleetsim" pki crl "$fleet" --out "$work/office.pem"

# Lists of devices, and certificates that a device cannot use ---------------------------------------------------------------
import_list() { # NAME, the list on standard input: into a folder of its own
  cat >"$ca/$1.csv"
  rm -rf "$work/tried"
  "$fleetsim" pki import "$work/tried" --csv "$ca/$1.csv" --roots-pem "one=$ca/one.crt,two=$ca/two.crt"
}
list_of() { # NAME printf-format: as expect's command
  printf "$2" >"$work/list"
  import_list "$1" <"$work/list"
}
cp "$ca/0000a002.key" "$ca/of two, quoted.key"
expect "a byte order mark, upper case, quotes, CR" 0 "2 devices, 0000a001 to 0000a002" list_of spreadsheet \
  '\357\273\277ID,Key,Certificate\r0000A001,0000a001.key,0000a001.pem\r"0000a002","of two, quoted.key",0000a002.pem\r'
expect "a NUL in a line drops nobody in silence" 2 "nul.csv:2: a NUL byte" list_of nul \
  '0000a001,0000a001.key,0000a001.pem\n\0000000a002,0000a002.key,0000a002.pem\n'
expect "the same folder can be tried again" 0 "1 device" list_of again '0000a001,0000a001.key,0000a001.pem\n'
expect "UTF-16" 2 "is UTF-16 text; save it as UTF-8" list_of wide '\377\376i\000d\000'
expect "a key of somebody else" 2 "other.csv:1: the certificate .*0000a001.pem is not for the private key that belongs to it" \
  list_of other '0000a001,0000a002.key,0000a001.pem\n'
expect "a leaf alone" 0 "warning: 1 device has no intermediate with the leaf.*alone.csv:1" \
  list_of alone '0000a001,0000a001.key,0000a001.crt\n'
cp "$ca/one.key" "$ca/again.key"
root again
expect "a root issued anew for its key" 2 "'one' .*one.crt. and 'two' .*again.crt. are certificates of one key" \
  "$fleetsim" pki import "$work/tried2" --csv "$ca/devices.csv" --roots-pem "one=$ca/one.crt,two=$ca/again.crt"
under() { # NAME EXTENSIONS: devices below a CA with these
  key "$1"
  mint "/CN=$1" "$1" one "$2"
  mint "/CN=0000a001" 0000a001 "$1" "$device"
  cat "$ca/0000a001.crt" "$ca/$1.crt" >"$ca/0000a001.$1.pem"
  list_of "$1" "0000a001,0000a001.key,0000a001.$1.pem\\n"
}
expect "a CA that is none" 0 "warning: 1 device has an issuer that may be none .*refused_unknown_ca.*noca.csv:1: 'noca'" \
  under noca keyUsage=keyCertSign
expect "a CA that may not sign" 0 "warning: 1 device has an issuer that may be none .*nosign.csv:1: 'nosign'" \
  under nosign 'basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature'
expect "a CA for servers" 0 "warning: 1 device has an issuer that is not for TLS clients .*refused_certificate.*: 'servers'" \
  under servers "$issuing\\nextendedKeyUsage=serverAuth"
mint "/CN=0000a001" 0000a001 maker "$device" -sha384
expect "SHA-384" 2 "wider.csv:1: .*0000a001.crt: no device can load the certificate .'0000a001'.: it is signed with ecdsa-with-SHA384" \
  list_of wider '0000a001,0000a001.key,0000a001.crt\n'
root two -sha384
expect "a root that devices cannot read" 2 "two.crt cannot be the root 'two': it is signed with ecdsa-with-SHA384" \
  list_of root '0000a002,0000a002.key,0000a002.pem\n'
if [ -e "$work/tried" ]; then name="a refused root" complain "left a folder"; fi

mkdir "$ca/db"
: >"$ca/db/index"
echo 01 >"$ca/db/number"
cat >"$ca/conf" <<CONF
[ca]
default_ca = c
[c]
database = $ca/db/index
crlnumber = $ca/db/number
certificate = $ca/maker.crt
private_key = $ca/maker.key
default_md = sha256
default_crl_days = 7
[plain]
authorityKeyIdentifier = keyid
[delta]
2.5.29.27 = critical,DER:02:01:01
CONF
list() { quietly openssl ca -config "$ca/conf" -gencrl -crlexts "$1" -out "$2"; }
list plain "$work/empty.pem"
quietly openssl ca -config "$ca/conf" -revoke "$ca/0000a003.crt"
list plain "$work/third.pem"
: >"$ca/db/index"
list delta "$work/delta.pem"

end_broker() { mosquitto_end "$broker"; }
begin_broker() { # PORT
  cat >"$broker/conf" <<CONF
user $(id -un)
pid_file $broker/pid
allow_anonymous false
acl_file $broker/acl
log_dest file $broker/log
listener $1 127.0.0.1
cafile $broker/clients.crt
crlfile $broker/crl.pem
certfile $ca/broker.crt
keyfile $ca/broker.key
require_certificate true
use_identity_as_username true
CONF
  mosquitto_begin "$broker"
}
quietly "$fleetsim" pki export "$fleet" --what client-ca --roots one --out "$broker/clients.crt"
cat "$ca/maker.crt" >>"$broker/clients.crt"
printf 'user operator\ntopic readwrite private/#\n\npattern readwrite private/%%u/#\n' >"$broker/acl"
first_list() { cat "$work/empty.pem" "$work/office.pem" >"$broker/crl.pem"; }
first_list
for try in $(seq 20); do
  port=$((20000 + ($$ * 5 + try * 263) % 12000))
  begin_broker "$port" && break
done

publish=$(scenario publish <<YAML
name: our CA's own list
fleet: {devices: 3}
pki: {roots: [one, two], trusted: [one, two], broker: one}
broker:
  url: mqtts://localhost:$port
  hooks:
    publish-crl: cp "\$FLEETSIM_CRL" $broker/crl.pem && kill -HUP \$(cat $broker/pid)
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
phases:
  - name: online
    do: [connect: {rate: 100/s}]
    until: online == 100% within 10s
  - name: publish
    do:
      - publish-crl: {file: $work/third.pem}
      - wait: {for: 300ms}
      - reconnect: {within: 3s}
    expect: [revoked == 1, refused(refused_revoked) == 1, revoke.collateral == 0]
  - name: publish again
    do: [publish-crl: {file: $work/third.pem}]
expect: [online == 2]
YAML
)
run() { # NAME options...
  run_name=$1
  shift
  "$fleetsim" run "$publish" --fleet "$fleet" --out "$work/$run_name" "$@"
}
again='phases[2].do[0].publish-crl'
expect "an imported fleet publishes its CA's own list" 0 "PASS" run own
first_list
expect "a delta after it" 2 "publish.yaml:20:[0-9]+ .*delta.pem: the CRL of 'device maker' is a delta CRL" run delta --set "$again.file=$work/delta.pem"
expect "an older list after it" 2 "publish.yaml:20:[0-9]+ .*empty.pem: the CRL of 'device maker' is older than" \
  run older --set "$again.file=$work/empty.pem"
kill -HUP "$(cat "$broker/pid")"
# The file is exchanged between the check at the start and its second publication
cp "$work/third.pem" "$work/changing.pem"
exchanged() {
  run exchanged --set "phases[1].do[0].publish-crl.file=$work/changing.pem" --set "$again.file=$work/changing.pem" \
    --set "broker.hooks.publish-crl=cp \"\$FLEETSIM_CRL\" $broker/crl.pem && kill -HUP \$(cat $broker/pid) && cp $work/empty.pem $work/changing.pem"
}
expect "a file that was exchanged for an older one during the run" 2 \
  "changing.pem: the CRL of 'device maker' is older than the one published before" exchanged
first_list
kill -HUP "$(cat "$broker/pid")"
kill -HUP "$(cat "$broker/pid")"
expect "a delta on purpose, with a word of what it does" 0 "warning: line 20: .*is a delta CRL.* lets those in again" \
  run unchecked --set "$again={file: $work/delta.pem, unchecked: yes}" --set "expect=[devices.lost <= 1]"

# What no list of ours can be made for is refused before the first phase has changed anything --------------------------------
refused_at_start() { # NAME STEP SENTENCE
  touched=$work/touched
  rm -f "$touched"
  expect "$1 of an imported fleet is refused at the start" 2 "publish.yaml:20:[0-9]+: '$1' .*$3.*publish-crl: .file: PATH." \
    run refused --overwrite --set "phases[2].do[0]={$2}" --set "broker.hooks.reload=touch $touched" \
    --set "phases[1].do[1]={reload-broker: {}}"
  if [ -e "$touched" ]; then complain "a hook was called before"; fi
}
refused_at_start revoke "revoke: {ids: [0000a001]}" "makes a CRL of root 'one'"
refused_at_start revoke "revoke: {ids: [0000a001], publish: no}" "were imported"
refused_at_start revoke "revoke: {share: 50%, publish: no}" "were imported"
refused_at_start unrevoke "unrevoke: {ids: [0000a001]}" "makes a CRL of root 'one'"
refused_at_start unrevoke "unrevoke: {ids: [0000a001], publish: no}" "were imported"
refused_at_start publish-crl "publish-crl: {}" "makes a CRL of root 'one'"
refused_at_start publish-crl "publish-crl: {next-update: 1h}" "makes a CRL of root 'one'"

# A key is published on no account, and what holds no list not without a word ------------------------------------------------
cat "$work/third.pem" "$ca/maker.key" >"$work/with-key.pem"
(cat "$work/third.pem" && openssl pkcs8 -topk8 -in "$ca/maker.key" -passout pass:secret) >"$work/with-secret.pem"
openssl pkey -in "$ca/maker.key" -outform DER -out "$work/key.der"
openssl pkcs12 -export -in "$ca/maker.crt" -inkey "$ca/maker.key" -passout pass: -out "$work/box.p12"
for with in with-key.pem with-secret.pem key.der box.p12; do
  for unchecked in no yes; do
    expect "$with, unchecked: $unchecked" 2 "publish.yaml:20:[0-9]+: .*$with holds a private key: " \
      run secret --overwrite --set "$again={file: $work/$with, unchecked: $unchecked}"
    if grep -q "all the same" "$work/said"; then complain "it is said to be published"; fi
  done
done
for unchecked in no yes; do
  expect "no file at all, unchecked: $unchecked" 2 "publish.yaml:20:[0-9]+: cannot read .*gone.pem: No such file" \
    run gone --overwrite --set "$again={file: $work/gone.pem, unchecked: $unchecked}"
  if grep -q "all the same" "$work/said"; then complain "it is said to be published"; fi
done
echo "no list" >"$work/text.pem"
: >"$work/nothing.pem"
case $(mosquitto -h 2>/dev/null | head -n 1) in
*" version 2.0."*) keeps="keeps what it had" code=0 ;;
*) keeps="ends at the reload" code=1 ;; # exit code 8
esac
for with in "$work/text.pem" "$work/nothing.pem" "$ca/one.crt"; do
  first_list
  kill -HUP "$(cat "$broker/pid")" || continue
  expect "${with##*/} as a list, unchecked: mosquitto $keeps" $code \
    "warning: line 20: .*${with##*/} does not hold whole CRLs in PEM; .*keeps the one before at a reload" \
    run nolist --overwrite --set "$again={file: $with, unchecked: yes}" --set "expect=[devices.lost <= 1]"
done

# A rollback leads back to the file that was published before: nobody here can make that CA's list
back=$(sed "/publish again/,\$d" "$publish" | sed "s,third.pem},empty.pem},; /expect:/d" | scenario back)
cat >>"$back" <<YAML
  - name: one that nobody likes
    do: [publish-crl: {file: $work/third.pem}]
    until: online == 0% within 100ms
    on_fail: rollback
YAML
first_list
kill -HUP "$(cat "$broker/pid")"
went_back() { head -c "$(wc -c <"$work/empty.pem")" "$broker/crl.pem" | cmp - "$work/empty.pem" && echo the first file; }
publish_back() { "$fleetsim" run "$back" --fleet "$fleet" --out "$work/back"; }
expect "a rollback of a file" 1 "rolled back" publish_back
expect "the broker has the file before again" 0 "the first file" went_back
end_of_cases
