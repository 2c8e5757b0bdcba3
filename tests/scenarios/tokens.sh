#!/bin/sh
# Devices whose password is a token of a file each: renewed before its end and after a refusal, by a hook or by somebody else;
# what is said where the broker goes on taking one that is over; and that no token is left anywhere. The broker is on loopback
# and this script's: a mosquitto that takes each device's token for a password.
# usage: tokens.sh PATH/TO/fleetsim
set -u
fleetsim=$1 tools="mosquitto_passwd flock"
. "$(dirname "$0")/lib/own_broker.sh"
make_small_fleet 6

# Shared access signatures: what stands behind sig= is the secret ------------------------------------------------------------
mkdir "$work/tokens"
token() { # DEVICE GENERATION SECONDS-FROM-NOW
  echo "SharedAccessSignature sr=hub%2Fdevices%2F$1&sig=hush$2&se=$(($(date +%s) + $3))"
}
passwords() { # what the broker takes from now on: the tokens as they lie there
  echo 'back-office:hush-office' >"$broker/passwords.new"
  for i in 1 2 3 4 5 6; do echo "hub/0000000$i:$(cat "$work/tokens/0000000$i")"; done >>"$broker/passwords.new"
  mosquitto_passwd -U "$broker/passwords.new"
  mv "$broker/passwords.new" "$broker/passwords"
}
tokens() { # GENERATION SECONDS: of all devices, and the broker knows them
  for i in 1 2 3 4 5 6; do token "0000000$i" "$1" "$2" >"$work/tokens/0000000$i"; done
  passwords
  [ ! -f "$broker/pid" ] || kill -HUP "$(cat "$broker/pid")"
}
tokens 1 3600
echo hush-office >"$work/office"
operator=back-office knows="password_file $broker/passwords" own='pattern readwrite private/%c/#'
begin_broker_on_a_free_port

# What issues tokens: the broker knows a new one before its device has it. It prints it, as such commands do.
cat >"$work/issue" <<HOOK
exec 9>"$work/lock"
flock 9
echo "\$FLEETSIM_DEVICE" >>"$work/issued"
token="SharedAccessSignature sr=hub%2Fdevices%2F\$FLEETSIM_DEVICE&sig=hush2&se=\$((\$(date +%s) + 3600))"
mosquitto_passwd -b "$broker/passwords" "hub/\$FLEETSIM_DEVICE" "\$token"
kill -HUP \$(cat "$broker/pid")
umask 077
echo "\$token" | tee "\$FLEETSIM_TOKEN.new"
mv "\$FLEETSIM_TOKEN.new" "\$FLEETSIM_TOKEN"
HOOK

scenario tokens >/dev/null <<YAML
name: tokens
fleet:
  devices: 6
  telemetry: {every: 100ms}
  credentials: {user: 'hub/{id}', token-file: '$work/tokens/{id}', renew-before: 2s}
device: {certificate: no}
operator: {user: back-office, password-file: $work/office}
broker: {url: 'mqtts://localhost:$port', hooks: {renew-token: sh $work/issue}}
pki: {roots: [A, B], trusted: [A, B], broker: A}
reconnect: {policy: fixed, base: 200ms, cap: 200ms}
phases:
  - {name: online, do: [connect: {rate: 50/s}], until: online == 100% within 10s}
  - {name: work, do: [wait: {for: 300ms}]}
  - {name: again, do: [reconnect: {}, drain: {}]}
expect: [token.refused == 0, token.expired_accepts == 0]
YAML
plan=$work/tokens.yaml
unhooked="broker={url: 'mqtts://localhost:$port'}"
expect_issued() { # PATTERN: the devices that asked, each once
  got=$(sort "$work/issued" 2>/dev/null | tr '\n' ' ')
  name="the hook was called for $1"
  if [ "$got" = "$1" ]; then
    echo "ok   $name"
    passed=$((passed + 1))
  else
    complain "it was called for $got"
  fi
  rm -f "$work/issued"
}

