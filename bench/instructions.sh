#!/bin/sh
# Instructions of user space that a connect of our devices takes, counted by callgrind: what the machine's load and clock
# do not touch. Two runs of `bench handshake`, of 100 and of 400 devices; their difference is of 300 connects.
#
#     bench/instructions.sh BUILD [BUILD ...]     # folders with bench-handshake and bench_client; the first is what the others are held against
#
# Valgrind's processor lacks what some of ours have (AVX-512, ADX), so that a library which chooses takes another way
# there: a count is for comparing builds.
set -eu
[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
command -v valgrind > /dev/null || { echo "instructions.sh: valgrind is not installed" >&2; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fleetsim-instructions-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# $1: the build, $2: how many devices; prints the instructions of its client's process
count() {
  rm -rf "$work/bin" "$work/out" && mkdir "$work/bin"
  cp "$1/bench-handshake" "$work/bin/"
  # the bench kills the shell; valgrind ends by itself, as there are no more commands, and counts up
  cat > "$work/bin/bench_client" << CLIENT
#!/bin/sh
valgrind -q --tool=callgrind --callgrind-out-file="$work/out" "$1/bench_client" "\$@"
CLIENT
  chmod +x "$work/bin/bench_client"
  "$work/bin/bench-handshake" --kinds fleetsim --rounds 1 --devices "$2" --rate 20 > "$work/said" 2>&1 ||
    { cat "$work/said" >&2; exit 1; }
  for _ in $(seq 100); do
    grep -q '^totals: ' "$work/out" 2> /dev/null && break
    sleep 0.2
  done
  sed -n 's/^totals: //p' "$work/out" | grep . || { echo "instructions.sh: valgrind counted nothing" >&2; exit 1; }
}

first=
for build; do
  build=$(cd "$build" && pwd)
  few=$(count "$build" 100)
  many=$(count "$build" 400)
  each=$(((many - few) / 300))
  first=${first:-$each}
  awk -v each="$each" -v first="$first" -v build="$build" \
    'BEGIN { printf "%10d instructions a connect, x%.3f of the first: %s\n", each, each / first, build }'
done
