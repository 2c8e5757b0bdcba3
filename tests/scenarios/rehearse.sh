#!/bin/sh
# Runs one scenario of this folder against a real mosquitto and holds the outcome against what its first lines foretell:
#   # expect-exit: 1
#   # expect-reason: connect.tls.not_trusted     results.json must count this failure, or hold an expression that
#                                                begins like this and failed
#   # expect-unheard: 5                          at most so many clients that mosquitto accepted never learnt of it
#                                                (a node was killed or cut off between CONNACK and the device)
# usage: rehearse.sh PATH/TO/fleetsim SCENARIO.yaml
set -u
fleetsim=$1
scenario=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

foretold() { sed -n "s/^# expect-$1: *//p" "$scenario"; }
want_exit=$(foretold exit)
want_exit=${want_exit:-0}

fail() {
  echo "FAIL $(basename "$scenario"): $1"
  [ -f "$out/run/results.json" ] && "$fleetsim" report "$out/run"
  find "$out/run" -name mosquitto.log -exec tail -n 5 {} +
  cat "$out/log"
  exit 1
}

"$fleetsim" run "$scenario" --out "$out/run" --quiet --yes >"$out/log" 2>&1 </dev/null
got_exit=$?
[ "$got_exit" -eq "$want_exit" ] || fail "exit code $got_exit, foretold $want_exit"
[ -s "$out/run/results.json" ] || fail "no results.json"
[ -s "$out/run/junit.xml" ] || fail "no junit.xml"
[ -s "$out/run/events.ndjson" ] || fail "no events.ndjson"
disorder=$(sed -n 's/^{"t": \([0-9.]*\).*/\1/p' "$out/run/events.ndjson" | awk '$1 < last { print; exit } { last = $1 }')
[ -z "$disorder" ] || fail "events.ndjson goes back in time at t = $disorder"
grep -q '"closed": *true' "$out/run/results.json" || fail "attempts, successes, failures and open attempts do not add up"

# mosquitto's own word: it logs every client that it sent CONNACK, devices by their eight hex digits; a kick comes under
# a device's id with the operator's certificate
heard=$(sed -n '/"accounting"/,/}/s/.*"ok": *\([0-9]*\).*/\1/p' "$out/run/results.json")
value() { grep -A1 "\"$1\": {" "$out/run/results.json" | sed -n 's/.*"value": *\([0-9]*\).*/\1/p'; }
cloned=$(value compromise.accepts)
heard=$((heard + ${cloned:-0}))
accepted=$(find "$out/run" -name mosquitto.log -exec cat {} + | grep 'New client connected' |
  grep -v "u'operator'" | grep -cE ' as [0-9a-f]{8} ')
unheard=$(foretold unheard)
# an attempt that the plan cuts short may have its CONNACK on the way; of a clone at most one, when the run ends
stopped=$(grep -A1 '"connect.stopped": {' "$out/run/results.json" | sed -n 's/.*"count": *\([0-9]*\).*/\1/p')
clones=$(value compromise.clones)
[ "$accepted" -ge "$heard" ] && [ "$accepted" -le $((heard + ${unheard:-0} + ${stopped:-0} + ${clones:-0})) ] ||
  fail "the devices count $heard accepted connections, mosquitto's log $accepted"

foretold reason >"$out/reasons"
[ "$want_exit" -eq 0 ] || [ -s "$out/reasons" ] || fail "a broken scenario must foretell its reason"
while IFS= read -r reason; do
  case $reason in
  connect.* | session.* | device.*) grep -qF "\"$reason\": {" "$out/run/results.json" ;;
  *) grep -F -A2 "\"expr\": \"$reason" "$out/run/results.json" | grep -q '"pass": false' ;;
  esac || fail "results.json does not give the reason $reason"
done <"$out/reasons"
if grep -rqE 'PRIVATE KEY' "$out/run" --include='*.json' --include='*.ndjson' --include='*.log' --include='*.xml'; then
  fail "a private key is in the results or logs"
fi
if pgrep -f "$out/run" >/dev/null 2>&1; then fail "a process is left behind"; fi
echo "ok $(basename "$scenario"): exit $got_exit as foretold"