# Before its end -----------------------------------------------------------------------------------------------------------
expect "a check says what the password is" 0 "devices say the user name hub/\{id\} and a token of a file each" "$fleetsim" check "$plan"
expect "tokens that last are said, and no hook is called" 0 "PASS.* 0 lost," run "$plan" --set 'expect[0]=token.renewed == 0'
expect_issued ""
tokens 1 14 # six hooks, one after the other, have as long as a slow machine needs
expect "tokens that are about to be over are renewed" 0 "PASS.*tokens +6 renewed; 0 refused" \
  run "$plan" --set 'expect[0]=token.renewed == 6' --set fleet.credentials.renew-before=10s --set 'phases[1].do=[wait: {for: 10s}]'
expect_issued "00000001 00000002 00000003 00000004 00000005 00000006 "
if [ "$(grep -c '"event": "token", "why": "due", "renewed": true' "$work/out/events.ndjson")" != 6 ]; then
  name="events have each" complain "$(grep '"token"' "$work/out/events.ndjson")"
fi
tokens 1 -5
expect "those that are over are renewed before anybody connects" 0 "PASS" run "$plan" --set 'expect[0]=token.renewed == 6'
rm -f "$work/issued"
for hook in true "echo 'SharedAccessSignature sr=hub&sig=hush0&se=1' >\"\$FLEETSIM_TOKEN\"" \
  "echo '<html>502 Bad Gateway' >\"\$FLEETSIM_TOKEN\""; do
  tokens 1 -5
  expect "a hook that brings nothing new is told of: $hook" 1 \
    "the hook 'renew-token' brought no new token for device 0000000[1-6].*tokens +0 renewed.*the hook was called in vain [0-9]+ times.*token.unrenewed == 0: observed [0-9]" \
    run "$plan" --set 'expect=[token.unrenewed == 0, token.renewed == 0]' --set "broker.hooks.renew-token=$hook" \
    --set 'phases=[{name: online, do: [connect: {rate: 50/s}, wait: {for: 1s}]}]'
done

# Nobody has to ask for it: where a hook is to renew tokens, each call of it is expected to.
tokens 1 -5
expect "a hook that renews nothing fails the run by itself" 1 \
  "expected token.unrenewed == 0, observed [1-9][0-9]*; so many calls of the hook 'renew-token' left.*shorter 'renew-before'. A scenario that wants to see this names 'token.unrenewed'" \
  run "$plan" --set 'expect=[devices.lost == 0]' --set broker.hooks.renew-token=true \
  --set 'phases=[{name: online, do: [connect: {rate: 50/s}, wait: {for: 1s}]}]'
tokens 1 -5
expect "unless the scenario says how many are left as they were" 0 "PASS" \
  run "$plan" --set 'expect=[token.renewed == 0, token.unrenewed > 0]' --set broker.hooks.renew-token=true \
  --set 'phases=[{name: online, do: [connect: {rate: 50/s}, wait: {for: 1s}]}]'

# Tokens that do not say whom they are for: one text for all devices is told of by itself.
tokens 1 -5
for i in 1 2 3 4 5 6; do echo "SharedAccessSignature sig=hush$i&se=$(($(date +%s) - 5))" >"$work/tokens/0000000$i"; done
expect "one token for all devices is told of" 1 \
  "no new token for device 0000000[1-6].*tokens +1 renewed.*the hook was called in vain [0-9]+ times.*token.unrenewed == 0: observed [0-9]" \
  run "$plan" --set 'expect=[token.unrenewed == 0, token.renewed == 1]' \
  --set "broker.hooks.renew-token=echo 'SharedAccessSignature sig=hush7&se=4102444800' >\"\$FLEETSIM_TOKEN\"" \
  --set 'phases=[{name: online, do: [connect: {rate: 50/s}, wait: {for: 1s}]}]'

