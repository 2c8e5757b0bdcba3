#!/bin/sh
# paho.mqtt.c: paho_cs_pub ends with 0 although it could not connect and published nothing; paho_c_pub never ends.
#
# Version:  paho.mqtt.c 1.3.12-1 (Debian 12: libpaho-mqtt1.3 and paho.mqtt.c-examples), mosquitto 2.0.11-1.2+deb12u2 as broker.
# Expected: a command that publishes a message says by its exit code whether it did.
# Seen:     a broker that does not listen, whose certificate is of another CA, or that refuses the client: paho_cs_pub prints
#           "Connect failed" and ends with 0. paho_c_pub tries again, for as long as it is let, at intervals that do not
#           grow. A script of the first never fails, one of the second never goes on: read what they print, and give
#           paho_c_pub a deadline.
#
# usage: paho-samples-end-with-0-although-refused.sh     needs Debian's apt, openssl, perl. Exit 0: as seen; 1: it has changed;
#        77: those versions are gone.
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

for ca in ca other; do
  openssl ecparam -name prime256v1 -genkey -noout -out $ca.key
  openssl req -x509 -new -key $ca.key -out $ca.crt -days 30 -subj /CN=$ca 2>/dev/null
done
openssl ecparam -name prime256v1 -genkey -noout -out broker.key
echo subjectAltName=DNS:localhost >names
openssl req -new -key broker.key -subj /CN=broker 2>/dev/null |
  openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 20 -extfile names -out broker.crt 2>/dev/null

free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }
open=$(free_port) closed=$(free_port) nobody=$(free_port)
printf 'per_listener_settings true\nlog_dest file %s/log\nuser %s\n' "$work" "$(id -un)" >mosquitto.conf
for port in $open $closed; do
  printf 'listener %s 127.0.0.1\ncertfile %s/broker.crt\nkeyfile %s/broker.key\n' "$port" "$work" "$work"
  echo "allow_anonymous $([ "$port" = "$open" ] && echo true || echo false)"
done >>mosquitto.conf
root/usr/sbin/mosquitto -c mosquitto.conf 2>/dev/null &
broker=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do ! grep -q 'running$' log 2>/dev/null || break; sleep 0.2; done

result=0
check() { # WHAT PROGRAM PORT CA SENTENCE
  code=0
  timeout 6 "root/usr/bin/$2" -c "ssl://localhost:$3" --cafile "$4.crt" -q 1 -t topic -m text </dev/null >/dev/null 2>&1 || code=$?
  if [ "$code" = "$1" ]; then echo "as seen: $2, $5: exit code $code"; else
    echo "CHANGED: $2, $5: expected exit code $1, now $code"
    result=1
  fi
}
for program in paho_cs_pub paho_c_pub; do
  refused=0
  [ $program = paho_cs_pub ] || refused=124 # of timeout
  check 0 $program "$open" ca 'a good broker'
  check $refused $program "$nobody" ca 'nobody listens'
  check $refused $program "$open" other 'another CA'
  check $refused $program "$closed" ca 'the broker wants a user name'
done
exit $result
