#!/bin/sh
# fleetsim completion: what bash, zsh and fish offer at a point of a line, asked of the shells themselves. Each is left out by
# name where it is not installed.
# usage: completion.sh PATH/TO/fleetsim
set -u
fleetsim=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"
export HOME="$work"
mkdir "$work/place" "$work/place/scenarios" "$work/place/fleets"
: >"$work/place/first.yaml"
: >"$work/place/two words.pem"
missing=

# offers NAME PATTERN LINE: what stands after the line's last blank or '=' is completed; the words on offer come sorted, and
# each in '/'
offers() { expect "$shell: $1" 0 "$2" sorted "$3"; }
sorted() { "offered_by_$shell" "$1" 2>&1 | LC_ALL=C sort -u | grep -v '^//$'; echo end; }

offered_by_bash() {
  # bash's own way to part a line: at blanks and at each '='
  bash --noprofile --norc -c '
    cd "$1"; . "$2"
    read -ra COMP_WORDS <<<"${3//=/ = }"
    [[ $3 == *[\ =] ]] && COMP_WORDS+=("")
    [[ $3 == *= ]] && unset "COMP_WORDS[-1]"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$3 COMP_POINT=${#3}
    _fleetsim fleetsim "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf "/%s/\n" "${COMPREPLY[@]}"' bash "$work/place" "$work/script.bash" "$1"
}
offered_by_fish() {
  fish --no-config -c 'cd $argv[1]; source $argv[2]; for one in (complete -C $argv[3]); printf "/%s/\n" (string split -f 1 \t -- $one); end' \
    "$work/place" "$work/script.fish" "$1"
}
# A terminal of zsh's own, in which the line is typed, a tab after it; what is on offer is listed by the completion itself.
offered_by_zsh() {
  mkdir -p "$work/zsh"
  cp "$work/script.zsh" "$work/zsh/_fleetsim"
  zsh -f -c '
    zmodload zsh/zpty
    cd "$1"
    zpty shell zsh -f -i
    say() { zpty -w shell "$1" }
    say "PS1=; stty -echo; fpath=($2 \$fpath); autoload -U compinit; compinit -u -d $2/dump; zstyle \":completion:*\" verbose no"
    say "LISTMAX=0; setopt list_packed; unsetopt auto_menu always_last_prompt; zstyle \":completion:*\" list-prompt \"\"; zstyle \":completion:*\" select-prompt \"\""
    # what compadd is given is told, and nothing is added
    say "compadd() { [[ \$@ == *\\ -[OADx]* ]] && { builtin compadd \"\$@\"; return }; local -a got; builtin compadd -O got \"\$@\"; local one; for one in \$got; do print -r -- \"/\$one/\" >>$3; done; builtin compadd \"\$@\" }"
    say "print ready >$3.ready"
    repeat 100; do [[ -e $3.ready ]] && break; sleep 0.05; done
    zpty -n -w shell "$4"$'"'"'\t'"'"'
    repeat 30; do sleep 0.05; [[ -s $3 ]] && break; done
    sleep 0.2
    zpty -d shell' zsh "$work/place" "$work/zsh" "$work/offered" "$1"
  cat "$work/offered" 2>/dev/null
  rm -f "$work/offered" "$work/offered.ready"
}

for shell in bash fish zsh; do
  command -v "$shell" >/dev/null || { missing="$missing $shell"; continue; }
  expect "$shell: the script" 0 "completion of fleetsim" "$fleetsim" completion "$shell"
  cp "$work/said" "$work/script.$shell"
  case $shell in fish) check=--no-execute ;; *) check=-n ;; esac
  expect "$shell: its grammar" 0 '^nothing to say $' sh -c '"$@" && echo nothing to say' sh "$shell" "$check" "$work/script.$shell"
  offers "verbs" "/completion/.*/pki/.*/run/" "fleetsim "
  offers "a verb's begin" "^/probe/ end $" "fleetsim pro"
  offers "a group's verbs" "^/crl/ .*/make/ .*/revoke/" "fleetsim pki "
  offers "options" "/--devices/.*/--out/.*/--overwrite/" "fleetsim run --"
  offers "an option's begin" "^/--overwrite/ end $" "fleetsim run first.yaml --over"
  offers "no option of another verb" '^end $' "fleetsim check first.yaml --over"
  offers "words of a fixed set" "/keyCompromise/.*/superseded/" "fleetsim pki revoke fleets --reason "
  offers "one of them" "^/older-counter/ end $" "fleetsim image corrupt a.img --how old"
  offers "one behind a =" "(/|=)older-counter/ end $" "fleetsim image corrupt a.img --how=old"
  offers "timing profiles" "/mbedtls-3.6.7-Os-small/" "fleetsim calibrate show mbed"
  offers "names to explain" "/connect.tls.not_trusted/" "fleetsim explain connect.tls.not"
  offers "files" "/first.yaml/" "fleetsim run f"
  offers "a file of an option" "/two words.pem/" "fleetsim probe --ca tw"
  offers "folders" "^/fleets/?/ end $" "fleetsim run first.yaml --fleet f"
  offers "what can be set" "/fleet.devices=/.*/fleet.telemetry.qos=/" "fleetsim run first.yaml --set fleet."
  offers "one of it" "^/pki.trusted=/ end $" "fleetsim check first.yaml --set pki.tr"
  offers "one of it behind a =" "(/|set=)pki.trusted=/ end $" "fleetsim run first.yaml --set=pki.tr"
  offers "no file for a number" '^end $' "fleetsim run first.yaml --devices f"
done
end_of_cases || exit 1
[ -z "$missing" ] || { echo "skipped, as they are not installed:$missing"; exit 77; }
