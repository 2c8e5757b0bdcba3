#!/bin/sh
# QoS 1 across a SIGKILL of one of two bridged brokers. What the devices hold unacknowledged says what may be lost: none of
# it, because they send it again; what the dead broker acknowledged and had not passed on is gone, and the operator's own
# count must say exactly that.
# usage: failover_books.sh PATH/TO/fleetsim
set -u
fleetsim=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/books.yaml" <<YAML
name: the books of a failover
seed: 7
fleet: {devices: 50, telemetry: {every: 50ms, bytes: 64, qos: 1}}
broker: {local: mosquitto, nodes: [a, b], bridge: yes}
reconnect: {policy: full-jitter, base: 200ms, cap: 1s, endpoints: shuffled}
limits: {run: 1m}
phases:
  - name: baseline
    do: [connect: {rate: 100/s}]
    until: online == 100% within 20s
  - name: a dies
    do: [wait: {for: 500ms}, kill-broker: {node: a}]
    until: on(b) == 100% within 20s
  - name: the rest arrives
    do: [wait: {for: 500ms}, telemetry: {every: 1h}, wait: {for: 1s}]
YAML
value() { sed -n "/\"$1\": {/,/}/s/.*\"value\": *\([0-9]*\).*/\1/p" "$work/out/results.json"; }
failed=0
for seed in 1 2 3; do
  rm -rf "$work/out"
  "$fleetsim" run "$work/books.yaml" --seed "$seed" --out "$work/out" --quiet >"$work/log" 2>&1 </dev/null || {
    cat "$work/log"
    exit 1
  }
  lost=$(value telemetry.lost) acked=$(value telemetry.lost_acked) risk=$(value telemetry.at_risk)
  twice=$(value telemetry.duplicated) resent=$(value telemetry.resent) sent=$(value telemetry.sent)
  said="$sent sent, $lost lost, $acked of them acknowledged, $risk at risk; $resent sent again, $twice arrived twice"
  if [ "$lost" -eq "$acked" ] && [ "$acked" -le "$risk" ] && [ "$twice" -le "$resent" ] && [ "$sent" -gt 500 ]; then
    echo "ok   seed $seed: $said"
  else
    echo "FAIL seed $seed: $said"
    failed=1
  fi
done
exit $failed
