#!/bin/bash
# Reports of gauntlets that ended: printed again with their exit codes, two side by side, and never taken for a run's.
# usage: gauntlet_reports.sh PATH/TO/fleetsim
set -u
fleetsim=$(realpath "$1")
made=$(realpath "$(dirname "$0")/../fuzz/corpus/gauntlet") # what a gauntlet has written, of a client that was made up
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
cd "$work" || exit 1

for report in failed passed never; do
  mkdir "$report"
  cp "$made/$report" "$report/results.json"
done
mkdir run runs none
echo '{"schema": "fleetsim-results/1"}' >run/results.json

# One ----------------------------------------------------------------------------------------------------------------
expect "what was failed is told again, with that exit code" 1 "^FAIL 2 of 10 lies were believed: anybody with .*x high 1.2, 1.3 another name" \
  "$fleetsim" report failed
expect "what was passed" 0 "^PASS none of " "$fleetsim" report passed
expect "what shows nothing" 3 "^NONE nothing is shown: the client never connected" "$fleetsim" report never
expect "every trial on request" 1 "self-signed-leaf .*gave up after" "$fleetsim" report failed --verbose
expect "a page and a summary, made anew" 0 "<h2>Failed</h2>.*## FAIL: mosquitto_pub version 2.0.18" \
  sh -c '"$1" report failed --html --summary-markdown s.md >/dev/null; [ $? = 1 ] && cat failed/report.html s.md' sh "$fleetsim"
expect "--json is of two" 2 "one gauntlet has its results.json for programs" "$fleetsim" report failed --json
expect "--verbose is of a gauntlet" 2 "of a gauntlet: leave the option out" "$fleetsim" report run --verbose
sed 's/"verdict":"fail","conduct"/"verdict":"pass","conduct"/' failed/results.json >none/results.json
expect "what contradicts itself" 2 "it counts .* run the gauntlet again" "$fleetsim" report none

# Two ----------------------------------------------------------------------------------------------------------------
expect "worse ends with 1" 1 "^WORSE 3 worse.*x high 1.2, 1.3 another name newly failed CONNECT went to" "$fleetsim" report passed failed
expect "mended ends with 0" 0 "^BETTER 3 better.*mended" "$fleetsim" report failed passed
expect "... and with 1 where any move is asked for" 1 "^BETTER" "$fleetsim" report failed passed --fail-on moved
expect "nothing between a report and itself" 0 "^SAME nothing" "$fleetsim" report failed failed --fail-on moved
expect "for programs" 1 '"schema": "fleetsim-gauntlet-comparison/1".*"change": "newly failed"' "$fleetsim" report passed failed --json
expect "in Markdown" 1 "## WORSE: 3 worse" sh -c '"$1" report passed failed --summary-markdown s.md >/dev/null; code=$?; cat s.md; exit $code' sh "$fleetsim"
expect "what shows nothing cannot be compared" 2 "never cannot be compared: nothing is shown: the client never connected" \
  "$fleetsim" report failed never
sed 's/"verdict":"pass","exit_code":0/"verdict":"error","exit_code":3/' passed/results.json >none/results.json
expect "what shows a part of it can" 0 "^SAME" "$fleetsim" report passed none
expect "a run cannot be compared with a gauntlet" 2 "failed has results of a gauntlet and run has none: a gauntlet is compared with" \
  "$fleetsim" report run failed
expect "nor a folder of runs" 2 "failed has results of a gauntlet and runs has none" "$fleetsim" report failed runs
expect "a page is of one" 2 "name one folder" "$fleetsim" report passed failed --html

end_of_cases
