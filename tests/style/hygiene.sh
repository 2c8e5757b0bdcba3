#!/bin/sh
# What must never be committed: keys, hosts of package mirrors, paths of somebody's machine, stray top-level entries.
set -eu
. tests/style/sources.sh
bad=0

# none_match SENTENCE PATTERN
none_match() {
  hits=$(sources '*' | tr '\n' '\0' | xargs -0 grep -nIE -e "$2" /dev/null || true)
  [ -n "$hits" ] || return 0
  printf '%s:\n%s\n' "$1" "$hits" | head -n 12
  bad=1
}
none_match "a private key is in a tracked file" 'BEGIN ([A-Z]+ )?PRIVATE KEY'
none_match "a package mirror's host is named" '://(deb|security|registry)\.[a-z]'
none_match "a path of one machine is named" '(^|[^[:alnum:]_.$}])/(home|Users|work|farm|root)/[[:alnum:]]'

tops='^(sim|include|scenarios|certs|tests|bench|findings|CMakeLists\.txt|README\.md|CONTRIBUTING\.md|LICENSE|fleetsim|\..*)$'
stray=$(sources '*' | cut -d / -f 1 | sort -u | grep -vE "$tops" || true)
if [ -n "$stray" ]; then
  printf 'at the top level, but not in the map of the design:\n%s\n' "$stray"
  bad=1
fi
[ -n "$(sources CMakeLists.txt)" ] || { echo "found no tracked file: this test saw nothing"; exit 1; }
exit $bad
