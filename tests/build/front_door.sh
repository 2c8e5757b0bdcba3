#!/bin/sh
# The front door gets the two pinned sources from wherever they can be had, by their hash: their own site, Debian's suites,
# or a pool that kept them; another version only where it was asked for; and it says what it tried and how that ended.
# All against a small archive on loopback, with this machine's curl, apt and cmake.
# usage: front_door.sh PATH/TO/fleetsim (the script)
set -u
door=$1
for tool in python3 curl apt-get bzip2 flock cmake; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
. tests/scenarios/lib/cases.sh
cd "$work" || exit 1
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
[ -n "$codename" ] || { echo "skipped: /etc/os-release names no release"; exit 77; }

# archive.py: an HTTP server of ./site on a port of its own, which it prints; below /cut/ every file ends early
cat >archive.py <<'PY'
import functools, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def send_header(self, key, value):
        if key == "Content-Length" and self.path.startswith("/cut/"):
            value = str(int(value) + 1)
        super().send_header(key, value)
    def log_message(self, *_):
        pass
httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory="site"))
print(httpd.server_address[1], flush=True)
httpd.serve_forever()
PY
# suite.py SUITE [PACKAGE VERSION ORIG]...: an unsigned suite with these source packages, files in the pool
cat >suite.py <<'PY'
import hashlib, os, shutil, sys
suite, rest = sys.argv[1], sys.argv[2:]
root = f"site/debian/dists/{suite}"
shutil.rmtree(root, ignore_errors=True)
os.makedirs(f"{root}/main/source")
sums = lambda kind, paths: "".join(f"\n {hashlib.new(kind, open(p, 'rb').read()).hexdigest()} {os.path.getsize(p)} {n}" for p, n in paths)
text = ""
for package, version, orig in zip(rest[::3], rest[1::3], rest[2::3]):
    pool = f"pool/main/{package[:4] if package.startswith('lib') else package[0]}/{package}"
    folder = f"site/debian/{pool}"
    os.makedirs(folder, exist_ok=True)
    name = f"{package}_{version}.orig.tar.bz2"
    shutil.copy(orig, f"{folder}/{name}")
    dsc, packaging = f"{package}_{version}-1.dsc", f"{package}_{version}-1.debian.tar.xz"
    for extra in dsc, packaging:
        open(f"{folder}/{extra}", "w").write(extra)
    files = [(f"{folder}/{n}", n) for n in (dsc, name, packaging)]
    text += f"""Package: {package}
Binary: {package}
Version: {version}-1
Maintainer: nobody <nobody@example.com>
Architecture: any
Format: 3.0 (quilt)
Directory: {pool}
Files:{sums("md5", files)}
Checksums-Sha256:{sums("sha256", files)}

"""
open(f"{root}/main/source/Sources", "w").write(text)
listed = [(f"{root}/main/source/Sources", "main/source/Sources")]
open(f"{root}/Release", "w").write(f"Origin: test\nSuite: {suite}\nCodename: {suite}\nComponents: main\nSHA256:{sums('sha256', listed)}\n")
PY
# tarball FILE WHICH: a source tree that says which it is
tarball() {
  mkdir -p "tree/$2" site/up site/cut
  echo "$2" >"tree/$2/which"
  : >"tree/$2/CMakeLists.txt"
  tar -C tree -cjf "$1" "$2"
}
tarball site/up/mbedtls-3.6.7.tar.bz2 pinned-3.6.7
tarball site/up/0.11.8.tar.bz2 hdr-0.11.8
cp site/up/mbedtls-3.6.7.tar.bz2 site/cut/
tarball other-3.6.8.tar.bz2 other-3.6.8
tarball other-3.6.6.tar.bz2 other-3.6.6
tarball false-3.6.7.tar.bz2 false-3.6.7
cp false-3.6.7.tar.bz2 site/up/false-3.6.7.tar.bz2
cp site/up/mbedtls-3.6.7.tar.bz2 pinned.tar.bz2
pin=$(sha256sum <pinned.tar.bz2 | cut -d ' ' -f 1) hdr_pin=$(sha256sum <site/up/0.11.8.tar.bz2 | cut -d ' ' -f 1)

mkfifo port
python3 archive.py >port &
server=$!
read -r port <port
export no_proxy=127.0.0.1

# This machine's apt, with that archive as its only one and everything else as it is.
mkdir -p etc/apt/sources.list.d etc/apt/preferences.d etc/apt/apt.conf.d bin
echo "Dir::Etc \"$work/etc/apt\"; Acquire::Retries \"0\";" >apt.conf
export APT_CONFIG="$work/apt.conf"
printf '#!/bin/sh\necho "ii "\n' >bin/dpkg-query # all packages are there
chmod +x bin/dpkg-query
export PATH="$work/bin:$PATH"

