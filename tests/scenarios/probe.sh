#!/bin/sh
# 'fleetsim probe' against a mosquitto of one's own: what it says of TLS, of the chain by a device's word, of certificates and
# passwords, of tickets and limits; and where it sends nothing. And 'fleetsim new', which looks in the same way and writes.
# usage: probe.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools="openssl mosquitto_passwd"
. "$(dirname "$0")/lib/own_broker.sh"
make_small_fleet 2
"$fleetsim" pki export "$fleet" --what device --device 00000001 --out "$work/one" >/dev/null || exit 1
a=$fleet/ca/A.crt b=$fleet/ca/B.crt
own_key="--cert $work/one.crt --key $work/one.key"
begin_broker_on_a_free_port
url=mqtts://localhost:$port

probe() { "$fleetsim" probe "$@"; }

# As the broker stands: both versions of TLS, client certificates -------------------------------------------------------------
# shellcheck disable=SC2086
{
  expect "a device that the broker knows gets in" 0 \
    "TLS 1.3 +yes: TLS_AES_128_GCM_SHA256.*TLS 1.2 +yes: ECDHE-ECDSA.*2 certificates.*P-256, ecdsa-with-SHA256; until .* for localhost.*asked for; without one: connect.tls.refused_no_certificate.*tickets +2 in a handshake.*one is taken.*MQTT 5 +yes: QoS up to 2; receive maximum 20.*MQTT 3.1.1 +yes.*a device .*takes the chain under 'fleetsim root A', and is let in.*gets in" \
    probe "$url" --ca "$a" $own_key
  expect "one that trusts another root refuses the chain, though the broker would take him" 3 \
    "MQTT 5 +yes.*a device .*connect.tls.not_trusted.*refused: connect.tls.not_trusted" probe "$url" --ca "$b" $own_key
  expect "one that dials another name refuses it too" 3 "refused: connect.tls.name_mismatch" \
    probe "mqtts://127.0.0.1:$port" --ca "$a" $own_key
  expect "but not where the name is told" 0 "gets in" \
    probe "mqtts://127.0.0.1:$port" --server-name localhost --ca "$a" $own_key
  expect "programs are told the same" 0 '"lets_in": true.*"tls12": \{ "ok": true.*"receive_maximum": 20.*"takes_chain": true' \
    probe "$url" --ca "$a" $own_key --json
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/other.key"
  openssl pkcs8 -topk8 -in "$work/one.key" -out "$work/locked.key" -passout pass:hush
  echo hush >"$work/hush"
  expect "a key under a passphrase asks for it" 2 "under a passphrase.*--key-password-file" \
    probe "$url" --cert "$work/one.crt" --key "$work/locked.key"
  expect "and is taken with it" 0 "gets in" \
    probe "$url" --cert "$work/one.crt" --key "$work/locked.key" --key-password-file "$work/hush"
  expect "a key that is not the certificate's is refused before anything is sent" 2 "not for the private key|for the key" \
    probe "$url" --cert "$work/one.crt" --key "$work/other.key"
}
expect "without a certificate it is said what for" 3 \
  "TLS 1.2 +begun, and ended: .*when no client certificate came.*client cert +asked for; without one: connect.tls.refused_no_certificate.*refused: connect.tls.refused_no_certificate.*what to do" \
  probe "$url" --ca "$a"
expect "a host that is not this machine is asked by its name only" 3 "nothing was sent: broker.example is not this machine.*--allow-target broker.example" \
  probe mqtts://broker.example:8883
expect "a password needs a file that nobody else reads" 3 "0600|chmod" sh -c "umask 022; echo x >$work/open; chmod 644 $work/open; $fleetsim probe $url --user a --password-file $work/open"

# Somebody who speaks TLS 1.2 and no MQTT, and breaks the connection off: that is no word on his tickets -----------------------
if command -v nginx >/dev/null; then
  web=$((port + 1))
  cat >"$work/web.conf" <<CONF
worker_processes 1;
pid $work/web.pid;
error_log $work/web.log;
events { worker_connections 64; }
http {
  access_log off;
  server {
    listen 127.0.0.1:$web ssl;
    ssl_protocols TLSv1.2;
    ssl_certificate $broker/main.crt;
    ssl_certificate_key $broker/main.key;
    return 200 hello;
  }
}
CONF
  nginx -p "$work" -c "$work/web.conf" -e "$work/web.log"
  expect "what is no broker is told from one, step by step" 3 \
    "TLS 1.3 +no: .*TLS 1.2 +yes.*not asked for.*next connect one is taken.*TLS 1.2, MQTT 5: takes the chain.*refused: connect.mqtt.protocol" \
    probe "mqtts://localhost:$web" --ca "$a"
  [ ! -s "$work/web.pid" ] || kill "$(cat "$work/web.pid")"
else
  echo "skipped: what is no broker: nginx is not installed"
fi

# A first scenario, for a broker that is there and one that is not --------------------------------------------------------------
printf 'serial,key,certificate\nSN-1,one.key,one.crt\n' >"$work/list.csv"
printf 'key,certificate\none.key,one.crt\n' >"$work/unnamed.csv"
new() { "$fleetsim" new "$@" --csv "$work/list.csv"; }
expect "a list is asked for by its name where nobody sits at a terminal" 2 "new: --csv is missing" \
  "$fleetsim" new "$work/first.yaml" --broker "$url" --ca "$a"
expect "a first scenario has what was seen, and the commands" 0 \
  "first.yaml is written.*pki import fleets/first --csv $work/list.csv --roots-pem A=$a --trusted A " \
  new "$work/first.yaml" --broker "$url" --ca "$a" --topic 'acme/{id}/up'