# After a refusal ----------------------------------------------------------------------------------------------------------
tokens 1 3600
token 00000004 0 3600 >"$work/tokens/00000004"
expect "one that the broker does not take is renewed once it was refused" 0 \
  "PASS.*tokens +1 renewed; [0-9]+ refused, of which 0 were over.*connect.mqtt.refused_not_authorised +[0-9]+ [a-z ]*00000004 *[^,0-9]" \
  run "$plan" --set 'expect=[token.renewed == 1, token.refused >= 1]'
expect_issued "00000004 "
tokens 1 3600
for i in 2 5; do token "0000000$i" 0 -5 >"$work/tokens/0000000$i"; done
expect "without a hook the broker's word is all there is" 1 \
  "FAIL.*online == 100%.*4 of 6.*tokens +0 renewed; [0-9]+ refused.*refused_not_authorised" \
  run "$plan" --set "$unhooked" --set 'phases[0].until=online == 100% within 2s'
holds '"token.expired_refused": \{ "value": [1-9]'
tokens 1 3600
cp "$work/tokens/00000003" "$work/right"
token 00000003 0 3600 >"$work/tokens/00000003"
rm -rf "$work/out"
# when it was refused, however long a run takes to begin
(for _ in $(seq 300); do ! grep -q refused_not_authorised "$work/out/events.ndjson" 2>/dev/null || break; sleep 0.1; done
 umask 077; cp "$work/right" "$work/tokens/.3"; mv "$work/tokens/.3" "$work/tokens/00000003") &
expect "a file that somebody else writes anew is read after a refusal" 0 "PASS.*tokens +1 renewed" \
  run "$plan" --set "$unhooked" --set 'expect=[token.renewed == 1, token.refused >= 1]'

# A broker that does not look at the end -------------------------------------------------------------------------------------
tokens 1 3
expect "one that takes what is over, and lets sessions outlive it, is told of" 1 \
  "FAIL.*token.expired_accepts == 0, observed [1-9].*over and let in all the same [1-9][0-9]*; sessions that outlive theirs 6" \
  run "$plan" --set "$unhooked" --set 'phases[1].do=[wait: {for: 4s}]'

# Hooks and files that are not right -----------------------------------------------------------------------------------------
tokens 1 -5
expect "a hook that fails ends the run, and the device is named" 3 \
  "the token of device 0000000[1-6]: the hook 'renew-token' of the broker localhost ended with exit code 7: .* was not kept, as it may be a token" \
  run "$plan" --set "broker.hooks.renew-token=cat \"\$FLEETSIM_TOKEN\"; exit 7"
expect "a hook that leaves the file to others does, too" 3 \
  "the token of device 0000000[1-6]: others can get at a token in $work/tokens/0000000[1-6] .mode 0644." \
  run "$plan" --set "broker.hooks.renew-token=chmod 644 \"\$FLEETSIM_TOKEN\""
chmod 600 "$work"/tokens/*
chmod 640 "$work/tokens/00000002"
expect "a token that others can read is refused" 3 "tokens.yaml:5:16: others can get at a token in $work/tokens/00000002 \(mode 0640\)" run "$plan"
chmod 600 "$work/tokens/00000002"
: >"$work/tokens/00000002"
expect "an empty one is, too" 2 "tokens.yaml:5:16: $work/tokens/00000002 has no token" run "$plan"
rm "$work/tokens/00000002"
expect "and one that is not there" 2 "tokens.yaml:5:16: cannot read $work/tokens/00000002" run "$plan"

# A broker of the run's own, and nothing that is left --------------------------------------------------------------------------
tokens 1 3600 2>/dev/null
token 00000002 1 3600 >"$work/tokens/00000002"
expect "a local broker is given the tokens" 0 "PASS.* 0 lost," "$fleetsim" run "$plan" --out "$work/local" --overwrite \
  --set 'broker={local: mosquitto}' --set 'fleet.credentials.user=pump-{id}' --set operator=none --set 'expect=[token.refused == 0]'
name="no token in logs, results or events"
if grep -rlE 'hush[0-9]' "$work/out" "$work/local" "$broker/log"; then
  complain "a token was written down"
else
  echo "ok   $name"
  passed=$((passed + 1))
fi
end_of_cases
