# What a team rehearses at the staging broker that it has, whatever broker that is: sourced after cases.sh by the scripts
# staging_*.sh, which set
#     $fleetsim, $work, $fleet, $broker   the program, a folder of the script's own, in it the fleet and what the broker
#                                reads: main.crt, main.key, clients.crt
#     $mqtt                      the version that the broker speaks: 5, 3.1.1
#     $publish, $again           the commands of the hooks publish-crl and restart
#     $devices                   how many a day's work is rehearsed with (200); what is about one of them needs 20
#     $kick                      yes where there is a hook for it
#     $revoked, $expired         the last part of how devices call it when the broker refuses one certificate that is on
#                                its list, and all of them because the list has run out
# and define
#     broker_block               prints the scenario's block `broker:`, with its kind and hooks
#     play                       (may) calls its arguments as fleetsim is to be called there
#     nothing_allowed, all_allowed   put the topics' rules in force: each device its own only; everybody everything
# Each story is told twice: it must pass where all is well, and fail for the right reason where something is not. The second
# is left out with twins=no, where another script has it of such a broker.

play() { "$@"; }

with_telemetry=', telemetry: {every: 1s, qos: 1, payload: '\''{"meta":{"seq":{seq},"t":{unix_ms}},"temp":{random:18.0..24.0}}'\'', seq-at: $.meta.seq, time-at: $.meta.t}'
telemetry=$with_telemetry
all=${devices:-200} devices=$all
names='SN-2026-{index:06}' one=SN-2026-000003 another=SN-2026-000007

story() { # NAME EXPECTATIONS, phases on standard input; prints the path
  scenario "$1" <<YAML
name: $1
fleet: {devices: $devices, names: '$names'$telemetry}
topics: {telemetry: 'acme/v1/{id}/up', control: 'acme/v1/{id}/fleetsim/'}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
$(broker_block)
device: {mqtt: $mqtt, record: 16KiB, timeouts: {handshake: 30s}}
ota: {slots: 64KiB, flash: {erase: 1ms, program: 1us}}
reconnect: {policy: full-jitter, base: 200ms, cap: 1s}
limits: {run: 5m}
phases:
  - name: baseline
    do: [connect: {rate: 100/s}]
    until: online == 100% within 60s
$(cat)
expect: [$2]
YAML
}

broken() { [ "${twins:-yes}" = no ] || expect "$@"; }

# A run that fails waits for telemetry that will not come; most of those that shall fail have none, and are small.
quiet() { # FILE NAME; prints the path
  sed "s/, telemetry: {every.*/}/; s/^fleet: {devices: [0-9]*/fleet: {devices: 20/
    s/== $((devices - 2))\b/== 18/g; /^  - name: what is open still/,/until:/d" "$1" | scenario "$2"
}

run() { # NAME SCENARIO options...: on the fleet folder, results in $work/NAME
  run_name=$1 run_scenario=$2
  shift 2
  play "$fleetsim" run "$run_scenario" --fleet "$fleet" --out "$work/$run_name" "$@"
}

make_fleet() { # $fleet, and in $work what its broker is delivered with: main.crt, main.key, clients.crt, crl.pem;
  # and other.crt, other.key under root B
  "$fleetsim" pki make "$fleet" --devices "$devices" --names "$names" --roots A,B,spare >"$work/said" &&
    "$fleetsim" pki export "$fleet" --what client-ca --roots A --out "$work/clients.crt" >>"$work/said" &&
    "$fleetsim" pki export "$fleet" --what broker-chain --root A --host localhost --out "$work/main" >>"$work/said" &&
    "$fleetsim" pki export "$fleet" --what broker-chain --root B --host localhost --out "$work/other" >>"$work/said" &&
    "$fleetsim" pki crl "$fleet" --out "$work/crl.pem" >>"$work/said" && return 0
  echo "FAIL no fleet"
  cat "$work/said"
  exit 1
}

