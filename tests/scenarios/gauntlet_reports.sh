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

# What only one of them has tried, and what is not alike --------------------------------------------------------------
change() { # FROM TO PYTHON: of the tree `t`, with without(t, CASE, TLS)
  mkdir -p "$2"
  python3 -c '
import json, sys
def without(t, case, tls):
    gone = [x for x in t["trials"] if x["case"] == case and x["tls"] == tls]
    t["trials"] = [x for x in t["trials"] if x not in gone]
    for x in gone:
        t["tally"][x["verdict"]][t["cases"][case]["severity"]] -= 1
t = json.load(open(sys.argv[1] + "/results.json"))
exec(sys.argv[3])
json.dump(t, open(sys.argv[2] + "/results.json", "w"))' "$@"
}
change passed less 'without(t, "another-name", "1.2")'
change passed stopped 't["interrupted"] = True'
change passed downloads 't["protocol"] = "https"'
change passed other 't["target"] = "listen"; t["versions"]["fleetsim"] = "9.9"'
expect "a grave failure that A has not tried ends with 1, and says why" 1 \
  "1 trial of high severity was failed that A has not tried: .* \? high 1.2 another name failed, and A has not tried it" \
  "$fleetsim" report less failed
expect "... for programs too" 1 '"exit_code": 1, "alarm": "1 trial of high severity' "$fleetsim" report less failed --json
expect "what only B has passed is told with its verdict" 0 "^SAME .*1 trial in B only: 1 passed another-name, TLS 1.2: passed" \
  "$fleetsim" report less passed
expect "what is not tried any more is unclear" 0 "^UNCLEAR .*\? 1 trial of A is not tried any more, 1 of high severity: 1 passed" \
  "$fleetsim" report passed less
expect "... and ends with 1 where that is asked for" 1 "^UNCLEAR" "$fleetsim" report passed less --fail-on unclear
expect "an interruption is told" 0 "! beware: B was interrupted before all was tried" "$fleetsim" report passed stopped
expect "another way to be tried and another program are told" 0 "tried by --exec, and B by --listen.*by fleetsim .*, and B by 9.9" \
  "$fleetsim" report passed other
expect "a downloader is no MQTT client" 2 "are not alike, so that .*: A speaks MQTT, and B downloads by HTTPS; --anyway" \
  "$fleetsim" report passed downloads
expect "... unless that is meant" 0 "! not alike: A speaks MQTT, and B downloads" "$fleetsim" report passed downloads --anyway

expect "a run cannot be compared with a gauntlet" 2 "failed has results of a gauntlet and run has none: a gauntlet is compared with" \
  "$fleetsim" report run failed
expect "nor a folder of runs" 2 "failed has results of a gauntlet and runs has none" "$fleetsim" report failed runs
expect "a page is of one" 2 "name one folder" "$fleetsim" report passed failed --html

end_of_cases
