#!/bin/sh
# run --live: a run that is looked at while it goes on. What Prometheus would read of it, by promtool's judgement and against
# results.json; the dashboard for Grafana against the names that are exported; and who is refused.
# usage: live.sh PATH/TO/fleetsim
set -u
fleetsim=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'kill "$run" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
run=
. "$here/lib/cases.sh"
. "$here/lib/live.sh"

story=$(scenario story <<'END'
name: a run that is looked at
fleet: {devices: 30, telemetry: {every: 1s, bytes: 64, qos: 1}}
pki: {roots: [A, B], trusted: [A, B], broker: A}
phases:
  - name: come
    do: [connect: {rate: 100/s}]
    until: online == 100% within 30s
  - name: a "quiet" while
    do: [wait: {for: 100ms}]
    until: online == 10% within 5m
END
)

expect "another machine could see it: refused" 3 'say so twice.*--allow-live 0\.0\.0\.0' \
  "$fleetsim" run "$story" --live 0.0.0.0:0 --out "$work/wide"
expect "that address and no other was permitted" 3 'say so twice' \
  "$fleetsim" run "$story" --live 0.0.0.0:0 --allow-live 127.0.0.1 --out "$work/wide"
expect "no address" 2 'is no place for the live page' "$fleetsim" run "$story" --live=localhost --out "$work/wide"
expect "nothing was begun" 2 'No such file' ls "$work/wide"

live_run "$story" --live --out "$work/out"
at_phase 2
expect "the metrics of the run" 0 'fleetsim_connect_ok_total 30 ' get /metrics
cp "$work/said" "$work/metrics"
expect "its name and phase as they are" 0 'fleetsim_phase_info\{phase="a \\"quiet\\" while"\} 1' cat "$work/metrics"
expect "the names of the dashboard are exported" 0 'every name is exported' \
  python3 "$here/lib/dashboard.py" "$here/../../scenarios/grafana.json" "$work/metrics" "$work/queries.yaml"
if command -v promtool >/dev/null; then
  judged_by_promtool() { promtool check metrics <"$work/metrics" && echo "nothing to say"; }
  expect "promtool has nothing to say of the metrics" 0 '^nothing to say $' judged_by_promtool
  expect "promtool reads every query of the dashboard" 0 'SUCCESS: [1-9][0-9]+ rules' promtool check rules "$work/queries.yaml"
else
  echo "skipped: what promtool says of the metrics and the dashboard: prometheus is not installed"
fi

refused() { # STATUS NAME CURL_OPTIONS...
  status=$1 name=$2
  shift 2
  expect "refused: $name" 0 " $status $" curl -sS -w ' %{http_code} ' "$@"
}
expect "no HELP names another unit than its metric" 1 '^0 $' grep -ciE '^# HELP .*(micro|milli)seconds?' "$work/metrics"
refused 421 "a name that was led here" -H "Host: evil.example:$port" "$url/metrics"
refused 403 "another site" -H 'Origin: http://evil.example' "$url/metrics"
refused 403 "another site, by the browser's word" -H 'Sec-Fetch-Site: cross-site' "$url/events"
refused 404 "what is not there" "$url/results.json"
refused 405 "a page that is written to" -X PUT -d x "$url/"
refused 405 "the question before a request of another origin" -X OPTIONS "$url/control"
refused 401 "a control without the token" -d abort "$url/control"
refused 401 "a control with another one" -d abort -H 'Fleetsim-Token: 00000000000000000000000000000000' "$url/control"
refused 400 "what is no HTTP/1.1: no Host" -H 'Host:' "$url/"
expect "a port that is taken" 3 "cannot be served at 127.0.0.1:$port: Address already in use" \
  "$fleetsim" run "$story" --live "127.0.0.1:$port" --out "$work/taken"
expect "a crowd that says nothing keeps nobody out" 0 'somebody else was answered.*they were ' \
  python3 "$here/lib/crowd.py" "$port"
expect "readers that never read keep nobody out, are let go, and get no queue of old states" 0 \
  '12 look on, 8 are one too many /metrics was answered .* 11 of 11 were let go' python3 "$here/lib/sleepers.py" "$port"
kill -INT "$run"
live_ends 130
expect "the page was told once" 0 '^1 $' grep -c 'live page: ' "$work/log"
agrees() { # what was read while the run went on is in its results
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["metrics"]["connect.ok"]["value"])' "$work/out/results.json"
}
expect "results.json has the connections that the metrics had" 0 '^30 $' agrees
end_of_cases
