#!/bin/sh
# A TLS 1.3 server on Node.js gives two session tickets in a full handshake and none in a resumed one: who uses each ticket once
# resumes every other time.
#
# Version:  Node.js 20.20.0 (npm package node); OpenSSL of this machine as the peer and for comparison.
# Expected: what OpenSSL's own server does with its defaults: two tickets after a full handshake, one new one after a resumed
#           one, so that a client which follows RFC 8446, C.4 (a ticket is used once) goes on resuming for as long as it likes.
# Seen:     Node's servers have the ticket keys behind a callback, and on a resumption it says that the ticket need not be
#           renewed: no NewSessionTicket follows. A client that kept one ticket and drops it as it is used has none for its
#           next connection and does a full handshake; one that keeps both comes back twice, then pays in full. A load test
#           that counts on resumption after the first connect is wrong by that share; and a ticket that is offered again and
#           again, as many devices do, is the same one for its whole life: what a stolen one opens does not shrink.
#
# usage: node-gives-no-ticket-when-it-resumes.sh     needs npm, openssl. Exit 0: as seen; 1: it has changed; 77: that version is
#        gone.
set -eu
version=20.20.0
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix "$work" "node@$version" >npm.log 2>&1 ||
  { echo "node $version cannot be had from the npm registry"; exit 77; }
node=$(find "$work/node_modules" -path '*/bin/node' -type f | head -n 1)
[ -n "$node" ] && [ "$("$node" --version)" = "v$version" ] ||
  { echo "node $version cannot be had from the npm registry"; exit 77; }

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -days 3 -keyout key.pem -out crt.pem 2>/dev/null
cat >server.mjs <<'J'
import tls from 'node:tls'
import { readFileSync, writeFileSync } from 'node:fs'
const server = tls.createServer({ cert: readFileSync('crt.pem'), key: readFileSync('key.pem'), minVersion: 'TLSv1.3' }, (client) => {
  client.on('data', () => client.write('x'))
  client.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => writeFileSync('port', String(server.address().port)))
J

visit() { # PORT SESSION-OPTIONS...: prints "TICKETS full" or "TICKETS resumed"
  port=$1
  shift
  (echo hello; sleep 1) | openssl s_client -connect "localhost:$port" -CAfile crt.pem "$@" >said 2>/dev/null || true
  how=full
  ! grep -q '^Reused, TLSv1.3' said || how=resumed
  echo "$(grep -c '^Post-Handshake New Session Ticket' said || true) $how"
}
both() { # PORT
  first=$(visit "$1" -sess_out session)
  echo "$first, then $(visit "$1" -sess_in session)"
}

"$node" server.mjs &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do [ ! -s port ] || break; sleep 0.3; done
of_node=$(both "$(cat port)")
kill "$server"
free=$("$node" -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
openssl s_server -accept "$free" -cert crt.pem -key key.pem -tls1_3 -quiet >/dev/null 2>&1 &
server=$!
sleep 1
of_openssl=$(both "$free")

echo "tickets in each handshake: node $of_node; OpenSSL's own server $of_openssl"
[ "$of_node" = "2 full, then 0 resumed" ] && [ "$of_openssl" = "2 full, then 1 resumed" ] || { echo "that has changed"; exit 1; }
echo "as seen"
