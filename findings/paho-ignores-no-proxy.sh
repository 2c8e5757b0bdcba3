#!/bin/sh
# paho.mqtt.c sends its connections to the HTTP proxy of the environment, whatever no_proxy says.
#
# Version:  paho.mqtt.c 1.3.12-1 (Debian 12: libpaho-mqtt1.3 and paho.mqtt.c-examples).
# Expected: an MQTT library has nothing to do with http_proxy, which is for HTTP; and if it has, hosts in no_proxy are spared,
#           as by curl and by everything else on the machine.
# Seen:     paho_c_pub (MQTTAsync) and paho_cs_pub (MQTTClient) send "CONNECT host:port" to the proxy for plain MQTT, also to an
#           address of this very machine, and also where no_proxy names that address or is "*". On a machine behind a
#           company's proxy the program does not reach the broker beside it, and its error speaks of the broker.
#           An empty httpProxy option is no way out: remove the variables before the first client is made.
#
# usage: paho-ignores-no-proxy.sh     needs Debian's apt, perl. Exit 0: as seen; 1: it has changed; 77: that version is gone.
set -eu
version=1.3.12-1
work=$(mktemp -d)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "libpaho-mqtt1.3=$version" "paho.mqtt.c-examples=$version" >apt.log 2>&1 ||
  { echo "paho.mqtt.c $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done
libraries=$(find root -name 'lib*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')

# A proxy that writes down what it is asked for, and a port where nobody listens: the broker is not needed to see the way.
cat >proxy.pl <<'P'
use IO::Socket::INET;
my $server = IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1') or die;
open my $port, '>', 'port.new'; print $port $server->sockport; close $port; rename 'port.new', 'port';
while (my $client = $server->accept) {
  my $line = <$client>;
  open my $asked, '>>', 'asked'; print $asked $line; close $asked;
  close $client;
}
P
perl proxy.pl &
proxy=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do [ ! -s port ] || break; sleep 0.2; done
broker=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')

# way PROGRAM NO_PROXY [PROXY]: where its connection to 127.0.0.1 goes
way() {
  rm -f asked
  env -u NO_PROXY -u https_proxy http_proxy="${3-http://127.0.0.1:$(cat port)}" no_proxy="$2" LD_LIBRARY_PATH="$libraries" \
    timeout 3 "root/usr/bin/$1" -c "tcp://127.0.0.1:$broker" -t topic -m text </dev/null >/dev/null 2>&1 || true
  if grep -q "CONNECT 127.0.0.1:$broker" asked 2>/dev/null; then echo proxy; else echo direct; fi
}
result=0
check() { # PROGRAM NO_PROXY WHAT [PROXY]
  seen=$(way "$1" "$2" ${4+"$4"})
  if [ "$seen" = "$3" ]; then echo "as seen: $1, no_proxy='$2': $seen"; else echo "CHANGED: $1, no_proxy='$2': expected $3, now $seen"; result=1; fi
}
check paho_cs_pub '' direct ''
check paho_cs_pub '' proxy
check paho_cs_pub 127.0.0.1 proxy
check paho_cs_pub '*' proxy
check paho_c_pub '' proxy
check paho_c_pub 127.0.0.1 proxy
check paho_c_pub '*' proxy
exit $result
