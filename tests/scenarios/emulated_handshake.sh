#!/bin/sh
# The simulator's modelled handshake is what the emulated firmware needs for it: both connect to the same mosquitto, the
# firmware in fleetsim-m4, the fleet with the timing profile of the same build. Within 3 %, for every chain.
# usage: emulated_handshake.sh PATH/TO/fleetsim
set -u
fleetsim=$1
built=$(cd "$(dirname "$fleetsim")" && pwd)
repository=$(cd "$(dirname "$0")/../.." && pwd)
profile='mbedtls-3.6.7-Os'
profiles=${FLEETSIM_TIMING_PROFILES:-$repository/bench/m4/profiles}
within=3 # per cent

skip() {
  echo "skipped: $*"
  exit 77
}

# No value: unknown.
cached() { # ENTRY of the build folder's CMake cache
  sed -n "s/^$1:[A-Z]*=//p" "$built/CMakeCache.txt"
}

[ -z "$(cached FLEETSIM_SANITIZE)" ] || skip "a build with sanitizers runs the same arithmetic: the normal build's test counts"
for tool in mosquitto make; do
  command -v $tool >/dev/null || skip "$tool is not installed: install the package $tool"
done
command -v arm-none-eabi-gcc >/dev/null ||
  skip "there is no cross compiler: install gcc-arm-none-eabi and libnewlib-arm-none-eabi"
[ -x "$built/fleetsim-m4" ] ||
  skip "there is no $built/fleetsim-m4: install libunicorn-dev (2 or newer), then build again"
[ -x "$built/bench_client" ] || skip "there is no $built/bench_client: build it (ninja -C $built bench_client)"
mbedtls=$(cached FLEETSIM_MBEDTLS_SOURCE)
[ -n "$mbedtls" ] || mbedtls=$built/_deps/mbedtls-src
for said in "$profiles/$profile.json" "$mbedtls/library/ssl_tls13_client.c"; do
  [ -f "$said" ] || { echo "FAIL there is no $said, which the comparison needs"; exit 1; }
done

work=$(mktemp -d)
pid=
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0

fail() {
  echo "FAIL $*"
  failed=1
}

quietly() { # what it prints is shown when it fails
  "$@" >"$work/said" 2>&1 </dev/null && return
  echo "FAIL exit code $?: $*"
  tail -n 20 "$work/said" | sed 's/^/     | /'
  exit 1
}

# One broker for both ----------------------------------------------------------------------------------------------------
end_broker() {
  [ -n "$pid" ] || return 0
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  pid=
}

begin_broker() { # CASE; a port that is taken makes mosquitto end, and the next one is tried
  for try in $(seq 20); do
    port=$((20000 + ($$ * 3 + try * 277) % 12000))
    cat >"$work/conf" <<CONF
user $(id -un)
listener $port 127.0.0.1
tls_version tlsv1.3
cafile $work/$1/clients.crt
certfile $work/$1/broker.crt
keyfile $work/$1/broker.key
require_certificate true
use_identity_as_username true
allow_anonymous false
log_dest stderr
CONF
    mosquitto -c "$work/conf" 2>"$work/broker.log" &
    pid=$!
    for _ in $(seq 100); do
      grep -q 'running$' "$work/broker.log" && return 0
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.05
    done
    end_broker
  done
  echo "FAIL no free port for mosquitto"
  cat "$work/broker.log"
  exit 1
}

# The two sides ----------------------------------------------------------------------------------------------------------
# Cycles of the mark `handshake`, from a report with one key a line.
emulated_cycles() { # CASE
  quietly timeout 120 "$built/fleetsim-m4" --elf "$work/firmware/client.elf" --nvm "$work/$1/fleet/nvm.bin" --page 0 \
    --connect "127.0.0.1:$port" --json "$work/$1.m4.json"
  sed -n '/"handshake": *{/,/}/s/.*"cycles": *\([0-9]*\).*/\1/p' "$work/$1.m4.json"
}

# The answer to `connect`, a line of JSON: four devices of the fleet, as `handshake.device_ms` of a run has them.
simulate() { # CASE
  mkdir -p "$work/peers"
  echo 'connect 4 10' | FLEETSIM_BENCH_TIMING=$profile timeout 120 "$built/bench_client" --kind fleetsim_paced \
    --fleet "$work/$1/fleet" --peers "$work/peers" --host localhost --port "$port" --devices 4 >"$work/$1.simulated"
  tail -n 1 "$work/$1.simulated"
}

number() { # NAME, JSON on standard input
  sed -n "s/.*\"$1\":\([0-9.e+]*\).*/\1/p"
}

compare() { # CASE
  begin_broker "$1"
  cycles=$(emulated_cycles "$1")
  answer=$(simulate "$1")
  end_broker
  [ "$(echo "$answer" | number online)" = 4 ] || { fail "$1: not all of 4 devices came online: $answer"; return; }
  echo "$answer" | sed 's/.*"device_ms":{\([^}]*\)}.*/{\1}/' >"$work/device_ms"
  awk -v name="$1" -v cycles="$cycles" -v modelled="$(number p50 <"$work/device_ms")" -v within="$within" \
    -v clock="$(echo "$answer" | number clock_hz)" -v k="$(echo "$answer" | number k_nominal)" 'BEGIN {
    if (cycles <= 0 || modelled <= 0 || clock <= 0) { print "FAIL " name ": a figure is missing"; exit 1 }
    emulated = cycles / clock * k * 1000
    off = 100 * (modelled / emulated - 1)
    good = off <= within && off >= -within
    printf "%s %s: handshake.device_ms %.1f, emulated %.1f ms (%d cycles): %+.2f %%\n",
      good ? "ok  " : "FAIL", name, modelled, emulated, cycles, off
    exit !good
  }' || failed=1
}

prepare() { # CASE options of the broker's chain; devices trust the root A
  name=$1
  shift
  mkdir "$work/$name"
  quietly "$fleetsim" pki make "$work/$name/fleet" --devices 4 --roots A,B,spare --trusted A,spare
  quietly "$fleetsim" pki export "$work/$name/fleet" --what broker-chain --host localhost --out "$work/$name/broker" "$@"
  quietly "$fleetsim" pki export "$work/$name/fleet" --what client-ca --out "$work/$name/clients.crt"
}

quietly "$repository/bench/m4/firmware/build.sh" "$work/firmware" "$mbedtls" --opt -Os
prepare one-intermediate --root A
compare one-intermediate
prepare cross-certificate --root B --cross A
compare cross-certificate
exit "$failed"
