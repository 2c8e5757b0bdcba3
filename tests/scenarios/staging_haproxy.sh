#!/bin/sh
# mosquitto behind HAProxy as a team's staging broker: TLS ends at HAProxy, which reads its files at a reload into new processes
# and leaves open sessions with the old ones. It hands the operator, by the certificate's CN, on to a listener of its own.
# usage: staging_haproxy.sh PATH/TO/fleetsim
set -u
fleetsim=$1 name=HAProxy program=haproxy
. "$(dirname "$0")/lib/behind.sh"

configure_front() { # PORT
  set_up HAProxy "$1" haproxy >"$broker/haproxy.cfg"
}
cat >"$work/hooks/front-begin" <<'HOOK'
cat "$BROKER/main.crt" "$BROKER/main.key" >"$BROKER/main.pem"
haproxy -W -D -f "$BROKER/haproxy.cfg" -p "$BROKER/haproxy.pid" >"$BROKER/front.log" 2>&1
HOOK
cat >"$work/hooks/front-reload" <<'HOOK'
# new files are read by a new worker; the master is told to start it, and the old one takes nobody any more
cat "$BROKER/main.crt" "$BROKER/main.key" >"$BROKER/main.pem"
haproxy -c -q -f "$BROKER/haproxy.cfg" || exit 1
kill -USR2 "$(cat "$BROKER/haproxy.pid")"
HOOK
begin_behind

mqtt=5 revoked=refused_revoked expired=refused_expired
rotation_story
revocation_story
expiry_story
end_of_cases
