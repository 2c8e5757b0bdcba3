#!/bin/sh
# The gauntlet, whole: our own device passes every case; real connections come to a listener and none gets another's case; what
# is asked wrongly is told.
# usage: gauntlet.sh PATH/TO/fleetsim
set -u
fleetsim=$(realpath "$1")
built=$(dirname "$fleetsim")
lib=$(realpath "$(dirname "$0")/lib")
work=$(mktemp -d)
listener=
trap 'end_listener; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$lib/cases.sh"
cd "$work" || exit 1
mkdir tmp
export TMPDIR="$work/tmp"

end_listener() {
  [ -z "$listener" ] || kill "$listener" 2>/dev/null
  listener=
}

# Our own device ------------------------------------------------------------------------------------------------------
expect "our own device passes every case" 0 "^PASS " "$fleetsim" gauntlet --self --quiet --out self --jobs 16
expect "... 46 cases and more in each of two versions of TLS, within 60 s, and no byte for a server that it refuses" 0 "^ok" \
  python3 "$lib/gauntlet/whole.py" self/results.json 46 60

# Real connections ----------------------------------------------------------------------------------------------------
listen() { # OPTIONS...: waits until it listens, at $port
  for try in $(seq 20); do
    port=$((20000 + ($$ * 7 + try * 331) % 12000))
    : >listening.txt # the last one's word is not this one's
    "$fleetsim" gauntlet --listen "127.0.0.1:$port" --name localhost --keys keys --export given --give-up 3 --absent 2 \
      "$@" >listened.txt 2>listening.txt &
    listener=$!
    for _ in $(seq 200); do
      ! grep -q '^listening' listening.txt || return 0
      kill -0 "$listener" 2>/dev/null || break
      sleep 0.1
    done
  done
  return 1
}

come() { # HOW OFTEN, then options of careless: a device that comes again and again
  times=$1
  shift
  for _ in $(seq "$times"); do
    "$built/careless" --host localhost --port "$port" --ca given/roots.pem --cert given/client.pem --key given/client.key \
      --id dev --timeout 5 "$@" >/dev/null 2>&1
  done
}

visit_100() {
  listen --layer tls --out listened || return 1
  come 100
  wait "$listener"
  code=$?
  listener=
  [ "$code" = 3 ] || echo "exit code $code: the device has not come for every case"
  python3 "$lib/gauntlet/in_order.py" listened/results.json 100
}

expect "100 connections of a device, each with the case that was its turn" 0 "^ok" visit_100
expect "... it is given roots in PEM, DER and as a C array, and where to go" 0 "gauntlet_root\[[0-9]+\] = .*name: localhost" \
  sh -c 'openssl x509 -inform DER -in given/root.der -noout -subject >&2 && grep -q BEGIN given/roots.pem && cat given/roots.h given/broker.txt'
come_again() { # with what it was given before, to a listener that has begun anew
  listen --layer tls --case leaf-expired --out again || return 1
  come 9 # the sound server once more at the end; and one that comes while the last is open has not come for the next case
  wait "$listener"
  code=$?
  listener=
  cat listened.txt
  [ "$code" = 0 ] || cat listening.txt
  return "$code"
}

expect "a device that was given its roots once comes to the next listener too" 0 "^PASS none of 2 lies" come_again
expect "... and a key that nobody else reads" 0 "^600 given/client.key 600 given/nvm.bin" stat -c '%a %n' given/client.key given/nvm.bin

