#!/bin/sh
# Every C file is formatted as .clang-format says.
set -eu
. tests/style/sources.sh
command -v clang-format >/dev/null || { echo "skipped: no clang-format (package clang-format)"; exit 77; }

list=$(sources '*.c' '*.h')
[ -n "$list" ] || { echo "found no C file: this test saw nothing"; exit 1; }
unformatted=$(printf '%s\n' "$list" | xargs clang-format --dry-run -Werror 2>&1 | sed -n 's/^\([^:]*\):[0-9].* error: .*/\1/p' | sort -u)
if [ -n "$unformatted" ]; then
  printf 'not formatted; to repair them:\nclang-format -i %s\n' "$(echo "$unformatted" | tr '\n' ' ')"
  exit 1
fi
printf '%s\n' "$list" | wc -l | sed 's/$/ files are formatted/'
