#!/bin/sh
# A run as somebody sees it on a terminal: a picture that is redrawn in its place, and gone in the end however that comes;
# a summary that fits; plain lines where nothing can be painted. usage: terminal.sh PATH/TO/fleetsim
set -u
fleetsim=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
cd "$work" || exit 1
export TERM=xterm
unset NO_COLOR

on() { # COLUMNSxROWS [WHEN ACTION] COMMAND...; what was there stays in the file 'seen'
  python3 "$here/lib/terminal.py" "$@" >"$work/seen"
  on=$?
  cat "$work/seen"
  return "$on"
}

none() { ! grep -E "$1" "$work/seen" && echo none; } # of what was there

short=$(scenario short <<'END'
name: a run that is watched
fleet: {devices: 20, telemetry: {every: 200ms, bytes: 64, qos: 1}}
phases:
  - name: 駅逐 👩‍👧 come online, all of them, in a phase with quite a long name
    do: [connect: {rate: 20/s}]
    until: online == 100% within 30s
  - name: stay
    do: [wait: {for: 1500ms}]
END
)
long=$(scenario long <<'END'
name: a run that is ended
fleet: {devices: 5}
phases:
  - name: stay
    do: [connect: {}]
    until: shelved == 1 within 60s
END
)
asks=$(scenario asks <<'END'
name: a run that asks
fleet: {devices: 5}
phases:
  - name: come
    do: [connect: {}]
    until: online == 100%
  - name: ask
    do: [prompt: {say: Swap the certificate}, wait: {for: 1s}]
END
)
{
  printf 'name: a run of many phases\nfleet: {devices: 5}\nphases:\n  - name: come\n    do: [connect: {}]\n'
  for p in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do printf '  - name: phase %s of many\n    until: online == 100%%\n' "$p"; done
  printf '  - name: the last\n    expect: [online == 4]\n'
} >many.yaml

picture='seen: phase 2/2 stay .*seen: online \[#+\] 20 of 20 .*seen: rates handshakes .*seen: self '
gone='cursor at the left $'
expect "a picture while it goes on, and a verdict in the end" 0 \
  "^painted [0-9]+ $picture.*end: PASS a run that is watched: .*end: results: out .*$gone" \
  on 80x24 "$fleetsim" run "$short" --out out
expect "nothing of the picture is left" 0 '^none $' none '^end:.*(\[#|rates )'
expect "it comes two to four times a second" 0 '^yes $' awk '/^painted/ { n = $2 } /^end: PASS/ { s = $(NF - 1) }
  END { print (n >= 2 * (s - 1.5) && n <= 4 * s) ? "yes" : n " in " s " s" }' "$work/seen"
expect "a small window" 0 "^painted [0-9]+ seen: phase 2/2 .*seen: online .*widest (3[0-9]|[12][0-9]) .*cursor at the left" \
  on 40x10 "$fleetsim" run "$short" --out out --overwrite
expect "a window that is made smaller" 0 "^painted [1-9][0-9]* seen: phase 2/2 .*widest (3[0-9]|[12][0-9]) .*cursor at the left" \
  on 80x24 "phase 1/2" 40x10 "$fleetsim" run "$short" --out out --overwrite
expect "a window of one row has no picture" 0 "^painted 0 end: PASS .*$gone" \
  on 80x1 "$fleetsim" run "$short" --out out --overwrite

plain='painted 0 end: phase 1/2 .* online [0-9]+/20 .*end: phase 2/2 stay online 20/20 .*end: PASS a run'
expect "NO_COLOR" 0 "^$plain.*$gone" on 80x24 env NO_COLOR=1 "$fleetsim" run "$short" --out out --overwrite
expect "an empty NO_COLOR is none" 0 "^painted [1-9]" on 80x24 env NO_COLOR= "$fleetsim" run "$short" --out out --overwrite
expect "a dumb terminal" 0 "^$plain.*$gone" on 80x24 env TERM=dumb "$fleetsim" run "$short" --out out --overwrite
piped() { "$fleetsim" run "$short" --out out --overwrite >"$work/seen" 2>&1 && cat "$work/seen"; }
expect "a pipe" 0 "^phase 1/2 .*phase 2/2 stay online 20/20 .*PASS a run" piped
expect "... gets nothing that steers a terminal" 0 '^none $' none "$(printf '\033')"
expect "--quiet says the verdict" 0 "^painted 0 end: PASS a run that is watched: 20 devices, [0-9.]+ s end: lines 1 " \
  on 80x24 "$fleetsim" run "$short" --out out --overwrite --quiet
expect "... and why" 1 "^FAIL a run of many phases: 5 devices, [0-9.]+ s phase \"the last\": expected online == 4, observed 5 .*$" \
  "$fleetsim" run many.yaml --out many --quiet

expect "Ctrl-C" 130 "^painted [0-9]+ seen: phase 1/1 stay .*seen: gate shelved == 1 .*end: STOP a run that is ended: .*interrupted by Ctrl-C.*$gone" \
  on 80x24 "] 5 of 5" Ctrl-C "$fleetsim" run "$long" --out out --overwrite
expect "nothing of the picture is left by it" 0 '^none $' none '^end:.*(\[#|rates )'
expect "a kill leaves no mode behind" 137 "^painted [0-9]+ seen: phase 1/1 stay .*cursor at the left" \
  on 80x24 "] 5 of 5" kill "$fleetsim" run "$long" --out out --overwrite
expect "a question is not painted over" 0 \
  "^painted [0-9]+ .*end: Swap the certificate end: Press Enter to go on. end: PASS a run that asks.*$gone" \
  on 80x24 "Press Enter" Enter "$fleetsim" run "$asks" --out out --overwrite
expect "a question that nobody answers" 130 \
  "end: Swap the certificate end: Press Enter to go on. .*end: STOP a run that asks.*$gone" \
  on 80x24 "Press Enter" Ctrl-C "$fleetsim" run "$asks" --out out --overwrite

expect "a summary of twenty phases fits: what failed comes first" 1 \
  "end: FAIL a run of many phases: .*end: phases 19 of 20 passed end: x the last .*phases that passed are left out here: 'fleetsim report' prints all of it end: results: many" \
  on 80x24 "$fleetsim" run many.yaml --out many --overwrite
expect "... in a window's lines" 0 '^yes $' awk '/^lines/ { print ($2 <= 23) ? "yes" : $2 }' "$work/seen"
expect "no line of it is wider than 80" 0 '^none $' none '^end: .{81}'
expect "elsewhere every phase is told" 1 "phase 1 of many .*phase 18 of many .*x the last" \
  "$fleetsim" run many.yaml --out many --overwrite
expect "so does 'report' on a terminal" 1 "end: FAIL .*phase 1 of many .*phase 18 of many .*x the last" \
  on 80x24 "$fleetsim" report many
end_of_cases
