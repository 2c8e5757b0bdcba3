# A run with --live in the background: sourced after cases.sh. $run is its process, $url and $port where its page is.

live_run() { # SCENARIO OPTIONS...
  "$fleetsim" run "$@" </dev/null >"$work/log" 2>&1 &
  run=$!
  for _ in $(seq 100); do
    url=$(sed -n 's/^live page: \(http:[^ #]*\)\/.*/\1/p' "$work/log")
    [ -z "$url" ] || break
    if grep -q 'built without the live page' "$work/log"; then
      echo "skipped: the live page: this fleetsim was built without libmicrohttpd"
      exit 77
    fi
    sleep 0.1
  done
  port=${url##*:}
  [ -n "$url" ] || { cat "$work/log"; exit 1; }
}

get() { curl -sS -m 20 "$url$1"; }

at_phase() { # N: until the run is in it
  for _ in $(seq 300); do
    get /metrics 2>/dev/null | grep -qx "fleetsim_phase $1" && return
    sleep 0.1
  done
  cat "$work/log"
  exit 1
}

live_ends() { # EXIT_CODE
  wait "$run"
  code=$?
  run=
  ended() { cat "$work/log"; return "$code"; }
  expect "the run ends with exit code $1" "$1" . ended
}

# The same on a terminal of its own, which alone is told the $token.
live_run_in_terminal() { # SCENARIO OPTIONS...
  python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$fleetsim" run "$@" \
    </dev/null >"$work/log" 2>&1 &
  run=$!
  for _ in $(seq 100); do
    url=$(sed -n 's/.*live page: \(http:[^ #]*\)\/.*/\1/p' "$work/log")
    [ -z "$url" ] || break
    sleep 0.1
  done
  port=${url##*:}
  token=$(sed -n 's/.*live page: .*#\([0-9a-f]\{32\}\).*/\1/p' "$work/log")
  [ -n "$token" ] || { cat "$work/log"; exit 1; }
}
