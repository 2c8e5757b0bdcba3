#!/bin/sh
# People know a device by the name that its owner gave it and its topics by his templates. What is so by default alone
# (private/ID/, eight hex digits) is said in the files below and nowhere else: elsewhere names_text (sim/base/names.h) and
# names_of have it.
set -eu
. tests/style/sources.sh
bad=0

# only_in SENTENCE PATTERN FILE...
only_in() {
  sentence=$1 pattern=$2
  shift 2
  hits=$(sources 'sim/*' 'include/*' | tr '\n' '\0' | xargs -0 grep -nE -e "$pattern" /dev/null || true)
  for file in "$@"; do
    printf '%s\n' "$hits" | grep -q "^$file:" || { echo "$file is excepted from '$sentence', and need not be"; bad=1; }
    hits=$(printf '%s\n' "$hits" | grep -v "^$file:" || true)
  done
  [ -n "$hits" ] || return 0
  printf '%s:\n%s\n' "$sentence" "$hits" | head -n 12
  bad=1
}
only_in "a topic of the default is written out" 'private/' \
  include/fleetsim/device.h sim/device/session.c sim/base/names.c sim/base/names.h sim/cli/pki_export.c
only_in "a device's number is printed" '%08l?x|PRI[xX]32|device_id_text\(' \
  include/fleetsim/device.h sim/device/naming.c sim/device/nvm.c sim/base/names.c sim/pki/folder.c sim/pki/make.c \
  sim/cli/pki_args.c sim/scenario/naming_check.c
exit $bad
