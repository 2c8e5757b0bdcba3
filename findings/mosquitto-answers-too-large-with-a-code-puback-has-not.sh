#!/bin/sh
# mosquitto 2.0.11 refuses a message above message_size_limit with a reason code that PUBACK and PUBREC do not have, and at
# QoS 0 drops it without a word.
#
# Version:  mosquitto and mosquitto-clients 2.0.11-1.2+deb12u2 (Debian 12), MQTT 5.
# Expected: a limit is told in CONNACK (Maximum Packet Size), so that a client does not send what is too large; a broker that
#           refuses one message uses a code that the packet has (MQTT 5, table 3-4: 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99).
# Seen:     message_size_limit is not told in CONNACK. PUBACK and PUBREC come with 0x95, Packet too large, which the standard
#           has for DISCONNECT alone: a strict client takes the broker for broken and ends the session, again and again, with the
#           message that it sends anew. So take every code of 0x80 and more for a refusal. At QoS 0 nothing is answered, and the
#           session goes on: a fleet that reports at QoS 0 loses all, and no client knows. max_packet_size is told in CONNACK.
#
# usage: mosquitto-answers-too-large-with-a-code-puback-has-not.sh     needs Debian's apt, perl. Exit 0: as seen; 1: it has
#        changed; 77: that version is gone.
set -eu
version=2.0.11-1.2+deb12u2
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "mosquitto=$version" "mosquitto-clients=$version" >apt.log 2>&1 ||
  { echo "mosquitto $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(find root -name 'lib*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')
export LD_LIBRARY_PATH

port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmessage_size_limit 100\nlog_type all\nlog_dest file %s/log\nuser %s\n' \
  "$port" "$work" "$(id -un)" >mosquitto.conf
root/usr/sbin/mosquitto -c mosquitto.conf 2>/dev/null &
broker=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do ! grep -q 'running$' log 2>/dev/null || break; sleep 0.2; done

large=$(head -c 300 /dev/zero | tr '\0' x)
publish() { # QOS: what becomes of a large message, by the broker's log
  : >log
  timeout 5 root/usr/bin/mosquitto_pub -h 127.0.0.1 -p "$port" -V 5 -q "$1" -t topic -m "$large" >/dev/null 2>&1 || true
  sleep 0.3
  answer=$(sed -n 's/.*Sending \(PUBACK\|PUBREC\) to .*rc\([0-9]*\).*/\1 \2/p' log | head -n 1)
  echo "${answer:-no answer}, $(if grep -q 'Received DISCONNECT' log; then echo 'the session goes on'; else echo 'the session is ended'; fi)"
}
result=0
check() { # QOS WHAT
  seen=$(publish "$1")
  if [ "$seen" = "$2" ]; then echo "as seen: QoS $1: $seen"; else echo "CHANGED: QoS $1: expected $2; now $seen"; result=1; fi
}
check 0 'no answer, the session goes on'
check 1 'PUBACK 149, the session goes on'
check 2 'PUBREC 149, the session goes on'
exit $result
