#!/bin/sh
# mosquitto's client refuses a broker of another name with the alert internal_error, which says that the client is broken.
#
# Version:  mosquitto-clients and libmosquitto1 2.0.11-1.2+deb12u2 (Debian 12), OpenSSL 3.0.
# Expected: a certificate whose names do not fit is refused with an alert on certificates, bad_certificate or
#           certificate_unknown (RFC 5246 7.2.2, RFC 8446 6.2); internal_error is for what has nothing to do with the peer.
# Seen:     alert 80, internal_error, in TLS 1.2 and 1.3; a chain of another CA is refused with unknown_ca. The name is compared
#           in a callback that sets no error. Who reads the broker's log after a certificate was renewed with a wrong
#           name looks for a fault in the clients. mosquitto_pub ends with 8 or with 1, "A TLS error occurred", and by chance
#           the one or the other: take anything but 0 for a refusal.
#
# usage: mosquitto-refuses-a-false-name-as-an-internal-error.sh     needs Debian's apt, openssl, python3. Exit 0: as seen; 1: it
#        has changed; 77: that version is gone.
set -eu
version=2.0.11-1.2+deb12u2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "mosquitto-clients=$version" "libmosquitto1=$version" >apt.log 2>&1 ||
  { echo "mosquitto-clients $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done

for ca in ca other; do
  openssl ecparam -name prime256v1 -genkey -noout -out $ca.key
  openssl req -x509 -new -key $ca.key -out $ca.crt -days 30 -subj /CN=$ca 2>/dev/null
done
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
for name in localhost elsewhere.test; do
  echo "subjectAltName=DNS:$name" >names
  openssl req -new -key leaf.key -subj /CN=leaf 2>/dev/null |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 20 -extfile names -out $name.crt 2>/dev/null
done

cat >server.py <<'PY'
"""server.py 1.2|1.3 CERTIFICATE COMMAND...: the alert that a server hears of that client, and how the client ends"""
import os
import socket
import ssl
import subprocess
import sys

version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[sys.argv[1]]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = context.maximum_version = version
context.load_cert_chain(sys.argv[2], "leaf.key")
with socket.create_server(("127.0.0.1", 0)) as listener:
    words = [word.replace("PORT", str(listener.getsockname()[1])) for word in sys.argv[3:]]
    libraries = {folder for folder, _, files in os.walk("root") for file in files if ".so" in file}
    client = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=dict(os.environ, LD_LIBRARY_PATH=":".join(map(os.path.abspath, libraries))))
    line, _ = listener.accept()
    line.settimeout(10)
    try:
        line = context.wrap_socket(line, server_side=True)
        heard = "CONNECT" if line.recv(1) == b"\x10" else "nothing"
    except ssl.SSLError as error:
        heard = error.reason
    line.close()
client.wait(15)
print(heard)
PY
result=0
check() { # WHAT TLS CERTIFICATE CA
  seen=$(timeout 20 python3 server.py "$2" "$3.crt" root/usr/bin/mosquitto_pub -h localhost -p PORT --cafile "$4.crt" -t topic -m text)
  who="TLS $2, a certificate for $3, $4 is trusted"
  if [ "$seen" = "$1" ]; then echo "as seen: $who: $seen"; else echo "CHANGED: $who: expected $1, now $seen"; result=1; fi
}
for tls in 1.2 1.3; do
  check CONNECT $tls localhost ca
  check TLSV1_ALERT_INTERNAL_ERROR $tls elsewhere.test ca
  check TLSV1_ALERT_UNKNOWN_CA $tls localhost other
done
exit $result
