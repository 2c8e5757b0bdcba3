#!/bin/sh
# README followed to the letter by somebody who has a mosquitto and a fleet of openssl's: every command, configuration and
# scenario is taken out of README; what is changed for this machine, ports and folders, is the `here` below and nothing else.
# usage: first_hour.sh PATH/TO/fleetsim [clone]: with `clone` the hour begins with a clone of this tree and its build
set -u
fleetsim=$1 from=${2:-built}
for tool in mosquitto openssl awk; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
began=$(date +%s)
work=$(mktemp -d)
broker=$work/etc-mosquitto
mkdir "$broker"
trap 'mosquitto_end "$broker"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$top/tests/scenarios/lib/cases.sh"
. "$top/tests/scenarios/lib/mosquitto.sh"
. "$top/tests/scenarios/lib/readme.sh"
more_of_the_failure() { cat "$hour"/out/*/broker/hooks.log "$broker/log" 2>/dev/null | tail -n 12 | sed 's/^/     | /'; }

# From README to this machine ----------------------------------------------------------------------------------------------
here() {
  sed -e "s/staging.example.com:8883/localhost:$port/; s/staging.example.com:8884/localhost:$((port + 1))/" \
    -e 's/ --allow-target staging.example.com//; s/staging.example.com/localhost/' \
    -e "s/listener 8883/listener $port 127.0.0.1/; s/listener 8884/listener $((port + 1)) 127.0.0.1/" \
    -e "s|/etc/mosquitto/certs|$broker|g; s|/etc/mosquitto|$broker|g; s|/var/lib/mosquitto/|$broker/|" \
    -e "s|systemctl reload mosquitto|kill -HUP \$(cat $broker/pid)|; s|systemctl restart mosquitto|sh $broker/restart|"
}
readme() { block "$top/README.md" "$@" | here; }

# commands FILE: as a person types them, one after the other, until one fails
commands() { sh -eu "$1"; }

# The clone ----------------------------------------------------------------------------------------------------------------
if [ "$from" = clone ]; then
  hour=$work/fleetsim
  git clone -q "$top" "$hour" || exit 1
else # what stands in the tree is what was built
  hour=$work/hour
  mkdir "$hour" && ln -s "$fleetsim" "$hour/fleetsim"
fi
cd "$hour" || exit 1

block "$top/README.md" "## A scenario" >rotation-here.yaml
expect "README's own scenario passes at a broker that it starts" 0 "PASS my first rotation" \
  ./fleetsim run rotation-here.yaml --out out/here

# One's own fleet ------------------------------------------------------------------------------------------------------------
for try in $(seq 20); do
  port=$((20000 + ($$ * 2 + try * 254) % 12000))
  readme "### Your own fleet" 1 >fleet.sh
  readme "## Against your staging broker" 1 | sed -e '/pki make/d' -e 's|fleets/lab|fleets/mine|' >files.sh
  readme "## Against your staging broker" 2 >"$broker/conf"
  readme "## Against your staging broker" 3 >"$broker/acl"
  printf '%s\n' "user $(id -un)" "pid_file $broker/pid" "log_dest file $broker/log" >>"$broker/conf"
  if [ "$try" -eq 1 ]; then
    expect "a fleet of openssl's is imported with the keys of its staging CAs" 0 "fleets/mine: roots A, B, spare; 3 devices" \
      commands fleet.sh
    expect "the broker's files come out of it" 0 "main.crt, main.key: a broker named localhost under root A" commands files.sh
    cp clients.crt main.crt main.key "$broker"
    cp main.crt "$broker/prove.crt"
    cp main.key "$broker/prove.key"
  fi
  mosquitto_begin "$broker" && break
done
[ -s "$broker/pid" ] || { echo "FAIL the broker of README does not begin"; cat "$broker/log"; exit 1; }
cat >"$broker/restart" <<HOOK
kill \$(cat "$broker/pid")
while kill -0 \$(cat "$broker/pid") 2>/dev/null; do sleep 0.02; done
: >"$broker/log"
mosquitto -d -c "$broker/conf" 2>/dev/null
until grep -q 'running\$' "$broker/log"; do sleep 0.02; done
HOOK

# A first scenario, and the rotation out of it -------------------------------------------------------------------------------
readme "### A first scenario" 1 >first.sh
expect "a first scenario is written and passes, and says what nobody knows" 0 \
  "a device like that gets in.*first.yaml is written.*PASS a first day at localhost.*what arrived is not known" commands first.sh
readme "### A first scenario" 2 >rotation.sh
here <first.yaml >first.here && mv first.here first.yaml
expect "the rotation out of it passes" 0 "PASS a first day at localhost.*proven\(B\): 3 of 3.*identified\(B\): 3 of 3.* delivered, 0 lost" \
  commands rotation.sh
name="the broker presents root B's chain, and devices of openssl's were there by their names"
before=$failed
"$fleetsim" probe "mqtts://localhost:$port" --ca root-b.pem >"$work/said" 2>&1
grep -q "takes the chain under 'root b'" "$work/said" || complain "it presents another chain"
for i in 1 2 3; do
  cn=$(openssl x509 -in "$i.crt" -noout -subject -nameopt multiline | sed -n 's/.*commonName *= //p')
  grep -q "u'$cn'" "$broker/log" || complain "the broker has not seen $cn"
done
if [ "$failed" -eq "$before" ]; then passed=$((passed + 1)) && echo "ok   $name"; fi
echo "$(($(date +%s) - began)) s"
end_of_cases
