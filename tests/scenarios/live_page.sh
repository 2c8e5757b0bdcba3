#!/bin/sh
# The live page in a real browser while a run goes on: it moves, it pauses the run and ends it; a wrong token and another site
# are refused. usage: live_page.sh PATH/TO/fleetsim
set -u
fleetsim=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=$(CDPATH='' cd -- "$(dirname -- "$fleetsim")" && pwd)
what="the live page"
. "$here/lib/browser.sh"
work=$(mktemp -d)
run=
trap '[ -z "$run" ] || kill "$run"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
. "$here/lib/live.sh"
shots=$build/live-shots
rm -rf "$shots"
mkdir "$shots"

story=$(scenario story <<'END'
name: a run that is looked at
fleet: {devices: 30, telemetry: {every: 1s, bytes: 64, qos: 1}}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - name: come
    do: [connect: {rate: 100/s}]
    until: online == 100% within 30s
  - name: work
    do: [wait: {for: 100ms}]
    until: telemetry.sent >= 900 within 5m
  - name: and again
    do: [wait: {for: 5m}]
END
)

live_run_in_terminal "$story" --live --out "$work/out"
if [ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/")" = 404 ]; then
  echo "skipped: the live page: this fleetsim was built without npm"
  exit 77
fi
expect "Chromium sees it, and ends it" 0 . node "$here/lib/browser/live.mjs" "$build/browser" "$chromium" "$shots" "$url/#$token"
cat "$work/said"
live_ends 130
told() { # of the results: verdict, exit code, and what was done by hand
  python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
print(r["verdict"], r["exit_code"], r["by_hand"]["pauses"], r["by_hand"]["paused_s"] > 0, r["by_hand"]["aborted"])' "$work/out/results.json"
}
expect "results.json says what was done by hand" 0 '^interrupted 130 1 True True $' told
expect "so do the events" 0 '"pause".*"on": true.*"go-on".*"on": false.*"abort"' grep -E '"control"|"paused"' "$work/out/events.ndjson"
nowhere() { ! grep -rl "$token" "$work/out" && echo "nowhere"; }
expect "the token is nowhere in the results" 0 '^nowhere $' nowhere
end_of_cases