more_of_the_failure() {
  tail -n 4 "$work/${run_name:-none}/broker/hooks.log" 2>/dev/null | sed 's/^/     hooks | /'
  broker_log | tail -n 6 | sed 's/^/     broker | /'
}

# Root A goes, root B comes ------------------------------------------------------------------------------------------------
rotation_story() {
  rotation=$(story rotation "telemetry.lost == 0, devices.lost == 0" <<'YAML'
  - name: let the broker trust devices under B
    do: [trust-clients: {roots: [A, B], apply: reload}]
    until: online == 100% within 60s
  - name: teach the fleet root B
    do: [push-trust: {roots: [A, B, spare]}]
    until: trusting(B) == 100% within 60s
  - name: switch the broker to B
    do:
      - present: {root: B}
      - reconnect: {within: 60s, rate: 100/s}
    until: reconnected == 100% within 60s
    expect: [proven(B) == 100%]
  - name: reissue
    do:
      - reissue: {root: B}
      - reconnect: {within: 60s, rate: 100/s}
    until: identified(B) == 100% within 60s
  - name: drop A
    do:
      - push-trust: {roots: [B, spare]}
      - trust-clients: {roots: [B], apply: reload}
      - reconnect: {within: 60s, rate: 100/s}
    until: reconnected == 100% within 60s
  - name: refuse the old chain
    do:
      - present: {root: A}
      - reconnect: {within: 1s}
    until: refused(not_trusted) == 100% within 60s
  - name: back to B
    do: [present: {root: B}]
    until: online == 100% within 60s
  - name: drain
    do: [drain: {within: 30s}]
YAML
  )
  expect "a root rotation" 0 "PASS" run rotation "$rotation"
  factory
  sed '/name: teach the fleet/,/until: trusting/d' "$rotation" >"$work/untaught"
  hasty=$(quiet "$work/untaught" hasty)
  broken "a leaf that is switched before the fleet has learnt its root" 1 \
    'phase "switch the broker to B": reconnected == 100% within 1s: not within 1 s: 0 of 20.*connect.tls.not_trusted' \
    run hasty "$hasty" --set "phases[2].do[1].reconnect.within=1s" --set "phases[2].until=reconnected == 100% within 1s"
  factory
}

# A device is stolen -------------------------------------------------------------------------------------------------------
revocation_story() {
  revocation=$(story revocation "telemetry.lost == 0, revoke.collateral == 0" <<YAML
  - name: two devices are revoked
    do: [revoke: {ids: [$one, $another]}]
    expect: [revoked == 2]
${kick:+  - name: what is open still is ended
    do: [kick: {ids: [$one, $another]\}]
    until: refused($revoked) == 2 within 60s
}  - name: everybody reconnects, the revoked are refused
    do: [reconnect: {within: 3s, rate: 100/s}]
    until: reconnected == $((devices - 2)) within 60s
  - name: they try and try
    until: refused($revoked) == 2 within 60s
    expect: [online == $((devices - 2)), revoke.accepts == 0, revoke.collateral == 0]
  - name: the mistake is taken back
    do: [unrevoke: {ids: [$one, $another]}]
    until: online == 100% within 60s
YAML
  )
  expect "a revocation" 0 "PASS" run revocation "$revocation"
  factory
  broken "a list that the broker never gets" 1 \
    "phase \"everybody reconnects, the revoked are refused\": refused\\($revoked\\) == 2 within 1s: not within 1 s: 0.*let in 2 times" \
    run unlisted "$(quiet "$revocation" unlisted)" --set broker.hooks.publish-crl=: --set "phases[2].until=refused($revoked) == 2 within 1s"
  factory
}

