#!/bin/bash
# Whose results lie in a folder: an earlier run's are not lost, a killed run has none, a signal ends a run with results.
# usage: results.sh PATH/TO/fleetsim
set -u
fleetsim=$(realpath "$1")
command -v mosquitto >/dev/null || { echo "skipped: mosquitto is not installed"; exit 77; }
work=$(mktemp -d)
running=
trap 'for p in $running; do kill -KILL "$p" 2>/dev/null; done; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
cd "$work" || exit 1

short=$(scenario short <<'YAML'
name: short
fleet: {devices: 2, telemetry: {every: 200ms}}
phases:
  - name: online
    do: [connect: {rate: 50/s}]
    until: online == 100% within 20s
YAML
)
long=$(sed 's/do: \[connect: {rate: 50\/s}\]/do: [connect: {rate: 50\/s}, wait: {for: 60s}]/' "$short" | scenario long)

sums() { find "$1" -type f -exec sha256sum {} + | sort; }

in_phase() { # DIR: waits until the run there has begun its phase
  for _ in $(seq 200); do
    grep -qs '"step": "wait"' "$1/events.ndjson" && return
    sleep 0.1
  done
}

begin() { # DIR OPTIONS: a long run in the background, its pid in $pid
  dir=$1
  shift
  "$fleetsim" run "$long" --out "$dir" "$@" >"$dir.log" 2>&1 </dev/null &
  pid=$!
  running="$running $pid"
  in_phase "$dir"
}

ends_with() { # NAME WANTED-CODE: of $pid; in a second or so
  name=$1
  wait "$pid"
  got=$?
  cp "$dir.log" "$work/said"
  if [ "$got" -eq "$2" ]; then
    echo "ok   $name"
    passed=$((passed + 1))
  else
    complain "exit code $got, wanted $2"
  fi
}

# An earlier run's results -------------------------------------------------------------------------------------------
expect "a run, and its report" 0 "PASS .*PASS" sh -c '"$1" run "$2" --out keep && "$1" report keep' sh "$fleetsim" "$short"
sums keep >before
expect "its keys lie beside it" 0 "^0 .*fleetsim root A" \
  sh -c 'grep -rl "PRIVATE KEY" keep | wc -l; "$1" pki show keep.keys/fleet' sh "$fleetsim"
unchanged() { # NAME
  if sums keep | cmp -s before -; then
    echo "ok   $1"
    passed=$((passed + 1))
  else
    name=$1
    complain "the earlier run's files have changed"
  fi
}
expect "a second run there is refused" 2 "keep holds an earlier run.*--overwrite" "$fleetsim" run "$short" --out keep
unchanged "... and nothing of the first is touched"
expect "also with the first one's fleet" 2 "holds an earlier run" "$fleetsim" run "$short" --out keep --fleet keep.keys/fleet
unchanged "... and nothing of the first is touched then"
expect "a refused target touches nothing, whatever is allowed" 3 "nothing was sent" \
  "$fleetsim" run "$short" --out keep --overwrite --broker mqtts://broker.example:8883
unchanged "... nor with --overwrite"
expect "a machine that is too small neither" 3 "descriptor" \
  sh -c 'ulimit -n 40; exec "$@"' sh "$fleetsim" run "$short" --devices 200 --out keep --overwrite
unchanged "... nor then"
expect "a fleet that lacks devices neither" 2 "holds 2 devices" \
  "$fleetsim" run "$short" --devices 3 --out keep --overwrite --fleet keep.keys/fleet
unchanged "... nor then, with --fleet"
mkdir keep/clones && echo '{"event": "old"}' >keep/clones/events.ndjson && echo mine >keep/notes.txt
expect "--overwrite lets it go" 0 "PASS" "$fleetsim" run "$short" --out keep --overwrite --fleet keep.keys/fleet
if [ -e keep/clones ] || [ ! -e keep/notes.txt ]; then
  name="what is overwritten goes as a whole, and nothing else" && complain "clones or notes.txt: $(ls keep)"
