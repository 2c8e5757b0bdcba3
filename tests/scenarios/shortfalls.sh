#!/bin/sh
# A step that did not do what it says fails its phase, unless the phase itself speaks of that outcome.
# usage: shortfalls.sh PATH/TO/fleetsim
set -u
fleetsim=$1
command -v mosquitto >/dev/null || { echo "skipped: mosquitto is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"

step() { # NAME, then the phase in question: everybody is online before it
  { cat <<YAML
name: $1
fleet: {devices: 20}
pki: {roots: [A, B, spare], trusted: [A, spare], broker: A}
reconnect: {policy: full-jitter, base: 100ms, cap: 200ms}
limits: {run: 1m}
phases:
  - name: online
    do: [connect: {rate: 400/s}, wait: {for: 1s}]
YAML
  cat; } | scenario "$1"
}
prove=$(step prove <<YAML
  - name: prove
    do: [prove: {root: B, within: 2s}]
YAML
)
expect "a proof that all devices refuse fails by itself" 1 \
  "step prove: 0 of 20 devices accepted the chain under B; .{8} did not: connect.tls.not_trusted" \
  "$fleetsim" run "$prove" --out "$work/prove"
expect "a gate about something else does not excuse it" 1 "step prove: 0 of 20" \
  "$fleetsim" run "$prove" --out "$work/prove2" --set "phases[1].until=online == 100% within 5s"
expect "a scenario that wants to see that says so" 0 "refused\(not_trusted\): 20 of 20" \
  "$fleetsim" run "$prove" --out "$work/prove3" --set "phases[1].until=refused(not_trusted) == 100% within 5s"
reconnect=$(step reconnect <<YAML
  - name: reconnect
    do: [fault: {refuse: yes}, reconnect: {within: 1s}, mend: {}]
YAML
)
expect "a reconnect from which nobody is back fails by itself" 1 "step reconnect: only [0-9] of its 20 devices came back" \
  "$fleetsim" run "$reconnect" --out "$work/reconnect"
expect "unless that is what the phase expects" 0 "PASS" \
  "$fleetsim" run "$reconnect" --out "$work/reconnect2" --set "phases[1].until=online == 100% within 5s"
# Who is online never went, where the step ran out of time before his turn
slow=$(step slow <<YAML
  - name: reconnect
    do: [reconnect: {rate: 2/s, within: 1s}]
    until: online == 100% within 20s
YAML
)
expect "a reconnect that reached few is not excused by those who never went" 1 \
  "step reconnect: only [0-9] of its 20 devices came back" \
  "$fleetsim" run "$slow" --out "$work/slow"
expect "but by a gate about reconnecting, which waits for them" 0 "reconnected: 20 of 20" \
  "$fleetsim" run "$slow" --out "$work/slow2" --set "phases[1].until=reconnected == 100% within 20s"
deaf='black-hole: yes' # the back office's words reach nobody, and nobody has found out so far
push=$(step push <<YAML
  - name: push
    do: [fault: {$deaf}, push-trust: {roots: [A, B, spare], within: 1s}, mend: {}]
  - name: well again
    do: [reconnect: {within: 10s}]
YAML
)
expect "a bundle that nobody acknowledges fails by itself" 1 "step push-trust: only 0 of its 20 devices acknowledged" \
  "$fleetsim" run "$push" --out "$work/push"
expect "unless the phase speaks of it" 0 "PASS" \
  "$fleetsim" run "$push" --out "$work/push2" --set "phases[1].expect=[trusting(B) == 0]"
reissue=$(sed 's/push-trust: {roots: \[A, B, spare\]/reissue: {root: A/' "$push" | scenario reissue)
expect "a certificate that nobody acknowledges fails by itself" 1 "step reissue: only 0 of its 20 devices" \
  "$fleetsim" run "$reissue" --out "$work/reissue"
# What held before a step began says nothing of it
held=$(sed 's/trusted: \[A, spare\]/trusted: [A, B, spare]/; /- name: push/,$d' "$push" | scenario held)
cp "$held" "$work/online"
said="held before the step began, so it says nothing of it"
old() { # NAME EXIT PATTERN STEP, which nobody hears, JUDGE, of the same phase, FIRST: what comes before
  { cat "$work/online"; cat <<YAML
  - name: held
    do: [$6 fault: {$deaf}, $4, mend: {}]
    $5
YAML
  } >"$held"
  expect "$1" "$2" "$3" "$fleetsim" run "$held" --out "$work/held$((held_runs += 1))"
}
held_runs=0
trusted='push-trust: {roots: [A, B, spare], within: 5s},'
bundle='push-trust: {roots: [B, spare], within: 1s}'
old "trust in a root that was trusted before" 1 "the gate 'trusting\(B\) == 100% of all within 2s' $said" \
  "$bundle" "until: trusting(B) == 100% of all within 2s" "$trusted"
old "no bundle that was refused" 1 "the expectation 'trust.refused == 0' $said" "$bundle" "expect: [trust.refused == 0]" ""
old "as many bundles as there were before" 1 "'trust.committed == 20' $said" "$bundle" \
  "expect: [trust.committed == 20]" "$trusted"
old "a new certificate under the old root" 1 "'identified\(A\) == 100%' $said" "reissue: {root: A, within: 1s}" \
  "expect: [identified(A) == 100%]" ""
old "a proof of earlier times" 1 "'proven\(A\) == 100%' $said" "prove: {root: A, within: 2s}" \
  "expect: [proven(A) == 100%]" "prove: {root: A, within: 5s},"
old "a reconnect that no device was refused in" 1 "'connect.failed == 0' $said" \
  "reconnect: {within: 500ms}" "expect: [connect.failed == 0]" ""
old "unless the step would have ended that" 0 PASS "$bundle" "expect: [trust.committed <= 20]" "$trusted"
# Another step's outcome says nothing of it either
other() { # NAME PATTERN STEPS JUDGE
  { cat "$work/online"; cat <<YAML
  - name: other
    do: [$3]
    $4
YAML
  } >"$held"
  expect "$1" 1 "$2" "$fleetsim" run "$held" --out "$work/held$((held_runs += 1))"
}
sed 's/trusted: \[A, B, spare\]/trusted: [A, spare]/' "$work/online" >"$work/online2" && mv "$work/online2" "$work/online"
wants="a phase that wants to see this says so"
other "a proof judged by what is proven of another root" "step prove: 0 of 20.*$wants" \
  "prove: {root: B, within: 2s}" "until: proven(A) == 100% within 2s"
other "a proof judged by a later restart's failures" "step prove: 0 of 20.*$wants" \
  "prove: {root: B, within: 2s}, restart-broker: {}" "expect: [failures(session.closed) >= 1]"
other "a reconnect judged by an earlier one" "step reconnect: .*'reconnected == 100%' held before" \
  "reconnect: {within: 5s}, fault: {refuse: yes}, reconnect: {within: 500ms}, mend: {}" "expect: [reconnected == 100%]"
other "a bundle judged by the next one" "step push-trust: .*counts 20 of the 20 devices that did not" \
  "fault: {$deaf}, push-trust: {roots: [A, B], within: 1s}, mend: {}, push-trust: {roots: [A, B, spare], within: 20s}" \
  "until: trusting(B) == 100% within 20s"
expect "a run that nobody judges is warned of" 1 "warning: .*prove.yaml has no gate and no expectation" \
  "$fleetsim" run "$prove" --out "$work/prove4"
expect "check warns as well" 0 "warning: .*prove.yaml has no gate and no expectation" "$fleetsim" check "$prove"
end_of_cases