# Nobody renews the list ---------------------------------------------------------------------------------------------------
expiry_story() {
  devices=20
  expiry=$(story expiry "telemetry.lost == 0, revoked == 0" <<YAML
  - name: the list runs out, and nobody notices
    do:
      - publish-crl: {next-update: 2s}
      - wait: {for: 3s}
    expect: [online == 100%, revoke.collateral == 0]
  - name: the fleet reconnects, and nobody comes back
    do: [reconnect: {within: 2s}]
    until: refused($expired) == 100% of all within 60s
    expect: [online == 0, revoke.collateral == 20]
  - name: a list that is in force brings everybody back
    do: [publish-crl: {next-update: 7d}]
    until: online == 100% within 60s
YAML
  )
  devices=$all
  expect "a list that has run out" 0 "PASS" run expiry "$expiry"
  factory
  broken "a list that nobody renews" 1 \
    "phase \"a list that is in force brings everybody back\": step publish-crl: after the list the broker .*keeps out who is under root A and on no list" \
    run unrenewed "$(quiet "$expiry" unrenewed)" --set broker.hooks.publish-crl="mkdir $work/once || exit 0; $publish" --set "phases[3].until=online == 100% within 1s"
  factory
}

# The broker is restarted --------------------------------------------------------------------------------------------------
# A broker that keeps sessions in memory acknowledges telemetry and drops it until the back office is there again, and the
# run would say so: such a story has none.
restart_story() { # keeps, forgets: what becomes of sessions
  [ "$1" = keeps ] || telemetry=''
  restart=$(story restart "telemetry.lost == 0, devices.lost == 0" <<'YAML'
  - name: restart
    do: [restart-broker: {}]
    until: online == 100% within 60s
  - name: drain
    do: [drain: {within: 30s}]
YAML
  )
  telemetry=$with_telemetry
  expect "a restart" 0 "PASS" run restart "$restart"
  broken "a restart that puts a forgotten certificate in force" 1 \
    "phase .restart.: step restart-broker: .* is not back as it was: connect.tls.not_trusted" \
    run forgotten "$(quiet "$restart" forgotten)" --set broker.hooks.restart="cp $work/other.crt $broker/main.crt; cp $work/other.key $broker/main.key; $again"
  factory
}

# Devices try the topics of others ------------------------------------------------------------------------------------------
trespass_story() {
  devices=20
  trespass=$(story trespass "trespass.delivered == 0, telemetry.lost == 0, devices.lost == 0" <<'YAML'
  - name: trespass
    do: [trespass: {share: 50%}]
    until: trespass.attempts >= 230 within 60s
  - name: everybody is still there
    do: [wait: {for: 1s}]
    until: online == 100% within 60s
  - name: drain
    do: [drain: {within: 30s}]
YAML
  )
  devices=$all
  expect "forbidden topics" 0 "PASS" run trespass "$trespass"
  all_allowed
  broken "topics that are open to all" 1 "trespass.delivered == 0: observed [1-9]" run open "$trespass"
  nothing_allowed
}

# New firmware -------------------------------------------------------------------------------------------------------------
update_story() { # shared, own: whether several packets may come in one TLS record
  update=$(story update "ota.bricked == 0, ota.disagree == 0, telemetry.lost == 0, failures(session.record_too_large) == 0" <<'YAML'
  - name: update
    do:
      - ota.publish: {image: v2, version: 1.1.0, size: 12KiB}
      - ota.rollout: {image: v2, jitter: 100ms}
    until: updated(v2) == 100% within 60s
  - name: drain
    do: [drain: {within: 30s}]
YAML
  )
  expect "an update" 0 "$devices updated, 0 refused" run update "$update"
  sed 's/^      - ota.rollout/      - corrupt: {image: v2, how: bad-signature}\n&/' "$update" >"$work/corrupt"
  spoilt=$(quiet "$work/corrupt" spoilt)
  broken "an update with a bad signature" 1 \
    'phase "update": updated\(v2\) == 100% within 1s: not within 1 s: 0 of 20.*0 updated, 20 refused.*bad_signature 20' \
    run spoilt "$spoilt" --set "phases[1].until=updated(v2) == 100% within 1s"
  [ "$1" = own ] || broken "an update in records larger than the devices' buffer" 1 \
    "failures\(session.record_too_large\) == 0: observed [1-9]" run small "$(quiet "$update" small)" --set device.record=4KiB
}
