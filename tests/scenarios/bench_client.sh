#!/bin/sh
# The client of the benchmarks: it says by name how connections ended, and with a limit no more are on their way at once, so
# that a slow broker is met with what it takes. The soak looks at the memory of a run; seconds say nothing of its growth.
# usage: bench_client.sh PATH/TO/fleetsim
set -u
fleetsim=$1
client=$(dirname "$fleetsim")/bench_client
[ -x "$client" ] || { echo "skipped: there is no $client: build it"; exit 77; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"
cd "$work" || exit 1
"$fleetsim" pki make fleet --devices 60 >said || exit 1
mkdir peers
# A broker that takes a connection, leaves it alone for a moment and ends it; `tally` says how many came, and how many at once.
cat >slow.py <<'PY'
import socket, sys, threading, time
lock, now, most, seen = threading.Lock(), 0, 0, 0
def hold(peer):
    global now, most, seen
    with lock:
        now, seen = now + 1, seen + 1
        most = max(most, now)
    time.sleep(0.05)
    with lock:
        now -= 1
        open("tally", "w").write(f"{seen} {most}\n")
    peer.close()
listener = socket.create_server(("127.0.0.1", 0), backlog=200)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=hold, args=(listener.accept()[0],), daemon=True).start()
PY
mkfifo port
python3 slow.py >port &
server=$!
read -r port <port
export ASAN_OPTIONS=detect_leaks=0 # it leaves its end to the system
bench() { # COMMAND
  echo "$1" | timeout 100 "$client" --kind fleetsim --fleet fleet --peers peers --host localhost --port "$port" --devices 60
}
expect "each of sixty connections is named" 0 '"failed":60.*"failures":\{"connect\.[a-z_.]*":60\}' bench "connect 60 5000 7"
name="no more than seven at once"
read -r seen most <tally
[ "$seen" -eq 60 ] && [ "$most" -le 7 ] || complain "the broker saw $seen connections, $most at once"
kill "$server"
wait "$server" 2>/dev/null
server=
expect "nobody listens" 0 '"failed":60.*"failures":\{"connect\.tcp\.refused":60\}' bench "connect 60 5000"
expect "and how long the client itself was late" 0 '"longest_wait_ms":[0-9]+' bench "idle 0.1"
# It needs a live page to look at, which a build without libmicrohttpd has not.
recording() {
  "$(dirname "$fleetsim")/bench-recording" --devices 20 --rate 20 --seconds 4 --rounds 1 --json recording.json
  code=$?
  [ "$code" -le 1 ]
}
if recording >recorded 2>&1 || ! grep -q 'built without the live page' recorded; then
  expect "recording and a live page, of few devices for some seconds" 0 \
    "20 devices: recording [0-9.]+ %, live page with a reader [0-9.]+ %, both [0-9.]+ % of the run's CPU .*[1-9][0-9]* events, [1-9][0-9]* states" \
    cat recorded
  python3 -c 'import json; r = json.load(open("recording.json")); s, p = r["share"], r["parts_cpu_s"]
assert min(p.values()) > 0 and abs(s["recording"] + s["live"] - s["both"]) < 1e-6, r
assert 0.8 < r["events"]["replayed_bytes_of_these"] < 1.2 and r["must_be_below"] == 0.03, r' >said 2>&1 ||
    complain "recording.json is not as it should be"
fi
soak=$(dirname "$fleetsim")/bench-soak
expect "a soak of some seconds" 0 "20 devices, 6 s: [1-9][0-9]* connections, [1-9][0-9]* messages; resident memory [0-9.]+ MiB" \
  sh -c "'$soak' --devices 20 --seconds 6 --json soak.json || [ \$? -eq 1 ]"
name="and what it saw"
python3 -c 'import json; r = json.load(open("soak.json")); s = r["samples"]
assert len(s["s"]) == len(s["rss_mib"]) >= 6 and min(s["rss_mib"]) > 1 and isinstance(r["rss_mib_per_h"], float), r' >said 2>&1 ||
  complain "soak.json is not as it should be"
end_of_cases