# Clients that are careless in another way than by what they check ---------------------------------------------------
client="$built/careless --address {address} --host {host} --port {port} --ca {ca} --id {id} --timeout 4"
few="--quiet --layer tls --case unknown-ca --case leaf-expired --patience 8 --out few --overwrite"
clear='import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(bytes.fromhex("100d00044d51545404020005000161"))
s.close()'
printf '%s\n' "$clear" >clear.py
cat >turncoat.sh <<'E'
#!/bin/sh
# like its arguments behind the first for so many starts; then it trusts nobody that is here
echo >>starts
[ "$(wc -l <starts)" -gt "$1" ] || { shift; exec "$@"; }
shift
exec "$@" --ca nobody.pem
E
chmod +x turncoat.sh
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout nobody.key -out nobody.pem -subj /CN=nobody -days 9 2>/dev/null
# shellcheck disable=SC2086
{
  expect "who falls back to MQTT without TLS" 1 "4 of 4 lies were believed" \
    "$fleetsim" gauntlet $few --exec "$client || python3 clear.py {port}"
  expect "who comes again a while later, and looks at nothing" 1 "4 of 4 lies were believed" \
    "$fleetsim" gauntlet $few --exec "$client || { sleep 2; $client --skip all; }"
  expect "who refuses everybody after a while proves nothing" 3 "at the end it refused a sound server, too" \
    "$fleetsim" gauntlet $few --jobs 1 --exec "./turncoat.sh 2 $client"
  expect "... and who does not has passed" 0 "^PASS none of 4" "$fleetsim" gauntlet $few --jobs 1 --exec "$client"
}

# What is asked wrongly -----------------------------------------------------------------------------------------------
quick="--quiet --patience 2 --case leaf-expired --out wrong --overwrite"
expect "nobody is named" 2 "say who is to be tried" "$fleetsim" gauntlet
expect "a case that is none" 2 "there is no case 'nope'" "$fleetsim" gauntlet --self --case nope
# shellcheck disable=SC2086
expect "... but another is called nearly so" 2 "did you mean 'leaf-expired'" "$fleetsim" gauntlet --self --case 'Leaf_Expired'
expect "an option of another kind of target" 2 "https is of --listen: a command with .url. in it downloads" \
  "$fleetsim" gauntlet --exec 'x {port}' --https
expect "... and of the others" 2 "jobs is not of --listen" "$fleetsim" gauntlet --listen 127.0.0.1:18883 --jobs 2
expect "lies in MQTT for a downloader" 2 "layer mqtt is of clients that speak MQTT, and this one downloads" \
  "$fleetsim" gauntlet --exec 'curl {url}' --layer mqtt
expect "lies in HTTPS for an MQTT client" 2 "its command needs .url." "$fleetsim" gauntlet --exec 'x {port}' --layer https
expect "a name that is none" 2 "'mqtts://broker:1' is no --name: give a host name as in broker.lab" \
  "$fleetsim" gauntlet --exec 'x {port}' --name mqtts://broker:1
expect "ports beyond the last" 2 "from port 65535 on there are no 5 ports" "$fleetsim" gauntlet --listen 127.0.0.1:65535 --ports 5
expect "old versions have the control of TLS 1.2" 0 "^PASS .*tried 2 trials of 2 cases" \
  "$fleetsim" gauntlet --self --quiet --tls 1.0 --out old
expect "a command that is not there" 3 "the command cannot be run: .*nosuchclient" "$fleetsim" gauntlet $quick --exec "nosuchclient {port}"
# shellcheck disable=SC2086
expect "a client that never connects" 3 "^NONE nothing is shown: it never connected" "$fleetsim" gauntlet $quick --exec "sleep 60; : {port}"
expect "a command without a port" 2 "names no .port." "$fleetsim" gauntlet --exec "mosquitto_pub"
expect "a placeholder that is none" 2 "'.prt.' is none of" "$fleetsim" gauntlet --exec "x {prt}"
expect "an address that others reach" 3 "say so twice, with --allow-listen 0.0.0.0" "$fleetsim" gauntlet --listen 0.0.0.0:18883
expect "an address that is none" 2 "'foo' is no --listen" "$fleetsim" gauntlet --listen foo
listen --layer tls --out twice --give-up 10
expect "a port that is in use" 3 "cannot listen on 127.0.0.1:$port: address already in use" \
  "$fleetsim" gauntlet --listen "127.0.0.1:$port" --keys other --give-up 3
wait "$listener"
expect "nobody came" 0 "nobody connected" cat listening.txt
listener=
expect "a file of cases that is none" 2 "line 3: unknown key 'foo'" \
  sh -c 'printf "case x\n why: y\n foo: bar\n" >bad.txt; "$1" gauntlet --self --cases bad.txt' sh "$fleetsim"
