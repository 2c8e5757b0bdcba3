#!/bin/sh
# nginx before a broker (stream, ssl_verify_client on) completes the handshake of a client that it refuses, gives it session
# tickets, and closes without an alert.
#
# Version:  nginx 1.22.1-9+deb12u11 with libnginx-mod-stream (Debian 12), TLS 1.3 and 1.2.
# Expected: a client whose certificate is revoked, or whose CA is not known, is refused as OpenSSL's servers and mosquitto do:
#           a fatal alert (44 certificate_revoked, 48 unknown_ca) in place of the end of the handshake.
# Seen:     the handshake is completed, under TLS 1.2 as well; under TLS 1.3 two session tickets follow; then close_notify (a
#           warning) and FIN. The client cannot tell its revocation from a broker that restarts, and does not learn
#           why; who counts refusals by fatal alerts counts none.
#
# usage: nginx-stream-refuses-after-the-handshake.sh     needs Debian's apt, openssl. Exit 0: as seen; 1: it has changed; 77: that version is gone.
set -eu
version=1.22.1-9+deb12u11
work=$(mktemp -d)
nginx=
trap '[ -z "$nginx" ] || kill "$nginx" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "nginx=$version" "libnginx-mod-stream=$version" >apt.log 2>&1 ||
  { echo "nginx $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done
libraries=$(find root -name 'lib*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
issue() { # NAME CA: a certificate for localhost
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$1" 2>/dev/null |
    openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 20 -extfile names -out "$1.crt" 2>/dev/null
}
echo subjectAltName=DNS:localhost >names
for ca in ca other; do
  new_key $ca.key
  openssl req -x509 -new -key $ca.key -out $ca.crt -days 30 -subj "/CN=$ca" 2>/dev/null
done
issue server ca
issue good ca
issue revoked ca
issue stranger other
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index\ncertificate = ca.crt\nprivate_key = ca.key\n' >ca.cnf
printf 'default_md = sha256\ndefault_crl_days = 7\n' >>ca.cnf
: >index
openssl ca -config ca.cnf -revoke revoked.crt 2>/dev/null
openssl ca -config ca.cnf -gencrl -out ca.crl 2>/dev/null

free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }
port=$(free_port)
cat >nginx.conf <<C
load_module $work/$(cd root && find . -name ngx_stream_module.so | sed 's,^\./,root/,');
daemon off;
master_process off;
pid $work/pid;
error_log $work/error.log info;
events {}
stream {
  server {
    listen 127.0.0.1:$port ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate $work/server.crt;
    ssl_certificate_key $work/server.key;
    ssl_client_certificate $work/ca.crt;
    ssl_crl $work/ca.crl;
    ssl_verify_client on;
    return "welcome";
  }
}
C
LD_LIBRARY_PATH=$libraries root/usr/sbin/nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
nginx=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do ! openssl s_client -connect "127.0.0.1:$port" </dev/null >probe 2>&1 || break; sleep 0.3; done

# ended CLIENT VERSION: what the client saw: got in or not, handshake ended or not, tickets, fatal alerts
ended() {
  (sleep 1) | openssl s_client -connect "127.0.0.1:$port" -servername localhost -CAfile ca.crt -cert "$1.crt" -key "$1.key" \
    "-$2" -msg -ign_eof >said 2>&1 || true
  in=no handshake=no fatal=none
  ! grep -aq welcome said || in=yes
  ! grep -aq '<<<.*Alert.*fatal' said || fatal=$(grep -a '<<<.*Alert.*fatal' said | head -n 1 | sed 's/.*fatal //')
  tickets=$(grep -ac '<<<.*NewSessionTicket' said || true)
  # The last word of a handshake is the server's: Finished under TLS 1.2; under 1.3 a ticket follows the client's Finished.
  case $2 in tls1_2) last='<<<.*Finished' ;; *) last='<<<.*NewSessionTicket' ;; esac
  ! grep -aq "$last" said || handshake=complete
  echo "in: $in, handshake: $handshake, tickets: $tickets, fatal alert: $fatal"
}
result=0
check() { # CLIENT VERSION WHAT
  seen=$(ended "$1" "$2")
  if [ "$seen" = "$3" ]; then echo "as seen: $1, $2: $seen"; else echo "CHANGED: $1, $2: expected $3; now $seen"; result=1; fi
}
check good tls1_3 'in: yes, handshake: complete, tickets: 2, fatal alert: none'
check revoked tls1_3 'in: no, handshake: complete, tickets: 2, fatal alert: none'
check stranger tls1_3 'in: no, handshake: complete, tickets: 2, fatal alert: none'
check revoked tls1_2 'in: no, handshake: complete, tickets: 1, fatal alert: none'
exit $result
