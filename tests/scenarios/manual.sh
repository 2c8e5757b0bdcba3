#!/bin/sh
# fleetsim man: every troff that is here reads the manual page without a word, and shows it whole.
# usage: manual.sh PATH/TO/fleetsim
set -u
fleetsim=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"
page=$work/fleetsim.1
"$fleetsim" man >"$page" || exit 1

quiet() { said=$("$@" 2>&1 >/dev/null) && [ -z "$said" ] && echo "nothing to say" || { echo "$said"; false; }; }
lint() { said=$(mandoc -Tlint "$page") && [ -z "$said" ] && echo "nothing to say" || { echo "$said"; false; }; }
# what a reader sees, without the marks of bold and underlined
shown() { "$@" | sed -e 's/.\x08//g' -e 's/\x1b\[[0-9;]*m//g'; }
contents='NAME.*SYNOPSIS.*VERBS.*fleetsim run.*--overwrite.*fleetsim pki make.*--names.*EXIT STATUS.* 130 .*ENVIRONMENT.*FILES.*EXAMPLES.*SEE ALSO'

judges=
if command -v mandoc >/dev/null; then
  judges=mandoc
  expect "mandoc -Tlint" 0 "^nothing to say" lint
  expect "mandoc shows it" 0 "$contents" shown mandoc -Tutf8 "$page"
fi
if command -v groff >/dev/null; then
  judges="$judges groff"
  expect "groff" 0 "^nothing to say" quiet groff -man -ww -Tutf8 -rLL=100n "$page"
  expect "groff shows it" 0 "$contents" shown groff -man -Tutf8 "$page"
fi
[ -n "$judges" ] || { echo "skipped: neither mandoc nor groff is installed (package mandoc)"; exit 77; }
end_of_cases