expect "a folder instead of a file of cases" 2 "it holds no case" "$fleetsim" gauntlet --self --cases "$work"
expect "a case of one's own, which needs no C" 0 "^PASS " sh -c 'cat >own.txt <<E
case our staging leaf
  why:     a leaf of another team
  cert leaf: san=DNS:staging.test
  clients: refuse
  flaw:    name
  expect:  connect.tls.name_mismatch
E
"$1" gauntlet --self --quiet --cases own.txt --case our-staging-leaf --out own' sh "$fleetsim"

# Which cases, and where results go -----------------------------------------------------------------------------------
own="--self --quiet --tls 1.2"
many=$(for n in $(seq 16); do printf -- '--case leaf-expired --case unknown-ca '; done)
lists() { # OPTIONS...: how many cases
  "$fleetsim" gauntlet --list "$@" >list.txt || return
  grep -cE '^(tls|mqtt|https) ' list.txt
}

# shellcheck disable=SC2086
{
  expect "more cases by name than sixteen" 0 "^PASS .*3 trials of 3 cases" "$fleetsim" gauntlet $own $many --out many
  expect "... but not without end" 2 "at most 256 --case at a time; a pattern as '\*-leaf' stands for many" \
    sh -c 'exec "$1" gauntlet --self $(for n in $(seq 257); do printf -- "--case unknown-ca "; done)' sh "$fleetsim"
  expect "cases by a pattern" 0 "^PASS " "$fleetsim" gauntlet $own --case 'leaf-e*d' --out pattern
  expect "a pattern of nothing" 2 "there is no case 'zzz\*'" "$fleetsim" gauntlet $own --case 'zzz*'
  expect "cases of high severity alone" 0 "passed 1 1 0 2 " "$fleetsim" gauntlet $own --case '*-ca*' --severity high --out high
  expect "a severity that is none" 2 "'grave' is no --severity: give high, medium or low" "$fleetsim" gauntlet $own --severity grave
  expect "the list is of what would be tried" 0 "^3 $" lists --case unknown-ca --case leaf-expired
  expect "options that leave no case" 2 "no case is left to be tried, but for the control" "$fleetsim" gauntlet $own --case unknown-ca --layer mqtt
  expect "results that are there already" 2 "many holds an earlier gauntlet .*choose another folder with --out, or pass --overwrite" \
    "$fleetsim" gauntlet $own --case unknown-ca --out many
  expect "... may be lost if that is meant" 0 "^PASS " "$fleetsim" gauntlet $own --case unknown-ca --out many --overwrite
  expect "... but not for a line that is refused" 2 "there is no case 'nope'" "$fleetsim" gauntlet $own --case nope --out many --overwrite
  expect "... as they are then" 0 "2 trials of 2 cases" "$fleetsim" report many
}
mkdir run && echo '{"schema": "fleetsim-results/1"}' >run/results.json
# shellcheck disable=SC2086
{
  expect "results of a run are not let go" 2 "run holds a run .*choose another folder with --out" \
    "$fleetsim" gauntlet $own --case unknown-ca --out run --overwrite
  expect "a file in the way of a folder" 3 "own.txt is in the way: it is not a folder" "$fleetsim" gauntlet $own --out own.txt
  expect "a folder that takes no file is told before the first trial" 3 "/proc/self" "$fleetsim" gauntlet --self --out /proc/self/new
  expect "... and so is a summary" 3 "/proc/self" "$fleetsim" gauntlet --self --out early --summary-markdown /proc/self/new/s.md
  expect "a summary over the results" 2 "would be written over a run's own junit.xml" \
    "$fleetsim" gauntlet --self --out early --summary-markdown early/junit.xml
  expect "a summary over the cases" 2 "would be written over the cases" \
    "$fleetsim" gauntlet --self --out early --cases own.txt --summary-markdown own.txt
  expect "... which leaves no folder" 2 "early" ls early
  expect "a summary of what is refused says so" 2 "no verdict .*there is no case 'nope'" \
    sh -c '"$1" gauntlet --self --case nope --summary-markdown s.md 2>&1; code=$?; cat s.md; exit $code' sh "$fleetsim"
}
expect "nothing is left behind" 0 "^total 0" ls -l tmp

end_of_cases
