#!/bin/sh
# The package, made of this build as it stands: what it says of itself, what it holds, and that the program in it runs from
# where it was unpacked, opens no file of the sources or the build, and does what the examples of its help say.
# usage: package.sh BUILD_FOLDER CPACK
set -u
build=$(cd "$1" && pwd -P) cpack=$2
source=$(pwd -P)
for tool in dpkg-deb dpkg-shlibdeps strace mosquitto openssl; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v "$tool")" ] || { echo "skipped: no $tool"; exit 77; }
done
strace -o /dev/null true 2>/dev/null || { echo "skipped: strace may not trace here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/scenarios/lib/cases.sh
root=$work/root home=$work/home
mkdir "$root" "$home"

# --- What it says and holds -------------------------------------------------------------------------------------------

umask 077 # what is packed is for all, whoever packs it
expect "cpack" 0 "package: .*fleetsim_[0-9.]+_[a-z0-9]+\.deb generated" \
  "$cpack" --config "$build/CPackConfig.cmake" -G DEB -B "$work/pack" -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip
umask 022
deb=$(echo "$work"/pack/fleetsim_*.deb)
[ -f "$deb" ] || { echo "there is no package"; exit 1; }
version=$("$build/fleetsim" --version | sed -n 's/^fleetsim //p')
field() { expect "its $1" 0 "^$2 \$" dpkg-deb -f "$deb" "$1"; }
field Package fleetsim
field Version "$version"
field Architecture "$(dpkg --print-architecture)"
field Depends "mosquitto, .*libssl3.*libuv1 .*"
field Recommends nginx
field Maintainer "fleetsim maintainers <.*>"
field Description "rehearse what happens .* \. A scenario runs .*"
expect "all is root's and for all" 0 "^0 others \$" sh -c \
  'dpkg-deb -c "$1" | grep -cvE "^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) root/root" | sed "s/\$/ others/"' sh "$deb"
expect "it unpacks" 0 "^whole \$" sh -c 'dpkg-deb -x "$1" "$2" && cd "$2" && dpkg-deb -I "$1" md5sums | md5sum --quiet -c && echo whole' \
  sh "$deb" "$root"
for file in bin/fleetsim share/man/man1/fleetsim.1.gz share/bash-completion/completions/fleetsim \
  share/zsh/vendor-completions/_fleetsim share/zsh/site-functions/_fleetsim share/fish/vendor_completions.d/fleetsim.fish \
  share/fleetsim/scenarios/root-ca-rotation.yaml share/fleetsim/scenarios/README.md share/fleetsim/profiles/mbedtls-3.6.7-Os.json \
  share/doc/fleetsim/README.md share/doc/fleetsim/copyright share/doc/fleetsim/changelog.gz; do
  expect "$file" 0 " regular file \$" sh -c 'stat -c "%s %F" "$1" | grep -v "^0 "' sh "$root/usr/$file"
done
expect "whose licences" 0 "MIT License.*Mbed TLS.*Apache.*HdrHistogram|MIT License.*Mbed TLS.*Apache.*Redistribution and use" \
  cat "$root/usr/share/doc/fleetsim/copyright"
: >"$work/said"
name="nothing but that is in it" # no library of ours, no header, no test
others=$(cd "$root" && find . -type f ! -path './usr/bin/fleetsim' ! -path './usr/share/*')
[ -z "$others" ] || complain "$others"
name="it names no folder of who built it"
for folder in "$source" "$build"; do
  ! grep -qaF "$folder" "$root/usr/bin/fleetsim" || complain "there is $folder in it"
done
if command -v lintian >/dev/null; then
  # unstripped and the like are of who builds a distribution; an error is of ours
  expect "lintian" 0 "no error \$" sh -c '! lintian --fail-on none "$1" | grep "^E:" && echo no error' sh "$deb"
else
  echo "left out: lintian, which is not installed"
fi

# --- From where it is unpacked ----------------------------------------------------------------------------------------

PATH=$root/usr/bin:$PATH
export PATH
cd "$home" || exit 1
cp -r "$root/usr/share/fleetsim/scenarios" .
cat >few.yaml <<'YAML'
name: a few devices
fleet: {devices: 10, telemetry: {every: 500ms, bytes: 64, qos: 1}}
pki:   {roots: [A, B, spare], trusted: [A, spare], broker: A}
phases:
  - name: a working moment
    do: [connect: {rate: 50/s}, drain: {}]
    until: online == 100% within 30s
expect: [devices.lost == 0, telemetry.lost == 0]
YAML

# quietly NAME EXIT_CODE PATTERN COMMAND...: and nothing of the sources or the build is looked at
quietly() {
  case=$1 code=$2 sentence=$3
  shift 3
  expect "$case" "$code" "$sentence" strace -f --seccomp-bpf -qq -e trace=%file -o "$work/trace" "$@"
  name="$case: it looks at nothing of the build"
  grep -F -e "\"$source/" -e "\"$build/" "$work/trace" >"$work/said" && complain "it opened that"
}
quietly "check" 0 "a working moment.*online == 100%" fleetsim check few.yaml
quietly "check of a scenario that came with it" 0 "1000 devices|devices 1000|root CA rotation" \
  fleetsim check scenarios/root-ca-rotation.yaml
quietly "explain" 0 "To do: " fleetsim explain connect.tls.not_trusted
quietly "the timing profiles" 0 "mbedtls-3.6.7-Os +64 MHz" fleetsim calibrate list
quietly "making them takes the sources" 3 "made from the sources of fleetsim, which are not installed" fleetsim calibrate
quietly "a run" 0 "PASS a few devices: 10 devices.*modelled on mbedtls-3.6.7-Os" fleetsim run few.yaml --out few
expect "what it leaves" 0 "results.json" ls few
expect "completion by the file of the package" 0 "^root-ca-rotation.yaml \$" bash --noprofile --norc -c '
  cd scenarios && . "$1"; COMP_WORDS=(fleetsim run root) COMP_CWORD=2; _fleetsim; printf "%s\n" "${COMPREPLY[@]}"' bash \
  "$root/usr/share/bash-completion/completions/fleetsim"
expect "the manual page" 0 "^.TH FLEETSIM 1 .*fleetsim $version" gzip -dc "$root/usr/share/man/man1/fleetsim.1.gz"
# a test that sees nothing would be content
strace -f --seccomp-bpf -qq -e trace=%file -o "$work/trace" "$build/fleetsim" calibrate list >"$work/said"
name="the build's own program is seen to look there"
grep -qF -e "\"$build/" "$work/trace" || complain "nothing was seen"

# --- The examples of the help -----------------------------------------------------------------------------------------

# tried VERB...: those of its examples that are of fleetsim, as they stand, up to what is of another program
tried() {
  fleetsim "$@" --help | sed -n '/^example: /,$s/^\(example: \|         \)\(fleetsim [^&|>]*\).*/\2/p' >"$work/examples"
  [ -s "$work/examples" ] || { name="$* --help"; complain "it has no example"; }
  while IFS= read -r line <&3; do expect "as its help says: $line" 0 . sh -c "$line"; done 3<"$work/examples"
}
tried check
tried explain
for verb in make show export revoke unrevoke crl; do tried pki "$verb"; done
for verb in make show corrupt; do tried image "$verb"; done
mkdir own && cd own || exit 1
head -c 10000 /dev/urandom >firmware.bin
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signing.pem 2>/dev/null
tried image sign
for verb in list show compare; do tried calibrate "$verb"; done
end_of_cases
