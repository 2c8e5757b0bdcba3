#!/bin/sh
# mosquitto behind nginx as a team's staging broker: TLS ends at nginx's stream module, which hands the operator and the
# devices on to a listener each, and refuses certificates by closing after a complete handshake, without a word.
# usage: staging_nginx.sh PATH/TO/fleetsim
set -u
fleetsim=$1
for tool in nginx mosquitto; do
  command -v "$tool" >/dev/null || { echo "skipped: nginx before mosquitto: $tool is not installed"; exit 77; }
done
module=/usr/lib/nginx/modules/ngx_stream_module.so
[ -f "$module" ] ||
  { echo "skipped: nginx before mosquitto: its stream module is not installed (package libnginx-mod-stream)"; exit 77; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$work/hooks" "$broker"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
devices=20
. "$here/lib/stories.sh"
. "$here/lib/facts.sh"

# The broker ---------------------------------------------------------------------------------------------------------------
configure() { # PORT: of nginx; the next two are mosquitto's
  cat >"$broker/nginx.conf" <<CONF
load_module $module;
worker_processes 1;
pid $broker/nginx.pid;
error_log $broker/nginx.log notice;
events { worker_connections 512; }
stream {
  map \$ssl_client_s_dn \$behind { "~CN=operator(,|\$)" 127.0.0.1:$(($1 + 2)); default 127.0.0.1:$(($1 + 1)); }
  server {
    listen 127.0.0.1:$1 ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate $broker/main.crt;
    ssl_certificate_key $broker/main.key;
    ssl_client_certificate $broker/clients.crt;
    ssl_crl $broker/crl.pem;
    ssl_verify_client on;
    ssl_verify_depth 3;
    proxy_pass \$behind;
    proxy_timeout 1h;
  }
}
CONF
  cat >"$broker/mosquitto.conf" <<CONF
user $(id -un)
pid_file $broker/mosquitto.pid
per_listener_settings true
persistence true
persistence_location $broker/
max_queued_messages 0
log_dest file $broker/mosquitto.log
listener $(($1 + 1)) 127.0.0.1
allow_anonymous true
acl_file $broker/acl
listener $(($1 + 2)) 127.0.0.1
allow_anonymous true
CONF
}

broker_version() { nginx -v 2>&1 | sed "s|.*/|nginx |; s/\$/ before $(mosquitto -h 2>/dev/null | sed -n '1s/ version / /p')/"; }
broker_log() { cat "$broker/mosquitto.log" "$broker/nginx.log" 2>/dev/null; }

cat >"$work/hooks/begin" <<'HOOK'
: >"$BROKER/mosquitto.log"
mosquitto -d -c "$BROKER/mosquitto.conf" 2>/dev/null
for _ in $(seq 100); do
  grep -q 'running$' "$BROKER/mosquitto.log" && break
  sleep 0.05
done
nginx -p "$BROKER" -c "$BROKER/nginx.conf" -e "$BROKER/nginx.log" && grep -q 'running$' "$BROKER/mosquitto.log"
HOOK
cat >"$work/hooks/end" <<'HOOK'
for name in nginx mosquitto; do
  [ -s "$BROKER/$name.pid" ] || continue
  pid=$(cat "$BROKER/$name.pid")
  kill "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  rm -f "$BROKER/$name.pid"
done
exit 0
HOOK
cat >"$work/hooks/reload" <<'HOOK'
# and waits until the old worker takes nobody any more
seen=$(grep -c 'gracefully shutting down' "$BROKER/nginx.log")
kill -HUP "$(cat "$BROKER/nginx.pid")"
for _ in $(seq 200); do
  [ "$(grep -c 'gracefully shutting down' "$BROKER/nginx.log")" -eq "$seen" ] || exit 0
  sleep 0.02
done
exit 1
HOOK
export BROKER="$broker"

end_broker() { sh "$work/hooks/end"; }

begin_broker_on_free_ports() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 3 + try * 254) % 12000))
    configure "$port"
    sh "$work/hooks/begin" && return 0
    end_broker
  done
  echo "FAIL no free ports for nginx and mosquitto"
  broker_log
  exit 1
}

again="sh $work/hooks/end && sh $work/hooks/begin"
publish='cp "$FLEETSIM_CRL" '$broker'/crl.pem && sh '$work'/hooks/reload'
broker_block() {
  cat <<YAML
broker:
  url: mqtts://localhost:$port
  hooks:
    present: cp "\$FLEETSIM_CERT" $broker/main.crt && cp "\$FLEETSIM_KEY" $broker/main.key && sh $work/hooks/reload
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" $broker/clients.crt && sh $work/hooks/reload
    publish-crl: $publish
    reload: sh $work/hooks/reload
    restart: $again
YAML
}

# Behind nginx there is no certificate: the client id is who somebody is.
nothing_allowed() { rule 'pattern readwrite acme/v1/%c/#'; }
all_allowed() { rule 'pattern readwrite acme/v1/#'; }
rule() {
  echo "$1" >"$broker/acl"
  [ ! -s "$broker/mosquitto.pid" ] || kill -HUP "$(cat "$broker/mosquitto.pid")"
}

factory() { # the broker as it was delivered
  cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
  nothing_allowed
  end_broker
  sh "$work/hooks/begin"
}

make_fleet
cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
nothing_allowed
begin_broker_on_free_ports

mqtt=5 revoked=closed_after_handshake expired=closed_after_handshake
[ -z "${facts:-}" ] || { tell_facts; exit 0; }
rotation_story
revocation_story
expiry_story
restart_story keeps
update_story shared
trespass_story # last: sessions keep what came through where all is open
end_of_cases