# project UPSTREAM: a small project in place of ours, whose mbedtls is at that URL; its program says what it was built of
mkdir top
cp "$door" top/fleetsim
project() {
  cat >top/CMakeLists.txt <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(door NONE)
add_custom_target(fleetsim)
add_custom_target(tests ALL COMMAND false)
include(FetchContent)
FetchContent_Declare(mbedtls
  URL $1
  URL_HASH SHA256=$pin
  EXCLUDE_FROM_ALL)
FetchContent_Declare(hdr
  URL http://127.0.0.1:$port/up/0.11.8.tar.bz2
  URL_HASH SHA256=$hdr_pin
  EXCLUDE_FROM_ALL)
file(STRINGS \${FLEETSIM_MBEDTLS_SOURCE}/which mbedtls)
file(STRINGS \${FLEETSIM_HDR_SOURCE}/which hdr)
file(WRITE \${CMAKE_BINARY_DIR}/fleetsim "#!/bin/sh\necho built of \${mbedtls} and \${hdr}\n")
file(CHMOD \${CMAKE_BINARY_DIR}/fleetsim PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
CMAKE
}
# suites SID TRIXIE: "" or VERSION=FILE of mbedtls in each
suites() {
  rm -rf site/debian
  for suite in "sid $1" "trixie $2"; do
    version=${suite#* }
    # shellcheck disable=SC2086
    python3 suite.py "${suite%% *}" ${version:+mbedtls "${version%%=*}" "${version#*=}"}
  done
}
archive() { # sources.list's and debian.sources' way to name it
  rm -f etc/apt/sources.list etc/apt/sources.list.d/*
  if [ "$1" = list ]; then
    echo "deb [trusted=yes] http://127.0.0.1:$port/debian $codename main" >etc/apt/sources.list
  else
    printf 'Types: deb\nURIs: http://127.0.0.1:%s/debian/\nSuites: %s %s-updates\nComponents: main\nTrusted: yes\n' \
      "$port" "$codename" "$codename" >etc/apt/sources.list.d/debian.sources
  fi
}
more_of_the_failure() { tail -n 15 build/front-door.log | sed 's/^/     log | /'; }
# door NAME EXIT_CODE PATTERN [VARIABLE=VALUE]: a first use, in a folder of its own
door() {
  rm -rf build
  case=$1 code=$2 sentence=$3
  shift 3
  expect "$case" "$code" "$sentence" env FLEETSIM_BUILD_DIR="$work/build" "$@" top/fleetsim
}

rm -rf build
expect "help builds nothing" 0 "usage: ./fleetsim test \[arguments of ctest\]" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim test --help
expect "nor does the program's own" 0 "usage: ./fleetsim VERB .*The program is not built so far" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim --help
expect "nor that of a verb" 0 "The program is not built so far" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim run --help
[ ! -e build ] || complain "it made the folder build"

archive list
upstream=http://127.0.0.1:$port/up
suites 3.6.8=other-3.6.8.tar.bz2 3.6.6=other-3.6.6.tar.bz2
project "$upstream/mbedtls-3.6.7.tar.bz2"
door "its own site has it" 0 "fetching mbedtls 3.6.7 fleetsim: mbedtls is from $upstream/mbedtls-3.6.7.tar.bz2 fleetsim: fetching hdr 0.11.8.*built of pinned-3.6.7 and hdr-0.11.8"
name="nobody else was asked"
grep -q "Tried before" said && complain "it tried others"
expect "a second use fetches nothing" 0 "^built of pinned-3.6.7 and hdr-0.11.8 $" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim
expect "help of what is built is the program's" 0 "^built of pinned-3.6.7 and hdr-0.11.8 $" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim run --help
hdr_was=$hdr_pin pin_was=$pin
pin=$(sha256sum <other-3.6.8.tar.bz2 | cut -d ' ' -f 1)
cp other-3.6.8.tar.bz2 site/up/mbedtls-3.6.8.tar.bz2
project "$upstream/mbedtls-3.6.8.tar.bz2"
expect "a pin that changed is fetched, and no first use claimed" 0 "^fleetsim: setting up again in .*fetching mbedtls 3.6.8.*building what has changed .*built of other-3.6.8 and hdr" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim
pin=$pin_was hdr_pin=$hdr_was

suites 3.6.7=pinned.tar.bz2 3.6.6=other-3.6.6.tar.bz2
project "$upstream/mbedtls-3.6.7-gone.tar.bz2"
door "its own site has it no more" 0 "from Debian sid, by apt\. Tried before: $upstream/mbedtls-3.6.7-gone.tar.bz2: curl: \(22\) .*404.*built of pinned-3.6.7"
project "$upstream/false-3.6.7.tar.bz2"
door "its own site has another file" 0 "false-3.6.7.tar.bz2: not the pinned file, its SHA-256 is [0-9a-f]{64}: not used.*built of pinned-3.6.7"
project "http://127.0.0.1:$port/cut/mbedtls-3.6.7.tar.bz2"
door "its own site breaks off" 0 "cut/mbedtls-3.6.7.tar.bz2: curl: \(18\).*built of pinned-3.6.7"

project "$upstream/mbedtls-3.6.7-gone.tar.bz2"
archive sources
suites 3.6.8=other-3.6.8.tar.bz2 3.6.7=pinned.tar.bz2
door "the pinned one is in the older suite" 0 "from Debian trixie, by apt\. Tried before:.*Debian sid, by apt: has mbedtls_3.6.8.orig.tar.bz2 instead of 3.6.7.*built of pinned-3.6.7"
suites 3.6.8=other-3.6.8.tar.bz2 3.6.6=other-3.6.6.tar.bz2
cp pinned.tar.bz2 site/debian/pool/main/m/mbedtls/mbedtls_3.6.7.orig.tar.bz2
door "only the pool has kept it" 0 "from the pool of http://127.0.0.1:$port/debian\. Tried.*3.6.8.*3.6.6.*built of pinned-3.6.7"
archive list # which is all that a fresh debootstrap has
door "... the pool of a one-line list too" 0 "from the pool of http://127.0.0.1:$port/debian\. Tried.*3.6.8.*3.6.6.*built of pinned-3.6.7"
archive sources

suites 3.6.8=other-3.6.8.tar.bz2 3.6.6=other-3.6.6.tar.bz2
nowhere="found mbedtls 3.6.7 nowhere. Tried: $upstream/mbedtls-3.6.7-gone.tar.bz2: curl: \(22\)[^:]*: 404.*Debian sid, by apt: has mbedtls_3.6.8.orig.tar.bz2 instead of 3.6.7 Debian trixie, by apt: has mbedtls_3.6.6.orig.tar.bz2 instead of 3.6.7 the pool of http://127.0.0.1:$port/debian: E: .*404"
door "another version is not taken unasked" 3 "$nowhere.*unpack it to .*/sources/mbedtls, or take what Debian has with FLEETSIM_OTHER_VERSIONS=yes"
door "but when it is asked for" 0 "from Debian, which has mbedtls_3.6.8.orig.tar.bz2 \(apt checked.*built of other-3.6.8" FLEETSIM_OTHER_VERSIONS=yes
expect "and then it stays" 0 "^built of other-3.6.8 and hdr-0.11.8 $" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim
suites 3.6.7=false-3.6.7.tar.bz2 ""
door "a false file of the pinned version never" 3 "Debian sid, by apt: not the pinned file.*Debian trixie, by apt: E: .*unpack it to .*/sources/mbedtls $" FLEETSIM_OTHER_VERSIONS=yes

kill "$server"
wait "$server" 2>/dev/null
server=
project "$upstream/mbedtls-3.6.7.tar.bz2"
door "nothing can be reached" 3 "$upstream/mbedtls-3.6.7.tar.bz2: curl: \(7\).*Debian sid, by apt: [EW]: Failed to fetch.*pool of [^ ]*: E: Failed to fetch"
rm -rf build
for source in pinned-3.6.7:mbedtls hdr-0.11.8:hdr; do
  mkdir -p build/sources
  cp -r "tree/${source%:*}" "build/sources/${source#*:}"
done
expect "unpacked by hand" 0 "built of pinned-3.6.7 and hdr-0.11.8" env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim

# Its tests: one that is not built has not skipped itself
sed -i '/^add_custom_target(tests ALL/d' top/CMakeLists.txt
cat >>top/CMakeLists.txt <<'CMAKE'
enable_testing()
add_test(NAME good COMMAND true)
add_test(NAME short COMMAND sh -c "exit 77")
add_test(NAME lacks COMMAND ${CMAKE_BINARY_DIR}/none)
set_tests_properties(short PROPERTIES SKIP_RETURN_CODE 77)
CMAKE
tests() { env FLEETSIM_BUILD_DIR="$work/build" top/fleetsim test "$@"; }
expect "a test that is not built is named, and fails" 1 \
  "2 tests were skipped: a tool is missing.*2 tests did not run, and count as failed: [^:]*: lacks lacks .*2 passed, 2 failed $" tests
expect "not where it is not asked for" 0 "2 tests were skipped.*2 passed, 0 failed $" tests -E lacks
expect "none is an error" 2 "no test ran: none matches '-R nothing'" tests -R nothing
end_of_cases
