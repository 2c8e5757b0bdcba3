# A broker of one's own for scripts that are about something else: sourced after $work and $fleetsim are set. It is a
# mosquitto on loopback with a chain of the fleet folder $work/lab (5 devices, roots A and B). $port is where it listens.
. "$(dirname "$0")/lib/mosquitto.sh"

staging_begin() {
  mkdir -p "$work/staging"
  "$fleetsim" pki make "$work/lab" --devices 5 --roots A,B >"$work/lab.log" 2>&1 &&
    "$fleetsim" pki export "$work/lab" --what client-ca --roots A --out "$work/staging/clients.crt" >>"$work/lab.log" 2>&1 &&
    "$fleetsim" pki export "$work/lab" --what broker-chain --root A --host localhost --out "$work/staging/main" \
      >>"$work/lab.log" 2>&1 || { cat "$work/lab.log"; return 1; }
  printf 'user operator\ntopic readwrite private/#\n\npattern readwrite private/%%u/#\n' >"$work/staging/acl"
  for try in $(seq 20); do
    port=$((21000 + ($$ * 3 + try * 257) % 11000))
    cat >"$work/staging/conf" <<CONF
user $(id -un)
pid_file $work/staging/pid
allow_anonymous false
acl_file $work/staging/acl
log_dest file $work/staging/log
listener $port 127.0.0.1
tls_version tlsv1.3
cafile $work/staging/clients.crt
certfile $work/staging/main.crt
keyfile $work/staging/main.key
require_certificate true
use_identity_as_username true
CONF
    mosquitto_begin "$work/staging" && return 0
  done
  cat "$work/staging/log"
  return 1
}

staging_end() {
  [ -s "$work/staging/pid" ] && kill -KILL "$(cat "$work/staging/pid")" 2>/dev/null
  rm -f "$work/staging/pid"
}
