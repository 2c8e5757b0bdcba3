#!/bin/sh
# mosquitto 2.0.11 over TLS 1.3: the CONNACK that refuses a wrong password is lost when the client has sent its SUBSCRIBE
# behind the CONNECT, and the client sees a reset instead of a reason.
#
# Version:  mosquitto 2.0.11-1.2+deb12u2 (Debian 12), OpenSSL 3.0, Linux.
# Expected: a client need not wait for CONNACK before it sends more (MQTT 3.1.1, 3.1.4; MQTT 5, 3.1.4). A broker that refuses
#           it says so in CONNACK, 0x05 (0x87), and closes.
# Seen:     mostly lost. mosquitto writes the CONNACK and closes at once, with the SUBSCRIBE (a TLS record of its own)
#           unread in the socket. The two session tickets of TLS 1.3 are on their way and unacknowledged, so Nagle's
#           algorithm keeps the CONNACK back (set_tcp_nodelay is off unless it is set), and closing a socket with unread
#           data resets the connection and drops what waits to be sent. A client that pipelines cannot tell a wrong
#           password from a broken line, and tries again for ever. With set_tcp_nodelay true, or if it waits for
#           CONNACK, it learns the reason. So wait for CONNACK where a user name is sent, or set TCP_NODELAY at the
#           broker.
#
# usage: mosquitto-refusal-lost-behind-a-pipelined-subscribe.sh     needs Debian's apt, openssl, python3. Exit 0: as seen; 1: it
#        has changed; 77: that version is gone.
set -eu
version=2.0.11-1.2+deb12u2
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "mosquitto=$version" >apt.log 2>&1 ||
  { echo "mosquitto $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(find root -name 'lib*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')
export LD_LIBRARY_PATH

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
: >users
chmod 600 users
cat >client.py <<'PY'
"""Forty attempts with a password that the broker does not know: how many had a CONNACK, how many a reset without one."""
import socket, ssl, sys

port, pipelined = int(sys.argv[1]), sys.argv[2] == "pipelined"
text = lambda s: len(s).to_bytes(2, "big") + s
body = text(b"MQTT") + b"\x04\xc2" + b"\x00\x3c" + text(b"meter-1") + text(b"meter-1") + text(b"wrong")
connect = bytes([0x10, len(body)]) + body
topics = b"\x00\x01" + text(b"meters/meter-1/down") + b"\x01"
subscribe = bytes([0x82, len(topics)]) + topics
context = ssl.create_default_context(cafile="cert.pem")
context.minimum_version = ssl.TLSVersion.TLSv1_3
told = reset = 0
for _ in range(40):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as tls:
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls.sendall(connect)
        if pipelined:
            tls.sendall(subscribe)  # a record of its own
        try:
            answer = tls.recv(16)
        except OSError:
            answer = b""
        told += answer[:1] == b"\x20"
        reset += answer == b""
print("told" if told == 40 else "never told" if reset == 40 else "mostly lost" if reset > told else f"told {told} of 40")
PY

result=0
check() { # NODELAY pipelined|waiting EXPECTED...
  printf 'listener %s 127.0.0.1\ncertfile %s/cert.pem\nkeyfile %s/key.pem\nallow_anonymous false\npassword_file %s/users\nset_tcp_nodelay %s\nuser %s\n' \
    "$port" "$work" "$work" "$work" "$1" "$(id -un)" >mosquitto.conf
  root/usr/sbin/mosquitto -c mosquitto.conf >log 2>&1 &
  broker=$!
  for _ in 1 2 3 4 5 6 7 8 9 10; do ! grep -q 'running$' log || break; sleep 0.2; done
  seen=$(python3 client.py "$port" "$2")
  kill "$broker"
  wait "$broker" 2>/dev/null || true
  broker=
  case " $3 " in
  *"/$seen/"*) echo "as seen: set_tcp_nodelay $1, $2: $seen" ;;
  *) echo "CHANGED: set_tcp_nodelay $1, $2: expected one of $3; now $seen"; result=1 ;;
  esac
}
check false pipelined '/never told/ /mostly lost/'
check true pipelined '/told/'
check false waiting '/told/'
exit $result
