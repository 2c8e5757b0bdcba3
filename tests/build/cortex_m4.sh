#!/bin/sh
# The device client compiles for a Cortex-M4 and needs nothing from its surroundings but what cortex_m4.symbols lists.
set -eu
out=$1 mbedtls=$2
here=tests/build

if ! command -v arm-none-eabi-gcc >/dev/null; then
  echo "skipped: no arm-none-eabi-gcc (packages gcc-arm-none-eabi and libnewlib-arm-none-eabi)"
  exit 77
fi
mkdir -p "$out/device" "$out/mbedtls"
make -s -f $here/cortex_m4.mk OUT="$out" MBEDTLS="$mbedtls"

arm-none-eabi-nm --undefined-only --format=posix "$out/client.o" | cut -d ' ' -f 1 | sort -u >"$out/undefined"
sed 's/[[:space:]]*#.*//; /^$/d' $here/cortex_m4.symbols | sort -u >"$out/allowed"
arm-none-eabi-nm --defined-only "$out/client.o" | grep -q ' device_builtin$' || {
  echo "device_builtin is not in the partial link: this test saw nothing"
  exit 1
}
extra=$(comm -23 "$out/undefined" "$out/allowed")
if [ -n "$extra" ]; then
  echo "a firmware would have to provide these, and $here/cortex_m4.symbols does not list them:"
  for symbol in $extra; do
    printf '  %s, used by: ' "$symbol"
    arm-none-eabi-nm -A --undefined-only "$out"/device/*.o "$out"/mbedtls/*.o | grep " U $symbol\$" |
      sed 's/.*\/\([^/]*\/[^/]*\.o\):.*/\1/' | sort -u | tr '\n' ' '
    echo
  done
  exit 1
fi
echo "device objects, all functions (Cortex-M4, -Os):"
arm-none-eabi-size "$out"/device/*.o | sed 's, [^ ]*/device/, ,'
echo "device client and its part of Mbed TLS, as linked:"
arm-none-eabi-size "$out/client.o" | sed 's,\t[^\t]*/client.o,\tclient.o,'
