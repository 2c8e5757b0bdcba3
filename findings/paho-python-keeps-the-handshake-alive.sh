#!/bin/sh
# paho for Python bounds the TLS handshake by the keep-alive: 60 s by default, and with a keep-alive of 0, which is none, it
# cannot connect over TLS at all.
#
# Version:  python3-paho-mqtt 1.6.1-1 (Debian 12), Python 3.11, OpenSSL 3.0.
# Expected: connect() gives up after connect_timeout, which is 5 s, and works with keepalive=0, which switches keep-alive off
#           (MQTT 3.1.1, 3.1.2.10), as it does without TLS.
# Seen:     connect_timeout is for TCP alone. For the handshake the socket's timeout is set to the keep-alive: with a server
#           that accepts and says nothing, connect() returns after the keep-alive. 0 makes the socket one that does not block,
#           and the handshake fails at its first read with SSLWantReadError, whatever the broker. So give a keep-alive above
#           0 and as short as a handshake may take, or a deadline of your own.
#
# usage: paho-python-keeps-the-handshake-alive.sh     needs Debian's apt, python3 of Debian, openssl. Exit 0: as seen; 1: it has
#        changed; 77: that version is gone.
set -eu
version=1.6.1-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "python3-paho-mqtt=$version" >apt.log 2>&1 ||
  { echo "python3-paho-mqtt $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done

openssl ecparam -name prime256v1 -genkey -noout -out key
openssl req -x509 -new -key key -out crt -days 30 -subj /CN=broker -addext subjectAltName=DNS:localhost 2>/dev/null

cat >try.py <<'PY'
"""try.py tls|plain|silent KEEPALIVE: what becomes of connect(), by a broker in this process that says CONNACK, or nothing"""
import socket
import ssl
import sys
import threading
import time

import paho.mqtt.client as mqtt

kind, keepalive = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))


def serve():
    line, _ = listener.accept()
    if kind == "silent":
        return time.sleep(60)
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("crt", "key")
        line = context.wrap_socket(line, server_side=True)
    line.recv(1024)
    line.sendall(b"\x20\x02\x00\x00")
    line.recv(1024)


threading.excepthook = lambda _: None
threading.Thread(target=serve, daemon=True).start()
let_in = threading.Event()
client = mqtt.Client("device")
client.on_connect = lambda *_: let_in.set()
if kind != "plain":
    client.tls_set("crt")
begin = time.monotonic()
try:
    client.connect("localhost", listener.getsockname()[1], keepalive)
    client.loop_start()
    print("in" if let_in.wait(5) else "no CONNACK")
except OSError as error:
    print(type(error).__name__, f"after {time.monotonic() - begin:.0f} s")
PY
result=0
check() { # WHAT KIND KEEPALIVE
  seen=$(PYTHONPATH=$work/root/usr/lib/python3/dist-packages timeout 30 /usr/bin/python3 try.py "$2" "$3")
  if [ "$seen" = "$1" ]; then echo "as seen: $2, keep-alive $3: $seen"; else
    echo "CHANGED: $2, keep-alive $3: expected $1, now $seen"
    result=1
  fi
}
check in plain 0
check in tls 60
check 'SSLWantReadError after 0 s' tls 0
check 'TimeoutError after 3 s' silent 3
check 'TimeoutError after 8 s' silent 8
exit $result
