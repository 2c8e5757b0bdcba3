#!/bin/sh
# RabbitMQ as a team's staging broker: it speaks MQTT 3.1.1, closes on a forbidden publish, wants a list of every CA and
# says nothing about why it has none. A node of this script's own, with its own epmd.
# usage: staging_rabbitmq.sh PATH/TO/fleetsim
set -u
fleetsim=$1
server=/usr/lib/rabbitmq/bin/rabbitmq-server
for tool in "$server" epmd erl_call openssl python3; do
  command -v "$tool" >/dev/null || { echo "skipped: RabbitMQ: $tool is not installed (packages rabbitmq-server, erlang-base)"; exit 77; }
done
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$work/hooks" "$broker" "$broker/crls"
trap 'end_node; kill "$epmd" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
. "$here/lib/stories.sh"
. "$here/lib/facts.sh"

# The node -----------------------------------------------------------------------------------------------------------------
port=$((20000 + $$ % 3000 * 4))
node=fleetsim$port@localhost
cookie=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
epmd=''

in_its_world() { # COMMAND...: with the node's names and folders, and nothing of another RabbitMQ on this machine
  env HOME="$broker" LC_ALL=C.UTF-8 ERL_EPMD_PORT=$((port + 2)) ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME="$node" RABBITMQ_DIST_PORT=$((port + 3)) RABBITMQ_CONF_ENV_FILE=/dev/null \
    RABBITMQ_MNESIA_BASE="$broker/mnesia" RABBITMQ_LOG_BASE="$broker/log" RABBITMQ_PID_FILE="$broker/pid" \
    RABBITMQ_CONFIG_FILE="$broker/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$broker/advanced.config" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$broker/plugins" RABBITMQ_GENERATED_CONFIG_DIR="$broker/generated" \
    RABBITMQ_SCHEMA_DIR="$broker/schema" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none' "$@"
}

definitions() { # ALLOWED: the part of a topic that a device may use, {username} for its own
  python3 - "$1" "$devices" <<'PYTHON'
import json, sys
names = ["operator"] + ["SN-2026-%06d" % i for i in range(int(sys.argv[2]))]
queues = "^(mqtt-subscription-.*|amq\\.topic)$"
topics = lambda name: "^acme\\.v1\\." if name == "operator" else "^acme\\.v1\\." + sys.argv[1].replace("NAME", name)
print(json.dumps({
    "vhosts": [{"name": "/"}],
    "users": [{"name": n, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""} for n in names],
    "permissions": [{"user": n, "vhost": "/", "configure": queues, "write": queues, "read": queues} for n in names],
    "topic_permissions": [{"user": n, "vhost": "/", "exchange": "amq.topic", "write": topics(n), "read": topics(n)} for n in names]}))
PYTHON
}

configure() {
  cat >"$broker/rabbitmq.conf" <<CONF
listeners.tcp = none
mqtt.listeners.tcp = none
mqtt.listeners.ssl.main = 127.0.0.1:$port
mqtt.ssl_cert_login = true
mqtt.allow_anonymous = false
mqtt.subscription_ttl = 86400000
ssl_cert_login_from = common_name
load_definitions = $broker/definitions.json
CONF
  cat >"$broker/advanced.config" <<CONF
[{rabbit, [{ssl_options, [
  {cacertfile, "$broker/clients.crt"}, {certfile, "$broker/main.crt"}, {keyfile, "$broker/main.key"},
  {verify, verify_peer}, {fail_if_no_peer_cert, true}, {versions, ['tlsv1.3']}, {depth, 4}, {crl_check, true},
  {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, "$broker/crls"}]}}}]}]}].
CONF
  echo '[rabbitmq_mqtt, rabbitmq_auth_mechanism_ssl].' >"$broker/plugins"
  definitions 'NAME\.' >"$broker/definitions.json"
  (umask 077 && printf %s "$cookie" >"$broker/.erlang.cookie")
  chmod 400 "$broker/.erlang.cookie"
}

