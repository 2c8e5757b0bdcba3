#!/bin/sh
# Makes timing profiles: builds the firmware, runs it on fleetsim-m4 against a real broker, writes one JSON file each.
#
#   bench/m4/calibrate.sh --fleetsim PROGRAM --emulator PROGRAM --out FOLDER [--mbedtls SOURCE]... [PROFILE...]
#
#   --mbedtls   a source tree of Mbed TLS; the version that a profile needs is taken from these, or else fetched
#
# `fleetsim calibrate` calls it with all that filled in.
set -eu

profiles='mbedtls-3.6.7-Os mbedtls-3.6.7-O2 mbedtls-3.6.7-Os-small mbedtls-3.6.7-Os-p256m mbedtls-3.6.6-Os'
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

# fail CODE SENTENCE
fail() {
  code=$1
  shift
  printf 'fleetsim calibrate: %s\n' "$*" >&2
  exit "$code"
}

fleetsim='' emulator='' out='' sources='' wanted=''
while [ $# -gt 0 ]; do
  case $1 in
  --fleetsim | --emulator | --out | --mbedtls)
    [ $# -ge 2 ] || fail 2 "$1 takes a value"
    case $1 in
    --fleetsim) fleetsim=$2 ;;
    --emulator) emulator=$2 ;;
    --out) out=$2 ;;
    --mbedtls) sources="$sources$2
" ;;
    esac
    shift
    ;;
  -*) fail 2 "there is no option '$1'; --fleetsim, --emulator, --out and --mbedtls are" ;;
  *)
    case " $profiles " in
    *" $1 "*) wanted="$wanted $1" ;;
    *) fail 2 "'$1' cannot be calibrated; there are: $profiles" ;;
    esac
    ;;
  esac
  shift
done
if [ -z "$fleetsim" ] || [ -z "$emulator" ] || [ -z "$out" ]; then fail 2 "say --fleetsim, --emulator and --out"; fi

missing=''
command -v arm-none-eabi-gcc >/dev/null || missing="$missing gcc-arm-none-eabi libnewlib-arm-none-eabi"
[ -x "$emulator" ] || missing="$missing libunicorn-dev"
for tool in mosquitto openssl python3 make; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v $tool)" ] || missing="$missing $tool"
done
[ -z "$missing" ] ||
  fail 3 "a profile is made with a cross compiler and fleetsim-m4: install these packages, build again, and start again:$missing"

mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd -P)
work=$(mktemp -d)
broker=''
clean_up() {
  [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
umask 077

# quietly COMMAND...: what it says is shown only if it fails
quietly() {
  "$@" >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    fail 3 "this failed: $*"
  }
}

# source_of VERSION: $source, a tree of that version
source_of() {
  for source in $(printf %s "$sources") "$work/mbedtls-$1"; do
    grep -qs "^#define MBEDTLS_VERSION_STRING  *\"$1\"" "$source/include/mbedtls/build_info.h" && return 0
  done
  printf 'fetching Mbed TLS %s\n' "$1" >&2
  sh "$here/firmware/fetch_mbedtls.sh" "$1" "$work/mbedtls-$1" ||
    fail 3 "Mbed TLS $1 is needed: name its unpacked source with --mbedtls"
}

# One fleet, and a broker with two certificates under the same root: of the root itself, and of its intermediate.
make_world() {
  quietly "$fleetsim" pki make "$work/fleet" --devices 1 --roots A,spare
  quietly "$fleetsim" pki export "$work/fleet" --what client-ca --out "$work/clients.crt"
  quietly "$fleetsim" pki export "$work/fleet" --what broker-chain --root A --host localhost --out "$work/chain"
  printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth \
    authorityKeyIdentifier=keyid subjectAltName=DNS:localhost >"$work/extensions"
  quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout "$work/leaf.key" -out "$work/leaf.csr"
  quietly openssl x509 -req -in "$work/leaf.csr" -CA "$work/fleet/ca/A.crt" -CAkey "$work/fleet/ca/A.key" \
    -set_serial 4711 -days 30 -extfile "$work/extensions" -out "$work/leaf.crt"
}

listener() { # PORT STEM
  printf 'listener %s 127.0.0.1\ntls_version tlsv1.3\nrequire_certificate true\nuse_identity_as_username true\n' "$1"
  printf 'cafile %s\ncertfile %s.crt\nkeyfile %s.key\n' "$work/clients.crt" "$work/$2" "$work/$2"
}

# $port has the leaf alone, $port + 1 the chain.
start_broker() {
  try=0
  while [ $try -lt 20 ]; do
    port=$((20000 + ($$ * 2 + try * 254) % 12000))
    {
      printf 'per_listener_settings true\npersistence false\nlog_dest file %s\nuser %s\n' "$work/broker.log" "$(id -un)"
      listener $port leaf
      listener $((port + 1)) chain
    } >"$work/broker.conf"
    : >"$work/broker.log"
    PATH=$PATH:/usr/sbin mosquitto -c "$work/broker.conf" 2>/dev/null &
    broker=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      ! grep -q 'running$' "$work/broker.log" || return 0
      kill -0 "$broker" 2>/dev/null || break
      sleep 0.1
    done
    kill "$broker" 2>/dev/null || true
    broker=''
    try=$((try + 1))
  done
  cat "$work/broker.log" >&2
  fail 3 "mosquitto does not start on any pair of ports tried"
}

# run IMAGE REPORT [option...]
run() {
  image=$1 report=$2
  shift 2
  quietly timeout 300 "$emulator" --elf "$work/$profile/$image.elf" --json "$work/$profile/$report.json" \
    --nvm "$work/fleet/nvm.bin" --page 0 "$@"
}

# Sets $version and $options from the name of the profile.
read_name() {
  version=${profile#mbedtls-}
  version=${version%%-*}
  options='--opt -Os'
  case $profile in *-O2*) options='--opt -O2' ;; esac
  case $profile in *-small) options="$options --small" ;; *-p256m) options="$options --p256m" ;; esac
}

calibrate() {
  profile=$1
  read_name
  source_of "$version"
  printf '%s\n' "$profile" >&2
  # shellcheck disable=SC2086 # several words
  quietly sh "$here/firmware/build.sh" "$work/$profile" "$source" $options
  run operations operations
  run anchor_p256m anchor --clock 100000000
  run client leaf_only --connect "127.0.0.1:$port"
  run client one_intermediate --connect "127.0.0.1:$((port + 1))"
  umask 022
  python3 "$here/calibrate.py" "$profile" "$version" "$options" "$source" "$work/$profile" "$out/$profile.json" ||
    fail 1 "$profile: the operations do not add up to the handshake, see above"
  umask 077
}

make_world
start_broker
for name in ${wanted:-$profiles}; do calibrate "$name"; done
