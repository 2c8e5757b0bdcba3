#!/bin/sh
# report.html in a real browser: of a run that failed, of one that passed, and of made-up results that no run of a test gives
# (16,000 devices and ten minutes; names that are markup; a run that ended before it began); and of a run that was killed. Screenshots of each stay in
# page-shots of the build folder. usage: page.sh PATH/TO/fleetsim
set -u
fleetsim=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=$(CDPATH='' cd -- "$(dirname -- "$fleetsim")" && pwd)
what="report.html"
. "$here/lib/browser.sh"
work=$(mktemp -d)
shots=$build/page-shots
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
rm -rf "$shots"
mkdir "$shots"

# made NAME EXIT_CODE: made-up results, and their page by `report --html`
made() {
  node "$here/lib/browser/made_up.mjs" "$1" "$work/$1" || exit 1
  expect "report --html of made-up results: $1" "$2" . "$fleetsim" report --html "$work/$1"
}
made large 1
if grep -q 'built without the page' "$work/said"; then
  echo "skipped: report.html: this fleetsim was built without npm"
  exit 77
fi
made hostile 1
made early 3

is_small() { # FILE: less than a megabyte
  size=$(wc -c <"$1")
  echo "$size bytes"
  [ "$size" -lt 1000000 ]
}
expect "the page of 16,000 devices and ten minutes is smaller than a megabyte" 0 . is_small "$work/large/report.html"

run() { # NAME EXIT_CODE SCENARIO
  expect "a run writes its page: $1" "$2" . "$fleetsim" run "$here/$3" --out "$work/$1"
  expect "it is there: $1" 0 . ls "$work/$1/report.html"
}
run failed 1 old-root-dropped-early.broken.yaml
run passed 0 old-root-dropped-early.healthy.yaml

same() { cmp "$1" "$2" && echo "the same"; }
cp "$work/failed/report.html" "$work/kept.html"
expect "a run that is refused leaves the earlier page alone" 2 'holds an earlier run' \
  "$fleetsim" run "$here/old-root-dropped-early.healthy.yaml" --out "$work/failed"
expect "it is as it was" 0 'the same' same "$work/kept.html" "$work/failed/report.html"
expect "report --html makes the same page again" 1 . "$fleetsim" report --html "$work/failed"
expect "it is the same" 0 'the same' same "$work/kept.html" "$work/failed/report.html"
rm "$work/passed/events.ndjson" "$work/passed/report.html"
expect "results that nothing vouches for have no page" 2 'no events.ndjson' "$fleetsim" report --html "$work/passed"
expect "none was written" 2 'No such file' ls "$work/passed/report.html"
expect "the run that passed, again" 0 . "$fleetsim" run "$here/old-root-dropped-early.healthy.yaml" --out "$work/passed" --overwrite

# A run that was killed, by its events alone
killed_run() {
  "$fleetsim" run "$work/long.yaml" --out "$work/killed" --quiet >"$work/killed.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 200); do grep -qs '"step": "wait"' "$work/killed/events.ndjson" && break; sleep 0.1; done
  sleep 2
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null
  "$fleetsim" report "$work/killed"
}
scenario long >/dev/null <<'YAML'
name: killed in its second phase
fleet: {devices: 20, telemetry: {every: 1s}}
phases:
  - name: come online
    do: [connect: {rate: 50/s}]
    until: online == 100% within 20s
  - name: stay
    do: [reconnect: {}, wait: {for: 60s}]
    until: online == 100% within 20s
YAML
expect "a run that was killed has a page by its report" 2 'NONE .*killed/report.html shows how far it came' killed_run

set --
for name in large hostile early failed passed killed; do set -- "$@" "$name=$work/$name/report.html"; done
expect "Chromium shows them all" 0 'interactive after' node "$here/lib/browser/look.mjs" "$build/browser" "$chromium" "$shots" "$@"
cat "$work/said"
end_of_cases