expect "it is looked at as the list's first device" 0 "connected from [^ ]* as SN-1 " cat "$broker/log"
expect "or by its certificate's name, where the list has none" 0 "looks as '00000001', the list's first: a session .* ends" \
  "$fleetsim" new "$work/unnamed.yaml" --broker "$url" --ca "$a" --csv "$work/unnamed.csv"
expect "so that a broker that wants it lets it in" 0 "connected from [^ ]* as 00000001 " cat "$broker/log"
expect "it has the root that there is, and how to make those that a rotation takes" 0 \
  "roots: \[A\], trusted: \[A\].* # kind: mosquitto.*with three --ca.*openssl req .*root-b.pem.*openssl req .*root-spare.pem" \
  cat "$work/first.yaml"
expect "it can be checked" 0 "telemetry.*nobody|operator.*none|a first day" "$fleetsim" check "$work/first.yaml"
expect "two are trusted, both" 0 "root-b.pem --trusted A,B " new "$work/two.yaml" --broker "$url" --ca "$a" --ca root-b.pem --no-probe
expect "three make a rotation" 0 "spare=root-spare.pem --trusted A,spare " \
  new "$work/three.yaml" --broker "$url" --ca "$a" --ca root-b.pem --ca root-spare.pem --kind mosquitto --no-probe
expect "the kind of broker that was named is in it" 0 "kind: mosquitto " grep '^  kind' "$work/three.yaml"
expect "a kind that there is not is refused" 2 "--kind is mosquitto, rabbitmq, aedes or generic, not 'emqx'" \
  new "$work/four.yaml" --broker "$url" --ca "$a" --kind emqx
printf 'id,user,token\nSN-1,hub/1,tokens/1\n' >"$work/logins.csv"
expect "a list of tokens needs no keys" 0 "logins.csv --no-certificates --roots-pem" \
  "$fleetsim" new "$work/tokens.yaml" --broker "$url" --ca "$a" --csv "$work/logins.csv" --no-probe
expect "nor does its scenario" 0 "user: \"\{user\}\", token-file: \"$work/\{token\}\".*certificate: no" cat "$work/tokens.yaml"
printf 'id,user\nSN-1,hub/1\n' >"$work/logins.csv"
expect "a list that says nothing of how devices are known is refused" 2 "logins.csv:1: the list says neither where the devices' keys" \
  "$fleetsim" new "$work/five.yaml" --broker "$url" --ca "$a" --csv "$work/logins.csv" --no-probe
sed -e 's/^#| //' -e '/# not in the rotation/d' "$work/three.yaml" >"$work/rotation.yaml"
expect "which has its phases" 0 "teach the fleet root B.*prove B.*switch the broker to B.*drop A" "$fleetsim" check "$work/rotation.yaml"
expect "what is there is not overwritten" 2 "first.yaml exists already" new "$work/first.yaml" --broker "$url" --ca "$a"
expect "where the broker refuses, it is written all the same, and said" 3 "refused: connect.tls.not_trusted.*second.yaml is written" \
  new "$work/second.yaml" --broker "$url" --ca "$b"
expect "a host elsewhere is not looked at by the way" 3 "nothing was sent: broker.example" \
  new "$work/third.yaml" --broker mqtts://broker.example:8883 --ca "$a"
expect "without a look it is written" 0 "allow-target broker.example" \
  new "$work/third.yaml" --broker mqtts://broker.example:8883 --ca "$a" --no-probe

# Other brokers ---------------------------------------------------------------------------------------------------------------
printf 'anna:right\n' >"$broker/passwords"
mosquitto_passwd -U "$broker/passwords"
echo right >"$work/right"
echo wrong >"$work/wrong"
knows="password_file $broker/passwords"
again "$own" "max_qos 1" "max_inflight_messages 7" "max_keepalive 20" "max_packet_size 30000" "retain_available false"
expect "limits of CONNACK are told" 0 \
  "not asked for.*QoS up to 1; receive maximum 7; packets up to 30000 bytes; sets keep alive to 20 s.*no retained messages.*gets in" \
  probe "$url" --ca "$a" --user anna --password-file "$work/right"
expect "a wrong password is the broker's word, after a chain that the device takes" 3 \
  "a device .*takes the chain.*connect.mqtt.refused_not_authorised.*refused: connect.mqtt.refused_not_authorised" \
  probe "$url" --ca "$a" --user anna --password-file "$work/wrong"
if grep -q -e right -e wrong "$work/said"; then name="no password is told" complain "a password is told"; fi

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$broker/main.key" -out "$broker/main.crt" -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -days 2 2>/dev/null
again "$own"
expect "a chain that no device takes is told all the same" 3 \
  "TLS 1.3 +no: connect.tls.refused_parameters.*other offers +yes.*RSA, sha256WithRSAEncryption \(devices know P-256.*refused: connect.tls" \
  probe "$url" --ca "$a"

knows=
cat >"$broker/plain.conf" <<CONF
user $(id -un)
pid_file $broker/pid
listener $port 127.0.0.1
allow_anonymous true
log_dest file $broker/log
CONF
end_broker
cp "$broker/plain.conf" "$broker/conf"
mosquitto_begin "$broker" || { echo "FAIL the plain broker does not begin"; exit 1; }
expect "a port without TLS is one" 3 "refused: connect.tls.not_tls.*port without TLS" probe "$url" --ca "$a"
end_broker
expect "a port where nobody listens is one" 3 "refused: connect.tcp.refused" probe "$url"
end_of_cases
