#!/bin/sh
# The device library and its unit tests build and pass on their own, and touch no header of libuv or OpenSSL.
set -eu
build=$1 generator=$2 mbedtls=$3 compiler=$4

# -O1 without -g: what is asked of it is whether it builds and works, and that takes two fifths less
cmake -S . -B "$build" -G "$generator" -DCMAKE_C_COMPILER="$compiler" -DFLEETSIM_DEVICE_ONLY=ON \
  -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1 -DFLEETSIM_MBEDTLS_SOURCE="$mbedtls" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build" --parallel 1 >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }

case $generator in
Ninja) ninja -C "$build" -t deps >"$build.deps" ;;
*) find "$build" -name '*.d' -exec cat {} + >"$build.deps" ;;
esac
grep -q 'sim/device/' "$build.deps" || { echo "no dependency of sim/device was recorded: this test saw nothing"; exit 1; }
if grep -E '/uv\.h|/openssl/|/curl/' "$build.deps"; then
  echo "the device library or one of its unit tests includes the headers above: it must do without"
  exit 1
fi
# fuzzing is for the other builds: P-256 of the portable library makes it slow here
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel 2 -LE fuzz
