#!/bin/sh
# Brings a release of Mbed TLS that the firmware can be built with, from its own site or from Debian's source package of
# the same file, and unpacks it to FOLDER. A file whose SHA-256 is not the one below is refused.
#
#   bench/m4/firmware/fetch_mbedtls.sh VERSION FOLDER
set -eu

fail() {
  printf 'fetch_mbedtls: %s\n' "$*" >&2
  exit 3
}

[ $# -eq 2 ] || fail "say fetch_mbedtls.sh VERSION FOLDER"
version=$1 folder=$2
case $version in # the hash that upstream published, and the Debian release that has the file
3.6.6) hash=8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a suite=trixie ;;
3.6.7) hash=a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6 suite=sid ;;
*) fail "no SHA-256 of Mbed TLS $version is known here: add it, or unpack that version yourself" ;;
esac
[ ! -e "$folder" ] || fail "$folder is there already: remove it, or use it as it is"
mkdir -p "$(dirname -- "$folder")"
temporary=$(mktemp -d "$(dirname -- "$folder")/mbedtls.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
temporary=$(CDPATH='' cd -- "$temporary" && pwd -P)
tarball=$temporary/mbedtls.tar.bz2

from_upstream() {
  curl -fsSL --connect-timeout 10 --max-time 120 -o "$tarball" \
    "https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-$version/mbedtls-$version.tar.bz2" \
    2>"$temporary/log"
}

# apt_get ARGUMENTS...: with our one list of sources; nothing is written outside the temporary folder
apt_get() {
  set -- -o Dir::Etc::SourceList="$temporary/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$temporary/lists" -o Dir::Cache="$temporary/cache" "$@"
  [ "$(id -u)" -ne 0 ] || set -- -o APT::Sandbox::User=root "$@" # user _apt may not write in this folder
  (cd "$temporary" && timeout 300 apt-get -q "$@") >>"$temporary/log" 2>&1
}

# The archive that this machine gets its own packages from, asked for another release.
from_debian() {
  command -v apt-get >/dev/null || return 1
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ ! -f "$keyring" ] || signed="[signed-by=$keyring] "
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' "Codename: $codename" |
    sort -u | sed "s,.*,deb-src ${signed:-}& $suite main," >"$temporary/sources.list"
  [ -s "$temporary/sources.list" ] || return 1
  mkdir -p "$temporary/lists/partial" "$temporary/cache/archives/partial"
  apt_get update || true # the next line knows whether it was enough
  apt_get source --download-only --tar-only mbedtls || return 1
  cp "$temporary/mbedtls_$version.orig.tar.bz2" "$tarball" 2>>"$temporary/log"
}

from_upstream || from_debian || {
  tail -n 5 "$temporary/log" >&2
  fail "Mbed TLS $version could be had neither from its own site nor from Debian $suite: download and unpack it yourself"
}
echo "$hash  $tarball" | sha256sum -c --status - ||
  fail "what was downloaded is not the published Mbed TLS $version: its SHA-256 differs; do not use it"
mkdir "$temporary/tree"
tar -xf "$tarball" -C "$temporary/tree" --strip-components=1 || fail "cannot unpack Mbed TLS: is the disk full?"
mv "$temporary/tree" "$folder"
