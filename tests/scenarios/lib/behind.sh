# A mosquitto of one's own behind something that ends TLS, a staging broker for the stories of stories.sh. Sourced by scripts
# that have set $fleetsim, $name (what stands before it) and $program (whose process id it writes to $program.pid), and define
#     configure_front PORT       writes its configuration: the fleet comes to PORT, the operator to PORT + 1 where it cannot tell
#                                the two apart; mosquitto listens to the fleet on PORT + 2 and to the operator on PORT + 3
# and write what begins it and has it read its files again to $work/hooks/front-begin and front-reload; $BROKER is the folder
# of all its files there.
for tool in $program mosquitto; do
  command -v "$tool" >/dev/null || { echo "skipped: $name before mosquitto: $tool is not installed"; exit 77; }
done
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
umask 077
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$work/hooks" "$broker"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
devices=20
. "$here/lib/stories.sh"
. "$here/lib/readme.sh"
export BROKER="$broker"

# set_up HEADING PORT FOLDER: what TERMINATORS.md has below it, with this machine's ports and folder for /etc/FOLDER
set_up() {
  block "$here/../../scenarios/TERMINATORS.md" "## $1" |
    sed -e "s|/etc/$3|$broker|g" -e "s/\(bind :\|accept = \|listen \)8883/\1@/; s/bind :@/bind @/; s/@/127.0.0.1:$2/" \
      -e "s|accept = 8884|accept = 127.0.0.1:$(($2 + 1))|" \
      -e "s|127.0.0.1:1883|127.0.0.1:$(($2 + 2))|; s|127.0.0.1:1884|127.0.0.1:$(($2 + 3))|" \
      -e "s|listener 1883|listener $(($2 + 2))|; s|listener 1884|listener $(($2 + 3))|"
}

configure() { # PORT
  configure_front "$1"
  set_up "The broker behind" "$1" mosquitto >"$broker/mosquitto.conf"
  cat >>"$broker/mosquitto.conf" <<CONF
user $(id -un)
pid_file $broker/mosquitto.pid
persistence true
persistence_location $broker/
max_queued_messages 0
log_dest file $broker/mosquitto.log
CONF
}

broker_log() { cat "$broker/mosquitto.log" "$broker/front.log" 2>/dev/null; }

cat >"$work/hooks/begin" <<'HOOK'
: >"$BROKER/mosquitto.log"
mosquitto -d -c "$BROKER/mosquitto.conf" 2>/dev/null
for _ in $(seq 100); do
  grep -q 'running$' "$BROKER/mosquitto.log" && break
  sleep 0.05
done
grep -q 'running$' "$BROKER/mosquitto.log" && sh "$(dirname "$0")/front-begin"
HOOK
cat >"$work/hooks/end" <<HOOK
for name in $program mosquitto; do
  [ -s "\$BROKER/\$name.pid" ] || continue
  pid=\$(cat "\$BROKER/\$name.pid")
  kill "\$pid" 2>/dev/null
  while kill -0 "\$pid" 2>/dev/null; do sleep 0.02; done
  rm -f "\$BROKER/\$name.pid"
done
exit 0
HOOK

end_broker() { sh "$work/hooks/end"; }

begin_broker_on_free_ports() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 4 + try * 254) % 12000))
    configure "$port"
    sh "$work/hooks/begin" && return 0
    end_broker
  done
  echo "FAIL no free ports for $name and mosquitto"
  broker_log
  exit 1
}

again="sh $work/hooks/end && sh $work/hooks/begin"
publish='cp "$FLEETSIM_CRL" '$broker'/crl.pem && sh '$work'/hooks/front-reload'
office=                # the line of the scenario that says how the operator comes, where that is another way
broker_block() {
  cat <<YAML
broker:
  url: mqtts://localhost:$port
  hooks:
    present: cp "\$FLEETSIM_CERT" $broker/main.crt && cp "\$FLEETSIM_KEY" $broker/main.key && sh $work/hooks/front-reload
    trust-clients: cp "\$FLEETSIM_CLIENT_CA" $broker/clients.crt && sh $work/hooks/front-reload
    publish-crl: $publish
    reload: sh $work/hooks/front-reload
    restart: $again
$office
YAML
}

# Behind it there is no certificate: the client id is who somebody is.
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

begin_behind() {
  make_fleet
  cp "$work/main.crt" "$work/main.key" "$work/clients.crt" "$work/crl.pem" "$broker"
  nothing_allowed
  begin_broker_on_free_ports
}
