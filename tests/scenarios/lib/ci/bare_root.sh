#!/bin/bash
# The example for GitLab as its runner would do it, in roots of Debian 12 that have nothing but debootstrap's minbase and the
# /etc/hosts that a container gets: a first job without a cache, the next week's with the cached build in a fresh root, and once
# more in an image that has the packages. No test runs it, as it takes ten minutes, root, apt and 4 GB; scenarios/README.md has
# its figures. Every mount is in a namespace of its own and ends with the job.
# usage: bare_root.sh FOLDER NODE_MODULES     (FOLDER may have been used before; './fleetsim test' makes build/ci/node_modules)
set -euo pipefail
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH='' cd -- "$here/../../../.." && pwd)
mkdir -p "$1"
work=$(CDPATH='' cd -- "$1" && pwd) modules=$(realpath "$2") project=/builds/team/user
. "$here/../readme.sh"
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=protocol.file.allow GIT_CONFIG_VALUE_0=always # a submodule by a folder's name
cd "$work"
rm -rf jobs caches origin.git user steps
mkdir jobs caches

# inside ROOT COMMAND...: with processes, mounts and shared memory of its own, and nothing of our environment
inside() {
  # shellcheck disable=SC2016 # expanded inside
  unshare --mount --pid --ipc --fork --kill-child sh -c '
    root=$1; shift
    mount -t proc proc "$root/proc" && mount -t tmpfs shm "$root/dev/shm" &&
      exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true chroot "$root" "$@"' sh "$@"
}

[ -d bare ] || { debootstrap --variant=minbase bookworm part ${MIRROR:+"$MIRROR"} >debootstrap.log && mv part bare; }
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >bare/etc/hosts
if [ ! -d image ]; then
  cp -a bare part
  packages=$(sed -n '/^packages="/,/"$/s/^packages=//p' "$top/fleetsim" | tr -d '"')
  # shellcheck disable=SC2086
  inside part sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends git "$@"' sh \
    $packages >image.log 2>&1
  mv part image
fi

# A user's repository, with this commit of fleetsim as its submodule
git clone -q --bare "$top" origin.git
git init -q user
git -C user submodule --quiet add "$work/origin.git" fleetsim
mkdir user/rehearsals
block "$top/README.md" "## A scenario" >user/rehearsals/rotation.yaml
git -C user add -A
git -C user -c user.name=a -c user.email=a@example.com commit -qm "a rehearsal"
node "$here/steps.mjs" "$modules" "$top/scenarios/ci/gitlab-ci.yml" steps

# job NAME ROOT EVENT: prints what it took, and fails as it does; what it caches is there for the next one
job() {
  root=$work/jobs/$1
  cp -a "$2" "$root"
  mkdir -p "$root/builds/team"
  began=$(date +%s%N)
  git clone -q --recurse-submodules "$work/user" "$root$project"
  for cache in caches/*; do [ ! -f "$cache" ] || tar -xzf "$cache" -C "$root$project"; done
  {
    echo "set -eo pipefail; cd $project; export CI_PROJECT_DIR=$project CI_PIPELINE_SOURCE=$3 FLEETSIM_BUILD_DIR=$project/fleetsim/build"
    echo "PS4='+ \$(date +%T) '; set -x" # each command of the example, and when it began
    cat steps/01.sh
  } >"$root/job.sh"
  inside "$root" bash /job.sh >"$1.log" 2>&1 || { tail -n 20 "$1.log"; return 1; }
  took=$((($(date +%s%N) - began) / 100000000))
  # shellcheck disable=SC2046
  bytes=$(cd "$root$project" && cat $(ls $(cat "$work/steps/artefacts") 2>/dev/null) | wc -c)
  echo "$1: checkout to verdict $((took / 10)).$((took % 10)) s, artefacts $bytes bytes, load $(cut -d ' ' -f 1 /proc/loadavg)"
  grep -E '^(SAME|BETTER|WORSE|UNCLEAR) ' "$1.log" || true
  (cd "$root$project" && tar -czf "$work/caches/build" fleetsim/build && tar -czf "$work/caches/last-week" last-week)
  rm -rf "$root"
}
job first bare schedule
job cached-bare bare schedule
if [ "$took" -ge 900 ] || [ "$bytes" -ge 1000000 ]; then echo "that is 90 s or a megabyte, or more" && exit 1; fi
job cached-image image schedule
