# Cases of a script that calls fleetsim many times: sourced by it, after it has set $work, a folder of its own.
# A script may add to what a failure shows by defining more_of_the_failure.
passed=0
failed=0

scenario() { # NAME, then YAML on standard input; prints the path
  cat >"$work/$1.yaml"
  echo "$work/$1.yaml"
}

# expect NAME EXIT_CODE PATTERN COMMAND...: the pattern is sought in what the command prints, as one line
expect() {
  name=$1 want=$2 pattern=$3
  shift 3
  "$@" >"$work/said" 2>&1 </dev/null
  got=$?
  if [ "$got" -ne "$want" ]; then
    complain "exit code $got, wanted $want"
  elif ! tr -s '\n ' '  ' <"$work/said" | grep -qE -- "$pattern"; then
    complain "no sentence matches '$pattern'"
  else
    echo "ok   $name"
    passed=$((passed + 1))
  fi
}

more_of_the_failure() { :; }

complain() { # WHAT of the case $name
  echo "FAIL $name: $1"
  sed 's/^/     | /' "$work/said" | tail -n 30
  more_of_the_failure
  failed=$((failed + 1))
}

end_of_cases() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
