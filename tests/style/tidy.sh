#!/bin/sh
# clang-tidy finds nothing in the program; .clang-tidy says what it looks for. A file that was clean is looked at again
# only when it, a header or .clang-tidy has changed. Tests are left to the compiler and the sanitizers.
set -eu
. tests/style/sources.sh
build=$1
command -v clang-tidy >/dev/null || { echo "skipped: no clang-tidy (package clang-tidy)"; exit 77; }

clean=$build/tidy
mkdir -p "$clean"
headers=$(sources '*.h' | tr '\n' '\0' | xargs -0 cat .clang-tidy "$build/compile_commands.json" | cksum | tr ' ' -)

# File, then the mark that it was clean as it is now.
marked=$(sources 'sim/*.c' 'bench/bench_*.c' | while IFS= read -r file; do
  grep -qF "/$file\"" "$build/compile_commands.json" || continue
  printf '%s %s\n' "$file" "$clean/$(cksum <"$file" | tr ' ' -)-$headers"
done)
[ -n "$marked" ] || { echo "compile_commands.json names no file of ours: this test saw nothing"; exit 1; }

# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "$marked" | xargs -L 1 sh -c '
  [ ! -f "$3" ] || exit 0
  clang-tidy --quiet --extra-arg=-Wno-ignored-optimization-argument -p "$1" "$2" >"$3.log" 2>/dev/null && mv "$3.log" "$3" && exit 0
  cat "$3.log"
  exit 1' tidy "$build" || exit 1
printf '%s\n' "$marked" | wc -l | sed 's/$/ files are clean/'