fi
mkdir -p old && echo '{"verdict": "pass"}' >old/results.json
expect "one file of a run is enough" 2 "holds an earlier run" "$fleetsim" run "$short" --out old
mkdir -p fresh && echo mine >fresh/notes.txt
expect "somebody's own files are no run" 0 "PASS" "$fleetsim" run "$short" --out fresh

mkdir -p other.keys && "$fleetsim" pki make other.keys/fleet --devices 2 >/dev/null
expect "a fleet of somebody's own is not taken for a run's" 2 "other.keys.*holds what no run has put there" \
  "$fleetsim" run "$short" --out other
rm -rf other other.keys
expect "keys lie where they are asked for" 0 "^fleet none 0 " sh -c '"$1" run "$2" --out placed --keys safe/here --quiet >/dev/null
  echo $(ls safe/here | grep -x fleet) $(ls -d placed.keys 2>/dev/null || echo none) $(grep -rl "PRIVATE KEY" placed | wc -l)' \
  sh "$fleetsim" "$short"
"$fleetsim" pki make alone --devices 2 --roots A,B,spare >/dev/null
sums alone >before
expect "nor among a fleet's keys" 2 "alone is the folder of the fleet" \
  "$fleetsim" run "$short" --fleet alone --out alone --overwrite
expect "... where nothing is touched" 0 "same" \
  sh -c 'find alone -type f -exec sha256sum {} + | sort | cmp - before && echo same'

mkdir -m 755 theirs && echo mine >theirs/notes.txt
expect "keys among somebody's own files are refused, and nothing is changed there" 2 "holds what no run has put there" \
  "$fleetsim" run "$short" --out apart --keys theirs
expect "... not its mode either" 0 "^755 notes.txt " sh -c 'echo $(stat -c %a theirs) $(ls theirs)'
expect "nor do keys of an earlier run go unasked" 2 "safe/here holds the keys of an earlier run.*--overwrite" \
  "$fleetsim" run "$short" --out apart --keys safe/here
expect "the folder for results takes no keys" 2 "cannot lie in apart, which is the folder for results" \
  "$fleetsim" run "$short" --out apart --keys apart
expect "nor does one in it" 2 "cannot lie in .*apart/keys, which is the folder for results, or in it" \
  "$fleetsim" run "$short" --out apart --keys apart/keys
expect "the fleet of the run before goes with what it was, unless it is the one that is given" 0 "^ca none " sh -c '
  "$1" run "$2" --out again --quiet >/dev/null && "$1" run "$2" --out again --overwrite --fleet again.keys/fleet --quiet >/dev/null
  echo $(ls again.keys/fleet | head -n 1) $("$1" run "$2" --out again --overwrite --fleet alone --quiet >/dev/null; ls -d again.keys/fleet 2>/dev/null || echo none)' \
  sh "$fleetsim" "$short"

expect "what somebody has put among them stays" 0 "^ca " sh -c '
  cp -r alone again.keys/imported && "$1" run "$2" --out again --overwrite --fleet again.keys/imported --quiet >/dev/null && echo $(ls again.keys/imported)' \
  sh "$fleetsim" "$short"

# A compressed list ----------------------------------------------------------------------------------------------------
expect "a compressed list is vouched for as another is" 0 "PASS .*0 events.ndjson.zst" sh -c '
  "$1" run "$2" --out packed --compress-events --quiet && "$1" report packed && echo $(ls packed/events.ndjson 2>/dev/null | wc -l) $(cd packed && ls events*)' \
  sh "$fleetsim" "$short"
expect "... and compared" 0 "nothing moved" "$fleetsim" report packed packed
cp -r packed spoilt && echo more >>spoilt/events.ndjson.zst
expect "what is put behind it is told" 2 "events.ndjson.zst in spoilt is not as the run wrote it" "$fleetsim" report spoilt
rm -rf spoilt/results.json
expect "one that did not end is not left out of a set" 2 "spoilt" sh -c 'mkdir set && mv spoilt set && cp -r packed set && "$1" report packed set' sh "$fleetsim"

# A summary for a page -------------------------------------------------------------------------------------------------
cp "$short" mine.yaml
expect "a summary is not written over the scenario" 2 "would be written over the scenario" \
  "$fleetsim" run mine.yaml --out page --summary-markdown "$PWD/mine.yaml"
