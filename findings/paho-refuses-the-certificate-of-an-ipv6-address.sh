#!/bin/sh
# paho.mqtt.c refuses a broker at an IPv6 address whose certificate names that address.
#
# Version:  paho.mqtt.c 1.3.12-1 (Debian 12: libpaho-mqtt1.3 and paho.mqtt.c-examples), mosquitto 2.0.11-1.2+deb12u2 as broker.
# Expected: ssl://[::1]:PORT is accepted if the certificate has the subject alternative name IP:::1, as ssl://127.0.0.1:PORT is
#           with IP:127.0.0.1 (RFC 6125, RFC 5280 4.2.1.6), and as mosquitto's own client does.
# Seen:     refused, MQTTAsync and MQTTClient alike; without the check of the name (--insecure) it connects. The address is
#           compared with its bracket, which no certificate can hold. The error is "Failure" or "TCP/TLS connect failure",
#           and speaks of no name. Give such a broker a DNS name, or check the name yourself.
#
# usage: paho-refuses-the-certificate-of-an-ipv6-address.sh     needs Debian's apt, openssl, a loopback with ::1.
#        Exit 0: as seen; 1: it has changed; 77: those versions are gone, or there is no IPv6.
set -eu
paho=1.3.12-1 mosquitto=2.0.11-1.2+deb12u2
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "libpaho-mqtt1.3=$paho" "paho.mqtt.c-examples=$paho" "mosquitto=$mosquitto" \
  >apt.log 2>&1 || { echo "paho.mqtt.c $paho or mosquitto $mosquitto cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(find root -name 'lib*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')
export LD_LIBRARY_PATH

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
new_key ca.key
new_key broker.key
openssl req -x509 -new -key ca.key -out ca.crt -days 30 -subj /CN=ca 2>/dev/null
echo subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 >names
openssl req -new -key broker.key -subj /CN=broker 2>/dev/null |
  openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 20 -extfile names -out broker.crt 2>/dev/null

port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
for address in 127.0.0.1 ::1; do
  printf 'listener %s %s\ncafile %s/ca.crt\ncertfile %s/broker.crt\nkeyfile %s/broker.key\n' \
    "$port" "$address" "$work" "$work" "$work" >>mosquitto.conf
done
printf 'allow_anonymous true\nlog_dest file %s/log\nuser %s\n' "$work" "$(id -un)" >>mosquitto.conf
root/usr/sbin/mosquitto -c mosquitto.conf 2>/dev/null &
broker=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
  ! openssl s_client -connect "[::1]:$port" -CAfile ca.crt -verify_return_error -verify_ip ::1 </dev/null >/dev/null 2>&1 || break
  sleep 0.3
done
openssl s_client -connect "[::1]:$port" -CAfile ca.crt -verify_return_error -verify_ip ::1 </dev/null >/dev/null 2>&1 ||
  { echo "no IPv6 on this machine's loopback"; exit 77; }

# ends PROGRAM HOST [OPTION]: whether its message has reached the broker, by the broker's log
ends() {
  before=$(grep -c 'New client connected' log || true)
  timeout 5 "root/usr/bin/$1" -c "ssl://$2:$port" --cafile ca.crt -t topic -m text ${3+"$3"} </dev/null >/dev/null 2>&1 || true
  if [ "$(grep -c 'New client connected' log || true)" -gt "$before" ]; then echo in; else echo refused; fi
}
result=0
check() { # WHAT PROGRAM HOST [OPTION]
  what=$1
  shift
  seen=$(ends "$@")
  if [ "$seen" = "$what" ]; then echo "as seen: $*: $seen"; else echo "CHANGED: $*: expected $what, now $seen"; result=1; fi
}
for program in paho_c_pub paho_cs_pub; do
  check in $program localhost
  check in $program 127.0.0.1
  check refused $program '[::1]'
  check in $program '[::1]' --insecure
done
exit $result
