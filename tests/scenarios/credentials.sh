#!/bin/sh
# Devices that a broker knows by user name and password: without a certificate and with one, in MQTT 3.1.1 and 5; what is
# said of one whose password is wrong; and that no password is left anywhere. The brokers are on loopback; the one that
# stands elsewhere, as far as fleetsim knows, is this script's.
# usage: credentials.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools="mosquitto_passwd"
. "$(dirname "$0")/lib/own_broker.sh"
make_small_fleet 6

# What the broker knows, and what the fleet does ---------------------------------------------------------------------------
{
  echo 'back-office:hush-office'
  for i in 1 2 3 4 5 6; do echo "0000000$i:hush,$i"; done
} >"$broker/passwords"
mosquitto_passwd -U "$broker/passwords"
{
  echo 'name,password'
  for i in 6 5 4 3 2 1; do echo "0000000$i,hush,$i"; done
} >"$work/passwords.csv"
sed 's/^00000004,.*/00000004,"hush ""old"""/' "$work/passwords.csv" >"$work/one-old.csv"
echo hush-office >"$work/office"
echo hush-other >"$work/wrong"

operator=back-office knows="password_file $broker/passwords"
begin_broker_on_a_free_port
cat >"$work/restart" <<HOOK
kill \$(cat "$broker/pid")
while kill -0 \$(cat "$broker/pid") 2>/dev/null; do sleep 0.02; done
: >"$broker/log"
mosquitto -d -c "$broker/conf" 2>/dev/null
until grep -q 'running\$' "$broker/log"; do sleep 0.02; done
HOOK

named=$(scenario named <<YAML
name: by name and password
fleet:
  devices: 6
  telemetry: {every: 100ms}
  credentials: {password-file: $work/passwords.csv}
device: {certificate: no}
operator: {user: back-office, password-file: $work/office}
broker: {url: 'mqtts://localhost:$port', hooks: {restart: sh $work/restart}}
pki: {roots: [A, B], trusted: [A, B], broker: A}
reconnect: {policy: fixed, base: 200ms}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: trespass, do: [trespass: {share: 50%}]}
  - {name: again, do: [reconnect: {}, drain: {}]}
YAML
)

# By name and password -----------------------------------------------------------------------------------------------------
for version in 5 3.1.1; do
  expect "devices without a certificate are let in, MQTT $version" 0 "PASS.* 0 lost, .* 0 came through" \
    run "$named" --set "device.mqtt=$version"
done
expect "a restart is seen, and looked at by name and password" 0 "PASS" run "$named" --set 'phases[2].do=[restart-broker: {}]' \
  --set 'phases[2].until=reconnected == 100% within 10s'
if grep -q "was not seen" "$work/said"; then name="a restart by name" complain "the restart was not seen"; fi
expect "a check says where passwords come from" 0 "devices say the user name \{id\} and a password of a file, and show no certificate" \
  "$fleetsim" check "$named"
expect "one whose password is wrong is counted by its name" 1 "FAIL.*5 of 6.*connect.mqtt.refused_not_authorised +[0-9]+ [a-z ]*00000004 *[^,0-9]" \
  run "$named" --set "fleet.credentials.password-file=$work/one-old.csv" \
  --set 'phases[0].until=online == 100% within 2s'
name="results.json has that device, and no other"
if grep -A8 '"connect.mqtt.refused_not_authorised"' "$work/out/results.json" | tr -d ' \n' | grep -q '"first_devices":."00000004".,'; then
  echo "ok   $name"
  passed=$((passed + 1))
else
  complain "$(grep -A8 refused_not_authorised "$work/out/results.json")"
fi
expect "and the others pass where that is expected" 0 "PASS" run "$named" --set "fleet.credentials.password-file=$work/one-old.csv" \
  --set 'phases[0].until=online == 5 within 5s' --set 'phases[1].do=[wait: {for: 1s}]' --set 'phases[2].do=[wait: {for: 1s}]' \
  --set 'expect=[devices.lost == 1, failures(connect.mqtt.refused_not_authorised) >= 2]'
expect "the operator's password is told apart from that" 3 "the operator cannot connect.*refused_not_authorised.*let the operator in by the user name and password of 'operator'" \
  run "$named" --set "operator.password-file=$work/wrong"

# From a list of names and passwords on ------------------------------------------------------------------------------------
{
  echo 'id;password'
  for i in 1 2 3 4 5 6; do echo "0000000$i;hush,$i"; done
} >"$work/devices.csv"
expect "a first scenario looks at the broker as the first of a list of passwords" 0 \
  "is let in.*first.yaml is written.*pki import $work/first --csv $work/devices.csv --no-certificates --roots-pem A=$fleet/ca/A.crt --trusted A " \
  "$fleetsim" new "$work/first.yaml" --broker "mqtts://localhost:$port" --ca "$fleet/ca/A.crt" --csv "$work/devices.csv" --fleet "$work/first"