cmp -s "$short" mine.yaml || { name="the scenario is as it was" && complain "mine.yaml was changed"; }
ln -s mine.yaml link.md
expect "nor in the place of a device, a pipe or a link" 2 "link.md is no regular file" \
  "$fleetsim" run mine.yaml --out page --summary-markdown link.md

# Two at a time --------------------------------------------------------------------------------------------------------
begin busy
sums busy.keys/fleet >before
expect "no key lies in the folder while a run goes on" 0 "^0 " \
  sh -c "grep -rlE 'PRIVATE KEY|keyfile $work/busy/' busy | wc -l"
expect "a second run at the same time is refused" 3 "another run is writing its results to busy" \
  "$fleetsim" run "$short" --out busy --overwrite
expect "... or with its keys" 3 "another run has its keys in .*busy.keys" "$fleetsim" run "$short" --out beside --keys busy.keys
expect "its report says that it has not ended" 2 "no complete run|did not end" "$fleetsim" report busy
kill -TERM "$pid"
ends_with "the first one ends as if nothing had been" 130
grep -q '"event": "end"' busy/events.ndjson || { name="busy" && complain "its events are not whole"; }
for i in 1 2 3; do "$fleetsim" run "$short" --quiet >"default$i.log" 2>&1 </dev/null & p[i]=$!; done
codes=
for i in 1 2 3; do wait "${p[i]}"; codes="$codes $?"; done
expect "three parallel starts have three folders" 0 "^3 3 0 0 0" \
  sh -c "echo \$(ls -d out/short-*[^s] | wc -l) \$(ls out/*/results.json | wc -l) $codes"

# A run that was killed ------------------------------------------------------------------------------------------------
begin keep --overwrite
kill -KILL "$pid"
ends_with "a run that is killed after another one" 137
expect "has no verdict, and says how far it came" 2 "NONE short: no verdict.*under way: wait.*2 online then, 2 ever, of 2.*no complete run" \
  "$fleetsim" report keep
"$fleetsim" run "$short" --out other --quiet </dev/null
cp other/results.json keep/
expect "nor with somebody else's results.json" 2 "did not end" "$fleetsim" report keep
cp other/events.ndjson old/ && cp fresh/results.json old/
expect "nor with somebody else's events" 2 "different runs" "$fleetsim" report old
sed 's/"pass": true/"pass": false/' other/results.json >fresh/results.json && cp other/events.ndjson fresh/
expect "a pass whose expectation failed is none" 2 "contradicts itself.*failed" "$fleetsim" report fresh

sed 's/"devices.lost": {/"devices.lost": {"value": 3}, "was": {/' other/results.json >fresh/results.json
expect "... nor one whose metrics speak against it" 2 "contradicts itself.*devices.lost is 3" "$fleetsim" report fresh

# Results that somebody edited -------------------------------------------------------------------------------------------
edited() { # FILE SED-COMMAND: a copy of the run in edited/
  rm -rf edited
  cp -r other edited && sed -i "$2" "edited/$1"
  cmp -s "other/$1" "edited/$1" && echo "nothing was edited"
  "$fleetsim" report edited
}
expect "a gate that has not seen what it wanted" 2 'contradicts itself.*"1 of 2 \(50%\)" was observed' \
  edited results.json 's/"2 of 2 (100%)"/"1 of 2 (50%)"/'
expect "a number that nobody judged" 2 "results.json in edited is not as the run wrote it" \
  edited results.json 's/"handshake.resumed": {/&"value": 5}, "was": {/'
expect "one event less" 2 "events.ndjson in edited is not as the run wrote it: it has more or fewer lines" edited events.ndjson 3d
expect "another event" 2 "events.ndjson in edited is not as the run wrote it: its SHA-256" edited events.ndjson '3s/"t": ./"t": 9/'
expect "two end records" 2 "more than one end record" edited events.ndjson '$p'
expect "an empty junit.xml" 2 "junit.xml in edited is not as the run wrote it" edited junit.xml d
expect "an end record without hashes" 2 "the end record in edited has no hashes" edited events.ndjson '$s/, "events": .*/}/'