broker_version() { play rabbitmqctl version | sed 's/^/RabbitMQ /'; }
broker_log() { cat "$broker"/log/*.log 2>/dev/null; }

# call 'MODULE FUNCTION ARGUMENTS': in the node; prints what it answers
call() { ERL_EPMD_PORT=$((port + 2)) erl_call -c "$cookie" -n "$node" -a "$1"; }

begin_node() {
  epmd -port $((port + 2)) -address 127.0.0.1 >"$broker/epmd.log" 2>&1 &
  epmd=$!
  in_its_world "$server" >"$broker/out" 2>&1 &
  for _ in $(seq 600); do
    broker_log | grep -q 'Server startup complete' && return 0
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  echo "FAIL the node does not start"
  broker_log | tail -n 20
  exit 1
}

end_node() {
  [ -s "$broker/pid" ] || return 0
  pid=$(cat "$broker/pid")
  kill "$pid" 2>/dev/null
  for _ in $(seq 200); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.05
  done
  kill -KILL "$pid"
}

# A node of its own, with the files of the first.
second_do() { # COMMAND...
  (port=$second node=fleetsim$second@localhost && "$@")
}
begin_second() { # PORT
  second=$1
  mkdir -p "$broker/second"
  sed "s|127.0.0.1:$port|127.0.0.1:$1|" "$broker/rabbitmq.conf" >"$broker/second/rabbitmq.conf"
  epmd -port $(($1 + 2)) -address 127.0.0.1 >"$broker/second/epmd.log" 2>&1 &
  second_epmd=$!
  second_do in_its_world env RABBITMQ_CONFIG_FILE="$broker/second/rabbitmq.conf" RABBITMQ_MNESIA_BASE="$broker/second/mnesia" \
    RABBITMQ_LOG_BASE="$broker/second/log" \
    RABBITMQ_GENERATED_CONFIG_DIR="$broker/second/generated" "$server" >"$broker/second/out" 2>&1 &
  for _ in $(seq 600); do
    grep -qs 'Server startup complete' "$broker"/second/log/*.log && return 0
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  return 1
}
end_second() {
  second_do call 'init stop []' >"$work/said" 2>&1
  for _ in $(seq 100); do
    second_do call 'erlang node []' >"$work/said" 2>&1 || break
    sleep 0.2
  done
  kill "$second_epmd"
}

# What the team's hooks do --------------------------------------------------------------------------------------------------
cat >"$work/hooks/lists" <<'HOOK'
# FILE FOLDER: each list as HASH.rN, where Erlang looks for it
set -e
rm -rf "$2.new" "$2.parts"
mkdir "$2.new" "$2.parts"
awk -v to="$2.parts" '/BEGIN X509 CRL/ { n++ } { print > (to "/" n) }' "$1"
for part in "$2.parts"/*; do
  hash=$(openssl crl -in "$part" -noout -hash) n=0
  while [ -e "$2.new/$hash.r$n" ]; do n=$((n + 1)); done
  mv "$part" "$2.new/$hash.r$n"
done
rm -rf "$2"
mv "$2.new" "$2"
HOOK
# Files are all that the team's own hooks put in place: reload, restart and kick are of the kind.
play() { in_its_world env PATH="$(dirname "$server"):$PATH" "$@"; }

again="rabbitmqctl -q -n $node eval 'rabbit:stop(), ssl:clear_pem_cache(), rabbit:start().'"
publish='sh '$work'/hooks/lists "$FLEETSIM_CRL" '$broker'/crls'
broker_block() {
  cat <<YAML
broker:
  url: mqtts://localhost:$port
  kind: rabbitmq
  node: $node
  hooks:
    present: cp "\$FLEETSIM_CERT" "$broker/main.crt" && cp "\$FLEETSIM_KEY" "$broker/main.key"
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" "$broker/clients.crt"
    publish-crl: $publish
YAML
}

import() { # ALLOWED: the topics' rules, in the node that runs
  definitions "$1" >"$broker/definitions.json"
  echo "{ok, Rules} = file:read_file(\"$broker/definitions.json\"), rabbit_definitions:import_raw(Rules)." |
    ERL_EPMD_PORT=$((port + 2)) erl_call -c "$cookie" -n "$node" -e >"$work/said"
}
nothing_allowed() { import 'NAME\.'; }
all_allowed() { import ''; }

factory() { # the node as it was delivered
  cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$broker"
  sh "$work/hooks/lists" "$work/crl.pem" "$broker/crls"
  [ "$epmd" = '' ] || call 'rabbit start []' >"$work/said"
  [ "$epmd" = '' ] || call 'ssl clear_pem_cache []' >"$work/said"
}

make_fleet
factory
configure
begin_node

kick=yes mqtt=3.1.1 revoked=refused_revoked expired=refused_certificate
[ -z "${facts:-}" ] || { tell_facts; exit 0; }
rotation_story
revocation_story
expiry_story
restart_story keeps
update_story own
trespass_story # last: sessions keep what came through where all is open
end_of_cases
