#!/bin/sh
# aedes as a team's staging broker: it speaks MQTT 3.1.1, keeps sessions in memory only, puts several packets into one TLS
# record, and refuses by closing the connection, of a certificate as of a forbidden publish, without a word.
# usage: staging_aedes.sh PATH/TO/fleetsim
set -u
fleetsim=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=$(CDPATH='' cd -- "$(dirname -- "$fleetsim")" && pwd)
for aedes in "$build/aedes" "${build%-asan}/aedes" none; do # where the front door installs it
  aedes=$aedes/node_modules/aedes
  [ ! -f "$aedes/aedes.js" ] || break
done
node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null ||
  { echo "skipped: aedes: node 20 or newer is not installed"; exit 77; }
[ -f "$aedes/aedes.js" ] || { echo "skipped: aedes: it is not in $build/aedes, './fleetsim test' puts it there with npm"; exit 77; }
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$work/hooks" "$broker"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
. "$here/lib/stories.sh"
. "$here/lib/facts.sh"

# The broker ---------------------------------------------------------------------------------------------------------------
broker_version() { node -p '"aedes " + require(process.argv[1]).version + ", node " + process.versions.node' "$aedes/package.json"; }
broker_log() { cat "$broker/log" 2>/dev/null; }

cat >"$work/hooks/begin" <<'HOOK'
# PORT: and waits until it runs
node "$0.mjs" "$AEDES" "$BROKER" "$1" >"$BROKER/log" 2>&1 </dev/null &
echo $! >"$BROKER/pid"
for _ in $(seq 200); do
  grep -q '^running' "$BROKER/log" && exit 0
  kill -0 $! 2>/dev/null || exit 1
  sleep 0.05
done
exit 1
HOOK
cp "$here/lib/aedes/broker.mjs" "$work/hooks/begin.mjs"
cat >"$work/hooks/end" <<'HOOK'
pid=$(cat "$BROKER/pid")
kill "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
HOOK
cat >"$work/hooks/reload" <<'HOOK'
# and waits until it has read what is in force
seen=$(grep -c 'read again' "$BROKER/log")
kill -HUP "$(cat "$BROKER/pid")"
for _ in $(seq 100); do
  [ "$(grep -c 'read again' "$BROKER/log")" -eq "$seen" ] || exit 0
  sleep 0.02
done
exit 1
HOOK
export BROKER="$broker" AEDES="$aedes"

end_broker() {
  [ ! -s "$broker/pid" ] || sh "$work/hooks/end" 2>/dev/null
}

begin_broker_on_a_free_port() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 2 + try * 254) % 12000))
    again="sh $work/hooks/end && sh $work/hooks/begin $port"
    sh "$work/hooks/begin" "$port" && return 0
  done
  echo "FAIL no free port for aedes"
  broker_log
  exit 1
}

publish='cp "$FLEETSIM_CRL" '$broker'/crl.pem && sh '$work'/hooks/reload'
broker_block() {
  cat <<YAML
broker:
  url: mqtts://localhost:$port
  kind: aedes
  hooks:
    present: cp "\$FLEETSIM_CERT" $broker/main.crt && cp "\$FLEETSIM_KEY" $broker/main.key && sh $work/hooks/reload
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" $broker/clients.crt && sh $work/hooks/reload
    publish-crl: $publish
    reload: sh $work/hooks/reload
    restart: $again
YAML
}

begin_second() { # PORT: another server that has the same files
  mkdir -p "$broker/second"
  for file in main.crt main.key clients.crt crl.pem rules; do ln -sf "$broker/$file" "$broker/second/$file"; done
  BROKER=$broker/second sh "$work/hooks/begin" "$1"
}
end_second() { BROKER=$broker/second sh "$work/hooks/end" 2>/dev/null; }

nothing_allowed() { echo own >"$broker/rules"; }
all_allowed() { echo open >"$broker/rules"; }

factory() { # the broker as it was delivered
  cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
  nothing_allowed
  end_broker
  sh "$work/hooks/begin" "$port"
}

make_fleet
cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
nothing_allowed
begin_broker_on_a_free_port

mqtt=3.1.1 revoked=closed_after_handshake expired=closed_after_handshake
[ -z "${facts:-}" ] || { tell_facts; exit 0; }
rotation_story
revocation_story
expiry_story
restart_story forgets
update_story shared
trespass_story # last: sessions keep what came through where all is open
end_of_cases
