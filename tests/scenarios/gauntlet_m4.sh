#!/bin/sh
# The whole firmware of bench/m4, in the emulator, before a listener of the gauntlet: a device that boots from the memory which it
# was given once, connects, ends, and boots again. It refuses whom it should and is content with the others.
# usage: gauntlet_m4.sh PATH/TO/fleetsim
set -u
fleetsim=$(realpath "$1")
built=$(dirname "$fleetsim")
repository=$(cd "$(dirname "$0")/../.." && pwd)

skip() {
  echo "skipped: $*"
  exit 77
}

cached() { # ENTRY of the build folder's CMake cache
  sed -n "s/^$1:[A-Z]*=//p" "$built/CMakeCache.txt"
}

[ -z "$(cached FLEETSIM_SANITIZE)" ] || skip "a build with sanitizers emulates the same firmware: the normal build's test counts"
command -v arm-none-eabi-gcc >/dev/null ||
  skip "there is no cross compiler: install gcc-arm-none-eabi and libnewlib-arm-none-eabi"
command -v make >/dev/null || skip "make is not installed"
[ -x "$built/fleetsim-m4" ] || skip "there is no $built/fleetsim-m4: install libunicorn-dev (2 or newer), then build again"
mbedtls=$(cached FLEETSIM_MBEDTLS_SOURCE)
[ -n "$mbedtls" ] || mbedtls=$built/_deps/mbedtls-src

work=$(mktemp -d)
listener=
trap '[ -z "$listener" ] || kill "$listener" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
cd "$work" || exit 1

expect "the firmware is built" 0 "client.elf" "$repository/bench/m4/firmware/build.sh" "$work/firmware" "$mbedtls" --opt -Os

begin_listening() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 11 + try * 373) % 12000))
    "$fleetsim" gauntlet --listen "127.0.0.1:$port" --name localhost --keys keys --export given --give-up 60 --tls 1.3 --out out \
      --case new-intermediate-under-the-same-root --case unknown-ca --case leaf-expired --case another-brokers-name \
      --case device-certificate-used-as-a-broker --case wrong-key >told.txt 2>listening.txt &
    listener=$!
    for _ in $(seq 300); do
      ! grep -q '^listening' listening.txt || return 0
      kill -0 "$listener" 2>/dev/null || break
      sleep 0.1
    done
  done
  return 1
}

boot_until_it_is_through() {
  begin_listening || return 1
  for _ in $(seq 12); do
    kill -0 "$listener" 2>/dev/null || break
    timeout 60 "$built/fleetsim-m4" --elf firmware/client.elf --nvm given/nvm.bin --page 0 --connect "127.0.0.1:$port" \
      --json m4.json >/dev/null 2>&1
  done
  wait "$listener"
  code=$?
  listener=
  cat told.txt listening.txt
  return "$code"
}

expect "it believes none of five lies, and is let in by both sound servers" 0 "^PASS none of 5 lies was believed" boot_until_it_is_through
expect "... each by its alert: unknown CA 48, expired 45, name 42, usage 43, signature 51" 0 "^48 45 42 43 51 ?$" \
  python3 -c 'import json
t = {t["case"]: t["seen"]["alert"]["number"] for t in json.load(open("out/results.json"))["trials"] if t["seen"]["alert"]}
print(*(t[c] for c in ("unknown-ca", "leaf-expired", "another-brokers-name", "device-certificate-used-as-a-broker", "wrong-key")))'

end_of_cases
