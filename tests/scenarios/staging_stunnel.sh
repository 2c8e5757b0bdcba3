#!/bin/sh
# mosquitto behind stunnel as a team's staging broker: TLS ends at stunnel, which cannot tell one client from another, so the
# operator has a service of its own that takes nobody else's certificate.
# usage: staging_stunnel.sh PATH/TO/fleetsim
set -u
fleetsim=$1 name=stunnel program=stunnel
. "$(dirname "$0")/lib/behind.sh"

configure_front() { # PORT
  printf '%s\n' "pid = $broker/stunnel.pid" "output = $broker/front.log" >"$broker/stunnel.conf"
  set_up stunnel "$1" stunnel >>"$broker/stunnel.conf"
  cp "$fleet/operator.crt" "$broker"
  office="operator: {url: 'mqtts://localhost:$(($1 + 1))'}"
}
cat >"$work/hooks/front-begin" <<'HOOK'
: >"$BROKER/front.log"
stunnel "$BROKER/stunnel.conf" >>"$BROKER/front.log" 2>&1
HOOK
cat >"$work/hooks/front-reload" <<'HOOK'
kill -HUP "$(cat "$BROKER/stunnel.pid")"
HOOK
begin_behind

mqtt=5 revoked=refused_revoked expired=refused_expired
rotation_story
revocation_story
expiry_story
end_of_cases
