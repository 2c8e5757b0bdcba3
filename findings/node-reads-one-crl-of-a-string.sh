#!/bin/sh
# Node.js reads the first revocation list of a PEM string and no other: clients of the next CA are locked out without a word.
#
# Version:  Node.js 20.20.0 (npm package node), its own OpenSSL.
# Expected: `crl` of tls.createServer() takes what `ca` takes: a string may hold several PEM blocks, one list for each CA, as
#           the files of nginx, HAProxy and mosquitto do.
# Seen:     of a string with the lists of CAs a and b only the first is read. The server starts without a warning; every
#           client of the other CA is refused, for OpenSSL wants a list of each issuer. The client is told nothing (its
#           handshake is complete under TLS 1.3, then the connection ends without an alert), the server sees
#           tlsClientError ECONNRESET. An array of strings is read whole.
#           So a broker on Node.js (aedes and others) wants its lists as an array, and a rehearsal that counts refusals
#           by alerts alone counts none here.
#
# usage: node-reads-one-crl-of-a-string.sh     needs npm, openssl. Exit 0: as seen; 1: it has changed; 77: that version is gone.
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

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
for ca in a b; do
  new_key $ca.key
  openssl req -x509 -new -key $ca.key -out $ca.crt -days 30 -subj "/CN=ca-$ca" 2>/dev/null
  : >$ca.index
  printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s.index\ncertificate = %s.crt\nprivate_key = %s.key\n' $ca $ca $ca >$ca.cnf
  printf 'default_md = sha256\ndefault_crl_days = 7\n' >>$ca.cnf
  openssl ca -config $ca.cnf -gencrl -out $ca.crl 2>/dev/null
  new_key client-$ca.key
  openssl req -new -key client-$ca.key -subj "/CN=client-$ca" 2>/dev/null |
    openssl x509 -req -CA $ca.crt -CAkey $ca.key -CAcreateserial -days 20 -out client-$ca.crt 2>/dev/null
done
new_key server.key
echo subjectAltName=DNS:localhost >names
openssl req -new -key server.key -subj /CN=localhost 2>/dev/null |
  openssl x509 -req -CA a.crt -CAkey a.key -CAcreateserial -days 20 -extfile names -out server.crt 2>/dev/null

cat >try.mjs <<'J'
// Prints one word for the clients of CA a and of CA b: in, or refused.
import tls from 'node:tls';
import { readFileSync } from 'node:fs';
const read = (name) => readFileSync(name, 'utf8');
const lists = { ab: read('a.crl') + read('b.crl'), ba: read('b.crl') + read('a.crl'), array: [read('a.crl'), read('b.crl')] };
const server = tls.createServer({ key: read('server.key'), cert: read('server.crt'), ca: [read('a.crt'), read('b.crt')],
  crl: lists[process.argv[2]], requestCert: true, rejectUnauthorized: true }, (socket) => socket.end('in'));
const knock = (ca) => new Promise((resolve) => {
  let heard = '';
  const socket = tls.connect({ port: server.address().port, host: '127.0.0.1', servername: 'localhost', ca: read('a.crt'),
    key: read(`client-${ca}.key`), cert: read(`client-${ca}.crt`) });
  socket.on('data', (data) => { heard += data; });
  socket.on('error', () => {});
  socket.on('close', () => resolve(heard || 'refused'));
});
server.listen(0, '127.0.0.1', async () => {
  console.log(await knock('a'), await knock('b'));
  server.close();
});
J
result=0
check() { # LISTS WHAT SENTENCE
  seen=$(timeout 20 "$node" try.mjs "$1")
  if [ "$seen" = "$2" ]; then echo "as seen: $3: $seen"; else echo "CHANGED: $3: expected $2, now $seen"; result=1; fi
}
check array 'in in' 'an array of two lists, clients of a and b'
check ab 'in refused' 'one string, list of a first'
check ba 'refused in' 'one string, list of b first'
exit $result