# Events that somebody took away -----------------------------------------------------------------------------------------
for harm in 'rm events.ndjson' ': >events.ndjson'; do
  begin taken --overwrite
  (cd taken && eval "$harm")
  harmed=$SECONDS
  ends_with "after $harm a run has no verdict" 3
  [ $((SECONDS - harmed)) -lt 40 ] || complain "it went on for $((SECONDS - harmed)) s"
  expect "... and says why" 0 "events.ndjson is incomplete: it was (removed|cut off)" cat taken.log
  expect "... nor anything that CI takes for one" 2 "no complete run" "$fleetsim" report taken
done

expect "how many is no time" 1 "handshake.wall_ms.count == 0: observed 2($| [^m])" \
  "$fleetsim" run "$short" --set 'expect=["handshake.wall_ms.count == 0"]'

# Signals --------------------------------------------------------------------------------------------------------------
for signal in HUP TERM QUIT USR1 USR2 XCPU; do
  begin "on-$signal"
  kill "-$signal" "$pid"
  ends_with "SIG$signal ends a run with results" 130
  expect "... that say so" 130 "STOP .*interrupted by SIG$signal" "$fleetsim" report "on-$signal"
done
begin ignored
kill -PIPE "$pid"
kill -XFSZ "$pid"
sleep 0.3
kill -HUP "$pid" # twice, as a terminal does that closes
kill -HUP "$pid"
ends_with "SIGPIPE and SIGXFSZ end nothing, SIGHUP twice at once is SIGHUP" 130
expect "... and says so" 130 "interrupted by SIGHUP" "$fleetsim" report ignored
(trap '' HUP && exec "$fleetsim" run "$long" --out nohup >nohup.log 2>&1 </dev/null) &
pid=$!
running="$running $pid"
in_phase nohup
kill -HUP "$pid"
sleep 0.5
kill -TERM "$pid"
dir=nohup
ends_with "under nohup SIGHUP ends nothing" 130
expect "... SIGTERM does" 130 "interrupted by SIGTERM" "$fleetsim" report nohup
cat >blocked.py <<'PY'
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
PY
if command -v python3 >/dev/null; then
  expect "signals that are blocked or ignored at the start do not hurt" 0 "PASS" \
    timeout 60 python3 blocked.py "$fleetsim" run "$short" --out blocked
fi

# What it was started with ---------------------------------------------------------------------------------------------
for fds in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
  rm -rf closed
  expect "with $fds" 0 "ended" sh -c "'$fleetsim' run '$short' --out closed $fds && echo ended"
  expect "... it passes" 0 "PASS" "$fleetsim" report closed
  expect "... and nothing was printed into a file of the run" 0 "nowhere" \
    sh -c "grep -rE 'PASS  short|^results:' closed || echo nowhere"
done
unread() { # the exit code of a program whose reader has gone before its first word, or after its first line
  { sleep 0.2 && "$fleetsim" "$@" 2>/dev/null; echo $? >code; } | true
  cat code
  { "$fleetsim" "$@" 2>/dev/null; echo $? >code; } | head -1 >/dev/null
  cat code
}
rm -rf closed
expect "nobody reads: the verdict is the exit code" 0 "^0 0 $" unread run "$short" --out closed --overwrite
expect "... of its report too" 0 "^0 0 $" unread report closed
expect "... of a failed one too" 0 "^1 1 $" unread run "$short" --out closed --overwrite --set "expect=[online == 7]"
expect "... of long words too" 0 "^0 0 $" unread pki show closed.keys/fleet
expect "no room for its files" 3 "cannot write .*File too large|is incomplete: File too large" \
  sh -c "ulimit -f 4; exec '$fleetsim' run '$short' --out full"
expect "... leaves no verdict" 2 "no complete run" "$fleetsim" report full
expect "no room for its results either: what ended it before is told too" 3 \
  "the run has no verdict: cannot write last/results.json: File too large; check the folder.s permissions and free space; and before that: making a fleet in " \
  sh -c "ulimit -f 20; exec '$fleetsim' run '$short' --out last"
