# What this broker does, whatever anybody says of it: sourced after stories.sh by the scripts staging_*.sh, which then call
# tell_facts when $facts names a folder. It gets the results of a small run for each question; nothing passes or fails here,
# and lib/brokers.py makes cells of what was seen. broker_version prints the broker's name and version; begin_second PORT, if
# there is one, begins another node at PORT that has the same files and that no hook tells of anything, and end_second ends it.
observe() { # FILE options...: a run of $fact; how it ends is an answer, too
  file=$1
  shift
  play "$fleetsim" run "$file" --fleet "$fleet" --out "$facts/$fact" "$@" >"$work/said" 2>&1 </dev/null
  echo "$fact: $?" >&2
}
without_kind() { sed -i '/^  kind:/d; /^  node:/d; /^  pid-file:/d' "$1"; }

tell_facts() {
  mkdir -p "$facts"
  broker_version >"$facts/version"
  spoken=$mqtt
  devices=20
  for version in 5 3.1.1; do
    fact=speaks-$version mqtt=$version
    file=$(story "$fact" "online == 100%" </dev/null)
    without_kind "$file"
    observe "$file" --set "phases[0].until=online == 100% within 5s"
  done
  mqtt=$spoken
  telemetry=''
  fact=files
  file=$(story "$fact" "online >= 0" <<YAML
  - name: leaf
    do: [present: {root: A}]
  - name: clients
    do: [trust-clients: {roots: [A, B], apply: reload}]
    on_fail: continue
  - name: list
    do: [revoke: {ids: [$one]}, wait: {for: 3s}]
    on_fail: continue
YAML
  )
  observe "$file"
  factory
  fact=tickets
  file=$(story "$fact" "online >= 0" <<YAML
  - name: with a ticket
    do: [wait: {for: 1s}, reconnect: {full-handshake: no}]
    until: reconnected == 100% within 20s
  - name: after the revocation
    do: [revoke: {ids: [$one]}, reconnect: {full-handshake: no, within: 3s}]
    until: revoke.refusals >= 1 within 10s
YAML
  )
  observe "$file" --set device.resume=ram
  factory
  "$fleetsim" pki export "$fleet" --what device --device "$another" --out "$work/visitor" >"$work/said" 2>&1
  "$fleetsim" probe "mqtts://localhost:$port" --cert "$work/visitor.crt" --key "$work/visitor.key" --client-id "$another" --json \
    >"$facts/probe.json" 2>"$work/said"
  second=$((port - 10000))
  fact=second-node
  if command -v begin_second >/dev/null && begin_second "$second" >&2; then
    file=$(story "$fact" "online >= 0" <<YAML
  - name: list
    do: [revoke: {ids: [$one]}, wait: {for: 3s}]
YAML
    )
    sed -i "s|^  url: .*|  urls: [mqtts://localhost:$port, mqtts://localhost:$second]|" "$file"
    observe "$file"
    end_second
    factory
  fi
  for version in 3.1.1 5; do
    [ "$version" = 3.1.1 ] || [ "$spoken" = 5 ] || continue
    mqtt=$version telemetry=''
    fact=trespass-$version
    file=$(story "$fact" "online >= 0" <<YAML
  - name: trespass
    do: [trespass: {ids: [$one, $another]}]
    on_fail: continue
YAML
    )
    observe "$file"
    telemetry=$with_telemetry
    fact=restart-$version
    file=$(story "$fact" "online >= 0" <<'YAML'
  - name: restart
    do: [restart-broker: {}]
    until: online == 100% within 60s
  - name: drain
    do: [drain: {within: 10s}]
YAML
    )
    observe "$file" --set fleet.telemetry.every=300ms
  done
  mqtt=$spoken telemetry=''
  fact=take-over
  file=$(story "$fact" "online >= 0" <<YAML
  - name: copy
    do: [compromise: {ids: [$one]}, wait: {for: 3s}]
YAML
  )
  observe "$file"
  # last: where it is not taken, a broker has a lot to close afterwards
  telemetry=$with_telemetry
  fact=qos-2
  file=$(story "$fact" "telemetry.delivered > 0" <<'YAML'
  - name: messages
    do: [wait: {for: 2s}, drain: {within: 3s}]
YAML
  )
  without_kind "$file"
  observe "$file" --set fleet.telemetry.qos=2
}
