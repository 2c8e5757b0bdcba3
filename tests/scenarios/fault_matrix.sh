#!/bin/bash
# One system call of a run fails, any of them, at any moment: the run ends by itself, with an exit code of the contract and
# a sentence, and never with PASS where something was lost.
# usage: fault_matrix.sh PATH/TO/fleetsim [RUNS [SEED]]    sentences of all runs are printed with RUNS given
set -u
fleetsim=$(realpath "$1")
runs=${2:-10} seed=${3:-7}
for tool in mosquitto nginx strace; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v "$tool")" ] || { echo "skipped: $tool is not installed"; exit 77; }
done
strace -o /dev/null true 2>/dev/null || { echo "skipped: strace may not trace here"; exit 77; }
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0:exitcode=86:allocator_may_return_null=1" # leaks: it would want to trace itself
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cat >"$work/faults.yaml" <<'YAML'
name: faults
fleet: {devices: 3, telemetry: {every: 100ms}}
limits: {run: 20s}
broker: {local: mosquitto, handshake-timeout: 5s}
ota: {slots: 32KiB, block: 512}
reconnect: {policy: full-jitter, base: 50ms, cap: 200ms}
phases:
  - name: online
    do: [connect: {rate: 50/s}]
    until: online == 100% within 3s
  - name: update
    do: [ota.publish: {image: v2, version: 1.1.0, size: 4KiB, via: https}, ota.rollout: {image: v2, jitter: 10ms, within: 3s}]
  - name: restart
    do: [restart-broker: {}]
    until: online == 100% within 3s
YAML

# What can go wrong with each call. Those that only a mistake of ours makes fail (EBADF, EFAULT, EINVAL) are not asked for.
errors='accept4 EMFILE ECONNABORTED
access EACCES
bind EADDRINUSE ENOMEM
clone EAGAIN ENOMEM
clone3 EAGAIN
close EIO
connect ECONNREFUSED ENETUNREACH
epoll_create1 EMFILE
epoll_ctl ENOMEM ENOSPC
epoll_wait EINTR
eventfd2 EMFILE
fallocate ENOSPC
fdatasync EIO
flock ENOLCK
fsync EIO ENOSPC
ftruncate EIO
getdents64 EIO
getrandom ENOSYS
getsockname ENOBUFS
kill EPERM
listen EADDRINUSE
lseek EIO
mkdir EACCES ENOSPC
mmap ENOMEM
mprotect ENOMEM
newfstatat EACCES
open EMFILE EACCES
openat EMFILE EACCES ENOSPC
pidfd_open EMFILE ENOSYS
pipe2 EMFILE
poll EINTR
pread64 EIO
prlimit64 EPERM
pwrite64 ENOSPC EIO
read EIO EINTR
readlink EACCES
recvfrom ECONNRESET
rename EACCES ENOSPC
sendto ENOBUFS
setsockopt ENOMEM
socket EMFILE ENOBUFS
socketpair EMFILE
statfs EIO
unlink EACCES
wait4 EINTR
write ENOSPC EIO EINTR'

calls() { # FILE: "NAME COUNT" lines of an strace -c
  awk '$NF ~ /^[a-z0-9_]+$/ && $4 ~ /^[0-9]+$/ && $NF != "total" { print $NF, $4 }' "$1"
}
strace -c -o "$work/start" "$fleetsim" --help >/dev/null 2>&1
strace -c -o "$work/whole" "$fleetsim" run "$work/faults.yaml" --out "$work/whole.out" >"$work/said" 2>&1 </dev/null
code=$?
[ "$code" -eq 0 ] || { echo "FAIL without a fault: exit code $code"; cat "$work/said"; exit 1; }
calls "$work/start" >"$work/before" # the loader's and the libraries': not ours yet
calls "$work/whole" >"$work/counts"

count_of() { sed -n "s/^$1 //p" "$2"; }

bad=0 passed=0 failed=0 refused=0
RANDOM=$seed
mapfile -t table <<<"$errors"
for n in $(seq "$runs"); do
  read -ra row <<<"${table[$(((n * 7 + seed) % ${#table[@]}))]}"
  call=${row[0]} error=${row[$((RANDOM % (${#row[@]} - 1) + 1))]}
  all=$(count_of "$call" "$work/counts") before=$(count_of "$call" "$work/before")
  all=${all:-0} before=${before:-0}
  [ "$all" -gt "$before" ] || continue
  nth=$((before + 1 + RANDOM % (all - before)))
  rm -rf "$work/out"
  timeout -s KILL 60 strace -o /dev/null -e "trace=$call" -e "inject=$call:error=$error:when=$nth" \
    "$fleetsim" run "$work/faults.yaml" --out "$work/out" >"$work/said" 2>&1 </dev/null
  code=$?
  [ "$code" -ne 86 ] || ! grep -q 'AddressSanitizer failed to allocate' "$work/said" || continue # a map of its own, not ours
  what="$call $nth of $all fails with $error"
  why=$(grep -vE '^(phase |results: |PASS )' "$work/said" | head -n 12)
  case $code in
  0) passed=$((passed + 1)) ;;
  1) failed=$((failed + 1)) ;;
  2 | 3 | 4) refused=$((refused + 1)) ;;
  esac
  if [ "$code" -gt 4 ]; then
    bad=$((bad + 1))
    echo "FAIL $what: exit code $code"
    tail -n 15 "$work/said"
  elif [ "$code" -eq 1 ] && ! grep -q '^FAIL ' "$work/said"; then
    bad=$((bad + 1))
    echo "FAIL $what: exit code 1 and no verdict"
    tail -n 15 "$work/said"
  elif [ "$code" -ge 2 ] && ! grep -qE '^(fleetsim: |ERROR |[^ ]*faults.yaml:)' "$work/said"; then
    bad=$((bad + 1))
    echo "FAIL $what: exit code $code and no sentence"
    tail -n 15 "$work/said"
  elif [ "$code" -eq 0 ] && ! "$fleetsim" report "$work/out" >"$work/again" 2>&1; then
    bad=$((bad + 1))
    echo "FAIL $what: exit code 0, and its report: $(head -n 2 "$work/again")"
  elif [ $# -gt 1 ]; then
    echo "$code $what: $(grep -A3 -E '^(fleetsim: |ERROR |FAIL )' <<<"$why" | tr -s '\n ' '  ' | cut -c 1-300)"
  fi
done
echo "$((passed + failed + refused)) runs with a fault: $passed passed, $failed failed, $refused refused or ended; $bad bad"
[ "$bad" -eq 0 ]
