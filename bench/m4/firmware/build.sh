#!/bin/sh
# Builds operations.elf, client.elf and anchor_p256m.elf for a Cortex-M4, and prints their ROM and static RAM.
#
#   bench/m4/firmware/build.sh OUT MBEDTLS_SOURCE [--opt -Os|-O2] [--small] [--p256m]
#
#   --opt    how the compiler optimises all of it; -Os if not given
#   --small  P-256 by a window of 2 bits and without fixed-point tables
#   --p256m  P-256 by the p256-m driver that is bundled with Mbed TLS
#
# One folder OUT per set of options. fetch_mbedtls.sh brings other versions of Mbed TLS.
set -eu

fail() {
  printf 'firmware: %s\n' "$*" >&2
  exit 2
}

[ $# -ge 2 ] || fail "say build.sh OUT MBEDTLS_SOURCE [--opt -Os|-O2] [--small] [--p256m]"
out=$1 mbedtls=$2 opt=-Os small='' p256m=''
shift 2
while [ $# -gt 0 ]; do
  case $1 in
  --opt)
    case ${2:-} in -Os | -O2) opt=$2 ;; *) fail "--opt takes -Os or -O2, not '${2:-}'" ;; esac
    shift
    ;;
  --small) small=1 ;;
  --p256m) p256m=1 ;;
  *) fail "there is no option '$1'; --opt, --small and --p256m are" ;;
  esac
  shift
done
[ -z "$small" ] || [ -z "$p256m" ] || fail "--small and --p256m exclude each other: the driver has no window"
command -v arm-none-eabi-gcc >/dev/null ||
  fail "there is no arm-none-eabi-gcc: install gcc-arm-none-eabi and libnewlib-arm-none-eabi"
[ -f "$mbedtls/library/ssl_tls13_client.c" ] ||
  fail "$mbedtls is no source tree of Mbed TLS 3.6: unpack its release there, or let fetch_mbedtls.sh do it"

mkdir -p "$out/firmware" "$out/device" "$out/mbedtls"
out=$(CDPATH='' cd -- "$out" && pwd -P)
mbedtls=$(CDPATH='' cd -- "$mbedtls" && pwd -P)
cd -- "$(dirname -- "$0")/../../.."

# Objects of other options must not be linked.
options="$opt small=$small p256m=$p256m $mbedtls"
if [ -f "$out/options" ] && [ "$(cat "$out/options")" != "$options" ]; then
  fail "$out was built with other options ($(cat "$out/options")): name another folder, or remove it"
fi
printf '%s\n' "$options" >"$out/options"
make -s -j 2 -f bench/m4/firmware/firmware.mk OUT="$out" MBEDTLS="$mbedtls" OPT="$opt" SMALL="$small" P256M="$p256m"
