#!/bin/sh
# mosquitto as a team's staging broker on this machine: a reload is the kind's, by its process id; files and restarts are the
# team's hooks. Clients come with certificates, and a list is checked from its start.
# usage: staging_mosquitto.sh PATH/TO/fleetsim
set -u
fleetsim=$1
command -v mosquitto >/dev/null || { echo "skipped: mosquitto is not installed"; exit 77; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$work/hooks" "$broker"
trap 'mosquitto_end "$broker"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
. "$here/lib/mosquitto.sh"
. "$here/lib/stories.sh"
. "$here/lib/facts.sh"

# The broker ---------------------------------------------------------------------------------------------------------------
configure() { # PORT
  cat >"$broker/conf" <<CONF
user $(id -un)
pid_file $broker/pid
listener $1 127.0.0.1
allow_anonymous false
acl_file $broker/acl
persistence true
persistence_location $broker/
max_queued_messages 100000
log_dest file $broker/log
tls_version tlsv1.3
cafile $broker/clients.crt
crlfile $broker/crl.pem
certfile $broker/main.crt
keyfile $broker/main.key
require_certificate true
use_identity_as_username true
CONF
}

broker_version() { mosquitto -h 2>/dev/null | sed -n '1s/ version / /p'; }
broker_log() { cat "$broker/log" 2>/dev/null; }

begin_broker_on_a_free_port() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 2 + try * 254) % 12000))
    configure "$port"
    mosquitto_begin "$broker" && return 0
  done
  echo "FAIL no free port for mosquitto"
  broker_log
  exit 1
}

cat >"$work/hooks/restart" <<HOOK
. "$here/lib/mosquitto.sh"
mosquitto_end "$broker"
mosquitto_begin "$broker"
HOOK
again="sh $work/hooks/restart"
publish='cp "$FLEETSIM_CRL" '$broker'/crl.pem'
broker_block() {
  cat <<YAML
broker:
  url: mqtts://localhost:$port
  kind: mosquitto
  pid-file: $broker/pid
  hooks:
    present: cp "\$FLEETSIM_CERT" $broker/main.crt && cp "\$FLEETSIM_KEY" $broker/main.key
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" $broker/clients.crt
    publish-crl: $publish
    restart: $again
YAML
}

begin_second() { # PORT: another one that has the same files
  mkdir -p "$broker/second"
  sed "s|^pid_file .*|pid_file $broker/second/pid|; s|^listener .*|listener $1 127.0.0.1|; s|^log_dest .*|log_dest file $broker/second/log|
    s|^persistence_location .*|persistence_location $broker/second/|" "$broker/conf" >"$broker/second/conf"
  mosquitto_begin "$broker/second"
}
end_second() { mosquitto_end "$broker/second"; }

factory() { # the broker as it was delivered
  cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
  mosquitto_end "$broker"
  mosquitto_begin "$broker"
}

make_fleet
cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
printf 'user operator\ntopic readwrite acme/v1/#\n\npattern readwrite acme/v1/%%u/#\n' >"$broker/acl"
begin_broker_on_a_free_port

twins=no mqtt=5 revoked=refused_revoked # staging.sh and revocation.sh have what goes wrong at a mosquitto
[ -z "${facts:-}" ] || { tell_facts; exit 0; }
rotation_story
revocation_story
restart_story keeps
update_story own
end_of_cases
