# A mosquitto of one's own, as a daemon: sourced by scripts that write FOLDER/conf themselves, with "pid_file FOLDER/pid" and
# "log_dest file FOLDER/log" in it.
mosquitto_begin() { # FOLDER; fails where it does not run: a port is taken, or FOLDER/log says why
  : >"$1/log"
  mosquitto -d -c "$1/conf" 2>/dev/null
  for _ in $(seq 100); do
    grep -q 'running$' "$1/log" && return 0
    grep -q 'Error' "$1/log" && break
    sleep 0.05
  done
  rm -f "$1/pid"
  return 1
}

mosquitto_end() { # FOLDER; it is gone when this returns, and one that does not run is no error
  [ -s "$1/pid" ] || return 0
  pid=$(cat "$1/pid")
  kill "$pid" 2>/dev/null
  for _ in $(seq 250); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.02
  done
  kill -KILL "$pid" 2>/dev/null
  rm -f "$1/pid"
}
