#!/bin/sh
# report.html in a real browser: of a run that failed, of one that passed, and of made-up results that no run of a test gives
# (16,000 devices and ten minutes; names that are markup; a run that ended before it began). Screenshots of each stay in
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

set --
for name in large hostile early failed passed; do set -- "$@" "$name=$work/$name/report.html"; done
expect "Chromium shows them all" 0 'interactive after' node "$here/lib/browser/look.mjs" "$build/browser" "$chromium" "$shots" "$@"
cat "$work/said"
end_of_cases
