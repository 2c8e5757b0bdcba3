#!/bin/sh
# Node.js refuses a server's certificate without an alert: the broker sees a connection that ends, and no reason.
#
# Version:  Node.js 20.20.0 (npm package node), its own OpenSSL.
# Expected: a client that does not take a certificate says why: unknown_ca, certificate_expired, bad_certificate (RFC 5246 7.2.2,
#           RFC 8446 4.4.2.4 and 6.2: it should send the fatal alert that fits). openssl s_client and mosquitto's client do.
# Seen:     tls.connect() lets OpenSSL end the handshake whatever the certificate is, looks at its verdict then, and destroys
#           the socket. In TLS 1.2 the server sees a complete handshake, and then the end of the connection; in TLS 1.3 an end
#           in the middle of it. No alert comes, and by then a client certificate, where one was asked for, has been sent in
#           TLS 1.2. The program learns the reason (error.code), the broker does not, and neither do its logs: after a wrong
#           rotation, clients on mqtt.js are those that nobody can tell from a bad network.
#
# usage: node-refuses-a-server-without-an-alert.sh     needs npm, openssl, python3. Exit 0: as seen; 1: it has changed; 77: that
#        version is gone.
set -eu
version=20.20.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix "$work" "node@$version" >npm.log 2>&1 ||
  { echo "node $version cannot be had from the npm registry"; exit 77; }
node=$work/node_modules/node/bin/node
[ -x "$node" ] || node=$(find "$work/node_modules" -path '*/bin/node' -type f | head -n 1)
[ "$("$node" --version)" = "v$version" ] || { echo "node $version cannot be had from the npm registry"; exit 77; }

for ca in ca other; do
  openssl ecparam -name prime256v1 -genkey -noout -out $ca.key
  openssl req -x509 -new -key $ca.key -out $ca.crt -days 30 -subj /CN=$ca 2>/dev/null
done
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
echo subjectAltName=DNS:localhost >names
openssl req -new -key leaf.key -subj /CN=leaf 2>/dev/null |
  openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 20 -extfile names -out leaf.crt 2>/dev/null
cat >client.mjs <<'J'
// Its exit code: 0 if the server was taken, 1 if not
import tls from 'node:tls';
import { readFileSync } from 'node:fs';
const [port, ca] = process.argv.slice(2);
const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(`${ca}.crt`) });
socket.on('secureConnect', () => socket.end(() => setTimeout(() => process.exit(0), 100)));
socket.on('error', (error) => { console.error(error.code); process.exit(1); });
J
cat >server.py <<'PY'
"""server.py 1.2|1.3 COMMAND...: what a server hears of that client, which is given its port and ends with 0 or not"""
import socket
import ssl
import subprocess
import sys

version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[sys.argv[1]]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = context.maximum_version = version
context.load_cert_chain("leaf.crt", "leaf.key")
with socket.create_server(("127.0.0.1", 0)) as listener:
    port = str(listener.getsockname()[1])
    client = subprocess.Popen([word.replace("PORT", port) for word in sys.argv[2:]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    line, _ = listener.accept()
    line.settimeout(10)
    try:
        line = context.wrap_socket(line, server_side=True)
        heard = "a whole handshake, then bytes" if line.recv(1) else "a whole handshake, then the end"
    except ssl.SSLEOFError:
        heard = "the end"
    except ssl.SSLError as error:
        heard = "an alert" if "ALERT" in error.reason else error.reason
    line.close()
print(heard + ",", "taken" if client.wait(10) == 0 else "refused")
PY
result=0
check() { # WHAT TLS CLIENT CA
  case $3 in
  node) set -- "$@" "$node" client.mjs PORT "$4" ;;
  openssl) set -- "$@" openssl s_client -connect 127.0.0.1:PORT -servername localhost -CAfile "$4.crt" -verify_return_error ;;
  esac
  what=$1 tls=$2 who="$3, TLS $2, $4"
  shift 4
  seen=$(timeout 20 python3 server.py "$tls" "$@")
  if [ "$seen" = "$what" ]; then echo "as seen: $who: $seen"; else echo "CHANGED: $who: expected $what, now $seen"; result=1; fi
}
for tls in 1.2 1.3; do
  check 'a whole handshake, then the end, taken' "$tls" node ca
  check 'a whole handshake, then the end, taken' "$tls" openssl ca
  check 'an alert, refused' "$tls" openssl other
done
check 'a whole handshake, then the end, refused' 1.2 node other
check 'the end, refused' 1.3 node other
exit $result
