#!/bin/sh
# mosquitto behind nginx as a team's staging broker: TLS ends at nginx's stream module, which hands the operator and the
# devices on to a listener each, and refuses certificates by closing after a complete handshake, without a word.
# usage: staging_nginx.sh PATH/TO/fleetsim
set -u
fleetsim=$1 name=nginx program=nginx
module=/usr/lib/nginx/modules/ngx_stream_module.so
[ -f "$module" ] ||
  { echo "skipped: nginx before mosquitto: its stream module is not installed (package libnginx-mod-stream)"; exit 77; }
. "$(dirname "$0")/lib/behind.sh"
. "$here/lib/facts.sh"

configure_front() { # PORT
  printf '%s\n' "load_module $module;" "worker_processes 1;" "pid $broker/nginx.pid;" "error_log $broker/front.log notice;" \
    "events { worker_connections 512; }" >"$broker/nginx.conf"
  set_up nginx "$1" nginx >>"$broker/nginx.conf"
}
broker_version() { nginx -v 2>&1 | sed "s|.*/|nginx |; s/\$/ before $(mosquitto -h 2>/dev/null | sed -n '1s/ version / /p')/"; }
cat >"$work/hooks/front-begin" <<'HOOK'
nginx -p "$BROKER" -c "$BROKER/nginx.conf" -e "$BROKER/front.log"
HOOK
cat >"$work/hooks/front-reload" <<'HOOK'
# and waits until the old worker takes nobody any more
seen=$(grep -c 'gracefully shutting down' "$BROKER/front.log")
kill -HUP "$(cat "$BROKER/nginx.pid")"
for _ in $(seq 200); do
  [ "$(grep -c 'gracefully shutting down' "$BROKER/front.log")" -eq "$seen" ] || exit 0
  sleep 0.02
done
exit 1
HOOK
begin_second() { # PORT: another nginx before the same broker, with the same files
  mkdir -p "$broker/second"
  sed "s|listen 127.0.0.1:$port |listen 127.0.0.1:$1 |; s|^pid .*|pid $broker/second/pid;|
    s|$broker/front.log|$broker/second/front.log|" "$broker/nginx.conf" >"$broker/second/nginx.conf"
  nginx -p "$broker/second" -c "$broker/second/nginx.conf" -e "$broker/second/front.log"
}
end_second() { kill "$(cat "$broker/second/pid")"; }
begin_behind

mqtt=5 revoked=closed_after_handshake expired=closed_after_handshake
[ -z "${facts:-}" ] || { tell_facts; exit 0; }
rotation_story
revocation_story
expiry_story
restart_story keeps
update_story shared
trespass_story # last: sessions keep what came through where all is open
end_of_cases
