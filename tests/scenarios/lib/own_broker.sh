# The head of a script that has a mosquitto of its own, which stands elsewhere as far as fleetsim knows, and what devices may do
# there. The script has set $fleetsim and, in $tools, what it needs besides mosquitto; it gets $work, $broker (a folder) and
# $fleet, all gone when it ends, and the cases of cases.sh. The broker listens at $port.
for tool in mosquitto ${tools:-}; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
umask 077
work=$(mktemp -d)
broker=$work/broker
fleet=$work/fleet
mkdir "$broker"
trap 'end_broker; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/lib/cases.sh"
. "$(dirname "$0")/lib/mosquitto.sh"
more_of_the_failure() { tail -n 5 "$broker/log" 2>&1 | sed 's/^/     broker | /'; }

run() { "$fleetsim" run "$@" --fleet "$fleet" --out "$work/out" --overwrite; }

# holds PATTERN: what the latest case must have written into results.json
holds() {
  tr -s '\n ' '  ' <"$work/out/results.json" | grep -qE -- "$1" && return
  complain "results.json does not hold '$1'"
}

operator=operator                      # its user name
office=readwrite                       # what it may do
own='pattern readwrite private/%u/#'   # what a device may
knows='require_certificate true
use_identity_as_username true'         # how the broker knows who comes
begin_broker() { # ACL-OF-DEVICES MORE-LINES...
  printf 'user %s\ntopic %s private/#\n\n%s\n' "$operator" "$office" "$1" >"$broker/acl"
  shift
  cat >"$broker/conf" <<CONF
user $(id -un)
pid_file $broker/pid
listener $port 127.0.0.1
allow_anonymous false
acl_file $broker/acl
persistence true
persistence_location $broker/
max_queued_messages 0
log_dest file $broker/log
cafile $broker/clients.crt
certfile $broker/main.crt
keyfile $broker/main.key
$knows
$(printf '%s\n' "$@")
CONF
  mosquitto_begin "$broker"
}

end_broker() { mosquitto_end "$broker"; }

begin_broker_on_a_free_port() {
  for try in $(seq 20); do
    port=$((20000 + ($$ * 2 + try * 254) % 12000))
    begin_broker "$own" && return 0
  done
  echo "FAIL no free port for the broker"
  cat "$broker/log"
  exit 1
}

again() { # ACL-OF-DEVICES MORE-LINES...: the broker begins anew, with nothing kept
  end_broker
  rm -f "$broker/mosquitto.db"
  begin_broker "$@" || { echo "FAIL the broker does not begin again"; cat "$broker/log"; exit 1; }
}

make_small_fleet() { # COUNT: $fleet, and what its broker is delivered with
  "$fleetsim" pki make "$fleet" --devices "$1" --roots A,B >/dev/null &&
    "$fleetsim" pki export "$fleet" --what client-ca --roots A --out "$broker/clients.crt" >/dev/null &&
    "$fleetsim" pki export "$fleet" --what broker-chain --root A --host localhost --out "$broker/main" >/dev/null || exit 1
}
