#!/bin/sh
# mosquitto 2.0.11 goes on without any certificate when a reload finds one that it cannot load.
#
# Version:  mosquitto 2.0.11-1.2+deb12u2 (Debian 12), a listener with cafile, certfile and keyfile.
# Expected: a reload (SIGHUP) whose new certificate, key or CA file cannot be loaded leaves what was in force, as nginx,
#           HAProxy and stunnel do; or the broker ends, so that its supervisor notices.
# Seen:     the process and its port stay, sessions that are open stay, and from then on no handshake succeeds: the listener
#           has no certificate left, every client gets alert 40 (handshake_failure) and the log says "no shared cipher", which leads to
#           cipher lists instead of to the file. A second reload with the right files puts it in order. Until somebody
#           reconnects nothing tells that the fleet is locked out. So look at what is served after every reload.
#
# usage: mosquitto-reload-unreadable-certificate.sh     needs Debian's apt, openssl. Exit 0: as seen; 1: it has changed; 77: that version is gone.
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
libraries=$(find root -name '*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')

# A CA, and two certificates of the same broker: the one before and the one after a renewal.
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
new_key ca.key
openssl req -x509 -new -key ca.key -out ca.crt -days 30 -subj /CN=ca 2>/dev/null
echo subjectAltName=DNS:localhost >names
for n in old new; do
  new_key $n.key
  openssl req -new -key $n.key -subj /CN=localhost 2>/dev/null |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 20 -extfile names -out $n.crt 2>/dev/null
done
cp old.crt served.crt
cp old.key served.key

port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
cat >mosquitto.conf <<C
listener $port 127.0.0.1
cafile $work/ca.crt
certfile $work/served.crt
keyfile $work/served.key
allow_anonymous true
log_dest file $work/log
user $(id -un)
C
LD_LIBRARY_PATH=$libraries root/usr/sbin/mosquitto -c mosquitto.conf 2>/dev/null &
broker=$!

# served: the serial number that a client is shown, "refused" where no handshake comes about
served() {
  openssl s_client -connect "127.0.0.1:$port" -servername localhost </dev/null 2>/dev/null |
    openssl x509 -noout -serial 2>/dev/null || echo refused
}
# becomes WHAT: waits at most 5 s until that is what a client sees
becomes() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    seen=$(served)
    [ "$seen" != "$1" ] || return 0
    sleep 0.5
  done
  return 1
}
result=0
check() { # SENTENCE WHAT
  if becomes "$2"; then echo "as seen: $1 ($2)"; else echo "CHANGED: $1: expected $2, now $seen"; result=1; fi
}

old=$(openssl x509 -in old.crt -noout -serial) new=$(openssl x509 -in new.crt -noout -serial)
check "the broker starts with the old certificate" "$old"
# The renewal has written the certificate, the key is to come: for a moment they do not belong together.
cp new.crt served.crt
kill -HUP "$broker"
check "a reload between the two files locks everybody out" refused
kill -0 "$broker" || { echo "CHANGED: the broker ended"; exit 1; }
grep -q 'no shared cipher' log || { echo "CHANGED: the log gives another reason"; result=1; }
cp new.key served.key
kill -HUP "$broker"
check "a second reload puts it in order" "$new"
exit $result
