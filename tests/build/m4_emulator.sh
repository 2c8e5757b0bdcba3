#!/bin/sh
# fleetsim-m4 counts the cycles that a hand counts, and ends every bad image with a sentence that says what to do.
set -eu
emulator=$1
here=tests/build
for tool in as ld objcopy; do
  command -v arm-none-eabi-$tool >/dev/null || {
    echo "skipped: no arm-none-eabi-$tool (package binutils-arm-none-eabi)"
    exit 77
  }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

complain() {
  printf '%s\n' "$@"
  bad=1
}

# image CASE: links $work/CASE.elf
image() {
  arm-none-eabi-as --defsym CASE="$1" $here/m4_emulator.s -o "$work/$1.o"
  arm-none-eabi-ld -Ttext 0 -e reset "$work/$1.o" -o "$work/$1.elf"
}

# run CASE [option...]: $code, $work/said, and $work/report on one line without blanks
run() {
  case=$1
  shift
  [ -f "$work/$case.elf" ] || image "$case"
  code=0
  timeout 60 "$emulator" --elf "$work/$case.elf" "$@" >"$work/json" 2>"$work/said" || code=$?
  tr -d ' \n' <"$work/json" >"$work/report"
}

# reports TEXT
reports() {
  grep -qF -- "$1" "$work/report" || complain "case $case: expected $1 in the report:" "$(cat "$work/report")"
}

# ends CODE TEXT
ends() {
  [ "$code" -eq "$1" ] || complain "case $case: exit code $code, expected $1; it said: $(cat "$work/said")"
  grep -qF -- "$2" "$work/said" || complain "case $case: expected '$2', it said: $(cat "$work/said")"
}

run 1
[ "$code" -eq 0 ] || complain "case 1: exit code $code: $(cat "$work/said")"
for counted in straight:22 loop:14 call:5 misaligned:7 outer:5 inner:1; do
  reports "\"${counted%:*}\":{\"count\":1,\"cycles\":${counted#*:},"
done
reports '"schema":"fleetsim-m4/1"'
reports '"exit_code":0,"failure":null'
reports '"unclassified":0'
reports '"working":{"entered":1,'
reports '"heap_peak_bytes":100,"stack_peak_bytes":12}'
reports "\"elf_sha256\":\"$(sha256sum <"$work/1.elf" | cut -d ' ' -f 1)\""
reports '"icache":null'
total=$(sed 's/.*"cycles":\([0-9]*\),"unclassified".*/\1/' "$work/report")
states=0
# shellcheck disable=SC2013 # numbers
for cycles in $(sed 's/.*"states"://; s/"memory".*//' "$work/report" | grep -o '"cycles":[0-9]*' | cut -d : -f 2); do
  states=$((states + cycles))
done
[ "$total" -eq "$states" ] || complain "the states have $states cycles together, the run has $total"

[ $bad -eq 0 ] || exit 1

run 1 --model divide=12 --model taken_direct=3
reports '"straight":{"count":1,"cycles":28,'
reports '"loop":{"count":1,"cycles":22,'
reports '"divide":12,'
run 1 --icache 1024:16:2:9
reports '"miss_cycles":9,"misses":'
[ "$(sed 's/.*"cycles":\([0-9]*\),"unclassified".*/\1/' "$work/report")" -gt "$total" ] ||
  complain "an instruction cache that misses costs nothing"

run 2
ends 1 'the image never wrote a mark: link bench/m4/marks.h and call m4_mark_begin'
reports '"exit_code":0,'
run 3 --cycle-limit 1000000
ends 3 'ran for more than 1000000 cycles'
reports '"exit_code":null,"failure":"theimageran'
run 4
ends 3 'reads 4 bytes at 0x40000000, where nothing is'
run 5
ends 3 'writes 4 bytes at 0x00000000, where it may not write'
run 6
ends 3 'jumps to 0x30000000'
run 7
ends 3 'ended in an SVC'
run 8
ends 3 'an undefined instruction'
run 9
ends 1 'xfleetsim-m4: the image ended with exit code 7'
run 10
ends 3 'nothing wakes it here'
run 11
ends 3 'names a mark or state at 0x70000000'
run 12
ends 3 "mark 'straight' ends without a begin"
run 13
ends 2 'say where to, with --connect HOST:PORT'
run 14 --idle-limit 500
ends 3 'has waited for more than 500 ms'
run 16
ends 3 'bytes at 0x1ffff'
run 17
ends 3 'reads a word that m4/marks.h does not have at 0x5ff00080'

entropy() {
  run 15 --seed "$1"
  sed 's/.*"heap_peak_bytes":\([0-9]*\).*/\1/' "$work/report"
}
[ "$(entropy 5)" = "$(entropy 5)" ] || complain "the same seed gives different entropy"
[ "$(entropy 5)" != "$(entropy 6)" ] || complain "two seeds give the same entropy"

# Not an image at all: every part of a good one, and other files.
size=$(wc -c <"$work/1.elf")
cut=0
while [ "$cut" -lt "$((size < 4096 ? size : 4096))" ]; do
  head -c "$cut" "$work/1.elf" >"$work/cut.elf"
  run cut
  ends 2 fleetsim-m4:
  cut=$((cut + 64))
done
arm-none-eabi-objcopy -O binary "$work/1.elf" "$work/bin.elf"
run bin
ends 2 'is not an ELF file'
cp "$work/1.o" "$work/object.elf"
run object
ends 2 'is not linked to fixed addresses'
cp "$emulator" "$work/host.elf"
run host
ends 2 'is not for 32-bit little-endian Arm'

run 1 --connect 10.0.0.1:8883
ends 2 'reaches this machine only'
run 1 --model speed=9
ends 2 "no parameter 'speed'"
run 1 --clock fast
ends 2 '--clock takes a whole number'
run 1 --nvm "$work/1.elf" --page 1000
ends 2 'has no page 1000'
run 1 --icache 1000
ends 2 'powers of two'
run 1 --json "$work/no/such/folder"
ends 3 'cannot write the report'
exit $bad