expect "a list without files is refused as it is" 2 "names no column 'key' or 'certificate'" \
  "$fleetsim" pki import "$work/first" --csv "$work/devices.csv" --roots-pem "A=$fleet/ca/A.crt"
expect "and imported as one of devices without certificates" 0 "6 devices" \
  "$fleetsim" pki import "$work/first" --csv "$work/devices.csv" --no-certificates --roots-pem "A=$fleet/ca/A.crt" --trusted A
expect "then the first scenario passes" 0 "PASS a first day at localhost: 6 devices" \
  "$fleetsim" run "$work/first.yaml" --fleet "$work/first" --out "$work/local" --overwrite

# Beside a certificate -----------------------------------------------------------------------------------------------------
end_broker
begin_broker "$own" 'require_certificate true'
expect "a broker that wants both gets both" 0 "PASS" run "$named" --set device.certificate=yes
expect "a broker that wants a certificate says so to who has none" 1 "connect.tls.refused_no_certificate +[0-9]+" \
  run "$named" --set 'phases[0].until=online == 100% within 1s'

# A broker of the run's own ------------------------------------------------------------------------------------------------
owned() { "$fleetsim" run "$@" --out "$work/local" --overwrite; }
local=$(scenario local <<YAML
name: a broker of the run's own
fleet:
  devices: 6
  telemetry: {every: 100ms}
  credentials: {user: 'pump {index:03}', password: 'hush {id}'}
device: {certificate: no}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: trespass, do: [trespass: {share: 50%}]}
  - {name: kick, do: [kick: {share: 50%}, wait: {for: 1s}], until: online == 100% within 10s}
  - {name: again, do: [restart-broker: {}, drain: {}]}
YAML
)
expect "a user name with a space is refused for it" 2 "local.yaml:5:16: a local mosquitto takes no user name 'pump 000'" owned "$local"
expect "it knows each device by its name, and keeps them apart" 0 "PASS.* 0 lost, .* 0 came through" \
  owned "$local" --set 'fleet.credentials.user=pump-{index:03}'
expect "one name for all is refused there" 2 "two devices have the user name 'all', and a local broker knows them apart by it" \
  owned "$local" --set fleet.credentials.user=all

printf 'id,login\nSN-1,pump-a\nSN-2,pump-b\nSN-3,pump-c\nSN-4,pump-d\nSN-5,pump-e\nSN-6,pump-f\n' >"$work/logins.csv"
"$fleetsim" pki make "$work/listed" --names "$work/logins.csv" --roots A,spare >/dev/null || exit 1
expect "user names come from a column of the list that the fleet was made from" 0 "PASS.* 0 lost, .* 0 came through" \
  "$fleetsim" run "$local" --fleet "$work/listed" --out "$work/local" --overwrite --set 'fleet.credentials.user="{login}"'
expect "a column that the list has not is named" 2 \
  "local.yaml:5:16: the user name of device SN-1 has a place \{account\}, and the device has nothing for it" \
  "$fleetsim" run "$local" --fleet "$work/listed" --out "$work/local" --overwrite --set 'fleet.credentials.user="{account}"'

# Files of secrets ---------------------------------------------------------------------------------------------------------
cp "$work/passwords.csv" "$work/open.csv"
chmod 640 "$work/open.csv"
expect "passwords that others can read are refused" 3 "named.yaml:5:16: others can get at passwords in $work/open.csv \(mode 0640\); mend it with: chmod 0600" \
  run "$named" --set "fleet.credentials.password-file=$work/open.csv"
chmod 644 "$work/wrong"
expect "so is the operator's" 3 "named.yaml:7:[0-9]+: others can get at the password in $work/wrong" \
  run "$named" --set "operator.password-file=$work/wrong"
grep -v ^00000002 "$work/passwords.csv" >"$work/short.csv"
expect "a device without a password is named" 2 "short.csv has no password of device 00000002: add a line '00000002,PASSWORD'" \
  run "$named" --set "fleet.credentials.password-file=$work/short.csv"
printf '00000001,hush\n00000002\n' >"$work/bad.csv"
expect "a line that is none is named" 2 "bad.csv:2: this is no 'NAME,PASSWORD'" \
  "$fleetsim" check "$named" --set "fleet.credentials.password-file=$work/bad.csv"
printf '00000001,hush\n00000001,hush\n' >"$work/twice.csv"
expect "a device that stands there twice is named" 2 "twice.csv: lines 1 and 2 are both of 00000001" \
  "$fleetsim" check "$named" --set "fleet.credentials.password-file=$work/twice.csv"
expect "a column needs a fleet that was imported with it" 2 "has no password of device 00000001 in a column 'secret'" \
  run "$named" --set 'fleet.credentials={password-column: secret}'

# Nothing is left ----------------------------------------------------------------------------------------------------------
name="no password in logs, results or events"
if grep -rlE 'hush' "$work/out" "$work/local" "$broker"; then
  complain "a password was written down"
else
  echo "ok   $name"
  passed=$((passed + 1))
fi
end_of_cases
