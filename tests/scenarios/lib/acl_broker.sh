# A mosquitto of the script's own that stands elsewhere as far as fleetsim knows, and what devices may do there: sourced
# after lib/mosquitto.sh by scripts that have set $work, $fleet and $broker, a folder. It listens at $port.
office=readwrite                       # what the operator may do
own='pattern readwrite private/%u/#'   # what a device may
begin_broker() { # ACL-OF-DEVICES MORE-LINES...
  printf 'user operator\ntopic %s private/#\n\n%s\n' "$office" "$1" >"$broker/acl"
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
require_certificate true
use_identity_as_username true
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