expect "... and the report says the same" 2 "^NONE short: no verdict: its results could not be written cannot write last/results.json: File too large; " \
  "$fleetsim" report last
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
  mkdir disk
  sed 's/devices: 2/devices: 40/; s/wait: {for: 60s}/wait: {for: 5s}, reconnect: {}, &/' "$long" >busy.yaml
  expect "a disk that is full in the midst of a run ends it" 3 "^full at once .*events.ndjson is incomplete: No space left" \
    unshare -m bash -c 'mount -t tmpfs -o size=4m disk disk || exit 9
      "$1" run "$2" --out disk/full >full.log 2>&1 & pid=$!
      for _ in $(seq 200); do grep -qs "\"step\": \"wait\"" disk/full/events.ndjson && break; sleep 0.1; done
      dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null
      began=$SECONDS
      wait "$pid"; code=$?
      [ $((SECONDS - began)) -lt 40 ] && echo full at once
      cat full.log; ls disk/full
      [ ! -e disk/full/results.json ] && [ ! -e disk/full/results.json.part ] && exit "$code"
      exit 8' sh "$fleetsim" busy.yaml
  sed 's/wait: {for: 60s}/wait: {for: 3s}/' "$long" >late.yaml
  expect "a disk that is full at its end is told, and what the report says agrees" 3 "the run has no verdict: cannot write disk/late/results.json: No space left on device; .* NONE short: no verdict: its results could not be written cannot write disk/late/results.json: No space left" \
    unshare -m bash -c 'mount -t tmpfs -o size=4m disk disk || exit 9
      "$1" run "$2" --out disk/late >late.log 2>&1 & pid=$!
      for _ in $(seq 200); do grep -qs "\"step\": \"wait\"" disk/late/events.ndjson && break; sleep 0.1; done
      dd if=/dev/zero of=disk/room bs=4k count=3 2>/dev/null
      dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null
      rm disk/room
      wait "$pid"; code=$?
      cat late.log; "$1" report disk/late; ls disk/late
      [ ! -e disk/late/results.json ] && [ ! -e disk/late/results.json.part ] && [ ! -e disk/late/junit.xml ] && exit "$code"
      exit 8' sh "$fleetsim" late.yaml
  expect "a disk that cannot be written to is told at once" 3 "cannot make the folder disk/ro: Read-only file system; choose another one" \
    unshare -m sh -c 'mount -t tmpfs -o ro disk disk && exec "$1" run "$2" --out disk/ro' sh "$fleetsim" "$short"
fi
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null && command -v prlimit >/dev/null &&
  setpriv --reuid=65534 --clear-groups test -x "$fleetsim"; then
  mkdir nobody && chown 65534 nobody && chmod 711 "$work" && chmod 644 "$short"
  expect "few threads are told before somebody aborts" 3 "needs [0-9]+ threads and processes at once.*ulimit -u" \
    setpriv --reuid=65534 --clear-groups prlimit --nproc=6 "$fleetsim" run "$short" --out nobody/few
fi
begin cores
expect "no core dump" 0 "^Max core file size 0 0" grep "core file" "/proc/$pid/limits"
broker=$(pgrep -P "$pid" mosquitto)
expect "... of its broker neither" 0 "^Max core file size 0 0 .*00000000" \
  sh -c "grep 'core file' /proc/$broker/limits; cat /proc/$broker/coredump_filter"
kill -TERM "$pid"
ends_with "... and it ends" 130

# What lies in the way -------------------------------------------------------------------------------------------------
mkdir open links && chmod 777 open && ln -s "$work/victim" links/events.ndjson && echo precious >victim
expect "a folder that everybody can write to" 3 "everybody can write to the folder open" "$fleetsim" run "$short" --out open
expect "a link as events.ndjson" 2 "holds an earlier run" "$fleetsim" run "$short" --out links
expect "... is removed, not followed" 0 "PASS" "$fleetsim" run "$short" --out links --overwrite
expect "... and what it named is as it was" 0 "^precious" cat victim
mkdir named && ln -s named as-link
expect "a link as the folder itself is the user's" 0 "PASS" "$fleetsim" run "$short" --out as-link
end_of_cases
